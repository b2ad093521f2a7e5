#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: as user too

# Tars of other programs that readers understand differently: the result must be that of
# GNU tar and Go, and the tar must come back bit for bit.
store() { # WHAT FILE
	what=$1
	ovlctl import "$2" >id 2>err
	report $? "$what" || diag err
	id=$(cat id)
	ovlctl diff -o back "$id"
	same "... and back" back "$2"
	ok "... and checked" ovlctl check --content "$id"
	tree=$(tree_of "$id")
}

# AIX writes a NUL if the first digit does not fit.
tar_of aix.tar <<'END'
file name=f data=x at.136=\x001722000726\s at.108=\0000007
symlink name=l link=f at.136=\x001722000726\s
end
END
store "a NUL before numbers" aix.tar
is "... times" "$(stat -c %Y "$tree/f" "$tree/l" | tr '\n' ' ')" "256377302 256377302 "
is "... owner" "$(stat -c %u "$tree/f")" 7

tar_of blanks.tar <<'END'
file name=f data=x at.108=\s\s\s\s17\s at.136=\s\s1722000726
end
END
store "blanks before numbers" blanks.tar
is "... owner" "$(stat -c %u:%Y "$tree/f")" 15:256377302

# Archives without an entry that are complete.
echo 'type=V name=label magic=gnu
end' | tar_of label.tar
store "nothing but a volume label" label.tar
is "... is an empty layer" "$(ls -A "$tree")" ''
echo 'global name=pax_global_header pax.comment=aaaa
end' | tar_of global.tar
store "nothing but a global header" global.tar
head -c 1024 global.tar >cut.tar
store "... without an end" cut.tar
echo 'type=V name=label magic=gnu
global name=g pax.comment=aaaa
file name=f data=x
global name=g pax.comment=bbbb
end' | tar_of both.tar
store "both, and one after the last entry" both.tar
is "... has its file" "$(cat "$tree/f")" x
printf 'global name=g pax.comment=a\npax name=x pax.path=two\nend\n' | tar_of dangling.tar
fails 1 "damaged tar archive" "a pax header that is no entry's" ovlctl import dangling.tar

# Of two pax headers only the last one counts.
tar_of twice.tar <<'END'
pax name=x pax.path=one pax.SCHILY.xattr.user.a=1
pax name=x pax.path=two pax.SCHILY.xattr.user.b=2
file name=f data=x
end
END
store "two pax headers" twice.tar
is "... the last name" "$(ls -A "$tree")" two
is "... the last xattrs" "$(getfattr --absolute-names -d -m '^user\.[ab]$' "$tree/two" | grep -v '^#' | tr -d '\n')" 'user.b="2"'

# star's times are where GNU tar has the size of a sparse file.
tar_of star.tar <<'END'
file name=f magic=gnu data=44,44,POWERON\n at.476=12130404200\0 at.488=12130627766\0
file name=g data=next
end
END
store "star's times under GNU tar's magic" star.tar
is "... no size" "$(od -c "$tree/f" | tail -1) $(cat "$tree/f")" "0000016 44,44,POWERON"
is "... and the next entry" "$(cat "$tree/g")" next
printf 'file name=f magic=gnu data=x at.476=12130404200\\0 at.488=12130627766\\0 sum=bad\nend\n' | tar_of bad.tar
fails 1 "not a tar archive" "... a wrong checksum stays wrong" ovlctl import bad.tar

# The size of an entry that cannot have data is ignored: the next entry follows directly.
for kind in 'symlink link=f' 'link link=b' dir fifo; do
	printf 'file name=b data=b\n%s name=l pax.size=513\nfile name=f data=x\nfile name=g data=y\nend\n' "$kind" | tar_of size.tar
	store "a size of: $kind" size.tar
	is "... and what follows" "$(cat "$tree/f" "$tree/g")" xy
done

# Old tars have a size for hard links; the next block shows whether data follows.
for pax in '' ' pax.comment=x'; do
	printf 'file name=b data=b\nlink name=l link=b size=513 nodata=1%s\nfile name=f data=x\nfile name=g data=y\nend\n' \
		"$pax" | tar_of size.tar
	store "a hard link with a size${pax:+ in a pax archive}" size.tar
	is "... and what follows" "$(cat "$tree/f" "$tree/g")" xy
done
printf 'file name=b data=b\nlink name=l link=b data=data pax.comment=x\nfile name=f data=x\nend\n' | tar_of size.tar
store "a hard link with data" size.tar
is "... and what follows" "$(cat "$tree/f")" x

# AUFS kept files with several names in a separate directory.
tar_of aufs.tar <<'END'
file name=.wh..wh.aufs
dir name=.wh..wh.orph
dir name=.wh..wh.plnk
file name=.wh..wh.plnk/11.22 data=data mode=640
file name=.wh..wh.plnk/11.23 data=nobody's
file name=.wh..wh.plnk/deeper/still data=ignored
dir name=etc
link name=etc/one link=.wh..wh.plnk/11.22
link name=./etc/two link=./.wh..wh.plnk/11.22
end
END
store "hard links of AUFS" aufs.tar
is "... content" "$(cat "$tree/etc/one" "$tree/etc/two")" datadata
is "... one file" "$(stat -c %i "$tree/etc/one")" "$(stat -c %i "$tree/etc/two")"
is "... nothing else" "$(cd "$tree" && find . | sort | tr '\n' ' ')" ". ./etc ./etc/one ./etc/two "
is "... is committed without it" "$(ovlctl create -n w "$id" >/dev/null && ovlctl diff w)" ""

# A whiteout below a file of the same layer hides nothing that is visible.
printf 'symlink name=a link=/b\nfile name=a/.wh.a\nfile name=a/.wh..wh..opq\nend\n' | tar_of one.tar
printf 'file name=a/.wh.a\nfile name=a/.wh..wh..opq\nsymlink name=a link=/b\nend\n' | tar_of two.tar
printf 'symlink name=a link=a\nfile name=a/.wh.a\nfile name=f data=x\nfile name=f/.wh.g\nend\n' | tar_of loop.tar
printf 'dir name=a\nfile name=a/a data=low\ndir name=b\nfile name=b/a data=low\nend\n' | tar_of base.tar
need base ovlctl import base.tar
for t in one two; do
	need id ovlctl import -p "$base" $t.tar
	is "a symlink and whiteouts below it, $t" "$(cd "$(tree_of "$id")" && readlink a && ls -A b 2>/dev/null)" \
		"$(echo /b; ! is_overlay || echo a)"
	ovlctl diff -o back "$id"
	same "... and back" back $t.tar
done
store "below a symlink to itself, and a file" loop.tar
is "... what they are" "$(readlink "$tree/a"; cat "$tree/f")" "$(printf 'a\nx')"

# Otherwise it is refused, and the message says what is there.
refused() { # LINES PATTERN WHAT
	printf "$1" | tar_of x.tar
	fails 1 "$2" "$3" ovlctl import x.tar
}
refused 'symlink name=var/log link=/data/log\nfile name=var/log/lastlog\nend\n' \
	"'var/log/lastlog': 'var/log' is in the way: a symlink to '/data/log', which is not a directory in this layer" \
	"a file below a symlink to nowhere"
refused 'file name=a/b\nfile name=a/b/c/d\nend\n' \
	"'a/b/c/d': 'a/b' is in the way: not a directory" "a file below a file"

# The file system limits the links of a file, for both drivers.
if ! as_user; then
	truncate -s 64M img
	need - mkfs.ext4 -q -N 1000 img
	mkdir ext4
	need - mount -o loop img ext4
	awk 'BEGIN {
		print "file name=f data=x"
		for (i = 1; i <= 65000; i++)
			print "link name=l" i " link=f"
		print "end"
	}' | tar_of links.tar
	fails 1 "cannot create 'l65000': Too many links: 'f' has 65000 names; a store on XFS takes more" \
		"too many hard links" ovlctl --root ext4/store import links.tar
	no "... and no store" test -e ext4/store
	umount ext4
fi

# Other formats are named in the message.
is_named() { # NAME BYTES
	printf "$2" >x
	head -c 1000 /dev/zero >>x
	fails 1 "not a tar archive but $1" "$1" ovlctl import x
	gzip -nc x >x.gz
	fails 1 "not a tar archive but $1" "$1, in gzip" ovlctl import x.gz
}
is_named 'compress \(\.Z\) data' '\037\235\220abc'
is_named 'lzma data' ']\0\0\200\0\377\377\377\377\377\377\377\377x'
is_named 'lzip \(\.lz\) data' 'LZIP\1'
is_named 'lzop data' '\211LZO\0\r\n\032\n'
is_named 'legacy lz4 data' '\002!L\030'
is_named 'a zip archive' 'PK\003\004'
is_named 'a 7-Zip archive' "7z\274\257'\034"
is_named 'an RPM package' '\355\253\356\333'
is_named 'a Debian package' '!<arch>\ndebian-binary'
is_named 'an ar archive' '!<arch>\nx'
is_named 'a cpio archive' '070701'
is_named 'a squashfs image' 'hsqs'
printf '07070' >x
fails 1 "not a tar archive" "five bytes" ovlctl import x

# Zeros after the end of compressed data, and other data around it.
printf 'file name=f data=x\nend\n' | tar_of f.tar
zeros() { head -c 700 /dev/zero; }
skip() { printf 'P*M\030\004\0\0\0abcd'; }
all() { # TOOL...
	"$@" <f.tar >f.z || cannot "run $1"
	(cat f.z; zeros) >x
	is "$1, zeros at its end" "$(ovlctl import x)" "$plain"
	(cat f.z; zeros; echo garbage) >x
	fails 1 'damaged|garbage' "... and garbage" ovlctl import x
	(cat f.z; zeros; cat f.z) >x
	fails 1 'damaged|garbage' "... and once more" ovlctl import x
}
need plain ovlctl import f.tar
for tool in gzip bzip2 zstd lz4; do
	all $tool -c
done
for tool in zstd lz4; do
	(skip; skip; $tool -c <f.tar; skip) >x
	is "$tool between skippable frames" "$(ovlctl import x)" "$plain"
done
(skip; cat f.tar) >x
fails 1 'damaged' "a tar after a skippable frame" ovlctl import x
done_testing
