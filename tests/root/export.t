#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# Three layers, the first larger than a block of the compressor, and a writable one on top.
sha() { sha256sum "$@" | cut -c1-64; }
mkdir -p t1/etc t2/etc t3
# Two megabytes that are compressed quickly.
yes "$(seq 1000)" | head -c 2000000 >t1/numbers
echo one >t1/etc/one
ln t1/etc/one t1/etc/same
echo two >t2/etc/two
echo three >t3/three
for i in 1 2 3; do tar -C t$i -cf l$i.tar .; done
need one ovlctl import -n one l1.tar
need two ovlctl import -n img/two:v1 -p one l2.tar
need three ovlctl import -n three -p "$two" l3.tar
need - ovlctl create -n w three
layers=$OVLCTL_ROOT/$DRV

need - ovlctl export "$three" nameless.tar
for of in "" -n\ x --no-names; do
	rm -rf nameless
	# shellcheck disable=SC2086 # words
	ovlctl -v --root nameless import $of nameless.tar 2>err >/dev/null
	is "an image without a name, and '$of'" "$(grep -c "the image has no name; 'ovlctl tag'" err)" \
		"$([ "$of" ] && echo 0 || echo 1)"
done

# Every blob has the digest in its name; every descriptor of a layout refers to such a blob.
sound() { # DIR
	(
		cd "$1" || exit 1
		for b in blobs/sha256/*; do
			[ "$(sha "$b")" = "$(basename "$b")" ] || exit 1
		done
		for m in $(jq -r '.manifests[].digest' index.json | cut -d: -f2); do
			jq -r '.config, .layers[] | "\(.digest) \(.size)"' "blobs/sha256/$m" || exit 1
		done >"$T/descriptors"
		jq -r '.manifests[] | "\(.digest) \(.size)"' index.json >>"$T/descriptors"
		while read -r d size; do
			[ "$(stat -c %s "blobs/sha256/${d#sha256:}")" = "$size" ] || exit 1
		done <"$T/descriptors"
		# There are no other blobs.
		[ "$(cut -d' ' -f1 "$T/descriptors" | cut -d: -f2 | sort -u)" = "$(ls blobs/sha256)" ]
	)
}
blob() { # DIR JQ-OF-INDEX
	echo "$1/blobs/sha256/$(jq -r "$2" "$1/index.json" | cut -d: -f2)"
}
tidy() { # WHAT: no temporary file or directory anywhere
	is "$1: nothing is left" "$(ls -A "$OVLCTL_ROOT/staging" 2>/dev/null; ls -d "$T"/.[!.]*.* 2>/dev/null)" ""
}

# ---- an OCI layout in a directory
ok "a directory" ovlctl export three oci
is "... of a layout" "$(ls oci | tr '\n' ' ')" "blobs index.json oci-layout "
is "... which says so" "$(jq -r .imageLayoutVersion oci/oci-layout)" 1.0.0
ok "digests and sizes are right" sound oci
is "its name" "$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' oci/index.json)" three
is "its platform" "$(jq -c '.manifests[0].platform.os' oci/index.json)" '"linux"'
is "media types" "$(jq -r '.mediaType, .manifests[].mediaType' oci/index.json | tr '\n' ' ')" \
	"application/vnd.oci.image.index.v1+json application/vnd.oci.image.manifest.v1+json "
m=$(blob oci '.manifests[0].digest')
is "... of the manifest" "$(jq -r '.config.mediaType, .layers[].mediaType' "$m" | sed 's/.*oci.image.//' | tr '\n' ' ')" \
	"config.v1+json layer.v1.tar+gzip layer.v1.tar+gzip layer.v1.tar+gzip "
i=0
for d in $(jq -r '.layers[].digest' "$m"); do
	i=$((i + 1))
	is "layer $i is the tar that was imported" "$(gzip -dc "oci/blobs/sha256/${d#sha256:}" | sha)" "$(sha l$i.tar)"
done
is "modes are the umask's" "$(stat -c %a oci oci/blobs oci/index.json "$m" | tr '\n' ' ')" "755 755 644 644 "
tidy "a directory"
c=oci/blobs/sha256/$(jq -r .config.digest "$m" | cut -d: -f2)
ids=$(printf 'sha256:%s\n' "$(sha l1.tar)" "$(sha l2.tar)" "$(sha l3.tar)")
is "the config's layers" "$(jq -r '.rootfs.diff_ids[]' "$c")" "$ids"
is "... their type" "$(jq -r .rootfs.type "$c")" layers
is "... a history for each" "$(jq '.history | length' "$c")" 3
is "... of Linux" "$(jq -r .os "$c")" linux
case $(uname -m) in
x86_64) is "... of this machine" "$(jq -r .architecture "$c")" amd64 ;;
aarch64) is "... of this machine" "$(jq -r .architecture "$c")" arm64 ;;
esac
is "... created when the layer was" "$(jq -r .created "$c")" "$(ovlctl show three | jq -r '.layers[0].created')"
is "... no config to run" "$(jq -c .config "$c")" "{}"

ok "--compress zstd" ovlctl export --compress zstd three zstd
ok "... sound" sound zstd
m=$(blob zstd '.manifests[0].digest')
is "... says so" "$(jq -r '.layers[0].mediaType' "$m")" application/vnd.oci.image.layer.v1.tar+zstd
is "... is so" "$(zstd -qdc "zstd/blobs/sha256/$(jq -r '.layers[0].digest' "$m" | cut -d: -f2)" | sha)" "$(sha l1.tar)"
ok "--compress none" ovlctl export --compress none three none
ok "... sound" sound none
m=$(blob none '.manifests[0].digest')
is "... says so" "$(jq -r '.layers[0].mediaType' "$m")" application/vnd.oci.image.layer.v1.tar
is "... has the diff ids" "$(jq -r '.layers[].digest' "$m")" "$ids"
is "... and the same config" "$(jq -r .config.digest "$m")" "sha256:$(basename "$c")"

# ---- as one file
ok "a file" ovlctl export three x.tar
mkdir x && tar -C x -xf x.tar
ok "... is the directory" diff -r x oci
is "... sorted" "$(tar -tf x.tar)" "$(tar -tf x.tar | LC_ALL=C sort)"
is "... of root, from 1970" "$(tar --numeric-owner --full-time -tvf x.tar | awk '{print $2, $4, $5}' | sort -u)" "0/0 1970-01-01 00:00:00"
ovlctl export three again.tar
same "... the same bytes again" x.tar again.tar
ovlctl export three - >again.tar
same "... on standard output" x.tar again.tar
(exec taskset -c 0 ovlctl export three again.tar)
same "... on one core" x.tar again.tar
ovlctl export three x.tar.gz
is ".tar.gz" "$(gzip -dc x.tar.gz | sha)" "$(sha x.tar)"
ovlctl export three x.tar.zst
is ".tar.zst" "$(zstd -qdc x.tar.zst | sha)" "$(sha x.tar)"
ovlctl export three x.tgz
is ".tgz" "$(sha x.tgz)" "$(sha x.tar.gz)"
ok "uncompressed layers in a file" ovlctl export --compress none three n.tar
mkdir n && tar -C n -xf n.tar
ok "... are the directory" diff -r n none
tidy "files"
(umask 027; ovlctl export three m.tar; ovlctl export three mdir)
is "the umask is honoured" "$(stat -c %a m.tar mdir mdir/index.json | tr '\n' ' ')" "640 750 640 "

# ---- several images
ok "several images" ovlctl export one three img/two:v1 many
ok "... sound, and what they share there once" sound many
is "... in their order" "$(jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' many/index.json | tr '\n' ' ')" \
	"one three img/two:v1 "
is "... three manifests, three configs, three layers" "$(ls many/blobs/sha256 | wc -l)" 9
ovlctl export "$three" one byid
is "an id is no name" "$(jq -c '.manifests[0].annotations' byid/index.json)" null
fails 2 "'one' is given twice" "the same twice" ovlctl export one one twice
# The same tar twice in a stack.
need - ovlctl import -n four -p three l2.tar
ok "a layer that comes twice" ovlctl export four ./four
ok "... is one blob" sound four
is "... named twice" "$(jq '.layers | length' "$(blob four '.manifests[0].digest')")" 4

# ---- for docker
need - ovlctl import -n Upper l2.tar
ok "a docker archive" ovlctl export --format docker three img/two:v1 d.tar
mkdir d && tar -C d -xf d.tar
is "its images" "$(jq -r '.[].RepoTags[]' d/manifest.json | tr '\n' ' ')" "three:latest img/two:v1 "
is "... their layers" "$(jq -r '.[0].Layers[]' d/manifest.json)" "$(echo "$ids" | sed 's/sha256://; s,$,/layer.tar,')"
is "... which are uncompressed" "$(jq -r '.[0].Layers[]' d/manifest.json | while read -r l; do sha "d/$l"; done)" \
	"$(echo "$ids" | sed 's/sha256://')"
is "... their configs" "$(jq -r '.[].Config' d/manifest.json | while read -r f; do [ "$(sha "d/$f").json" = "$f" ] && jq -c .rootfs.diff_ids "d/$f"; done)" \
	"$(printf '%s\n' "$(echo "$ids" | jq -Rnc '[inputs]')" "$(echo "$ids" | head -2 | jq -Rnc '[inputs]')")"
is "... the config is the layout's" "$(jq -r '.[0].Config' d/manifest.json)" "$(basename "$c").json"
is "repositories" "$(jq -c . d/repositories)" \
	"{\"img/two\":{\"v1\":\"$(sha l2.tar)\"},\"three\":{\"latest\":\"$(sha l3.tar)\"}}"
is "... sorted" "$(tar -tf d.tar)" "$(tar -tf d.tar | LC_ALL=C sort)"
ovlctl export --format docker three img/two:v1 d2.tar
same "... reproducible" d.tar d2.tar
ovlctl export --format docker three img/two:v1 - | cmp - d.tar
ok "... on standard output" test $? = 0
ovlctl export --format docker --compress gzip three dz.tar
is "--compress gzip" "$(tar -xOf dz.tar "$(sha l3.tar)/layer.tar" | gzip -dc | sha)" "$(sha l3.tar)"
ovlctl export --format docker Upper u.tar 2>err
is "a name that is no reference is no tag" "$(tar -xOf u.tar manifest.json | jq -c '.[].RepoTags')" null
like "... with a warning" "^ovlctl: export: warning: 'Upper' is not an image reference" "$(cat err)"
is "... which -q silences" "$(ovlctl -q export --format docker Upper u.tar 2>&1)" ""
rm -rf u
ovlctl export Upper u 2>err
is "... and in a layout the name it has" "$(jq -r '.manifests[].annotations[]' u/index.json)" Upper
like "... with a warning, too" "^ovlctl: export: warning: 'Upper' is not an image reference" "$(cat err)"
is "... not for a reference" "$(ovlctl export three - 2>&1 >/dev/null)" ""
ovlctl export --format docker "$three" u.tar
is "an id is no tag" "$(tar -xOf u.tar manifest.json | jq -c '.[].RepoTags')" null
no "... nor in repositories" tar -tf u.tar repositories
for name in a:b localhost:5000/a/b:1.2 reg.example.com/x a__b a--b/c.d Reg.io/x a.b-c/d; do
	need - ovlctl create -n "$name" three
	tag=$name
	case ${name##*/} in *:*) ;; *) tag=$name:latest ;; esac
	is "a reference: $name" "$(ovlctl export --format docker "$name" - 2>/dev/null | tar -xO manifest.json | jq -r '.[].RepoTags[]')" "$tag"
done
for name in a..b a___b a:-x a+b a@b A/b a//b a/ a: a:b:c a.b:x/c -reg.io/x; do
	ovlctl create -n "$name" three >/dev/null 2>&1 || continue
	is "no reference: $name" "$(ovlctl -q export --format docker "$name" - | tar -xO manifest.json | jq -c '.[].RepoTags')" null
done
fails 2 "is a file: its name must end in" "a docker archive in a directory" ovlctl export --format docker three ddir

# ---- one layer's tar
ovlctl export --format tar img/two:v1 t.tar
same "--format tar" t.tar l2.tar
ovlctl export --format tar img/two:v1 plain
same "... under any name" plain l2.tar
is "... to standard output" "$(ovlctl export --format tar img/two:v1 - | sha)" "$(sha l2.tar)"
ovlctl export --format tar img/two:v1 t.tar.gz
is "... by suffix" "$(gzip -dc t.tar.gz | sha)" "$(sha l2.tar)"
ovlctl export --format tar --compress none img/two:v1 t.tar.gz
same "... or by --compress" t.tar.gz l2.tar
fails 2 "a single layer" "--format tar of two" ovlctl export --format tar one three z.tar

# ---- a writable layer on top
need mp ovlctl mount w
echo four >"$mp/four"
rm "$mp/three"
ok "a writable layer, mounted" ovlctl export w mounted.tar
ovlctl umount w
ok "... not mounted" ovlctl export w wr
mkdir wm && tar -C wm -xf mounted.tar
ok "... the same" diff -r wm wr
ok "... sound" sound wr
m=$(blob wr '.manifests[0].digest')
is "its layer is the diff" "$(gzip -dc "wr/blobs/sha256/$(jq -r '.layers[3].digest' "$m" | cut -d: -f2)" | sha)" \
	"$(ovlctl diff --tar w | sha)"
is "... as the config says" "$(jq -r '.rootfs.diff_ids[3]' "wr/blobs/sha256/$(jq -r .config.digest "$m" | cut -d: -f2)")" \
	"sha256:$(ovlctl diff --tar w | sha)"
ok "uncompressed" ovlctl export --compress none w wn.tar
mkdir wn && tar -C wn -xf wn.tar
ok "... sound" sound wn
ok "for docker" ovlctl export --format docker w wd.tar
is "... the diff" "$(tar -xOf wd.tar "$(ovlctl diff --tar w | sha)/layer.tar" | sha)" "$(ovlctl diff --tar w | sha)"
tidy "a writable layer"
if command -v flock >/dev/null; then
	flock "$layers/$two" sh -c 'ovlctl --nowait export w locked >out 2>err; echo $? >code'
	is "a layer that is locked, --nowait" "$(cat code) $(sed 's,: [0-9]* (,: N (,' err)" \
		"4 ovlctl: export: layer '$two' is in use by another process: N (flock)"
	no "... nothing is left" test -e locked
fi

# ---- configs
keep() { # LAYER-ID FILE [NAME]: as an import of an image leaves it
	mkdir -p "$layers/$1/.configs" && cp "$2" "$layers/$1/.configs/$(sha "$2")"
	[ -z "${3-}" ] || printf %s "$(sha "$2")" >"$layers/$1/.names/$3"
}
cat >c1.json <<END
{ "os":"linux",   "architecture": "s390x", "variant": "z", "created":"2001-02-03T04:05:06.7Z",
  "config": {"Env":["A=b"], "Cmd":["/bin/sh"]}, "unknown": [1.5, null, "\u00e9"],
  "rootfs": {"type":"layers","diff_ids":["sha256:$(sha l1.tar)","sha256:$(sha l2.tar)"]},
  "history": [{"created_by":"a"},{"created_by":"b","empty_layer":true},{"created_by":"c"}] }
END
sed 's/A=b/A=c/' c1.json >c2.json
keep "$two" c1.json
ovlctl export img/two:v1 kept
m=$(blob kept '.manifests[0].digest')
is "a kept config goes out as it is" "$(jq -r .config.digest "$m")" "sha256:$(sha c1.json)"
same "... byte for byte" "kept/blobs/sha256/$(sha c1.json)" c1.json
is "... with its platform" "$(jq -c '.manifests[0].platform' kept/index.json)" \
	'{"architecture":"s390x","os":"linux","variant":"z"}'
ovlctl export --format docker img/two:v1 - | tar -xO "$(sha c1.json).json" | cmp - c1.json
ok "... for docker as well" test $? = 0
ovlctl export three over
c=over/blobs/sha256/$(jq -r .config.digest "$(blob over '.manifests[0].digest')" | cut -d: -f2)
is "a layer on top of an image: its layers" "$(jq -r '.rootfs.diff_ids[]' "$c")" "$ids"
is "... the history goes on" "$(jq -r '.history[].created_by' "$c" | tr '\n' ' ')" "a b c ovlctl "
is "... what is to run stays" "$(jq -c '.config, .unknown, .architecture' "$c" | tr '\n' ' ')" \
	'{"Cmd":["/bin/sh"],"Env":["A=b"]} [1.5,null,"é"] "s390x" '
is "... its own time" "$(jq -r .created "$c")" "$(ovlctl show three | jq -r '.layers[0].created')"
ovlctl export w overw
is "a writable one on top of that" "$(jq -r '.rootfs.diff_ids | length' "overw/blobs/sha256/$(jq -r .config.digest "$(blob overw '.manifests[0].digest')" | cut -d: -f2)")" 4
keep "$two" c2.json second:v2
ln -s "../$DRV/$two" "$OVLCTL_ROOT/names/second:v2"
ovlctl export second:v2 second
is "of several configs the one that goes with the name" \
	"$(jq -r .config.digest "$(blob second '.manifests[0].digest')")" "sha256:$(sha c2.json)"
ovlctl export three several 2>err
like "... below, one is taken with a warning" "^ovlctl: export: warning: layer .* is the top of several images: using the latest config, sha256:.*" "$(cat err)"
rm "$layers/$two/.configs/$(sha c2.json)" "$layers/$two/.names/second:v2" "$OVLCTL_ROOT/names/second:v2"
sed 's/"sha256:[^"]*",//' c1.json >other.json
keep "$three" other.json
fails 1 "config .* of layer ${three%"${three#????????????}"} does not match its stack" "a config of other layers" ovlctl export three z
ovlctl export four skipped
is "... is not taken below" "$(jq -r .architecture "skipped/blobs/sha256/$(jq -r .config.digest "$(blob skipped '.manifests[0].digest')" | cut -d: -f2)")" s390x
rm -r "$layers/$three/.configs"
echo >>"$layers/$two/.configs/$(sha c1.json)"
fails 1 "config .* is damaged" "a damaged config" ovlctl export img/two:v1 z
fails 1 "config .* is damaged" "... below" ovlctl export three z
rm -r "$layers/$two/.configs"
no "... nothing is left" test -e z

# ---- a second store with the same layers
export SOURCE_DATE_EPOCH=1000000000
ovlctl export three s1
like "SOURCE_DATE_EPOCH clamps" '"created":"2001-09-09T01:46:40Z"' "$(cat s1/blobs/sha256/*)"
(
	OVLCTL_ROOT=$T/store2
	ovlctl import -n one l1.tar
	ovlctl import -n two -p one l2.tar
	ovlctl import -n three -p two l3.tar
) >/dev/null
ovlctl --root store2 export three s2
ok "another store gives the same" diff -r s1 s2
ovlctl export --format docker three s1.tar
ovlctl --root store2 export --format docker three s2.tar
same "... for docker as well" s1.tar s2.tar
unset SOURCE_DATE_EPOCH
mkdir r1
# An exported image that was imported: it has a config, so the time does not matter.
ovlctl export w out.tar
ovlctl --root store3 import --no-names -n w out.tar >/dev/null
ovlctl --root store3 export w back.tar
same "exported, imported, exported: the same bytes" back.tar out.tar
ovlctl export --format docker w out.tar
ovlctl --root store4 import out.tar >/dev/null
ovlctl --root store4 export --format docker w:latest back.tar
same "... for docker as well" back.tar out.tar

# ---- where to
fails 2 "no destination given: 'three' is a layer" "a layer for a target" ovlctl export w three
mkdir empty && chmod 701 empty
ok "into an empty directory" ovlctl export three empty
is "... which keeps its mode" "$(stat -c %a empty)" 701
# The group bits of a directory with an ACL are the mask, not the permissions of the group.
mkdir -m 700 acls acls/none
setfacl -m u:9:rwx acls
setfacl -d -m u:8:rx acls
mkdir acls/own
setfacl -b acls/none
setfacl -m u:7:rwx acls/own
for d in own none; do
	getfacl -cn acls/$d >want
	need - ovlctl export three acls/$d
	getfacl -cn acls/$d >got
	same "... and its ACLs: $d" got want
done
# An ACL with an id that the user namespace does not map cannot be kept: nobody gets more.
if unshare -rm true; then
	need - unshare -rm ovlctl --root inner import -n a l3.tar
	mkdir -m 750 mapped
	(cd mapped && mkdir -m 750 access default both && setfacl -m u:0:rwx default both &&
		setfacl -m u:9:rwx access && setfacl -d -m u:9:rwx default && setfacl -m u:9:rwx both &&
		setfacl -d -m u:0:rwx both) || exit 1
	for d in access default both; do
		ok "an ACL that is not mapped: $d" unshare -rm ovlctl --root inner export a mapped/$d
		ok "... is exported" test -s mapped/$d/index.json
		is "... to a directory for its owner only" "$(getfacl -cn mapped/$d)" \
			"$(printf 'user::rwx\ngroup::---\nother::---')"
	done
fi
# A new directory is what mkdir(1) would make there.
mkdir inherit inherit/private inherit/named inherit/group
setfacl -d -m g::-,o::- inherit/private
setfacl -d -m u:9:rwx,m::- inherit/named
chown 0:34 inherit/group
chmod 2755 inherit/group
for d in private named group; do
	mkdir inherit/$d/new
	need - ovlctl export three inherit/$d/out
	is "a new directory: $d" "$(stat -c '%a %u:%g' inherit/$d/out; getfacl -cnp inherit/$d/out)" \
		"$(stat -c '%a %u:%g' inherit/$d/new; getfacl -cnp inherit/$d/new)"
done
# ... also if its group and ACL are not mapped.
if unshare -rm true; then
	setfacl -d -m u:9:rwx,g::rwx inherit/group
	unshare -rm sh -c 'umask 2; mkdir inherit/group/mapped
		ovlctl --root inner export a inherit/group/inner' 2>err
	is "a new directory in a user namespace" "$(cat err; getfacl -cn inherit/group/inner)" \
		"$(getfacl -cn inherit/group/mapped)"
fi
# Without the permission to change owners, members of another group are in that class.
mkdir others
for modes in 2770:700 2775:755 704:700 3777:1777; do
	d=others/${modes%:*}
	mkdir $d
	chown 12:34 $d
	chmod ${modes%:*} $d
	setpriv --inh-caps=-chown --bounding-set=-chown ovlctl export three $d 2>err
	is "an owner that cannot be kept: ${modes%:*}" "$? $(stat -c '%a %u:%g' $d) $(cat err)" \
		"0 ${modes#*:} 0:0 ovlctl: export: warning: '$d' does not keep its owner, group or ACL"
	ok "... is exported" test -s $d/index.json
done
mkdir full && echo x >full/x
fails 1 "'full' already exists and is not empty" "a directory that is not empty" ovlctl export three full
is "... stays" "$(ls full)" x
for file in full/x /dev/null; do
	fails 1 "'$file' is not a directory; .*, and '-' is standard output" "$file" ovlctl export three $file
done
mkdir linked && ln -s linked link
ok "through a symlink" ovlctl export three link/
ok "... which stays" test -L link -a -f linked/index.json
ln -s linked2 dangles
ok "... that leads nowhere yet" ovlctl export three dangles
ok "... which makes what it leads to" test -L dangles -a -f linked2/index.json
fails 1 "'no/dir': No such file" "a parent that is not there" ovlctl export three no/dir
fails 1 "'\.'" "the working directory" ovlctl export three .
fails 1 "no/x.tar.*No such file" "... of a file" ovlctl export three no/x.tar
fails 2 "operand 2 is empty" "no name" ovlctl export three ''
fails 2 "unknown format 'zip'" "an unknown format" ovlctl export --format zip three z
fails 2 "compressed with gzip, zstd or none, not 'xz'" "layers in xz" ovlctl export --compress xz three z
fails 2 "unknown compression 'rar'; the compressions are none, gzip" "an unknown compression" ovlctl export --format tar --compress rar three z
fails 3 "no such layer 'nowhere'" "no such layer" ovlctl export three nowhere z
if command -v script >/dev/null; then
	is "not to a terminal" "$(script -qec 'ovlctl export three -' /dev/null </dev/null | tr -d '\r')" \
		"ovlctl: export: a tar is not written to a terminal; redirect standard output"
fi
no "a refused export leaves nothing" test -e z
tidy "refusals"
if ! as_user; then
	mkdir small
	mount -t tmpfs -o size=64k none small
	fails 1 "cannot write to 'small/d': No space left" "a full disk, a directory" ovlctl export --compress none three small/d
	is "... leaves nothing" "$(ls -A small)" ""
	fails 1 "cannot write 'small/x.tar': No space left" "a full disk, a file" ovlctl export --compress none three small/x.tar
	is "... leaves nothing" "$(ls -A small)" ""
	umount small
fi
if can_trace; then
	# During a call of the main thread.
	for to in killed:mkdirat killed.tar:pread64; do
		traced -qq -o /dev/null -e trace="${to#*:}" -e inject="${to#*:}:signal=TERM:when=1" \
			ovlctl export one "${to%:*}" 2>/dev/null
		is "a signal: ${to%:*}" "$?" 143
		no "... is not there" test -e "${to%:*}"
	done
	tidy "a signal"
	ok "a file system without O_TMPFILE" traced -qq -o trace -P "$OVLCTL_ROOT/staging" -e trace=openat \
		-e inject=openat:error=EOPNOTSUPP:when=2 ovlctl export one named.tar
	like "... a name for a moment" '"[0-9a-f]{64}", O_RDWR' "$(cat trace)"
	ovlctl export one tmpfile.tar
	same "... the same" named.tar tmpfile.tar
	tidy "named files"
	mkdir later
	traced -o trace -e trace=mkdirat -e inject=mkdirat:signal=STOP:when=1 ovlctl export one later &
	until_true has_stopped trace
	chmod 700 later
	go_on trace
	wait $!
	is "the mode of the old directory is changed meanwhile" "$(stat -c %a later; ls later)" \
		"$(printf '700\nblobs\nindex.json\noci-layout')"
	echo old >old.tar
	for why in 'EIO Input/output error' 'ENOMEM Cannot allocate memory'; do
		traced -qq -o /dev/null -e trace=lgetxattr -e inject=lgetxattr:error=${why%% *}:when=1 \
			ovlctl export one old.tar >out 2>err
		like "the ACL of an old file cannot be read" "^1:ovlctl: export: .*old.tar'.*: ${why#* }$" "$?:$(cat out err)"
	done
	is "... it stays" "$(cat old.tar)" old
fi
mkdir ro
if mount --bind "$OVLCTL_ROOT" ro && mount -o remount,bind,ro ro; then
	ok "a store that is read-only" env TMPDIR="$T/r1" ovlctl --root ro export three ro.tar
	same "... the same" ro.tar x.tar
	fails 1 "cannot make a temporary file in '/nowhere': No such file" "... and no place for temporary files" \
		env TMPDIR=/nowhere ovlctl --root ro export three no.tar
	umount ro
fi

# ---- damage
fails_clean() { # PATTERN WHAT ARGUMENTS
	p=$1
	what=$2
	shift 2
	for to in bad bad.tar bad.tar.gz; do
		for z in gzip none; do
			fails 1 "$p" "$what: $to, $z" ovlctl export --compress $z "$@" $to
			no "... leaves nothing" test -e $to
		done
	done
	fails 1 "$p" "$what: docker" ovlctl export --format docker "$@" bad.tar
	no "... leaves nothing" test -e bad.tar
	tidy "$what"
}
cp -a "$layers/$two/$TREE/etc/two" saved
echo TWO >"$layers/$two/$TREE/etc/two"
fails_clean "layer ${two%"${two#????????????}"} is damaged: 'etc/two' differs from what was imported" "a damaged file" three
ovlctl export three - >/dev/null 2>err
is "... also on standard output" "$?" 1
cp -a saved "$layers/$two/$TREE/etc/two"
ok "... and healed" ovlctl export three healed
mv "$layers/$two/$TREE/etc/two" moved
fails_clean "'etc/two' is missing" "a missing file" three
mv moved "$layers/$two/$TREE/etc/two"
edit() { # LAYER-ID SED
	cp -a "$layers/$1/.layer" saved.layer
	sed -i "$2" "$layers/$1/.layer"
}
restore() { cp -a saved.layer "$layers/$1/.layer"; }
edit "$three" "s/^parent .*/parent $one/"
fails_clean "its id is not that of its diff id and its parent" "a wrong parent" three
restore "$three"
edit "$three" "s/^tar .*/tar 512/"
fails 1 "it gives more than 512 bytes of tar" "a wrong length" ovlctl export --compress none three bad.tar
restore "$three"
edit "$three" "s/^tar .*/tar 51200000/"
fails 1 "its tar does not have the recorded size" "... too long" ovlctl export --compress none three bad.tar
no "... leaves nothing" test -e bad.tar
restore "$three"
mv "$layers/$two/.recipe" saved.recipe
fails_clean "layer .*: '.recipe' is missing" "a lost recipe" three
head -c 60 saved.recipe >"$layers/$two/.recipe"
fails_clean "'.recipe' is damaged" "a cut recipe" three
mv saved.recipe "$layers/$two/.recipe"
mv "$layers/$one" gone
fails_clean "no such layer '$one'" "a missing layer" three
mv gone "$layers/$one"
ok "after all that it is as before" ovlctl export three last
ok "... bit for bit" diff -r last oci

done_testing
