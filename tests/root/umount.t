#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# A umount may remove several mounts, or need others to be removed first.
printf 'dir name=d\nfile name=d/f data=1\nend\n' | mktar >a.tar
need a ovlctl import -n a a.tar
need w ovlctl create -n w a
need v ovlctl create -n v a
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
	need - ovlctl import -n a a.tar
	need - ovlctl create -n w a
	for x in w a; do
		need - ovlctl mount $x
		is "$x: two mounts" "$(grep -c "$T/sh.*overlay" /proc/self/mountinfo)" 2
		ok "$x: umount LAYER" ovlctl umount $x
		none "$x: both are gone"
	done
	need - ovlctl mount -o volatile w
	ok "umount TARGET, of the two" ovlctl umount "$(grep "$T/sh.*overlay" /proc/self/mountinfo | head -1 | cut -d' ' -f5)"
	none "both are gone"
	is "... and the volatile mark" "$(find sh/one -name volatile)" ""
	need - ovlctl mount w
	need - ovlctl mount a
	ok "umount -a" ovlctl umount -a
	none "all are gone"
	# All of several operands are tried.
need - ovlctl create -n several
need - ovlctl create -n second
need - ovlctl mount second
fails 1 "'several' is not mounted" "the first of two is not mounted" ovlctl umount several second
is "... the second came off" "$(ovlctl ls -nr -o MOUNTPOINT second)" ""
need - ovlctl mount second
is "all failures are reported, with the status of the first" "$(ovlctl umount several second nowhere sevearl secnod several 2>&1; echo $?)" \
	"ovlctl: umount: layer 'several' is not mounted in this mount namespace
ovlctl: umount: no such layer 'nowhere'
ovlctl: umount: no such layer 'sevearl'; did you mean 'several'?
ovlctl: umount: no such layer 'secnod'; did you mean 'second'?
ovlctl: umount: layer 'several' is not mounted in this mount namespace
1"
is "... the other came off" "$(ovlctl ls -nr -o MOUNTPOINT second)" ""

done_testing >sub
	echo $_n $_bad >counts
)
read -r _n _bad <counts
umount sh/two sh

# Nested: a mount that was moved into another, which must be unmounted after it.
mkdir mw mv
need - ovlctl mount -o volatile w mw
need - ovlctl mount v mv
mkdir mv/in
mount --move mw mv/in 2>/dev/null
ok "umount -a of nested mounts, the inner one older" ovlctl umount -a
none "all are gone"
is "... and the volatile mark" "$(find "$OVLCTL_ROOT/$DRV/$w/work" -name volatile)" ""
need - ovlctl mount v mv
need - ovlctl mount -o volatile w mv/in
ok "umount -l of the outer takes the inner" ovlctl umount -l v
none "both are gone"
need - ovlctl mount --force w mw
need - ovlctl mount v mv
mount --move mw mv/in 2>/dev/null
ok "umount -al of nested mounts" ovlctl umount -a -l
none "all are gone"

# umount -R takes whatever is mounted in it: also a mount that is older than the one it was
# moved into, one that is unmounted together with another, and one on top of the layer's.
need m ovlctl mount w
mkdir moved "$m/in" "$m/x" "$m/y"
need - mount -t tmpfs none moved
need - mount -t tmpfs none "$m/in"
mkdir "$m/in/moved"
mount --move moved "$m/in/moved" 2>/dev/null
need - mountpoint -q "$m/in/moved"
need - mount -t tmpfs --make-shared none "$m/x"
need - mount --bind "$m/x" "$m/y"
mkdir "$m/x/in"
need - mount -t tmpfs none "$m/x/in"
ok "... which is seen twice" mountpoint -q "$m/y/in"
stay_in pid "$m/in/moved"
fails 4 "'$m/in/moved' is in use by process $pid " "umount -R with one that is busy" ovlctl umount -R w
end $pid
need - mount -t tmpfs none "$m"
ok "umount -R of all of them" ovlctl umount -R w
is "... which are gone" "$(grep -c " $m" /proc/self/mountinfo)" 0

# A new user namespace may not unmount what came with its copy of the mounts.
need m ovlctl mount w
fails 1 "cannot unmount '$m': it came from another user namespace" "umount in a user namespace" \
	unshare -rm ovlctl umount w
need - ovlctl umount w

# While a umount waits, somebody else unmounts the layer, and its mount may get the number of
# the one that was there.
waiting() { # LAYER DIRECTORY: the mount was busy, and umount has not tried again yet
	need - ovlctl mount "$1" "$2"
	stay_in pid "$2"
	: >waits
	timeout 30 ovlctl -v --wait 60 umount -R "$1" 2>waits &
	waits=$!
	until_true grep -q waiting waits
	need umount pgrep -P $waits
	kill -STOP "$umount"
	end "$pid"
}
waiting w mw
until_true umount mw
kill -CONT "$umount"
ok "umount of a mount that is gone when it need not wait any longer" wait $waits
waiting w mw
until_true umount mw
need - ovlctl mount v mw
need - mount -t tmpfs none mw
kill -CONT "$umount"
ok "... with another layer mounted there" wait $waits
is "... which stays, with what is in it" "$(grep -c " $T/mw " /proc/self/mountinfo)" 2
need - umount mw
need - ovlctl umount v
mkdir one two
need - ovlctl mount a one
waiting a two
need - umount one
need - ovlctl mount v one
kill -CONT "$umount"
ok "... with another layer in the place of another mount of it" wait $waits
is "... which stays" "$(ovlctl ls -nr -o MOUNTPOINT v)" "$T/one"
need - ovlctl umount v

# Another process mounts the same layer elsewhere, and its mount gets the number of the one
# that has just been unmounted, before umount has looked which are left.
if can_trace; then
	need - ovlctl mount w mw
	need - ovlctl mount a one
	traced -qq -o calls -P /proc/self/mountinfo -e trace=openat \
		-e inject=openat:signal=STOP:when=2 ovlctl umount one 2>said &
	strace=$!
	until_true has_stopped calls
	need - ovlctl mount a two
	need - umount mw
	go_on calls
	ok "umount, while the same layer is mounted elsewhere" wait $strace
	ok "... another layer, unmounted by somebody else, is left alone" \
		found "$OVLCTL_ROOT/$DRV/$w/.mount.[0-9]*"
	need - ovlctl umount -a
fi

# Mounts that stay are reported.
need - ovlctl mount w mw
need - ovlctl mount v mv
stay_in pid mw
fails 4 "'$T/mw' is in use" "one of two in use" ovlctl umount -a
is "... the other is gone" "$(grep "$T.*overlay" /proc/self/mountinfo | cut -d' ' -f5)" "$T/mw"
end $pid
ok "and now that too" ovlctl umount -a

# To find out whether a layer is mounted elsewhere, umount tries a mount. A mount that begins
# at the same time would fail.
need m ovlctl mount w
need - umount "$m"
exec 8<"$OVLCTL_ROOT/$DRV/$w/$UPPER"
need - flock -x 8
fails 1 "layer 'w' is in use by another process" "umount while another process may be mounting it" \
	ovlctl --nowait umount w
if can_trace; then
	traced -qq -o calls -e trace=mount ovlctl --nowait umount w 2>/dev/null
	is "... tries no mount" "$(grep -c overlay calls)" 0
fi
exec 8<&-
fails 1 "layer 'w' is not mounted in this mount namespace$" "... and when it has ended" ovlctl umount w

ovlctl rm w v
# The mount point of a bottom image layer is removed after its mount, but not while there is
# a mount in another namespace.
need - ovlctl mount a
in_namespace pid true
ok "umount, with the same mount in another namespace" ovlctl umount a
is "... which stays" "$(cat "/proc/$pid/root$OVLCTL_ROOT/$DRV/$a/merged/d/f")" 1
is "... with its mount point" "$(ls "$OVLCTL_ROOT/$DRV/$a")" "$(printf '%s\n' merged $LS_BOTTOM | LC_ALL=C sort)"
fails 4 "layer 'a' is mounted on .* in the mount namespace of process $pid" "... and keeps it from removal" ovlctl rm a
fails 1 "layer 'a' is not mounted in this mount namespace, but on '$OVLCTL_ROOT/$DRV/$a/merged' in the mount namespace of process $pid$" \
	"another umount says where it is" ovlctl umount a
end $pid
# Its mount ends a moment after the process.
takes_away() {
	ovlctl mount a && ovlctl umount a && [ ! -e "$OVLCTL_ROOT/$DRV/$a/merged" ]
}
soon "umount when that is gone takes the mount point away" takes_away
is "... and leaves nothing else" "$(ls "$OVLCTL_ROOT/$DRV/$a")" "$(printf '%s\n' $LS_BOTTOM)"
need m ovlctl mount a
stay_in pid "$m"
need - ovlctl umount -l a
fails 1 "layer 'a' is not mounted in this mount namespace, but detached and still in use by process $pid \(sleep\)$" \
	"umount of one that is detached says by whom it is used" ovlctl umount a
end $pid
soon "... until it is not" takes_away
# umount does not wait for readers of the layer, which do not keep the mount point; nor for a
# process that has locked it exclusively.
locked() { # KIND, while FD 8 is open
	exec 8<"$OVLCTL_ROOT/$DRV/$a"
	flock "$1" 8
}
need m ovlctl mount a
locked -s
ok "umount of a bottom image layer that is being read" timeout 100 ovlctl --wait 60 umount a
is "... takes the mount point away" "$(ls "$OVLCTL_ROOT/$DRV/$a")" "$(printf '%s\n' $LS_BOTTOM)"
need m ovlctl mount a
ok "umount -a beside a reader" ovlctl umount -a
exec 8<&-
need m ovlctl mount a
locked -x
ok "umount of one that is locked" timeout 100 ovlctl umount a
exec 8<&-
need m ovlctl mount a
ok "... the next umount" ovlctl umount a
is "... takes its mount point away" "$(ls "$OVLCTL_ROOT/$DRV/$a")" "$(printf '%s\n' $LS_BOTTOM)"
if can_trace; then
	# Other tests that run have no layers with these ids in their namespaces.
	store=$OVLCTL_ROOT OVLCTL_ROOT=$T/two
	printf 'file name=e data=%s\nend\n' $$ | mktar >e.tar
	printf 'file name=c data=%s\nend\n' $$ | mktar >c.tar
	need e ovlctl import -n e e.tar
	need c ovlctl import -n c c.tar
	need - ovlctl mount e
	need - ovlctl mount c
	ok "umount -a of two bottom image layers" traced -qq -o calls -e trace=openat ovlctl umount -a
	is "... looks once into other namespaces" "$(grep -c '"/proc/self/ns/mnt"' calls)" 1
	is "... and leaves nothing" "$(ls "$OVLCTL_ROOT/$DRV/$e")" "$(printf '%s\n' $LS_BOTTOM)"
	# A namespace that has both ends after the first is cleared, and its mounts with it.
	ends_between() {
		need - ovlctl mount e
		need - ovlctl mount c
		unshare -Urm sleep 300 &
		pid=$!
		until_true grep -qx sleep /proc/$pid/comm
		: >calls
		traced -qq -o calls -P "$OVLCTL_ROOT/$DRV/$c" -e trace=flock \
			-e inject=flock:signal=STOP:when=1 ovlctl umount -a &
		strace=$!
		until_true has_stopped calls
		end $pid
		go_on calls
		wait $strace && ! found "$OVLCTL_ROOT/$DRV/$c/.mount.[0-9]*" &&
			[ ! -e "$OVLCTL_ROOT/$DRV/$c/merged" ]
	}
	soon "... keeps no other namespace from one to the next" ends_between
	OVLCTL_ROOT=$store
fi
mkdir mnt "$OVLCTL_ROOT/$DRV/$a/merged"
need - ovlctl mount a mnt
ok "umount of a mount elsewhere" ovlctl umount mnt
ok "... leaves merged alone" test -d "$OVLCTL_ROOT/$DRV/$a/merged"
rmdir "$OVLCTL_ROOT/$DRV/$a/merged"

done_testing
