#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# not in a user namespace: root of one that others made cannot trace

# After the rename that decides, a commit only renames and removes what it has prepared: it
# can be finished on a full disk.
can_trace || cannot "strace"
S=$OVLCTL_ROOT
printf 'dir name=dir\nfile name=dir/f data=1\nfile name=dir/g data=1\nend\n' | mktar >a.tar
need - ovlctl import -n a a.tar

# A layer "w" with a second name, and a whiteout that is not a device.
layer() { # CONTENT
	need w ovlctl create -n w a
	need - ovlctl tag w w/2
	d=$S/$DRV/$w/$UPPER
	need - mkdir "$d/dir"
	need - touch "$d/dir/f"
	need - setfattr -n trusted.overlay.opaque -v x "$d/dir"
	need - setfattr -n trusted.overlay.whiteout -v y "$d/dir/f"
	echo "$1" >"$d/new"
	touch -d @1 "$d/new" "$d/dir" "$d/dir/f" "$d"
}
nothing_new() { # WHAT COMMAND...
	what=$1
	shift
	traced -qq -s 200 -o trace -e trace=/^rename,mkdirat,mknodat,symlinkat,linkat,openat "$@" >out 2>err
	is "$what" "$?$(cat err)" 0
	sed "1,/ rename.*\"$w\"/d" trace >after
	ok "... has the step" grep -q " openat" after
	is "... creates nothing after it" "$(grep -E ' (mkdirat|mknodat|symlinkat|linkat)\(|O_CREAT' after | grep -v ' = -1 ')" ""
	is "... the store is sound" "$(ovlctl check --content)" ""
}
names() {
	ovlctl ls -nr -o NAME,KIND | sort | tr '\n' ' '
}
layer 1
nothing_new "commit -n" ovlctl commit -n i w
is "... it has all names" "$(names)" "a image i,w,w/2 image "
need - ovlctl -q rm i
layer 2
nothing_new "commit --keep -n" ovlctl commit --keep -n i w
is "... and the layer its own" "$(names)" "a image i image w,w/2 writable "
step=$(sed "/ rename.*\"$w\"/q" trace | grep -c ' renameat2(')
need - ovlctl -q rm w i
layer 3
nothing_new "commit of a tree that is unpacked" env SOURCE_DATE_EPOCH=0 ovlctl commit -n i w
is "... it has all names" "$(names)" "a image i,w,w/2 image "
for name in i w w/2; do
	ovlctl tag -d $name
done
layer 3
nothing_new "commit of what is there, without a name" env SOURCE_DATE_EPOCH=0 ovlctl commit -n i w
is "... it has all names" "$(names)" "a image i,w,w/2 image "
need - ovlctl -q rm i

layer 2
killed_at renameat2 $((step + 1)) ovlctl commit --keep -n i w >out 2>&1
is "killed after the step: it has happened" "$(names)" "a image i image w,w/2 writable "
ok "... and rm finishes it on a full disk" traced -qq -o /dev/null -e trace=mkdirat,mknodat,symlinkat,linkat \
	-e inject=mkdirat,mknodat,symlinkat,linkat:error=ENOSPC ovlctl rm w i
need - ovlctl prune
is "... which removes all" "$(names)$(ls "$S/names" "$S/staging")$(ovlctl check)" "a image $S/names:
a

$S/staging:"

done_testing
