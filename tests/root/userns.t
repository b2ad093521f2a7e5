#!/bin/sh
# not in a user namespace: makes its own
. "$(dirname "$0")/../lib.sh"

# overlay: as user too

# In a user namespace the marks of root's store are not to be seen: what they hide would
# come back. So nothing is done there that needs them.
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

# What a user namespace leaves out is no fault to those who could have it, whoever looks.
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

done_testing
