#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# only overlay2
# Statements of the documentation of overlay2 about layers, reading, writing, deleting and
# renaming, each on a real mount.
i=1
parent=
while [ $i -le 6 ]; do
	(
		echo "file name=layer$i data=$i"
		echo "file name=same data=from-$i"
		[ $i = 1 ] && printf '%s\n' "dir name=dir" "file name=dir/low data=low" \
			"file name=low data=low" "file name=big fill=1048576" "file name=two data=lower" \
			"dir name=empty"
		echo end
	) | mktar >l.tar
	need parent ovlctl import -n "l$i" ${parent:+-p "$parent"} l.tar
	eval "id$i=$parent"
	i=$((i + 1))
done
store=$OVLCTL_ROOT/overlay2

# The store of a six-layer image, file by file.
is "seven directories for six layers" "$(ls "$store" | wc -l)" 7
is "one of them is l" "$(ls -d "$store/l")" "$store/l"
is "six links in l" "$(ls "$store/l" | wc -l)" 6
is "each is 26 characters of base32" "$(ls "$store/l" | grep -cE '^[A-Z2-7]{26}$')" 6
is "each leads to a layer's diff" \
	"$(for l in "$store"/l/*; do readlink "$l"; done | sort)" \
	"$(for i in "$id1" "$id2" "$id3" "$id4" "$id5" "$id6"; do echo "../$i/diff"; done | sort)"
is "the lowest layer has diff and link" "$(ls "$store/$id1")" "$(printf 'diff\nlink')"
for i in 2 3 4 5 6; do
	eval "id=\$id$i"
	is "layer $i has diff, link, lower, merged, work" "$(ls "$store/$id" | tr '\n' ' ')" \
		"diff link lower merged work "
done
for i in 1 2 3 4 5 6; do
	eval "id=\$id$i"
	is "link of layer $i is the name in l" "$(readlink "$store/l/$(cat "$store/$id/link")")" "../$id/diff"
	is "... without a newline" "$(stat -c %s "$store/$id/link")" 26
done
want=
for i in 1 2 3 4 5; do
	eval "id=\$id$i"
	want="l/$(cat "$store/$id/link")${want:+:$want}"
done
is "lower of the top layer: all below, nearest first" "$(cat "$store/$id6/lower")" "$want"
is "... without a newline" "$(tail -c 1 "$store/$id6/lower" | od -An -c | tr -d ' ')" \
	"$(printf '%s' "$want" | tail -c 1)"
is "diff holds the layer's own content" "$(ls "$store/$id3/diff" | tr '\n' ' ')" "layer3 same "
is "layers are out of others' reach" \
	"$(stat -c %a "$store" "$store/$id1" "$store/$id6" "$store/l" | sort -u)" 700

need w ovlctl create -n w l6
need m ovlctl mount w
up=$store/$w/diff

# Union.
is "all layers are presented as one directory" \
	"$(ls "$m" | tr '\n' ' ')" "big dir empty layer1 layer2 layer3 layer4 layer5 layer6 low same two "
is "a file in several layers: the uppermost is seen" "$(cat "$m/same")" from-6

# Reading.
is "a file that is only in a lower layer is read from there" "$(cat "$m/low")" low
no "... and not copied" test -e "$up/low"
echo own >"$m/own"
is "a file that is only in the upper is read from there" "$(cat "$m/own" "$up/own")" "$(printf 'own\nown')"
echo upper >"$m/two"
is "a file that is in both: the upper's" "$(cat "$m/two")" upper
is "... hides the lower's, which is as it was" "$(cat "$store/$id1/diff/two")" lower

# Writing.
before=$(sha256sum <"$store/$id1/diff/big")
no "before the first write the file is not in the upper" test -e "$up/big"
printf x | dd of="$m/big" bs=1 seek=10 conv=notrunc 2>/dev/null
is "the first write copies the whole file up" "$(stat -c %s "$up/big")" 1048576
is "... the lower's stays as it was" "$(sha256sum <"$store/$id1/diff/big")" "$before"
inode=$(stat -c %i "$up/big")
printf y | dd of="$m/big" bs=1 seek=20 conv=notrunc 2>/dev/null
is "a second write does not copy again" "$(stat -c %i "$up/big")" "$inode"
is "... and goes to the copy" "$(dd if="$up/big" bs=1 skip=20 count=1 2>/dev/null)" y
# Deleting.
rm "$m/layer1"
no "a deleted file is not seen" test -e "$m/layer1"
is "... a whiteout hides it" "$(stat -c '%F %t,%T' "$up/layer1")" "character special file 0,0"
is "... the lower's is as it was" "$(cat "$store/$id1/diff/layer1")" 1
rm "$m/own"
no "a file of the upper alone is deleted without one" test -e "$up/own"
rm -r "$m/dir"
is "a deleted directory: a whiteout" "$(stat -c '%F' "$up/dir")" "character special file"
mkdir "$m/dir"
p=trusted
as_user && p=user
is "... made again: an opaque directory" \
	"$(getfattr --absolute-names --only-values -n $p.overlay.opaque "$up/dir")" y
is "... and empty" "$(ls "$m/dir")" ""
is "... the lower's is as it was" "$(cat "$store/$id1/diff/dir/low")" low

# Renaming.
ovlctl umount w
ovlctl rm w
need w ovlctl create -n w l6
need m ovlctl mount w
is "renaming a directory of a lower layer: EXDEV" \
	"$(perl -e 'rename("$ARGV[0]/dir", "$ARGV[0]/moved") or print $!' "$m")" "Invalid cross-device link"
ok "... mv copies it" mv "$m/dir" "$m/moved"
is "... with its content" "$(cat "$m/moved/low")" low
mkdir "$m/fresh"
is "a directory of the upper alone is renamed" \
	"$(perl -e 'print rename("$ARGV[0]/fresh", "$ARGV[0]/fresh2")' "$m")" 1
is "a file of a lower layer is renamed" "$(perl -e 'print rename("$ARGV[0]/low", "$ARGV[0]/low2")' "$m")" 1
ovlctl umount w
if ! as_user; then
	need m ovlctl mount -o redirect_dir=on w
	is "with redirect_dir=on it is renamed" \
		"$(perl -e 'print rename("$ARGV[0]/empty", "$ARGV[0]/moved2")' "$m")" 1
	ovlctl umount w
fi

# Changes against the image.
is "the changes of the container layer" "$(ovlctl diff w | tr '\n' ';')" \
	"$(if as_user; then echo 'D /dir;A /fresh2;D /low;A /low2;A /moved;A /moved/low;'
	else echo 'D /dir;D /empty;A /fresh2;D /low;A /low2;A /moved;A /moved/low;A /moved2;'; fi)"

done_testing
