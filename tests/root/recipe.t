#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# A tar has one recipe, however and in whatever pieces it was read.
recipe() { # ID
	cat "$OVLCTL_ROOT/$DRV/$1/.recipe"
}
fresh() { # the layer may come again
	ovlctl rm "$id"
}
tree() { # DIRECTORY
	: >"$1/0"
	printf x >"$1/1"
	head -c 511 /dev/zero | tr '\0' y >"$1/511"
	head -c 512 /dev/zero | tr '\0' z >"$1/512"
	yes 'three MiB' | head -c 3M >"$1/3M"
	yes 'more than a block of any kind' | head -c 9M >"$1/9M"
	yes hole | head -c 200k >"$1/sparse"
	truncate -s 1M "$1/sparse"
	yes end | head -c 300001 >>"$1/sparse"
	truncate -s 3M "$1/sparse"
	find "$1" -mindepth 1 -exec touch -d @1000000000 {} +
}
need w ovlctl create
need - ovlctl mount "$w"
need - tree "$(ovlctl ls -nr -o MOUNTPOINT "$w")"
touch -d @1000000000 "$(ovlctl ls -nr -o MOUNTPOINT "$w")"
need - ovlctl umount "$w"
need id ovlctl commit "$w"
recipe "$id" >committed
need - ovlctl diff -o x.tar "$id"

ovlctl check --repair --from x.tar "$id" >out 2>&1
is "check --from of a committed layer finds nothing" "$?:$(cat out)" "0:"
fresh
came() { # WHAT: the layer that is $got
	is "$1: the layer" "$got" "$id"
	recipe "$id" >recipe
	same "... and its recipe is that of the commit" recipe committed
	fresh
}
need got ovlctl import x.tar
came "from a file"
got=$(dd if=x.tar bs=7777 status=none | ovlctl import -)
came "from a pipe in odd pieces"
gzip -1c x.tar >x.tar.gz
need got ovlctl import x.tar.gz
came "from gzip"
zstd -qc1 x.tar >x.tar.zst
got=$(ovlctl import - <x.tar.zst)
came "from zstd and a pipe"

# A commit whose tree is made again, because the tar has other times.
need w ovlctl create
need - ovlctl mount "$w"
need - tree "$(ovlctl ls -nr -o MOUNTPOINT "$w")"
touch -d @1000000000 "$(ovlctl ls -nr -o MOUNTPOINT "$w")"
need - ovlctl umount "$w"
got=$(SOURCE_DATE_EPOCH=1500000000 ovlctl commit "$w")
came "from a commit that makes the tree anew"

# A different recipe of the same tar is valid: one that was written when runs were
# pieces, or by another version of libzstd.
need got ovlctl import x.tar
f=$OVLCTL_ROOT/$DRV/$id/.recipe
{
	echo "ovlctl-recipe 1"
	tail -c +17 "$f" | zstd -dqc | zstd -qc --check -9
} >other
no "the recipe in other bytes" cmp -s other "$f"
need - cp other "$f"
ovlctl check --repair --from x.tar "$id" >out 2>&1
is "... is not repaired" "$?:$(cat out)" "0:"
same "... and not touched" other "$f"

done_testing
