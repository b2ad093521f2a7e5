#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# not in a user namespace: it makes one of its own
# overlay: when asked

# Each mount has a key, and those of an ordinary user count against his quota, which other
# programs need, too. The test uses a user id of its own.
chmod 755 "$T"
mkdir u
cp "$(command -v ovlctl)" u
printf 'file name=f data=1\nend\n' | mktar >u/b.tar
cat >u/run <<'E2'
cd "$1" || exit
PATH=$1:$PATH OVLCTL_ROOT=$1/s HOME=$1
quota() { # FIELD of the keys used, 1, or allowed, 2
	awk -F '[ /]+' '$2 == "0:" { print $(5 + '"$1"') }' /proc/key-users
}
ovlctl import -n b b.tar >b && ovlctl import -n c -p b b.tar >c && ovlctl mount b >m || exit
max=$(quota 2)
echo "$max" >max
[ "$max" -le 600 ] || exit 0
mkdir on
i=0
while [ $i -lt $((max / 2 + 10)) ]; do
	i=$((i + 1))
	mkdir on/$i && ovlctl mount b on/$i || exit
done >/dev/null
quota 1 >used
m=$(ovlctl mount c) || exit
(cd s/*/"$(cat c)" && ls -d .mount.[0-9]*) >note
sh -c 'cd "$1" && echo >"$2" && exec sleep 300' - "$m" "$1/up" &
until [ -s up ]; do
	sleep 0.02
done
ovlctl umount -l c
ovlctl rm c 2>refused
echo $? >status
kill $!
wait $! 2>/dev/null
ovlctl umount -a && ovlctl --wait 60 rm -r b
echo $? >end
E2
uid=$((65536 * (5 + $$ % 60000)))
chown -R $uid:$uid u
userns $uid 65536 sh u/run "$T/u" 2>err
is "a user mounts more than his quota of keys" "$(cat err)" ""
max=$(cat u/max)
[ "$max" -le 600 ] || {
	done_testing
	exit
}
ok "... half of it is left to other programs" [ "$(cat u/used)" -le $((max / 2)) ]
ok "... half is used" [ "$(cat u/used)" -ge $((max / 2 - 5)) ]
like "a mount without a key" '^.mount.[0-9]+:[0-9]+-.*-0$' "$(cat u/note)"
is "... detached and in use: rm refuses" "$(cat u/status)" 4
like "... and says by whom" "layer 'c' is mounted, detached and still in use by process" "$(cat u/refused)"
is "all are unmounted, and the layers removed" "$(cat u/end)" 0

done_testing
