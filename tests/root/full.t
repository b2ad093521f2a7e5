#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# on a disk

# only overlay2

# not in a user namespace: mounts file systems, and drops what root may

# File systems that are full, have no inodes left, are over a quota, or read-only; a store
# that may not be entered; limits of a process. One line reports it, and everything is as
# before, including the free space.
noise 6000000 >noise
tar -cf big.tar noise
(seq 400 | sed 's/.*/file name=d\/f& data=&/'; echo end) | mktar >many.tar
printf 'file name=f data=1\nend\n' | mktar >a.tar
image_of image.tar a.tar big.tar
mkdir fs
OVLCTL_ROOT=$T/fs/store
export OVLCTL_ROOT
free() {
	sync -f fs
	stat -f -c '%f %d' fs
}
state() {
	store_state
	find out fs/out 2>/dev/null | sort
}
# The command fails with "reason" and leaves everything unchanged.
refuses() { # WHAT COMMAND...
	what=$1
	shift
	state >before
	was=$(free)
	fails 1 "$reason" "$what" "$@"
	state >after
	same "... leaves nothing" after before
	# The file system itself may use a block or two for temporary files.
	is "... and as much space" "$(free | awk -v w="$was" '{ split(w, o); print (o[1] - $1 <= 64 && o[2] - $2 <= 1) }')" 1
}
filled() {
	reason="No space left on device"
	refuses "$1: import" ovlctl import big.tar
	refuses "$1: import of an image" ovlctl import image.tar
	refuses "$1: import of a compressed image" ovlctl import --as image image.tar.gz
	refuses "$1: commit of what is marked" env SOURCE_DATE_EPOCH=0 ovlctl commit w
	refuses "$1: export to a directory" ovlctl export --compress none w fs/out
	refuses "$1: export to a file" ovlctl export --compress none w fs/x.tar
	refuses "$1: diff -o" ovlctl diff -o fs/x.tar w
}
# A layer with 3 MB, on a file system with less than 2 MB to spare, then none.
fill() {
	need - ovlctl import -n a a.tar
	need w ovlctl create -n w a
	head -c 3000000 noise >"$OVLCTL_ROOT/$DRV/$w/$UPPER/noise"
}
full() {
	mkdir fs/ballast
	fill_up fs/ballast
	reason="No space left on device"
	refuses "$1, to the last byte: import" ovlctl import -n other many.tar
	refuses "$1, to the last byte: tag" ovlctl tag a "$(printf '%0180d' 7)"
	refuses "$1, to the last byte: create" ovlctl create a
	ok "$1, to the last byte: ls" ovlctl ls
	ok "... show" ovlctl show w
	ok "... diff" ovlctl diff w
	ok "... check" ovlctl check
	is "... check --content" "$(ovlctl check --content 2>&1; echo $?)" 0
	ok "... export elsewhere" ovlctl export --format tar a out.tar
	ok "... umount and mount are no matter of space" sh -c 'mkdir -p target && ovlctl mount -r a target >/dev/null && ovlctl umount a'
	fails 1 "the kernel could not make its work directory: $reason" "... mount" ovlctl mount w
	ok "... rm" ovlctl rm w
	ok "... prune" ovlctl prune
	is "... the store is sound" "$(ovlctl check)" ""
	rm -rf fs/ballast out.tar
}
gzip -k image.tar

mount -t tmpfs -o size=5500k none fs
fill
filled tmpfs
umount fs
mount -t tmpfs -o size=20M,nr_inodes=60 none fs
fill
reason="No space left on device"
refuses "no inodes left: import" ovlctl import many.tar
need v ovlctl create -n v a
need - ovlctl mount v
need - ovlctl umount v
seq 60 | (cd fs && xargs -n 1 touch 2>/dev/null)
refuses "no inodes left: create" ovlctl create a
refuses "no inodes left: diff -o" ovlctl diff -o fs/x.tar w
refuses "no inodes left: export to a directory" ovlctl export w fs/out
refuses "no inodes left: tag" ovlctl tag a more
fails 1 "cannot mount layer .*: the kernel could not make its work directory: $reason" \
	"no inodes left: mount" ovlctl mount w
is "... it is not mounted" "$(ovlctl ls -nr -o MOUNTPOINT w)" ""
# What the last mount has left is removed first, which frees one, but the kernel needs two.
fails 1 "cannot mount layer 'v' on .*: $reason" "... nor one that was mounted before" ovlctl mount v
ok "no inodes left: rm" ovlctl rm w v
is "... the store is sound" "$(ovlctl check)" ""
umount fs

# A file system with a journal, and without fractions of seconds.
if truncate -s 7140K disk && mkfs.ext4 -q -b 1024 -I 128 -N 200 disk 2>/dev/null && mount -o loop disk fs 2>/dev/null; then
	fill
	filled ext4
	full ext4
	fill
	# Read-only: reading commands work, writing ones report it.
	ovlctl tag a two
	mkdir -p target
	mount -o remount,ro fs
	reason="Read-only file system"
	refuses "read-only: import" ovlctl import big.tar
	refuses "read-only: create" ovlctl create a
	reason="layer 'w': Read-only file system"
	refuses "read-only: commit" ovlctl commit w
	reason="cannot move 'w' to the trash: Read-only file system"
	refuses "read-only: rm" ovlctl rm w
	reason="Read-only file system"
	refuses "read-only: tag" ovlctl tag a more
	refuses "read-only: tag -d" ovlctl tag -d two
	refuses "read-only: export to it" ovlctl export a fs/out
	refuses "read-only: diff -o to it" ovlctl diff -o fs/x.tar a
	for command in "ls" "show w" "diff w" "which w /" "diff a" "check" "export a -" "export w dir" \
		"diff -o x.tar w" "diff --tar a" "prune --dry-run" "prune" "mount -r a target" "umount a"; do
		ok "read-only: $command" ovlctl $command
	done
	rm -rf dir x.tar
	mount -o remount,rw fs
	# Times that this file system cannot store, but a tmpfs can.
	printf '%s\n' 'file name=far pax.mtime=32503680000 data=1' 'file name=last pax.mtime=2147483647.5' \
		'file name=fraction pax.mtime=1.5' 'file name=early pax.mtime=-99999999999.5' end | mktar | ovlctl import - >far
	is "times that the disk cannot hold are no damage" "$(ovlctl check --content)" ""
	touch -d @2 "$(tree_of "$(cat far)")/fraction"
	like "... but others are" "'fraction' has a different time" "$(ovlctl check --content 2>/dev/null)"
	ovlctl rm "$(cat far)"
	rmdir "$OVLCTL_ROOT/$DRV/$w/merged"
	mkdir "$OVLCTL_ROOT/staging/x"
	mount -o remount,ro fs
	reason="Read-only file system"
	refuses "read-only: prune, of something" ovlctl prune
	for content in "" --content; do
		ovlctl check $content >got 2>err
		is "read-only: check $content finds what it would find" "$?:$(cat err)" \
			"4:ovlctl: check: to repair the store: ovlctl check --repair"
	done
	ovlctl check --repair >got 2>err
	is "read-only: check --repair" $? 8
	like "... says so" "^ovlctl: check: .*Read-only file system$" "$(cat err)"
	umount fs
	rm disk
else
	report 0 "no loop devices here: no ext4 # SKIP"
fi

# A quota.
if command -v mkfs.btrfs >/dev/null && truncate -s 120M disk && mkfs.btrfs -q disk && mount -o loop disk fs 2>/dev/null; then
	btrfs quota enable fs
	btrfs subvolume create fs/v >/dev/null
	OVLCTL_ROOT=$T/fs/v/store
	fill
	sync -f fs
	btrfs qgroup limit 5M fs/v
	reason="Disk quota exceeded"
	state >before
	fails 1 "$reason" "a quota: import" ovlctl import big.tar
	state >after
	same "... leaves nothing" after before
	fails 1 "$reason" "a quota: diff -o" ovlctl diff -o fs/v/x.tar w
	is "... leaves nothing" "$(ls -A fs/v)" store
	fails 1 "$reason" "a quota: export" ovlctl export w fs/v/dir
	is "... leaves nothing" "$(ls -A fs/v)" store
	is "... the store is sound" "$(ovlctl check)" ""
	cat noise >>"$OVLCTL_ROOT/$DRV/$w/$UPPER/noise" 2>err
	is "... exhausted" "$(sync -f fs; grep -c "$reason" err)" 1
	ok "... rm" ovlctl rm w
	is "... all of it" "$(ovlctl check; ls "$OVLCTL_ROOT/trash")" ""
	umount fs
	OVLCTL_ROOT=$T/fs/store
else
	report 0 "no btrfs here: no quota # SKIP"
fi

# The owner of the store may not enter the directory above it, as root of a user namespace.
OVLCTL_ROOT=$T/store
fill
chmod 755 "$T"
chown -R 100000:100000 "$OVLCTL_ROOT"
sed -i 's/^xattrs .*/xattrs user/' "$OVLCTL_ROOT/stamp"
plain() {
	setpriv --reuid 100000 --regid 100000 --clear-groups "$@"
}
barred() { # WHAT COMMAND...
	what=$1
	shift
	plain "$@" >got 2>err
	is "$what" $? 1
	sed -i '/^ovlctl: ls: warning: layer [0-9a-f]* is not listed: Permission denied$/d' err
	like "... says so in a line" "^ovlctl: [a-z]*: [^:]*: Permission denied$" "$(cat err)"
	is "... one" "$(wc -l <err)" 1
	state >after
	same "... and leaves nothing" after before
}
for place in . $DRV "$DRV/$w" names staging trash; do
	chmod 0 "$OVLCTL_ROOT/$place"
	state >before
	for command in "create a" "rm w" "ls" "show w" "tag a y"; do
		case $place:$command in
		staging:rm* | staging:ls | staging:show* | staging:tag*) continue ;;
		trash:create* | trash:ls | trash:show* | trash:tag*) continue ;;
		$DRV/*:create* | $DRV/*:tag*) continue ;;
		$DRV/*:ls)
			is "ls, where a layer is closed" "$(plain ovlctl ls -nr -o ID 2>err | wc -l)" \
				$(($(ovlctl ls -q | wc -l) - 1))
			like "... warns" "^ovlctl: ls: warning: layer .* is not listed: Permission denied$" "$(cat err)"
			continue
			;;
		esac
		barred "$command, where '$place' is closed" ovlctl $command
	done
	chmod 700 "$OVLCTL_ROOT/$place"
done
chmod 0 "$OVLCTL_ROOT/stamp"
state >before
barred "ls, where the stamp cannot be read" ovlctl ls

# ---- limits of a process ----------------------------------------------------------------

OVLCTL_ROOT=$T/limited
mkdir out
need - ovlctl import -n a a.tar
need - ovlctl import -n big -p a big.tar
need w ovlctl create -n w big
cp noise "$OVLCTL_ROOT/$DRV/$w/$UPPER/other"
limited() { # PATTERN LIMIT COMMAND...
	pattern=$1
	shift
	state >before
	fails 1 "$pattern" "prlimit $*" prlimit "$@"
	state >after
	same "... leaves nothing" after before
}
limited "File too large" --fsize=1000000 ovlctl import -p big big.tar
limited "File too large" --fsize=1000000 ovlctl diff -o out/x.tar w
limited "File too large" --fsize=1000000 ovlctl export --compress none w out/dir
limited "File too large" --fsize=1000000 ovlctl export w out/x.tar
limited "File too large" --fsize=100 ovlctl commit w
limited "File too large" --fsize=100 ovlctl create a
for n in 6 10 12 14; do
	for command in "import -p big a.tar" "import image.tar" "create a" "commit w" "export w out/dir" "export w out/x.tar" \
		"diff -o out/x.tar w" "rm w" "tag a more" "ls" "show w" "diff w" "mount w"; do
		cp -a "$OVLCTL_ROOT" copy
		state >before
		prlimit --nofile=$n:$n ovlctl $command >got 2>err
		status=$?
		[ $status = 0 ] || {
			state >after
			[ $status = 1 ] && [ "$(wc -l <err)" = 1 ] && grep -q '^ovlctl: .*: Too many open files' err &&
				{ cmp -s before after || [ "${command%% *}" = rm ]; }
			report $? "prlimit --nofile=$n $command" || {
				diag err
				diff before after | head -5 | diag
			}
		}
		ovlctl umount -a
		rm -rf "$OVLCTL_ROOT" out
		mkdir out
		mv copy "$OVLCTL_ROOT"
	done
done
if [ "$MODE" != asan ]; then
	for n in 7 8 9 10 11 12; do
		state >before
		prlimit --as=${n}000000 ovlctl export w out/x.tar >got 2>err
		status=$?
		case $status in
		0) rm -f out/x.tar ;;
		127) continue ;; # not even the libraries
		esac
		state >after
		cmp -s before after && { [ $status = 0 ] || { [ $status = 1 ] && [ "$(wc -l <err)" = 1 ] &&
			grep -Eq '(Cannot allocate memory|out of memory|Resource temporarily unavailable)$' err; }; }
		report $? "prlimit --as=${n}000000 export" || diag err
	done
fi

done_testing
