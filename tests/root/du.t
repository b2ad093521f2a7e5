#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# The figures of du: each way to hide a file, random stores compared with a model that merges
# complete trees, and with du(1) before and after a removal.
model() { ovlctl ls -J | python3 "$top/tests/tool/du_model.py" "$OVLCTL_ROOT"; }
lines() {
	ovlctl du -J | jq -r '(.layers | sort_by(.id)[] | .shadowed as $s |
		"\(.id) \(.own) \(.shared) \($s.overwritten) \($s.deleted) \($s.metadata)"),
		"total \(.total)"'
}
taken() { du -sx -B1 "$OVLCTL_ROOT" | cut -f1; }
# Prints what is hidden in the stack of a layer, according to du.
hidden() { ovlctl du -J "$1" | jq -r '.layers[0].shadowed | "\(.overwritten) \(.deleted) \(.metadata)"'; }
blocks() { # FILE...
	stat -c '%b' "$@" | awk '{ n += $1 * 512 } END { print n + 0 }'
}

# ---- each way of hiding ----

mkdir -p base/d/sub base/gone
for f in base/f base/g base/h base/k base/d/a base/d/sub/b base/gone/c base/was; do
	head -c 5000 /dev/urandom >$f
done
ln base/h base/h2
ln base/k base/d/k2
truncate -s 300000 base/holes
printf x | dd of=base/holes bs=1 seek=200000 conv=notrunc 2>/dev/null
setfattr -n user.big -v "$(head -c 3000 /dev/zero | tr '\0' x)" base/g
tar --format=pax --xattrs -S -C base -cf base.tar .
need - ovlctl import -n base base.tar
need b tree_of base
is "a bottom layer hides nothing" "$(hidden base)" "0 0 0"
is "the total is that of du(1)" "$(ovlctl du -J | jq .total)" "$(taken)"

# Changes a writable layer on an image, and looks at what that hides.
on=base
does() { # WHAT WANTED COMMAND: in the mount
	need w ovlctl create -n w "$on"
	need m ovlctl mount w
	(cd "$m" && eval "$3") || stop "$1"
	is "$1" "$(hidden w)" "$2"
	is "... mounted: the total" "$(ovlctl du -J | jq .total)" "$(taken)"
	ovlctl umount w
	is "... unmounted" "$(hidden w)" "$2"
	lines >got
	model >want
	same "... as in the model" got want
	ovlctl rm w
}
n=$(blocks "$b/f")
does "a file that was written" "$n 0 0" "echo new >f"
does "a file that was deleted" "0 $n 0" "rm f"
does "another mode" "0 0 $n" "chmod 600 f"
does "another time" "0 0 $n" "touch -d @1000000000 f"
does "another owner" "0 0 $n" "chown 5:5 f"
does "a new file" "0 0 0" "echo new >new"
does "a directory in place of a file" "$n 0 0" "rm f; mkdir f"
does "a file in place of a directory" "$(blocks "$b/gone" "$b/gone/c") 0 0" "rm -r gone; echo x >gone"
does "a directory that was deleted" "0 $(blocks "$b/gone" "$b/gone/c") 0" "rm -r gone"
does "a directory that was made again" \
	"$(blocks "$b/gone" "$b/gone/c") 0 0" "rm -r gone; mkdir gone; echo new >gone/c"
does "one of two names was deleted: nothing" "0 0 0" "rm h"
does "both" "0 $(blocks "$b/h") 0" "rm h h2"
does "one deleted, one written" "$(blocks "$b/k") 0 0" "rm k; echo >d/k2"
does "a file with holes" "0 $(blocks "$b/holes") 0" "rm holes"
does "a file with a block of xattrs" "0 $(blocks "$b/g") 0" "rm g"

# In a second image layer, and hidden twice.
need w ovlctl create -n w base
need m ovlctl mount w
echo one >"$m/f"
rm "$m/h"
ovlctl umount w
need - ovlctl -q commit -n one w
need - ovlctl tag -d w
ovlctl tag one also/named:one
on=one
need o tree_of one
need w ovlctl create -n w one
need m ovlctl mount w
rm "$m/f" "$m/h2"
is "hidden by two layers: each file once, each by the first" "$(hidden w)" \
	"$(blocks "$b/f") $(($(blocks "$o/f") + $(blocks "$b/h"))) 0"
ovlctl umount w
lines >got
model >want
same "... as in the model" got want
is "the files" "$(ovlctl du -J --files 3 w | jq -r '.files | length, (.[] | select(.path == "/f") | .reason)')" "3
overwritten
deleted"

# In overlay, the layers above have the file, too.
printf 'file name=new data=1\nend\n' | tar_of new.tar
printf 'file name=.wh.g\nend\n' | tar_of gone.tar
need - ovlctl import -n more -p base new.tar
need - ovlctl import -n less -p more gone.tar
is "the layer of a hidden file is that in which it counts" \
	"$(ovlctl du -J --files 1 less | jq -r '.files[] | "\(.path) \(.layer) \(.hidden_by)"')" \
	"/g $(ovlctl show base | jq -r '.layers[0].id') $(ovlctl show less | jq -r '.layers[0].id')"
need - ovlctl rm -r more

# ---- the output ----

is "the members" "$(ovlctl du -J --files 1 w | command jq -c '[keys_unsorted, (.layers[0] | keys_unsorted), (.layers[0].shadowed | keys_unsorted), (.files[0] | keys_unsorted)]')" \
	'[["layers","files","freed","total"],["id","names","own","shared","shadowed","freed"],["overwritten","deleted","metadata"],["path","bytes","reason","layer","hidden_by"]]'
is "the layers that were asked for" "$(ovlctl du -J one w | jq -c '[.layers[].names]')" '[["also/named:one","one"],["w"]]'
is "without layers, all" "$(ovlctl du -J | jq '.layers | length')" 3
is "without --files none" "$(ovlctl du -J | jq -c .files)" '[]'
is "the table is in bytes with -b, and ends with the total" \
	"$(ovlctl du -b one w | tail -1 | tr -s ' ' | sed 's/^ //')" \
	"$(ovlctl du -J one w | jq -r '"\(.total) \(.freed) total"')"
like "names" ' also/named:one, one$' "$(ovlctl du one)"
for gate in '0:1' '1:1' '100M:0' '0%:1' '1%:1' '100%:0'; do
	ovlctl du --max-shadowed "${gate%:*}" w >out 2>err
	is "--max-shadowed ${gate%:*}" "$?" "${gate#*:}"
	like "... the table is there" ' total$' "$(tail -1 out)"
	[ "${gate#*:}" = 0 ] || like "... and the layer" "^ovlctl: du: .* in layer 'w' and its stack is hidden; --max-shadowed allows ${gate%:*}$" "$(cat err)"
done
for bad in x '%' 101% -1 1x 1.5%; do
	fails 2 "--max-shadowed" "--max-shadowed $bad" ovlctl du --max-shadowed "$bad"
done
fails 3 "no such layer 'none'" "a layer that is not there" ovlctl du one none
if command -v script >/dev/null; then
	long=registry.example.org/a/rather/long/name/of/some/thing:with-a-tag
	ovlctl tag w $long
	for cols in 34 60 80 120; do
		script -qec "stty cols $cols; ovlctl du; ovlctl du --files 5" /dev/null </dev/null | tr -d '\r' |
			sed '/^$/,$d; s/…/./g' >out
		is "within $cols columns" "$(awk -v n=$cols 'length > n' out)" ""
	done
	is "each further name has a line of its own" "$(grep -c '^ *w$' out)" 2
	ovlctl tag -d $long
fi
is "an empty store" "$(ovlctl --root "$T/none" du -J | jq -c .)" '{"files":[],"freed":0,"layers":[],"total":0}'

# ---- more layers than files may be open ----

n=0
printf 'file name=f data=12345 mtime=1\nend\n' | tar_of f.tar
printf 'file name=f data=12345 mtime=2\nend\n' | tar_of g.tar
need - ovlctl -q --sync=none import -n deep0 f.tar
while [ $n -lt 30 ]; do
	need - ovlctl -q --sync=none import -n deep$((n + 1)) -p deep$n g.tar
	n=$((n + 1))
done
# shellcheck disable=SC3045 # every shell has it
is "30 layers with 24 open files" "$(ulimit -n 24 && hidden deep30)" "$(hidden deep30)"
like "... each hides the file below it" '^0 0 [1-9]' "$(hidden deep30)"
need - ovlctl -q rm -r deep0
if ! is_overlay; then
	need - ovlctl -q --sync=none import -n x f.tar
	printf 'file name=f mode=0\nend\n' | tar_of g.tar
	need - ovlctl -q --sync=none import -n y -p x g.tar
	as_user && p=user || p=trusted
	need - setfattr -n $p.overlay.opaque -v x "$(tree_of y)"
	need - setfattr -n $p.overlay.whiteout "$(tree_of y)/f"
	is "a whiteout as an xattr at the root" "$(hidden y)" "0 $(blocks "$(tree_of x)/f") 0"
	need - ovlctl -q rm -r x
fi

# ---- what a removal gives back ----

# Compared with du(1) before and after.
gives() { # WHAT LAYER...
	_what=$1
	shift
	ovlctl du -J "$@" >said
	_before=$(taken)
	ovlctl -q rm -r "$@"
	is "$_what" "$(jq .freed said)" $((_before - $(taken) - not_freed))
}
state=$(store_state)
ovlctl du >/dev/null
is "it changes nothing" "$(store_state)" "$state"
ln "$o/f" outside
need - ovlctl create -n w2 one
not_freed=0
gives "a layer without a layer on top" w
not_freed=$(blocks outside)
gives "two, one of them on the other; a file has a link elsewhere" one w2
not_freed=0
gives "all" base
rm outside

# Random stores, and two layers of each at a time.
is_random() { # SEED
	rm -rf "$OVLCTL_ROOT" rand
	mkdir rand
	edits $((5000 + $1)) 100 rand
	mkdir -p rand/dd/sub
	echo f >rand/dd/f
	ln rand/dd/f rand/dd/g
	tar --format=pax --xattrs -S -C rand -cf rand.tar . 2>/dev/null
	ovlctl -q --sync=none import -n i0 rand.tar >/dev/null 2>&1 || return
	for k in 1 2 3 4; do
		w=$(ovlctl create i$((($1 + k * 3) % k))) && m=$(ovlctl mount $(options $(($1 + k))) "$w") ||
			return
		edits $(($1 * 10 + k)) 30 "$m"
		[ $k != 2 ] || { rm -rf "$m/dd" && mkdir "$m/dd" && echo new >"$m/dd/f"; }
		ovlctl umount "$w"
		[ $k = 4 ] || ovlctl -q --sync=none commit -n i$k "$w" >/dev/null
	done
	ovlctl tag i2 other/name
}
options() {
	as_user || case $(($1 % 4)) in
	1) echo -o redirect_dir=on ;;
	2) echo -o xino=on ;;
	esac
}
random() { # WHERE
	failed=
	for s in $(seq "$seeds"); do
		is_random "$s" || failed="$failed $s:set-up"
		sync -f .
		lines >got
		model >want
		cmp -s got want || { failed="$failed $s:model" && diff want got | diag; }
		[ "$(tail -1 got)" = "total $(taken)" ] || failed="$failed $s:total"
		for k in 1 2 3; do
			two=$(ovlctl ls -nr -o ID | sed -n "$((s % 3 + 1))p;\$p")
			[ "$two" ] || break
			ovlctl du -J $two >said
			before=$(taken)
			ovlctl -q rm -r $two
			[ "$(jq .freed said)" = $((before - $(taken))) ] || failed="$failed $s:freed"
		done
	done
	is "$seeds random stores $1" "$failed" ""
}
seeds=${OVLCTL_SEEDS:-$(short && echo 1 || echo 4)}
random "in memory"
if ! as_user && command -v mkfs.ext4 >/dev/null; then
	truncate -s 64M image
	mkdir ext4
	if mkfs.ext4 -q image && mount -o loop image ext4; then
		OVLCTL_ROOT=$T/ext4/store
		seeds=${OVLCTL_SEEDS:-$(short && echo 1 || echo 3)}
		random "on ext4"
		umount ext4
		OVLCTL_ROOT=$T/store
	fi
fi

# ---- others at work ----

rm -rf "$OVLCTL_ROOT"
need - ovlctl import -n base base.tar
need - ovlctl create -n w base
need m ovlctl mount w
(
	while [ ! -e enough ]; do
		for i in 1 2 3 4 5; do mkdir -p "$m/x$i/y/z" && echo $i >"$m/x$i/y/z/f"; done
		rm -rf "$m"/x*
	done
) 2>/dev/null &
(
	while [ ! -e enough ]; do
		v=$(ovlctl -q create -n v base) && ovlctl -q tag v v/2 && ovlctl -q rm v
	done
) >/dev/null 2>&1 &
failed=
for i in $(seq $(short && echo 5 || echo 20)); do
	ovlctl du >out 2>err && [ ! -s err ] || failed="$failed $i: $(cat err)"
done
: >enough
wait
ovlctl umount w
is "while files and layers come and go" "$failed" ""
if can_trace; then
	traced -o log -e trace=flock,openat,openat2,mount,fsopen ovlctl du >/dev/null
	is "no exclusive lock, and nothing is opened for writing" "$(grep -E 'LOCK_EX|O_WRONLY|O_RDWR|mount\(|fsopen\(' log)" ""
fi

done_testing
