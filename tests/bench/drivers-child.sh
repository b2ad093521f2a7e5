# Sourced by drivers: the cost of a writable layer, on 1 to 128 lowers of overlay2, on the
# single lower of overlay, and as a snapshot of btrfs.
#
# All show the same names. Each directory of small files is in each layer, where it has one
# new file, so that a look-up searches all layers.

btrfs=$state/btrfs
one_file=one/d000/e00/f000000
big_file=big/d000/e00/f000000

make_base() { # TO
	gentar -p data "$n_files" 4000 >"$1"
	gentar -n -p one 1 1000000 >"$1.more"
	tar -A -f "$1" "$1.more"
	gentar -n -p big 1 "$big" >"$1.more"
	tar -A -f "$1" "$1.more"
	rm "$1.more"
}

make_pile() { # DRIVER TO
	export OVLCTL_DRIVER="$1"
	store "$2" import -n l1 "$inputs/base.tar"
	mkdir "$2.tree"
	# Directories of the base, with their times.
	tar -x -p -C "$2.tree" -f "$inputs/base.tar" data
	find "$2.tree" -type f -exec rm {} +
	for k in $(seq 2 "${depths##* }"); do
		for d in "$2.tree"/data/d*/e*; do
			echo "$k" >"$d/layer"
		done
		tar -c -C "$2.tree" data | store "$2" import -n "l$k" -p "l$((k - 1))" -
	done
	rm -r "$2.tree"
}

# The same on btrfs, in a loop file next to that of ext4.
btrfs_open() {
	command -v mkfs.btrfs >/dev/null || return 1
	modprobe btrfs 2>/dev/null || grep -qw btrfs /proc/filesystems || return 1
	case $size in
	smoke) room=256M ;;
	*) room=8G ;;
	esac
	mkdir "$btrfs"
	rm -f "$BENCH_DIR/btrfs.img"
	truncate -s $room "$BENCH_DIR/btrfs.img"
	mkfs.btrfs -q "$BENCH_DIR/btrfs.img" || return 1
	mount -t btrfs -o loop "$BENCH_DIR/btrfs.img" "$btrfs" || return 1
	losetup --direct-io=on "$(findmnt -n -o SOURCE "$btrfs")" 2>/dev/null || :
	at=$inputs/pile-overlay.store
	btrfs -q subvolume create "$btrfs/base" &&
		tree=$(layer_dir "$at" "l${depths##* }") &&
		cp -a "$tree/root/." "$btrfs/base"
}

btrfs_close() {
	umount "$btrfs"
	rm -f "$BENCH_DIR/btrfs.img"
}

patch() { # WORK BYTES FILE: writes in place, and syncs it
	m 1 "$1" dd if=/dev/zero of="$dir/$3" bs="$2" count=1 conv=notrunc,fsync status=none
}

# Makes a child to work in, whose directory is $dir.
child_ready() {
	case $side in
	btrfs)
		m 1 ready btrfs -q subvolume snapshot "$btrfs/base" "$btrfs/child"
		dir=$btrfs/child
		return
		;;
	overlay) at=$inputs/pile-overlay.store below=l${depths##* } ;;
	*) at=$inputs/pile-overlay2.store below=l${side#*-} ;;
	esac
	o="ovlctl --root $at --sync=none"
	m 1 ready $o create -n bench $below ';' $o mount bench
	$o umount bench
	m "$reps" mount $o mount bench ';' untimed $o umount bench
	dir=$($o mount bench)
}

child_gone() {
	case $side in
	btrfs) m 1 gone btrfs -q subvolume delete "$dir" ;;
	*) m 1 gone $o umount bench ';' $o rm bench ;;
	esac
}

child() {
	[ ! -e "$btrfs/base" ] || sync -f "$btrfs"
	child_ready
	awk -v d="$dir/" '{ print d $0 }' "$state/names" >"$work/list"
	m 1 read xargs -d '\n' -a "$work/list" cat
	m 1 walk find "$dir/data" -printf %s
	m 1 read-big cat "$dir/$big_file"
	patch write-one 4096 $one_file
	patch write-big 4096 $big_file
	patch again 4096 $big_file
	patch over "$big" $big_file
	m 1 delete xargs -d '\n' -a "$work/list" rm
	child_gone
}

child_titles() {
	columns="$sides" reference=$(echo $sides | cut -d ' ' -f 2)
	titled ready "a child, ready for work"
	titled mount "mount"
	titled read "read of $n_files files of 4 kB"
	titled walk "find with sizes of them"
	titled read-big "read of the large file"
	titled write-one "first write, file of 1 MB"
	titled write-big "first write, large file"
	titled again "second write, large file"
	titled over "all of the large file anew"
	titled delete "rm of $n_files files"
	titled gone "the child, removed"
}

child_all() {
	input base.tar make_base
	for d in overlay2 overlay; do
		input pile-$d.store make_pile $d
	done
	tar -tf "$inputs/base.tar" | grep '^data/.*[0-9]$' >"$state/names"
	sides="$(printf 'overlay2-%s ' $depths)overlay"
	if btrfs_open >>"$log" 2>&1; then
		sides="$sides btrfs"
	else
		skip btrfs "there is none here"
	fi
	child_titles
	say "children"
	by_turns child $sides
	! mountpoint -q "$btrfs" || btrfs_close
}
