#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# A mount is recognised by what it mounts, whoever made it and wherever the store was then.
# No other test has layers with these ids, because a mount made by hand names no store.
printf 'file name=identity data=1\nend\n' | mktar >a.tar
need a ovlctl import -n a a.tar
printf 'file name=second data=2\nend\n' | mktar >b.tar
need b ovlctl import -n b -p a b.tar
need w ovlctl create -n w b
mkdir ma mb mw
ux=
as_user && ux=,userxattr
moved() { # DIR
	is "ls shows the mounts $1" "$(ovlctl ls -nr -o MOUNTPOINT a b w | tr '\n' ' ')" "$T/ma $T/mb $T/mw "
	fails 4 "layer 'w' is mounted on '$T/mw'" "rm of the writable layer $1" ovlctl rm w
	fails 4 "layer 'w' is already mounted on '$T/mw'" "mount of it $1" ovlctl mount w
	fails 4 "layer '[wab]' is mounted on" "rm -r of the image layers $1" ovlctl rm -r a
	is "umount of one $1" "$(ovlctl umount b; ovlctl ls -nr -o MOUNTPOINT b)" ""
	ok "umount -a $1" ovlctl umount -a
	is "all is unmounted $1" "$(grep -c "$T/m" /proc/self/mountinfo)" 0
}
all() {
	ovlctl mount a ma
	ovlctl mount b mb
	ovlctl mount w mw
} >/dev/null

# The store is moved while its layers are mounted.
all
mv store st2
export OVLCTL_ROOT="$T/st2"
moved "after the store has moved"
need - ovlctl create -n w2 b
ovlctl rm w2

# A copy has the same ids and links; the mounts are the original's.
all
cp -a st2 copy
is "ls of a copy shows none" "$(OVLCTL_ROOT=$T/copy ovlctl ls -nr -o MOUNTPOINT a b w | tr -d '\n')" ""
ok "umount -a of a copy" env OVLCTL_ROOT="$T/copy" ovlctl umount -a
is "... touches no mount of the original" "$(grep -c "$T/m" /proc/self/mountinfo)" 3
ok "rm in a copy" env OVLCTL_ROOT="$T/copy" ovlctl rm -r a
moved "of the original"

# By hand.
hand() { # SOURCE PREFIX UP
	below=$(lower_of a)
	top=$(lower_of b)
	(
		cd "$OVLCTL_ROOT/$DRV" || exit 1
		mount -t overlay -o "ro,lowerdir=$2$below:$2../empty$ux" "$1" "$T/ma" &&
			mount -t overlay -o "ro,lowerdir=$2$top:$2$below$ux" "$1" "$T/mb" &&
			mount -t overlay -o "lowerdir=$2$top:$2$below,upperdir=$2$w/$UPPER,workdir=$2$w/work$ux" \
				"$1" "$T/mw"
	) || report 1 "mounts by hand"
}
hand overlay ""
moved "mounted by hand, relative"
hand none "$OVLCTL_ROOT/$DRV/"
moved "mounted by hand, absolute"
hand ovlctl:/nowhere/$DRV/$a ""
moved "mounted by hand, a source that is nowhere"
hand x "$OVLCTL_ROOT/$DRV/"
is "absolute names tell a copy" "$(cp -a st2 copy2 && OVLCTL_ROOT=$T/copy2 ovlctl ls -nr -o MOUNTPOINT a b w | tr -d '\n')" ""
ovlctl umount -a

# With the commands that show prints.
for l in a b w; do
	ok "the mount command of $l" sh -c "$(ovlctl show "$l" | jq -r '.layers[0].mount_command')"
done
is "... has our source" "$(grep -c "overlay ovlctl:$T/st2/$DRV/[0-9a-f]* " /proc/self/mountinfo)" 3
is "ls shows those" "$(ovlctl ls -nr -o MOUNTPOINT a b w | tr '\n' ' ')" \
	"$T/st2/$DRV/$a/merged $T/st2/$DRV/$b/merged $T/st2/$DRV/$w/merged "
fails 4 "is mounted on" "rm" ovlctl rm -r a
ok "umount -a" ovlctl umount -a
is "... leaves a bottom image layer as it was" "$(ls "st2/$DRV/$a" | tr '\n' ' ')" "$LS_BOTTOM "

# Another store at the path of this one, with the same image layers.
need - ovlctl --root "$T/other" import -n a a.tar
need - ovlctl --root "$T/other" import -n b -p a b.tar
need - ovlctl mount b mb
in_namespace pid mount --bind "$T/other" "$OVLCTL_ROOT"
need - ovlctl umount b
fails 4 "layer 'b' is mounted" "rm of an image layer mounted where another store covers ours" ovlctl rm -r b
end $pid
soon "... and no longer" ovlctl rm -r b
need b ovlctl import -n b -p a b.tar
need w ovlctl create -n w b
all
need - ovlctl umount w
mv st2 st3
mv other st2
export OVLCTL_ROOT="$T/st3"
for l in a b; do
	fails 4 "layer '[ab]' is mounted" "rm of $l, another store is where ours was" ovlctl rm -r $l
done
is_overlay ||
	is "ls shows the mounts" "$(ovlctl ls -nr -o MOUNTPOINT a b | tr '\n' ' ')" "$T/ma $T/mb "
mv st2 other
cp -a st3 st2
for l in a b; do
	fails 4 "layer '[ab]' is mounted" "rm of $l, a copy is where our store was" ovlctl rm -r $l
done
rm -rf st2
mv st3 st2
export OVLCTL_ROOT="$T/st2"
ovlctl umount -a

# Not of this store: the same layout, other layers.
other=$(printf '%064d' 7)
mkdir -p p "d/$other/$UPPER" "d/$other/work"
need - mount -t overlay -o "lowerdir=p,upperdir=d/$other/$UPPER,workdir=d/$other/work$ux" overlay mw
ok "umount -a with another's mount" ovlctl umount -a
is "... leaves it" "$(grep -c "$T/mw" /proc/self/mountinfo)" 1
fails 1 "is not a mount of this store" "umount of it" ovlctl umount "$T/mw"
umount mw

done_testing
