#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# Images of the same layers that differ only in their configs can be told apart, with
# names or without.
printf 'file name=f data=1\nend\n' | mktar >1.tar
printf 'file name=g data=2\nend\n' | mktar >2.tar
sha() { sha256sum <"$1" | cut -d' ' -f1; }

for env in A B C; do
	image_of plain.tar 1.tar 2.tar
	mkdir x
	tar -C x -xf plain.tar
	jq -c ".config={Env:[\"V=$env\"]}" x/c.json >$env.json
	cp $env.json x/c.json
	jq -c '.[0].RepoTags=null' x/manifest.json >m
	mv m x/manifest.json
	tar -C x -cf $env.tar .
	rm -r x
done
a=$(sha A.json)
b=$(sha B.json)
c=$(sha C.json)
need id ovlctl import A.tar
need same ovlctl import B.tar
is "two images, one stack of layers" "$id" "$same"

is "show lists both configs" "$(ovlctl show "$id" | jq -r '.layers[0] | .configs | sort | .[]')" \
	"$(printf 'sha256:%s\n' "$a" "$b" | sort)"
is "... and shows the one that is asked for" "$(ovlctl show "$id@sha256:$a" | jq -r '.layers[0] | .id, .config.config.Env[0]')" "$id
V=A"
is "... none if it is not said which" "$(ovlctl show "$id" | jq -r '.layers[0].config')" null

# The digests of the configs in a layout.
configs_in() {
	jq -r '.manifests[].digest[7:]' "$1/index.json" | while read -r m; do
		jq -r '.config.digest[7:]' "$1/blobs/sha256/$m"
	done
}
ok "one is exported" ovlctl export "$id@sha256:$a" outA
is "... with its config" "$(configs_in outA)" "$a"
same "... byte for byte" "outA/blobs/sha256/$a" A.json
short=$(printf %.12s "$id")
ok "the other one, by the beginning of the id" ovlctl export "$short@sha256:$b" outB
is "... with its config" "$(configs_in outB)" "$b"
ok "both in one layout" ovlctl export "$id@sha256:$a" "$id@sha256:$b" both
is "... with their configs" "$(configs_in both)" "$a
$b"
ovlctl export "$id" latest 2>err
is "without that the latest goes" "$? $(configs_in latest)" "0 $b"
is "... with a warning" "$(cat err)" "ovlctl: export: warning: layer $short is the top of several images: using the latest config, sha256:$b"
need - ovlctl import A.tar
ovlctl -q export "$id" again
is "... that of the last import" "$(configs_in again)" "$a"

fails 3 "layer $short has no config sha256:$c" "a config that it has not" ovlctl export "$id@sha256:$c" z
fails 3 "no such layer" "... a layer that is not there" ovlctl export "nope@sha256:$a" z
fails 3 "no such layer" "rm takes no such operand" ovlctl rm "$id@sha256:$a"

ok "one gets a name" ovlctl tag "$id@sha256:$b" b
ok "the latest gets a name" ovlctl -q tag "$id" latest
ok "a name gets another" ovlctl tag b b2
need - ovlctl import C.tar
for name in b b2; do
	ovlctl export $name out-$name 2>err
	is "a name keeps its config when another comes: $name" "$(configs_in out-$name) $(cat err)" "$b "
done
ovlctl export latest out-latest
is "... so does one given by the id" "$(configs_in out-latest)" "$a"
ok "a name with its own other config" ovlctl export "b@sha256:$c" out-c
is "... which is said" "$(configs_in out-c)" "$c"

# A name that is removed between the look for the layer and that for the config.
if can_trace; then
	need - ovlctl tag b gone
	traced -qq -o calls -P "$OVLCTL_ROOT/$DRV/$id" -e trace=flock -e inject=flock:signal=STOP:when=1 \
		ovlctl export gone out-gone >out 2>err &
	pid=$!
	until_true has_stopped calls
	need - ovlctl tag -d gone
	go_on calls
	wait $pid
	is "a name that is removed meanwhile" "$? $(tail -n 1 err)" "3 ovlctl: export: no such layer 'gone'"
	no "... nothing is exported" test -e out-gone
fi

# A name that ends in such a digest is a name first.
ok "a name with a digest in it" ovlctl tag b "app@sha256:$c"
ok "... is a name" ovlctl export "app@sha256:$c" out-name
is "... with its own config" "$(configs_in out-name)" "$b"

done_testing
