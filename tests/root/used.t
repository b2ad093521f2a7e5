#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# A layer that is used stays longer: prune counts from the last use.
printf 'file name=f data=1\nend\n' | mktar >a.tar
a=$(ovlctl import a.tar)
used=$OVLCTL_ROOT/$DRV/$a/.used

# Created two days ago, and used one day ago.
long_ago() {
	sed -i "s/^created .*/created $(date -d '2 days ago' +%s)/" "$OVLCTL_ROOT/$DRV/$a/.layer"
	[ ! -e "$used" ] || touch -d '1 day ago' "$used"
	goes "it is not used" "$a"
}
goes() {
	is "$1" "$(ovlctl prune --layers --unused-for "${3-1h}" --dry-run | cut -d' ' -f2)" "$2"
}
stays() {
	goes "$1: it stays" ""
	goes "... as long as is said" "$a" 0
}

no "it is made without a time of use" test -e "$used"
is "... which counts from its creation" "$(ovlctl ls -nr -o USED "$a")" "$(ovlctl ls -nr -o CREATED "$a")"
is "... in JSON" "$(ovlctl show "$a" | jq '.layers[0] | .used == .created')" true
long_ago
touch -d '2001-02-03 04:05:06 UTC' "$used"
sed -i "s/^created .*/created 900000000/" "$OVLCTL_ROOT/$DRV/$a/.layer"
is "ls shows when" "$(TZ=UTC0 ovlctl ls -nr -o used "$a")" 2001-02-03T04:05:06+00:00
is "... show" "$(ovlctl show "$a" | jq -r '.layers[0].used')" 2001-02-03T04:05:06Z
is "... ls -J" "$(ovlctl ls -J | jq -r '.layers[0].used')" 2001-02-03T04:05:06Z
is "... ls -J -o USED" "$(ovlctl ls -J -o USED | jq -c '.layers[0]')" '{"used":"2001-02-03T04:05:06Z"}'
printf 'file name=f data=2\nend\n' | mktar >b.tar
need b ovlctl import b.tar
is "... and sorts by it" "$(ovlctl ls -q --sort used)" "$(printf '%s\n' "$a" "$b")"
sed -i "s/^created .*/created 950000000/" "$OVLCTL_ROOT/$DRV/$b/.layer"
is "... in both directions" "$(ovlctl ls -q --sort used)" "$(printf '%s\n' "$b" "$a")"
need - ovlctl rm "$b"
rm "$used"
ovlctl import a.tar >/dev/null
stays "an import finds it"
is "the time is noted in an empty file" "$(stat -c '%s %a' "$used")" "0 600"

long_ago
image_of image.tar a.tar
ovlctl import image.tar >/dev/null
ovlctl tag -d image:1
stays "an import of an image finds it"

long_ago
w=$(ovlctl create "$a")
ovlctl rm "$w"
stays "a layer is made on it"

long_ago
m=$(ovlctl mount "$a")
ovlctl umount "$m"
stays "it is mounted"

long_ago
ovlctl run "$a" /none 2>/dev/null
is "the set-up: nothing to run" $? 127
stays "it is run"

long_ago
ovlctl export "$a" - >/dev/null
stays "it is exported"

ovlctl create -n w >/dev/null
printf 1 >"$(tree_of w)/f"
ovlctl diff -o w.tar w
ovlctl rm "$a"
a=$(ovlctl import w.tar)
used=$OVLCTL_ROOT/$DRV/$a/.used
long_ago
is "a commit makes the same" "$(ovlctl commit w)" "$a"
ovlctl ls -nr -o NAME "$a" >names
while read -r n; do [ ! "$n" ] || ovlctl tag -d "$n"; done <names
stays "a commit finds it"

# A clock that was ahead and was set back: the last use is unknown, so the layer stays until
# a use corrects the time.
long_ago
touch -d '2 days' "$used"
goes "used in the future: it stays" ""
goes "... also without a grace period" "" 0
need - ovlctl import w.tar
ok "... the next use puts that right" test "$(stat -c %Y "$used")" -le "$(date +%s)"
stays "... and counts"
# A clock that was behind: the time of creation counts.
touch -d @1 "$used"
sed -i "s/^created .*/created $(date +%s)/" "$OVLCTL_ROOT/$DRV/$a/.layer"
goes "used before it was made: it stays" ""

# If the use cannot be recorded, there is no message.
rm -f "$used"
mount --bind "$OVLCTL_ROOT" "$OVLCTL_ROOT" && mount -o remount,bind,ro "$OVLCTL_ROOT"
ovlctl export "$a" - 2>err >/dev/null
is "a store that cannot be written: no matter" "$? $(cat err)" "0 "
is "... and not noted" "$(ls -A "${used%/*}" | grep used)" ""
umount "$OVLCTL_ROOT"

done_testing
