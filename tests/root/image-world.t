#!/bin/sh
. "$(dirname "$0")/../lib.sh"
. "$top/tests/images.sh"
# overlay: when asked

# Unusual images: everything that docker, podman, skopeo or containerd load.

for i in 1 2 3; do
	printf 'file name=f%s data=%s\nend\n' "$i" "$i" | mktar >"$i.tar"
done
one=$(sha 1.tar)
two=$(sha 2.tar)
: >zero.tar
zero=$(sha zero.tar)
chain_of() { printf 'sha256:%s sha256:%s' "$1" "$2" | sha256sum | cut -d' ' -f1; }
empty_store() {
	ovlctl ls -nr -o ID | xargs -r ovlctl rm -r -f
}
names() { ovlctl ls -nr -o NAME "$@" | grep . | tr ',' '\n' | sort | paste -sd' '; }

# Imports an image: the layer's id, and the messages.
takes() { # WHAT ID SAID COMMAND...
	what=$1 id=$2 said=$3
	shift 3
	is "$what" "$("$@" 2>err)" "$id"
	if [ "$said" ]; then
		like "... says so" "^ovlctl: import: warning: .*$said" "$(cat err)"
		is "... in one line" "$(wc -l <err)" 1
	else
		is "... says nothing" "$(cat err)" ""
	fi
}

# A docker-save archive $1 of a config file and layer files, named app:1.
saved() { # ARCHIVE CONFIG LAYER...
	archive=$1 config=$2
	shift 2
	printf '[{"Config":"%s","RepoTags":["%s"],"Layers":[%s]}]' "$config" "${tag-app:1}" \
		"$(printf '"%s"\n' "$@" | paste -sd,)" >manifest.json
	tar -cf "$archive" manifest.json "$config" "$@"
}

# ---- layers ------------------------------------------------------------------------

# Layers of no bytes, as the config says: plain, and compressed.
gzip -nc zero.tar >zero.tar.gz
config "$machine" A=1 1.tar zero.tar 2.tar >c.json
top=$(chain_of "$(chain_of "$one" "$zero")" "$two")
for z in zero.tar zero.tar.gz; do
	saved zero.image c.json 1.tar $z 2.tar
	takes "an empty layer as $z" "$top" "" ovlctl import zero.image
	is "... comes back" "$(ovlctl diff --tar "$(chain_of "$one" "$zero")" | wc -c)" 0
	ok "... is sound" ovlctl check --content
	need - ovlctl export "$top" back
	is "... and goes out and in again" "$(ovlctl --root other import back)" "$top"
	rm -rf back other
	empty_store
done
L=zerolayout
layout $L "$(manifest "$machine" A=1 1.tar zero.tar 2.tar)$(ref app:1)"
takes "an empty layer in an OCI layout" "$top" "" ovlctl import $L
empty_store
fails 1 "it is empty" "an empty file alone is no layer" ovlctl import zero.tar
fails 1 "it is empty" "... whatever it must be" ovlctl import --expect "$zero" zero.tar
config "$machine" A=1 1.tar zero.tar >c.json
saved zero.image c.json 1.tar 2.tar
fails 1 "its diff id is" "a layer that should be empty and is not" ovlctl import zero.image

# Layers that may be elsewhere, but are in the input.
changed() { # DIR JQ-FILTER: a copy of layout L, its manifest changed
	rm -rf "$1"
	cp -r "$L" "$1"
	m=$(jq -r '.manifests[0].digest[7:]' "$L/index.json")
	jq -c "$2" "$L/blobs/sha256/$m" >manifest.json
	was=$L L=$1
	d="\"mediaType\":\"$manifest_type\",$(blob manifest.json)"
	layout "$1" "$d$(ref app:1)"
	L=$was
}
L=plain
layout $L "$(manifest "$machine" A=1 1.tar 2.tar)$(ref app:1)"
top=$(chain_of "$one" "$two")
for type in application/vnd.oci.image.layer.nondistributable.v1.tar \
	application/vnd.oci.image.layer.nondistributable.v1.tar+zstd \
	application/vnd.docker.image.rootfs.foreign.diff.tar.gzip; do
	changed foreign ".layers[0].mediaType = \"$type\""
	takes "a layer of type $type" "$top" "" ovlctl import foreign
	empty_store
done
rm "foreign/blobs/sha256/$one"
fails 1 "is nondistributable, and its blob is not in the input" "... that is not there" ovlctl import foreign

# ---- configs -----------------------------------------------------------------------

ids="\"sha256:$one\",\"sha256:$two\""
rootfs="\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[$ids]}"
history='"history":[{},{}]'
here="\"os\":\"linux\",\"architecture\":\"$machine\""
n=0
while IFS= read -r line; do
	n=$((n + 1))
	what=${line%%|*}
	printf '%b' "${line#*|}" >c.json
	saved config.image c.json 1.tar 2.tar
	takes "a config with $what" "$top" "" ovlctl import config.image
	same "... is kept" c.json "$OVLCTL_ROOT/$DRV/$top/.configs/$(sha c.json)"
	need - ovlctl export --format oci app:1 out
	same "... and goes out as it came" c.json "out/blobs/sha256/$(sha c.json)"
	rm -rf out
	empty_store
done <<END
keys of any case|{"OS":"linux","Architecture":"$machine",$history,"RootFS":{"Type":"layers","DIFF_IDS":[$ids]}}
a long s in a key|{"o\0305\0277":"linux","architecture":"$machine",$history,$rootfs}
null fields|{$here,"config":null,"author":null,"variant":null,"created":null,$history,$rootfs}
fields nobody knows|{$here,"x":{"y":[1,2.5e300,"z",[],{}]},"moby.buildkit.cache.v0":"AA==",$history,$rootfs}
a key twice|{"os":"plan9","os":"linux","architecture":"$machine","rootfs":{"diff_ids":[]},$history,$rootfs}
null for the second|{$here,"OS":null,$history,$rootfs,"RootFS":null}
text that is not UTF-8|{$here,"author":"caf\0351","config":{"Env":["A=\0377\0376"]},$history,$rootfs}
half a surrogate|{$here,"author":"\\\\ud83d!","comment":"\\\\udc00",$history,$rootfs}
NUL in a text and a key|{$here,"author":"a\\\\u0000b","k\\\\u0000":1,$history,$rootfs}
a number over 64 bits|{$here,"x":123456789012345678901234567890,$history,$rootfs}
a number over all limits|{$here,"x":1e999,$history,$rootfs}
no type of the rootfs|{$here,$history,"rootfs":{"diff_ids":[$ids]}}
no platform|{$history,$rootfs}
an empty platform|{"os":"","architecture":"",$history,$rootfs}
blanks around it| \n\t{$here,$history,$rootfs}\n \n
END
is "all of these were tried" "$n" 15
while IFS='|' read -r what pattern text; do
	printf '%b' "$text" >c.json
	saved config.image c.json 1.tar 2.tar
	fails 1 "$pattern" "a config with $what" ovlctl import config.image
done <<END
a byte order mark|is not JSON|\0357\0273\0277{$here,$rootfs}
more after its end|is not JSON|{$here,$rootfs}{}
a line break in a text|is not JSON|{"author":"a\nb",$here,$rootfs}
no rootfs|is not an image config|{$here}
a diff id too few|lists 1 layers|{$here,"rootfs":{"diff_ids":["sha256:$one"]}}
other digests|is not a sha256 diff id|{$here,"rootfs":{"diff_ids":["sha512:$one","sha512:$two"]}}
END

# In a docker-save archive the name of the config is just a file name.
config "$machine" A=1 1.tar 2.tar >c.json
for name in image.cfg "sha256:$(sha c.json)" "$(sha c.json).json"; do
	cp c.json "$name"
	saved config.image "$name" 1.tar 2.tar
	takes "a config called $name" "$top" "" ovlctl import config.image
	empty_store
done
mkdir -p blobs/sha256
for name in "$zero.json" "blobs/sha256/$zero"; do
	cp c.json "$name"
	saved config.image "$name" 1.tar 2.tar
	takes "a config called by another's digest, $name" "$top" \
		"the config '$name' has a different digest: sha256:$(sha c.json)" ovlctl import config.image
	empty_store
done

# ---- platforms ---------------------------------------------------------------------

foreign=arm64
[ "$machine" = arm64 ] && foreign=amd64
for p in '' ',"platform":{}' ',"platform":{"os":"","architecture":""}' ',"platform":null' \
	',"platform":{"architecture":"'"$machine"'"}'; do
	L=platform
	layout $L "$(manifest "$machine" P=1 1.tar)$p$(ref app:1)"
	takes "an index with ${p:-no platform}" "$one" "" ovlctl import $L
	empty_store
	rm -rf $L
done
L=alone
d=$(manifest $foreign P=1 1.tar)
warns="image '.*' is for linux/$foreign, not for linux/$machine"
for p in '' ',"platform":{"os":"linux","architecture":"'$foreign'"}'; do
	layout $L "$d$p$(ref app:1)"
	takes "the only manifest is for another platform${p:+, says the index}" "$one" "$warns" ovlctl import $L
	fails 1 "the image is for linux/$foreign, not for linux/$machine" "... and one is asked for" \
		ovlctl import --platform "linux/$machine" $L
	takes "... that one" "$one" "" ovlctl import --platform "linux/$foreign" $L
	empty_store
done
# As buildx writes it: the manifest and its attestation in an index.
printf '{"manifests":[{%s%s},{%s,"platform":{"os":"unknown","architecture":"unknown"},"annotations":{"vnd.docker.reference.type":"attestation-manifest"}}]}' \
	"$d" ',"platform":{"os":"linux","architecture":"'$foreign'"}' "$d" >index
layout $L "\"mediaType\":\"$index_type\",$(blob index)$(ref app:1)"
takes "... in an index with its attestation" "$one" "$warns" ovlctl import $L
# Our own export.
need - ovlctl import --no-names -n second 2.tar
ovlctl export app:1 own 2>/dev/null
need - ovlctl --root other import own
is "an export of another platform comes in again" "$(ovlctl --root other ls -nr -o ID app:1)" "$one"
rm -rf other
empty_store
config $foreign P=1 1.tar >c.json
saved foreign.image c.json 1.tar
takes "a docker archive for another platform" "$one" "$warns" ovlctl import foreign.image
fails 1 "the image is for linux/$foreign, not for linux/s390x" "... and one is asked for" \
	ovlctl import --platform linux/s390x foreign.image
empty_store
# Two manifests of the same name belong to one image.
L=pair
layout $L "$(manifest $foreign P=1 1.tar),\"platform\":{\"os\":\"linux\",\"architecture\":\"$foreign\"}$(ref app:1)" \
	"$(manifest "$machine" P=2 2.tar),\"platform\":{\"os\":\"linux\",\"architecture\":\"$machine\"}$(ref app:1)"
takes "two manifests of one name" "$two" "" ovlctl import $L
empty_store

# Variants: the best one that this machine runs, in any position.
if [ "$machine" = amd64 ]; then
	level=1
	has() { for f; do grep -qw "$f" /proc/cpuinfo || return 1; done; }
	has ssse3 sse4_1 sse4_2 popcnt && level=2 &&
		has avx avx2 bmi1 bmi2 fma && level=3 &&
		has avx512f avx512bw avx512cd avx512dq avx512vl && level=4
	L=variants
	list=
	for v in 4 2 1 3; do
		printf 'file name=v%s data=1\nend\n' $v | mktar >"v$v.tar"
		variant=",\"variant\":\"v$v\""
		[ $v = 1 ] && variant=
		list="$list${list:+,}{$(manifest amd64 V=$v v$v.tar),\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"$variant}}"
	done
	printf '{"manifests":[%s]}' "$list" >index
	layout $L "\"mediaType\":\"$index_type\",$(blob index)$(ref app:1)"
	takes "of variants the best that runs" "$(sha v$level.tar)" "" ovlctl import $L
	empty_store
	takes "... also if the platform is asked for" "$(sha v$level.tar)" "" ovlctl import --platform linux/amd64 $L
	empty_store
	takes "... or another variant" "$(sha v2.tar)" "" ovlctl import --platform linux/amd64/v2 $L
	empty_store
	rm "$L/blobs/sha256/$(sha v$level.tar)" "$L/blobs/sha256/$(zstd -qc v$level.tar | sha256sum | cut -c1-64)" 2>/dev/null
	is "... the next best where it is missing" "$(ovlctl import $L)" \
		"$(sha v$([ $level = 1 ] && echo 1 || echo $((level - 1))).tar)"
	empty_store
fi

# ---- what is no image --------------------------------------------------------------

echo '{"sbom":1}' >sbom
printf '{}' >empty.json
L=beside
good="$(manifest "$machine" G=1 1.tar)$(ref app:1)"
artifact() { # CONFIG-TYPE LAYER-TYPE: prints a descriptor
	printf '{"schemaVersion":2,"artifactType":"application/spdx+json","config":{"mediaType":"%s",%s},"layers":[{"mediaType":"%s",%s}]}' \
		"$1" "$(blob empty.json)" "$2" "$(blob sbom)" >manifest.json
	printf '"mediaType":"%s",%s' $manifest_type "$(blob manifest.json)"
}
beside() { # WHAT SAID DESCRIPTOR
	layout $L "$3" "$good"
	takes "beside an image: $1" "$one" "skipped: .*($2)" ovlctl import $L
	is "... has the name" "$(names)" app:1
	empty_store
	layout $L "$3"
	fails 1 "$2" "alone: $1" ovlctl import $L
}
beside "an SBOM" "it is an artifact, not an image" \
	"$(artifact application/vnd.oci.empty.v1+json application/spdx+json)"
beside "a signature" "is of an unknown media type" \
	"$(artifact application/vnd.oci.image.config.v1+json application/vnd.dev.cosign.simplesigning.v1+json)"
printf '{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[]}' \
	"$(blob empty.json)" >manifest.json
beside "an image without layers" "the image has no layers" "\"mediaType\":\"$manifest_type\",$(blob manifest.json)"
beside "a sha512 digest" "is not a sha256 digest" "\"mediaType\":\"$manifest_type\",\"digest\":\"sha512:$one$one\",\"size\":3"
beside "an unknown media type" "it is of an unknown media type" "\"mediaType\":\"text/plain\",$(blob sbom)"
L=alone2
layout $L "$(artifact a/b c/d)" "$(artifact a/c c/d)"
fails 1 "it is an artifact, not an image" "two artifacts and no image" ovlctl import $L
# Damaged images are not skipped.
L=beside
layout $L "$good" "$(manifest "$machine" G=2 2.tar)"
printf x >>"$L/blobs/sha256/$two"
fails 1 "has .* bytes, not" "beside an image: a damaged one" ovlctl import $L
is "... and nothing is there" "$(ovlctl ls -nr -o ID)" ""

config "$machine" A=1 1.tar >c.json
printf '{"rootfs":{"type":"layers"},"config":{"Labels":{"a":"1"}}}' >meta.json
for layers in null '[]'; do
	printf '[{"Config":"meta.json","RepoTags":["meta:1"],"Layers":%s},{"Config":"c.json","RepoTags":["app:1"],"Layers":["1.tar"]}]' \
		$layers >manifest.json
	tar -cf meta.image manifest.json meta.json c.json 1.tar
	takes "docker: an image whose layers are $layers" "$one" \
		"image 'meta:1' skipped: the image has no layers" ovlctl import meta.image
	is "... the other has its name" "$(names)" app:1
	empty_store
done

# ---- names -------------------------------------------------------------------------

config "$machine" A=1 1.tar >c.json
saved v1.tar c.json 1.tar
config "$machine" A=2 2.tar >c.json
saved v2.tar c.json 2.tar
need - ovlctl import v1.tar
takes "a name moves to the newer image" "$two" \
	"the name 'app:1' was moved from layer $(printf %.12s "$one") to layer $(printf %.12s "$two")" ovlctl import v2.tar
is "... it is there" "$(names "$two")/$(names "$one")" app:1/
is "... no note is left" "$(ls -A "$OVLCTL_ROOT/$DRV/$one" | grep names)" ""
ok "... the store is sound" ovlctl check
takes "again: nothing to say" "$two" "" ovlctl import v2.tar
takes "... and back" "$one" "the name 'app:1' was moved" ovlctl import v1.tar
need - ovlctl create -n w
ovlctl tag -d app:1
ovlctl tag w app:1
takes "from a writable layer too" "$two" "the name 'app:1' was moved" ovlctl import v2.tar
is "... which keeps its other name" "$(names w)" w
empty_store

takes "--no-names" "$one" "" ovlctl import --no-names v1.tar
is "... gives none" "$(names)" ""
takes "--no-names -n" "$one" "" ovlctl import --no-names -n mine v1.tar
is "... but that" "$(names)" mine
before=$(store_state)
fails 5 "the name 'mine' is already used by layer" "-n of another layer" ovlctl import -n mine v2.tar
is "... nothing is changed" "$(store_state)" "$before"
takes "-n --force" "$two" "the name 'mine' was moved" ovlctl import --no-names -n mine --force v2.tar
is "... takes it" "$(names "$two")" mine
fails 5 "the name 'mine' is already used by layer" "-n with a layer" ovlctl import -n mine 3.tar
need three ovlctl import -n mine --force 3.tar
is "-n --force with a layer" "$(names "$three")/$(names "$two")" mine/
need - ovlctl import -n mine --force 2.tar
is "... that is there already" "$(names "$two")/$(names "$three")" mine/
ok "... the store is sound" ovlctl check
empty_store

# Tags of a layout get the name of the input.
in=$(printf 'in\303\251 put')
refs() { # NAME WANTED [INPUT]
	cp tags.tar.gz "$1"
	need - ovlctl import "./$1"
	is "a tag in $1" "$(names)" "$2"
	empty_store
}
L=tags
layout $L "$(manifest "$machine" A=1 1.tar)$(ref latest)"
tar -C tags -cf tags.tar oci-layout index.json blobs
gzip -nc tags.tar >tags.tar.gz
refs app.tar.gz app:latest
refs app.tgz app:latest
refs app.oci.gz app:latest
refs app.v2.tar app.v2:latest
refs app.gz.gz app.gz:latest
refs "$in.tar" in--put:latest
refs .hidden_ hidden_:latest
refs .tar tar:latest
need - ovlctl import tags
is "a tag in a directory" "$(names)" tags:latest
empty_store
ln -s tags link
need - ovlctl import link/
is "... by a symlink" "$(names)" tags:latest
empty_store
(cd tags && ovlctl import . >/dev/null)
is "... from inside" "$(names)" tags:latest
empty_store
ovlctl import --as image - <tags.tar >/dev/null
is "... on standard input" "$(names)" tags:latest
empty_store
head -c 1000000 tags.tar | ovlctl import --as image - >/dev/null
is "... from a pipe: none" "$(ovlctl ls -nr -o ID) $(names)" "$one "
empty_store
L=other
layout $L "$(manifest "$machine" A=2 2.tar)$(ref latest)"
need - ovlctl import tags
takes "the same tag in another input" "$two" "" ovlctl import other
is "... is another name" "$(names)" "other:latest tags:latest"
empty_store

# Full names in a layout.
full() { # WHAT ANNOTATIONS WANTED
	L=full
	layout $L "$(manifest "$machine" A=1 1.tar),\"annotations\":{$2}"
	need - ovlctl import $L
	is "$1" "$(names)" "$3"
	empty_store
}
full "a ref.name with a tag" '"org.opencontainers.image.ref.name":"app:2"' app:2
full "a ref.name with a place" '"org.opencontainers.image.ref.name":"docker.io/library/app"' docker.io/library/app
full "containerd's name" '"io.containerd.image.name":"app","org.opencontainers.image.ref.name":"1"' app

# With both forms, index.json is ignored, unless manifest.json gives no name.
both() { # TAGS WANTED
	rm -rf both
	L=both
	layout $L "$(manifest "$machine" A=1 1.tar)$(ref example.org/app:1)"
	config "$machine" A=1 1.tar >c.json
	printf '[{"Config":"blobs/sha256/%s","RepoTags":%s,"Layers":["blobs/sha256/%s"]}]' \
		"$(sha c.json)" "$1" "$one" >both/manifest.json
	need - ovlctl import both
	is "both forms, RepoTags $1" "$(names)" "$2"
	empty_store
}
both '["app:1"]' app:1
both null example.org/app:1
both '[]' example.org/app:1

# All names are given or none, including those that move.
if can_trace; then
	tag=one
	config "$machine" A=1 1.tar >c.json
	saved a.tar c.json 1.tar
	need - ovlctl import a.tar
	docker_save many one A=2 2.tar
	docker_save many two A=3 2.tar
	tar -C many -cf many.tar $(ls many)
	need - ovlctl import --no-names many.tar
	before=$(store_state)
	for point in 'renameat 1' 'symlinkat 2' 'symlinkat 1' 'syncfs 2'; do
		set -- $point
		traced -qq -o /dev/null -e trace="$1" -e inject="$1:error=EIO:when=$2" \
			ovlctl import many.tar >out 2>err
		is "EIO of $point: an error" "$? $(wc -l <out)" "1 0"
		is "... nothing has moved" "$(names "$one")/$(names "$two")" one/
	done
	# Killed: each name always belongs to one layer, and check finds nothing.
	calls_of renameat,renameat2,symlinkat,unlinkat,fchmod ovlctl import many.tar >points
	bad=
	while read -r call nth; do
		ovlctl tag -f "$one" one
		killed_at "$call" "$nth" ovlctl import many.tar >/dev/null 2>&1 </dev/null
		[ "$(ovlctl ls -nr -o NAME | tr ',' '\n' | grep -cx one)" = 1 ] &&
			ovlctl check >checked 2>&1 || bad="$bad $call $nth"
	done <points
	is "killed at $(wc -l <points) points: the name is somebody's" "$bad" ""
	unset tag
	empty_store
fi

# ---- --image -----------------------------------------------------------------------

rm -rf set set.items
for full in docker.io/library/alpine:3 docker.io/grafana/grafana:latest index.docker.io/library/old:1 \
	ghcr.io/x/y:1 localhost:5000/z:1; do
	printf 'file name=f data=%s\nend\n' "$full" | mktar >layer.tar
	docker_save set "$full" "T=$full" layer.tar
	eval "id_$(printf %s "$full" | tr -c 'a-z0-9' _)=$(sha layer.tar)"
done
tar -C set -cf set.tar $(ls set)
chosen() { # WANT ID
	takes "--image $1" "$2" "" ovlctl import --image "$1" set.tar
	empty_store
}
chosen alpine:3 "$id_docker_io_library_alpine_3"
chosen library/alpine:3 "$id_docker_io_library_alpine_3"
chosen docker.io/library/alpine:3 "$id_docker_io_library_alpine_3"
chosen docker.io/alpine:3 "$id_docker_io_library_alpine_3"
chosen index.docker.io/library/alpine:3 "$id_docker_io_library_alpine_3"
chosen grafana/grafana "$id_docker_io_grafana_grafana_latest"
chosen old:1 "$id_index_docker_io_library_old_1"
chosen ghcr.io/x/y:1 "$id_ghcr_io_x_y_1"
chosen localhost:5000/z:1 "$id_localhost_5000_z_1"
for w in alpine x/y:1 z:1 ghcr.io/library/alpine:3; do
	fails 1 "no image '$w'; it has docker.io/library/alpine:3, .*ghcr.io/x/y:1, localhost:5000/z:1$" \
		"--image $w is none of them" ovlctl import --image "$w" set.tar
done
c=$(jq -r '.[3].Config' set/manifest.json)
c=${c%.json}
for w in "sha256:$c" "$c" "sha256:$(printf %.8s "$c")" "$(printf %.12s "$c")"; do
	chosen "$w" "$id_ghcr_io_x_y_1"
done
fails 1 "no image 'sha256:0000'" "--image of a digest that is not there" ovlctl import --image sha256:0000 set.tar

# Configs with other names.
mv "set/$c.json" "set/sha256:$c"
jq -c ".[3].Config = \"sha256:$c\"" set/manifest.json >x
mv x set/manifest.json
tar -C set -cf set.tar $(ls set)
chosen "sha256:$c" "$id_ghcr_io_x_y_1"

L=digests
x=$(manifest "$machine" X=1 1.tar)
mx=$(sha manifest.json)
cx=$(sha config.json)
y=$(manifest $foreign Y=1 2.tar)
my=$(sha manifest.json)
printf '{"manifests":[{%s,"platform":{"os":"linux","architecture":"%s"}},{%s,"platform":{"os":"linux","architecture":"%s"}}]}' \
	"$y" $foreign "$x" "$machine" >index
z=$(manifest "$machine" Z=1 3.tar)
cz=$(sha config.json)
layout $L "\"mediaType\":\"$index_type\",$(blob index)$(ref app:1)" "$z"
ix=$(sha index)
for w in "sha256:$mx" "sha256:$cx" "sha256:$ix" "sha256:$(printf %.10s "$cx")" app:1; do
	takes "--image $w of a layout" "$one" "" ovlctl import --image "$w" $L
	is "... has its name" "$(names)" app:1
	empty_store
done
takes "--image of an image without a name" "$(sha 3.tar)" "" ovlctl import --image "sha256:$cz" $L
empty_store
takes "--image of another platform's manifest" "$two" "image .* is for linux/$foreign" ovlctl import --image "sha256:$my" $L
empty_store
fails 1 "no image 'x'; it has app:1, sha256:" "--image that is not there" ovlctl import --image x $L
printf '[%s]' "$(for i in 1 2 3 4 5 6 7 8 9 10; do
	printf '{"Config":"c.json","RepoTags":["t:%s"],"Layers":["1.tar"]}\n' $i
done | paste -sd,)" >manifest.json
tar -cf ten.tar manifest.json c.json 1.tar
fails 1 "no image 'x'; it has t:1, t:2, t:3, t:4, t:5, t:6, t:7, t:8 and 2 more" \
	"... and the list is not endless" ovlctl import --image x ten.tar

# skopeo's dir:, which is podman's docker-dir.
L=plain
m=$(jq -r '.manifests[0].digest[7:]' plain/index.json)
mkdir dir
cp plain/blobs/sha256/* dir
mv "dir/$m" dir/manifest.json
echo 'Directory Transport Version: 1.1' >dir/version
takes "a directory of podman's docker-dir" "$top" "" ovlctl import dir
is "... has no name" "$(names)" ""
fails 1 "is not an image" "a directory with another manifest.json" sh -c 'mkdir web; echo "{\"name\":\"web\",\"layers\":[]}" >web/manifest.json; exec ovlctl import web'
empty_store

done_testing
