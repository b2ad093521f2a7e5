#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# only overlay2
# not in a user namespace: layers with what only root can make

# The store of containerd, read: snapshots as layers under their chain ids, images of all
# namespaces as names, blobs as the bytes of layers; and stores that are wrong.
snapshotter=io.containerd.snapshotter.v1.overlayfs
blobs=io.containerd.content.v1.content/blobs/sha256

# ---- a root of three layers, as containerd makes it
cat >1.lines <<'E2'
dir name=d mode=0750 uid=5 gid=6 mtime=1700000000
file name=d/below data=below\n mtime=1700000000
file name=gone data=gone\n
link name=joined link=gone
symlink name=s link=d/below
file name=o/hidden data=1
end
E2
printf 'dir name=d\nfile name=d/.wh.below\nfile name=d/new data=new\\n mode=0600\nend\n' >2.lines
printf 'file name=.wh.gone\ndir name=o\nfile name=o/.wh..wh..opq\nfile name=o/f data=f\\n\nend\n' >3.lines
parent=
for i in 1 2 3; do
	mktar <$i.lines >$i.tar
	gzip -nc $i.tar >$i.tar.gz
	need chain$i ovlctl import -n own$i $parent $i.tar
	parent="-p own$i"
	eval "diff$i=$(sha256sum <$i.tar | cut -d' ' -f1) blob$i=$(sha256sum <$i.tar.gz | cut -d' ' -f1)"
done
mkdir -p c/$snapshotter/snapshots c/$blobs c/io.containerd.metadata.v1.bolt
snap() { # NUMBER TREE
	mkdir -p c/$snapshotter/snapshots/$1/work
	cp -a "$2" c/$snapshotter/snapshots/$1/fs
}
blob() { # FILE
	_sha=$(sha256sum <"$1" | cut -d' ' -f1)
	cp "$1" "c/$blobs/$_sha"
	echo "$_sha"
}
mkdir empty changed
echo more >changed/more
for i in 1 2 3; do
	eval "chain=\$chain$i"
	snap $i "store/overlay2/$chain/diff"
	snap 2$i "store/overlay2/$chain/diff"
	blob $i.tar.gz >/dev/null
done
snap 4 changed
snap 5 empty
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s","sha256:%s"]},"config":{"Env":["A=1"]}}' \
	"$diff1" "$diff2" "$diff3" >config.json
config=$(blob config.json)
desc() { # MEDIA DIGEST
	printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":1}' "$1" "$2"
}
printf '{"schemaVersion":2,"config":%s,"layers":[%s,%s,%s]}' "$(desc config.v1+json "$config")" \
	"$(desc layer.v1.tar+gzip "$blob1")" "$(desc layer.v1.tar+gzip "$blob2")" \
	"$(desc layer.v1.tar+gzip "$blob3")" >manifest.json
manifest=$(blob manifest.json)
printf '{"architecture":"arm64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$diff2" >other.json
other=$(blob other.json)
printf '{"schemaVersion":2,"config":%s,"layers":[]}' "$(desc config.v1+json "$other")" >notours.json
printf '{"schemaVersion":2,"manifests":[%s,%s,%s]}' "$(desc manifest.v1+json "$(blob notours.json)")" \
	"$(desc manifest.v1+json "$(printf '%064d' 7)")" "$(desc manifest.v1+json "$manifest")" >index.json
index=$(blob index.json)
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$diff1" >one.json
printf '{"schemaVersion":2,"config":%s,"layers":[%s]}' "$(desc config.v1+json "$(blob one.json)")" \
	"$(desc layer.v1.tar+gzip "$blob1")" >bottom.json
bottom=$(blob bottom.json)

put() {
	printf 'put %s %s\n' "$@"
}
# A snapshot in metadata.db, and in meta.db.
record() { # NAME NUMBER KIND PARENT [SIZE]
	echo "bucket $1"
	put id "uvarint:$2" kind "\\x0$3" createdat time:$((1700000000 + $2)) updatedat time:1700001000
	[ ! "$4" ] || put parent "$4"
	[ ! "${5-}" ] || put size "varint:$5" inodes varint:3
	echo end
}
known() { # KEY NAME
	printf 'bucket %s\n' "$1"
	put name "$2" createdat time:1700000000
	printf 'bucket children\nend\nend\n'
}
image() { # NAME DIGEST
	printf 'bucket %s\nbucket target\n' "$1"
	put digest "sha256:$2" size varint:1
	printf 'end\nend\n'
}
container=$(printf '%064d' 12)
snapshots() {
	printf 'bucket v1\nbucket snapshots\n'
	record "default/2/sha256:$chain1" 1 3 "" 40
	record "default/4/sha256:$chain2" 2 3 "default/2/sha256:$chain1" 4096
	record "default/6/sha256:$chain3" 3 3 "default/4/sha256:$chain2" 4096
	record "k8s/2/sha256:$chain1" 21 3 "" 40
	record "k8s/4/sha256:$chain2" 22 3 "k8s/2/sha256:$chain1" 4096
	record "k8s/6/sha256:$chain3" 23 3 "k8s/4/sha256:$chain2" 4096
	record default/7/work 4 2 "default/6/sha256:$chain3"
	record "k8s/8/$container" 5 2 "k8s/6/sha256:$chain3"
	record default/9/going 6 2 "default/6/sha256:$chain3"
	[ ! "${1-}" ] || {
		record "k8s/30/$box-init" 30 3 "k8s/6/sha256:$chain3" 0
		record "k8s/31/$box" 31 2 "k8s/30/$box-init"
	}
	printf 'end\nbucket parents\nend\nend\n'
}
meta() {
	echo bucket v1
	put version varint:3
	printf 'bucket default\nbucket images\n'
	image registry.example/app:1 "$manifest"
	image registry.example/app:second "$index"
	image "registry.example/app@sha256:$index" "$index"
	image unpacked.example/not:1 "$(printf '%064d' 9)"
	image registry.example/two:1 "$manifest"
	printf 'end\nbucket snapshots\nbucket overlayfs\n'
	known "sha256:$chain1" "default/2/sha256:$chain1"
	known "sha256:$chain2" "default/4/sha256:$chain2"
	known "sha256:$chain3" "default/6/sha256:$chain3"
	known work default/7/work
	known removed default/99/removed
	printf 'end\nbucket native\nend\nend\nend\nbucket k8s\nbucket images\n'
	image registry.example/app:1 "$manifest"
	image registry.example/two:1 "$bottom"
	printf 'end\nbucket snapshots\nbucket overlayfs\n'
	for i in 1 2 3; do
		eval "known sha256:\$chain$i k8s/$((2 * i))/sha256:\$chain$i"
	done
	known "$container" "k8s/8/$container"
	[ ! "${1-}" ] || {
		known "$box-init" "k8s/30/$box-init"
		known "$box" "k8s/31/$box"
	}
	printf 'end\nend\nbucket containers\n'
	[ ! "${1-}" ] || {
		printf 'bucket %s\nbucket labels\n' "$box"
		put io.kubernetes.container.name nginx io.kubernetes.pod.name web-1
		printf 'end\nend\n'
	}
	printf 'bucket %s\n' "$container"
	put snapshotter overlayfs snapshotKey "$container"
	echo bucket labels
	put nerdctl/name hopeful_name
	printf 'end\nend\nend\nend\nend\n'
}
db() { # FILE OPTIONS...
	_file=$1
	shift
	python3 "$top/tests/tool/boltdb.py" "$@" >"$_file" || stop "boltdb.py"
}
mkdir -p c/$snapshotter/snapshots/6/fs
snapshots | db c/$snapshotter/metadata.db -n 3
meta | db c/io.containerd.metadata.v1.bolt/meta.db
c="ovlctl --root $T/c"

# ---- what it says
work=$(printf default/7/work | sha256sum | cut -d' ' -f1)
space() { # NUMBER
	du -s -B1 "c/$snapshotter/snapshots/$1/fs" | cut -f1
}
is "layers have their chain ids, once; others an id of their own" \
	"$($c ls -nr -b -o ID,KIND,PARENT,DEPTH,SIZE,CREATED | sort)" \
	"$(printf '%s\n' "$chain1 image  0 40 2023-11-14T22:13:21+00:00" \
		"$chain2 image $chain1 1 4096 2023-11-14T22:13:22+00:00" \
		"$chain3 image $chain2 2 4096 2023-11-14T22:13:23+00:00" \
		"$work writable $chain3 3 $(space 4) 2023-11-14T22:13:24+00:00" \
		"$container writable $chain3 3 $(space 5) 2023-11-14T22:13:25+00:00" | sort)"
names_of() { # ID
	$c ls -nr -o NAME "$1"
}
is "names of all namespaces; with that where they differ" "$(names_of "$chain3")" \
	default/registry.example/two:1,registry.example/app:1,registry.example/app:second
is "... " "$(names_of "$chain1")" k8s/registry.example/two:1
is "a snapshot by hand has its key" "$(names_of "$work")" work
is "a container has the name that nerdctl gave it" "$(names_of "$container")" hopeful_name
for what in registry.example/app:second "registry.example/app@sha256:$index" "$manifest" "$config" 3 23; do
	is "understood: $what" "$($c ls -nr -o ID "$what")" "$chain3"
done
is "a number" "$($c ls -nr -o ID 4)" "$work"
fails 3 "no layer|registry.example/two:1" "not understood: of two images" $c ls registry.example/two:1
is "diff ids are known" "$($c ls -nr -o DIFFID | grep . | sort)" \
	"$(printf '%s\n' "$diff1" "$diff2" "$diff3" | sed 's/^/sha256:/' | sort)"
$c show work >show.json
like "show has the number of the snapshot" '"4"' "$(jq -c . show.json)"

# ---- what can be done with it
for i in 1 2 3; do
	eval "chain=\$chain$i"
	need - ovlctl --root c diff -o out.tar "$chain"
	same "the tar of layer $i, from its blob" out.tar $i.tar
done
ok "exported it has the same layers" ovlctl --root c export registry.example/app:1 out.image
is "... " "$(ovlctl --root other import -n app out.image)" "$chain3"
mkdir m own
need - $c mount -r registry.example/app:1 m
need - ovlctl mount -r own3 own
walk own >own.list
walk m >m.list
same "mounted it is what ovlctl makes of the layers" m.list own.list
need - umount m
need - umount own
is "diff of the writable layer" "$($c diff work)" "A /more"
is "which layer a file comes from" "$($c which -a work more d/new gone 2>/dev/null)" "$(printf '%s\n' \
	"work added more" "$(echo "$chain2" | cut -c1-12) added d/new" \
	"default/registry.example/two:1 deleted gone" "k8s/registry.example/two:1 added gone")"
is "... as JSON" "$($c which -J work o/f | jq -c '.paths[].layers[] | [.id, .names[0]]')" \
	"[\"$chain3\",\"default/registry.example/two:1\"]"
fails 2 containerd "nothing is written" $c rm work
ok "check finds nothing" $c check
mkdir c/$snapshotter/snapshots/77
is "nor what is just being made" "$($c check 2>&1)" ""
touch -d '2 hours ago' c/$snapshotter/snapshots/77
$c check >check.out 2>&1
like "but an old directory that no record names" snapshots/77 "$(cat check.out)"
no "... and nothing else" grep -v snapshots/77 check.out
rmdir c/$snapshotter/snapshots/77

# ---- of an ordinary user, whose opaque directories have another xattr
cp -a c users
chown -R 1000:1000 users
for i in 1 2 3; do
	for x in $(cd users/$snapshotter/snapshots/$i/fs && getfattr -R -h -n trusted.overlay.opaque . 2>/dev/null | sed -n 's/^# file: //p'); do
		need - setfattr -h -x trusted.overlay.opaque users/$snapshotter/snapshots/$i/fs/$x
		need - setfattr -h -n user.overlay.opaque -v y users/$snapshotter/snapshots/$i/fs/$x
	done
done
is "the user's diff" "$(ovlctl --root users diff "$chain3" | tr '\n' ,)" "D /gone,C /o,A /o/f,D /o/hidden,"
need - ovlctl --root users mount -r "$chain3" m
is "the user's mount" "$(ls m/o)" f
need - umount m

chmod a+x "$T" "$(dirname "$T")"
chmod 0 users/$blobs/$config
fails 1 "cannot find layer 'registry.example/app:1': cannot read '$blobs/$config': Permission denied" \
	"a config that may not be read is not one that is missing" \
	setpriv --reuid=1000 --regid=1000 --clear-groups ovlctl --root users show registry.example/app:1
chmod 700 "$T"

# ---- of Docker 29, whose containers have an init layer, and of Kubernetes
box=$(printf 'ab%062d' 7)
cp -a c docker
mkdir -p docker/$snapshotter/snapshots/30/fs docker/$snapshotter/snapshots/31/fs
echo x >docker/$snapshotter/snapshots/30/fs/.dockerenv
echo x >docker/$snapshotter/snapshots/31/fs/new
snapshots more | db docker/$snapshotter/metadata.db -n 3
meta more | db docker/io.containerd.metadata.v1.bolt/meta.db
d="ovlctl --root $T/docker"
is "an init layer is not listed" "$($d ls -q | wc -l)" $(($($c ls -q | wc -l) + 1))
is "the container is on its image, and has the name of pod and container" \
	"$($d ls -nr -o NAME,PARENT "$box")" "web-1/nginx $chain3"
is "... its diff is against the init layer" "$($d diff "$box")" "A /new"
need - $d mount -r web-1/nginx m
is "... its mount has both" "$(ls m/new m/.dockerenv | wc -l)" 2
need - umount m
touch -d '2 hours ago' docker/$snapshotter/snapshots/*
is "... and check finds no orphan" "$($d check 2>&1)" ""

# ---- stores that are wrong: one line, at once
cp -a c wrong
w="ovlctl --root $T/wrong"
md=wrong/$snapshotter/metadata.db
mt=wrong/io.containerd.metadata.v1.bolt/meta.db
again() {
	cp -a c/$snapshotter/metadata.db $md
	cp -a c/io.containerd.metadata.v1.bolt/meta.db $mt
}
for file in $md $mt; do
	: >$file
	fails 1 "is not a bolt database" "an empty $(basename $file)" $w ls
	truncate -s 300M $file
	fails 1 "is larger than" "a huge one" $w ls
	head -c 30000 /dev/urandom >$file
	fails 1 "is not a bolt database" "noise" $w ls
	rm $file
	ln -s /etc/passwd $file
	fails 1 "cannot read" "a symlink" $w ls
	rm $file
	mkdir $file
	fails 1 "is not a file|is no bolt" "a directory" $w ls
	rmdir $file
	again
	truncate -s 8192 $file
	fails 1 "is truncated" "cut off" $w ls
	again
	# Both meta pages torn; one of them is as good as none.
	printf x | dd of=$file bs=1 seek=70 conv=notrunc 2>/dev/null
	is "one meta page torn" "$($w ls -q | wc -l)" 5
	printf x | dd of=$file bs=1 seek=4166 conv=notrunc 2>/dev/null
	fails 1 "is not a bolt database" "both torn" $w ls
	again
done
printf 'bucket v1\nbucket snapshots\n' >head.lines
(cat head.lines && record "default/2/sha256:$chain1" 1 3 "default/4/sha256:$chain2" &&
	record "default/4/sha256:$chain2" 2 3 "default/2/sha256:$chain1" && printf 'end\nend\n') | db $md
$w ls >out 2>&1
no "parents in a loop are not listed" grep -q "^ *$chain1" out
like "check says it" "loop" "$($w check 2>&1)"
(cat head.lines && record "default/2/sha256:$chain1" 18446744073709551615 3 "" && printf 'end\nend\n') | db $md
mkdir -p m
fails 3 "vanished|no such|gone" "a number of which there is no directory" $w mount -r "$chain1" m
(cat head.lines && record "default/2/sha256:$chain1" 0 3 "" && printf 'end\nend\n') | db $md
touch -d '2 days ago' wrong/$snapshotter/snapshots/*
$w check >out 2>&1
like "a snapshot without a number: its directory is not known" "^note: unknown .*/snapshots/1: .* has no number" "$(cat out)"
no "... and no orphan" grep -q orphan out
(cat head.lines && record "default/2/sha256:$chain1" 1 7 no-such-parent && printf 'end\nend\n') | db $md
like "a kind and a parent that are none" "parent is missing|no sense" "$($w check 2>&1)"
again
gzip -nc 2.tar >wrong/$blobs/"$blob1"
fails 1 "which should be layer .*: it has the diff id" "a blob of another layer" \
	$w diff -o out.tar "$chain1"
head -c 100 1.tar.gz >wrong/$blobs/"$blob1"
fails 1 "which should be layer" "a blob that is truncated" $w diff -o out.tar "$chain1"
rm wrong/$blobs/"$blob1"
ln -s /etc/passwd wrong/$blobs/"$blob1"
fails 1 "cannot read" "a blob that is a symlink" $w diff -o out.tar "$chain1"
rm wrong/$blobs/"$blob1"
mkfifo wrong/$blobs/"$blob1"
fails 1 "is not a file" "a blob that is a FIFO" timeout 20 $w diff -o out.tar "$chain1"
rm wrong/$blobs/"$blob1"
$w diff -o out.tar "$chain1" 2>err
like "without it the layer is packed, which is said" "was packed from its files" "$(cat err)"
mv wrong/$snapshotter/snapshots/1/fs wrong/fs
ln -s /etc wrong/$snapshotter/snapshots/1/fs
no "a tree that is a symlink" $w mount -r "$chain1" m
no "... is not followed" mountpoint -q m
echo '{"schemaVersion":2,"config":' >wrong/$blobs/"$manifest"
is "a manifest that is none: the layers without its names" \
	"$($w ls -q | wc -l) $($w ls -nr -o NAME | grep -c app:1)" "5 0"

done_testing
