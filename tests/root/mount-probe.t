#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# Whether an upper is in use is answered correctly, or the command refuses.
printf 'file name=f data=1\nend\n' | mktar >a.tar
need - ovlctl import -n a a.tar
need w ovlctl create -n w a
mkdir m2
in_namespace pid ovlctl mount w

# With /proc read-only, as in a container.
if unshare -m --propagation private sh -c 'mount -o remount,bind,ro /proc' 2>/dev/null; then
	roproc() { unshare -m --propagation private sh -c 'mount -o remount,bind,ro /proc; exec "$@"' - "$@"; }
	fails 4 "layer 'w' is already mounted on .* process $pid" "mount, /proc read-only" roproc ovlctl mount w m2
	fails 4 "layer 'w' is mounted on .* process $pid" "rm, /proc read-only" roproc ovlctl rm w
	roproc=1
elif as_user; then
	roproc=
else
	cannot "remount /proc read-only"
fi
end $pid
# A process that examines all namespaces may hold the one that has ended for a moment.
if [ "$roproc" ]; then
	is "free, /proc read-only" "$(roproc ovlctl --wait 60 mount w)" "$OVLCTL_ROOT/$DRV/$w/merged"
fi
# A mount that has ended without ovlctl noticing.
need m ovlctl --wait 60 mount w
until_true umount "$m"

# An answer that means nothing.
if can_trace; then
	for e in ENOMEM ENOENT EACCES EBADF; do
		fails 1 "cannot find out whether layer .* is mounted: " "mount when the answer is $e" \
			traced -qq -o trace -e trace=mount -e inject=mount:error=$e:when=1 ovlctl mount w
		fails 1 "cannot find out whether layer .* is mounted: " "rm when the answer is $e" \
			traced -qq -o trace -e trace=mount -e inject=mount:error=$e:when=1 ovlctl rm w
	done
	fails 1 "cannot find out whether layer .* is mounted: " "mount when the directory cannot be entered" \
		traced -qq -o trace -e trace=fchdir -e inject=fchdir:error=EIO:when=1 ovlctl mount w
	fails 1 "cannot find out whether layer .* is mounted: " "... and rm" \
		traced -qq -o trace -e trace=fchdir -e inject=fchdir:error=EIO:when=1 ovlctl rm w
	fails 1 "not permitted: mounting needs root" "mount when it may not be asked" \
		traced -qq -o trace -e trace=mount -e inject=mount:error=EPERM ovlctl mount w
	is "nothing is mounted" "$(grep -c "$T" /proc/self/mountinfo)" 0
fi
ok "mount" ovlctl mount w
ovlctl umount w

# If umount has seen the mount end, nothing is asked, and the kernel logs nothing.
own="$OVLCTL_ROOT/$DRV/$w/work/work"
# Except if another mount on the machine has got the number at that moment.
at_rest() {
	[ ! -e "$own" ] || { ovlctl mount w && ovlctl umount w && [ ! -e "$own" ]; }
}
if can_trace && [ "$(uname -m)" = x86_64 ]; then
	soon "after umount the layer is as if never mounted" at_rest
	calls() { traced -qq -o trace -e trace=mount "$@" >/dev/null && grep -c '^[0-9]* *mount(' trace; }
	is_free() { n=$(calls ovlctl mount w); }
	is "mount asks nothing" "$(calls ovlctl mount w)" 1
	ok "... and makes its own again" [ -d "$own" ]
	in_namespace pid true
	need - ovlctl umount w
	ok "a copy of the mount in another namespace: the layer is not at rest" [ -d "$own" ]
	fails 4 "layer 'w' is mounted" "... and rm refuses" ovlctl rm w
	end $pid
	need m ovlctl --wait 60 mount w
	stay_in pid "$m"
	need - ovlctl umount -l w
	ok "detached and in use: the layer is not at rest" [ -d "$own" ]
	fails 4 "layer 'w' is mounted" "... and rm refuses" ovlctl rm w
	fails 4 "layer 'w' is already mounted" "... and so does mount" ovlctl mount w
	end $pid
	until_true is_free
	is "free, when asked" "$n" 2
	need - ovlctl umount w
fi
ok "rm of a layer whose tree is gone" sh -c 'rmdir "$OVLCTL_ROOT/$DRV/$1/$UPPER" && ovlctl rm w' - "$w"

done_testing
