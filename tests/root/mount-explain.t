#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# A mount that fails reports which condition failed; the test creates each of them.
printf 'file name=f data=1\nend\n' | mktar >a.tar
setup() { # a store at $1 with a writable layer w
	export OVLCTL_ROOT="$1"
	ovlctl import -n a a.tar >/dev/null && w=$(ovlctl create -n w a) &&
		dir=$OVLCTL_ROOT/$DRV/$w
}
restore() { mv "$1.away" "$1"; }

setup "$T/store"
fails 1 "mount point 'nowhere' does not exist; --mkdir makes it" "no such mount point" ovlctl mount w nowhere
fails 1 "mount point 'a.tar': Not a directory" "a file as a mount point" ovlctl mount w a.tar
below=$(lower_of a)
if ! is_overlay; then
	mv store/$DRV/$below link.away
	fails 1 "lower layer '$below': No such file or directory; see 'ovlctl check'" "a lower's link is missing" ovlctl mount w
	mv link.away store/$DRV/$below
fi
need id ovlctl ls -nr -o ID a
mv store/$DRV/$id/$TREE tree.away
fails 1 "(lower layer '$below'|cannot open the tree .*): No such file or directory; see 'ovlctl check'" "... diff" ovlctl diff w
fails 1 "lower layer '$below': No such file or directory" "a lower's tree is missing" ovlctl mount w
mv tree.away store/$DRV/$id/$TREE
mv "$dir/$UPPER" tree.away
fails 1 "cannot open the tree of layer .*: No such file or directory; see 'ovlctl check'" "the upper is missing" ovlctl mount w
mv tree.away "$dir/$UPPER"
mv "$dir/work" work.away
fails 1 "cannot open the work directory of layer .*: No such file or directory; see 'ovlctl check'" "the work directory is missing" ovlctl mount w
# The kernel would follow it, and empty the directory work/ there.
mkdir -p other/work
echo precious >other/work/f
ln -s "$T/other" "$dir/work"
fails 1 "cannot open the work directory of layer .*: Not a directory; see 'ovlctl check'" "... or a symlink" ovlctl mount w
fails 1 "cannot open the work directory of layer" "... with --force too" ovlctl mount --force w
fails 125 "cannot open the work directory of layer" "... run" ovlctl run w true
is "... nothing is changed where it leads" "$(find other | sort | tr '\n' ' ')" "other other/work other/work/f "
rm "$dir/work"
mv work.away "$dir/work"
mv "$dir/$LOWER" lower.away
fails 1 "cannot read '$LOWER' of layer .*; see 'ovlctl check'" "the file of lowers is missing" ovlctl mount w
printf '%s:' "$(cat lower.away)" >"$dir/$LOWER"
fails 1 "'$LOWER' of layer .* is damaged; see 'ovlctl check'" "the file of lowers is damaged" ovlctl mount w
printf '/etc' >"$dir/$LOWER"
fails 1 "'$LOWER' of layer .* is damaged" "the file of lowers is something else" ovlctl mount w
rm "$dir/$LOWER"
mv lower.away "$dir/$LOWER"
fails 1 "the kernel does not accept option 'redirect_dir=maybe'" "a bad value of an option" \
	ovlctl mount -o redirect_dir=maybe w

# Not permitted: a user namespace, but the mount namespace of another one.
if as_user; then
	fails 1 "not permitted: mounting needs root" "not permitted" \
		setpriv --bounding-set -all --inh-caps -all ovlctl mount w
else
	fails 1 "not permitted: store .* needs? root" "not permitted" \
		setpriv --bounding-set -sys_admin ovlctl mount w
	chmod 755 "$T"
fi
fails 1 "not permitted: the upper and work directories need CAP_DAC_OVERRIDE" "... without one capability" \
	setpriv --bounding-set -dac_override --inh-caps -all ovlctl mount w
ok "sound again" ovlctl mount w
ovlctl umount w

# The work directory on another file system.
mount -t tmpfs none "$dir/work" || cannot "mount a tmpfs"
fails 1 "'$UPPER' and 'work' of the layer are on different file systems" "work elsewhere" ovlctl mount w
umount "$dir/work"
if ! as_user; then
	mkdir away
	mount --bind away "$dir/work"
	fails 1 "'$UPPER' and 'work' of the layer are on different file systems" "work on another mount" \
		ovlctl mount w
	umount "$dir/work"
fi

# What is mounted on the tree of an image layer is not the layer's. The overlay driver would
# store it in the layers built on it.
mkdir foreign
mount --bind foreign store/$DRV/$id/$TREE
covered="something is mounted on '$OVLCTL_ROOT/$DRV/$id/$TREE'; unmount it first"
fails 4 "$covered" "a lower's tree is covered" ovlctl mount w
fails 4 "$covered" "... import on it" ovlctl import -p a a.tar
fails 4 "$covered" "... diff" ovlctl diff a
fails 4 "$covered" "... export" ovlctl export a -
umount store/$DRV/$id/$TREE
ok "... and free again" ovlctl diff a

# The store on a read-only file system.
mkdir ro
mount -t tmpfs none ro
if setup "$T/ro/store" 2>/dev/null; then
	if ! mount -o remount,ro ro 2>/dev/null; then
		as_user || cannot "remount read-only"
	else
	fails 1 "the store's file system is read-only" "a read-only file system" ovlctl mount w
	ok "an image layer can be mounted from it" ovlctl mount a "$T/store"
	ovlctl umount a
	fails 1 "Read-only file system" "create on it" ovlctl create a
	fi
fi
umount ro

# The store on an overlay mount.
mkdir lo up wo me
mount -t overlay -o "lowerdir=lo,upperdir=up,workdir=wo$(as_user && echo ,userxattr)" none me
setup "$T/me/store"
fails 1 "the store lies on an overlay mount" "an upper on overlay" ovlctl mount w
printf 'file name=.wh.f\nend\n' | mktar >wh.tar
is_overlay || fails 1 "cannot make the whiteout '.wh.f': the store lies on an overlay mount" \
	"... import of a whiteout" ovlctl import -p a wh.tar
umount me

if ! as_user; then
	# ramfs has no xattrs.
	mkdir ram
	mount -t ramfs none ram
	setup "$T/ram/store"
	fails 1 "has no extended attributes" "an upper without xattrs" ovlctl mount w
	umount ram

	# ext4 without filetype does not report d_type.
	if command -v mke2fs >/dev/null; then
		truncate -s 20M img
		mke2fs -q -t ext4 -O ^filetype img
		mkdir ext
		if mount -o loop img ext 2>/dev/null; then
			setup "$T/ext/store"
			fails 1 "does not report file types \(d_type\)" "an upper without d_type" \
				ovlctl mount w
			umount ext
		else
			cannot "mount a loop image"
		fi
	fi

	# A file system on which the kernel accepts no upper.
	if command -v fuse-overlayfs >/dev/null && [ -w /dev/fuse ]; then
		mkdir fuse fuse.up fuse.work
		need - fuse-overlayfs -o "lowerdir=$T/fuse.up,upperdir=$T/fuse.up,workdir=$T/fuse.work" fuse
		setup "$T/fuse/store"
		fails 1 "lies on a FUSE file system, which cannot hold an upper" "an upper on FUSE" \
			ovlctl mount w
		umount fuse
	fi

	# The store was copied after a mount with an index.
	setup "$T/store3"
	need - ovlctl mount -o index=on w
	need - ovlctl umount w
	cp -a store3 store4
	OVLCTL_ROOT=$T/store4
	fails 1 "was the store copied\?\), which 'index=on' does not allow" \
		"an index in a copy" ovlctl mount -o index=on w
	ok "... and without it" ovlctl mount w
	need - ovlctl umount w

	# The limit of mounts in a namespace. It is the same for the whole machine, so make many
	# mounts here, such that a lower limit hurts nobody else.
	setup "$T/store2"
	mkdir many
	mount -t tmpfs none many
	i=0
	while [ $i -lt 300 ]; do
		mkdir many/$i
		mount --bind many/$i many/$i
		i=$((i + 1))
	done
	# Another run of this test must not take the lower limit for the usual one.
	exec 9</proc/sys/fs/mount-max
	need - flock 9
	need max cat /proc/sys/fs/mount-max
	if wc -l </proc/self/mountinfo >/proc/sys/fs/mount-max 2>/dev/null; then
		fails 1 "the limit of mounts \(fs.mount-max\) is reached" "the limit of mounts" \
			ovlctl mount w
		echo "$max" >/proc/sys/fs/mount-max
	fi
	exec 9<&-
	umount -R many
fi
is "nothing of it is mounted" "$(grep -c "$T" /proc/self/mountinfo)" 0

# Without /proc nothing works, and every command says so. Nor does AddressSanitizer work.
if ! as_user && [ "$MODE" != asan ]; then
	for c in "ls" "mount w" "import -" "rm w" "check" "prune"; do
		fails "$([ "$c" = check ] && echo 8 || echo 1)" "/proc is needed, but is not mounted or" "no /proc: $c" \
			unshare -m --propagation private sh -c 'umount -l /proc && exec ovlctl '"$c"
	done
	fails 1 "/proc is needed, but .* belongs to another pid namespace" "that of other processes" \
		unshare -m --propagation private sh -c \
		'unshare -p --fork mount -t proc none /proc && exec ovlctl ls'
fi

done_testing
