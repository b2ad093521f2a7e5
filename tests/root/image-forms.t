#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# The forms of images: packed by any program, in any order, from a file
# or a pipe. Everything else is a layer.
# overlay: when asked

sha() { sha256sum <"$1" | cut -d' ' -f1; }

mkdir -p t1/d t2
echo one >t1/f1
echo in >t1/d/in
echo two >t2/f2
for i in 1 2; do
	need - tar -C t$i --owner=0 --group=0 --sort=name --mtime=@$i -cf $i.tar .
	gzip -nk $i.tar
done
ids="\"sha256:$(sha 1.tar)\",\"sha256:$(sha 2.tar)\""
printf '{"architecture":"%s","os":"linux","rootfs":{"type":"layers","diff_ids":[%s]}}' \
	"$(case $(uname -m) in x86_64) echo amd64 ;; aarch64) echo arm64 ;; *) uname -m ;; esac)" \
	"$ids" >config
chain=$(printf 'sha256:%s sha256:%s' "$(sha 1.tar)" "$(sha 2.tar)" | sha256sum | cut -d' ' -f1)
c=$(sha config)

manifest() { # CONFIG LAYER...
	config=$1
	shift
	printf '[{"Config":"%s","RepoTags":["forms:1"],"Layers":["%s","%s"]}]' "$config" "$@"
}

# An OCI layout.
blob() {
	cp "$1" "oci/blobs/sha256/$(sha "$1")"
	printf '"digest":"sha256:%s","size":%s' "$(sha "$1")" "$(stat -c %s "$1")"
}
mkdir -p oci/blobs/sha256
printf '{"imageLayoutVersion":"1.0.0"}' >oci/oci-layout
layer=application/vnd.oci.image.layer.v1.tar
printf '{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"%s",%s},{"mediaType":"%s+gzip",%s}]}' \
	"$(blob config)" $layer "$(blob 1.tar)" $layer "$(blob 2.tar.gz)" >m
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",%s,"annotations":{"io.containerd.image.name":"forms:1"}}]}' \
	"$(blob m)" >oci/index.json

# The forms of docker-save: DIR CONFIG LAYER1 LAYER2; layers are gzipped if their names say so.
saved() {
	for n in "$2" "$3" "$4"; do mkdir -p "$(dirname "$1/$n")"; done
	cp config "$1/$2"
	i=1
	for n in "$3" "$4"; do
		case $n in *.gz) cp $i.tar.gz "$1/$n" ;; *) cp $i.tar "$1/$n" ;; esac
		i=$((i + 1))
	done
	manifest "$2" "$3" "$4" >"$1/manifest.json"
}
h1=$(sha 1.tar | rev) h2=$(sha 2.tar | rev)
saved docker $c.json $h1/layer.tar $h2/layer.tar
for h in $h1 $h2; do
	printf 1.0 >docker/$h/VERSION
	echo '{}' >docker/$h/json
done
echo '{}' >docker/repositories
saved docker25 blobs/sha256/$c blobs/sha256/$(sha 1.tar) blobs/sha256/$(sha 2.tar)
cp oci/oci-layout oci/index.json docker25
cp oci/blobs/sha256/* docker25/blobs/sha256
saved podman $c.json $(sha 1.tar).tar $(sha 2.tar).tar
saved crane sha256:$c $(sha 1.tar.gz).tar.gz $(sha 2.tar.gz).tar.gz
saved jib config.json $(sha 1.tar.gz).tar.gz $(sha 2.tar.gz).tar.gz
saved bazel blobs/sha256/$c blobs/sha256/$(sha 1.tar).tar.gz blobs/sha256/$(sha 2.tar).tar.gz
saved byhand my-config layers/base top
echo 'load this' >byhand/README.md
cp -r docker mac
printf '\0\5\26\7' >mac/._manifest.json
printf '\0\5\26\7' >mac/$h1/._layer.tar

# ---- one image, whatever it is packed by --------------------------------------------

same_image() { # WHAT COMMAND...: imports the image
	what=$1
	shift
	rm -rf "$OVLCTL_ROOT"
	is "$what: the image" "$("$@" 2>err)" "$chain"
	is "... its name, and no word" "$(ovlctl ls -nr -o NAME forms:1)$(cat err)" forms:1
}
piped() { # COMMAND FILE
	$1 "$2" | ovlctl import -
}

for d in oci docker docker25 podman crane jib bazel byhand mac; do
	same_image "$d, a directory" ovlctl import $d
	(cd $d && find . -type f | LC_ALL=C sort) >names
	tar -C $d --no-recursion -T names -cf $d.files.tar
	(cd $d && find . | LC_ALL=C sort -r) >names
	tar -C $d --no-recursion -T names -cf $d.reverse.tar
	tar -C $d -cf $d.dot.tar .
	(cd $d && tar -cf ../$d.tar -- *)
	for form in files reverse dot; do
		same_image "$d, $form" ovlctl import $d.$form.tar
		same_image "... from a pipe" piped cat $d.$form.tar
	done
	case $d in oci) zip="gzip zstd xz bzip2 lz4" ;; docker) zip="gzip xz" ;; *) zip=zstd ;; esac
	for z in $zip; do
		need - sh -c "$z -c <$d.dot.tar >packed"
		same_image "$d, $z" ovlctl import packed
	done
	same_image "... from a pipe" piped cat packed
done
same_image "--as image" ovlctl import --as image docker.tar
same_image "... from a pipe" sh -c 'cat docker.tar | ovlctl import --as image -'

# A pipe is spooled to disk until its kind is known, more of it than is kept in memory.
mkdir large
head -c 9000000 /dev/urandom >large/noise
tar -C large --owner=0 --group=0 --mtime=@1 -cf noise.tar .
printf '{"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$(sha noise.tar)" >config.large
mkdir big
cp config.large big/c.json
cp noise.tar big/a.tar
printf '[{"Config":"c.json","Layers":["a.tar"]}]' >big/manifest.json
tar -C big -cf big.tar a.tar c.json manifest.json
rm -rf "$OVLCTL_ROOT"
is "a large image from a pipe" "$(piped cat big.tar)" "$(sha noise.tar)"
fails 1 "it holds more than 1048576 bytes" "... larger than --max-size" \
	sh -c 'cat big.tar | ovlctl import --max-size 1M -'
is "nothing is left of it" "$(ls "$OVLCTL_ROOT/staging")" ""

# The tar of an image is read in the same dialects as that of a layer.
odd() { # WHAT LINE...: members that come before the others
	what=$1
	shift
	printf '%s\n' "$@" | mktar >odd.tar
	cat docker.tar >>odd.tar
	same_image "$what" ovlctl import odd.tar
	same_image "... from a pipe" piped cat odd.tar
}
m=$(cat docker/manifest.json)
odd "a number behind a NUL" "file name=manifest.json data=$m at.124=\\0$(printf '%010o' ${#m})\\s"
odd "star's times under GNU tar's magic" \
	"file name=manifest.json magic=gnu data=$m at.476=12130404200\\0 at.488=12130627766\\0"
odd "two pax headers" 'pax name=x pax.size=3' "file name=manifest.json pax.mtime=1 data=$m"
odd "a size where there is no data" 'symlink name=blobs link=a pax.size=513'
odd "a hard link with a size" 'file name=README pax.mtime=1 data=x' \
	'link name=README.md link=README size=513 nodata=1'
odd "a large pax header" "file name=README pax.comment=$(printf '%070000d' 0) data=x"

# Archives of many images as Docker wrote them before version 25: four members for each layer.
seq 6000 | sed 's,.*,file name=&/json data={},' | (cat && echo end) | mktar >many.tar
need - tar -C docker -rf many.tar .
same_image "6000 members more" ovlctl import many.tar
same_image "... from a pipe" piped cat many.tar
for f in cat 'gzip -c'; do
	fails 1 "it holds more than 1048576 bytes" "... larger than --max-size, $f" \
		sh -c "$f many.tar | ovlctl import --max-size 1M -"
done
fails 1 "it holds more than 1048576 bytes" "... a file" ovlctl import --max-size 1M many.tar

# ---- what peers take --------------------------------------------------------------

mkdir sparse
truncate -s 9M sparse/hole
head -c 3000000 /dev/urandom >>sparse/hole
tar -C sparse --owner=0 --group=0 --mtime=@1 -cf sparse.tar .
printf '{"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$(sha sparse.tar)" >big/c.json
cp --sparse=always sparse.tar big/a.tar
for f in gnu 'pax --sparse-version=0.0' 'pax --sparse-version=0.1' 'pax --sparse-version=1.0'; do
	need - tar -C big -S --format=$f -cf s.tar a.tar c.json manifest.json
	need size stat -c %s s.tar
	ok "$f: it is sparse" test "$size" -lt 5000000
	rm -rf "$OVLCTL_ROOT"
	is "a sparse member, $f" "$(ovlctl import s.tar)" "$(sha sparse.tar)"
	is "... from a pipe" "$(piped 'zstd -c' s.tar)" "$(sha sparse.tar)"
	is "... its own tar" "$(ovlctl diff --tar "$(sha sparse.tar)" | sha256sum)" "$(sha256sum <sparse.tar)"
done

cp docker.files.tar twice.tar
need - tar -C docker -rf twice.tar ./manifest.json ./$h1/layer.tar ./$c.json
same_image "members that come twice" ovlctl import twice.tar
mkdir other
manifest $c.json $h2/layer.tar $h1/layer.tar >other/manifest.json
need - tar -C other -rf twice.tar ./manifest.json
fails 1 "'manifest.json' occurs twice in the archive, with different content" "... with other bytes" \
	ovlctl import twice.tar

# Go writes such names into pax headers.
printf '%s\n' 'file name=x pax.path=b\xc3\xbccher.json data={}' | mktar >foreign.tar
need - sh -c 'cat docker.files.tar >>foreign.tar'
same_image "a name that is not ASCII" ovlctl import foreign.tar
same_image "... from a pipe" piped cat foreign.tar

# Members that may belong to an image, in more directories than are remembered.
seq 17 | sed "s,.*,file name=d&/$c.json data={}," | mktar >crowd.tar
need - sh -c 'cat docker.files.tar >>crowd.tar'
same_image "other images' members" ovlctl import crowd.tar
same_image "... from a pipe" piped cat crowd.tar

# Only one large window at a time is in memory: that of the archive is released before those
# of its layers are needed.
mkdir wide
cp config wide/config.json
for i in 1 2; do
	# shellcheck disable=SC2002  # a size that is known would make the window small
	cat $i.tar | zstd -q --long=27 -c >wide/$i
done
manifest config.json 1 2 >wide/manifest.json
need - tar -C wide -cf wide.tar .
# shellcheck disable=SC2002
cat wide.tar | zstd -q --long=27 -c >packed
same_image "large windows inside a large window" timeout -s KILL 100 ovlctl import packed

# Links within the layout.
cp -r oci links
mv links/blobs/sha256 links/shared
ln -s ../shared links/blobs/sha256
l=$(sha 1.tar)
mv links/shared/$l links/shared/real
ln -s real links/shared/$l
same_image "symlinked blobs, a directory" ovlctl import links
tar -C links -cf links.tar .
same_image "... a tar" ovlctl import links.tar
same_image "... a pipe" piped 'gzip -c' links.tar
rm links/shared/$l
ln links/shared/real links/shared/$l
tar -C links -cf links.tar .
same_image "hard links" ovlctl import links.tar
mv links/shared/real outside
ln -sf ../../outside links/shared/$l
out="'blobs/sha256/$l' leads outside the image through a symlink: copy it with 'cp -rL'"
fails 1 "$out" "a blob that leads out" ovlctl import links
tar -C links -cf links.tar .
fails 1 "$(echo "$out" | sed s,blobs/sha256,shared,)" "... in a tar" ovlctl import links.tar
ln -sf "$(pwd)/outside" links/shared/$l
fails 1 "$out" "... by its absolute name" ovlctl import links
rm links/shared/$l
cp outside links/shared/$l
mv links/shared shared
ln -sfn ../../shared links/blobs/sha256
fails 1 "leads outside the image through a symlink: copy it with 'cp -rL'" "all blobs" ovlctl import links
need - cp -rL links copy
same_image "what the message says helps" ovlctl import copy

# ---- layers ------------------------------------------------------------------------

stays() { # WHAT WORDS TAR: a layer, from a file, a pipe, compressed; WORDS on stderr
	for how in file pipe packed; do
		rm -rf "$OVLCTL_ROOT"
		case $how in
		file) id=$(ovlctl import "$3" 2>err) ;;
		pipe) id=$(piped cat "$3" 2>err) ;;
		packed) id=$(piped 'zstd -c' "$3" 2>err) ;;
		esac
		is "$1, $how: a layer" "$id" "$(sha "$3")"
		if [ "$2" ]; then
			like "... that is said" "^ovlctl: import: warning: .*$2" "$(cat err)"
		else
			is "... without a word" "$(cat err)" ""
		fi
		ovlctl diff --tar "$id" >back.tar
		same "... comes back exactly" back.tar "$3"
	done
	rm -rf "$OVLCTL_ROOT"
	is "$1, --as layer: no word" "$(ovlctl import --as layer "$3" 2>&1)" "$(sha "$3")"
}

mkdir -p web/static web2
echo '{"name":"app","start_url":"/"}' >web/manifest.json
echo '<html>' >web/index.html
echo 'x()' >web/static/app.js
tar -C web -cf web.tar manifest.json index.html static
stays "a web application" "" web.tar
echo '[{"name":"app"}]' >web2/manifest.json
echo '{}' >web2/index.json
echo '{}' >web2/config.json
tar -C web2 -cf web2.tar manifest.json index.json config.json
stays "JSON and nothing else" "" web2.tar
tar -C web2 -rf web2.tar ./manifest.json
stays "... and one of them twice" "" web2.tar
mkdir -p cache/blobs/sha256 cache/bin
echo x >cache/blobs/sha256/x
echo x >cache/bin/x
cp config cache/config.json
tar -C cache -cf cache.tar blobs config.json bin
stays "a layer with blobs/ and config.json" "" cache.tar
printf 'file name=manifest.json data=[]\nfifo name=oci-layout\nend\n' | mktar >fifo.tar
stays "a FIFO" "" fifo.tar
# The spooled part is no longer in memory when the kind is known.
cp noise.tar cache/data.tar
tar -C cache -cf late.tar data.tar config.json bin
stays "a layer that shows late" "" late.tar
printf 'end\n' | mktar >none.tar
stays "an empty layer" "" none.tar
head -c 9002000 big.tar >cut.tar
fails 1 "runcated|ends" "an image that is cut off in a member" ovlctl import cut.tar
fails 1 "runcated|ends" "... from a pipe" sh -c 'cat cut.tar | ovlctl import -'
fails 1 "damaged|ends" "a layer that is cut off" sh -c 'head -c 9003000 late.tar | ovlctl import -'
is "nothing is left of it" "$(ls "$OVLCTL_ROOT/staging")" ""

truncate -s 1M hole
need - tar -Scf hole.tar hole
need - tar -C docker -rf hole.tar .
stays "a file without data, and an image" "and other files: to import the image, use --as image" hole.tar

# JSON begins in the first block.
printf 'file name=mine data=%s{}\n' "$(printf '%11000s' '' | sed 's, ,\\s,g')" | mktar >blanks.tar
cat docker.tar >>blanks.tar
stays "blanks before JSON" "and other files: to import the image, use --as image" blanks.tar

# A root file system is not spooled.
mkdir -p root/bin root/usr/lib
cp noise.tar root/usr/lib/noise
echo x >root/bin/sh
tar -C root -cf root.tar .
if command -v strace >/dev/null; then
	rm -rf "$OVLCTL_ROOT"
	# shellcheck disable=SC2002  # a pipe is meant
	cat root.tar | strace -f -o calls -e trace=openat ovlctl import - >/dev/null 2>&1
	like "a pipe with a root: it was read" "recipe" "$(cat calls)"
	no "... and not kept" grep -q O_TMPFILE.*O_RDWR calls
fi

# ---- layers that hold images ----------------------------------------------------------

mkdir -p deep/img
cp -r oci/* deep/img
tar -C deep -cf deep.tar .
stays "a layout in a directory" "holds an OCI image layout in 'img': to import the image" deep.tar
echo x >deep/notes
tar -C deep -cf deep.tar notes img
stays "... and more" "holds an OCI image layout in 'img': to import the image" deep.tar
tar --transform 's,^podman,a/b,' -cf deep.tar podman
stays "docker-save in a directory" "holds a docker-save archive in 'a/b': to import the image" deep.tar
(cd docker && tar -cf ../plus.tar -- * && tar -C ../root -rf ../plus.tar bin)
stays "an image and more" "and other files: to import the image, use --as image" plus.tar
rm -rf "$OVLCTL_ROOT"
is "... with --as image" "$(ovlctl import --as image plus.tar)" "$chain"
(cd docker && tar -cf ../old.tar $h1 $h2 repositories)
stays "docker before 1.10" "was written by docker before 1.10: " old.tar
(cd docker && tar -cf ../cut.tar $h1 $h2 $c.json)
head -c -10240 cut.tar >cut2.tar
stays "docker-save that is cut off" "truncated image: it has no 'manifest.json'" cut.tar
(cd oci && tar -cf ../cut.tar blobs)
stays "a layout that is cut off" "truncated image: it has no" cut.tar
(cd oci && tar -cf ../cut.tar oci-layout blobs)
stays "... and begins with oci-layout" "truncated image: it has no 'index.json'" cut.tar
(cd docker && tar -cf ../cut.tar manifest.json $h1)
for f in cat 'gzip -c'; do
	fails 1 "'manifest.json' names the config '$c.json', which is missing.*--as layer" \
		"docker-save without its config, $f" sh -c "$f cut.tar | ovlctl import -"
done
fails 1 "'manifest.json' names the config" "... a file" ovlctl import cut.tar
fails 1 "is not an image" "--as image with a layer" ovlctl import --as image root.tar
fails 1 "is not an image" "... from a pipe" sh -c 'cat root.tar | ovlctl import --as image -'
echo text >text
fails 1 "'text': not a tar archive" "--as image with a text" ovlctl import --as image text
fails 1 "'-': not a tar archive" "... from a pipe" sh -c 'cat text | ovlctl import --as image -'

done_testing
