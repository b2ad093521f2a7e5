#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# umount removes the marker of a volatile mount, after a sync; a mount that finds it is
# refused, because data may have been lost.
printf 'file name=f data=1\nend\n' | mktar >a.tar
need - ovlctl import -n a a.tar
need w ovlctl create -n w a
mark=$OVLCTL_ROOT/$DRV/$w/work/work/incompat/volatile
need m ovlctl mount -o volatile w
ok "the kernel has left its mark" test -d "$mark"
echo new >"$m/new"
if can_trace; then
	ok "umount" traced -o trace -e trace=syncfs,umount2 ovlctl umount w
	is "... synced it" "$(grep -c '^[0-9]* *syncfs(.*= 0' trace)" 1
else
	ok "umount" ovlctl umount w
fi
no "the mark is gone" test -e "$mark"
ok "mounted again" ovlctl mount w
ovlctl umount w

need - ovlctl mount -o volatile w
umount "$m"
fails 1 "layer 'w' was last mounted volatile, and what was written was not synced .*--force" \
	"unmounted by something else" ovlctl mount w
ok "--force takes it" ovlctl mount --force w
is "what was written is there" "$(cat "$m/new")" new
ovlctl umount w
ok "and now without" ovlctl mount w
ovlctl umount w

# Detached but in use: the marker stays as long as the mount exists.
need - ovlctl mount -o volatile w
stay_in pid "$m"
ok "detach" ovlctl umount -l w
ok "the mark stays" test -d "$mark"
end $pid
fails 1 "what was written was not synced when that mount ended.*--force" "... and when it has ended" \
	ovlctl --wait 60 mount w
ok "--force takes it" ovlctl mount --force w
ovlctl umount w

# A mount during a umount: the old mount exists, has ended, or is ending. No marker
# is left, and none is removed from a mount.
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	need m ovlctl mount -o volatile w
	echo $i >"$m/f"
	(ovlctl umount w 2>/dev/null; echo umount $?) &
	(ovlctl mount -o volatile w >/dev/null 2>why || grep -v "taken\|in use\|already mounted\|not synced" why) &
	wait
	is_marked=$(test -d "$mark" && echo yes)
	[ "$(ovlctl ls -nr -o MOUNTPOINT w)" ] && [ ! "$is_marked" ] && echo "a mount without its mark"
	ovlctl umount -a
	ovlctl mount w >/dev/null && ovlctl umount w
done 2>&1 | sort -u >got
is "umount and mount at the same time" "$(grep -v 'umount [04]$' got)" ""

done_testing
