#!/bin/sh
. "$(dirname "$0")/../lib.sh"
. "$top/tests/images.sh"
# on a disk

# The forms in which images are packed, as other programs write them: ovlctl, skopeo and
# podman agree on the ids, on import and export. Forms of programs that cannot be run here are
# made by the test.
for tool in skopeo podman buildah; do
	command -v $tool >/dev/null || cannot "no $tool: see scripts/deps interop"
done
mkdir run storage
export TMPDIR="$T" XDG_RUNTIME_DIR="$T/run" BUILDAH_ISOLATION=chroot
where="--root $T/storage --runroot $T/run --storage-driver vfs"
p="podman $where"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >policy.json

for i in 1 2; do
	mkdir -p "t$i/d"
	echo "layer $i" >"t$i/f$i"
	tar -C "t$i" --owner=0 --group=0 --sort=name --mtime=@$i -cf "$i.tar" .
	gzip -nc "$i.tar" >"$i.tar.gz"
done
printf '{"architecture":"%s","os":"linux","config":{"Env":["A=1"]},"rootfs":{"type":"layers","diff_ids":[%s]},"history":[{"created_by":"one"},{"created_by":"nothing","empty_layer":true},{"created_by":"two"}]}' \
	"$machine" "$(diff_ids 1.tar 2.tar)" >config.json
one=$(sha 1.tar)
two=$(sha 2.tar)
id=$(sha config.json)
chain=$(printf 'sha256:%s sha256:%s' "$one" "$two" | sha256sum | cut -d' ' -f1)

# The config that an image has in podman after a load.
loaded() { # FILE
	$p load -q -i "$1" --signature-policy policy.json >/dev/null 2>load.err
	$p images --no-trunc -q | sed 's/^sha256://' | sort -u | paste -sd' '
	$p rmi -a -f >/dev/null 2>&1
}
skopeo_id() { # TRANSPORT:REFERENCE
	skopeo inspect --config --raw "$1" 2>inspect.err | sha256sum | cut -d' ' -f1
}

# Compares all programs on an input, and on its export.
agree() { # WHAT INPUT SKOPEO-REFERENCE LOADABLE NAME
	is "$1: the layers" "$(ovlctl import "$2")" "$chain"
	is "... the config" "$(ls "$OVLCTL_ROOT/$DRV/$chain/.configs")" "$id"
	is "... the names" "$(ovlctl ls -nr -o NAME "$chain")" "$5"
	[ ! "$3" ] || is "... skopeo's id" "$(skopeo_id "$3")" "$id"
	[ ! "$4" ] || is "... podman's id" "$(loaded "$4")" "$id"
	rm -rf out
	need - ovlctl export --format oci "$chain" out
	need - ovlctl export --format docker "$chain" out.tar
	is "... exported: skopeo's id" "$(skopeo_id oci:out)" "$id"
	is "... for docker: skopeo's id" "$(skopeo_id docker-archive:out.tar)" "$id"
	is "... podman's id" "$(loaded out.tar)" "$id"
	is "... imported again" "$(ovlctl --root again import out)" "$chain"
	is "... with its config" "$(ls "again/$DRV/$chain/.configs")" "$id"
	rm -rf again out.tar
	ovlctl ls -nr -o ID | xargs ovlctl rm -r -f
}

# ---- made to order -----------------------------------------------------------------

members() { # CONFIG LAYER LAYER: the manifest of an archive in .
	printf '[{"Config":"%s","RepoTags":["example.org/app:1"],"Layers":["%s","%s"]}]' "$1" "$2" "$3" >manifest.json
}

# docker save before 25: the manifest is the last member but one.
mkdir old
(
	cd old || exit 1
	for i in 1 2; do
		d=$(printf "docker$i" | sha256sum | cut -d' ' -f1)
		mkdir "$d"
		cp ../$i.tar "$d/layer.tar"
		echo 1.0 >"$d/VERSION"
		echo '{"id":"x"}' >"$d/json"
		eval "l$i=$d"
	done
	cp ../config.json "$id.json"
	members "$id.json" "$l1/layer.tar" "$l2/layer.tar"
	printf '{"example.org/app":{"1":"%s"}}' "$l2" >repositories
	tar -cf ../old.tar "$l1/" "$l2/" "$id.json" manifest.json repositories
) || stop "an archive of docker before 25"
agree "docker save before 25" old.tar docker-archive:old.tar old.tar example.org/app:1

# Since 25: both forms, with the full name in index.json, too.
L=new
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"%s",%s},{"mediaType":"%s",%s}]}' \
	$manifest_type "$(blob config.json)" $layer_type "$(blob 1.tar)" $layer_type "$(blob 2.tar)" >manifest.json
named='"annotations":{"io.containerd.image.name":"example.org/app:1","org.opencontainers.image.ref.name":"1"}'
layout new "\"mediaType\":\"$manifest_type\",$(blob manifest.json),$named"
(cd new && members "blobs/sha256/$id" "blobs/sha256/$one" "blobs/sha256/$two")
tar -C new -cf new.tar blobs index.json manifest.json oci-layout
agree "docker save since 25" new.tar docker-archive:new.tar new.tar example.org/app:1

# buildx --output type=oci: an index in the index, with the attestation of the image.
L=build
gz=application/vnd.oci.image.layer.v1.tar+gzip
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"%s",%s},{"mediaType":"%s",%s}]}' \
	$manifest_type "$(blob config.json)" $gz "$(blob 1.tar.gz)" $gz "$(blob 2.tar.gz)" >manifest.json
image="\"mediaType\":\"$manifest_type\",$(blob manifest.json)"
echo '{"predicateType":"https://slsa.dev/provenance/v0.2"}' >provenance
printf '{"architecture":"unknown","os":"unknown","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$(sha provenance)" >att.json
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"application/vnd.in-toto+json",%s}]}' \
	$manifest_type "$(blob att.json)" "$(blob provenance)" >att
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[{%s,"platform":{"architecture":"%s","os":"linux"}},{"mediaType":"%s",%s,"annotations":{"vnd.docker.reference.digest":"sha256:%s","vnd.docker.reference.type":"attestation-manifest"},"platform":{"architecture":"unknown","os":"unknown"}}]}' \
	$index_type "$image" "$machine" $manifest_type "$(blob att)" "$(sha manifest.json)" >index
layout build "\"mediaType\":\"$index_type\",$(blob index),$named"
tar -C build --sort=name -cf build.tar blobs index.json oci-layout
agree "buildkit's OCI tar" build.tar oci-archive:build.tar "" example.org/app:1

# nix's dockerTools.buildImage: "./" is removed from the names, one of which becomes empty.
mkdir nix
(
	cd nix || exit 1
	for i in 1 2; do
		mkdir "layer$i"
		cp ../$i.tar "layer$i/layer.tar"
		echo 1.0 >"layer$i/VERSION"
	done
	cp ../config.json "$id.json"
	members "$id.json" layer1/layer.tar layer2/layer.tar
	tar -cf ../nix.tar --sort=name --xform s:'^./':: . || exit 1
) || stop "an archive of nix"
gzip -nc nix.tar >nix.tar.gz
agree "nix buildImage" nix.tar.gz docker-archive:nix.tar nix.tar example.org/app:1

# jib: config.json, compressed layers named after their diff ids.
mkdir jib
(
	cd jib || exit 1
	cp ../config.json config.json
	cp ../1.tar.gz "$one.tar.gz"
	cp ../2.tar.gz "$two.tar.gz"
	members config.json "$one.tar.gz" "$two.tar.gz"
	tar -cf ../jib.tar "$one.tar.gz" "$two.tar.gz" config.json manifest.json
) || stop "an archive of jib"
agree "jib" jib.tar docker-archive:jib.tar jib.tar example.org/app:1

# ko and crane: the name of the config is its digest with the algorithm.
mkdir ko
(
	cd ko || exit 1
	cp ../config.json "sha256:$id"
	one=$(sha ../1.tar.gz) two=$(sha ../2.tar.gz)
	cp ../1.tar.gz "$one.tar.gz"
	cp ../2.tar.gz "$two.tar.gz"
	members "sha256:$id" "$one.tar.gz" "$two.tar.gz"
	tar --force-local -cf ../ko.tar "sha256:$id" "$one.tar.gz" "$two.tar.gz" manifest.json
) || stop "an archive of ko"
agree "ko" ko.tar docker-archive:ko.tar ko.tar example.org/app:1
is "... chosen by its id" "$(ovlctl import --no-names --image "sha256:$id" ko.tar)" "$chain"
ovlctl rm -r -f "$chain" "$one"

# bazel: rules_docker's layer is a symlink to another, rules_oci has blobs.
mkdir bazel
(
	cd bazel || exit 1
	cp ../config.json "$id.json"
	mkdir a b
	cp ../1.tar a/layer.tar
	cp ../2.tar other.tar
	ln -s ../other.tar b/layer.tar
	members "$id.json" a/layer.tar b/layer.tar
	tar -cf ../bazel.tar "$id.json" a/layer.tar other.tar b/layer.tar manifest.json
) || stop "an archive of bazel"
# (podman 4 loads symlinks to layers only.)
agree "rules_docker" bazel.tar docker-archive:bazel.tar "" example.org/app:1
mkdir rules
(
	cd rules || exit 1
	mkdir -p blobs/sha256
	cp ../config.json "blobs/sha256/$id"
	one=$(sha ../1.tar.gz) two=$(sha ../2.tar.gz)
	cp ../1.tar.gz "blobs/sha256/$one.tar.gz"
	cp ../2.tar.gz "blobs/sha256/$two.tar.gz"
	members "blobs/sha256/$id" "blobs/sha256/$one.tar.gz" "blobs/sha256/$two.tar.gz"
	tar -cf ../rules.tar manifest.json blobs
) || stop "an archive of rules_oci"
agree "rules_oci" rules.tar docker-archive:rules.tar rules.tar example.org/app:1

# ---- podman ------------------------------------------------------------------------

need - $p load -q -i old.tar --signature-policy policy.json
podmans=$($p images --no-trunc -q | sed 's/^sha256://')
is "podman has the image" "$podmans" "$id"
for format in docker-archive oci-archive oci-dir docker-dir; do
	rm -rf saved
	need - $p save -q -o saved --format $format example.org/app:1
	is "podman save, $format: the layers" "$(ovlctl import --no-names saved)" "$chain"
	# From an OCI layout podman makes a config of its own.
	case $format in
	docker-*) is "... the config" "$(ls "$OVLCTL_ROOT/$DRV/$chain/.configs")" "$id" ;;
	oci-archive) is "... the config" "$(ls "$OVLCTL_ROOT/$DRV/$chain/.configs")" "$(skopeo_id oci-archive:saved)" ;;
	oci-dir) is "... the config" "$(ls "$OVLCTL_ROOT/$DRV/$chain/.configs")" "$(skopeo_id oci:saved)" ;;
	esac
	ovlctl ls -nr -o ID | xargs ovlctl rm -r -f
done
rm -rf copy
need - skopeo --policy policy.json copy -q docker-archive:old.tar dir:copy
is "skopeo's dir:" "$(ovlctl import copy)" "$chain"
is "... the config" "$(ls "$OVLCTL_ROOT/$DRV/$chain/.configs")" "$id"
$p rmi -a -f >/dev/null 2>&1

done_testing
