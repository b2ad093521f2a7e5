#!/bin/sh
. "$(dirname "$0")/../lib.sh"
. "$top/tests/images.sh"

# only overlay2: the store is another program's

# The store of containers/storage, as podman and buildah have it, made here, and hostile ones.
as_user && export AS=user
printf '%s\n' 'dir name=d' 'file name=d/f data=one mtime=7' 'file name=gone data=3' \
	'file name=old/a data=4' end | mktar >1.tar
printf '%s\n' 'file name=.wh.gone' 'file name=old/.wh..wh..opq' 'file name=old/b data=7' end | mktar >2.tar
config "$machine" A=1 1.tar 2.tar >app.json
image=$(sha app.json)
R=$T/root
fresh() {
	rm -rf "$R"
	mkdir "$R"
	python3 "$top/tests/foreign.py" containers "$R" app.json docker.io/library/app:1,app:2 1.tar 2.tar &&
		python3 "$top/tests/foreign.py" container "$R" app:2 box >box.id
}
need - fresh
box=$(cat box.id)
export OVLCTL_ROOT="$R" TMPDIR="$T"
bottom=$(sha 1.tar)
own=$(printf '%s+%s' "$bottom" "$(sha 2.tar)" | sha256sum | cut -d' ' -f1)
top_id=$(ovlctl --root "$T/tars" import -p "$(ovlctl --root "$T/tars" import 1.tar)" 2.tar)

# ---- what is in it

is "layers: chain ids, though the engine has others; a container's is writable" \
	"$(ovlctl ls -nr -o DEPTH,KIND,ID,NAME | sort)" "$(printf '%s\n' "0 image $bottom " \
		"1 image $top_id app:2,docker.io/library/app:1" "2 writable $box box")"
is "sizes and times are those of the records" "$(ovlctl ls -J "$top_id" |
	jq -r '.layers[0] | "\(.size) \(.created)"')" "$(stat -c %s 2.tar) 2026-01-02T03:04:05Z"
for name in app:1 library/app:1 docker.io/app:1 index.docker.io/library/app:1; do
	is "a name is completed as podman does: $name" "$(ovlctl ls -nr -o ID "$name")" "$top_id"
done
is "... with the config of its image" "$(ovlctl show app:1 | jq -c '.layers[0].config.config.Env')" '["A=1"]'
is "podman's own id is understood" "$(ovlctl ls -nr -o ID "$own")" "$top_id"
is "the image's id is" "$(ovlctl ls -nr -o ID "$image")" "$top_id"
is "the container's is" "$(ovlctl ls -nr -o ID "$(printf %s "$box" | sha256sum | cut -d' ' -f1)")" "$box"
is "show says what podman calls it, and where it is" "$(ovlctl show app:2 |
	jq -r '.layers[0] | "\(.engine_id) \(.path)"')" "$own $R/overlay/$own"
is "show has the config" "$(ovlctl show app:2 | jq -r '.layers[0].configs[]')" "sha256:$image"
is "diff" "$(ovlctl diff app:2 | tr '\n' ' ')" "D /gone C /old D /old/a A /old/b "
ovlctl diff --tar app:2 | cmp - 2.tar
is "diff --tar has the bytes that podman unpacked" $? 0
ovlctl diff -o bottom.tar "$bottom" && cmp bottom.tar 1.tar
is "diff -o too" $? 0
ovlctl export app:2 - | ovlctl --root "$T/copy" import - >out
is "what is exported is the image" "$(cat out)" "$top_id"
ovlctl export --format docker app:2 - | tar -xO "$image.json" | cmp - app.json
is "with its config" $? 0
echo new >"$R/overlay/$box/diff/new"
is "diff of a container's layer" "$(ovlctl diff box)" "A /new"
ok "check has nothing to say" ovlctl check
mkdir "$R/overlay/lost"
echo x >"$R/overlay/lost/f"
is "a new directory is no orphan" "$(ovlctl check)" ""
need - touch -d '61 minutes ago' "$R/overlay/lost"
like "one is after an hour" "not changed for 1 hour:" "$(ovlctl check 2>&1)"
need - touch -d '3 hours ago' "$R/overlay/lost"
like "an old one is" "overlay/lost.*not changed for 3 hours: not named by overlay-" "$(ovlctl check 2>&1)"
rm -r "$R/overlay/lost"

# Records that are not in the store: of containers with transient_store, of layers with
# --imagestore. Neither directory is an orphan.
container=$(jq -r '.[0].id' "$R/overlay-containers/containers.json")
forget() { # FILE, without the record of the container's layer
	jq "map(select(.id != \"$box\" and .layer != \"$box\"))" "$R/$1" >new.json && cp new.json "$R/$1"
	need - touch -d '3 hours ago' "$R/overlay/$box"
}
forget overlay-layers/layers.json
is "a layer that a container's record names is no orphan" "$(ovlctl check 2>&1)" ""
forget overlay-containers/containers.json
like "without that it is" "overlay/$box: .* not named by" "$(ovlctl check 2>&1)"
need - mkdir "$R/overlay-containers/$container"
like "unknown if a container's record is elsewhere" \
	"overlay/$box: .* unknown, since the record of container $(echo "$container" | cut -c1-12) is not" \
	"$(ovlctl check 2>&1)"
need - fresh

if ! as_user || [ -e /proc/self/uid_map ]; then
	mkdir m
	ok "mount -r" ovlctl mount -r app:2 m
	is "the files are there" "$(ls m m/old | tr '\n' ' ')" "m: d old  m/old: b "
	ok "umount" ovlctl umount m
fi

# A second directory of a layer, which has its files for other owners.
mv "$R/overlay/$own/diff" "$R/overlay/$own/diff1"
mkdir "$R/overlay/$own/diff"
ovlctl diff --tar app:2 | cmp - 2.tar
is "files in diff1 are found" $? 0
need - fresh

# ---- bytes that are not there

split="$R/overlay-layers/$own.tar-split.gz"
rm "$split"
like "without tar-split the layer is packed, and that is said" "was packed from its files" \
	"$(ovlctl diff -o packed.tar app:2 2>&1)"
is "with the same names" "$(tar -tf packed.tar | grep -v '^\./$' | sort)" \
	"$(printf '%s\n' .wh.gone old/ old/.wh..wh..opq old/b | sort)"
need - fresh
printf x >"$R/overlay/$own/diff/old/b"
ovlctl diff --tar app:2 >out 2>err
is "a damaged file: exit status" $? 1
like "which is named" "is damaged: 'old/b' differs" "$(cat err)"
need - fresh

# ---- removed meanwhile

split="$R/overlay-layers/$own.tar-split.gz"
removed() { # WHAT
	fails 3 "has vanished: containers/storage has removed it" "$1: diff" ovlctl diff app:2
	fails 3 "has vanished: containers/storage has removed it" "... diff --tar" ovlctl diff -o packed.tar app:2
	fails 3 "has vanished: containers/storage has removed it" "... export" ovlctl export app:2 out.d
	fails 3 "layer '[^']*' has vanished: containers/storage has removed it$" "... import --from" \
		ovlctl --root "$T/none" import --from "$R" app:2
	need - fresh
}
rm -r "$R/overlay/$own/diff"
removed "a tree"
rm -r "$R/overlay/$bottom"
fails 3 "has vanished: containers/storage has removed it" "a layer below: export" ovlctl export app:2 out.d
fails 3 "lower layer 'overlay/$bottom/diff' has vanished" "... which" ovlctl which app:2 /d
need - fresh
head -c 1000000 /dev/urandom >big
tar --owner 0 --group 0 --numeric-owner -cf big.tar big
config "$machine" A=2 big.tar >big.json
need - python3 "$top/tests/foreign.py" containers "$R" big.json big:1 big.tar
mkfifo pipe
{
	head -c 1000 >/dev/null
	jq 'map(if .id == "'"$(sha big.tar)"'" then .flags.incomplete = true else . end)' \
		"$R/overlay-layers/layers.json" >new.json && cp new.json "$R/overlay-layers/layers.json"
	truncate -s 100 "$R/overlay/$(sha big.tar)/diff/big"
	cat >/dev/null
} <pipe &
ovlctl diff --tar big:1 >pipe 2>err
is "a layer that is removed while it is read: exit status" $? 3
like "... is said to be" "layer '$(sha big.tar)' has vanished" "$(cat err)"
need - fresh

# A bug of podman 4.3: zstd:chunked changes a tar, and the image keeps the old diff id.
jq ".[0].layer = \"$bottom\"" "$R/overlay-images/images.json" >new.json && cp new.json "$R/overlay-images/images.json"
fails 1 "the config '.*' has other layers" "an image whose config has other diff ids" \
	ovlctl --root "$T/none" import --from "$R" app:1
need - fresh

# ---- hostile stores

json="$R/overlay-layers/layers.json"
edit() { # JQ-FILTER
	jq "$1" "$json" >new.json && cp new.json "$json"
}
told() { # WHAT PATTERN: check tells, ls works
	like "$1" "$2" "$(ovlctl check 2>&1)"
	ovlctl ls >out 2>err
	[ $? -lt 2 ]
	report $? "... and ls ends"
	need - fresh
}
edit '.[0].parent = .[1].id'
told "a loop" "its parents form a loop"
edit '.[0].parent = .[0].id'
told "a layer on itself" "its parents form a loop"
edit '.[0].id = "../../etc"'
told "an id that leads out" "has no valid id"
edit '.[0].id = 3'
told "an id that is none" "has no valid id"
edit '.[0]["diff-digest"] = "sha256:../x"'
is "a diff digest that is none: an id all the same" "$(ovlctl ls -q | wc -l)" 3
need - fresh
edit '.[1].parent = "nothere"'
told "a parent that is missing" "its parent .* is not in the store"
edit 'del(.[0])'
fails 1 "its parent .* is not in the store" "export without a layer below" ovlctl export box out.tar
told "or its record" "its parent .* is not in the store"
edit '.[1].flags.incomplete = true'
told "a layer that was not completed" "it is incomplete"
edit '.[1].flags.incomplete = true | .[1].created = (now | todate)'
is "one that is being made is no fault" "$(ovlctl check 2>&1 | grep incomplete) $(ovlctl ls -q 2>&1 | wc -l)" " 2"
fails 3 "directory 'overlay/$own' is not one \(being made\)" "... nor a layer yet" ovlctl show "$own"
need - fresh
edit 'map(.flags.incomplete = true)'
is "many are one warning" "$(ovlctl ls 2>&1 >/dev/null | grep warning)" \
	"ovlctl: ls: warning: 3 layers are damaged and not listed; see 'ovlctl check'"
need - fresh
edit '. + .'
is "a record twice counts once" "$(ovlctl ls -q | wc -l)" 3
need - fresh
edit '. + [.[1] + {id: "00000000000000000000000000000000000000000000000000000000000000aa"}]'
is "the same layer for other owners has another id" "$(ovlctl ls -q | wc -l)" 4
need - fresh
printf '{' >"$json"
told "torn JSON" "layers.json' is damaged"
head -c 40000000 /dev/zero | tr '\0' '[' >"$json"
told "huge JSON" "layers.json': File too large"
rm "$json"
ln -s /etc/passwd "$json"
fails 1 "cannot read 'overlay-layers/layers.json'" "a symlink for a file" ovlctl ls
need - fresh
rm -r "$R/overlay/$own/diff"
ln -s / "$R/overlay/$own/diff"
told "a symlink for a tree" "its tree cannot be opened"
rm "$split"
ln -s /etc/passwd "$split"
fails 1 "cannot read 'overlay-layers/.*.gz'" "a symlink for a tar-split" ovlctl diff -o packed.tar app:2
rm "$split"
mkfifo "$split"
fails 1 "overlay-layers/.*.gz' is not a file" "a FIFO for a tar-split" timeout 20 ovlctl diff -o packed.tar app:2
need - fresh
f="$R/overlay-images/$image"
mv "$f"/=* config
ln -s "$T/config" "$f/=$(printf 'sha256:%s' "$image" | base64 -w0)"
no "a symlink for a config is not followed" sh -c 'ovlctl show app:2 | grep -q A=1'

done_testing
