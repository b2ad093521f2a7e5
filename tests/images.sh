# Sourced by tests that make images of their own.

sha() { sha256sum <"$1" | cut -d' ' -f1; }

# Copies a file into layout $L, and prints its digest and size as members of a descriptor.
blob() {
	mkdir -p "$L/blobs/sha256"
	h=$(sha "$1")
	cp "$1" "$L/blobs/sha256/$h"
	printf '"digest":"sha256:%s","size":%s' "$h" "$(stat -c %s "$1")"
}

diff_ids() {
	ids=
	for t in "$@"; do ids="$ids${ids:+,}\"sha256:$(sha "$t")\""; done
	echo "$ids"
}

config() { # ARCH ENV LAYER.tar...
	arch=$1 env=$2
	shift 2
	printf '{"architecture":"%s","os":"linux","config":{"Env":["%s"]},"rootfs":{"type":"layers","diff_ids":[%s]}}' \
		"$arch" "$env" "$(diff_ids "$@")"
}

machine=$(case $(uname -m) in x86_64) echo amd64 ;; aarch64) echo arm64 ;; *) uname -m ;; esac)
layer_type=application/vnd.oci.image.layer.v1.tar
index_type=application/vnd.oci.image.index.v1+json
manifest_type=application/vnd.oci.image.manifest.v1+json

# Writes a manifest into $L, its layers compressed with none, gzip and zstd in turn, and prints
# its descriptor without the braces.
manifest() { # ARCH ENV LAYER.tar...
	config "$@" >config.json
	conf=$(blob config.json)
	shift 2
	list=''
	n=0
	for t in "$@"; do
		case $((n % 3)) in
		0) cp "$t" packed; type=$layer_type ;;
		1) gzip -nc "$t" >packed; type=$layer_type+gzip ;;
		2) zstd -qc "$t" >packed; type=$layer_type+zstd ;;
		esac
		n=$((n + 1))
		list="$list${list:+,}{\"mediaType\":\"$type\",$(blob packed)}"
	done
	printf '{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[%s]}' \
		"$conf" "$list" >manifest.json
	printf '"mediaType":"%s",%s' $manifest_type "$(blob manifest.json)"
}

layout() { # DIR DESCRIPTOR...
	L=$1
	shift
	mkdir -p "$L"
	printf '{"imageLayoutVersion":"1.0.0"}' >"$L/oci-layout"
	list=
	for d in "$@"; do list="$list${list:+,}{$d}"; done
	printf '{"schemaVersion":2,"manifests":[%s]}' "$list" >"$L/index.json"
}

ref() { printf ',"annotations":{"org.opencontainers.image.ref.name":"%s"}' "$1"; }

docker_save() { # DIR REPOTAG ENV LAYER.tar...: adds an image to manifest.items
	D=$1 tag=$2 env=$3
	shift 3
	mkdir -p "$D"
	config "$machine" "$env" "$@" >config.json
	h=$(sha config.json)
	cp config.json "$D/$h.json"
	list=
	for t in "$@"; do
		l=$(sha "$t" | rev)
		mkdir -p "$D/$l"
		cp "$t" "$D/$l/layer.tar"
		list="$list${list:+,}\"$l/layer.tar\""
	done
	printf '{"Config":"%s.json","RepoTags":["%s"],"Layers":[%s]}\n' "$h" "$tag" "$list" >>"$D.items"
	printf '[%s]' "$(paste -sd, "$D.items")" >"$D/manifest.json"
}
