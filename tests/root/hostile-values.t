#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# Values in headers of hostile archives: numbers, owners, modes, devices, xattrs, records of
# pax headers, maps of sparse files. See tests/tool/hostile.c for what must hold in each case.
canaries

# Owners: ids that wrap to root (CVE-2024-25621 and the like), and fields that are not numbers.
table <<'E'
uid 2^32-1 | file name=f uid=4294967295 ! impossible user id 4294967295
uid 2^32 | file name=f uid=4294967296 mode=4755 ! impossible user id 4294967296
uid 2^32 of a hard link | file name=f; link name=l link=f uid=4294967296 ! impossible user id 4294967296
uid 2^32 of a directory | dir name=f uid=4294967296 ! impossible user id 4294967296
uid 2^32 of a symlink | symlink name=f link=x uid=4294967296 ! impossible user id 4294967296
uid 2^32 of the root | dir name=. uid=4294967296 ! impossible user id 4294967296
uid 2^32 of what is ignored | file name=.wh..wh.x uid=4294967296 ! impossible user id 4294967296
gid 2^32 | file name=f gid=4294967296 ! impossible group id 4294967296
gid -1 | file name=f gid=-1 ! impossible group id -1
uid 2^55 | file name=f uid=36028797018963968 ! impossible user id .*
uid 2^32 in pax | file name=f pax.uid=4294967296 ! impossible user id 4294967296
uid 2^64 in pax | file name=f pax.uid=18446744073709551616 ! impossible user id .*
uid -1 in pax | file name=f pax.uid=-1 ! impossible user id -1
uid of letters in pax | file name=f uid=7 pax.uid=root ! malformed pax record 'uid'
uid and letters in pax | file name=f pax.uid=5x ! malformed pax record 'uid'
uid of hex in pax | file name=f pax.uid=0x10 ! malformed pax record 'uid'
uid with a blank in pax | file name=f pax.uid=\s7 ! malformed pax record 'uid'
uid with a sign in pax | file name=f pax.uid=+7 ! malformed pax record 'uid'
an empty uid in pax | file name=f uid=7 pax.uid= ! malformed pax record 'uid'
an empty gid in pax | file name=f gid=7 pax.gid= ! malformed pax record 'gid'
uid of letters | file name=0; file name=f at.108=root ! user id in a header is not a number
uid of digits and letters | file name=0; file name=f at.108=0000007x ! user id in a header is not a number
uid of 9s | file name=0; file name=f at.108=0000009 ! user id in a header is not a number
uid behind a NUL | file name=f at.108=\0000007 -> f:{644,7:0}
uid behind two NULs | file name=0; file name=f at.108=\0\000007 ! user id in a header is not a number
uid with a minus | file name=0; file name=f at.108=-000001 ! user id in a header is not a number
gid of letters | file name=0; file name=f at.116=root ! group id in a header is not a number
mode of letters | file name=0; file name=f at.100=rwxr-xr ! mode in a header is not a number
time of letters | file name=0; file name=f at.136=yesterday ! time in a header is not a number
size of letters | file name=0; file name=f at.124=much ! size in a header is not a number
a blank uid | file name=f at.108=\s\s\s\s\s\s\s\s -> f:
a uid between blanks | file name=f at.108=\s\s\s\s\s\s0\s -> f:
user names do not count | file name=f at.265=nobody at.297=nogroup pax.uname=nobody -> f:
root's owner, set-id | file name=f mode=6755 data=1; dir name=d mode=7777 -> d/{7777,0:0} f:1{6755,0:0}
mode with bits of the type | file name=f mode=100644 -> f:
mode that says directory | file name=f mode=40755 data=1 -> f:1
mode that says symlink | file name=f mode=120777 data=1 -> f:1
mode of all bits | file name=f mode=7777777 -> f:{7777,0:0}
mode in base 256 | file name=f at.100=\x80\0\0\0\0\0\x01\xed data=1 -> f:1
set-id in a directory with set-group-id | dir name=d mode=2755 gid=5; file name=d/f data=1; dir name=d/e -> d/{2755,0:5} d/e/ d/f:1
set-id, then another owner | file name=f mode=4755 uid=7 gid=8; dir name=d mode=2755 uid=7 -> d/{2755,7:0} f:{4755,7:8}
set-id of a fifo | fifo name=f mode=4755 -> f|{4755,0:0}
E

# Sizes and times.
table <<'E'
size -1 | file name=f size=-1 ! impossible size -1|damaged
size -2^62 | file name=f size=-4611686018427387904 ! impossible|damaged
size 2^63-1 | file name=f size=9223372036854775807 ! damaged
size over what is there | file name=f size=5000 data=1 ! damaged|Truncated
size over 2^63 | file name=f at.124=\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff ! damaged
size in pax, less than in the header | file name=f pax.size=3 data=abcdef -> f:abc
size in pax, more | file name=f pax.size=100000 data=abcdef ! damaged|Truncated
size in pax, of letters | file name=f pax.size=abc data=abcdef ! malformed pax record 'size'
size in pax, negative | file name=f pax.size=-5 data=abcdef ! damaged
size in pax, absurd | file name=f pax.size=99999999999999999999999 data=abcdef ! damaged
size in pax, empty | file name=f pax.size= data=abcdef ! malformed pax record 'size'
size of a directory | dir name=d size=512 nodata=1; file name=e data=1 -> d/ e:1
size of a symlink | symlink name=l link=x size=512 nodata=1; file name=e data=1 -> e:1 l>x
data of a directory | dir name=d data=zz; file name=e data=1 ! damaged
data of a symlink | symlink name=l link=x data=zz; file name=e data=1 ! damaged
data of a fifo | fifo name=d data=zz; file name=e data=1 ! damaged
data of a device | chr name=d major=1 minor=3 data=zz ! damaged
time -2^63 | file name=f mtime=-9223372036854775808 -> f:
time 2^63-1 | file name=f mtime=9223372036854775807 -> f:
time -2^63 and a half | file name=f pax.mtime=-9223372036854775808.5 -> f:
... of a directory | dir name=f pax.mtime=-9223372036854775808.5 -> f/
time 2^63 and more | file name=f pax.mtime=99999999999999999999.9 -> f:
time with 30 digits behind the point | file name=f pax.mtime=1.999999999999999999999999999999 -> f:
time in letters | file name=f pax.mtime=now ! malformed pax record 'mtime'
time with an exponent | file name=f pax.mtime=1e5 ! malformed pax record 'mtime'
time with two signs | file name=f pax.mtime=1.-5 ! malformed pax record 'mtime'
E

# Devices.
table <<'E'
a major number of 13 bits | chr name=c major=4096 minor=0 ! impossible device number 4096:0
a minor number of 21 bits | chr name=c major=1 minor=1048576 ! impossible device number 1:1048576
numbers that wrap to 1:3 | chr name=c major=4294967297 minor=4294967299 ! impossible device number .*
a 0/0 character device | chr name=c major=0 minor=0 ! would be a whiteout
numbers that wrap to 0:0 | chr name=c major=4294967296 minor=4294967296 ! impossible
negative numbers | blk name=c major=-1 minor=-1 ! impossible device number -1:-1
numbers of letters | file name=0; chr name=c major=1 minor=3 at.329=zero ! device number in a header is not a number
a continuation of another volume | type=M name=a data=1 ! unknown type
a contiguous file | type=7 name=a data=1 -> a:1
a file of a type of its own | type=Z name=a data=1 -> a:1
E
if as_user; then
	table <<'E'
devices are left out | chr name=c major=1 minor=3; blk name=b major=259 minor=1; file name=f -> f:
... also numbers that cannot be? no | chr name=c major=4096 minor=0 ! impossible
an owner outside the map | file name=f uid=70000 ! user id 70000 is not mapped in this user namespace: see subuid
a group outside the map | dir name=f gid=70000 ! group id 70000 is not mapped in this user namespace: see subgid
a hard link's owner does not count | file name=f; link name=l link=f uid=70000 -> f: l:
a trusted xattr is left out | file name=f pax.SCHILY.xattr.trusted.x=y -> f:
... trusted.overlay too | dir name=f pax.SCHILY.xattr.trusted.overlay.opaque=y -> f/
a live mark is escaped | dir name=d pax.SCHILY.xattr.user.overlay.opaque=y pax.SCHILY.xattr.user.overlay.redirect=/etc -> d/{xuser.overlay.overlay.opaque}{xuser.overlay.overlay.redirect}
... an escaped one as well | dir name=d pax.SCHILY.xattr.user.overlay.overlay.opaque=y -> d/{xuser.overlay.overlay.overlay.opaque}
... of a whiteout | file name=f pax.SCHILY.xattr.user.overlay.whiteout=y -> f:{xuser.overlay.overlay.whiteout}
... spelled with % | dir name=d pax.SCHILY.xattr.user.overlay%2eopaque=y -> d/{xuser.overlay.overlay.opaque}
E
else
	table <<'E'
devices | chr name=c major=4095 minor=1048575; blk name=b major=259 minor=1 -> b=259:1 c=4095:1048575
a 0/0 block device is not a whiteout | blk name=b major=0 minor=0 -> b=0:0
uid 2^32-2 | file name=f uid=4294967294 gid=4294967294 -> f:{644,4294967294:4294967294}
a live mark is escaped | dir name=d pax.SCHILY.xattr.trusted.overlay.opaque=y pax.SCHILY.xattr.trusted.overlay.redirect=/etc -> d/{xtrusted.overlay.overlay.opaque}{xtrusted.overlay.overlay.redirect}
... an escaped one as well | dir name=d pax.SCHILY.xattr.trusted.overlay.overlay.opaque=y -> d/{xtrusted.overlay.overlay.overlay.opaque}
... twice escaped | dir name=d pax.SCHILY.xattr.trusted.overlay.overlay.overlay.opaque=y -> d/{xtrusted.overlay.overlay.overlay.overlay.opaque}
... of metacopy | file name=f pax.SCHILY.xattr.trusted.overlay.metacopy= pax.SCHILY.xattr.trusted.overlay.redirect=/etc/shadow -> f:{xtrusted.overlay.overlay.metacopy}{xtrusted.overlay.overlay.redirect}
... of origin | file name=f pax.SCHILY.xattr.trusted.overlay.origin=x -> f:{xtrusted.overlay.overlay.origin}
... of a whiteout | file name=f pax.SCHILY.xattr.trusted.overlay.whiteout= -> f:{xtrusted.overlay.overlay.whiteout}
... of a directory of such | dir name=d pax.SCHILY.xattr.trusted.overlay.opaque=x -> d/{xtrusted.overlay.overlay.opaque}
... of the root | dir name=. pax.SCHILY.xattr.trusted.overlay.opaque=y; file name=f -> f:
... of a fifo | fifo name=f pax.SCHILY.xattr.trusted.overlay.metacopy= -> f|{xtrusted.overlay.overlay.metacopy}
... of a symlink | symlink name=f link=x pax.SCHILY.xattr.trusted.overlay.redirect=/ -> f>x{xtrusted.overlay.overlay.redirect}
... spelled with % | dir name=d pax.SCHILY.xattr.trusted.overlay%2eopaque=y -> d/{xtrusted.overlay.overlay.opaque}
... as libarchive spells it | dir name=d pax.LIBARCHIVE.xattr.trusted.overlay.opaque=eQ -> d/{xtrusted.overlay.overlay.opaque}
the other prefix is like any other | dir name=d pax.SCHILY.xattr.user.overlay.opaque=y -> d/{xuser.overlay.opaque}
capabilities of a user namespace's root | file name=f pax.SCHILY.xattr.security.capability=\x01\0\0\x03\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0 -> f:{xsecurity.capability}
E
fi

# xattrs.
table <<E
of this machine | file name=f pax.SCHILY.xattr.security.selinux=x pax.SCHILY.xattr.security.ima=x pax.SCHILY.xattr.security.evm=x -> f:
of no class | file name=f pax.SCHILY.xattr.nonsense=x -> f:
of no name | file name=f pax.SCHILY.xattr.=x -> f:
with a NUL | file name=f paxraw=27\sSCHILY.xattr.user.a\0b=x\n ! malformed pax record
with a long name | file name=f pax.SCHILY.xattr.user.$(printf '%0300d' 1)=x ! cannot set the xattr
of 70,000 bytes | file name=a pax.SCHILY.xattr.user.big=$(printf '%070000d' 0) ! over 64 KiB
5,000 | file name=a$(seq -f ' pax.SCHILY.xattr.user.%.0f=1' 1 5000 | tr -d '\n') ! an entry has more than 4096 xattrs
... of one name | file name=a$(yes ' pax.SCHILY.xattr.user.a=1' | head -5000 | tr -d '\n') ! an entry has more than 4096 xattrs
... as libarchive spells them | file name=a$(yes ' pax.LIBARCHIVE.xattr.user.a=MQ' | head -5000 | tr -d '\n') ! an entry has more than 4096 xattrs
300 whose names take 64 KiB, which Linux could not list | file name=a$(seq -f ' pax.SCHILY.xattr.user.%0215.0f=1' 300 | tr -d '\n') ! over 63 KiB|cannot set the xattr
... of a directory | dir name=a$(seq -f ' pax.SCHILY.xattr.user.%0215.0f=1' 300 | tr -d '\n') ! over 63 KiB|cannot set the xattr
2,000 of each spelling, which once took a square of time | file name=a$(yes ' pax.LIBARCHIVE.xattr.security.ima=MQ pax.SCHILY.xattr.user.b=1' | head -2000 | tr -d '\n') -> a:{xuser.b}
base 64 that is none | file name=f pax.LIBARCHIVE.xattr.user.a=!!!! -> f:{xuser.a}
capabilities of a symlink | symlink name=f link=x pax.SCHILY.xattr.security.capability=\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0 -> f>x{xsecurity.capability}
capabilities that are none | file name=f pax.SCHILY.xattr.security.capability=x ! cannot set the xattr 'security.capability'
capabilities, then another owner | file name=f uid=7 mode=4755 pax.SCHILY.xattr.security.capability=\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0 -> f:{4755,7:0}{xsecurity.capability}
capabilities of a second name | file name=f pax.SCHILY.xattr.security.capability=\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0; link name=l link=f -> f:{xsecurity.capability} l:{xsecurity.capability}
capabilities of a hard link's entry do not count | file name=f; link name=l link=f pax.SCHILY.xattr.security.capability=\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0 -> f: l:
E

# ACLs.
table <<E
text over 64 KiB | file name=a pax.SCHILY.acl.access=u::rwx,g::rwx,o::rwx,m::rwx$(seq -f ",u:%.0f:rwx" 1 7000 | tr -d '\n') ! an ACL is over 64 KiB
... behind a volume label | type=V name=label magic=gnu; file name=a pax.SCHILY.acl.access=u::rwx,g::rwx,o::rwx,m::rwx$(seq -f ",u:%.0f:rwx" 1 7000 | tr -d '\n') ! an ACL is over 64 KiB
... as Solaris tar writes it | type=A name=acl data=1015625\0user::rwx$(seq -f ",user:%.0f:rwx" 1 7000 | tr -d '\n'); file name=a ! an ACL of Solaris tar is over 1 KiB
ten of 60 KiB, which once took a minute | symlink name=l link=x $(for i in 1 2 3 4 5 6 7 8 9 10; do printf ' pax.SCHILY.acl.access=u::r,g::r,o::r,m::r'; yes ,u:root:r | head -6000 | tr -d '\n'; done) -> l>x
malformed | file name=a pax.SCHILY.acl.access=nonsense ! malformed ACL
of a kind that Linux does not have | file name=a pax.SCHILY.acl.ace=owner@:rwx::allow ! Linux does not have
of an id that wraps | file name=a pax.SCHILY.acl.access=u::r,u:4294967296:rwx,g::r,o::r,m::r ! malformed ACL
as an xattr that is none | file name=a pax.SCHILY.xattr.system.posix_acl_access=x ! cannot set the xattr 'system.posix_acl_access'
E

# Headers of pax.
table <<E
a record without a newline | file name=a paxraw=9\spath=xy ! malformed pax header
a record without a length | file name=a paxraw=path=x\n ! malformed pax header
a record of length 0 | file name=a paxraw=0\spath=x\n ! malformed pax header
a record longer than the header | file name=a paxraw=99\spath=x\n ! malformed pax header
a record of an absurd length | file name=a paxraw=99999999999999999999\spath=x\n ! malformed pax header
a negative length | file name=a paxraw=-10\spath=x\n ! malformed pax header
a record without a value | file name=a paxraw=7\spath\n ! malformed pax header
a record without a key | file name=a paxraw=5\s=x\n ! malformed pax header
a record of its own length only | file name=a paxraw=2\n ! malformed pax header
a rest behind the records | file name=a paxraw=10\spath=x\nrubbish ! malformed pax header
... behind a name that is not ASCII | file name=a paxraw=11\spath=\xc3\xa9\nrubbish ! malformed pax header
NULs behind the records | file name=a paxraw=10\spath=x\n\0\0 ! malformed pax header
a record of two lines | file name=a pax.comment=a\nb=c data=1 -> a:1
path twice: the last | file name=f pax.path=a pax.path=b data=1 -> b:1
two pax headers | pax name=p pax.path=a; file name=f pax.path=b data=1 -> b:1
a pax header of its own size and type | pax name=p at.156=x pax.path=a; file name=f data=1 -> a:1
a header of over 1 MiB | file name=a pax.comment=$(head -c 1100000 /dev/zero | tr '\0' x) ! over 1 MiB
... in parts | $(for i in 1 2 3; do echo "pax name=p pax.comment=$(head -c 400000 /dev/zero | tr '\0' x); "; done | tr -d '\n')file name=a ! over 1 MiB|damaged
... as a GNU long name | file gnuname=1 name=$(head -c 1100000 /dev/zero | tr '\0' x) ! over 1 MiB
... as it says, and ends | file name=p at.156=x size=2000000 nodata=1 ! over 1 MiB
... of 2^62 | file name=p at.156=x size=4611686018427387904 nodata=1 ! over 1 MiB|header|damaged
... of 8 GiB in octal | type=L name=p at.124=77777777777 nodata=1 ! over 1 MiB
a negative one | file name=p at.156=x size=-512 nodata=1; file name=a ! damaged|over 1 MiB
a thousand GNU long names | $(yes 'type=L name=././@LongLink magic=gnu data=long; ' | head -1000 | tr -d '\n')file name=a magic=gnu ! damaged|over 1 MiB
a thousand GNU long links | $(yes 'type=K name=././@LongLink magic=gnu data=long; ' | head -1000 | tr -d '\n')symlink name=a link=b magic=gnu ! damaged|over 1 MiB|without a name
a thousand pax headers | $(yes 'pax name=p pax.comment=x; ' | head -1000 | tr -d '\n')file name=a ! damaged|over 1 MiB
a thousand volume labels | $(yes 'type=V name=label magic=gnu; ' | head -1000 | tr -d '\n')file name=a data=1 ! damaged
a volume label with data | type=V name=label magic=gnu data=x; file name=a ! a volume label with data
a volume label | type=V name=../label magic=gnu; file name=a data=1 -> a:1
global headers count for nothing | global name=p pax.path=../x pax.linkpath=/etc pax.uid=7 pax.gid=7 pax.size=1 pax.mtime=1; file name=a data=11 -> a:11
... but must be whole | global name=p paxraw=99\spath=x\n; file name=a ! malformed pax header
a character set | file name=x pax.hdrcharset=BINARY pax.path=\xff data=1 -> \377:1
a character set that is none | file name=x pax.hdrcharset=../../etc/passwd pax.path=\xff data=1 -> \377:1
a wrong checksum | file name=a data=1; file name=b data=2 sum=bad ! damaged
a checksum of letters | file name=0; file name=a at.148=zzzzzz ! damaged
entries behind a lone zero block | file name=a data=1; zeros 1; file name=b data=2 ! single end-of-archive block
a name over prefix and name | file name=b prefix=a data=1 -> a/ a/b:1
E

# Sparse files, in all the forms of their maps.
table <<'E'
0.0 | file name=f data=ab pax.GNU.sparse.size=8 pax.GNU.sparse.numblocks=2 pax.GNU.sparse.offset=0 pax.GNU.sparse.numbytes=1 pax.GNU.sparse.offset=7 pax.GNU.sparse.numbytes=1 -> f:a\000\000\000\000\000\000b
0.1 | file name=x data=ab pax.GNU.sparse.size=8 pax.GNU.sparse.numblocks=2 pax.GNU.sparse.name=f pax.GNU.sparse.map=0,1,7,1 -> f:a\000\000\000\000\000\000b
0.1, out of order | file name=x data=ab pax.GNU.sparse.size=8 pax.GNU.sparse.numblocks=2 pax.GNU.sparse.map=7,1,0,1 ! out of order|damaged
0.1, overlapping | file name=x data=abcd pax.GNU.sparse.size=8 pax.GNU.sparse.numblocks=2 pax.GNU.sparse.map=0,3,1,1 ! out of order|damaged
0.1, behind the end | file name=x data=ab pax.GNU.sparse.size=2 pax.GNU.sparse.numblocks=1 pax.GNU.sparse.map=7,2 ! behind its end|damaged
0.1, negative | file name=x data=ab pax.GNU.sparse.size=8 pax.GNU.sparse.numblocks=1 pax.GNU.sparse.map=-1,2 ! damaged
0.1, of letters | file name=x data=ab pax.GNU.sparse.size=8 pax.GNU.sparse.numblocks=1 pax.GNU.sparse.map=a,b ! damaged
0.1, of over 2^63 | file name=x data=ab pax.GNU.sparse.size=8 pax.GNU.sparse.numblocks=1 pax.GNU.sparse.map=99999999999999999999,2 ! damaged|cannot|behind
0.1, more than there is | file name=x data=ab pax.GNU.sparse.size=9000 pax.GNU.sparse.numblocks=1 pax.GNU.sparse.map=0,9000 -> x:ab\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000
0.0, a size that is none | file name=x data=ab pax.GNU.sparse.size=-8 pax.GNU.sparse.numblocks=1 pax.GNU.sparse.offset=0 pax.GNU.sparse.numbytes=2 ! impossible|damaged
0.0, letters | file name=x data=ab pax.GNU.sparse.size=8 pax.GNU.sparse.offset=x pax.GNU.sparse.numbytes=2 ! malformed pax record 'GNU.sparse.offset'
1.0, a map that is none | file name=x data=nonsense pax.GNU.sparse.major=1 pax.GNU.sparse.minor=0 pax.GNU.sparse.name=f pax.GNU.sparse.realsize=8 ! damaged
1.0, a count of 2^64 | file name=x data=99999999999999999999\n pax.GNU.sparse.major=1 pax.GNU.sparse.minor=0 pax.GNU.sparse.name=f pax.GNU.sparse.realsize=8 ! damaged
1.0, a count over what is there | file name=x data=1000\n0\n0\n pax.GNU.sparse.major=1 pax.GNU.sparse.minor=0 pax.GNU.sparse.name=f pax.GNU.sparse.realsize=8 ! damaged|Truncated
1.0, no data at all | file name=x pax.GNU.sparse.major=1 pax.GNU.sparse.minor=0 pax.GNU.sparse.name=f pax.GNU.sparse.realsize=8 ! damaged
a version that is none | file name=x pax.GNU.sparse.major=7 pax.GNU.sparse.minor=0 pax.GNU.sparse.name=f pax.GNU.sparse.realsize=8 ! damaged
old GNU, out of order | type=S name=f magic=gnu data=ab at.386=00000000007 at.398=00000000001 at.410=00000000000 at.422=00000000001 at.483=00000000010 ! out of order|damaged
old GNU, behind the end | type=S name=f magic=gnu data=ab at.386=00000000007 at.398=00000000002 at.483=00000000002 ! behind its end|damaged
old GNU, negative | type=S name=f magic=gnu data=ab at.386=\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff at.398=00000000002 at.483=00000000010 ! damaged
old GNU, extended by nothing | type=S name=f magic=gnu size=0 at.482=\x01 at.483=00000000010 -> f:\000\000\000\000\000\000\000\000
old GNU, extended by what is not there | type=S name=f magic=gnu data=a at.386=00000000000 at.398=00000000001 at.482=\x01 at.483=00000000010; noend ! damaged|Truncated
E
truncate -s 70G big
tar -S -cf big.tar big
ok "a sparse file of 70 GB" ovlctl import big.tar
is "... takes no space" "$(stat -c '%s %b' "$(tree_of "$(cat .out)")/big")" "75161927680 0"

done_testing
