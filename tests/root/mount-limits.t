#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# 128 lowers, under a root path that is long and has everything in it that mount options
# would choke on.
long=$(printf '%0200d' 0)
export OVLCTL_ROOT="$T/a,b:c\\d e/$long/$long/store"
is "the root path is long enough" "$([ ${#OVLCTL_ROOT} -ge 400 ] && echo yes)" yes

parent=
i=1
while [ $i -le 128 ]; do
	printf 'file name=f data=%d\nfile name=f%d data=%d\nend\n' $i $i $i | mktar >l.tar
	if [ -z "$parent" ]; then
		parent=$(ovlctl --sync=none import l.tar) || break
	else
		parent=$(ovlctl --sync=none import -p "$parent" l.tar) || break
	fi
	i=$((i + 1))
done
is "128 layers are imported" "$(ovlctl ls -nr -o DEPTH "$parent")" 127
need w ovlctl create -n w "$parent"
is "a writable layer on 128" "$(ovlctl ls -nr -o LOWERS w)" $(is_overlay && echo 1 || echo 128)
need m ovlctl mount w
is "it mounts where it says" "$m" "$OVLCTL_ROOT/$DRV/$w/merged"
is "the nearest layer is on top" "$(cat "$m/f")" 128
is "all 128 are there" "$(ls "$m" | wc -l)" 129
is "the deepest is read" "$(cat "$m/f1")" 1
echo new >"$m/f1"
is "and written to" "$(cat "$m/f1")" new
is "diff finds its way" "$(ovlctl diff w)" "C /f1"
ok "umount" ovlctl umount w
need m ovlctl mount "$parent"
is "128 layers mount read-only" "$(ls "$m" | wc -l)" 129
ok "umount" ovlctl umount "$parent"
if is_overlay; then
	ok "a 129th is no matter" ovlctl import -p "$parent" l.tar
else
	fails 1 "the stack would have 129 layers, but a mount can have at most 128" "the 129th is refused by import" \
		ovlctl import -p "$parent" l.tar
	need - ovlctl create -n child "$parent"
	is "the 128 lowers of a second writable layer" "$(ovlctl ls -nr -o LOWERS child)" 128
	before=$(store_state)
	ovlctl import -p "$parent" l.tar 2>/dev/null
	is "the refusal changed nothing" "$(store_state)" "$before"
fi

# An image of more, as the driver overlay makes them, goes there and nowhere else.
ovlctl export "$parent" 128.tar
b=$(ovlctl --root b --driver overlay import 128.tar)
is "an image of 128 layers in driver overlay" "$b" "$parent"
ok "memory for one layer, not for all" taskset -c 0 prlimit --data=$([ "$MODE" = release ] && echo 70000000 || echo -1) \
	ovlctl --root m --driver overlay2 import 128.tar
b=$(ovlctl --root b import -n deep -p "$b" l.tar)
ovlctl --root b export deep 129.tar
is "an image of 129 layers in driver overlay" "$(ovlctl --root c --driver overlay import 129.tar)" "$b"
before=$(store_state)
fails 1 "the image has 129 layers, but a mount can have at most 128" "and not in overlay2" \
	ovlctl --driver overlay2 import 129.tar
is "the refusal of an image changed nothing" "$(store_state)" "$before"

need m ovlctl mount -o volatile,xino=off,nosuid w
ok "128 lowers and options" ovlctl umount w
fails 1 "the mount options take [0-9]+ bytes, the kernel accepts 4095" "too many options" \
	ovlctl mount -o "$(printf 'xino=auto,%.0s' $(seq 400))volatile" w

# A root as long as a path can be. The shell cannot go there, so perl makes it.
umask 077
need root perl -e '$_ = $ARGV[0]; while (length() + 202 < 4050) { $_ .= "/" . "r" x 200; mkdir or die }
	$_ .= "/" . "s" x (4050 - length() - 1); mkdir or die; print' "$T"
is "a root of 4,050 bytes" ${#root} 4050
export OVLCTL_ROOT="$root"
need a ovlctl import -n a l.tar
need w ovlctl create -n w a
is "mounts and says where" "$(ovlctl mount w)" "$root/$DRV/$w/merged"
is "ls finds it" "$(ovlctl ls -nr -o MOUNTPOINT w)" "$root/$DRV/$w/merged"
fails 4 "layer 'w' is already mounted on" "not twice" ovlctl mount w
fails 4 "layer 'w' is mounted on" "not removed" ovlctl rm w
ok "umount" ovlctl umount w
is "a bottom image layer too" "$(ovlctl mount a)" "$root/$DRV/$a/merged"
ok "umount -a" ovlctl umount -a
is "... which takes the mount point away" "$(cd "$root/$DRV" && ls "$a" | tr '\n' ' ')" "$LS_BOTTOM "
mkdir mnt
is "on a target" "$(ovlctl mount w mnt)" "$T/mnt"
ok "umount of that" ovlctl umount mnt
is "the mount command" "$(sh -c "$(ovlctl show w | jq -r '.layers[0].mount_command')" >/dev/null && ovlctl ls -nr -o MOUNTPOINT w)" \
	"$root/$DRV/$w/merged"
ok "umount" ovlctl umount w
is "nothing is mounted" "$(grep -c "$T" /proc/self/mountinfo)" 0
ok "rm" ovlctl rm -r a

done_testing
