#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# not in a user namespace: root of one that others made cannot trace

# An import that fails or is stopped halfway leaves the layers that have appeared, because
# others may be using them, and gives all names and configs or none.
can_trace || cannot "strace"
S=$OVLCTL_ROOT
sha() { sha256sum <"$1" | cut -d' ' -f1; }
for i in 1 2 3; do
	printf 'file name=f%s data=%s\nend\n' $i $i | mktar >$i.tar
done
image_of image.tar 1.tar 2.tar 3.tar
base=$(sha 1.tar)

# The import stops where it fails, at its second layer.
half() {
	: >calls
	traced -qq -o calls -e trace=renameat2 -e inject=renameat2:error=ENOSPC:signal=STOP:when=2 \
		ovlctl import image.tar >out 2>err &
	half=$!
	until_true has_stopped calls
}
failed_half() { # WHAT
	go_on calls
	wait $half
	is "$1: the import fails" "$? $(sed 's/.*: //' err)" "1 No space left on device"
}
# Is the layer complete, and does it have that name?
stays() { # WHAT NAME
	ok "$1: the layer stays" ovlctl diff -o back.tar "$2"
	same "... and is whole" back.tar 1.tar
	is "... the image has no name" "$(ovlctl ls -nr -o NAME | grep image)" ""
	is "... nothing is in staging" "$(ls "$S/staging")" ""
	ok "... the store is sound" ovlctl check --content
	ok "... and the import can be given again" ovlctl import image.tar
	is "... its name" "$(ovlctl ls -nr -o DEPTH image:1)" 2
	rm -rf "$S"
}

half
ok "a layer of half an image is imported" ovlctl import -n base 1.tar
failed_half "imported meanwhile"
stays "imported meanwhile" base

half
ok "... or named" ovlctl tag "$base" keep
failed_half "named meanwhile"
stays "named meanwhile" keep

# With the root entry as tar writes it, so that both are the same layer.
ovlctl create -n w >/dev/null
printf 1 >"$(tree_of w)/f1"
touch -d @0 "$(tree_of w)/f1" "$(tree_of w)"
ovlctl diff -o 1.tar w
base=$(sha 1.tar)
image_of image.tar 1.tar 2.tar 3.tar
half
ok "... or committed" ovlctl commit -n result w
failed_half "committed meanwhile"
stays "committed meanwhile" result

half
failed_half "alone"
is "what has appeared stays, nameless" "$(ovlctl ls -nr -o ID,NAME)" "$base "
stays "alone" "$base"

# A signal between two layers.
traced -qq -o /dev/null -e trace=renameat2 -e inject=renameat2:signal=TERM:when=2 \
	sh -c 'exec ovlctl import image.tar' >out 2>err
is "stopped between two layers it dies of the signal" "$?" 143
stays "stopped" "$base"

# ---- names and configs --------------------------------------------------------------

# An image $1 named $2 of the layers $4..., whose config says $3.
named() {
	file=$1 name=$2 env=$3
	shift 3
	image_of "$file" "$@"
	mkdir x
	tar -C x -xf "$file"
	jq -c ".config={Env:[\"V=$env\"]}" x/c.json >x/c && mv x/c x/c.json
	jq -c ".[0].RepoTags=$name" x/manifest.json >x/m && mv x/m x/manifest.json
	tar -C x -cf "$file" .
	rm -r x
}
named one.tar '["a:1","b:1"]' one 1.tar 2.tar
top=$(ovlctl import one.tar | tail -1)
ovlctl tag -d a:1
ovlctl tag -d b:1
given() {
	ovlctl ls -nr -o NAME "$top"
	ls "$S/$DRV/$top/.configs"
}
before=$(given)
named two.tar '["a:1","b:1"]' two 1.tar 2.tar
fails_at() { # CALL ERROR N FILE
	traced -qq -o /dev/null -e trace="$1" -e inject="$1:error=$2:when=$3" \
		ovlctl import "$4" >out 2>err
}
for at in "symlinkat ENOSPC 1" "symlinkat ENOSPC 2" "renameat2 EIO 1" "renameat2 EIO 2" \
	"renameat2 EIO 3" "syncfs EIO 1"; do
	fails_at $at two.tar
	is "an import that fails at $at: names and configs as before" "$? $(given)" "1 $before"
done
ok "... and one that does not" ovlctl import two.tar
is "... gives all" "$(ovlctl ls -nr -o NAME "$top") $(ls "$S/$DRV/$top/.configs" | wc -l)" "a:1,b:1 2"
ovlctl show a:1 | jq -r '(.layers[0]? // .).config.config.Env[0]' >got
is "... and the name has the later config" "$(cat got)" V=two
fails_at symlinkat ENOSPC 1 one.tar
is "a name that stays keeps its config when the import of another fails" \
	"$(ovlctl tag -d b:1; fails_at symlinkat ENOSPC 1 one.tar; ovlctl show a:1 |
		jq -r '(.layers[0]? // .).config.config.Env[0]')" V=two
rm -rf "$S"

# ---- an image of many layers --------------------------------------------------------

many=
for i in $(seq 100); do
	printf 'file name=n%s data=%s\nend\n' "$i" "$i" | mktar >"m$i.tar"
	many="$many m$i.tar"
done
image_of many.tar $many
mkdir many
tar -C many -xf many.tar
is_overlay || for from in many.tar many; do
	ok "100 layers with 256 descriptors ($from)" prlimit --nofile=256:256 ovlctl import $from
	is "... all of them" "$(ovlctl ls -nr -o DEPTH image:1)" 99
	rm -rf "$S"
done
traced -qq -c -e trace=syncfs,fsync -o calls ovlctl import many.tar >/dev/null
like "100 layers, a few syncs" '^[0-9]$' "$(awk '$NF ~ /^f?sync/ { n += $4 } END { print n + 0 }' calls)"


# Another process makes the bottom layer first, with a short id of its own.
rm -rf "$S"
is_overlay || {
	: >calls
	traced -qq -o calls -e trace=syncfs -e inject=syncfs:signal=STOP:when=1 \
		ovlctl import image.tar >id &
	importer=$!
	until_true has_stopped calls
	need - ovlctl import 1.tar
	go_on calls
	ok "a layer below was made by another process meanwhile" wait $importer
	is "... what is on top of it is sound" "$(ovlctl check 2>&1)" ""
	ok "... and can be mounted" ovlctl mount "$(cat id)"
	is "... as a whole" "$(ls "$S/$DRV/$(cat id)/merged" | tr '\n' ' ')" "f1 f2 f3 "
	need - ovlctl umount "$(cat id)"
}

done_testing
