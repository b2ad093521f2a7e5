#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# Everything in a tree survives a diff and an import.
make_tree src
link_specials src
tar --format=pax --xattrs --xattrs-include='*' --acls --numeric-owner -S -C src -cf base.tar .
need - ovlctl import -n base base.tar

need w ovlctl create -n w
need m ovlctl mount w
make_tree "$m" 2>/dev/null
link_specials "$m"
as_user || setfattr -x trusted.overlay.overlay.x "$m/d" 2>/dev/null
walk "$m" >want
ok "every file type, mounted" ovlctl diff -o mounted.tar w
ovlctl umount w
ok "... and not mounted" ovlctl diff -o w.tar w
same "the same bytes" mounted.tar w.tar
need i ovlctl import -n i w.tar
need m ovlctl mount i
walk "$m" >got
same "the same tree" got want
is "its diff, again: the same bytes" "$(ovlctl diff --tar i | sha256sum)" "$(sha256sum <w.tar)"
is "its diff id is what the tar's digest is" "$(ovlctl ls -nr -o DIFFID i)" \
	"sha256:$(sha256sum <w.tar | cut -d' ' -f1)"
ovlctl umount i

# On top of a base with the same files: everything is copied up.
need x ovlctl create -n x base
need m ovlctl mount x
find "$m" -depth -exec chown -h 0:0 {} + 2>/dev/null
rm -r "$m/deep"
mkdir "$m/deep"
touch -d '2009-09-09' "$m/deep" "$m/empty"
walk -o "$m" >want
ok "everything copied up" ovlctl diff -o x.tar x
ovlctl umount x
m=$(ovlctl mount "$(ovlctl import -n xi -p base x.tar)")
walk -o "$m" >got
# Hard links that copy-up has split stay split.
sed -i 's/ same=[^ ]*//' want got
same "... gives the same tree" got want
ovlctl umount -a

# Read by other programs.
if ! as_user; then
	ok "tar --compare agrees" sh -c "cd '$(tree_of i)' && tar --compare --xattrs --acls -f '$T/w.tar' 2>&1 |
		grep -v 'hdrcharset\|Mod time differs' | grep . >&2; [ \$? = 1 ]"
fi
like "ACLs as SCHILY.xattr" 'SCHILY.xattr.system.posix_acl_access=' "$(strings w.tar)"
is "... and as nothing else" "$(strings w.tar | grep -c 'SCHILY.acl\|LIBARCHIVE')" 0
is "nothing of overlayfs's own" "$(strings x.tar | grep -c 'overlay.origin\|overlay.impure\|overlay.uuid')" 0

# Compression.
for z in gz:gzip zst:zstd xz:xz bz2:bzip2 lz4:lz4; do
	ovlctl diff -o w.tar.${z%:*} w
	is "by suffix: ${z%:*}" "$(${z#*:} -dc <w.tar.${z%:*} | sha256sum)" "$(sha256sum <w.tar)"
	ovlctl diff --compress "${z#*:}" -o again w
	same "--compress ${z#*:}, reproducibly" again w.tar.${z%:*}
	is "imports" "$(ovlctl import again)" "$(ovlctl ls -nr -o ID i)"
done
ovlctl diff -o w.tar.gz --compress none w
same "--compress none wins over the suffix" w.tar.gz w.tar
is "-o -" "$(ovlctl diff -o - w | sha256sum)" "$(sha256sum <w.tar)"
is "--tar" "$(ovlctl diff --tar w | sha256sum)" "$(sha256sum <w.tar)"
is "--tar --compress" "$(ovlctl diff --tar --compress zstd w | zstd -dc | sha256sum)" "$(sha256sum <w.tar)"
fails 2 "unknown compression 'rar'; the compressions are none, gzip" "--compress rar" ovlctl diff --compress rar -o z w
fails 2 "--compress needs" "--compress of a list" ovlctl diff --compress gzip w
fails 2 "BASE cannot be used" "a tar against a base" ovlctl diff -o z w base
fails 2 "cannot be used together" "--tar -o FILE" ovlctl diff --tar -o z w
fails 2 "-J and -z cannot be used" "-J -o FILE" ovlctl diff -J -o z w
if command -v script >/dev/null; then
	is "not to a terminal" "$(script -qec 'ovlctl diff --tar w' /dev/null </dev/null | tr -d '\r')" \
		"ovlctl: diff: a tar is not written to a terminal; redirect standard output"
fi

# SOURCE_DATE_EPOCH clamps.
SOURCE_DATE_EPOCH=1000000000 ovlctl diff -o clamped.tar w
is "SOURCE_DATE_EPOCH: nothing is newer" \
	"$(TZ=UTC tar --full-time -tvf clamped.tar 2>/dev/null | awk '{print $4}' | sort | tail -1)" 2001-09-09
like "... and what is older stays" '1969-12-31 23:59:5' "$(TZ=UTC tar --full-time -tvf clamped.tar 2>/dev/null)"
fails 2 "SOURCE_DATE_EPOCH 'x' is not a time" "a bad SOURCE_DATE_EPOCH" \
	env SOURCE_DATE_EPOCH=x ovlctl diff -o z w

# The file appears complete or not at all.
no "a refused diff leaves no file" test -e z
echo old >kept
before=$(ls -A)
fails 3 "no such layer" "no such layer" ovlctl diff -o kept nowhere
is "... leaves an old file" "$(cat kept)" old
is "... and nothing else" "$(ls -A)" "$before"
(umask 027; ovlctl diff -o mode.tar w)
is "the umask is honoured" "$(stat -c %a mode.tar)" 640
ln -s target.tar link.tar
echo old >target.tar
ovlctl diff -o link.tar w
ok "through a symlink" cmp target.tar w.tar
ok "... which stays" test -L link.tar
ln -s not-there.tar dangling.tar
ovlctl diff -o dangling.tar w
ok "through a symlink that leads nowhere" cmp not-there.tar w.tar
ok "... which stays" test -L dangling.tar
mkdir links
ln -s ../links/two links/one
ln -s ../chain.tar links/two
ovlctl diff -o links/one w
ok "through a chain of them" cmp chain.tar w.tar
ln -s loop1 loop2
ln -s loop2 loop1
fails 1 "cannot write 'loop1': Too many levels" "a loop of symlinks" ovlctl diff -o loop1 w
ln -s /proc/self/fd/1 so
sh -c 'exec 8<>unlinked; rm unlinked; ovlctl diff -o so w >/dev/fd/8 && cat /dev/fd/8 >got.tar'
ok "through a symlink to an open file without a name" cmp got.tar w.tar
ok "... which stays" test -L so
sh -c 'exec 8<>named; ovlctl diff -o so w >/dev/fd/8 && cat <&8 >got.tar'
ok "... to one with a name, not replaced" cmp got.tar w.tar
is "... of /proc itself" "$(ovlctl diff -o /proc/self/fd/1 w | sha256sum)" "$(sha256sum <w.tar)"
echo old >secret.tar
chmod 600 secret.tar
chown 12:34 secret.tar
ovlctl diff -o secret.tar w
is "what is replaced hands on owner and mode" "$(stat -c '%a %u:%g' secret.tar)" "600 12:34"
ok "... not its content" cmp secret.tar w.tar
# Without the permission to change owners, members of another group are in that class.
chown 12:34 secret.tar
for modes in 660:600 664:644 604:600 6775:755; do
	chmod ${modes%:*} secret.tar
	setpriv --inh-caps=-chown --bounding-set=-chown ovlctl diff -o secret.tar w 2>err
	is "... the group cannot be kept: ${modes%:*}" "$(stat -c '%a %u:%g' secret.tar) $(cat err)" \
		"${modes#*:} 0:0 ovlctl: diff: warning: 'secret.tar' does not keep its owner, group or ACL"
	chown 12:34 secret.tar
done
chmod 600 secret.tar
setfacl -m u:9:-,g::rw,o:r secret.tar
setpriv --inh-caps=-chown --bounding-set=-chown ovlctl diff -o secret.tar w
is "... nor the ACL" "$(stat -c '%a %u:%g' secret.tar)" "600 0:0"
chown 12:34 secret.tar
chmod 600 secret.tar
# The group bits of a file with an ACL are the mask, not the permissions of the group.
setfacl -m u:9:rw secret.tar
getfacl -cn secret.tar >want
ovlctl diff -o secret.tar w
getfacl -cn secret.tar >got
same "... and its ACL" got want
if can_trace; then
	echo old >later.tar
	traced -o trace -e trace=linkat -e inject=linkat:signal=STOP:when=1 ovlctl diff -o later.tar w &
	until_true has_stopped trace
	chmod 600 later.tar
	go_on trace
	wait $!
	is "the mode of the old file is changed meanwhile" "$(stat -c %a later.tar)" 600
	same "... which is replaced" later.tar w.tar
fi
mkdir acls
echo old >acls/x.tar
chmod 640 acls/x.tar
getfacl -cn acls/x.tar >want
setfacl -d -m u:9:rw acls
ovlctl diff -o acls/x.tar w
getfacl -cn acls/x.tar >got
same "... no other, where the directory has one for new files" got want
ok "to a device" ovlctl diff -o /dev/null w
ok "which stays" test -c /dev/null
fails 1 "cannot write 'no/dir/x.tar': No such file" "a directory that is not there" ovlctl diff -o no/dir/x.tar w
fails 1 "cannot write 'mnt/': Is a directory|cannot write" "a directory" ovlctl diff -o src w
if ! as_user; then
	mkdir small
	mount -t tmpfs -o size=64k none small
	ovlctl diff -o small/w.tar w 2>err
	like "a full disk" "^ovlctl: diff: cannot write.*No space left" "$(cat err)"
	is "... leaves nothing" "$(ls -A small)" ""
	umount small
fi

# Names that a tar cannot hold.
need s ovlctl create -n s
need m ovlctl mount s
touch "$m/.wh.x"
fails 1 "'.wh.x' cannot be represented in a layer tar: its name means a whiteout" "a name that means a whiteout" \
	ovlctl diff -o s.tar s
rm "$m/.wh.x"
(cd "$m" && perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("sock")) or die')
touch "$m/f"
ovlctl diff -o s.tar s 2>err
is "a socket is left out" "$(tar tf s.tar | tr '\n' ' ')" "./ f "
is "... with a warning" "$(cat err)" "ovlctl: diff: warning: 1 socket left out"
is "... which -q silences" "$(ovlctl -q diff -o s.tar s 2>&1)" ""
is "... but listed" "$(ovlctl diff s | tr '\n' ' ')" "A /f A /sock "
ovlctl umount s

# Times before 1970, and xattr names with unusual bytes, as GNU tar reads them too.
need s ovlctl create -n odd
need m ovlctl mount odd
for t in -0.5 -0.000000001 -0.999999999 -1 -1.5 -86400.25 0.5 0; do
	touch -d "@$t" "$m/t$t"
done
touch "$m/x"
for name in 'user.a b' 'user.a%b' 'user.a%20b' 'user.a%3Db' 'user.%' 'user.a=b' "$(printf 'user.\303\251')" \
	"$(printf 'user.\377')" "$(printf 'user.a\nb')" "$(printf 'user.\033')" user.plain; do
	setfattr -n "$name" -v "of $name" "$m/x"
done
walk -t "$m" >want
stat -c '%.9Y %n' "$m"/t* | sed 's,/.*/,,' >want.times
ovlctl umount odd
ovlctl diff -o odd.tar odd
like "half a second before 1970" '(^| )mtime=-0\.5$' "$(strings -n 4 odd.tar)"
m=$(ovlctl mount "$(ovlctl import odd.tar)")
walk -t "$m" >got
stat -c '%.9Y %n' "$m"/t* | sed 's,/.*/,,' >got.times
same "times before 1970 come back" got.times want.times
same "xattr names come back" got want
ovlctl umount -a
rm -rf odd
mkdir odd
tar --xattrs --xattrs-include='user.*' -xf odd.tar -C odd 2>err
stat -c '%.9Y %n' odd/t* | sed 's, odd/, ,' >got.times
same "... by GNU tar" got.times want.times
walk -t odd >got
grep '^\./x ' want >want.x
grep '^\./x ' got >got.x
same "xattr names, by GNU tar" got.x want.x

# A socket that replaces a file of a lower layer: that file does not reappear.
need s ovlctl create -n covers base
need m ovlctl mount covers
sock() { (cd "$1" && perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un(shift)) or die' "$2"); }
rm "$m/plain"
rm -r "$m/deep" "$m/d"
mkdir "$m/d"
sock "$m" plain
sock "$m" deep
sock "$m/d" e
sock "$m" new
ovlctl umount covers
ovlctl -q diff -o covers.tar covers
is "a socket that covers something is a whiteout" "$(tar tf covers.tar | tr '\n' ' ')" \
	"./ d/ d/.wh..wh..opq .wh.deep .wh.plain "
m=$(ovlctl mount "$(ovlctl import -p base covers.tar)")
is "... and that is gone for whoever imports it" "$(ls -d "$m/plain" "$m/deep" "$m/d/"* 2>/dev/null)" ""
ovlctl umount -a
# Even if nothing else is changed.
printf 'dir name=d\nfile name=d/e data=1\nend\n' | mktar >only.tar
need - ovlctl import -n only only.tar
for how in diff commit; do
	need - ovlctl create -n alone only
	need m ovlctl mount alone
	rm -r "$m/d"
	mkdir "$m/d"
	sock "$m/d" e
	ovlctl umount alone
	if [ $how = diff ]; then
		id=$(ovlctl -q diff --tar alone | ovlctl import -p only -)
		ovlctl rm alone
	else
		need id ovlctl -q commit alone
	fi
	need m ovlctl mount "$id"
	is "a socket in the place of the only file of an opaque directory, $how" "$(ls "$m/d")" ""
	ovlctl umount -a
	ovlctl rm "$id"
done

done_testing
