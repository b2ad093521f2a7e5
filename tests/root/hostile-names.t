#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# A hostile archive changes nothing outside its layer, and a refused one nothing at all:
# names, links, whiteouts, entries that replace each other. tests/tool/hostile.c lists what
# must hold in each case.
canaries

# Names: CVE-2001-1267, CVE-2007-4559, CVE-2018-15664, CVE-2021-32803 and the like.
table <<'E'
.. | file name=../file data=evil ! leaves the layer
.. behind a directory | file name=a/../../x data=evil ! leaves the layer
.. behind a directory that is there | dir name=a; file name=a/../../x data=evil ! leaves the layer
/.. | file name=/../x data=evil ! leaves the layer
many .. | file name=../../../../../../../../../../../../../../etc/x data=evil ! leaves the layer
.. in the middle of many | file name=a/b/../../../x ! leaves the layer
.. as a directory | dir name=.. ! leaves the layer
../ as a directory, its mode | dir name=../ mode=777 ! leaves the layer
.. as a symlink | symlink name=.. link=/ ! leaves the layer
.. as a fifo | fifo name=a/../.. ! leaves the layer
.. as a whiteout | file name=../.wh.outside ! leaves the layer
.. as an opaque mark | file name=../.wh..wh..opq ! leaves the layer
.. in a GNU long name | file gnuname=1 name=../x ! leaves the layer
.. in a pax path | file name=x pax.path=../x ! leaves the layer
.. in a ustar prefix | file name=x prefix=.. ! leaves the layer
.. in the name of a sparse file | file name=x pax.GNU.sparse.name=../x pax.GNU.sparse.size=1 pax.GNU.sparse.numblocks=1 pax.GNU.sparse.map=0,1 data=x ! leaves the layer
... is a name | file name=.../x data=1 -> .../ .../x:1
..x is a name | file name=..x data=1 -> ..x:1
a backslash is a byte | file name=..\\..\\x data=1 -> ..\134..\134x:1
a drive letter | file name=C:\\x data=1 -> C:\134x:1
an absolute name | file name=/abs data=1 -> abs:1
an absolute name, many slashes | file name=///abs//x data=1 -> abs/ abs/x:1
an absolute directory | dir name=/etc mode=777; file name=/etc/x data=1 -> etc/ etc/x:1
.. inside | file name=a/../b data=1 -> b:1
. everywhere | file name=./a/./b/. data=1 -> a/ a/b:1
// | file name=a//b data=1 -> a/ a/b:1
... with data | file name=a/ data=1 ! Damaged
a slash behind a symlink | symlink name=a/ link=x -> a>x
no name | file name= data=1 ! root is not a directory
/ as a file: a directory, in old archives | file name=/ -> 
a/ as a file | file name=a/ -> a/
. as a file | file name=. ! root is not a directory
. as a symlink | symlink name=. link=/ ! root is not a directory
. as a fifo | fifo name=. ! root is not a directory
. as a device | chr name=. major=1 minor=3 ! root is not a directory
. as a hard link | link name=. link=x ! root is not a directory
. as a directory | dir name=.; file name=x data=1 -> x:1
/ as a directory | dir name=/; file name=x data=1 -> x:1
a NUL in a pax path | file name=f pax.path=a\0b ! malformed pax record 'path'
a NUL in a pax linkpath | symlink name=f link=x pax.linkpath=a\0b ! malformed pax record 'linkpath'
a NUL in a header is its end | file name=a\0b data=1 -> a:1
a NUL in a GNU long name is its end | file gnuname=1 name=a\0b data=1 -> a:1
an empty pax path: the header's | file name=f data=1 pax.path= -> f:1
a name that is not UTF-8 | file name=\xff\xfe data=1 -> \377\376:1
an overlong slash | file name=..\xc0\xafx data=1 -> ..\300\257x:1
control bytes | file name=\x1b[2J\x07\x0d\x08 data=1 -> \033[2J\007\015\010:1
control bytes in a message | file name=\x1b[2J\x07\x0d/../.. ! leaves the layer
C1 controls in a message | file name=\xc2\x9b2J\xff/../.. ! leaves the layer
newlines in a message | file name=a\nb/../.. ! leaves the layer
control bytes in a hard link's message | link name=\x1b[2J link=\x1b[31m ! not in this layer
control bytes in a pax key | file name=f pax.\x1b[2J=x data=1 -> f:1
control bytes in an xattr's name | file name=f pax.SCHILY.xattr.trusted.bad\x1b[2Jxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=x ! cannot set the xattr 'trusted.bad
control bytes in a user of an ACL | file name=f pax.SCHILY.acl.access=u:\x1b[2J:r ! unknown user
direction marks and such are text | file name=\xe2\x80\xaex data=1 -> \342\200\256x:1
E

long=$(printf '%0255d' 1)
deep=$(printf '%01023d' 0 | sed 's,0,a/,g')
table <<E
a name of 255 bytes | file gnuname=1 name=$long data=1 -> $long:1
a component of 256 | file gnuname=1 name=${long}x ! component over 255|File name too long
... in pax | file name=x pax.path=${long}x ! component over 255|File name too long
... on the way | file gnuname=1 name=${long}x/y ! component over 255|File name too long
a name of 70,000 bytes | file gnuname=1 name=$(printf '%070000d' 0 | sed 's,0000,00/0,g') ! longer than 64 KiB
[--max-entries 1100] 1025 components | file gnuname=1 name=${deep}f/g ! too many components
[--max-depth 2] 3 components | file name=a/b/c ! too many components
[--max-depth 2] what is taken back does not count | file name=a/b/../c data=1 -> a/ a/c:1
a hard link's target too | link name=h gnulink=1 link=${deep}f/g ! too many components
a symlink of 4095 bytes | symlink name=l gnulink=1 link=$(printf '%04095d' 1) -> l>$(printf '%020d' 0)
... of 5000 | symlink name=l gnulink=1 link=$(printf '%05000d' 1) ! File name too long
E

# Symlinks in a path stay inside; the last component is never followed: CVE-2001-1268,
# CVE-2002-1216, CVE-2014-9356, CVE-2015-3627, CVE-2018-20834, CVE-2021-37701,
# CVE-2023-43810.
table <<E
into a symlink to outside | symlink name=l link=$T/outside; file name=l/file data=evil ! cannot open|in the way
... to the root | symlink name=l link=/; file name=l/file data=1 -> file:1 l>/
... a relative one | symlink name=l link=../../../../../../outside; file name=l/file data=evil ! cannot open|in the way
... up and down | symlink name=l link=../../..; file name=l/file data=1 -> file:1 l>../../..
... in steps | symlink name=a link=.; symlink name=a/b link=..; file name=b/c data=1 -> a>. b>.. c:1
... a chain | symlink name=a link=b; symlink name=b link=c; symlink name=c link=$T/outside; file name=a/file data=evil ! cannot open|in the way
... in the middle | dir name=d; symlink name=d/l link=$T; file name=d/l/outside/file data=evil ! cannot open|in the way
... through what is inside | dir name=inner; symlink name=l link=/inner; file name=l/file data=1 -> inner/ inner/file:1 l>/inner
... through /proc | symlink name=l link=/proc/self/root; file name=l/x data=evil ! cannot open|in the way
... a directory | symlink name=l link=$T/outside; dir name=l/d ! cannot open|in the way
... the mode of it | symlink name=l link=$T/outside; dir name=l mode=777 -> l/
... the mode of it, through . | symlink name=l link=$T/outside; dir name=l/. mode=777 -> l/
... the mode of it, through / | symlink name=l link=$T/outside; dir name=l/ mode=777 -> l/
... a symlink | symlink name=l link=$T/outside; symlink name=l/x link=y ! cannot open|in the way
... a fifo | symlink name=l link=$T/outside; fifo name=l/x ! cannot open|in the way
... a hard link | file name=f; symlink name=l link=$T/outside; link name=l/x link=f ! cannot open|in the way
... a whiteout | symlink name=l link=$T/outside; file name=l/.wh.file -> l>$(echo "$T/outside" | cut -c1-20)
... a whiteout, up | symlink name=l link=../..; file name=l/.wh.file -> l>../..
... a whiteout of what is in the root | file name=x; symlink name=l link=/; file name=l/.wh.x -> l>/ x:
... an opaque mark | symlink name=l link=$T/outside; file name=l/.wh..wh..opq -> l>$(echo "$T/outside" | cut -c1-20)
... an opaque mark, of / | symlink name=l link=/; file name=x; file name=l/.wh..wh..opq -> l>/ x:
.. behind a symlink is the archive's | dir name=d; symlink name=l link=d; file name=l/../x data=1 -> d/ l>d x:1
a file over a symlink to a file outside | symlink name=l link=$T/outside/file; file name=l data=evil -> l:evil
a file over a symlink to a directory outside | symlink name=l link=$T/outside; file name=l data=evil -> l:evil
a directory over a symlink, and a file in it | symlink name=l link=$T/outside; dir name=l mode=777; file name=l/file data=1 -> l/ l/file:1
a symlink over a symlink | symlink name=l link=$T/outside; symlink name=l link=x -> l>x
a fifo over a symlink | symlink name=l link=$T/outside/file; fifo name=l -> l|
a hard link over a symlink | file name=f data=1; symlink name=l link=$T/outside/file; link name=l link=f -> f:1 l:1
a whiteout over a symlink | symlink name=l link=$T/outside; file name=.wh.l -> l>$(echo "$T/outside" | cut -c1-20)
owner and mode of a symlink's target | symlink name=l link=$T/outside/file uid=7 gid=8 mode=4777 mtime=1 -> l>$(echo "$T/outside" | cut -c1-20){777,7:8}
in a circle | symlink name=a link=b; symlink name=b link=a; file name=a/x data=evil ! symbolic links|in the way
a circle of one | symlink name=a link=a; file name=a/x data=evil ! symbolic links|in the way
... as a directory | symlink name=a link=a; dir name=a; file name=a/x data=1 -> a/ a/x:1
a symlink to nothing | symlink name=l link= ! symbolic link without a target
a chain of 41 | $(i=0; while [ $i -lt 41 ]; do echo "symlink name=$i link=$((i + 1)); "; i=$((i + 1)); done | tr -d '\n')dir name=41; file name=0/x ! symbolic links
a file with something in it | file name=f data=1; file name=f/g data=2 ! in the way: not a directory
a fifo with something in it | fifo name=f; file name=f/g data=2 ! in the way: not a directory
E

# Entries that replace their own parents: CVE-2021-32804, CVE-2021-37713,
# CVE-2024-0132. Paths are looked up again after each.
table <<E
a directory becomes a symlink | dir name=a; file name=a/b data=1; symlink name=a link=$T/outside; file name=a/file data=evil ! cannot open|in the way
... to /etc | dir name=a; file name=a/b; symlink name=a link=/etc; file name=a/passwd data=evil ! cannot open|in the way
... inside | dir name=e; dir name=a; file name=a/b data=1; symlink name=a link=e; file name=a/c data=2 -> a>e e/ e/c:2
... and a directory again | dir name=a; symlink name=a link=$T/outside; dir name=a mode=700; file name=a/file data=1 -> a/ a/file:1
... deep | file name=a/b/c/d data=1; symlink name=a/b link=$T/outside; file name=a/b/c/d data=evil ! cannot open|in the way
... deep, through another way | dir name=a/b; symlink name=s link=a; file name=s/b/x data=1; symlink name=a/b link=$T/outside; file name=s/b/file data=evil ! cannot open|in the way
... by a hard link to a symlink | symlink name=l link=$T/outside; dir name=a; link name=a link=l; file name=a/file data=evil ! cannot open|in the way
a file over a directory over a symlink | symlink name=a link=$T/outside; dir name=a; file name=a/b; file name=a data=1 -> a:1
a symlink over the directory it goes through | dir name=a/b; symlink name=a/b/c link=..; symlink name=a/b/c/b link=$T/outside; file name=a/b/file data=evil ! cannot open|in the way
a directory with entries over itself | dir name=a; file name=a/b data=1; dir name=a mode=2711; file name=a/c data=2 -> a/{2711,0:0} a/b:1 a/c:2
names that differ in case are two | dir name=D; symlink name=d link=$T/outside; file name=D/file data=1 -> D/ D/file:1 d>$(echo "$T/outside" | cut -c1-20)
names that differ in composition are two | dir name=\xc3\xa9; symlink name=e\xcc\x81 link=$T/outside; file name=\xc3\xa9/file data=1 -> e\314\201>$(echo "$T/outside" | cut -c1-20) \303\251/ \303\251/file:1
names that differ in a slash are one | symlink name=d link=$T/outside; dir name=d//; file name=./d/file data=1 -> d/ d/file:1
a name that leads to itself | dir name=a; symlink name=a/s link=.; file name=a/s/s data=1; file name=a/s/x data=2 ! in the way
E

# Hard links: CVE-2016-6321, CVE-2019-14271, CVE-2019-18466, CVE-2020-14370.
table <<E
to outside | link name=h link=$T/outside/file ! target .* is not in this layer
to outside, .. | link name=h link=../../../../outside/file ! leaves the layer
... in a pax linkpath | link name=h link=x pax.linkpath=../x ! leaves the layer
... in a GNU long link | link name=h gnulink=1 link=../x ! leaves the layer
through a symlink | symlink name=l link=$T/outside; link name=h link=l/file ! not in this layer
through a chain | symlink name=a link=b; symlink name=b link=$T; link name=h link=a/outside/file ! not in this layer
through a symlink, inside | file name=d/f data=1; symlink name=l link=/d; link name=h link=l/f -> d/ d/f:1 h:1 l>/d
through a circle | symlink name=a link=a; link name=h link=a/x ! not in this layer
to a symlink, not to what it leads to | symlink name=l link=/nowhere; link name=h link=l -> h>/nowhere l>/nowhere
... and data into it | symlink name=l link=$T/outside/file; link name=h link=l; file name=h data=evil -> h:evil l>$(echo "$T/outside" | cut -c1-20)
... and below it | symlink name=l link=$T/outside; link name=h link=l; file name=h/file data=evil ! cannot open|in the way
to a file, then data into it | file name=a data=1; link name=b link=a; file name=b data=2 -> a:1 b:2
to a directory | dir name=d; link name=h link=d ! is a directory
to the root | link name=h link=. ! not in this layer
to / | link name=h link=/ ! not in this layer
to nothing | link name=h link=nothing ! not in this layer
to no name | link name=h link= ! unknown type
to what comes later | link name=h link=b; file name=b data=1 ! not in this layer
to a name with .. inside | file name=b data=1; link name=h link=a/../b -> b:1 h:1
to an absolute name | file name=b data=1; link name=h link=/b -> b:1 h:1
to itself | file name=a data=1; link name=a link=a -> a:1
to itself, which is not there | link name=a link=a ! not in this layer
to its own parent's file | file name=a data=1; link name=a/b link=a ! in the way
to a fifo | fifo name=p; link name=h link=p -> h| p|
to a whiteout | file name=.wh.w; link name=h link=w ! not in this layer
to a whiteout's own name | file name=.wh.w; link name=h link=.wh.w ! not in this layer
to what a whiteout names as well | file name=w data=1; file name=.wh.w; link name=h link=w -> h:1 w:1
to what was replaced by a directory | file name=a; dir name=a; link name=h link=a ! is a directory
to what went with its directory | file name=d/a; file name=d; link name=h link=d/a ! not in this layer
with a slash behind it | file name=a; link name=h link=a/ -> a: h:
a whiteout that is a hard link | file name=a data=1; link name=.wh.b link=a -> a:1
with data | file name=a data=1; link name=h link=a pax.x=y data=22 -> a:1 h:1
sixty to one | file name=a data=1; $(i=0; while [ $i -lt 60 ]; do echo "link name=b link=a; "; i=$((i + 1)); done | tr -d '\n')link name=c link=b -> a:1 b:1 c:1
E

# Whiteouts and opaque directories: CVE-2018-15514, and names that collide with them.
table <<'E'
.wh. | file name=.wh. ! whiteout of nothing
.wh.. | file name=.wh.. ! whiteout of nothing
.wh... | file name=.wh... ! whiteout of nothing
.wh. of .wh. | file name=.wh..wh. -> 
.wh. in a directory | file name=d/.wh. ! whiteout of nothing
.wh.. in a directory | file name=d/.wh.. ! whiteout of nothing
a file below a whiteout | file name=.wh.d/f ! inside a whiteout
a file below an opaque mark | file name=.wh..wh..opq/f ! inside a whiteout
a whiteout of a name with a slash | file name=.wh.a/../b data=1 -> b:1
a directory as a whiteout | dir name=.wh.d; dir name=d -> d/
a device as a whiteout | chr name=.wh.d major=0 minor=0 -> 
a symlink as an opaque mark | dir name=d; symlink name=d/.wh..wh..opq link=/etc -> d/
a hard link to one of aufs's that is not there | dir name=.wh..wh.plnk; link name=h link=.wh..wh.plnk/1.2 ! not in this layer
... to one in a directory there | file name=.wh..wh.plnk/d/1.2 data=x; link name=h link=.wh..wh.plnk/d/1.2 ! not in this layer
... through a symlink there | symlink name=.wh..wh.plnk link=$T/outside; link name=h link=.wh..wh.plnk/file ! not in this layer
... through one in it | symlink name=.wh..wh.plnk/1.2 link=/etc/passwd; link name=h link=.wh..wh.plnk/1.2 -> h>/etc/passwd
... to one of another directory | file name=d/.wh..wh.plnk/1.2 data=x; link name=h link=d/.wh..wh.plnk/1.2 ! not in this layer
... whose owner cannot be | file name=.wh..wh.plnk/1.2 data=x uid=4294967296 ! impossible user id 4294967296
aufs's own names | dir name=.wh..wh.plnk; file name=.wh..wh.plnk/1.2 data=x; file name=.wh..wh.aufs -> 
... with .. | file name=.wh..wh.plnk/../../x ! leaves the layer
a whiteout of 255 bytes | file gnuname=1 name=.wh.LONG -> 
a whiteout with an owner that cannot be | file name=.wh.x uid=4294967296 ! impossible user id 4294967296
a 0/0 device | chr name=c major=0 minor=0 ! 0/0 character device
a 0/0 device below | chr name=d/c major=0 minor=0 ! 0/0 character device
... of an old header, without numbers | chr name=c magic=v7 major=1 minor=3 ! 0/0 character device
E
done_testing
