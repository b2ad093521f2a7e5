#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: as user too

printf 'dir name=. mode=711 uid=3\nfile name=f data=lower\nend\n' | mktar >a.tar
printf 'file name=g data=second\nend\n' | mktar >b.tar
need a ovlctl import -n a a.tar
need b ovlctl import -n b -p a b.tar
store=$OVLCTL_ROOT/$DRV
opts() { awk -v m="$1" '$5 == m { print $6 "," $NF }' /proc/self/mountinfo; }
source_of() { awk -v m="$1" '$5 == m { print $(NF - 1) }' /proc/self/mountinfo; }

need w ovlctl create -n w b
like "create prints the id" '^[0-9a-f]{64}$' "$w"
is "the listing of a writable layer" "$(ls "$store/$w" | tr '\n' ' ')" "$LS_WRITABLE "
is "its tree starts like its parent's root" "$(stat -c '%a %u' "$store/$w/$UPPER")" "711 3"
need m ovlctl mount w
is "mount prints where" "$m" "$store/$w/merged"
is "both lowers are seen" "$(cat "$m/f" "$m/g")" "lowersecond"
like "with relative names" "lowerdir=$(lower_of b)$(is_overlay || echo ":$(lower_of a)"),upperdir=$w/$UPPER,workdir=$w/work" "$(opts "$m")"
is "the source says which store and layer" "$(source_of "$m")" "ovlctl:$store/$w"
echo new >"$m/new"
is "writes go to the upper" "$(cat "$store/$w/$UPPER/new")" "new"
is "ls shows the mount" "$(ovlctl ls -nr -o MOUNTPOINT w)" "$m"
is "nothing is bind-mounted" "$(grep -c "$T" /proc/self/mountinfo)" 1
ok "umount by name" ovlctl umount w
is "it is gone" "$(grep -c "$T" /proc/self/mountinfo)" 0
fails 1 "layer 'w' is not mounted" "umount again" ovlctl umount w

mkdir mnt "m n" 'a,b' 'c:d' 'e\f'
is "a target of one's own" "$(ovlctl mount w mnt)" "$T/mnt"
is "the same tree" "$(cat mnt/new)" "new"
ok "umount by mount point" ovlctl umount "$T/mnt"
need - ovlctl mount w mnt
ok "umount by a relative mount point" ovlctl umount ./mnt
need - ovlctl mount w mnt
ok "umount by a name that is only a mount point" ovlctl umount mnt
for t in "m n" 'a,b' 'c:d' 'e\f'; do
	is "target '$t'" "$(ovlctl mount w "$t")" "$T/$t"
	is "... as ls shows it" "$(ovlctl ls -n -J -o MOUNTPOINT w | jq -r ".layers[0].mounts[0]")" "$T/$t"
	ok "... unmounted" ovlctl umount "$T/$t"
done

# Read-only.
need - ovlctl mount -r w
like "-r" "^ro,.*upperdir=$w" "$(opts "$m")"
no "-r: cannot be written" touch "$m/x"
ovlctl umount w
need i ovlctl mount b
is "an image layer mounts" "$(cat "$i/f" "$i/g")" "lowersecond"
like "... read-only, without an upper" "^ro,[^ ]*lowerdir=$(lower_of b):$(is_overlay && echo "../empty" || lower_of a)" "$(opts "$i")"
no "... cannot be written" touch "$i/x"
fails 4 "layer 'b' is mounted there|is taken" "... not twice in one place" ovlctl mount b
is "... but in another" "$(ovlctl mount b mnt)" "$T/mnt"
is "ls shows both" "$(ovlctl ls -nr -o MOUNTPOINT b)" "$i\\x0a$T/mnt"
ok "umount LAYER: all its mounts" ovlctl umount b
is "both are gone" "$(grep -c "$T" /proc/self/mountinfo)" 0
need i ovlctl mount a
is "a bottom image layer mounts" "$(cat "$i/f")" "lower"
like "... with the empty directory" "lowerdir=$(lower_of a):\.\./empty" "$(opts "$i")"
ok "... unmounts" ovlctl umount a
is "... and shows just its tree again" "$(ls "$store/$a" | tr '\n' ' ')" "$LS_BOTTOM "
fails 2 "only be mounted read-only" "-o rw of an image layer" ovlctl mount -o rw a

# A layer without lowers.
need e ovlctl create
is "the listing of a writable layer on nothing" "$(ls "$store/$e" | tr '\n' ' ')" \
	"$(is_overlay && echo merged upper work || echo diff link merged work) "
need m ovlctl mount "$e"
like "a writable layer on nothing" 'lowerdir=\.\./empty,upperdir=' "$(opts "$m")"
echo 1 >"$m/f"
is "... can be written" "$(cat "$store/$e/$UPPER/f")" 1
ovlctl umount "$e"
need - ovlctl mount -r "$e"
is "... and read with -r" "$(cat "$m/f")" 1
ovlctl umount "$e"

# Options.
m=$store/$w/merged
need - ovlctl mount -o nosuid,nodev,noexec,noatime w
like "generic options" '^rw,nosuid,nodev,noexec,noatime' "$(opts "$m")"
ovlctl umount w
need - ovlctl mount -o ro w
like "-o ro" '^ro,' "$(opts "$m")"
ovlctl umount w
if ! as_user; then
	need - ovlctl mount -o redirect_dir=on,metacopy=on,index=on,xino=on w
	like "overlay options" 'redirect_dir=on.*index=on.*xino=on.*metacopy=on|index=on' "$(opts "$m")"
	ovlctl umount w
	rm -rf "$store/$w/work/index"
	fails 2 "userxattr.*trusted" "-o userxattr of a trusted store" ovlctl mount -o userxattr w
else
	need - ovlctl mount w
	like "userxattr is chosen by itself" 'userxattr' "$(opts "$m")"
	ovlctl umount w
	ok "-o userxattr is what a user store has anyway" ovlctl mount -o userxattr w
	ovlctl umount w
fi
for o in lowerdir=/ upperdir=/x workdir=/x remount bind; do
	fails 2 "option '$o' cannot be given" "-o $o" ovlctl mount -o $o w
done
fails 1 "does not accept option 'nonsense=1'" "-o nonsense=1" ovlctl mount -o nonsense=1 w

# A mount on top of another.
need - ovlctl mount w mnt
need x ovlctl create a
fails 4 "mount point '$T/mnt' is taken: layer w is mounted there" "a target that is taken" \
	ovlctl mount "$x" mnt
mount -t tmpfs none mnt
fails 4 "'$T/mnt' is hidden under another mount" "umount of a hidden mount" ovlctl umount w
umount mnt
stay_in pid mnt
fails 4 "'$T/mnt' is in use by process [0-9]* \(sleep\)" "umount of a mount in use" ovlctl umount w
attach() { # FILE
	loop=$(losetup -f --show "$1")
}
if ! as_user; then
	# A process that has only mapped a file; a loop device, which no process has open.
	end "$pid"
	truncate -s 1M mnt/data
	env python3 -c 'import ctypes, os, time
fd = os.open("mnt/data", os.O_RDONLY)
mmap = ctypes.CDLL(None).mmap
mmap.restype = ctypes.c_void_p
mmap.argtypes = [ctypes.c_void_p] + [ctypes.c_long] * 5
print(mmap(None, 4096, 1, 2, fd, 0), file=open("mapped", "w"))
os.close(fd)
time.sleep(300)' &
	pid=$!
	until_true written mapped
	fails 4 "'$T/mnt' is in use by process [0-9]* \(python3[^)]*\)" "... by a process that has mapped a file" \
		ovlctl umount w
	end "$pid"
	# Only a thread has it as its working directory, or has a file in it open.
	for flag in 0x200 0x400; do
		rm -f thread
		env python3 -c 'import ctypes, os, sys, threading, time
def idle(flag):
    ctypes.CDLL(None).unshare(flag)
    threading.Thread(target=hold, args=[flag]).start()
    time.sleep(300)
def hold(flag):
    ctypes.CDLL(None).unshare(flag)
    if flag == 0x200:
        os.chdir("mnt")
    else:
        os.open("mnt/data", os.O_RDONLY)
    print(flag, file=open(there, "w"))
    time.sleep(300)
there = os.path.abspath("thread")
threading.Thread(target=idle, args=[int(sys.argv[1], 0)]).start()' $flag &
		pid=$!
		until_true written thread
		fails 4 "'$T/mnt' is in use by process $pid \(python3[^)]*\)" "... by a thread, unshare($flag)" \
			ovlctl umount w
		if can_trace; then
			traced -qq -o calls -e trace=openat ovlctl umount w 2>err
			tids=$(ls "/proc/$pid/task" | paste -sd '|')
			is "... what all threads share is looked at once" \
				"$(grep -cE "\"($tids)/map_files\"" calls)" 1
		fi
		end "$pid"
	done
	if losetup -f >/dev/null 2>&1; then
		until_true attach mnt/data
		fails 4 "'$T/mnt' is in use by '$loop'" "... by a loop device" ovlctl umount w
		stay_in pid mnt
		need - losetup -d "$loop"
		# Of the loop devices, only those with a file below the mount point are examined.
		truncate -s 1M mnt-other
		until_true attach mnt-other
		if can_trace; then
			traced -qq -o trace -e trace=statx unshare -pf sh -c \
				'mount -t proc none /proc && { ovlctl umount w; status=$?; umount /proc; exit $status; }' 2>err
			like "... by a process that is not visible" "^ovlctl: umount: '$T/mnt' is in use by a process that cannot be seen" \
				"$(cat err)"
			is "... a file in another directory is left alone" "$(grep mnt-other trace)" ""
		fi
		need - losetup -d "$loop"
	fi
fi
ok "umount -l" ovlctl umount -l w
is "... is gone from the namespace" "$(grep -c "$T" /proc/self/mountinfo)" 0
end $pid

# All mounts of this store, and of no other.
OVLCTL_ROOT=$T/other ovlctl create -n o >/dev/null
mkdir o
OVLCTL_ROOT=$T/other ovlctl mount o o >/dev/null
need - ovlctl mount w
need - ovlctl mount a mnt
need - ovlctl mount "$x"
ok "umount -a" ovlctl umount -a
is "... leaves another store's mount" "$(grep "$T" /proc/self/mountinfo | awk '{print $5}')" "$T/o"
ok "umount -a with nothing to do" ovlctl umount -a
fails 1 "is not a mount of this store" "another store's mount" ovlctl umount "$T/o"
OVLCTL_ROOT=$T/other ovlctl umount -a
fails 1 "'/nowhere': No such file" "umount of a path that is not there" ovlctl umount /nowhere
fails 3 "no such layer 'nowhere'" "umount of a name that is not there" ovlctl umount nowhere
fails 1 "is not a mount of this store" "umount of a directory" ovlctl umount "$T/mnt"

# A stack that ends at .wh..wh..opq, and one with an opaque directory further down.
cut=$(printf 'file name=only data=1\nfile name=.wh..wh..opq\nend\n' | mktar | ovlctl import -p b -)
m=$(ovlctl mount "$(ovlctl create "$cut")")
is "a layer on a cut stack" "$(ls "$m")" only
ovlctl umount -a

# --mkdir: a target that does not exist.
need where ovlctl mount --mkdir w made/one/two/
is "--mkdir makes the target" "$where" "$T/made/one/two"
is "... as mkdir does" "$(stat -c %a made)" 755
ovlctl umount w
fails 3 "no such layer" "a mount that fails" ovlctl mount --mkdir nothing made/three/four
no "... leaves nothing of it" test -e made/three
ok "... but what was there" test -d made/one/two
fails 3 "no such layer" "... on what is there" ovlctl mount --mkdir nothing made/one/two
ok "... which stays" test -d made/one/two
fails 1 "is in the store" "... in the store" ovlctl mount --mkdir w "$OVLCTL_ROOT/x/y"
no "... nothing is left there" test -e "$OVLCTL_ROOT/x"
fails 2 "--mkdir needs a TARGET" "... of nothing" ovlctl mount --mkdir w

done_testing
