#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# on a disk

# The next mount gets the device number of one that has ended. If all stores are on
# one file system, nothing else distinguishes two overlays.
printf 'dir name=d\nfile name=d/f data=1\nend\n' | mktar >a.tar
printf 'file name=g data=2\nend\n' | mktar >b.tar
other="$T/other"
mkdir on on/1 on/2 on/3 on/4 on/5 on/6
need - ovlctl import -n b b.tar
need - ovlctl --root "$other" import -n x a.tar

# Ends a mount of the layer without ovlctl and has a layer of another store take its
# number, where nobody sees it: a process works in it, and it is detached. The numbers of
# other mounts on the machine come and go: six mounts are tried at a time.
taken() { # LAYER
	for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		need m ovlctl mount "$1"
		was=$(stat -c %d "$m")
		umount "$m"
		for i in 1 2 3 4 5 6; do
			need - ovlctl --root "$other" mount x "$T/on/$i"
			[ "$(stat -c %d "on/$i")" != "$was" ] || stay_in holder "$T/on/$i"
			[ "$(stat -c %d "on/$i")" != "$was" ] || break
		done
		[ "$(stat -c %d "on/$i")" != "$was" ]
		missed=$?
		need - ovlctl --root "$other" umount -la
		[ $missed = 0 ] || return 0
	done
	stop "no mount got the number of one that ended"
}

need c ovlctl import -n c -p b a.tar
taken c
ok "an image layer, its number taken by one of another store: rm" ovlctl rm c
fails 4 "layer 'x' is mounted, detached and still in use by process $holder" \
	"... which is in use" ovlctl --root "$other" rm x
end "$holder"
need w ovlctl create -n w b
taken w
ok "a writable layer: rm" ovlctl rm w
end "$holder"
need c ovlctl import -n c -p b a.tar
taken c
ok "an image layer, ustat(2) is refused: rm" noustat ovlctl rm c
end "$holder"

# With a /proc that shows processes only, the boot id is not known.
if ! as_user; then
	need c ovlctl import -n c -p b a.tar
	echo 'mount -t proc -o subset=pid proc /proc && ovlctl mount c on/1 && cd on/1 &&
		ovlctl umount -l c && echo up >"$1" && exec sleep 300' >subset
	unshare -m --propagation private sh subset "$T/up" >out &
	holder=$!
	until_true written up
	fails 4 "layer 'c' is mounted, detached and still in use by process $holder" "mounted with subset=pid: rm" ovlctl rm c
	end $holder
	soon "... and free when that has ended" ovlctl rm c
	rm up
fi

# In a container the boot id may be another one, which hides that of the kernel. Not every
# process there may look under it.
echo 11111111-2222-4333-8444-555555555555 >id
echo 'mount --bind id /proc/sys/kernel/random/boot_id && exec "$@"' >hide
echo 'ovlctl mount c on/1 && cd on/1 && ovlctl umount -l c && echo up >"$1" && exec sleep 300' >detach
hidden() { unshare -m --propagation private sh hide "$@"; }
need c ovlctl import -n c -p b a.tar
unshare -m --propagation private sh hide sh detach "$T/up" >out &
holder=$!
until_true written up
fails 4 "layer 'c' is mounted, detached and still in use by process $holder" \
	"mounted where the boot id is hidden under another one" ovlctl rm c
fails 4 "layer 'c' is mounted," "... rm by a process that may not look under that" \
	hidden setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin ovlctl rm c
end $holder
soon "... and free when that has ended" ovlctl rm c
store=$OVLCTL_ROOT OVLCTL_ROOT=$T/users
need - unshare -Urm ovlctl import -n c a.tar
rm up
unshare -m --propagation private sh hide unshare -Urm sh detach "$T/up" >out &
holder=$!
until_true written up
fails 4 "layer 'c' is mounted," "mounted by a process that may not: rm by one that may" \
	hidden ovlctl rm c
fails 4 "layer 'c' is mounted," "... and where the id is not hidden" ovlctl rm c
end $holder
soon "... and free when that has ended" \
	hidden setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin ovlctl rm c
OVLCTL_ROOT=$store

# Another mount gets the number before umount has asked whether it is in use.
if can_trace && [ "$(uname -m)" = x86_64 ]; then
	is_settled() { # LAYER ID
		need m ovlctl mount "$1"
		was=$(stat -c %d "$m")
		: >calls
		traced -qq -o calls -e trace=umount2,ustat -e inject=umount2:signal=STOP:when=1 \
			ovlctl umount "$1" &
		umount=$!
		until_true has_stopped calls
		! grep ustat calls >>left
		for i in 1 2 3 4 5 6; do
			need - ovlctl --root "$other" mount x "$T/on/$i"
			[ "$(stat -c %d "on/$i")" != "$was" ] || was=taken
		done
		go_on calls
		wait $umount
		need - ovlctl --root "$other" umount -a
		found "$OVLCTL_ROOT/$DRV/$2/.mount.[0-9]*" && echo a note is left >>left
		[ ! -e "$OVLCTL_ROOT/$DRV/$2/work/work" ] || echo not at rest >>left
		[ $was = taken ]
	}
	need c ovlctl import -n c -p b a.tar
	need w ovlctl create -n w b
	: >left
	soon "umount, the number taken at once: a writable layer" is_settled w "$w"
	soon "... an image layer" is_settled c "$c"
	is "... nothing is left of the mount" "$(cat left)" ""
	need - ovlctl rm c w
fi

# Without keys the kernel is asked about the number, with and without ustat(2).
need c ovlctl import -n c -p b a.tar
need m noustat -k ovlctl mount c
is "a mount without a key" "$(ls -A "$OVLCTL_ROOT/$DRV/$c" | sed -n 's/^.mount.[0-9].*-//p')" 0
stay_in holder "$m"
need - ovlctl umount -l c
fails 4 "layer 'c' is mounted, detached and still in use by process $holder" "... is in use" ovlctl rm c
fails 4 "layer 'c' is mounted, detached and still in use by process $holder" \
	"... also by the order of numbers" noustat -k ovlctl rm c
end "$holder"
ok "... and no longer" ovlctl --wait 60 rm c

# Taken by another store's mount of the same layer, in a namespace that shows no other.
# With the driver overlay, nothing tells such mounts from those of this store.
need - ovlctl --root "$other" import -n b b.tar
need - ovlctl --root "$other" import -n c -p b a.tar
is_elsewhere() {
	# The number of an attempt that failed may have gone to a mount that cannot be seen.
	rm -f "$OVLCTL_ROOT/$DRV/$c"/.mount.*
	need m noustat -k ovlctl mount c
	was=$(stat -c %d "$m")
	umount "$m"
	pids=
	for i in 1 2 3 4 5 6; do
		in_namespace pid ovlctl --root "$other" mount c "$T/on/$i"
		pids="$pids $pid"
		[ "$(stat -c %d "/proc/$pid/root$T/on/$i")" != "$was" ] || break
	done
	[ "$(stat -c %d "/proc/$pid/root$T/on/$i")" = "$was" ]
	missed=$?
	[ $missed = 0 ] && ovlctl rm c 2>rm.err >/dev/null
	removed=$?
	for pid in $pids; do
		end "$pid"
	done
	return $missed
}
need c ovlctl import -n c -p b a.tar
if [ "$DRV" = overlay2 ]; then
	soon "a mount of the same layer in another store has the number" is_elsewhere
	is "... rm" "$removed $(cat rm.err)" "0 "
fi

# The same at random: many at the same time, each with its own store.
cycle() { # STORE
	OVLCTL_ROOT=$T/$1
	export OVLCTL_ROOT
	ovlctl import -n b b.tar >out.$1 || return
	for i in $(seq $(short && echo 6 || echo 20)); do
		ovlctl import -n c -p b a.tar && ovlctl create -n w b && ovlctl mount c &&
			ovlctl mount w && ovlctl umount c && ovlctl rm c && ovlctl umount w &&
			ovlctl rm w || return
	done >>out.$1
}
for s in s1 s2 s3 s4 s5 s6; do
	(cycle $s 2>err.$s || echo "$s: $i" >>err.$s) &
done
wait
is "six stores side by side: nothing is in use that is not" "$(cat err.*)" ""

done_testing
