#!/bin/sh
. "$(dirname "$0")/../lib.sh"
# on a disk

# Exported images, used by other programs. Nothing here needs a network.
for p in skopeo umoci buildah podman; do
	command -v $p >/dev/null || cannot "no $p: see scripts/deps interop"
done
mkdir run storage
export TMPDIR="$T" XDG_RUNTIME_DIR="$T/run" CONTAINERS_STORAGE_CONF="$T/storage.conf"
printf '[storage]\ndriver = "vfs"\nrunroot = "%s"\ngraphroot = "%s"\n' "$T/run" "$T/storage" >storage.conf
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >policy.json

# A bottom layer with every type of file, a layer with whiteouts, a writable layer on top.
make_tree src
link_specials src
tar --format=pax --xattrs --xattrs-include='*' --numeric-owner -C src -cf l1.tar .
tar_of l2.tar <<END
file name=plain data=other
file name=d/.wh.second
file name=deep/.wh..wh..opq
file name=deep/new data=new
file name=.wh.noise
end
END
ovlctl import -n base:1 l1.tar >/dev/null
ovlctl import -n app -p base:1 l2.tar >/dev/null
ovlctl create -n top app >/dev/null
m=$(ovlctl mount top)
rm -r "$m/sticky"
echo top >"$m/top"
walk "$m" >want
ovlctl umount top
ids="sha256:$(sha256sum <l1.tar | cut -d' ' -f1) sha256:$(sha256sum <l2.tar | cut -d' ' -f1) sha256:$(ovlctl diff --tar top | sha256sum | cut -d' ' -f1)"

for z in gzip zstd none; do
	ovlctl export --compress $z top base:1 oci-$z
	ovlctl export --compress $z top base:1 oci-$z.tar
	ovlctl export --format docker --compress $z top base:1 docker-$z.tar
done
ovlctl export top top.tar
ovlctl export top top.tar.gz

# Layers and config as shown by the inspect command of a program.
ids_of() { # IMAGE
	skopeo inspect --config "$1" | jq -r '.rootfs.diff_ids[]' | tr '\n' ' ' | sed 's/ $//'
}
for i in oci:oci-gzip oci:oci-zstd oci:oci-none oci-archive:oci-gzip.tar oci-archive:oci-none.tar \
	docker-archive:docker-none.tar docker-archive:docker-gzip.tar docker-archive:docker-zstd.tar; do
	name=top
	case $i in docker-*) name=top:latest ;; esac
	ok "skopeo inspects $i" skopeo inspect "$i:$name"
	is "... three layers" "$(skopeo inspect "$i:$name" | jq '.Layers | length')" 3
	is "... the diff ids" "$(ids_of "$i:$name")" "$ids"
	case $i in *zstd*) continue ;; esac
	rm -rf copy
	ok "skopeo copies $i" skopeo --policy policy.json copy -q "$i:$name" dir:copy
	is "... the diff ids" "$(ids_of dir:copy)" "$ids"
done
# Buildah requires a history with an entry for each layer.
printf 'file name=one\nend\n' | tar_of h1.tar
printf 'file name=two\nend\n' | tar_of h2.tar
for h in null '[]' '[{"created_by":"1"}]' '[{"created_by":"1"},{"created_by":"2"},{"created_by":"3"}]'; do
	image_of h.tar h1.tar h2.tar
	mkdir h
	tar -C h -xf h.tar
	jq -c ".history = $h" h/c.json >c && mv c h/c.json
	tar -C h -cf h.tar .
	need - ovlctl import h.tar
	rm -r h
	need w ovlctl create image:1
	need - ovlctl commit -n image:2 -m text -a me -c 'CMD ["/run", "it"]' -c 'ENV A=b' \
		-c 'HEALTHCHECK NONE' "$w"
	for v in 1 2; do
		rm -rf h
		need - ovlctl export image:$v h
		need from buildah from -q oci:h
		ok "buildah commits on image:$v, whose base has the history $h" buildah commit -q "$from" dir:committed
		buildah rm "$from" >/dev/null
		rm -rf committed h
	done
	ovlctl tag -d image:1
	ovlctl tag -d image:2
done
need w ovlctl create base:1
need id ovlctl commit -n said:1 -m text -a me -c 'ENTRYPOINT ["/run"]' -c 'CMD it' -c 'ENV A=b' -c 'EXPOSE 80' \
	-c 'USER 1:2' -c 'WORKDIR /w' -c 'VOLUME /v' -c 'LABEL a=b' -c 'STOPSIGNAL SIGINT' "$w"
for f in oci docker; do
	need - ovlctl export --format $f said:1 said.tar
	ok "podman loads it, $f" podman load -q -i said.tar
	is "... all that was said of it, $f" "$(podman inspect --type image said:1 | jq -c '.[0] | [.Author, .History[-1].comment, .Config.Entrypoint, .Config.Cmd, .Config.Env, .Config.ExposedPorts, .Config.User, .Config.WorkingDir, .Config.Volumes, .Config.Labels, .Config.StopSignal]')" \
		'["me","text",["/run"],["/bin/sh","-c","it"],["A=b"],{"80/tcp":{}},"1:2","/w",{"/v":{}},{"a":"b"},"SIGINT"]'
	podman rmi -f said:1 >/dev/null
done
ok "skopeo inspects the second image" skopeo inspect oci:oci-gzip:base:1
is "... one layer" "$(skopeo inspect docker-archive:docker-none.tar:base:1 | jq '.Layers | length')" 1
is "skopeo copies the config as it is" "$(sha256sum <copy/"$(jq -r .config.digest copy/manifest.json | cut -d: -f2)")" \
	"$(jq -r .config.digest copy/manifest.json | cut -d: -f2)  -"

# umoci unpacks trees.
for z in gzip none; do
	ok "umoci lists oci-$z" umoci ls --layout oci-$z
	is "... the names" "$(umoci ls --layout oci-$z | sort | tr '\n' ' ')" "base:1 top "
	ok "umoci unpacks oci-$z" umoci unpack --image oci-$z:top bundle-$z
	walk bundle-$z/rootfs >got
	# In the mount, link counts include hidden names. umoci sets no
	# trusted.overlay xattrs, and does not decode the "%3D" that GNU tar writes for "=" in
	# the name of an xattr.
	sed -i 's/ same=[^ ]*//; s/ trusted.overlay.opaque=79//; s/user\.a[^ ]*%[^ ]*c=/user.a-b-c=/' got want
	same "... equal trees" got want
done

# podman loads the images, with the same diff ids.
p="podman --root $T/storage --runroot $T/run --storage-driver vfs"
# (It accepts only OCI archives with a single image.)
for f in top.tar top.tar.gz docker-none.tar docker-gzip.tar docker-zstd.tar; do
	ok "podman loads $f" $p load -q -i $f --signature-policy policy.json
	sed -n 's/^Loaded image[^:]*: *//p' .out | head -1 >loaded
	like "... under its name" 'top:latest|^sha256:' "$(cat loaded)"
	name=$($p images --format '{{.Repository}}:{{.Tag}}' | grep top | head -1)
	is "... the diff ids" "$($p inspect --type image "${name:-none}" | jq -r '.[0].RootFS.Layers[]' | tr '\n' ' ')" "$ids "
	$p rmi -a -f >/dev/null 2>&1
done

# All programs refuse a thin image, each with its own message, and store nothing.
ovlctl export --without base:1 top thin
ovlctl export --without base:1 top thin.tar
ovlctl export --format docker --without base:1 top thin-docker.tar
for i in oci:thin:top oci-archive:thin.tar:top docker-archive:thin-docker.tar:top:latest; do
	no "skopeo does not copy $i" skopeo --policy policy.json copy -q "$i" dir:thin.copy
	like "... because a layer is missing" 'no such file or directory|layer tarfiles are missing' "$(cat .err)"
done
no "umoci does not unpack it" umoci unpack --image thin:top thin.bundle
for f in thin.tar thin-docker.tar; do
	no "podman does not load $f" $p load -q -i $f --signature-policy policy.json
	is "... it has no image" "$($p images -a -q)" ""
done
ovlctl export base:1 base.tar
ok "podman loads the base" $p load -q -i base.tar --signature-policy policy.json
ok "... and on top of it thin.tar" $p load -q -i thin.tar --signature-policy policy.json
is "... the diff ids" "$($p inspect --type image top | jq -r '.[0].RootFS.Layers[]' | tr '\n' ' ')" "$ids "
$p rmi -a -f >/dev/null 2>&1

# buildah pulls and mounts.
b="buildah --root $T/storage --runroot $T/run --storage-driver vfs"
c=$($b from -q --signature-policy policy.json --pull-never oci:oci-gzip:top 2>/dev/null || $b from -q --signature-policy policy.json oci:oci-gzip:top)
ok "buildah makes a container" test -n "$c"
mp=$($b mount "$c")
is "... with our files" "$(cat "$mp/top" "$mp/plain" "$mp/deep/new")" "$(printf 'top\nothernew')"
no "... without what is hidden" test -e "$mp/noise" -o -e "$mp/d/second" -o -e "$mp/sticky"
$b umount "$c" >/dev/null
$b rm -a >/dev/null
$p rmi -a -f >/dev/null 2>&1

done_testing
