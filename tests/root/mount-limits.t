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
w=$(ovlctl create -n w "$parent")
is "a writable layer on 128" "$(ovlctl ls -nr -o LOWERS w)" 128
m=$(ovlctl mount w)
is "it mounts where it says" "$m" "$OVLCTL_ROOT/overlay2/$w/merged"
is "the nearest layer is on top" "$(cat "$m/f")" 128
is "all 128 are there" "$(ls "$m" | wc -l)" 129
is "the deepest is read" "$(cat "$m/f1")" 1
echo new >"$m/f1"
is "and written to" "$(cat "$m/f1")" new
is "diff finds its way" "$(ovlctl diff w)" "C /f1"
ok "umount" ovlctl umount w
m=$(ovlctl mount "$parent")
is "128 layers mount read-only" "$(ls "$m" | wc -l)" 129
ok "umount" ovlctl umount "$parent"
fails 1 "a stack of 129 layers: a mount has at most 128" "the 129th is refused by import" \
	ovlctl import -p "$parent" l.tar
ovlctl create -n child "$parent" >/dev/null
is "the 128 lowers of a second writable layer" "$(ovlctl ls -nr -o LOWERS child)" 128
before=$(store_state)
ovlctl import -p "$parent" l.tar 2>/dev/null
is "the refusal changed nothing" "$(store_state)" "$before"

m=$(ovlctl mount -o volatile,xino=off,nosuid w)
ok "128 lowers and options" ovlctl umount w
fails 1 "the mount options are [0-9]+ bytes, the kernel takes 4095" "too many options" \
	ovlctl mount -o "$(printf 'xino=auto,%.0s' $(seq 60))volatile" w

done_testing
