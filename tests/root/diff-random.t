#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# 300 random edit scripts on a stack of two layers: the tar of the changes, imported on the
# parent, gives the same merged tree, and diff gives the same tar again.
seeds=${OVLCTL_SEEDS:-$(short && echo 20 || echo 300)}
mkdir one two
edits 1001 150 one
edits 1002 60 one
mkdir -p one/dir/sub/deep one/other
echo f >one/dir/file
echo g >one/dir/sub/deep/g
ln one/dir/file one/dir/linked
ln one/dir/file one/other/linked
truncate -s 300000 one/dir/sparse
echo x | dd of=one/dir/sparse bs=1 seek=200000 conv=notrunc 2>/dev/null
tar --format=pax --xattrs --numeric-owner -S -C one -cf one.tar .
ovlctl import -n one one.tar >/dev/null 2>&1
need w ovlctl create one
need m ovlctl mount "$w"
edits 1003 60 "$m"
ovlctl umount "$w"
ovlctl diff -o two.tar "$w"
ovlctl rm "$w"
ovlctl import -n two -p one two.tar >/dev/null 2>&1

failed=
opaque=0 redirects=0 metacopies=0 hidden=0
s=1
while [ "$s" -le "$seeds" ]; do
	opts=
	if ! as_user; then
		case $((s % 7)) in
		1) opts='-o redirect_dir=on' ;;
		2) opts='-o metacopy=on' ;;
		3) opts='-o redirect_dir=on,metacopy=on' ;;
		4) opts='-o xino=on' ;;
		5) opts='-o xino=on,redirect_dir=on,metacopy=on' ;;
		6) opts='-o metacopy=on,xino=on' ;;
		esac
	fi
	w=$(ovlctl create two) && m=$(ovlctl mount $opts "$w") || failed="$failed $s:mount"
	edits $s 40 "$m"
	ovlctl -q diff -o mounted.tar "$w" || failed="$failed $s:diff"
	# From a new mount: a live one may give links inode numbers of its own.
	ovlctl umount "$w"
	need - ovlctl mount $opts -r "$w"
	walk "$m" >want
	ovlctl umount "$w"
	ovlctl -q diff -o again.tar "$w"
	cmp -s mounted.tar again.tar || failed="$failed $s:reproducible"
	attrs=$(getfattr -Rhm 'overlay.(opaque|redirect|metacopy)' "$OVLCTL_ROOT/$DRV/$w/$UPPER" 2>/dev/null)
	case $attrs in *opaque*) opaque=$((opaque + 1)) ;; esac
	case $attrs in *redirect*) redirects=$((redirects + 1)) ;; esac
	case $attrs in *metacopy*) metacopies=$((metacopies + 1)) ;; esac
	i=$(ovlctl -q --sync=none import -p two again.tar) || failed="$failed $s:import"
	need m ovlctl mount "$i"
	walk "$m" >got
	if ! cmp -s got want; then
		failed="$failed $s:tree"
		[ "${failed% *}" ] || diff want got | head -20 | diag
	fi
	ovlctl umount "$i"
	# The list of the imported layer is the list of the original.
	ovlctl diff "$w" >list.w
	ovlctl diff "$i" >list.i
	same_list list.w list.i || failed="$failed $s:list"
	[ -s list.w ] && hidden=$((hidden + 1))
	ovlctl rm "$w" "$i"
	s=$((s + 1))
done
is "$seeds edit scripts, exported and imported, give the same tree" "$failed" ""
ok "... and most changed something" test "$hidden" -gt $((seeds / 2))
if [ "$seeds" -ge 100 ]; then
	ok "... with opaque directories among them ($opaque)" test "$opaque" -gt 5
	if ! as_user; then
		ok "... renamed directories ($redirects)" test "$redirects" -gt 5
		ok "... and metacopied files ($metacopies)" test "$metacopies" -gt 5
	fi
fi
is "nothing is left" "$(ovlctl ls -nr -o NAME | tr '\n' ' ')" "one two "

done_testing
