#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# on a disk

# overlay: when asked

# not in a user namespace: file systems are made and mounted, and forced down

# A power cut: before any call by which a command changes something on disk, and
# directly after the command has reported success. What was reported before is complete;
# unfinished work is not visible; the command works when it is run again.
#
# ext4 and xfs are shut down, with the contents of their log lost ("now") or written, as they
# do by themselves every few seconds, before any data ("late"). btrfs cannot be shut
# down: its device is copied while it is mounted, and the copy is mounted.
#
# Every POWER_STEP-th call is tried, all of them with POWER_STEP=1 (make check-power), and
# then some more commands.
can_trace || cannot "strace"
: "${POWER_STEP:=$(short && echo 180 || echo 90)}"
: "${POWER_FS:=ext4 xfs btrfs}"
: "${POWER_SET:=imports creates mounts removals commits runs tags nones \
	$([ "$POWER_STEP" -ge 90 ] || echo more_commits finishings prunes)}"
for fs in $POWER_FS; do
	command -v mkfs.$fs >/dev/null || cannot "mkfs.$fs"
done
changes='mkdirat,mknodat,renameat,renameat2,linkat,symlinkat,unlinkat,write,pwrite64,fsync,syncfs'

# ---- what is stored ------------------------------------------------------------------

printf '%s\n' 'dir name=d mode=2750 uid=3' 'file name=d/f data=one' 'link name=d/h link=d/f' \
	'symlink name=s link=d/f' 'fifo name=p' 'file name=x data=1' 'file name=x data=2' \
	'file name=imp/f pax.SCHILY.xattr.user.k=v' end | mktar >a.tar
printf '%s\n' 'file name=.wh.s' 'file name=d/.wh..wh..opq' 'file name=d/new data=2' end | mktar >b.tar
printf '%s\n' 'file name=c data=3' 'file name=big fill=200000' end | mktar >c.tar
zstd -q b.tar
sha() { sha256sum <"$1" | cut -d' ' -f1; }
mkdir image
cp a.tar b.tar c.tar image
config() { # AUTHOR
	printf '{"author":"%s","architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s","sha256:%s"]}}' \
		"$1" "$(sha a.tar)" "$(sha b.tar)" "$(sha c.tar)"
}
config one >image/1.json
config two >image/2.json
echo '[{"Config":"1.json","RepoTags":["image:1"],"Layers":["a.tar","b.tar","c.tar"]},
	{"Config":"2.json","RepoTags":["image:2"],"Layers":["a.tar","b.tar","c.tar"]}]' >image/manifest.json
tar -C image -cf image.tar .

# ---- file systems that lose power ----------------------------------------------------

mkdir mnt
OVLCTL_ROOT=$T/mnt/store
S=$OVLCTL_ROOT

up() {
	mount -o loop "$T/$fs.img" "$T/mnt"
}

fs_make() {
	truncate -s 320M "$fs.img"
	mkfs.$fs -q "$fs.img" >/dev/null && up
}

fs_drop() {
	umount mnt
	rm -f "$fs.img"
}

# The loop device exists as long as the file system, which another process that examines
# the mounts of all namespaces may keep for a moment.
is_gone() {
	[ ! "$(losetup -j "$T/$fs.img")" ]
}

# Cuts the power and restores it. m: what is mounted in the file system.
m=
power_cut() {
	case $fs in
	btrfs)
		cp --sparse=always btrfs.img copy.img
		[ ! "$m" ] || umount "$m"
		umount mnt
		until_true is_gone
		mv copy.img btrfs.img
		;;
	*)
		powercut $([ $how = now ] || echo -l) mnt
		[ ! "$m" ] || umount "$m"
		umount mnt
		until_true is_gone
		;;
	esac
	up
}

# ---- one command ---------------------------------------------------------------------

# For each command: "prepared" makes the store, all of it on disk; "wanted" tests
# whether what it reports exists; "kept" the same for what existed before, at any time.
# repair=yes: what is half done may need check --repair.
prepared() { :; }
kept() { :; }
wanted() { :; }
repair=

# Does it exist under this name, and is its tar the same?
whole() { # NAME TAR
	ovlctl diff --tar -o - "$1" 2>err | cmp -s - "$2"
}

bad() {
	failed="$failed
$point: $*"
}

# The store after the power came back.
verify() {
	ovlctl ls >/dev/null 2>err || bad "ls: $(cat err)"
	if [ -e "$S/stamp" ]; then
		if [ "$repair" ]; then
			ovlctl check --repair >out 2>&1
			[ $? -le 1 ] || ! grep -qv '^note\|^repaired\|^set aside\|^ovlctl: check: what was set aside' out ||
				bad "check --repair: $(cat out)"
		fi
		ovlctl check --content >out 2>&1 || bad "check: $(cat out)"
	fi
	kept || bad "what was there is not"
}

one_cut() { # POINT, or "end"
	point=$1
	rm -rf "$S"
	cp -a "$T/master" "$S"
	[ "$(ls "$T/master")" ] || rm -rf "$S"
	sync -f mnt
	if [ "$point" = end ]; then
		sh -c "$command" >out 2>err || bad "status $?: $(cat err)"
	else
		killed_at $point sh -c "exec $command" >out 2>err
	fi
	status=$?
	power_cut
	verify
	if [ "$point" = end ]; then
		wanted || bad "what was reported is not there"
	fi
	sh -c "$command" >out 2>err || grep -Eq "${again:-^$}" err || bad "again: $(cat err)"
	wanted || bad "it is not there when run again"
	ovlctl prune >out 2>err || bad "prune: $(cat err)"
	ovlctl check >out 2>&1 || bad "left: $(cat out)"
	[ ! -s out ] || bad "left: $(cat out)"
	n=$((n + 1))
}

# again: the message of a command that is run again although it was done.
try() { # WHAT COMMAND [AGAIN]
	command=$2
	again=${3-}
	rm -rf "$S" "$T/master"
	prepared >/dev/null
	if [ -e "$S" ]; then cp -a "$S" "$T/master"; else mkdir "$T/master"; fi
	calls_of "$changes" sh -c "exec $command" >points
	for how in now late; do
		[ $fs$how = btrfslate ] && continue
		failed=
		n=0
		shift_=$(((shift_ + 5) % POWER_STEP))
		awk -v step="$POWER_STEP" -v at="$shift_" 'NR % step == at' points >chosen
		[ "$ends_only" ] && : >chosen
		while read -r p; do
			one_cut "$p" </dev/null
		done <chosen
		one_cut end
		cuts=$((cuts + n))
		is "$fs, power cut $how, $1: $n of $(($(wc -l <points) + 1)) points" "$failed" ""
	done
}

# ---- commands ------------------------------------------------------------------------

with_a() { ovlctl import -n a a.tar; }
with_image() { ovlctl import image.tar; }
author() { ovlctl show "$1" | jq -r '.layers[0].config.author'; }
named() { [ "$(ovlctl ls -nr -o ID "$1" 2>err)" = "$2" ]; }
a_kept() { whole a a.tar; }

# A writable layer with all kinds of changes.
with_w() {
	with_a
	ovlctl create -n w a
	tree=$(tree_of w)
	rm "$tree/x" 2>/dev/null
	mknod "$tree/x" c 0 0
	mkdir "$tree/new"
	head -c 100000 noise >"$tree/new/f"
	ln "$tree/new/f" "$tree/h"
	touch -d '2001-02-03 04:05:06.5' "$tree/new/f" "$tree/new" "$tree"
	sync -f mnt
}
head -c 100000 /dev/urandom >noise

# The changes written into w must be in one of the layers. The tree of an image layer of overlay
# contains more, so the tar of its changes is compared.
w_kept() {
	a_kept || return 1
	if is_overlay; then
		whole i w.tar || whole w w.tar
		return
	fi
	# The next command that locks the layer completes or undoes an interrupted commit.
	ovlctl diff w >/dev/null 2>&1
	for tree in $(ovlctl ls -nr -o PATH); do
		[ ! -d "$tree/$UPPER" ] || walk "$tree/$UPPER" | cmp -s - w.walk && return 0
	done
	return 1
}
is_w() {
	if is_overlay; then
		whole "$1" w.tar
		return
	fi
	tree=$(tree_of "$1" 2>err) && [ "$tree" ] && walk "$tree" | cmp -s - w.walk
}
# Can it be mounted?
works() {
	ovlctl mount "$1" >out 2>err && ovlctl umount "$1"
}

imports() {
	prepared() { :; }
	kept() { :; }
	wanted() { whole a a.tar; }
	try "import of the first layer" "ovlctl import -n a a.tar"
	prepared() { with_a; }
	kept() { a_kept; }
	wanted() { whole b b.tar; }
	try "import of a second layer" "ovlctl import -n b -p a b.tar.zst"
	wanted() {
		a_kept && whole image:1 c.tar && whole image:2 c.tar &&
			[ "$(author image:1)" = one ] && [ "$(author image:2)" = two ]
	}
	try "import of an image" "ovlctl import image.tar"

	# Files of another process need not be on disk yet.
	ends_only=yes
	wanted() { whole b b.tar; }
	try "import of a layer that is there" \
		"ovlctl --sync=none import -p a b.tar.zst >/dev/null && ovlctl import -n b -p a b.tar.zst"
	wanted() { whole image:1 c.tar && [ "$(author image:1)" = one ]; }
	try "import of an image that is there" \
		"ovlctl --sync=none import image.tar >/dev/null && ovlctl import image.tar"
	wanted() { whole b b.tar; }
	try "import on a parent that is not on disk" \
		"ovlctl --sync=none import -n c -p a c.tar >/dev/null; ovlctl import -n b -p c b.tar.zst"
	ends_only=
}

creates() {
	prepared() { with_a; }
	kept() { a_kept; }
	wanted() { works w; }
	try "create --sync=all" "ovlctl --sync=all create -n w a" "already"
	try "create --sync=all on nothing" "ovlctl --sync=all create -n w" "already"
	# The layer may be missing, or damaged and then repaired or set aside.
	repair=yes
	wanted() { [ "$point" = end ] || works w; }
	try "create" "ovlctl create -n w a" "already"
	try "create on nothing" "ovlctl create -n w" "already"
	repair=
	# A name that was given explicitly must last; one that came with an image need not.
	ends_only=yes
	wanted() { works v; }
	try "tag of a layer that was just created" "ovlctl create -n w a >/dev/null; ovlctl tag w v" "already"
	ends_only=
}

removals() {
	prepared() {
		with_w
		need W ovlctl ls -nr -o ID w
		export W
	}
	kept() { a_kept; }
	wanted() { :; }
	try "rm" 'ovlctl rm -f $W'
	wanted() { ! ovlctl ls w >out 2>err; }
	try "rm --sync=all" 'ovlctl --sync=all rm -f $W'
	kept() { :; }
	wanted() { ! ovlctl ls $A >out 2>err; }
	prepared() {
		with_w
		need A ovlctl ls -nr -o ID a
		export A
	}
	try "rm -r --sync=all" 'ovlctl --sync=all rm -rf $A'
}

commits() {
	prepared() {
		with_w
		need W ovlctl ls -nr -o ID w
		export W
		walk "$(tree_of w)" >w.walk
		ovlctl diff -o w.tar w
	}
	kept() { w_kept; }
	wanted() { is_w i && is_w w; }
	try "commit" 'ovlctl commit -n i $W' "no such layer"
	wanted() { is_w i && ! is_w w && works w; }
	# Run again, it commits the layer that is empty now.
	try "commit --keep" 'ovlctl commit --keep -n i $W' "already"
	kept() { a_kept && { whole i w.tar || whole w w.tar; }; }
	ends_only=yes
	wanted() { whole i w.tar; }
	try "commit of what is there" \
		'ovlctl diff -o w.tar $W && ovlctl --sync=none import -n i -p a w.tar && ovlctl commit $W' \
		"no such layer"
	ends_only=
}

more_commits() {
	prepared() {
		with_w
		need W ovlctl ls -nr -o ID w
		export W
		ovlctl diff -o w.tar w
	}
	kept() { a_kept && { whole i w.tar || whole w w.tar; }; }
	wanted() { whole i w.tar && whole w w.tar; }
	SOURCE_DATE_EPOCH=4000000000
	export SOURCE_DATE_EPOCH
	try "commit that makes a new tree" 'ovlctl commit -n i $W' "no such layer"
	unset SOURCE_DATE_EPOCH
	prepared() {
		with_w
		need W ovlctl ls -nr -o ID w
		export W
		ovlctl diff -o w.tar w
		need - ovlctl import -p a w.tar
	}
	try "commit to what is there" 'ovlctl commit -n i $W' "no such layer"
}

# Another process finishes a commit that was killed after its rename.
finishings() {
	for keep in '' --keep; do
		prepared() {
			with_w
			walk "$(tree_of w)" >w.walk
			ovlctl diff -o w.tar w
			traced -qq -o /dev/null -P "$S/$DRV" -e inject=fsync:signal=KILL \
				ovlctl commit $keep -n i w 2>/dev/null
			sync -f mnt
		}
		kept() { a_kept && whole i w.tar && ovlctl ls w >/dev/null 2>err; }
		wanted() { is_w i && { [ ! "$keep" ] && is_w w || works w; }; }
		try "prune that finishes commit $keep" "ovlctl prune"
		wanted() { is_w i && named other "$(ovlctl ls -nr -o ID w)"; }
		try "tag that finishes commit $keep" "ovlctl tag w other"
	done
}

# What prune removes may be there again; nothing else is missing.
prunes() {
	prepared() {
		with_a
		need - ovlctl import -n b -p a b.tar
		need - ovlctl create -n w b
		for name in $(seq 5); do
			need - ovlctl create -n "w$name" b
			ovlctl tag -d "w$name"
		done
		cp -a "$(tree_of b)" "$S/staging/x"
		cp -a "$(tree_of b)" "$S/trash/y"
		is_overlay || ln -s ../$(printf '%064d' 7)/diff "$S/$DRV/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		ln -s ../$DRV/$(printf '%064d' 7) "$S/names/lost"
		sync -f mnt
	}
	kept() { a_kept && whole b b.tar && works w; }
	wanted() { [ "$point" = end ] || ! ls "$S/staging" "$S/trash" | grep -qv ':\|^$'; }
	try "prune" "ovlctl prune"
	wanted() { [ "$point" != end ] || [ "$(ovlctl ls -nr -o ID | wc -l)" = 3 ]; }
	try "prune --layers" "ovlctl --sync=all prune --layers --writable --unused-for 0"
}

runs() {
	prepared() { with_a; }
	kept() { a_kept; }
	wanted() { a_kept && [ "$(ovlctl diff k)" = "$(printf 'C /d\nD /d/f\nA /d/n\nA /h')" ]; }
	host=
	for d in /bin /lib /lib64 /usr; do [ ! -d $d ] || host="$host --bind $d"; done
	export host
	try "run -n" "ovlctl run \$host -n k a sh -c 'rm /d/f; head -c 100000 /bin/sh >/d/n; ln /d/n /h'" "already"
}

tags() {
	prepared() { with_image; }
	kept() { whole image:1 c.tar && [ "$(author image:1)" = one ]; }
	wanted() { whole other c.tar && [ "$(author other)" = two ]; }
	try "tag" "ovlctl tag image:2 other"
	prepared() { with_image; with_a; }
	kept() { whole image:1 c.tar && a_kept; }
	wanted() { named image:2 "$(ovlctl ls -nr -o ID a)"; }
	try "tag --force" "ovlctl tag --force a image:2"
	wanted() { ! ovlctl ls image:2 >/dev/null 2>&1; }
	try "tag -d" "ovlctl tag -d image:2" "no such name"
}

# With --sync=none a layer may be damaged. check --content always finds that,
# and the layer can be removed and imported again.
nones() {
	for how in now late some; do
		[ $fs != btrfs ] || [ $how = now ] || continue
		rm -rf "$S"
		with_a >/dev/null
		sync -f mnt
		need id ovlctl --sync=none import -n b -p a b.tar
		# The metadata is on disk, but not the files.
		for f in .layer .recipe link lower; do
			[ $how != some ] || [ ! -e "$S/$DRV/$id/$f" ] || sync "$S/$DRV/$id/$f"
		done
		power_cut
		cuts=$((cuts + 1))
		ovlctl check --content >out 2>&1
		status=$?
		case $status in
		0) ! ovlctl ls "$id" >/dev/null 2>&1 || whole "$id" b.tar ;;
		4) ! whole "$id" b.tar ;;
		*) false ;;
		esac
		report $? "$fs, power cut $how, import --sync=none: check --content is right" || diag out
		[ $how = some ] && like "... names the file" "error: layer $(echo "$id" | cut -c1-12): data: 'd/new' has a different size" "$(cat out)"
		ok "... a is whole" a_kept
		ok "... rm" ovlctl rm -f "$id"
		ok "... and import" ovlctl import -n b -p a b.tar
		is "... are all it takes" "$(whole b b.tar && ovlctl prune >/dev/null && ovlctl check --content 2>&1)" ""
	done
}

# A file that a program syncs in a new layer is still in the layer after a power cut.
syncs() { # COMMAND...: how often all is synced
	traced -qq -o "$T/.calls" -e trace=syncfs "$@" >/dev/null
	grep -c syncfs "$T/.calls"
}
mounts() {
	for how in now late; do
		[ $fs$how != btrfslate ] || continue
		rm -rf "$S"
		with_a >/dev/null
		sync -f mnt
		ovlctl create -n w a >/dev/null
		m=$(ovlctl mount w)
		echo precious >"$m/db"
		sync "$m/db"
		rm -r "$m/d"
		sync "$m"
		power_cut
		m=
		cuts=$((cuts + 1))
		ovlctl check --repair >out 2>&1
		report $(($? > 1)) "$fs, power cut $how, a mounted layer: check --repair" || diag out
		ovlctl diff w >out 2>&1
		is "... it has its name, its parent and what was synced" "$(grep '/d\(b\)\?$' out)" "D /d
A /db"
		is "... the store is sound" "$(ovlctl prune >/dev/null; ovlctl check --content)" ""
	done
	ovlctl create -n v a >/dev/null
	need=$([ $fs != btrfs ] || echo 1)
	is "$fs: the first mount of a layer syncs it, where that is needed" \
		"$(syncs ovlctl --sync=none mount v; ovlctl umount v; syncs ovlctl mount v; ovlctl umount v
			syncs ovlctl mount v; ovlctl umount v)" "0
${need:-0}
0"
	is "... and one that remembers its options" "$(syncs ovlctl mount -o redirect_dir=on v; ovlctl umount v)" "${need:-0}"
}

cuts=0
shift_=0
ends_only=
for fs in $POWER_FS; do
	fs_make || cannot "$fs"
	for set in $POWER_SET; do
		$set
	done
	fs_drop
done
echo "# $cuts power cuts" >&2

done_testing
