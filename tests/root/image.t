#!/bin/sh
. "$(dirname "$0")/../lib.sh"
. "$top/tests/images.sh"

# overlay: when asked

for i in 1 2 3 4; do
	mkdir -p "t$i/d"
	echo "layer $i" >"t$i/f$i"
	echo "in all, $i" >"t$i/d/same"
	tar -C "t$i" --owner=0 --group=0 --sort=name --mtime=@$i -cf "$i.tar" .
done
printf 'file name=.wh.f1\nfile name=d/.wh..wh..opq\nfile name=d/new data=3\nend\n' | mktar >3.tar

chain=$(sha 1.tar)
for i in 2 3; do
	chain=$(printf 'sha256:%s sha256:%s' "$chain" "$(sha $i.tar)" | sha256sum | cut -d' ' -f1)
done

empty_store() {
	ovlctl ls -nr -o ID | xargs -r ovlctl rm -r -f
}

# Checks the import of an image of layers 1 to 3.
check_image() { # WHAT NAME
	is "$1: depth" "$(ovlctl ls -nr -o DEPTH "$2")" 2
	need m ovlctl mount "$2"
	is "$1: the merged tree" "$(cd "$m" && find . -type f | sort | tr '\n' ' ')$(cat "$m/d/new")" \
		"./d/new ./f2 3"
	ovlctl umount "$2"
	is "$1: the config is kept" "$(cat "$OVLCTL_ROOT/$DRV/$chain/.configs/"*)" "$(cat wanted.json)"
	ids=$(ovlctl show "$2" | jq -r '.layers[0] | [.id] + [.stack[].id] | .[]')
	n=3
	for id in $ids; do
		ovlctl diff --tar "$id" >back.tar
		same "$1: the tar of layer $n comes back" back.tar $n.tar
		n=$((n - 1))
	done
}

# ---- what is taken -----------------------------------------------------------------

L=oci
d=$(manifest "$machine" A=1 1.tar 2.tar 3.tar)
config "$machine" A=1 1.tar 2.tar 3.tar >wanted.json
layout oci "$d$(ref 'example.org/app:v1')"
is "a layout as a directory: the chain id" "$(ovlctl import oci)" "$chain"
check_image "a layout as a directory" example.org/app:v1
before=$(store_state)
is "again: the same id" "$(ovlctl import oci)" "$chain"
is "... nothing changes" "$(store_state)" "$before"
empty_store

tar -C oci -cf oci.tar oci-layout index.json blobs
gzip -nc oci.tar >oci.tar.gz
zstd -qc oci.tar >oci.tar.zst
for f in oci.tar oci.tar.gz oci.tar.zst; do
	is "a layout as $f" "$(ovlctl import -n other "$f")" "$chain"
	is "... its names" "$(ovlctl ls -nr -o NAME other)" "example.org/app:v1,other"
	empty_store
done
is "from a pipe" "$(gzip -dc oci.tar.gz | ovlctl import -)" "$chain"
check_image "from a pipe" example.org/app:v1
empty_store
is "... as a layer, if one says so" "$(gzip -dc oci.tar.gz | ovlctl import --as layer -)" "$(sha oci.tar)"
empty_store

# Layers that need windows of 128 MiB, imported in parallel: only one at a time has its window.
docker_save wide repo/wide:1 A=1 1.tar 2.tar 4.tar
for f in wide/*/layer.tar; do
	zstd -q --long=27 <"$f" >packed
	mv packed "$f"
done
tar -C wide -cf wide.tar $(ls wide)
memory=280000000
[ "$MODE" = release ] || memory=-1
is "memory for one large window" \
	"$(taskset -c 0,1 prlimit --data=$memory ovlctl import wide.tar >/dev/null && ovlctl ls -nr -o DEPTH repo/wide:1)" 2
empty_store
# One of them fails while others wait for it.
printf 'file name=f data=1\nfile name=../x data=1\nend\n' | mktar >out.tar
docker_save hang repo/hang:1 A=1 out.tar 1.tar 2.tar 4.tar
for f in hang/*/layer.tar; do
	zstd -q --long=27 <"$f" >packed
	mv packed "$f"
done
tar -C hang -cf hang.tar $(ls hang)
for i in 1 2 3 4 5 6; do
	timeout 100 ovlctl import hang.tar 2>/dev/null
	echo $?
done | sort -u >got
is "a layer that fails lets go of its window" "$(cat got)" 1

# Two images of one archive with the same name.
docker_save twice repo/two:1 A=1 1.tar
docker_save twice repo/two:1 A=1 1.tar 2.tar
tar -C twice -cf twice.tar $(ls twice)
need id ovlctl import 1.tar
before=$(store_state)
fails 1 "two images in it have the name 'repo/two:1'" "a name of two images" ovlctl import twice.tar
is "... nothing is changed" "$(store_state)" "$before"
empty_store

docker_save save repo/app:1 A=1 1.tar 2.tar 3.tar
tar -C save -cf save.tar .
is "a docker-save archive" "$(ovlctl import save.tar)" "$chain"
check_image "a docker-save archive" repo/app:1
empty_store

# As Docker writes it since version 25, and with a layer that is a symlink to another.
mkdir -p new/blobs/sha256
for f in 1.tar 2.tar 3.tar wanted.json; do cp $f "new/blobs/sha256/$(sha $f)"; done
printf '[{"Config":"blobs/sha256/%s","RepoTags":["new:1"],"Layers":["blobs/sha256/%s","blobs/sha256/%s","blobs/sha256/%s"]}]' \
	"$(sha wanted.json)" "$(sha 1.tar)" "$(sha 2.tar)" "$(sha 3.tar)" >new/manifest.json
echo '{"imageLayoutVersion":"1.0.0"}' >new/oci-layout
tar -C new -cf new.tar blobs manifest.json oci-layout
is "the form with blobs" "$(ovlctl import new.tar)" "$chain"
check_image "the form with blobs" new:1
empty_store
mkdir -p sym/x
cp 1.tar sym/x/layer.tar
mkdir sym/y
ln -s ../x/layer.tar sym/y/layer.tar
config "$machine" S=1 1.tar 1.tar >sym/c.json
printf '[{"Config":"c.json","RepoTags":null,"Layers":["x/layer.tar","y/layer.tar"]}]' >sym/manifest.json
tar -C sym -cf sym.tar x y c.json manifest.json
is "a layer that is a symlink to another" "$(ovlctl ls -nr -o DEPTH "$(ovlctl import sym.tar)")" 1
empty_store

# A tag that is not a valid name, or looks like the id of another layer.
other=$(ovlctl import 4.tar)
docker_save hides "$(printf %.6s "$other")" A=1 1.tar
tar -C hides -cf hides.tar .
ovlctl import hides.tar >out 2>err
is "a tag that another layer's id begins with is left out" "$? $(ovlctl ls -nr -o NAME "$(cat out)") $(cat err)" \
	"0  ovlctl: import: warning: the name '$(printf %.6s "$other")' is a prefix of the id of layer $(printf %.12s "$other"): skipped"
empty_store

# Several images.
docker_save two a:1 A=1 1.tar 2.tar 3.tar
docker_save two b:1 B=1 1.tar 2.tar
docker_save two c:latest C=1 1.tar 2.tar 3.tar
tar -C two -cf two.tar .
is "several images: an id for each" "$(ovlctl import two.tar | wc -l)" 3
is "... all names" "$(ovlctl ls -nr -o NAME | grep . | sort | tr '\n' ' ')" "a:1,c:latest b:1 "
is "... two configs of one stack of layers" "$(ls "$OVLCTL_ROOT/$DRV/$chain/.configs" | wc -l)" 2
empty_store
is "--image chooses" "$(ovlctl import --image b:1 two.tar >/dev/null; ovlctl ls -nr -o NAME | grep .)" "b:1"
ok "... :latest may be left out" ovlctl import --image c two.tar
before=$(store_state)
fails 1 "no image 'd:1'" "--image that is not there" ovlctl import --image d:1 two.tar
fails 2 "3 images, and -n can name only one" "-n for several images" ovlctl import -n x two.tar
is "... nothing changes" "$(store_state)" "$before"
empty_store

# Platforms.
L=multi
x=$(manifest "$machine" X=1 1.tar 2.tar 3.tar)
y=$(manifest sparc64 Y=1 1.tar)
z=$(manifest arm Z=1 2.tar)
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[{%s,"platform":{"os":"linux","architecture":"sparc64"}},{%s,"platform":{"os":"unknown","architecture":"unknown"}},{%s,"platform":{"os":"linux","architecture":"arm","variant":"v7"}},{%s,"platform":{"os":"linux","architecture":"%s"}}]}' \
	$index_type "$y" "$y" "$z" "$x" "$machine" >index
layout multi "\"mediaType\":\"$index_type\",$(blob index)$(ref multi:1)"
is "an index: this machine's" "$(ovlctl import multi)" "$chain"
empty_store
is "--platform linux/sparc64" "$(ovlctl import --platform linux/sparc64 multi)" "$(sha 1.tar)"
is "... has the name" "$(ovlctl ls -nr -o NAME)" "multi:1"
empty_store
is "--platform with a variant" "$(ovlctl import --platform linux/arm/v7 multi)" "$(sha 2.tar)"
empty_store
fails 1 "no image for linux/s390x, only for linux/sparc64, linux/arm/v7, linux/$machine" \
	"a platform that is not there" ovlctl import --platform linux/s390x multi
fails 1 "no image for linux/arm/v6" "a variant that is not there" ovlctl import --platform linux/arm/v6 multi
fails 1 "the image is for linux/$machine, not for linux/s390x" "of a single image too" \
	ovlctl import --platform linux/s390x oci

fails 1 "the image is for linux/$machine, not for linux/s390x" "of a docker archive" \
	ovlctl import --platform linux/s390x save.tar
rm -rf bad
mkdir bad
tar -C bad -xf save.tar
jq '.os="\u001b[2J"' "bad/$(jq -r '.[0].Config' bad/manifest.json)" >bad/config
jq '.[0].Config="config"' bad/manifest.json >x
mv x bad/manifest.json
tar -C bad -cf bad.tar manifest.json config $(jq -r '.[0].Layers[]' bad/manifest.json)
fails 1 "the image is for .033\[2J/$machine, not for linux/s390x" "... whose config has an escape" \
	ovlctl import --platform linux/s390x bad.tar
fails 2 "'foo' is not a platform" "--platform foo" ovlctl import --platform foo oci

# Many layers at once, some of them several times.
many=
for i in $(seq 40); do
	printf 'file name=n%s data=%s\nfile name=same data=%s\nend\n' "$i" "$i" "$i" | mktar >"m$i.tar"
	many="$many m$i.tar"
done
L=many
d=$(manifest "$machine" M=1 $many m1.tar m1.tar)
layout many "$d$(ref many:1)"
need id ovlctl import many
is "42 layers" "$(ovlctl ls -nr -o DEPTH "$id")" 41
need m ovlctl mount "$id"
is "... in their order" "$(ls "$m" | wc -l) $(cat "$m/same")" "41 1"
ovlctl umount "$id"

# Existing layers are not read, even if the input has changed.
for i in 1 4 7; do
	h=$(sha m$i.tar)
	printf x | dd of="many/blobs/sha256/$h" conv=notrunc 2>/dev/null
done
is "layers that are there are not read again" "$(ovlctl import many)" "$id"
empty_store

# ---- what is refused ---------------------------------------------------------------

need - ovlctl import -n kept 4.tar
before=$(store_state)
refused() { # STATUS PATTERN WHAT COMMAND...
	fails "$@"
	[ "$(store_state)" = "$before" ] || report 1 "$3: the store as it was"
}

refused 1 "layer sha256:.*: its digest is sha256:.*, not|its diff id is|not a tar archive" "a wrong layer blob" ovlctl import many
refused 2 "is an image: -p applies only to layers" "-p with an image" ovlctl import -p kept oci
refused 2 "is an image: --expect applies only to layers" "--expect with an image" ovlctl import --expect "$chain" oci
refused 2 "is a layer: --image and --platform apply only to images" "--image with a layer" ovlctl import --image x 1.tar
refused 2 "--as takes layer or image, not 'thing'" "--as thing" ovlctl import --as thing oci
refused 2 "is a directory and not an image layout" "--as layer with a directory" ovlctl import --as layer oci
mkdir nothing
refused 1 "'nothing' is not an image" "a directory that is not an image" ovlctl import nothing
refused 1 "'4.tar' is not an image" "--as image with a layer" ovlctl import --as image 4.tar
refused 1 "is not an image" "... from a pipe" sh -c 'ovlctl import --as image - <4.tar'
refused 5 "the name 'kept' is already used by layer" "a tag that is another layer's" ovlctl import -n kept oci

# A fresh layout, changed by a command in it.
broken() { # PATTERN WHAT COMMAND
	rm -rf bad
	cp -r oci bad
	(cd bad && eval "$3")
	refused "${4-1}" "$1" "$2" ovlctl import bad
}
m=$(jq -r '.manifests[0].digest[7:]' oci/index.json)
c=$(jq -r '.config.digest[7:]' "oci/blobs/sha256/$m")
l=$(jq -r '.layers[1].digest[7:]' "oci/blobs/sha256/$m")
broken "layer sha256:$(sha 2.tar) .* is neither in the image nor in the store" "a missing layer" "rm blobs/sha256/$l" 3
broken "'blobs/sha256/$c' is missing" "a missing config" "rm blobs/sha256/$c"
broken "'blobs/sha256/$m' is missing" "a missing manifest" "rm blobs/sha256/$m"
broken "'blobs/sha256/$m' has .* bytes, not" "a longer manifest" "echo >>blobs/sha256/$m"
broken "'blobs/sha256/$m' has the digest" "another manifest" "tr 1 2 <blobs/sha256/$m >x; mv x blobs/sha256/$m"
broken "'blobs/sha256/$c' has the digest" "another config" "tr A B <blobs/sha256/$c >x; mv x blobs/sha256/$c"
broken "blob 'blobs/sha256/$l' has .* bytes, not" "a longer layer" "echo >>blobs/sha256/$l"
broken "its digest is|damaged gzip" "another layer" "printf x | dd of=blobs/sha256/$l bs=1 seek=9 conv=notrunc 2>/dev/null"
broken "'blobs/sha256/$l' leads outside the image through a symlink" "a symlink for a layer" "rm blobs/sha256/$l; ln -s /etc/passwd blobs/sha256/$l"
broken "is missing|is not a regular file" "a directory for a layer" "rm blobs/sha256/$l; mkdir blobs/sha256/$l"
broken "is not an image" "no index" "rm index.json"
broken "'index.json' is not JSON: line 2" "an index that is no JSON" "echo '{' >index.json"
broken "the index has no manifests" "an index of nothing" "echo '{}' >index.json"
broken "no image" "an empty index" "echo '{\"manifests\":[]}' >index.json"
broken "version '9.0.0'" "a layout of the future" "echo '{\"imageLayoutVersion\":\"9.0.0\"}' >oci-layout"
broken "over 4 MiB" "an index of 5 MB" "(cat index.json; head -c 5000000 /dev/zero | tr '\\0' ' ') >x; mv x index.json"
broken "is not a sha256 digest" "a digest that leads elsewhere" \
	"sed 's/sha256:[0-9a-f]*/sha256:..\\/..\\/..\\/etc\\/passwd/' index.json >x; mv x index.json"
broken "line 1: .* near '.033'" "... with an escape, which the message has not" \
	"printf '{\\033]0;x\\007' >index.json"
broken "for .*, only for .033\[2J/x" "an escape in a platform" \
	"jq '.manifests += .manifests | .manifests[].platform={os:\"\\u001b[2J\",architecture:\"x\"}' index.json >x; mv x index.json"
broken "holds more than 100000 values" "deep JSON" "head -c 200000 /dev/zero | tr '\\0' '[' >index.json"

# A manifest of its own, by changing one of the good ones.
changed() { # PATTERN WHAT JQ-FILTER-OF-THE-MANIFEST
	rm -rf bad
	cp -r oci bad
	jq -c "$3" "oci/blobs/sha256/$m" >manifest.json
	L=bad
	layout bad "\"mediaType\":\"$manifest_type\",$(blob manifest.json)"
	refused 1 "$1" "$2" ovlctl import bad
}
changed "is encrypted" "an encrypted layer" \
	'.layers[1].mediaType = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"'
changed "is of an unknown media type" "a layer of another kind" '.layers[0].mediaType = "text/plain"'
changed "it is an artifact, not an image" "an artifact" '.config.mediaType = "application/vnd.example"'
changed "lists 3 layers, but the image has 2" "a layer too few" '.layers |= .[0:2]'
changed "its diff id is sha256:.*, not" "layers in another order" '.layers |= [.[1],.[0],.[2]]'
changed "has no size" "a layer without a size" 'del(.layers[0].size)'
changed "more than 1024 layers" "1025 layers" '.layers |= [range(1025) as $i | .[0]]'
changed "the image has no layers|lists 3 layers" "no layers" '.layers = []'

# Indexes that each refer to another index a thousand times.
L=wide-index
printf '{"manifests":[]}' >index
mkdir -p $L
for i in 1 2 3 4; do
	d="\"mediaType\":\"$index_type\",$(blob index)"
	awk -v d="$d" 'BEGIN { printf "{\"manifests\":["; for (i = 0; i < 1000; i++) printf "%s{%s}", i ? "," : "", d; printf "]}" }' >index
done
layout $L "\"mediaType\":\"$index_type\",$(blob index)"
refused 1 "has more than 4096 .*or 32 MiB|nested too deep" "an index of 10^12 indexes" timeout 60 ovlctl import $L

# Indexes in indexes.
L=nest
d=$(manifest "$machine" A=1 1.tar)
for i in 1 2 3 4 5 6; do
	printf '{"manifests":[{%s}]}' "$d" >index
	d="\"mediaType\":\"$index_type\",$(blob index)"
	layout nest "$d"
	if [ $i -le 4 ]; then
		is "$i indexes in each other" "$(ovlctl import nest)" "$(sha 1.tar)"
		ovlctl rm "$(sha 1.tar)"
	fi
done
refused 1 "nested too deep" "6 indexes in each other" ovlctl import nest

# docker-save archives.
saved() { # PATTERN WHAT COMMAND
	rm -rf bad
	cp -r save bad
	(cd bad && eval "$3")
	tar -C bad -cf bad.tar $(ls bad)
	refused "${4-1}" "$1" "$2" ovlctl import --as image bad.tar
}
conf=$(jq -r '.[0].Config' save/manifest.json)
lay=$(jq -r '.[0].Layers[1]' save/manifest.json)
saved "layer sha256:$(sha 2.tar) is neither in the image nor in the store" "docker: a missing layer" "rm $lay" 3
saved "is not an image|is missing" "docker: a missing config" "rm $conf"
saved "its diff id is" "docker: another layer" "cp ../4.tar $lay"
saved "leaves the layer" "docker: a name that leads out" \
	"sed 's,$lay,../../etc/passwd,' manifest.json >x; mv x manifest.json"
saved "is not an image|is not JSON" "docker: a manifest that is no JSON" "echo '[' >manifest.json"
saved "too many links" "docker: symlinks in a circle" "rm $lay; ln -s layer2 $lay; ln -s layer.tar $(dirname $lay)/layer2"
tar -C save -cf bad.tar $(ls save)
mkdir -p "twice/$(dirname "$lay")"
tr 1 2 <"save/$lay" >"twice/$lay"
tar -C twice -rf bad.tar "$lay"
refused 1 "'$lay' occurs twice in the archive, with different content" "docker: a layer that is there twice" ovlctl import bad.tar

# A full disk, a signal.
if ! as_user; then
	mkdir small
	mount -t tmpfs -o size=600k none small
	head -c 400000 /dev/urandom >t1/noise
	head -c 400000 /dev/urandom >t2/noise
	tar -C t1 -cf n1.tar .
	tar -C t2 -cf n2.tar .
	L=big
	d=$(manifest "$machine" A=1 n1.tar n2.tar)
	layout big "$d"
	ovlctl --root small create >/dev/null
	full=$(OVLCTL_ROOT=small store_state)
	fails 1 "No space left on device" "a full disk" ovlctl --root small import big
	is "... nothing is left" "$(OVLCTL_ROOT=small store_state)" "$full"
	umount small
fi
mkfifo pipe
(cat oci.tar; head -c 1000000 /dev/zero; sleep 60) >pipe &
feeder=$!
ovlctl import --as image - <pipe 2>err &
pid=$!
until_true spools $pid
kill -TERM $pid
wait $pid
is "SIGTERM ends the work" "$?" 143
end $feeder
is "... nothing is left" "$(store_state)" "$before"

done_testing
