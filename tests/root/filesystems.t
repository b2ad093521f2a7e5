#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# not in a user namespace: mounts disks

# Properties of a file system are not part of a layer: a tree has the same id everywhere, and
# a tree that a tar has made can be removed on each of them.
losetup -f >/dev/null 2>&1 || cannot "no loop devices"

disk() { # NAME SIZE MKFS...
	name=$1
	mkdir "$name"
	truncate -s "$2" "$name.img"
	shift 2
	command -v "$1" >/dev/null || cannot "no $1"
	"$@" "$name.img" >/dev/null 2>&1 && mount -o loop "$name.img" "$name" || cannot "$1"
}
disk ext4 60M mkfs.ext4 -q -b 4096
disk ext4-1k 60M mkfs.ext4 -q -b 1024
disk xfs 300M mkfs.xfs -q
disk btrfs 120M mkfs.btrfs -q
mkdir tmpfs
mount -t tmpfs -o size=100M tmpfs tmpfs
all="ext4 ext4-1k xfs btrfs tmpfs"

printf 'dir name=. mtime=1\ndir name=d mtime=1\nfile name=d/f data=1\nend\n' | mktar >base.tar
# Makes the files of a layer in $1.
fill() (
	cd "$1" || exit 1
	mkdir acls
	setfacl -m u:9:rw,g:8:r d/f
	setfacl -m u:9:rwx acls
	setfacl -d -m u:7:rwx,g:6:x acls
	echo in >acls/inherits
	truncate -s 100000 holes
	printf x | dd of=holes bs=1 seek=1030 conv=notrunc status=none
	printf y | dd of=holes bs=1 seek=70000 conv=notrunc status=none
	seq 20000 >punched
	fallocate -p -o 6144 -l 8192 punched
	fallocate -p -o 20480 -l 4096 punched
	fallocate -p -o 41984 -l 1024 punched
	fallocate -l 65536 reserved
	printf z | dd of=reserved bs=1 seek=9000 conv=notrunc status=none
	: >small
	truncate -s 5 small
	setfattr -n user.x -v 1 small
	ln small small2
	find . -exec touch -h -d @1000000000.25 {} +
)
for fs in $all; do
	OVLCTL_ROOT=$T/$fs/s
	mkdir "$OVLCTL_ROOT"
	# New files in such a directory inherit it.
	[ $fs != btrfs ] || setfattr -n btrfs.compression -v zstd "$OVLCTL_ROOT"
	ovlctl import -n base base.tar >/dev/null || exit 1
	ovlctl create -n w base >/dev/null || exit 1
	m=$(ovlctl mount w) || exit 1
	ok "$fs: filled" fill "$m"
	ovlctl umount w
	ovlctl diff -o "$fs.tar" w
	same "... gives the tar that the others give" "$fs.tar" ext4.tar
	cp "$fs.tar" first.tar
	ovlctl diff -o again.tar w
	same "... when asked again, too" again.tar first.tar
	ovlctl commit w >"$fs.id"
	same "... and the same id" "$fs.id" ext4.id
	is "... whose content is sound" "$(ovlctl check --content)" ""
done

# An ACL in the form of XFS: one that is invalid cannot be removed.
cat >junk <<'X'
dir name=d mode=775 uid=1000 gid=1000 pax.SCHILY.xattr.trusted.SGI_ACL_FILE=junk pax.SCHILY.xattr.user.kept=1
file name=d/f uid=1000 pax.SCHILY.xattr.btrfs.compression=zstd pax.SCHILY.xattr.com.apple.provenance=x data=1
symlink name=l link=d pax.SCHILY.xattr.user.x=1
fifo name=p pax.SCHILY.xattr.user.x=1
end
X
mktar <junk >junk.tar
for fs in $all; do
	OVLCTL_ROOT=$T/$fs/s
	id=$(ovlctl import -n junk junk.tar 2>err)
	is "$fs: xattrs that are no layer's: left out" "$(cat err)" \
		"ovlctl: import: warning: 5 xattrs left out: not part of a layer, or not allowed on that type of file or in a user namespace"
	is "... but for those that are" "$(getfattr --absolute-names -m - -d "$(tree_of junk)/d" 2>&1 | grep -v btrfs | grep '=')" 'user.kept="1"'
	ovlctl diff -o got.tar junk
	same "... and the tar comes back" got.tar junk.tar
	is "... nothing is wrong with it" "$(ovlctl check --content junk)" ""
	ok "... and it is removed" ovlctl rm junk
	is "... all of it" "$(ls "$OVLCTL_ROOT/trash" "$OVLCTL_ROOT/staging")" "$(printf '%s:\n\n%s:' "$OVLCTL_ROOT/staging" "$OVLCTL_ROOT/trash")"
done
# More xattrs than a tar may have.
OVLCTL_ROOT=$T/xfs/s
need - ovlctl create -n x
: >"$(tree_of x)/f"
for i in $(seq 17); do
	need - setfattr -n user.x$i -v "$(head -c 65000 /dev/zero | tr '\0' x)" "$(tree_of x)/f"
done
fails 1 "'f' has more than 4096 xattrs, or over 1 MiB of them: import would refuse" "xattrs over 1 MiB: commit" ovlctl commit x
need - setfattr -x user.x1 "$(tree_of x)/f"
ok "... with one less" ovlctl commit x
is "... the layer is sound" "$(ovlctl check --content x)" ""

# The map of a sparse file counts too, but only what it takes.
OVLCTL_ROOT=$T/tmpfs/s
need - ovlctl create -n x
truncate -s 1M "$(tree_of x)/f"
printf x | dd of="$(tree_of x)/f" conv=notrunc status=none
for i in 1 2 3; do
	need - setfattr -n user.x$i -v "$(head -c 60000 /dev/zero | tr '\0' x)" "$(tree_of x)/f"
done
ok "xattrs of a file with a hole: diff" ovlctl diff -o f.tar x
ok "... commit" ovlctl commit x
is "... the layer is sound" "$(ovlctl check --content x)" ""
ok "... import" ovlctl import -n again f.tar

# Project ids: a quota for a layer within one for the store, and one for layers alone.
if command -v xfs_io >/dev/null; then
	project() { # ID FILE...
		id=$1
		shift
		find "$@" \( -type d -o -type f \) -exec xfs_io -r -c "chproj $id" -c "chattr +P" {} \; >/dev/null 2>&1
	}
	printf 'file name=d/g data=1\nend\n' | mktar >more.tar
	OVLCTL_ROOT=$T/xfs/quota
	need - ovlctl import -n base base.tar
	project 7 "$OVLCTL_ROOT"
	for i in 1 2 3; do
		need id ovlctl create -n w$i base
		need m ovlctl mount w$i
		echo $i >"$m/new"
		mkdir "$m/dir"
		need - ovlctl umount w$i
		project 9 "$OVLCTL_ROOT/$DRV/$id"
	done
	ok "a project for a layer: commit" ovlctl commit w1
	ok "... commit --keep" ovlctl commit --keep -n kept w2
	ok "... rm" ovlctl rm w3
	ok "... rm of what was committed" ovlctl rm w1
	is "... check" "$(ovlctl check --content)" ""
	OVLCTL_ROOT=$T/xfs/quota2
	need - ovlctl import -n base base.tar
	xfs_io -r -c "chproj 5" -c "chattr +P" "$OVLCTL_ROOT/$DRV"
	ok "a project for all layers: import" ovlctl import -n j -p base more.tar
	ok "... create" ovlctl create -n w j
	ok "... commit" ovlctl commit w
	ok "... rm" ovlctl rm w
	ok "... rm of one that was there before" ovlctl rm -r base
fi

# A leftover that can be neither read nor removed.
OVLCTL_ROOT=$T/xfs/s
left=$OVLCTL_ROOT/staging/$(printf '%064d' 1)
mkdir -p "$left/d" "$OVLCTL_ROOT/staging/$(printf '%064d' 2)/d"
: >"$left/d/f"
chown 1000:1000 "$left/d"
chmod 775 "$left/d"
setfattr -n trusted.SGI_ACL_FILE -v junk "$left/d"
no "a directory that nobody can read" ls "$left/d"
ovlctl check >out 2>err
is "check: is not stopped by it" "$? $(cat err)" "0 "
is "... finds it as it finds others" "$(grep -c 'staging.*removes it' out)" 2
ovlctl prune >out 2>err
is "prune: says where" "$? $(cat err)" "1 ovlctl: prune: cannot remove '$left/d': Structure needs cleaning"
is "... and takes the other" "$(ls "$OVLCTL_ROOT/staging")" "$(basename "$left")"
setfattr -x trusted.SGI_ACL_FILE "$left/d"
ok "... that one, too, when it can be read" ovlctl prune

done_testing
