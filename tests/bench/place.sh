# Sourced by run: the file system for all work, an ext4 with a journal in a loop file.
#
#   fs	its mount point		inputs	files that are made once
#   state  files that a work keeps between rounds	work	empty before each side
#
# The same file system everywhere, so that it is not the file system that is measured: one
# without a journal, as some virtual machines have, takes several times as long to create files
# for minutes after it has removed many. The loop file uses direct I/O if the host can, so that
# a sync reaches the disk.

fs=$BENCH_DIR/fs
inputs=$fs/inputs
state=$fs/state
work=$fs/work
# The layer that the bare programs create.
bare_id=$(printf '%064d' 7)
bare_link=l/BENCHBENCHBENCHBENCHBENCHA

place_size() {
	case $size in
	smoke) echo 300M ;;
	*) echo 40G ;;
	esac
}

place_make() {
	say "making $BENCH_DIR/ext4.img"
	rm -f "$BENCH_DIR/ext4.img.new"
	truncate -s "$(place_size)" "$BENCH_DIR/ext4.img.new"
	mkfs.ext4 -q -i 8192 -O has_journal -E lazy_itable_init=1 "$BENCH_DIR/ext4.img.new"
	mv "$BENCH_DIR/ext4.img.new" "$BENCH_DIR/ext4.img"
}

place_open() {
	mkdir -p "$fs"
	exec 9>"$BENCH_DIR/lock"
	flock -n 9 || die "another one is at work in $BENCH_DIR"
	[ $fresh = 0 ] || rm -f "$BENCH_DIR/ext4.img"
	[ -e "$BENCH_DIR/ext4.img" ] || place_make
	# Without noinit_itable the kernel would write inode tables during the measurements.
	mount -t ext4 -o loop,noinit_itable "$BENCH_DIR/ext4.img" "$fs"
	trap place_close EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	loop=$(findmnt -n -o SOURCE "$fs")
	direct=no
	! losetup --direct-io=on "$loop" 2>/dev/null || direct=yes
	place_clean
	mkdir -p "$inputs"
}

# Removes what an earlier run has left that was interrupted.
place_clean() {
	place_unmount "$fs/"
	rm -rf "$state" "$work" "$inputs/.new" "$inputs/.names" "$inputs/bare/$bare_id" \
		"$inputs/bare/$bare_link"
	mkdir "$state" "$work"
	# The name of layers that works create in the stores of the inputs.
	for s in "$inputs"/*.store; do
		[ ! -e "$s" ] || ovlctl --root "$s" --sync=none rm -f bench
	done
}

# Innermost first.
place_unmount() { # PREFIX
	awk -v t="$1" 'index($5, t) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
		while read -r m; do
			umount "$(printf '%b' "$m")" || umount -l "$(printf '%b' "$m")"
		done
}

place_close() {
	code=$?
	trap '' HUP INT TERM
	cd /
	peers_stop
	place_clean || :
	# Gives the space of removed files back to the host.
	fstrim "$fs" 2>/dev/null || :
	umount "$fs" || :
	exit $code
}
