#!/bin/sh
# not in a user namespace: makes its own
. "$(dirname "$0")/../lib.sh"

# run by an ordinary user: in a user namespace that it makes for him.
host=
for d in /bin /lib /lib64 /usr; do
	[ ! -d $d ] || host="$host --bind $d"
done
user() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
mkdir -m 755 u
chown 1000:1000 u
chmod 755 "$T"
cp "$(command -v ovlctl)" ovlctl
PATH=$T:$PATH
export OVLCTL_ROOT="$T/u/store" HOME="$T/u"
user unshare -Urm true 2>/dev/null || cannot "make a user namespace as an ordinary user"
for file in /etc/subuid /etc/subgid; do
	: >"none${file##*/}"
	[ ! -e $file ] || need - mount --bind "none${file##*/}" $file
done
printf 'dir name=d\nfile name=d/x data=1\nend\n' | mktar >a.tar
chmod 644 a.tar
need - user unshare -Ur ovlctl import -n a a.tar
mkdir mine
echo 1 >mine/f
chown -R 1000:1000 mine
run() { user ovlctl run $host "$@"; }

is "he is root inside" "$(run a sh -c 'id -u; id -g; cat /d/x; echo $PPID')" "$(printf '0\n0\n11')"
is "... and has /dev" "$(run a sh -c 'echo x >/dev/null && head -c 2 /dev/zero | wc -c')" 2
ok "what he changes is kept" run -n b a sh -c 'echo 1 >/new; rm -r /d; mkdir /d; echo >/d/y'
is "... exactly" "$(user unshare -Ur ovlctl diff b)" "$(printf 'C /d\nD /d/x\nA /d/y\nA /new')"
is "... and is his" "$(find "$OVLCTL_ROOT" -name new -printf '%U:%G\n')" 1000:1000
ok "in memory" run --tmpfs=1m -n c a sh -c 'echo 1 >/c'
is "... is kept" "$(user unshare -Ur ovlctl diff c)" 'A /c'
need w user unshare -Ur ovlctl create -n w a
ok "in a writable layer" run w sh -c 'echo 1 >/w'
is "... the changes stay" "$(user unshare -Ur ovlctl diff w)" 'A /w'
ok "a directory of his" run --bind "$T/mine:/mine:rw" a sh -c 'echo 2 >/mine/f'
is "... is written as his" "$(cat mine/f; stat -c %u mine/f)" "$(printf '2\n1000')"
like "he may be alone in it" "only the user.s own ids are mapped" "$(user ovlctl -v run $host a true 2>&1)"
is "nothing is left in staging/" "$(ls -A "$OVLCTL_ROOT/staging")" ''

if command -v newuidmap >/dev/null && [ -e /etc/subuid ] && [ -e /etc/subgid ] &&
	getent passwd 1000 >/dev/null; then
	name=$(getent passwd 1000 | cut -d: -f1)
	echo "$name:300000:1000" | tee nonesubuid >nonesubgid
	is "with subuids he has others" "$(run a sh -c 'echo >/o; chown 7:8 /o && stat -c %u:%g /o')" 7:8
fi
fails 125 "was made by root" "the store of root is not his" sh -c '
	OVLCTL_ROOT=$0/store ovlctl import -n a a.tar >/dev/null && chown -R 1000:1000 store &&
		OVLCTL_ROOT=$0/store setpriv --reuid 1000 --regid 1000 --clear-groups ovlctl run a true' "$T"

done_testing
