#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

mkdir -p src/usr/bin
echo hello >src/usr/bin/hello
# Several of the blocks that are read at a time.
head -c 400000 /dev/urandom >src/usr/noise
tar -C src --sort=name --owner=0 --group=0 --numeric-owner -cf a.tar .
sum=$(sha256sum <a.tar | cut -d' ' -f1)

# The same layer from each kind of input.
for z in cat 'gzip -c' 'zstd -qc' 'xz -0c' 'bzip2 -c' 'lz4 -qc'; do
	export OVLCTL_ROOT="$T/store-${z%% *}"
	$z <a.tar >a.packed
	need id ovlctl import a.packed
	is "${z%% *}: the id of a bottom layer is its diff id" "$id" "$sum"
	ok "${z%% *}: the same tree" diff -r --no-dereference src "$(tree_of "$id")"
done
export OVLCTL_ROOT="$T/store"

gzip -c a.tar >a.gz
is "from standard input" "$(ovlctl import - <a.tar)" "$sum"
before=$(store_state)
is "from a pipe, compressed" "$(gzip -dc a.gz | gzip -1 | ovlctl import -)" "$sum"
is "again: nothing changes" "$(store_state)" "$before"
is "a pipe in small pieces" "$(dd if=a.gz bs=7 2>/dev/null | ovlctl import -)" "$sum"
(head -c 300000 a.gz; tail -c +300001 a.gz) >joined
is "gzip members one after the other" \
	"$( (head -c 300000 a.tar | gzip -c; tail -c +300001 a.tar | gzip -c) | ovlctl import -)" \
	"$sum"
is "zero padding behind gzip" "$( (cat a.gz; head -c 1000 /dev/zero) | ovlctl import -)" "$sum"
is "zstd frames" \
	"$( (head -c 300000 a.tar | zstd -qc; tail -c +300001 a.tar | zstd -qc) | ovlctl import -)" \
	"$sum"
is "bzip2 streams" \
	"$( (head -c 300000 a.tar | bzip2 -c; tail -c +300001 a.tar | bzip2 -c) | ovlctl import -)" \
	"$sum"
is "xz streams" \
	"$( (head -c 300000 a.tar | xz -0c; tail -c +300001 a.tar | xz -0c) | ovlctl import -)" \
	"$sum"
is "lz4 frames" \
	"$( (head -c 300000 a.tar | lz4 -qc; tail -c +300001 a.tar | lz4 -qc) | ovlctl import -)" \
	"$sum"

# On top of it.
mkdir up && echo more >up/more
tar -C up --sort=name --owner=0 --group=0 --numeric-owner -cf b.tar more
sumb=$(sha256sum <b.tar | cut -d' ' -f1)
chain=$(printf 'sha256:%s sha256:%s' "$sum" "$sumb" | sha256sum | cut -d' ' -f1)
is "chain id of a second layer" "$(ovlctl import -n two -p "$sum" b.tar)" "$chain"
is "by name, the same" "$(ovlctl import -p "$sum" -n two b.tar)" "$chain"
is "the same tar alone is another layer" "$(ovlctl import b.tar)" "$sumb"
is "a second name" "$(ovlctl import -n also/two:1 -p "$sum" b.tar)" "$chain"
is "both names" "$(ovlctl ls -nr -o NAME two)" "also/two:1,two"

ok "--expect what it is" ovlctl import --expect "sha256:$sum" a.gz
ok "--expect without the algorithm" ovlctl import --expect "$sum" a.gz
before=$(store_state)
fails 1 "its diff id is sha256:$sum, not sha256:$sumb" "--expect something else" \
	ovlctl import --expect "$sumb" a.gz
sumgz=$(sha256sum <a.gz | cut -d' ' -f1)
for from in "--as layer a.gz" "a.gz" "-"; do
	fails 1 "'$(echo "$from" | sed 's/.* //')': sha256:$sumgz is the digest of the compressed tar; its diff id is sha256:$sum" \
		"... the digest of the compressed tar: $from" sh -c "ovlctl import --expect $sumgz $from <a.gz"
done
fails 5 "the name 'two' is already used by layer" "a name that is taken" ovlctl import -n two a.gz
fails 2 "'sha256:12' is not a digest" "--expect no digest" ovlctl import --expect sha256:12 a.gz
fails 2 "is not a valid name" "a bad name" ovlctl import -n '-x' a.gz
fails 2 "is not a valid name" "an id as a name" ovlctl import -n "$sum" a.gz
fails 3 "no such layer 'nowhere'" "no such parent" ovlctl import -p nowhere a.gz
fails 1 "cannot open 'nofile': No such file" "no such file" ovlctl import nofile
fails 1 "'src' is not an image: .*; for a layer: tar -C DIR -c . [|] ovlctl import -" "a directory" ovlctl import src
need w ovlctl create two
before2=$(store_state)
fails 1 "writable: only an image layer can be a parent" "a writable parent" \
	ovlctl import -p "$w" a.gz
is "nothing has changed" "$(store_state)" "$before2"
ovlctl rm "$w"
is "nor before that" "$(store_state)" \
	"$before"

: >empty
head -c 700 a.tar >cut1
head -c 100000 a.gz >cut2
printf 'no tar at all, but some text that is long enough to be looked at\n' >text
fails 1 "'empty': it is empty" "an empty file" ovlctl import empty
gzip <empty >empty.gz
fails 1 "'empty.gz': it is empty" "... compressed" ovlctl import empty.gz
fails 1 "damaged tar archive" "a truncated tar" ovlctl import cut1
fails 1 "gzip data ends too early" "truncated gzip" ovlctl import cut2
fails 1 "not a tar archive" "no tar" ovlctl import text
# In several blocks, of which the first is not damaged.
for z in 'gzip -c' 'zstd -qc --check' 'xz -0c' 'bzip2 -1c' 'lz4 -qc'; do
	$z <a.tar >p
	size=$(stat -c %s p)
	head -c $((size - 1)) p >q
	fails 1 "${z%% *} data (ends too early|: )" "${z%% *} without its last byte" ovlctl import q
	(cat p; echo garbage) >q
	fails 1 "damaged ${z%% *} data|ends too early" "garbage behind ${z%% *}" ovlctl import q
	cp p q
	printf '\377\376\375' | dd of=q bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
	fails 1 "damaged" "${z%% *} with wrong bytes" ovlctl import q
done
cp a.gz q
printf '\1\2\3\4' | dd of=q bs=1 seek=$(($(stat -c %s q) - 8)) conv=notrunc 2>/dev/null
fails 1 "damaged gzip data: incorrect data check" "a wrong gzip CRC" ovlctl import q
cp a.gz q
printf '\1\2' | dd of=q bs=1 seek=$(($(stat -c %s q) - 4)) conv=notrunc 2>/dev/null
fails 1 "damaged gzip data: incorrect (length|data) check" "a wrong gzip length" ovlctl import q
is "still nothing has changed" "$(store_state)" \
	"$before"

# Headers only, more than a reader holds at a time; and a tree deeper than the number of
# directories that are kept open.
awk 'BEGIN { for (i = 0; i < 6000; i++) print "file name=e/" i; print "end" }' | mktar >headers.tar
need id ovlctl import headers.tar
is "3 MiB of headers alone" "$(ls "$(tree_of "$id")/e" | wc -l)" 6000
ovlctl rm "$id"
deep=$(printf '%0600d' 0 | sed 's,0,d/,g')
printf 'file gnuname=1 name=%sf mtime=7\ndir gnuname=1 name=%smtime=5 mode=711\ndir gnuname=1 name=%sx mtime=6\nend\n' \
	"$deep" "$deep " "$deep" | mktar >deep.tar
need id ovlctl import deep.tar
is "600 directories in each other" "$(cd "$(tree_of "$id")/$deep" &&
	stat -c '%n %a %Y' . f x | tr '\n' ' ')" ". 711 5 f 644 7 x 755 6 "
ovlctl rm "$id"

# A deep path through a deep stack needs few descriptors.
parent=
for i in 1 2 3 4 5 6 7 8; do
	printf 'file gnuname=1 name=%sf%s\nend\n' "$deep" $i | mktar >deep.tar
	parent=$(prlimit --nofile=500:500 ovlctl import ${parent:+-p $parent} deep.tar)
done
is "600 directories in 8 layers" "$(ovlctl ls -nr -o DEPTH "$parent")" 7

done_testing
