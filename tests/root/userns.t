#!/bin/sh
# not in a user namespace: makes its own
. "$(dirname "$0")/../lib.sh"

# overlay: as user too

# In a user namespace the xattrs of root's store are invisible: files that they hide would
# reappear. So commands that need them are refused there.
printf 'dir name=d\nfile name=d/x data=1\nfile name=s data=1\nend\n' | mktar >a.tar
printf 'dir name=d\nfile name=d/.wh..wh..opq\nfile name=d/y\nend\n' | mktar >b.tar
need - ovlctl import -n a a.tar
need - ovlctl import -n b -p a b.tar
need w ovlctl create -n w b
need m ovlctl mount w
is "what is hidden" "$(ls "$m/d")" y
ovlctl umount w
chmod 755 "$T"
before=$(store_state)
ns() { unshare -Urm "$@"; }
mkdir mnt
unshare -Urm true 2>/dev/null || cannot "make a user namespace"
why="not permitted: store '$T/store' was made by root with trusted"
fails 1 "$why" "mount" ns ovlctl mount w
fails 1 "$why" "mount of an image layer" ns ovlctl mount b mnt
fails 1 "$why" "create" ns ovlctl create b
fails 1 "$why" "create on nothing" ns ovlctl create
fails 1 "$why" "import" ns ovlctl import a.tar
fails 1 "$why" "import on a parent" ns ovlctl import -p b b.tar
fails 1 "$why" "diff" ns ovlctl diff b
fails 1 "$why" "diff --tar" ns ovlctl diff -o - b
fails 1 "$why" "which" ns ovlctl which b /
fails 1 "$why" "diff without CAP_SYS_ADMIN" setpriv --bounding-set -sys_admin ovlctl diff b
is "nothing has changed" "$(store_state)" "$before"
is "ls works" "$(ns ovlctl ls -nr -o NAME)" "$(printf 'a\nb\nw')"
is "show works" "$(ns ovlctl show w | jq -r '.layers[0] | .names[]')" w
ro() { unshare -m sh -c 'mount --bind store store && mount -o remount,bind,ro store && exec "$@"' - "$@"; }
is "diff of a read-only store" "$(ro ovlctl diff b)" "$(ovlctl diff b)"
fails 1 "$why" "... in a user namespace" ns unshare -m sh -c \
	'mount --bind store store && mount -o remount,bind,ro store && exec ovlctl diff b'

# The reverse: a store made in a user namespace, used by root.
export OVLCTL_ROOT="$T/user"
ns sh -c 'ovlctl import -n a a.tar && ovlctl import -n b -p a b.tar && ovlctl create -n w b' >/dev/null
need m ovlctl mount w
is "root mounts a store for userxattr" "$(ls "$m/d")" y
like "... with userxattr" 'userxattr' "$(grep "$m" /proc/self/mountinfo)"
rm "$m/d/y"
ovlctl umount w
is "... and its diff" "$(ovlctl diff w)" "$(printf 'C /d\nD /d/y')"
ok "import by root" ovlctl import -n c -p a b.tar
is "... the same layer" "$(ovlctl ls -nr -o ID b | sort -u)" "$(ovlctl ls -nr -o ID c)"

# Files that a user namespace has left out are not reported as missing, to anybody.
tar_of odd.tar <<'END'
dir name=d
file name=f data=1 pax.SCHILY.xattr.security.foo=1 pax.SCHILY.xattr.trusted.x=1 pax.SCHILY.xattr.user.u=1 pax.SCHILY.xattr.com.apple.x=1
symlink name=l link=f pax.SCHILY.xattr.user.u=1
fifo name=p pax.SCHILY.xattr.user.u=1
chr name=null major=1 minor=3
blk name=d/blk major=7 minor=0
file name=g data=2 uid=7 gid=8
end
END
sound() { # STORE WHAT
	ok "$2, checked by root" ovlctl --root "$1" check --content
	ok "$2, checked in a user namespace" $ns ovlctl --root "$1" check --content
	$ns ovlctl --root "$1" diff --tar "$id" >back
	same "$2, and back" back odd.tar
}
mkdir mapped
chown 100000:100000 mapped
for ns in 'userns 0 10' 'userns 100000 65536'; do
	need - $ns true
	case $ns in *100000*) at=$T/mapped/store ;; *) at=$T/odd ;; esac
	need id $ns ovlctl --root "$at" import odd.tar
	$ns ovlctl --root "$at" import odd.tar >/dev/null 2>err
	chown 100000:100000 "$T" "$T/odd.tar"
	sound "$at" "a layer of a user namespace ($ns)"
	layer_tree=$at/$DRV/$id/$TREE
	chown 12345:0 "$layer_tree/f"
	no "... another owner is found" ovlctl --root "$at" check --content
	chown "$(stat -c %u:%g "$layer_tree")" "$layer_tree/f"
	setfattr -x user.u "$layer_tree/f"
	no "... a lost xattr is found" ovlctl --root "$at" check --content
	setfattr -n user.u -v 1 "$layer_tree/f"
	rm "$layer_tree/p"
	no "... a lost file is found" ovlctl --root "$at" check --content
	[ "$at" = "$T/odd" ] || continue
	need - ovlctl --root "$at" rm "$id"
	need id ovlctl --root "$at" import odd.tar
	ok "... which root has with a device" test -c "$layer_tree/null"
	sound "$at" "a layer of root's in such a store"
done

# A user's own files belong to root inside the namespace, but not outside.
chmod 755 "$T"
mkdir -m 777 open
export OVLCTL_ROOT="$T/open/store"
user() { setpriv --reuid 100000 --regid 100000 --clear-groups "$@"; }
in_ns() { userns 100000 65536 "$@"; }
chown 100000:100000 open
need - in_ns ovlctl import -n a a.tar
need - in_ns ovlctl create -n w a
need id in_ns ovlctl ls -q w
in_ns ovlctl diff --tar a >wanted
echo 1 >"$OVLCTL_ROOT/$DRV/$id/$UPPER/new"
chown 100005:100006 "$OVLCTL_ROOT/$DRV/$id/$UPPER/new"
in_ns ovlctl diff --tar w >of_w
is "owners as in the namespace" "$(tar --numeric-owner -tvf of_w new | cut -d' ' -f2)" 5/6
why="not permitted: store '$T/open/store' was made in a user namespace"
printf 'dir name=. uid=100000 gid=100000\nfile name=mine data=1 uid=100000 gid=100000\nend\n' | mktar >mine.tar
for who in user ""; do
	fails 1 "$why" "diff --tar outside of it ($who)" $who ovlctl diff --tar w
	fails 1 "$why" "... commit" $who ovlctl commit w
	fails 1 "$why" "... export" $who ovlctl export --format docker w -
	fails 1 "$why" "... import" $who ovlctl import mine.tar
	fails 1 "$why" "... create" $who ovlctl create a
	fails 1 "$why" "... mount" $who ovlctl mount w
	$who ovlctl check --repair 2>err
	like "... check --repair" "$why" "$(cat err)"
	is "... diff lists" "$($who ovlctl diff w)" "A /new"
	same "... an image layer's tar is as it was" wanted "$($who ovlctl diff --tar a >got; echo got)"
done
fails 1 "$why" "root does not tag" ovlctl tag a b
fails 1 "$why" "... nor rm" ovlctl rm w
ok "... export of an image layer works" ovlctl export a out.tar
is "... and ls" "$(ovlctl ls -nr -o NAME)" "$(printf 'a\nw')"
is "nothing there is root's" "$(find "$OVLCTL_ROOT" -user root)" ""
ok "the layer is as it was" in_ns sh -c "ovlctl diff --tar w >again"
same "... bit for bit" again of_w
fails 1 "'new': its owner is not mapped in this user namespace" "an owner that is not mapped" \
	userns 100000 1 ovlctl diff --tar w
ok "commit in the namespace" in_ns ovlctl commit w
mkdir -m 700 "$OVLCTL_ROOT/$DRV/$(printf '%064d' 7)"
user ovlctl ls -nr -o NAME >out 2>err
is "ls of a layer that may not be read" "$(grep -c . out)" 2
like "... warns" "warning: layer 0000.* is not listed: Permission denied" "$(cat err)"
# To know whether a commit moves a layer only saves time.
chmod 0 "$OVLCTL_ROOT/staging"
is "ls of a layer without access to staging" "$(user ovlctl ls -nr -o NAME a)" a
is "... show" "$(user ovlctl show a | jq -r '.layers[].names[]')" a
chmod 700 "$OVLCTL_ROOT/staging"

# The reverse: made outside by an ordinary user, who owns all files.
export OVLCTL_ROOT="$T/open/outer"
need - user ovlctl import -n mine mine.tar
need - user ovlctl create -n w mine
need - user ovlctl diff --tar w
why="not permitted: store '$T/open/outer' was made by an ordinary user outside of a user namespace"
fails 1 "$why" "diff --tar in a namespace of what was made outside" in_ns ovlctl diff --tar w
fails 1 "$why" "... import" in_ns ovlctl import a.tar
fails 1 "$why" "... mount" in_ns ovlctl mount w
fails 1 "$why" "... root's mount" ovlctl mount w
fails 1 "$why" "... root's import" ovlctl import mine.tar
is "... check --content" "$(ovlctl check --content 2>&1; user ovlctl check --content 2>&1)" ""

# Directories without an entry belong to root.
denied="not permitted; run ovlctl as root or in a user namespace"
as_uid="uid=100000 gid=100000"
printf '%s\n' "file name=f $as_uid" end | mktar >top.tar
printf '%s\n' "dir name=. $as_uid" "file name=d/f $as_uid" end | mktar >parent.tar
printf '%s\n' 'dir name= uid=70000000000' end | mktar >empty.tar
export OVLCTL_ROOT="$T/open/own"
fails 1 "directory without an entry: cannot give '/' to user 0, group 0: $denied" "no entry for the top" \
	user ovlctl import top.tar
fails 1 "directory without an entry: cannot give 'd' to user 0, group 0: $denied" "... for a parent" \
	user ovlctl import parent.tar
fails 1 "'empty.tar': '/': impossible user id" "... with an empty name" user ovlctl import empty.tar

# What its owner may not write to: GNU tar extracts it, too.
printf '%s\n' "dir name=. $as_uid" "dir name=ro mode=0555 $as_uid pax.SCHILY.xattr.user.a=1" \
	"file name=ro/f data=1 mode=0444 $as_uid pax.SCHILY.xattr.user.b=2" "link name=ro/g link=ro/f" \
	"dir name=ro/sub mode=02511 $as_uid" "file name=ro/sub/s data=1 $as_uid" \
	"dir name=ro mode=0500 $as_uid pax.SCHILY.xattr.user.c=3" "file name=ro/late data=1 $as_uid" \
	"dir name=dark mode=0 $as_uid" "dir name=dark/in mode=0200 $as_uid" \
	"file name=dark/in/f data=1 $as_uid" "dir name=dark/in/sub $as_uid" end | mktar >ro.tar
need id user ovlctl import -n ro ro.tar
at=$OVLCTL_ROOT/$DRV/$id/$(is_overlay && echo root || echo diff)
is "what a user may not write to" "$(cd "$at" && stat -c '%a %n' ro ro/f ro/sub dark dark/in &&
	getfattr -dm user ro ro/f | sed -n '/^user/p')" \
	"500 ro
444 ro/f
2511 ro/sub
0 dark
200 dark/in
user.c=\"3\"
user.b=\"2\""
ok "... is what the tar holds" ovlctl check --content ro
ok "... rm" user ovlctl rm ro
is "... all of it" "$(find "$OVLCTL_ROOT" -name ro -o -name f)" ""
mkdir -p "$OVLCTL_ROOT/staging/X/dark/in/sub"
chmod 0400 "$OVLCTL_ROOT/staging/X/dark/in" "$OVLCTL_ROOT/staging/X/dark"
chown -R 100000:100000 "$OVLCTL_ROOT/staging/X"
ok "... prune, of what a killed process left" user ovlctl prune
no "... all of it" test -e "$OVLCTL_ROOT/staging/X"

# One who may read a store, but not lock it.
need - user ovlctl import -n mine mine.tar
mkdir -p "$OVLCTL_ROOT/staging/X/left"
chmod -R a+rX "$OVLCTL_ROOT"
need - test "$(stat -c %a "$OVLCTL_ROOT/lock")" = 644
chmod 600 "$OVLCTL_ROOT/lock"
like "a reader sees what is left" "staging X .*was killed" \
	"$(setpriv --reuid 100001 --regid 100001 --clear-groups ovlctl prune --dry-run 2>&1)"

done_testing
