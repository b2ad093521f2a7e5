#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked
# not in a user namespace: bytes are read in the same way there

# Archives that are cut off, changed, or far larger than they look. HOSTILE_STEP: every
# so many bytes of a compressed one are changed (1: all).
: "${HOSTILE_STEP:=$(short && echo 11 || echo 3)}"
canaries
sha() { sha256sum <"$1" | cut -d' ' -f1; }

# A tar with every structure, each of which is cut somewhere.
mktar -b ends >rich.tar <<E
dir name=d mode=2750 uid=3 gid=4 pax.SCHILY.xattr.user.k=v
file name=d/f data=some\sdata mode=4755
file name=d/g fill=1500
link name=d/h link=d/f
link name=d/i link=d/f pax.x=y data=linkdata
symlink name=s link=d/f
symlink name=t gnulink=1 link=$(printf '%0150d' 1)
file gnuname=1 magic=gnu name=$(printf '%0250d' 1) data=1
fifo name=p
type=V name=label magic=gnu
file name=x pax.path=\xc3\xa9 pax.SCHILY.acl.access=u::r,u:5:r,g::r,o::r,m::r data=2
global name=p pax.comment=abcdef
file name=sparse0 data=ab pax.GNU.sparse.size=8 pax.GNU.sparse.numblocks=2 pax.GNU.sparse.offset=0 pax.GNU.sparse.numbytes=1 pax.GNU.sparse.offset=7 pax.GNU.sparse.numbytes=1
file name=x pax.GNU.sparse.major=1 pax.GNU.sparse.minor=0 pax.GNU.sparse.name=sparse1 pax.GNU.sparse.realsize=8 size=512 data=1\n0\n0\n
type=S name=sparseold magic=gnu data=a at.386=00000000000 at.398=00000000001 at.483=00000000010
file name=.wh.gone
file name=d/.wh..wh..opq
end
E
ok "the archive is sound when it is whole" ovlctl import rich.tar
like "... and what it is" "^$(sha rich.tar)$" "$(cat .out)"
ovlctl rm "$(cat .out)"
hostile_runs cut rich.tar ends
hostile_runs flip rich.tar $((HOSTILE_STEP * 61)) any

# Compressed: a truncated one is refused, or gives the same layer.
mktar >small.tar <<'E'
file name=a fill=3000
dir name=b
symlink name=c link=a
end
E
id=$(sha small.tar)
echo >none
gzip -nk9 small.tar
bzip2 -k small.tar
xz -k small.tar
zstd -q --check small.tar
lz4 -q --content-size small.tar small.tar.lz4
for z in gz bz2 xz zst lz4; do
	hostile_runs cut small.tar.$z none
	hostile_runs flip small.tar.$z "$HOSTILE_STEP" "$id"
done

# Data after and between the streams: each format defines what is valid.
taken() { # WHAT FILE [ID]
	ok "taken: $1" ovlctl import "$2"
	is "... the same layer" "$(cat .out)" "${3-$id}"
	ovlctl rm "$(cat .out)"
}
refused() { # PATTERN WHAT FILE [OPTION...]
	pattern=$1
	what=$2
	file=$3
	shift 3
	before=$(store_state)
	fails 1 "$pattern" "refused: $what" ovlctl import "$@" "$file"
	[ "$(store_state)" = "$before" ] || report 1 "$what: the store as it was"
}
head -c 2000 small.tar >part1
tail -c +2001 small.tar >part2
: >empty
for z in 'gzip -nc' 'bzip2 -c' 'xz -c' 'zstd -qc' 'lz4 -qc'; do
	$z <part1 >z1
	$z <part2 >z2
	$z <empty >z0
	cat z1 z2 >zz
	taken "${z%% *}: two members" zz
	cat z0 z0 z1 z0 z2 z0 >zz
	taken "${z%% *}: empty members" zz
	refused "empty|not a tar" "${z%% *}: nothing but an empty member" z0
	cat z1 z2 >zz
	printf 'garbage' >>zz
	refused "damaged|too early" "${z%% *}: garbage behind the end" zz
	cat z1 small.tar >zz
	refused "damaged" "${z%% *}: a plain tar behind a member" zz
	$z <small.tar.gz >zz
	refused "not a tar" "${z%% *}: compressed twice" zz
	head -c 100 /dev/urandom >>z0
	refused "damaged|empty|not a tar|early" "${z%% *}: noise behind an empty member" z0
done
(cat small.tar.gz; head -c 1000 /dev/zero) >zz
taken "gzip: zeros behind the end" zz
(cat small.tar.gz; head -c 1000 /dev/zero; cat small.tar.gz) >zz
refused "damaged" "gzip: a member behind zeros" zz
(cat small.tar.xz; head -c 4 /dev/zero; printf '\0') >zz
refused "damaged" "xz: padding that is none" zz
for n in 8 4; do
	(head -c -$n small.tar.gz; head -c $n /dev/zero) >zz
	refused "damaged" "gzip: a trailer of zeros ($n)" zz
done
head -c 100000 /dev/zero | zstd -q --long=30 --no-check -c >zz
refused "damaged zstd" "a zstd window of 1 GB" zz
for f in small.tar.gz small.tar.xz; do
	cat small.tar $f >zz
	taken "$f behind a plain tar's end" zz "$(sha zz)"
done

# The end of an archive.
printf 'file name=a data=1\n' | mktar >h.tar
taken "no end blocks" h.tar "$(sha h.tar)"
(cat h.tar; head -c 512 /dev/zero) >h1.tar
taken "one end block" h1.tar "$(sha h1.tar)"
(cat h.tar; head -c 1024 /dev/zero; echo trailing garbage) >h2.tar
taken "bytes behind the end" h2.tar "$(sha h2.tar)"
(cat h.tar; head -c 1024 /dev/zero; cat h.tar) >h2.tar
taken "entries behind the end are bytes" h2.tar "$(sha h2.tar)"
head -c 10240 /dev/zero >h3.tar
taken "an empty archive" h3.tar "$(sha h3.tar)"
refused "empty" "an empty file" empty
head -c 512 /dev/urandom >noise
refused "not a tar" "noise" noise
head -c 100 h.tar >short
refused "not a tar|damaged" "less than a header" short

# Limits.
printf 'file name=a fill=5000\nfile name=b fill=5000\nend\n' | mktar >h.tar
refused "holds more than 8192 bytes.*: see --max-size" "--max-size" h.tar --max-size 8K
refused "holds more than 1 entries: see --max-entries" "--max-entries" h.tar --max-entries 1
printf 'file name=a/b/c\nend\n' | mktar >h.tar
refused "too many components" "--max-depth" h.tar --max-depth 2
refused "more than 2 directories and entries: see --max-entries" "directories that are implied count" h.tar --max-entries 2
ok "taken: what keeps within limits" ovlctl import --max-depth 3 --max-entries 3 --max-size 2K h.tar
ovlctl rm "$(cat .out)"
truncate -s 20M big
tar -S -cf h.tar big
ok "taken: holes are no bytes of files" ovlctl import --max-size 20K h.tar
ovlctl rm "$(cat .out)"

# Bombs: small inputs that claim to be large. Neither time nor memory depend on the claim.
bomb() { # PATTERN WHAT FILE [OPTION...]
	pattern=$1
	what=$2
	file=$3
	shift 3
	before=$(store_state)
	fails 1 "$pattern" "bomb: $what" prlimit --cpu=20 --data=$((memory ? 200000000 : -1)) \
		ovlctl import "$@" "$file"
	[ "$(store_state)" = "$before" ] || report 1 "$what: the store as it was"
}
head -c 12000000 /dev/zero | gzip -9 | gzip -9 >zz
refused "not a tar" "a gzip of a gzip of zeros" zz
(printf 'file name=a size=12000000 nodata=1\n' | mktar; head -c 12000000 /dev/zero) | gzip -9 >zz
bomb "holds more than 1048576 bytes" "zeros in a file" zz --max-size 1M
(printf 'file name=a\nend\n' | mktar; head -c 12000000 /dev/zero) | gzip -9 >zz
bomb "holds more than 1048576 bytes" "zeros behind the end" zz --max-size 1M
yes 'file name=a' | head -3000 | mktar | gzip -9 >zz
bomb "holds more than 2000 entries" "entries" zz --max-entries 2000
bomb "holds more than 1048576 bytes" "headers" zz --max-size 1M
deep=$(printf '%01000d' 0 | sed 's,0,a/,g')
for i in 1 2 3 4 5 6 7 8; do echo "file name=x pax.path=$i/$deep"; done | mktar >zz
bomb "more than 5000 directories and entries" "names of many components" zz --max-entries 5000
i=0
while [ $i -lt 200 ]; do
	echo "file name=x pax.path=$deep$i"
	i=$((i + 1))
done | mktar >zz
taken "200 names of 1001 components" zz "$(sha zz)"
# A sparse map in the data of a file, in which an index of an image is searched for first.
(echo 3000000; yes 0 | head -6000000) >map
truncate -s %512 map
(printf 'file name=x nodata=1 size=%s pax.GNU.sparse.major=1 pax.GNU.sparse.minor=0 pax.GNU.sparse.name=f pax.GNU.sparse.realsize=8\n' \
	"$(stat -c %s map)" | mktar; cat map) >zz
bomb "over 1 MiB|damaged" "a map of three million holes" zz
i=0
while [ $i -lt 1000 ]; do
	echo "file name=f$i data=1"
	echo "file name=f$i data=2"
	i=$((i + 1))
done | mktar >zz
taken "names that are replaced" zz "$(sha zz)"

done_testing
