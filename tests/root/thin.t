#!/bin/sh
. "$(dirname "$0")/../lib.sh"
. "$top/tests/images.sh"

# Images that lack layers which the receiver has: "export --without", and their import. The
# receivers are h0 to h6, stores that have the lowest layers of six, and no others.
for i in 1 2 3 4 5 6; do
	printf 'file name=f%s data=%s\nfile name=same data=%s\nend\n' $i $i $i | tar_of $i.tar
done
docker_save save repo/app:1 A=1 1.tar 2.tar 3.tar 4.tar 5.tar 6.tar
tar -C save -cf app.tar .
need whole ovlctl import app.tar
ids=$(ovlctl ls -nr -o DEPTH,ID | sort -n | cut -d' ' -f2)
id() { echo "$ids" | sed -n "$1p"; } # N: the Nth from the bottom
for h in 1 2 3 4 5; do need - ovlctl tag "$(id $h)" l$h; done
for i in 1 2 3 4 5 6; do id $i >id.$i; done
for h in 1 2 3 4 5 6; do
	ovlctl export "$(id $h)" - | ovlctl --root h$h import - >/dev/null || stop "store $h"
done
here=$OVLCTL_ROOT
in_store() { OVLCTL_ROOT=$T/$1; }

# The layers in an archive of uncompressed layers, as numbers.
sha256sum [1-6].tar >sums
layers_in() { # ARCHIVE
	tar -tf "$1" | awk 'NR == FNR { n[$1] = substr($2, 1, 1); next }
		{ gsub(/^blobs\/sha256\/|\/layer.tar$/, "") }
		$0 in n { has[n[$0]] = 1 }
		END { for (i = 1; i < 7; i++) if (i in has) printf i }' sums -
}

# ---- any of six layers

# The layers of a set, which is given by bits.
set_of() { # BITS
	for i in 1 2 3 4 5 6; do
		[ $(($1 >> (i - 1) & 1)) = 0 ] || printf '%s ' $i
	done
}
step=1
short && step=7
all=0
set=0
: >wrong
while [ $set -lt 64 ]; do
	gone=$(set_of $set)
	left=$(set_of $((63 - set)) | tr -d ' ')
	highest=0
	for i in $gone; do highest=$i; done
	next=$(id $((highest + 1)))
	(for i in $gone; do cat id.$i; done) >list
	# Sets of an even number of layers go into one format, the others into the other; the
	# empty set and the large ones into both.
	n=$(wc -l <list)
	formats=$([ $((n % 2)) = 0 ] && echo oci || echo docker)
	[ $n != 0 ] && [ $n -lt 5 ] || formats='oci docker'
	for f in $formats; do
		case $f in
		oci) ovlctl export --compress none --without @list repo/app:1 thin.oci.tar ;;
		docker) ovlctl export --format docker --without @- repo/app:1 thin.docker.tar <list ;;
		esac
		[ "$(layers_in thin.$f.tar)" = "$left" ] || echo "$set: $f has $(layers_in thin.$f.tar)"
		in_store "h$highest"
		[ "$(ovlctl import --no-names thin.$f.tar)" = "$whole" ] || echo "$set: $f is not imported"
		case $f in
		oci) ovlctl diff --tar "$whole" | cmp -s - 6.tar || echo "$set: the tar" ;;
		docker) ovlctl -q check --content >/dev/null || echo "$set: check" ;;
		esac
		[ "$highest" = 6 ] || ovlctl rm -r "$next" || echo "$set: $f: rm"
		OVLCTL_ROOT=$here
	done >>wrong 2>&1
	all=$((all + 1))
	set=$((set + step))
done
is "$all sets of absent layers, in the two formats: the others are there, and are imported" "$(cat wrong)" ""

in_store h1
need - ovlctl import -n got app.tar
for i in 2 3 4 5 6; do
	ovlctl diff --tar "$(id $i)" >back.tar
	same "the tar of layer $i comes back" back.tar $i.tar
done
ovlctl rm -r "$(id 2)"
OVLCTL_ROOT=$here

# ---- what is written

ovlctl export repo/app:1 full.tar
ovlctl export --without l3 repo/app:1 thin.tar
ok "by LAYER: it and all below it" test "$(tar -tf thin.tar | wc -l)" = $(($(tar -tf full.tar | wc -l) - 3))
echo "$ids" | head -3 | ovlctl export --without @- repo/app:1 - >again.tar
same "... which a list of ids does too" again.tar thin.tar
echo "$ids" | head -3 | ovlctl export --without @- --without @- repo/app:1 - >again.tar
same "... or one that is read twice" again.tar thin.tar
id 1 >list
ovlctl export --without @list --without l3 --without l2 repo/app:1 again.tar
same "... or several options" again.tar thin.tar
ovlctl export --without l3 repo/app:1 thin
mkdir x && tar -C x -xf thin.tar
ok "... in a directory the same" diff -r x thin
m=thin/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' thin/index.json)
is "the manifest describes what is absent as the plain tar" \
	"$(jq -r '.layers[2] | "\(.digest) \(.size) \(.mediaType)"' "$m")" \
	"sha256:$(sha 3.tar) $(stat -c %s 3.tar) $layer_type"
is "... the others as they are" "$(jq -r '.layers[3:][].mediaType' "$m" | sort -u)" "$layer_type+gzip"
c=$(jq -r '.config.digest[7:]' "$m")
is "... the config is whole" "sha256:$(sha "thin/blobs/sha256/$c")" "$(ovlctl show repo/app:1 | jq -r '.layers[0].configs[0]')"
ovlctl export --format docker --without l3 repo/app:1 d.tar
is "a docker archive has the sizes" "$(tar -xOf d.tar manifest.json | jq -r '.[0].LayerSources[].size' | tr '\n' ' ')" \
	"$(stat -c %s 1.tar 2.tar 3.tar | tr '\n' ' ')"
ovlctl export --without "$whole" repo/app:1 none.tar
is "everything absent: config, manifest and names" "$(tar -tf none.tar | grep -c '[0-9a-f]\{64\}')" 2

head -c 300000 /dev/urandom >noise
mkdir noisy
mv noise noisy
tar -C noisy -cf noisy.tar .
need - ovlctl import -n noisy -p l5 noisy.tar
ovlctl export --without l5 noisy noisy.thin.tar
blobs=$(tar -tvf noisy.thin.tar | awk '$NF ~ /sha256.[0-9a-f]/ { n += $3 } END { print n }')
ok "what the archive adds is at most a twentieth" \
	test $(($(stat -c %s noisy.thin.tar) * 20)) -le $((blobs * 21))
ovlctl rm noisy

: >list
ovlctl export --without @list repo/app:1 again.tar
same "an empty list leaves nothing out" again.tar full.tar
need other ovlctl import -n other 6.tar
ovlctl create -n w l3 >/dev/null
ovlctl export --without other repo/app:1 again.tar
same "... nor does a layer that is not in the stack" again.tar full.tar
ovlctl ls -q w >list
ovlctl export w full-w.tar
ovlctl export --without @list w again.tar
same "... nor a writable layer's id" again.tar full-w.tar
ovlctl export --without w w w.tar
is "a writable layer is not left out, what is below is" "$(layers_in w.tar)" ""
in_store h3
ok "... imported" ovlctl import -n w "$T/w.tar"
ovlctl rm w
OVLCTL_ROOT=$here

# Six known ids among 99,994 others.
seq 100000 | awk '{ printf "%064x\n", $1 * 2654435761 % 4294967296 }' >list
{ tail -50000 list; echo "$ids"; head -49994 list; } >many
ok "a list of 100,000 ids" prlimit --cpu=5 ovlctl export --without @many repo/app:1 again.tar
same "... leaves out what it names" again.tar none.tar
printf '%s\r\n%s' "$(id 1)" "$(id 2)" >list
ovlctl export --without @list --without l3 repo/app:1 again.tar
same "lines that end in CR LF, and a last one without an end" again.tar thin.tar

bad_list() { # PATTERN WHAT
	fails 1 "cannot read 'list': $1" "$2" ovlctl export --without @list repo/app:1 bad.tar
	no "... nothing is written" test -e bad.tar
}
{ id 1; id 2 | cut -c1-63; id 3; } >list
bad_list "line 2 is not the full id of a layer, as 'ovlctl ls -q' prints it" "a line that is too short"
{ id 1; echo; } >list
bad_list "line 2 is not" "an empty line"
id 1 | tr a-f A-F >list
bad_list "line 1 is not" "a line in upper case"
{ echo "$ids"; head -c 100000 /dev/zero | tr '\0' a; } >list
bad_list "line 7 is not" "a very long line"
ovlctl ls >list
bad_list "line 1 is not" "a table"
rm list
fails 1 "cannot open 'list': No such file" "no file" ovlctl export --without @list repo/app:1 bad.tar
mkdir list
bad_list "Is a directory" "a directory"
rmdir list
fails 3 "no such layer 'nosuch'" "no such LAYER" ovlctl export --without nosuch repo/app:1 bad.tar
fails 2 "--without applies only to images" "--format tar" \
	ovlctl export --format tar --without l1 repo/app:1 bad.tar
no "... nothing is written" test -e bad.tar

# The same tar twice in a stack, of which the receiver has one.
need - ovlctl import -n twice -p l3 1.tar
for f in oci docker; do
	ovlctl export --format $f --without l3 twice twice.tar
	in_store h3
	is "a tar that is also that of an absent layer, $f" "$(ovlctl import twice.tar)" "$(OVLCTL_ROOT=$here ovlctl ls -q twice)"
	ovlctl rm twice:latest 2>/dev/null || ovlctl rm twice:twice
	OVLCTL_ROOT=$here
done

# ---- what is taken, and from where

gzip -c thin.tar >thin.tar.gz
zstd -qc d.tar >d.tar.zst
mkdir d
tar -C d -xf d.tar
for f in thin.tar thin.tar.gz thin d.tar d.tar.zst d; do
	in_store h3
	is "from $f" "$(ovlctl import --no-names $f)" "$whole"
	ovlctl rm -r "$(id 4)"
	if [ ! -d $f ]; then
		is "... from a pipe" "$(cat $f | ovlctl import --no-names -)" "$whole"
		ovlctl rm -r "$(id 4)"
	fi
	OVLCTL_ROOT=$here
done
in_store h6
is "all absent, as a docker archive" \
	"$(OVLCTL_ROOT=$here ovlctl export --format docker --without "$whole" repo/app:1 - | ovlctl import -n got -)" "$whole"
is "... the names come" "$(ovlctl ls -nr -o NAME "$whole")" "got,repo/app:1"
OVLCTL_ROOT=$here

# Several images, which share layers that are absent or not.
ovlctl export --without l2 l5 repo/app:1 l3 three.tar
in_store h2
is "several images" "$(ovlctl import --no-names three.tar)" "$(id 5; echo "$whole"; id 3)"
ovlctl rm -r "$(id 3)"
# The second has what the first lacks.
OVLCTL_ROOT=$here ovlctl export --without l2 repo/app:1 one
OVLCTL_ROOT=$here ovlctl export l4 both.oci
cp -n one/blobs/sha256/* both.oci/blobs/sha256
jq -sc '.[0].manifests += .[1].manifests | .[0]' one/index.json both.oci/index.json >index
mv index both.oci/index.json
in_store h0
is "one of them has the layers that another lacks" "$(ovlctl import --no-names both.oci)" "$(echo "$whole"; id 4)"
ovlctl rm -r "$(id 1)"

# Of two manifests for this machine in an index: the complete one, otherwise the first.
in_store h0
need - ovlctl import 1.tar
printf 'file name=x data=1\nend\n' | tar_of x.tar
L=two
mkdir two
first=$(manifest "$machine" A=1 1.tar)
second=$(manifest "$machine" A=2 x.tar)
platform="\"platform\":{\"os\":\"linux\",\"architecture\":\"$machine\"}"
printf '{"manifests":[{%s,%s},{%s,%s}]}' "$first" "$platform" "$second" "$platform" >index
layout two "\"mediaType\":\"$index_type\",$(blob index)"
rm "two/blobs/sha256/$(sha 1.tar)"
is "the complete one of two manifests for this machine" "$(ovlctl import two)" "$(sha x.tar)"
ovlctl rm "$(sha x.tar)"
rm "two/blobs/sha256/$(sha x.tar)"
is "... the first of two that lack layers" "$(ovlctl import two)" "$(sha 1.tar)"
ovlctl rm "$(sha 1.tar)"
fails 3 "layer sha256:$(sha 1.tar) .* is neither in the image nor in the store" "... which the store must have" \
	ovlctl import two
OVLCTL_ROOT=$here

# ---- what is refused

lines_of() { # LAYER...: what is said of each
	for i; do
		echo "ovlctl: import: 'thin.tar': layer sha256:$(sha $i.tar) ($(stat -c %s $i.tar) bytes) is neither in the image nor in the store"
	done
}
lacks() { # WHAT LINES COMMAND...
	what=$1 lines=$2
	before=$(store_state)
	shift 2
	"$@" >out 2>err
	is "$what: the status" $? 3
	is "... a line for each missing layer" "$(cat out err)" "$lines"
	is "... the store is as before" "$(store_state)" "$before"
}
in_store new
lacks "a new store" "$(lines_of 1 2 3)" ovlctl import thin.tar
lacks "... with -q" "$(lines_of 1 2 3)" ovlctl -q import thin.tar
no "... is not made" test -e new
in_store h1
lacks "a store that has one of them" "$(lines_of 2 3)" ovlctl import -n x thin.tar
in_store h2
lacks "a store that lacks one" "$(lines_of 3)" ovlctl import -n x thin.tar
lacks "... a docker archive" "$(lines_of 3 | sed s/thin.tar/d.tar/)" ovlctl import d.tar
lacks "... from a pipe" "$(lines_of 3 | sed s/thin.tar/-/)" sh -c 'ovlctl import - <d.tar.zst'
jq -c '.[0] |= del(.LayerSources)' d/manifest.json >m && mv m d/manifest.json
lacks "... one that tells no sizes" "$(lines_of 3 | sed 's/thin.tar/d/; s/ (.* bytes)//')" ovlctl import d
lacks "... and no names" "$(lines_of 3)" ovlctl import --no-names thin.tar
ok "... is sound" ovlctl check --content
in_store h3

# Digests of blobs that are present are checked as usual.
in_store h3
before=$(store_state)
cp -r thin wrong.thin
l=$(jq -r '.layers[4].digest[7:]' "$m")
printf x | dd of="wrong.thin/blobs/sha256/$l" bs=1 seek=9 conv=notrunc 2>/dev/null
fails 1 "its digest is|damaged" "a wrong tar in a thin image" ovlctl import wrong.thin
rm "wrong.thin/blobs/sha256/$c"
fails 1 "'blobs/sha256/$c' is missing" "... no config" ovlctl import wrong.thin
is "... the store is as before" "$(store_state)" "$before"
OVLCTL_ROOT=$here

# A layer with a manifest.json of its own.
mkdir -p web/static
echo '{"name":"app","icons":[{"src":"logo.json"}]}' >web/manifest.json
echo '{}' >web/logo.json
cp web/logo.json web/static/0123456789012345678901234567890123456789012345678901234567890123.json
tar -C web -cf web.tar .
is "a web application's layer is a layer" "$(ovlctl import -n web web.tar)" "$(sha web.tar)"
echo '["static/chunk.json"]' >web/manifest.json
tar -C web -cf web.tar .
is "... with a list of files" "$(ovlctl import -n web2 web.tar)" "$(sha web.tar)"

# With the other driver.
need - ovlctl --root both import --no-names app.tar
case $DRV in overlay) two=overlay2 ;; *) two=overlay ;; esac
in_store both
lacks "a store that has them with the other driver" \
	"$(lines_of 1 2 3 | sed "s/is neither.*/is not in the image, and the store has it only with the driver $DRV/")" \
	env -u OVLCTL_DRIVER ovlctl --driver $two import thin.tar
OVLCTL_ROOT=$here

# ---- meanwhile

# The layer below is removed while the image is being read.
need - cp -a h3 h3.copy
in_store h3.copy
mkfifo pipe
ovlctl import - <pipe >out 2>err &
import=$!
exec 9>pipe
head -c 2000 thin.tar >&9
ok "a layer below is removed before the image is complete" ovlctl rm "$(id 3)"
before=$(store_state)
tail -c +2001 thin.tar >&9
exec 9>&-
wait $import
is "... it is refused" "$? $(cat err)" "3 $(lines_of 3 | sed s/thin.tar/-/)"
ok "... the store is sound" ovlctl check --content
is "... it has nothing new" "$(ovlctl ls -q | wc -l)" 2

if can_trace; then
	in_store h3
	# It stops at its first rename until it may continue.
	traced -o trace -e trace=renameat2 -e inject=renameat2:signal=STOP:when=1 \
		ovlctl import --no-names thin.tar >out 2>err &
	import=$!
	until_true has_stopped trace
	fails 4 "is in use by another process" "a layer below is held during the import" \
		ovlctl --nowait rm "$(id 3)"
	go_on trace
	wait $import
	is "... which succeeds" "$? $(cat out err)" "0 $whole"
	ovlctl rm -r "$(id 4)"

	before=$(store_state)
	traced -qq -o /dev/null -e trace=renameat2 -e inject=renameat2:signal=TERM:when=1 \
		ovlctl import thin.tar >out 2>err
	ok "an import that is stopped leaves a sound store" ovlctl check --content
	ok "... can be given again" ovlctl import --no-names thin.tar
	ovlctl rm -r "$(id 4)"
	is "... and the store is as before" "$(store_state)" "$before"
fi

done_testing
