#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# A hostile archive changes nothing outside its layer, and a refused one nothing at all.
mkdir outside
echo precious >outside/file
printf 'file name=x data=1\nend\n' | mktar >first.tar
ovlctl import -n first first.tar >/dev/null
before=$(store_state)
precious=$(walk -t outside)

refused() { # PATTERN WHAT, lines on standard input
	(cat; echo end) | mktar >h.tar
	fails 1 "$1" "refused: $2" ovlctl import h.tar
	[ "$(store_state)" = "$before" ] || report 1 "$2: the store as it was"
	[ "$(walk -t outside)" = "$precious" ] || report 1 "$2: nothing outside changed"
}

taken() { # WHAT WANTED, lines on standard input: what find prints of the tree
	(cat; echo end) | mktar >h.tar
	id=$(ovlctl import h.tar 2>&1)
	is "taken: $1" "$(cd "$(tree_of "$id")" && find . ! -name . -printf '%p %y %l|\0' |
		sort -z | tr -d '\0' | sed 's/ |/|/g')" "$2"
	[ "$(walk -t outside)" = "$precious" ] || report 1 "$1: nothing outside changed"
	ovlctl rm "$id"
	[ "$(store_state)" = "$before" ] || report 1 "$1: the store as it was"
}

# Names.
refused "leaves the layer" ".." <<'E'
file name=../file data=evil
E
refused "leaves the layer" "a/../../x" <<'E'
file name=a/../../x data=evil
E
refused "leaves the layer" "/.." <<'E'
file name=/../x data=evil
E
refused "leaves the layer" ".. as a directory" <<'E'
dir name=..
E
refused "root is not a directory" "a symlink for the root" <<'E'
symlink name=. link=/
E
taken "absolute names" "./abs f|" <<'E'
file name=/abs
E
taken ".. inside" "./b f|" <<'E'
file name=a/../b
E
refused "component over 255" "a component of 300 bytes" <<E
file name=$(printf '%0300d' 1) gnuname=1
E
refused "longer than 64 KiB" "a name of 70,000 bytes" <<E
file gnuname=1 name=$(printf '%070000d' 0 | sed 's,0000,00/0,g')
E
refused "too many components" "a name of 1,100 components" <<E
file gnuname=1 name=$(printf '%01100d' 0 | sed 's,0,a/,g')f
E
taken "escape bytes in a name" "$(printf './\033[2J f|')" <<'E'
file name=\x1b[2J
E

# Symlinks on the way stay inside; the last component is never followed.
taken "through a symlink to outside, which is inside" "./inner d|./inner/file f|./l l /inner|" <<'E'
dir name=inner
symlink name=l link=/inner
file name=l/file data=1
E
refused "cannot open|in the way" "through an absolute symlink to what is not in the layer" <<E
symlink name=l link=$T/outside
file name=l/file data=evil
E
refused "cannot open|in the way" "through a relative one" <<'E'
symlink name=l link=../../../../../../outside
file name=l/file data=evil
E
taken "a file over a symlink to a file outside" "./l f|" <<E
symlink name=l link=$T/outside/file
file name=l data=evil
E
taken "a directory over a symlink to a directory outside" "./l d|./l/file f|" <<E
symlink name=l link=$T/outside
dir name=l mode=777
file name=l/file data=evil
E
taken "a whiteout over a symlink" "./l l $T/outside|" <<E
symlink name=l link=$T/outside
file name=.wh.l
E
refused "cannot open|in the way" "a whiteout through a symlink" <<E
symlink name=l link=$T/outside
file name=l/.wh.file
E
refused "cannot open|in the way" "an opaque mark through a symlink" <<E
symlink name=l link=$T/outside
file name=l/.wh..wh..opq
E
taken "a fifo, and a file over it" "./p f|" <<'E'
fifo name=p
file name=p data=1
E
refused "in the way: not a directory" "a file with something in it" <<'E'
file name=f data=1
file name=f/g data=2
E
refused "in the way: not a directory" "through a symlink that was just replaced" <<'E'
symlink name=s link=.
file name=s/s data=1
file name=s/x data=2
E
taken "... by a directory" "./s d|./s/x f|" <<'E'
symlink name=s link=.
dir name=s/s
file name=s/x data=2
E
refused "symbolic links|in the way" "symlinks in a circle" <<'E'
symlink name=a link=b
symlink name=b link=a
file name=a/x data=evil
E

# Hard links.
refused "target .* is not in this layer" "a hard link to outside" <<E
link name=h link=$T/outside/file
E
refused "leaves the layer" "a hard link with .." <<'E'
link name=h link=../../../../outside/file
E
refused "not in this layer" "a hard link through a symlink" <<E
symlink name=l link=$T/outside
link name=h link=l/file
E
taken "a hard link to a symlink, not to what it leads to" "./h l /nowhere|./l l /nowhere|" <<'E'
symlink name=l link=/nowhere
link name=h link=l
E
taken "... and a file over it" "./h f|./l l $T/outside|" <<E
symlink name=l link=$T/outside
link name=h link=l
file name=h data=evil
E
refused "is a directory" "a hard link to a directory" <<'E'
dir name=d
link name=h link=d
E
refused "not in this layer" "a hard link to nothing" <<'E'
link name=h link=nothing
E
refused "not in this layer" "a hard link to a whiteout" <<'E'
file name=.wh.w
link name=h link=w
E

# Owners, devices.
refused "user id 4294967295 cannot be" "uid 2^32-1" <<'E'
file name=f uid=4294967295
E
refused "user id 4294967296 cannot be" "uid 2^32: would wrap to root" <<'E'
file name=f uid=4294967296 mode=4755
E
refused "user id 4294967296 cannot be" "uid 2^32 of a hard link" <<'E'
file name=f
link name=l link=f uid=4294967296
E
refused "user id 4294967296 cannot be" "uid 2^32 of a whiteout" <<'E'
file name=.wh.f uid=4294967296
E
refused "group id -1 cannot be" "gid -1" <<'E'
file name=f gid=-1
E
refused "user id 4294967296 cannot be" "uid 2^32 in a pax header" <<'E'
file name=f pax.uid=4294967296
E
refused "0/0 device" "a 0/0 device" <<'E'
chr name=c major=0 minor=0
E
refused "0/0 device" "a 0/0 block device" <<'E'
blk name=b major=0 minor=0
E
if as_user; then
	refused "user id 70000 is not mapped in this user namespace \(see subuid\(5\)\)" \
		"an owner outside the map" <<'E'
file name=f uid=70000
E
	refused "group id 70000 is not mapped" "a group outside the map" <<'E'
file name=f gid=70000
E
	printf 'chr name=null major=1 minor=3\nblk name=b major=8 minor=1\nfile name=f\nend\n' |
		mktar >h.tar
	id=$(ovlctl import h.tar 2>err)
	is "devices are left out" "$(ls "$(tree_of "$id")")" "f"
	is "... with one warning that counts them" "$(cat err)" \
		"ovlctl: import: warning: 2 devices left out: a user namespace cannot make devices"
	ovlctl rm "$id"
	refused "cannot set the xattr 'trusted.x'" "a trusted xattr" <<'E'
file name=f pax.SCHILY.xattr.trusted.x=y
E
else
	taken "uid 2^32-2" "./f f|" <<'E'
file name=f uid=4294967294 gid=4294967294
E
	taken "devices" "./b b|./c c|" <<'E'
chr name=c major=1 minor=3
blk name=b major=259 minor=70000
E
fi

# overlayfs's own xattrs mean nothing in a layer.
live=trusted.overlay
other=user.overlay
as_user && live=user.overlay other=user.other
printf 'dir name=d pax.SCHILY.xattr.%s.opaque=y pax.SCHILY.xattr.%s.redirect=/etc pax.SCHILY.xattr.%s.opaque=y\nfile name=d/.wh.x\nend\n' \
	$live $live $other | mktar >h.tar
id=$(ovlctl import h.tar)
is "the live prefix is escaped, the other is not" \
	"$(cd "$(tree_of "$id")" && getfattr -m 'overlay|other' d | grep . | sort | tr '\n' ' ')" \
	"$(printf '%s\n' "# file: d" $live.overlay.opaque $live.overlay.redirect $other.opaque | sort | tr '\n' ' ')"
ovlctl rm "$id"

# Headers.
refused "damaged tar archive" "a wrong checksum" <<'E'
file name=a data=1
file name=b data=2 sum=bad
E
refused "headers are over 1 MiB|header too large" "a pax header of 2 MB" <<E
file name=a pax.comment=$(head -c 2000000 /dev/zero | tr '\0' x)
E
refused "headers are over 1 MiB|damaged" "many headers of an entry" <<E
$(for i in 1 2 3; do echo "pax name=p pax.comment=$(head -c 600000 /dev/zero | tr '\0' x)"; done)
file name=a
E
refused "over 64 KiB" "an xattr of 70,000 bytes" <<E
file name=a pax.SCHILY.xattr.user.big=$(printf '%070000d' 0)
E
refused "an ACL of over 64 KiB" "an ACL of 7,000 entries" <<E
file name=a pax.SCHILY.acl.access=u::rwx,g::rwx,o::rwx,m::rwx$(seq -f ",u:%.0f:rwx" 1 7000 | tr -d '\n')
E
refused "an ACL of over 64 KiB" "... behind a volume label" <<E
type=V name=label magic=gnu
file name=a pax.SCHILY.acl.access=u::rwx,g::rwx,o::rwx,m::rwx$(seq -f ",u:%.0f:rwx" 1 7000 | tr -d '\n')
E
refused "an ACL of over 64 KiB" "... as Solaris tar writes it" <<E
type=A name=acl data=1015625\0user::rwx$(seq -f ",user:%.0f:rwx" 1 7000 | tr -d '\n')
file name=a
E
refused "a volume label with data" "a volume label with data" <<'E'
type=V name=label magic=gnu data=x
file name=a
E
refused "over 4096 xattrs" "5,000 xattrs" <<E
file name=a$(seq -f ' pax.SCHILY.xattr.user.%.0f=1' 1 5000 | tr -d '\n')
E
refused "damaged tar archive" "a malformed pax record" <<'E'
file name=a paxraw=99\spath=x\n
E
refused "damaged tar archive" "a malformed pax record behind a name that is not ASCII" <<'E'
file name=a paxraw=11\spath=\xc3\xa9\nrubbish
E
refused "size -1 cannot be|damaged" "a negative size" <<'E'
file name=a size=-1
E
printf 'file name=a data=1\n' | mktar >h.tar
cp h.tar h2.tar
printf 'pax name=p pax.path=b\n' | mktar >>h.tar
fails 1 "damaged tar archive" "refused: an end behind an extension header" ovlctl import h.tar
(cat h.tar; head -c 1024 /dev/zero) >h3.tar
fails 1 "damaged tar archive" "refused: ... before the end of the archive" ovlctl import h3.tar
printf 'type=L name=././@LongLink data=longname\n' | mktar >>h2.tar
fails 1 "damaged tar archive" "refused: an end behind a long name" ovlctl import h2.tar
printf 'file name=a data=1\nzeros 1\nfile name=b data=2\nend\n' | mktar >h.tar
fails 1 "single end-of-archive block" "refused: entries behind a lone zero block" ovlctl import h.tar

printf 'global name=p pax.comment=abcdefgh\n' | mktar >h.tar
fails 1 "ends after an extension header" "refused: a global header and nothing" ovlctl import h.tar
(printf 'file name=a data=1\n' | mktar; cat h.tar) >h2.tar
fails 1 "ends after an extension header" "refused: a global header at the end" ovlctl import h2.tar

# Sound oddities.
printf 'file name=a data=1\n' | mktar >h.tar
is "no end blocks" "$(ovlctl import h.tar)" "$(sha256sum <h.tar | cut -d' ' -f1)"
(cat h.tar; head -c 512 /dev/zero) >h1.tar
is "one end block" "$(ovlctl import h1.tar)" "$(sha256sum <h1.tar | cut -d' ' -f1)"
(cat h.tar; head -c 1024 /dev/zero; echo trailing garbage) >h2.tar
is "bytes behind the end" "$(ovlctl import h2.tar)" "$(sha256sum <h2.tar | cut -d' ' -f1)"
head -c 10240 /dev/zero >h3.tar
is "an empty archive" "$(ovlctl import h3.tar)" "$(sha256sum <h3.tar | cut -d' ' -f1)"
ovlctl ls -nr -o ID | grep -v "$(ovlctl ls -nr -o ID first)" | xargs ovlctl rm

# Limits.
printf 'file name=a fill=5000\nfile name=b fill=5000\nend\n' | mktar >h.tar
fails 1 "holds more than 8192 bytes" "--max-size" ovlctl import --max-size 8K h.tar
fails 1 "holds more than 1 entries" "--max-entries" ovlctl import --max-entries 1 h.tar
printf 'file name=a/b/c\nend\n' | mktar >h.tar
fails 1 "too many components" "--max-depth" ovlctl import --max-depth 2 h.tar
fails 1 "more than 2 directories and entries" "... directories that are implied count" \
	ovlctl import --max-entries 2 h.tar
ok "... of what there is" ovlctl import --max-depth 3 --max-entries 3 --max-size 2K h.tar
ovlctl rm "$(cat .out)"
head -c 20000000 /dev/zero | gzip -9 >bomb.gz
fails 1 "holds more than 1048576 bytes" "a small file with much in it" \
	ovlctl import --max-size 1M bomb.gz

# A sparse file of 70 GB takes no space, and no time.
truncate -s 70G big
tar -S -cf big.tar big
id=$(ovlctl import big.tar)
is "a sparse file of 70 GB" "$(stat -c '%s %b' "$(tree_of "$id")/big")" "75161927680 0"
ovlctl rm "$id"
is "nothing is left of all that" "$(store_state)" "$before"

done_testing
