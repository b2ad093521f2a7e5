#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# An upper is never mounted twice, and never removed while it is.
printf 'file name=f data=1\nend\n' | mktar >a.tar
need a ovlctl import -n a a.tar
need w ovlctl create -n w a
mkdir mnt
need m ovlctl mount w
fails 4 "layer 'w' is already mounted on '$m'" "mounted in this namespace" ovlctl mount w
fails 4 "layer 'w' is already mounted on '$m'" "... on another target" ovlctl mount w mnt
fails 4 "layer 'w' is already mounted on '$m'" "... read-only" ovlctl mount -r w mnt
fails 4 "layer 'w' is mounted on '$m'; unmount it first" "... rm refuses" ovlctl rm w
fails 4 "layer 'w' is mounted on '$m'" "... rm -f too" ovlctl rm -f w
fails 4 "has layers on top of it: 'w'" "its parent" ovlctl rm a
ovlctl umount w

# In another mount namespace.
in_namespace pid ovlctl mount w
is "not to be seen from here" "$(ovlctl ls -nr -o MOUNTPOINT w)" ""
fails 4 "layer 'w' is already mounted on '$m' in the mount namespace of process $pid" \
	"mounted in another namespace" ovlctl mount w
fails 4 "layer 'w' is mounted on '$m' in the mount namespace of process $pid" \
	"... rm refuses" ovlctl rm w
end $pid
# The namespace ends a moment after its last process.
until_true ovlctl mount w
is "mounted when that is gone" "$(ovlctl ls -nr -o MOUNTPOINT w)" "$m"

# Detached, but in use.
stay_in pid "$m"
ok "detach" ovlctl umount -l w
is "nothing is mounted any more" "$(grep -c "$T" /proc/self/mountinfo)" 0
fails 4 "layer 'w' is already mounted, .*detached and still in use" "detached and in use" \
	ovlctl mount w
fails 4 "layer 'w' is mounted, .*detached and still in use" "... rm refuses" ovlctl rm w
end $pid
until_true ovlctl mount w
is "mounted when the last file is closed" "$(ovlctl ls -nr -o MOUNTPOINT w)" "$m"
ovlctl umount w

# An image layer, mounted read-only elsewhere.
need b ovlctl import -n b -p a a.tar
in_namespace pid ovlctl mount b
fails 4 "layer 'b' is mounted on .* in the mount namespace of process $pid" \
	"rm of an image layer mounted in another namespace" ovlctl rm b
end $pid
soon "rm when that is gone" ovlctl rm b

# Many mounts at the same time: one wins.
for i in 1 2 3 4 5 6 7 8; do
	mkdir t$i
	(ovlctl mount w t$i >o$i 2>&1; echo $? >s$i) &
done
wait
is "one of eight mounts wins" "$(cat s? | sort | tr '\n' ' ')" "0 4 4 4 4 4 4 4 "
ovlctl umount w

# Locks: reading a layer or building on it keeps it.
noise 2000000 >noise
tar -cf noise.tar noise
mkfifo pipe
ovlctl import -p a pipe >imported 2>&1 &
pid=$!
exec 9>pipe
head -c 1000000 noise.tar >&9
until_true locked "$OVLCTL_ROOT/$DRV/$a"
fails 4 "layer '.*' is (in use by another process|mounted)" "rm while a layer is built on it" ovlctl rm -r a
tail -c +1000001 noise.tar >&9
exec 9>&-
wait $pid
like "the import goes through" '^[0-9a-f]{64}$' "$(cat imported)"

done_testing
