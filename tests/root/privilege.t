#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# Privileges: other users cannot reach anything in a store, whatever the umask; files that
# other users prepare do not redirect root; variables that a set-id program must ignore are
# ignored.
S=$OVLCTL_ROOT
exe=$(command -v ovlctl)
chmod 755 "$T"
printf '%s\n' 'dir name=d mode=777' 'file name=d/w mode=4777 data=1' 'dir name=imp/lied mode=2777' \
	'file name=new/f data=x' 'file name=d/w mode=666 data=2' end | mktar >a.tar
printf '%s\n' 'file name=d/.wh.w' 'file name=e/f data=2' end | mktar >b.tar
user() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }

# ---- the umask -----------------------------------------------------------------------
# Runs every command that writes, in a store that is made with this umask.
everything() {
	ovlctl import -n a a.tar
	ovlctl import -n b -p a b.tar
	need w ovlctl create -n w b
	need m ovlctl mount w
	echo 1 >"$m/file"
	mkdir "$m/dir"
	ovlctl umount w
	ovlctl diff -o out/diff.tar w
	ovlctl commit -n c w
	ovlctl create -n v c
	ovlctl tag c other/name
	ovlctl export c out/dir
	ovlctl export --format docker c out/docker.tar
	ovlctl rm v
	ovlctl create c
	ovlctl import -n image/1 out/docker.tar
	ovlctl tag -d image/1
	ovlctl check --content
	ovlctl prune
}
for mask in 000 077 022 777; do
	rm -rf "$S" out
	mkdir out
	(umask $mask; everything) >log 2>&1 || { report 1 "everything with umask $mask"; diag log; }
	(cd "$S" && find . \( -path ./$DRV/\*/$TREE -o -path ./$DRV/\*/$UPPER -o -path ./$DRV/\*/.kept/\* \) -prune -o ! -type l -printf '%P %y %m\n' | sed -E 's/[0-9a-f]{64}/ID/g' | sort) >modes.$mask
	# Files in a writable layer are made in the mount, with the umask of its user.
	(cd "$S/$DRV" && find ./*/$UPPER ! -name file ! -name dir -printf '%f %y %m\n' | sort) >trees.$mask
	(cd out && find . -mindepth 1 -printf '%y %m\n' | sort -u) >out.$mask
	same "umask $mask: modes in the store" modes.$mask modes.000
	same "umask $mask: modes in layers" trees.$mask trees.000
done
is "nothing but what is in layers is for others" "$(grep -v ' [df] [0-7]00$' modes.000)" ""
is "... nor can they get in" "$(stat -c %a "$S" "$S/$DRV" "$S/names" "$S/staging" "$S/trash" | sort -u)" 700
is "files that are written are as others write them: 000" "$(cat out.000)" "$(printf 'd 777\nf 666')"
is "... 022" "$(cat out.022)" "$(printf 'd 755\nf 644')"
is "... 077" "$(cat out.077)" "$(printf 'd 700\nf 600')"
no "another user does not get in" user ls "$S/$DRV"
rm -rf "$S"
(umask 000; OVLCTL_ROOT=$T/not/there/yet ovlctl create) >/dev/null
is "directories on the way to a store are not for others to write" \
	"$(stat -c %a not not/there not/there/yet)" "$(printf '755\n755\n700')"

# ---- what others prepare -------------------------------------------------------------
need - ovlctl import -n a a.tar
mkdir sticky
chmod 1777 sticky
echo precious >precious
user ln -s "$T/precious" sticky/out.tar
user ln -s "$T/made" sticky/new.tar
fails 1 "cannot write 'sticky/out.tar': Permission denied" "diff along another's symlink in a directory like /tmp" \
	ovlctl diff -o sticky/out.tar a
fails 1 "cannot write 'sticky/new.tar': Permission denied" "... to what is not there" \
	ovlctl export a sticky/new.tar
user ln -s "$T" sticky/dir
fails 1 "cannot write 'sticky/dir': Permission denied" "export of a directory" ovlctl export a sticky/dir
is "... nothing is there" "$(cat precious; ls made 2>&1 | grep -c 'No such')" "$(printf 'precious\n1')"
ln -s "$T/mine" sticky/mine.tar
ok "one's own symlink" ovlctl export a sticky/mine.tar
ok "... is followed" test -s mine -a -L sticky/mine.tar
user sh -c 'umask 0; echo old >sticky/old.tar; mkfifo sticky/pipe.tar; mkdir sticky/empty'
exec 5<>sticky/pipe.tar
fails 1 "cannot write 'sticky/old.tar': Permission denied" "diff to another's file there" \
	ovlctl diff -o sticky/old.tar a
fails 1 "cannot write 'sticky/pipe.tar': Permission denied" "... to another's fifo" \
	ovlctl diff -o sticky/pipe.tar a
fails 1 "cannot write 'sticky/empty': Permission denied" "... to another's directory" \
	ovlctl export a sticky/empty
exec 5>&-
is "... which stay" "$(cat sticky/old.tar; ls sticky/empty)" old
mkfifo sticky/fifo
timeout 60 cat sticky/fifo >got &
ok "a fifo is written to" timeout 60 ovlctl diff -o sticky/fifo a
wait $!
same "... all of it" got a.tar

# In a user namespace all users that it does not map have the same id.
mkdir -m 777 nested
other() { setpriv --reuid 2000 --regid 2000 --clear-groups unshare -rm env OVLCTL_ROOT="$T/nested/s" "$@"; }
need - other ovlctl import -n a a.tar
user ln -s "$T/nested/x.tar" sticky/nested.tar
fails 1 "cannot write 'sticky/nested.tar': Permission denied" "another's symlink in a user namespace" \
	other ovlctl diff -o sticky/nested.tar a
if can_trace; then
	mkdir tmp
	chmod 1777 tmp
	TMPDIR=$T/tmp traced -qq -o calls -e trace=openat,openat2,mkdirat,mknodat,linkat,renameat2,symlinkat,unlinkat \
		sh -c 'ovlctl import -n t b.tar && ovlctl export --compress gzip t x.tar && ovlctl export t x &&
			ovlctl diff -o y.tar t && ovlctl check --content && ovlctl rm t' >/dev/null 2>&1
	is "no name in a directory that others may write to" "$(grep -E '"(/tmp|/var/tmp|/dev/shm)' calls | grep -vF "\"$T")" ""
	is "... but the directory that is made is closed until it is done" \
		"$(grep -c 'mkdirat([0-9]*, "\.x\.[0-9a-f]*", 0700)' calls)" 1
fi
mkdir theirs
chmod 770 theirs
chown 1000:1000 theirs
ok "export takes an empty directory's place" ovlctl export a theirs
is "... its owner and mode" "$(stat -c '%u:%g %a' theirs)" "1000:1000 770"

# ---- the environment -----------------------------------------------------------------
printf '#!/bin/sh\numask >%s\nid -u >>%s\n' "$T/man.ran" "$T/man.ran" >./man
chmod 755 man
: >man.ran
chmod 666 man.ran
(umask 027; PATH=$T:$PATH ovlctl help import)
is "help runs man, with the umask of who runs it" "$(head -1 man.ran)" 0027
if ! as_user; then
	# A program with more privileges than its user ignores his variables. It should not
	# be installed like that, and the variables permit no more than the options.
	cp "$exe" setid
	chmod 4755 setid
	mkdir evil
	chmod 777 evil
	: >man.ran
	PATH=$T:$PATH user ./setid help import >help.out
	like "set-uid: help does not run what PATH says" "usage: ovlctl import" "$(cat help.out)"
	is "... it did not" "$(cat man.ran)" ""
	cp "$exe" capable
	setcap cap_dac_override+ep capable
	PATH=$T:$PATH user ./capable help import >help.out
	like "with file capabilities: nor then" "usage: ovlctl import" "$(cat help.out; cat man.ran)"
	is "... it did not" "$(cat man.ran)" ""
	own() { user env HOME="$T/evil" "$@"; }
	need - ovlctl import -n a a.tar
	is "set-uid: OVLCTL_ROOT" "$(own OVLCTL_ROOT="$T/evil/1" ./setid show nothing >/dev/null 2>&1; ls evil)" ""
	is "set-uid: XDG_DATA_HOME" "$(own XDG_DATA_HOME="$T/evil/2" ./setid ls 2>/dev/null; ls evil)" ""
	is "set-uid: OVLCTL_DRIVER" "$(own OVLCTL_DRIVER=nonsense ./setid --root "$S" ls -nr -o NAME)" a
	is "set-uid: SOURCE_DATE_EPOCH" \
		"$(own SOURCE_DATE_EPOCH=nonsense ./setid --root "$S" diff --tar a | sha256sum)" \
		"$(sha256sum <a.tar)"
	is "set-uid: LD_PRELOAD and such" "$(own LD_PRELOAD="$T/none.so" LD_LIBRARY_PATH="$T/evil" \
		LD_AUDIT="$T/none.so" LOCPATH="$T/evil" OPENSSL_CONF="$T/a.tar" OPENSSL_MODULES="$T/evil" \
		OPENSSL_ENGINES="$T/evil" GCONV_PATH="$T/evil" LIBSMARTCOLS_DEBUG=all LIBMOUNT_FSTAB="$T/a.tar" \
		TZ="$T/a.tar" MALLOC_TRACE="$T/evil/m" ./setid --root "$S" ls -nr -o NAME 2>&1; ls evil)" a
	own OVLCTL_ROOT="$S" TMPDIR="$T/evil" ./setid --root "$S" export a - >x.tar
	is "set-uid: TMPDIR" "$(ls evil)" ""
fi

done_testing
