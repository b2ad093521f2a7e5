#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: as user too

# All attributes of files are kept, whichever program wrote the tar. Only a store for user
# xattrs escapes user.overlay.*, only one for trusted ones trusted.overlay.*.
make_tree src
if as_user; then
	escape='s/ user\.overlay\.\([^= ]*\)=/ user.overlay.overlay.\1=/g'
else
	escape='s/ trusted\.overlay\.\([^= ]*\)=/ trusted.overlay.overlay.\1=/g'
fi
walk src | sed "$escape" >want
walk -H src | sed "$escape" >want-H

compare() { # WHAT WALK-OPTION WANTED ID
	walk $2 "$(tree_of "$4")" >got
	same "$1" got "$3"
}

id=$(tar --format=pax --xattrs --xattrs-include='*' --acls --numeric-owner -S -C src -cf - . |
	ovlctl import -)
compare "GNU tar, pax, sparse" "" want "$id"
id=$(tar --format=pax --xattrs --xattrs-include='*' --acls --numeric-owner -C src -cf - . |
	ovlctl import -)
compare "GNU tar, pax, not sparse" -H want-H "$id"
for v in 0.0 0.1 1.0; do
	id=$(tar --format=pax --sparse-version=$v --xattrs --xattrs-include='*' --acls \
		--numeric-owner -S -C src -cf - . | ovlctl import -)
	compare "GNU tar, pax, sparse version $v" "" want "$id"
done

# GNU, ustar and v7 headers cannot hold everything: xattrs, ACLs, fractions of seconds,
# long names, times before 1970.
strip='s/ [a-z]*\.[^= ]*=[0-9a-f]*//g; s/\(t=[0-9]*\)\.[0-9]*/\1/'
cp -a src part
rm -rf part/d/e/f part/plain part/d/second part/d/e/third
find part -exec touch -h -d '1999-09-09 09:09:09' {} +
walk part | sed "$strip" >want
walk -H part | sed "$strip" >want-H
for opts in '--format=gnu' '--format=gnu -S' '--format=oldgnu'; do
	id=$(tar $opts --numeric-owner -C part -cf - . | ovlctl import -)
	case $opts in *-S) H= ;; *) H=-H ;; esac
	walk $H "$(tree_of "$id")" | sed "$strip" >got
	same "GNU tar, $opts" got "want$H"
done
rm -rf part/deep part/blk part/fifo part/chr part/0*7
find part -exec touch -h -d '1999-09-09 09:09:09' {} +
walk -H part | sed "$strip" >want
for opts in --format=ustar --format=v7; do
	id=$(tar $opts --numeric-owner -C part -cf - . | ovlctl import -)
	walk -H "$(tree_of "$id")" | sed "$strip" >got
	same "GNU tar, $opts" got want
done

if command -v bsdtar >/dev/null; then
	# It omits the xattrs of symlinks, and writes times before 1970 differently.
	strip='s/ trusted\.[^= ]*=[0-9a-f]*//g'
	touch -d '1999-01-01' src/plain
	id=$(bsdtar --format=pax --xattrs --acls --numeric-owner -C src -cf - . 2>/dev/null |
		ovlctl import -)
	walk src | sed "$escape; $strip" >want
	walk "$(tree_of "$id")" | sed "$strip" >got
	same "bsdtar, pax" got want
fi

# ACLs in each of their forms.
acl_of() { getfattr -n system.posix_acl_$1 --only-values --absolute-names "$2"; }
hex() { od -An -v -tx1 | tr -d '\n' | sed 's/ /\\x/g'; }
# Headers with ACLs are changed for the reader while others may look at the same bytes.
awk 'BEGIN {
	c = "c"
	while (length(c) < 200000)
		c = c c
	for (i = 0; i < 30; i++)
		print "file name=f" i " data=x pax.SCHILY.acl.access=" \
			"user::rw-,user:1:r--,group::r--,mask::r--,other::r-- pax.comment=" c
	print "end"
}' | mktar >acls.tar
n=$(short && echo 10 || echo 40)
for i in $(seq $n); do
	ovlctl --sync=none --root many import acls.tar
	rm -rf many
done | sort -u >ids
is "the diff id of headers with ACLs, $n times" "$(cat ids)" "$(sha256sum <acls.tar | cut -c1-64)"

acl=$(acl_of access src/plain | hex)
def=$(acl_of default src/d/e/f | hex)
b64=$(acl_of access src/plain | base64 -w0)
bdef=$(acl_of default src/d/e/f | base64 -w0)
tar_of acl.tar <<EOF
file name=schily-acl mode=664 pax.SCHILY.acl.access=user::rw-,user:12:rw-,group::r--,group:34:r--,mask::rw-,other::r--
file name=schily-id mode=664 pax.SCHILY.acl.access=user::rw-,user:nobody-knows:rw-:12,group::r--,group:some:r--:34,mask::rw-,other::r--
file name=schily-xattr mode=664 pax.SCHILY.xattr.system.posix_acl_access=$acl
file name=libarchive-xattr mode=664 pax.LIBARCHIVE.xattr.system.posix_acl_access=$b64
file name=named mode=664 pax.SCHILY.acl.access=user::rw-,user:daemon:rw-,group::r--,mask::rw-,other::r--
dir name=dir-acl pax.SCHILY.acl.default=user::rwx,user:56:rwx,group::r-x,group:78:--x,mask::rwx,other::r-x
dir name=dir-xattr pax.SCHILY.xattr.system.posix_acl_default=$def
dir name=dir-libarchive pax.LIBARCHIVE.xattr.system.posix_acl_default=$bdef
file name=dir-acl/child mode=600
dir name=dir-acl/childdir
end
EOF
need id ovlctl import acl.tar
tree=$(tree_of "$id")
want=$(getfacl -nc src/plain 2>/dev/null)
for f in schily-acl schily-id schily-xattr libarchive-xattr; do
	is "ACL as $f" "$(getfacl -nc "$tree/$f" 2>/dev/null)" "$want"
done
like "ACL with a name only, as GNU tar writes it" 'user:1:rw-' "$(getfacl -nc "$tree/named" 2>/dev/null)"
want=$(getfacl -ncd src/d/e/f 2>/dev/null)
for f in dir-acl dir-xattr dir-libarchive; do
	is "default ACL as $f" "$(getfacl -ncd "$tree/$f" 2>/dev/null)" "$want"
done
is "a default ACL is not handed on to what the tar has in it" \
	"$(stat -c %a "$tree/dir-acl/child") $(getfacl -nc "$tree/dir-acl/childdir" 2>/dev/null | wc -l)" "600 4"
tar_of bad.tar <<EOF
file name=f pax.SCHILY.acl.access=user::rw-,user:no-such-user:rw-,group::r--,mask::rw-,other::r--
EOF
fails 1 "ACL names the unknown user 'no-such-user'" "an ACL of an unknown user" ovlctl import bad.tar
tar_of bad.tar <<EOF
file name=\xc3\xa9 pax.path=\xc3\xa9 pax.SCHILY.acl.access=user::rw-,nonsense
EOF
fails 1 "damaged tar archive" "a bad ACL, of a file whose name is not ASCII" ovlctl import bad.tar

# Names that are not UTF-8, or differ only in how characters are composed.
tar_of names.tar <<'EOF'
file name=x pax.path=caf\xe9 data=latin1
file name=x pax.path=\xc3\xa9 data=composed
file name=x pax.path=e\xcc\x81 data=decomposed
file name=raw\xff\xfe data=ustar
file name=\xff gnuname=1 magic=gnu data=gnu
link name=x link=x pax.path=l1 pax.linkpath=caf\xe9
symlink name=x link=x pax.path=l2 pax.linkpath=e\xcc\x81
end
EOF
tree=$(tree_of "$(ovlctl import names.tar)")
is "names as bytes" "$(cat "$tree/$(printf 'caf\351')" "$tree/$(printf '\303\251')" \
	"$tree/$(printf 'e\314\201')" "$tree/$(printf 'raw\377\376')" "$tree/$(printf '\377')" \
	"$tree/l1" "$tree/l2" | tr -d '\n')" "latin1composeddecomposedustargnulatin1decomposed"

# Links whose target is in a pax record only, as the first links of the archive.
tar_of links.tar <<'EOF'
symlink name=l pax.linkpath=\xe6\x97\xa5
file name=\xe6 pax.path=\xe6\x97\xa5 data=sun
end
EOF
is "a symlink to what only a pax record says" \
	"$(cat "$(tree_of "$(ovlctl import links.tar)")/l")" sun
tar_of links.tar <<'EOF'
file name=\xe6 pax.path=\xe6\x97\xa5 data=sun
link name=l pax.linkpath=\xe6\x97\xa5
end
EOF
is "... a hard link" "$(stat -c %h "$(tree_of "$(ovlctl import links.tar)")/l")" 2

# The second before 1970.
tar_of times.tar <<'EOF'
file name=a pax.mtime=-0.5
file name=b pax.mtime=-0.000000001
file name=c pax.mtime=-1.25
file name=d pax.mtime=0.5
dir name=e pax.mtime=-0.75
end
EOF
is "times around 1970" "$(cd "$(tree_of "$(ovlctl import times.tar)")" && stat -c %y a b c d e)" \
	"1969-12-31 23:59:59.500000000 +0000
1969-12-31 23:59:59.999999999 +0000
1969-12-31 23:59:58.750000000 +0000
1970-01-01 00:00:00.500000000 +0000
1969-12-31 23:59:59.250000000 +0000"

# An xattr in two forms, as written by bsdtar, is one xattr; each form alone is accepted.
tar_of xattrs.tar <<'EOF'
file name=both pax.LIBARCHIVE.xattr.user.a%2541=MQ pax.SCHILY.xattr.user.a%2541=1
file name=libarchive pax.LIBARCHIVE.xattr.user.a%2541=MQ
file name=schily pax.SCHILY.xattr.user.a%2541=1
end
EOF
tree=$(tree_of "$(ovlctl import xattrs.tar)")
for f in both libarchive schily; do
	is "xattr names with %: $f" "$(getfattr --absolute-names -d -m user "$tree/$f" | grep '=')" \
		'user.a%41="1"'
done

# On a file system where new files inherit the group of the directory, each gets its own group.
mkdir fs
if ! as_user && truncate -s 20M disk && mkfs.ext4 -q disk 2>/dev/null && mount -o loop,grpid disk fs 2>/dev/null; then
	tar_of grpid.tar <<-EOF
		dir name=a gid=50
		file name=a/b/f gid=0 data=x
		dir name=a/b/c gid=0
		file name=a/g gid=50 data=x
		end
	EOF
	id=$(ovlctl --root fs/s import grpid.tar)
	is "the groups on a file system with grpid" \
		"$(cd "$(OVLCTL_ROOT=$T/fs/s tree_of "$id")" && stat -c '%n:%g' a a/b a/b/f a/b/c a/g | tr '\n' ' ')" \
		"a:50 a/b:0 a/b/f:0 a/b/c:0 a/g:50 "
	umount fs
fi

# xattrs that do not belong to a layer, and flags: one warning for all layers of an image.
echo 'file name=f pax.SCHILY.xattr.com.apple.provenance=x pax.SCHILY.xattr.user.x=1' | mktar >mac1.tar
printf 'symlink name=s link=f pax.SCHILY.xattr.user.x=1\nfile name=i pax.SCHILY.fflags=schg\n' | mktar >mac2.tar
image_of mac.tar mac1.tar mac2.tar
ovlctl import mac.tar >id 2>err
is "xattrs of others: one warning for an image" "$? $(cat err)" \
	"0 ovlctl: import: warning: 2 xattrs left out: not part of a layer, or not allowed on that type of file or in a user namespace
ovlctl: import: warning: 1 file imported without the flags, such as 'immutable'"
ovlctl diff -o got.tar "$(cat id)"
same "... and the tar comes back" got.tar mac2.tar
is "... which is sound" "$(ovlctl check --content)" ""

done_testing
