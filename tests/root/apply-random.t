#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# Random edit scripts over a directory: apply must make of the directory what the mount
# showed, tree for tree, by walk and by rsync(1). OVLCTL_SEEDS=300 is the long form.
command -v rsync >/dev/null || cannot "rsync"
seeds=${OVLCTL_SEEDS:-$(short && echo 8 || echo 20)}
mkdir base
edits 1001 150 base
edits 1002 60 base
mkdir -p base/dir/sub/deep base/other
echo f >base/dir/file
ln base/dir/file base/other/linked
truncate -s 300000 base/dir/sparse
judge() {
	rsync -aHAX --delete --numeric-ids --modify-window=-1 "$@"
}

failed='' done=0 s=1
while [ "$s" -le "$seeds" ]; do
	opts=
	if ! as_user; then
		case $((s % 4)) in
		1) opts='-o redirect_dir=on' ;;
		2) opts='-o metacopy=on' ;;
		3) opts='-o redirect_dir=on,metacopy=on' ;;
		esac
	fi
	rm -rf d copy
	need - judge base/ d
	need - ovlctl create -n l --on d
	need m ovlctl mount $opts l
	edits $((s + 7000)) 40 "$m"
	need - ovlctl umount l
	need - ovlctl mount $opts -r l
	walk "$m" >want
	need - judge "$m/" copy
	need - ovlctl umount l
	[ ! "$(ovlctl diff l)" ] || done=$((done + 1))
	if ! ovlctl apply l 2>err; then
		failed="$failed $s:$(cat err)"
		need - ovlctl rm l
	fi
	walk d >got
	cmp -s want got || {
		failed="$failed $s:walk"
		diff want got | head -5 | diag
	}
	judge -n -i -c copy/ d >differs || failed="$failed $s:rsync"
	[ ! -s differs ] || failed="$failed $s:$(head -3 differs)"
	s=$((s + 1))
done
is "$seeds edit scripts, applied, give what the mount showed" "$failed" ""
ok "... and most changed something" test $done -gt $((seeds / 2))
is "nothing is left" "$(ovlctl ls -q)$(find . -name '.ovlctl-*')" ""

done_testing
