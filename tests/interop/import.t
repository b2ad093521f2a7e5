#!/bin/sh
. "$(dirname "$0")/../lib.sh"
# on a disk

# Images made by other programs: the same layers, the same trees, the same bytes.
for tool in buildah umoci skopeo podman; do
	command -v $tool >/dev/null || cannot "no $tool here"
done
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot TMPDIR="$T"
where="--root $T/storage --runroot $T/run --storage-driver vfs"
mkdir policy
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >policy/policy.json

# Six layers with changes, whiteouts, opaque directories and hard links.
make_tree src
rm -f src/*.sock
b=$(buildah $where from scratch)
buildah $where copy -q "$b" src / >/dev/null 2>&1
buildah $where config --env A=1 --cmd /bin/sh "$b"
buildah $where commit -q --rm "$b" l1 >/dev/null 2>&1
for i in 2 3 4 5 6; do
	b=$(buildah $where from "l$((i - 1))")
	m=$(buildah $where mount "$b")
	mkdir -p "$m/opt/l$i"
	echo "$i" >"$m/opt/l$i/f"
	case $i in
	3) rm -rf "$m/deep" ;;
	4) rm -rf "$m/d" && mkdir "$m/d" && echo new >"$m/d/new" ;;
	5) ln "$m/noise" "$m/opt/noise" ;;
	6) chmod 700 "$m/opt" && rm "$m/opt/l2/f" ;;
	esac
	buildah $where umount "$b" >/dev/null
	buildah $where commit -q --rm "$b" "l$i" >/dev/null 2>&1
done
for to in oci:$T/oci:six oci-archive:$T/oci.tar:six docker-archive:$T/docker.tar:example.org/six:1; do
	buildah $where push -q l6 "$to" 2>/dev/null
done

# The visible tree, without what the storage of other programs changes: the root directory, times
# of directories, and link counts, which an overlay takes from the layer of a file.
seen() { (cd "$1" && find . ! -name . -printf '%p %y %m %U:%G %s %l\n' | grep -av '^[^ ]* d' | sort); }
b=$(buildah $where from l6)
m=$(buildah $where mount "$b")
seen "$m" >wanted
diffs=$(skopeo inspect --config "oci:$T/oci:six" | jq -r '.rootfs.diff_ids[]')
for from in oci oci.tar docker.tar; do
	id=$(ovlctl import "$from")
	is "buildah's $from: the diff ids" \
		"$(ovlctl show "$id" | jq -r '.layers[0] | [.diff_id] + [.stack[].diff_id] | reverse | .[]')" "$diffs"
	where_=$(ovlctl mount "$id")
	seen "$where_" >got
	same "buildah's $from: the merged tree" got wanted
	is "buildah's $from: the content" "$(diff -r --no-dereference -q "$m" "$where_" 2>&1 | grep -Eav 'special file| is a fifo')" ""
	ovlctl umount "$id"
	ovlctl ls -nr -o ID,DIFFID >ids
	while read -r i want; do
		[ "sha256:$(ovlctl diff --tar "$i" | sha256sum | cut -c1-64)" = "$want" ] ||
			report 1 "buildah's $from: the bytes of $want"
	done <ids
	ovlctl ls -nr -o ID | xargs ovlctl rm -r -f
done
buildah $where umount "$b" >/dev/null

# umoci writes its own tars.
umoci init --layout um
umoci new --image um:one
umoci unpack --image um:one bundle >/dev/null 2>&1
cp -a src/. bundle/rootfs/
# Names that its manifests cannot hold.
rm -f bundle/rootfs/new* bundle/rootfs/latin* bundle/rootfs/esc*
setfattr -x 'user.a=b%c' bundle/rootfs/zeros
ok "umoci repack" umoci repack --image um:one bundle
rm -rf bundle/rootfs/deep bundle/rootfs/plain
echo more >bundle/rootfs/more
ok "... once more" umoci repack --refresh-bundle --image um:one bundle
id=$(ovlctl import um)
where_=$(ovlctl mount "$id")
seen bundle/rootfs >wanted
seen "$where_" >got
same "umoci's: the merged tree" got wanted
ovlctl umount "$id"
ovlctl ls -nr -o ID,DIFFID >ids
while read -r i want; do
	is "umoci's: the bytes of $want" "sha256:$(ovlctl diff --tar "$i" | sha256sum | cut -c1-64)" "$want"
done <ids
ovlctl ls -nr -o ID | xargs ovlctl rm -r -f

# podman save, both forms.
podman $where save -q -o pd.tar --format docker-archive l6 2>/dev/null
podman $where save -q -o po.tar --format oci-archive l6 2>/dev/null
is "podman save, docker-archive" "$(ovlctl import pd.tar | wc -c)" 65
is "podman save, oci-archive: the same layers" "$(ovlctl import po.tar)" "$(ovlctl import pd.tar)"
buildah $where rm -a >/dev/null

done_testing
