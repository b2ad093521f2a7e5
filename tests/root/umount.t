#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# One umount may take several mounts off, or need others to be off first.
printf 'dir name=d\nfile name=d/f data=1\nend\n' | mktar >a.tar
a=$(ovlctl import -n a a.tar)
w=$(ovlctl create -n w a)
v=$(ovlctl create -n v a)
none() { is "$1" "$(grep -c "$T.*overlay" /proc/self/mountinfo)" 0; }

# Propagation: the store is mounted twice, and each mount appears in both places.
mkdir sh
mount -t tmpfs none sh
mount --make-shared sh
mkdir sh/one sh/two
mount --bind sh/one sh/two
(
	OVLCTL_ROOT=$T/sh/one/store
	export OVLCTL_ROOT
	ovlctl import -n a a.tar >/dev/null
	ovlctl create -n w a >/dev/null
	for x in w a; do
		ovlctl mount $x >/dev/null
		is "$x: two mounts" "$(grep -c "$T/sh.*overlay" /proc/self/mountinfo)" 2
		ok "$x: umount LAYER" ovlctl umount $x
		none "$x: both are gone"
	done
	ovlctl mount -o volatile w >/dev/null
	ok "umount TARGET, of the two" ovlctl umount "$(grep "$T/sh.*overlay" /proc/self/mountinfo | head -1 | cut -d' ' -f5)"
	none "both are gone"
	is "... and the volatile mark" "$(find sh/one -name volatile)" ""
	ovlctl mount w >/dev/null
	ovlctl mount a >/dev/null
	ok "umount -a" ovlctl umount -a
	none "all are gone"
	# Of several, all are tried.
ovlctl create -n several >/dev/null
ovlctl create -n second >/dev/null
ovlctl mount second >/dev/null
fails 1 "'several' is not mounted" "the first of two is not mounted" ovlctl umount several second
is "... the second came off" "$(ovlctl ls -nr -o MOUNTPOINT second)" ""

done_testing >sub
	echo $_n $_bad >counts
)
read -r _n _bad <counts
umount sh/two sh

# Nested: one mount moved to a place in another, which must come off later.
mkdir mw mv
ovlctl mount -o volatile w mw >/dev/null
ovlctl mount v mv >/dev/null
mkdir mv/in
mount --move mw mv/in 2>/dev/null
ok "umount -a of nested mounts, the inner one older" ovlctl umount -a
none "all are gone"
is "... and the volatile mark" "$(find "$OVLCTL_ROOT/$DRV/$w/work" -name volatile)" ""
ovlctl mount v mv >/dev/null
ovlctl mount -o volatile w mv/in >/dev/null
ok "umount -l of the outer takes the inner" ovlctl umount -l v
none "both are gone"
ovlctl mount --force w mw >/dev/null
ovlctl mount v mv >/dev/null
mount --move mw mv/in 2>/dev/null
ok "umount -al of nested mounts" ovlctl umount -a -l
none "all are gone"

# What stays is told.
ovlctl mount w mw >/dev/null
ovlctl mount v mv >/dev/null
(cd mw && exec sleep 30) &
pid=$!
sleep 0.2
fails 4 "'$T/mw' is in use" "one of two in use" ovlctl umount -a
is "... the other is gone" "$(grep "$T.*overlay" /proc/self/mountinfo | cut -d' ' -f5)" "$T/mw"
kill $pid
wait $pid 2>/dev/null
ok "and now that too" ovlctl umount -a

ovlctl rm w v
# The mount point of a bottom image layer goes with its mount, but not under the feet of
# a mount in another namespace.
ovlctl mount a >/dev/null
unshare -m --propagation private sh -c 'echo up; exec sleep 60' >up &
pid=$!
while [ ! -s up ]; do sleep 0.05; done
ok "umount, with the same mount in another namespace" ovlctl umount a
is "... which stays" "$(cat "/proc/$pid/root$OVLCTL_ROOT/$DRV/$a/merged/d/f")" 1
is "... with its mount point" "$(ls "$OVLCTL_ROOT/$DRV/$a")" "$(printf '%s\n' merged $LS_BOTTOM | LC_ALL=C sort)"
fails 4 "layer 'a' is mounted on .* in the mount namespace of process $pid" "... and keeps it from removal" ovlctl rm a
kill $pid
wait $pid 2>/dev/null
sleep 0.1
ovlctl mount a >/dev/null
ok "umount when that is gone" ovlctl umount a
is "... takes the mount point away" "$(ls "$OVLCTL_ROOT/$DRV/$a")" "$(printf '%s\n' $LS_BOTTOM)"
mkdir mnt "$OVLCTL_ROOT/$DRV/$a/merged"
ovlctl mount a mnt >/dev/null
ok "umount of a mount elsewhere" ovlctl umount mnt
ok "... leaves merged alone" test -d "$OVLCTL_ROOT/$DRV/$a/merged"
rmdir "$OVLCTL_ROOT/$DRV/$a/merged"

done_testing
