#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# only overlay2

# BuildKit keeps its layers in the directories of Docker's graph driver, with a database of
# its own: they are no orphans.
chain=$(printf '%064d' 1 | tr 0 a)
layer=docker/image/overlay2/layerdb/sha256/$chain
mkdir -p "$layer" docker/buildkit docker/overlay2/l docker/overlay2/ofimage/diff
printf 'sha256:%s' "$chain" >"$layer/diff"
printf ofimage >"$layer/cache-id"
printf 5 >"$layer/size"
for key in ofbuildkit25charactersaaaa committedelsewhereaaaaaaaa nobodysaaaaaaaaaaaaaaaaaa; do
	mkdir -p docker/overlay2/$key/diff
done
snapshots() {
	cat <<-E2
		bucket ofbuildkit25charactersaaaa
		put parent sha256:$chain
		put size 38
		end
		bucket sha256:$chain
		end
		bucket anotherkey
		put chainid sha256:$chain
		put committed committedelsewhereaaaaaaaa
		end
	E2
}
db() {
	python3 "$top/tests/tool/boltdb.py" >docker/buildkit/snapshots.db || stop boltdb.py
}
old() {
	find docker/overlay2 -mindepth 1 -maxdepth 1 -exec touch -d '2 hours ago' {} +
}
d="ovlctl --root $T/docker"
old
snapshots | db
$d check >out 2>&1
like "the directory that nobody knows is an orphan" nobodysaaaaaaaaaaaaaaaaaa "$(cat out)"
is "and no other" "$(grep -c overlay2/ out) $(grep -c -e ofbuildkit -e elsewhere -e ofimage out)" "1 0"
fails 3 "no such layer 'ofbuild': directory 'overlay2/ofbuildkit25[a-z]*' is not one \(BuildKit\)" \
	"a directory of BuildKit is said to be one" $d ls ofbuild
fails 3 "'overlay2/nobodys[a]*' is not one \(no record names it; see 'ovlctl check'\)" "so is an orphan" \
	$d show nobodysaaaaaaaaaaaaaaaaaa
is "that of a layer is the layer" "$($d ls -q ofimage)" "$chain"
fails 3 "no such layer 'ofb'$" "but three letters begin nothing" $d ls ofb
for n in 0 100 5000; do
	head -c $n docker/buildkit/snapshots.db >damaged
	cat damaged >docker/buildkit/snapshots.db
	$d check >out 2>&1
	no "with a damaged database of $n bytes nothing is called so" grep -qi 'orphan' out
	like "... and it is said" buildkit/snapshots.db "$(cat out)"
	is "... while the layers are listed" "$($d ls -q)" "$chain"
	snapshots | db
done
rm docker/buildkit/snapshots.db
$d check >out 2>&1
like "without BuildKit they are orphans" ofbuildkit "$(cat out)"

done_testing
