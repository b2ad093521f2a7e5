#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# Random edit scripts on a stack of two layers, committed: id and tree must be those that
# an import of the diff gives, and the mount must show the same as before.
seeds=${OVLCTL_SEEDS:-$(short && echo 10 || echo 100)}
mkdir one
edits 1001 150 one
mkdir -p one/dir/sub/deep one/other
echo f >one/dir/file
echo g >one/dir/sub/deep/g
ln one/dir/file one/dir/linked
ln one/dir/file one/other/linked
tar --format=pax --xattrs --numeric-owner -S -C one -cf one.tar .
ovlctl import -n one one.tar >/dev/null 2>&1
need w ovlctl create -n two one
need m ovlctl mount "$w"
edits 1003 60 "$m"
ovlctl umount "$w"
ovlctl -q diff -o two.tar "$w"
need - ovlctl -q commit "$w"
other="$T/other"
ovlctl --root "$other" import -n one one.tar >/dev/null 2>&1
ovlctl --root "$other" import -n two -p one two.tar >/dev/null 2>&1
raw() {
	walk "$1" | sed '/ 020000 .* dev=0:0/s/ t=[0-9.]*\| same=.*//g'
}

failed=
unpacked=0
s=1
while [ "$s" -le "$seeds" ]; do
	opts=
	if ! as_user; then
		case $((s % 4)) in
		1) opts='-o redirect_dir=on' ;;
		2) opts='-o metacopy=on' ;;
		esac
	fi
	keep=
	[ $((s % 5)) != 0 ] || keep=--keep
	w=$(ovlctl create two) && m=$(ovlctl mount $opts "$w") || failed="$failed $s:mount"
	edits $((s + 5000)) 40 "$m"
	ovlctl umount "$w"
	need - ovlctl mount $opts -r "$w"
	walk "$m" >want
	ovlctl umount "$w"
	ovlctl -q diff -o diff.tar "$w"
	ovlctl diff "$w" >list.want
	i=$(ovlctl -q --root "$other" --sync=none import -p two diff.tar) || failed="$failed $s:import"
	c=$(ovlctl -v --sync=none commit $keep "$w" 2>err) || failed="$failed $s:commit"
	if grep -q '; unpacked' err; then unpacked=$((unpacked + 1)); fi
	[ "$c" = "$i" ] || failed="$failed $s:id"
	raw "$OVLCTL_ROOT/$DRV/$c/$TREE" >got
	raw "$other/$DRV/$i/$TREE" >got.other
	cmp -s got got.other || failed="$failed $s:tree"
	ovlctl diff --tar "$c" | cmp -s - diff.tar || failed="$failed $s:tar"
	ovlctl diff "$c" >list.got
	same_list list.want list.got || failed="$failed $s:list"
	need m ovlctl mount "$c"
	walk "$m" >got
	cmp -s got want || failed="$failed $s:union"
	ovlctl umount "$c"
	if [ "$keep" ]; then
		need m ovlctl mount "$w"
		walk "$m" >got
		cmp -s got want || failed="$failed $s:keep"
		ovlctl umount "$w"
	fi
	[ "${failed}" = "" ] || [ -e first ] || diff got want >first
	ovlctl rm -r "$c"
	ovlctl --root "$other" rm "$i"
	s=$((s + 1))
done
is "$seeds edit scripts, committed, are what their diffs are" "$failed" ""
[ ! -e first ] || head -20 first | diag
if [ "$seeds" -ge 100 ] && ! as_user; then
	ok "... with some that were unpacked ($unpacked)" test "$unpacked" -gt 5
fi
is "nothing is left" "$(ovlctl ls -nr -o NAME | tr '\n' ' ')$(ls "$OVLCTL_ROOT/staging" "$OVLCTL_ROOT/trash" | grep '^[0-9a-f]')" "one two "

done_testing
