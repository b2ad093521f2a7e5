#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# A layer is in use if it has a mount anywhere, and only then.
printf 'dir name=d\nfile name=d/f data=1\nend\n' | mktar >a.tar
printf 'file name=g data=2\nend\n' | mktar >b.tar
need a ovlctl import -n a a.tar
need b ovlctl import -n b -p a b.tar
need w ovlctl create -n w b
store=$OVLCTL_ROOT/$DRV
ux=
as_user && ux=,userxattr
mkdir mnt

# Keeps a process working in DIR until "let_go".
hold() { # DIR
	stay_in holder "$1"
}
let_go() {
	end "$holder"
}
notes() { ls -A "$store/$1" | grep -c '^\.mount\.[0-9n]'; }
# No notes of mounts are left. If another mount gets the number of one at once, the
# next mount removes its note.
noteless() { # LAYER ID
	ovlctl mount "$1" mnt && ovlctl umount "$1" && [ "$(notes "$2")" = 0 ]
}

# ---- detached ------------------------------------------------------------------------

for l in b w; do
	need m ovlctl mount $l
	hold "$m"
	need - ovlctl umount -l $l
	fails 4 "layer '$l' is mounted, detached and still in use by process $holder \\(sleep\\)" \
		"$l: detached, rm" ovlctl rm -r $l
	fails 4 "layer '$l' is mounted, detached and still in use" "... ustat is refused" noustat ovlctl rm -r $l
	fails 4 "layer '$l' is mounted, detached and still in use" "... in another mount namespace" \
		unshare -m ovlctl rm -r $l
	if ! as_user; then
		fails 4 "layer '$l' is mounted, .*still in use" "... in other pid and mount namespaces" \
			unshare -mpf --mount-proc ovlctl rm -r $l
	fi
	ok "... prune" ovlctl prune --layers --unused-for 0
	ok "... leaves it" ovlctl show $l
	let_go
	ok "$l: no longer, ustat is refused" noustat ovlctl --wait 60 rm -r $l
	[ $l = w ] || need b ovlctl import -n b -p a b.tar
	need w ovlctl create -n w b
done
need - ovlctl mount w
fails 4 "layer 'w' is mounted" "set-up: w is not in use, but mounted" ovlctl rm w
need - ovlctl umount w
soon "no notes are left" noteless w "$w"

# An image that is in use only by a bind mount of a part of it.
need m ovlctl mount b
mount --bind "$m/d" mnt
umount "$m"
fails 4 "layer 'b' is mounted on '$T/mnt'" "a bind mount of a part is left" ovlctl rm -r b
umount mnt
soon "the note of it goes" noteless b "$b"

# ---- numbers are given again ---------------------------------------------------------

# Leaves a note with the number of a mount that has ended, and gives the number to another.
reused() { # LAYER COMMAND...
	layer=$1
	shift
	need m ovlctl mount "$layer"
	was=$(stat -c %d "$m")
	umount "$m"
	"$@"
}
on_tmpfs() { mount -t tmpfs other mnt; }
# Another process on the machine may have been faster: try again.
try_reuse() { # LAYER
	for i in 1 2 3 4 5 6 7 8 9; do
		reused "$1" on_tmpfs
		[ "$(stat -c %d mnt)" = "$was" ] && return
		umount mnt
	done
	return 1
}
need c ovlctl import -n c -p b b.tar
need v ovlctl create -n v b
for l in c v; do
	if try_reuse $l; then
		like "$l: a note is left" "^[1-9]" "$(notes "$(ovlctl ls -nr -o ID $l)")"
		ok "... whose number is another's, seen here" ovlctl rm $l
		umount mnt
	fi
done
need c ovlctl import -n c -p b b.tar
if try_reuse c; then
	in_namespace pid true
	umount mnt
	ok "... seen in another namespace" ovlctl rm c
	end "$pid"
fi

# The number belongs to another layer of the store, which is not visible anywhere. A process
# is using it: an open file is enough.
need c ovlctl import -n c -p b b.tar
need q ovlctl create -n q b
for i in 1 2 3 4 5 6 7 8 9; do
	reused c ovlctl mount q >/dev/null
	need m ovlctl ls -nr -o MOUNTPOINT q
	[ "$(stat -c %d "$m")" != "$was" ] || break
	need - ovlctl umount q
done
if [ "$(stat -c %d "$m")" = "$was" ]; then
	hold "$m"
	need - ovlctl umount -l q
	fails 4 "layer 'q' is mounted, detached" "detached, with a number that another layer had" ovlctl rm q
	ok "... which is free" ovlctl rm c
	let_go
fi
need - ovlctl --wait 60 rm q
need c ovlctl import -n c -p b b.tar
need d ovlctl import -n d -p b a.tar
for i in 1 2 3 4 5 6 7 8 9; do
	reused c ovlctl mount d >/dev/null
	need m ovlctl ls -nr -o MOUNTPOINT d
	[ "$(stat -c %d "$m")" != "$was" ] || break
	need - ovlctl umount d
done
if [ "$(stat -c %d "$m")" = "$was" ]; then
	hold "$m"
	need - ovlctl umount -l d
	fails 4 "layer 'd' is mounted, detached" "an image layer that took a number" ovlctl rm d
	ok "... from another" ovlctl rm c
	let_go
fi
need - ovlctl --wait 60 rm d

# Two notes with the same number, of which one belongs to a mount that exists.
need - ovlctl mount b
n=$(ls -A "$store/$b" | grep '^\.mount\.[0-9]')
: >"$store/$b/$(echo "$n" | sed 's/-[0-9a-f]*-\([0-9a-f]*\)$/-1-\1/')"
is "... are two" "$(notes "$b")" 2
fails 4 "layer 'b' is mounted on" "two notes with one number: mounted" ovlctl rm -r b
need - ovlctl umount b
soon "... and both are over" noteless b "$b"

# Notes from before a reboot.
: >"$store/$b/$(echo "$n" | sed 's/-.*/-11111111-2222-4333-8444-555555555555-0000000000000000/')"
soon "a note of before a reboot goes" noteless b "$b"

# Only names count: nothing with the name of a note is followed or read.
need c ovlctl import -n c -p b b.tar
need v ovlctl create -n v b
echo kept >outside
for l in c v; do
	need id ovlctl ls -nr -o ID $l
	ln -s "$T/outside" "$store/$id/.mount.spare"
	mkdir "$store/$id/.mount.x-y"
	: >"$store/$id/.mount.0:0-"
	ok "$l: a symlink as the spare note: mount" ovlctl mount $l mnt
	is "... notes it" "$(notes "$id")" 1
	need - ovlctl umount $l
	rm -f "$store/$id/.mount.spare"
	mkfifo "$store/$id/.mount.spare"
	ok "$l: a fifo" ovlctl mount $l mnt
	need - ovlctl umount $l
	rm -f "$store/$id/.mount.spare"
	mkdir "$store/$id/.mount.spare" "$store/$id/.mount.spare/d"
	ok "$l: a directory" ovlctl mount $l mnt
	need - ovlctl umount $l
	is "... is over" "$(notes "$id")" 0
	ok "... rm" ovlctl rm $l
done
is "... nothing outside has changed" "$(cat outside)" kept

# ---- killed between mount(2) and its note ----------------------------------------------

if can_trace; then
	need c ovlctl import -n c -p b b.tar
	for l in c w; do
		traced -qq -o /dev/null -e trace=mount,renameat -e inject=renameat:signal=KILL:when=2+ \
			ovlctl mount $l mnt >/dev/null 2>&1
		umount mnt 2>/dev/null
		id=$(ovlctl ls -nr -o ID $l)
		: >"$store/$id/.mount.new-$(cat /proc/sys/kernel/random/boot_id)-0000000000000000"
		ok "$l: killed before the number was noted, and over" ovlctl rm $l
	done
	need c ovlctl import -n c -p b b.tar
	need - ovlctl mount c mnt
	mv "$store/$c"/.mount.[0-9]* "$store/$c/.mount.new-$(cat /proc/sys/kernel/random/boot_id)-0000000000000000"
	in_namespace pid true
	umount mnt
	fails 4 "layer 'c' is mounted on .* in the mount namespace of process $pid" \
		"... and not over in another namespace" ovlctl rm c
	end "$pid"
	ok "... and over there" ovlctl --wait 60 rm c
	need w ovlctl create -n w b
fi

# Detached before its number was noted.
if can_trace; then
	need c ovlctl import -n c -p b b.tar
	traced -qq -o /dev/null -e trace=renameat -e inject=renameat:signal=KILL:when=2 \
		ovlctl mount c mnt >/dev/null 2>&1
	ok "the set-up: a new note" found "$store/$c/.mount.new-*"
	hold mnt
	need - ovlctl umount -l c
	fails 4 "layer 'c' is mounted, detached and still in use by process $holder" \
		"killed before the number was noted, then detached" ovlctl rm c
	let_go
	ok "... and over" ovlctl --wait 60 rm c
fi

# ---- a mount namespace without a process -----------------------------------------------

if ! as_user; then
	in_namespace pid ovlctl mount b mnt
	exec 9</proc/$pid/ns/mnt
	end "$pid"
	fails 4 "layer 'b' is mounted" "in a namespace without a process" ovlctl rm -r b
	need - ovlctl mount b
	need - ovlctl umount b
	exec 9<&-
	ok "... which has ended" ovlctl --wait 60 mount b mnt
	need - ovlctl umount b

	# A process that looks at all namespaces keeps one for a moment when its last process ends.
	if can_trace; then
		in_namespace pid ovlctl mount b mnt
		exec 9</proc/$pid/ns/mnt
		end "$pid"
		traced -qq -o trace -e trace=clock_nanosleep -e inject=clock_nanosleep:signal=TERM:when=1 \
			ovlctl rm -r b 2>err
		is "stopped while it waits, rm ends" "$? $(grep -c 'clock_nanosleep(' trace)" "143 1"
		(
			exec 9<&-
			traced -o trace -e trace=clock_nanosleep -e inject=clock_nanosleep:signal=STOP:when=1 \
				ovlctl rm -r b 2>err
		) &
		pid=$!
		soon "in one that another process keeps, rm waits a moment" has_stopped trace
		exec 9<&-
		go_on trace
		wait $pid
		is "... and removes it" "$? $(cat err)" "0 "
		need b ovlctl import -n b -p a b.tar
		need w ovlctl create -n w b
	fi

	# One that a file keeps (unshare --mount=FILE) is not waited for. The kernel refuses to
	# bind a namespace with a smaller number than its own.
	keep() {
		for i in 1 2 3 4 5 6 7 8; do
			in_namespace pid ovlctl mount b mnt
			mount --bind /proc/$pid/ns/mnt kept 2>/dev/null && return
			end "$pid"
		done
		return 1
	}
	: >kept
	if can_trace && keep; then
		end "$pid"
		fails 4 "layer 'b' is mounted" "in a namespace that a file keeps" \
			traced -qq -o trace -e trace=clock_nanosleep ovlctl rm -r b
		# Before Linux 6.12 it is not seen there.
		! grep -q 'without a visible process' .err ||
			is "... rm does not wait" "$(grep 'clock_nanosleep(' trace)" ""
		umount kept
	fi

	# The mount point of a bottom image there.
	in_namespace pid ovlctl mount a
	exec 9</proc/$pid/ns/mnt
	end "$pid"
	need - ovlctl mount a
	need - ovlctl umount a
	is "a bottom image mounted in a namespace without a process" \
		"$(nsenter --mount=/dev/fd/9 cat "$store/$a/merged/d/f")" 1
	exec 9<&-
fi

# ---- overlays that others mounted -------------------------------------------------------

mkdir none over.up over.work top
other() { mount -t overlay -o "lowerdir=$1,upperdir=over.up,workdir=over.work$ux" over top; }
need m ovlctl mount w
need - other "$m"
need - ovlctl umount -l w
fails 4 "layer 'w' is part of the overlay mounted on '$T/top'" "an overlay on merged" ovlctl rm w
fails 4 "layer 'w' is part of" "... commit" ovlctl commit w
umount top
ok "... and gone" ovlctl --wait 60 mount w
need - ovlctl umount w
rm -rf over.up over.work
mkdir over.up over.work
need - other "none:$store/$b/$TREE"
fails 4 "layer 'b' is part of the overlay mounted on '$T/top'" "a tree as the second lower" ovlctl rm -r b
is "... which is no mount of the layer" "$(ovlctl ls -nr -o MOUNTPOINT b)" ""
fails 1 "is not mounted" "... nor unmounted as one" ovlctl umount b
umount top
# The first one is a layer that is not built on it.
printf 'file name=h data=3\nend\n' | mktar >c.tar
need c ovlctl import -n c c.tar
rm -rf over.up over.work
mkdir over.up over.work
need - other "$store/$c/$TREE:$store/$a/$TREE"
fails 4 "layer 'a' is part of the overlay mounted on '$T/top'" "a tree below another layer" ovlctl rm -r a
umount top
need v ovlctl create -n v c
need - mount -t overlay -o \
	"lowerdir=$store/$a/$TREE,upperdir=$store/$v/$UPPER,workdir=$store/$v/work$ux" over top
fails 4 "layer 'a' is part of the overlay mounted on '$T/top'" "... and below a writable one" ovlctl rm -r a
umount top
need - ovlctl rm -r c
rm -rf over.up over.work
mkdir over.up over.work
# In another namespace, which cannot be examined.
in_namespace pid mount -t overlay -o "lowerdir=none:$store/$b/$TREE" over top
fails 4 "layer 'b' is part of the overlay mounted on '$T/top' in the mount namespace of process $pid" \
	"a tree in another namespace" ovlctl rm -r b
if can_trace; then
	fails 1 "Too many open files" "... too few descriptors to see it" \
		traced -qq -o /dev/null -P thread-self/mountinfo -P "$pid/mountinfo" \
		-e inject=openat:error=EMFILE ovlctl rm -r b
	ok "... nothing is lost" test -e "$store/$b/$TREE"
fi
end "$pid"
# Names that are empty without their dots and slashes.
for dir in . ./ ././/; do
	(cd none && mount -t overlay -o "lowerdir=$dir:$store/$b/$TREE$ux" over "$T/top")
	fails 4 "layer 'b' is part of the overlay mounted on '$T/top'" "a tree below '$dir'" ovlctl rm -r b
	fails 1 "is not mounted" "... is not unmounted" ovlctl umount b
	umount top
	rm -rf over.up over.work
	mkdir over.up over.work
	(cd over.up && mount -t overlay -o \
		"lowerdir=$store/$b/$TREE,upperdir=$dir,workdir=$T/over.work$ux" over "$T/top")
	fails 4 "layer 'b' is part of the overlay mounted on '$T/top'" "a tree below the upper '$dir'" ovlctl rm -r b
	is "... is no mount of the layer" "$(ovlctl ls -nr -o MOUNTPOINT b)" ""
	umount top
done
names="$a/$TREE/ $a/$TREE/. $a/$TREE/d $a/$TREE//d/ $a//$TREE ./$a/./$TREE"
is_overlay || names="$names l//$(cat "$store/$a/link") l/$(cat "$store/$a/link")/d/"
for name in $names; do
	rm -rf over.up over.work
	mkdir over.up over.work
	need - other "none:$store/$name"
	fails 4 "layer 'a' is part of the overlay mounted on '$T/top'" "$name" ovlctl rm -r a
	umount top
done

# The trees under another path; a single tree, and a part of one.
mkdir path
mount --bind "$store" path
rm -rf over.up over.work
mkdir over.up over.work
need - other "none:$T/path/$a/$TREE"
fails 4 "layer 'a' is part of the overlay mounted on '$T/top'" "by way of a bind mount of all trees" ovlctl rm -r a
umount top path
for part in '' /d; do
	mount --bind "$store/$a/$TREE$part" top
	fails 4 "a part of layer 'a' is mounted on '$T/top'" "a bind mount of <tree>$part" ovlctl rm -r a
	fails 1 "is not mounted" "... which umount leaves" ovlctl umount a
	umount top
done
mount --bind "$store/$w/$UPPER" top
fails 4 "a part of layer 'w' is mounted on '$T/top'" "... of a writable layer" ovlctl commit w
ok "... can be mounted" ovlctl mount w
need - ovlctl umount w
umount top

# ---- who waits ---------------------------------------------------------------------------

need m ovlctl mount w
hold "$m"
need - ovlctl umount -l w
(sleep 0.3; kill $holder) &
ok "mount --wait" ovlctl --wait 60 mount w
wait
hold "$m"
(sleep 0.3; kill $holder) &
ok "umount --wait" ovlctl --wait 60 umount w
wait
need m ovlctl mount w
(sleep 0.3; umount "$m") &
ok "rm --wait" ovlctl --wait 60 rm w
wait
need w ovlctl create -n w b

# A signal ends the wait for the lock of the mounts: nothing is removed.
need m ovlctl mount w
umount "$m"
(flock 9 && exec sleep 300) 9<"$store/$w/$UPPER" &
holder=$!
locked() { ! flock -n "$store/$w/$UPPER" true; }
until_true locked
ovlctl -v --wait 60 rm w 2>err &
pid=$!
until_true grep -q waiting err
kill "$pid"
wait "$pid"
is "rm is stopped while it waits" "$?" 143
ok "... the layer is still there" test -d "$store/$w"
end "$holder"

# A umount that is killed continues in the kernel, which writes the upper to disk:
# the mount is no longer visible, but has not ended.
if ! as_user; then
	mkdir disk
	truncate -s 500M img
	mkfs.ext4 -q -F img
	need - mount -o loop img disk
	(
		OVLCTL_ROOT=$T/disk/store
		export OVLCTL_ROOT
		need - ovlctl import -n a a.tar
		need - ovlctl create -n w a
		need m ovlctl mount w
		dd if=/dev/zero of="$m/big" bs=1M count=300 2>/dev/null
		ovlctl umount w &
		while grep -q " $m " /proc/self/mountinfo; do :; done
		kill -9 $!
		ok "rm --wait after a umount that was killed" ovlctl --wait 60 rm w
		wait
		done_testing >sub
		echo $_n $_bad >counts
	) 2>/dev/null
	read -r _n _bad <counts
	umount disk
	rm img
fi

# ---- what it costs -------------------------------------------------------------------------

# With any number of processes, none of them is examined. The number of calls
# depends on how many mount namespaces there are.
if can_trace; then
	need - ovlctl create -n cost b
	for i in 1 2 3 4 5 6 7 8 9 10; do
		sleep 60 &
		more="${more-} $!"
	done
	traced -qq -o trace ovlctl rm cost
	kill $more
	wait $more 2>/dev/null
	like "rm was traced" 'renameat2' "$(cat trace)"
	is "10 processes are not looked at" \
		"$(grep -E "[\"/]($(echo $more | tr ' ' '|'))[\"/]" trace)" ""
	ovlctl mount w >/dev/null
	traced -qq -o trace -e trace=ustat,mount,fsopen,setns,clone ovlctl ls >/dev/null
	is "ls does not ask" "$(grep -v '+++' trace)" ""
	need - ovlctl umount w
fi

# Overlays that a namespace has inherited are examined in this one. On a disk there may be
# other overlays, in directories that are named like layers.
if can_trace && [ "$(stat -f -c %T "$T")" = tmpfs ]; then
	need - ovlctl mount b mnt
	in_namespace pid true
	ns=$(readlink "/proc/$pid/ns/mnt")
	need - ovlctl create -n cost b
	traced -qq -y -o trace -e trace=renameat2,setns ovlctl rm cost
	like "rm was traced" 'renameat2' "$(cat trace)"
	is "a copy of this namespace is not read" "$(grep -cF "<$ns>" trace)" 0
	need - nsenter --mount="/proc/$pid/ns/mnt" sh -c \
		'cd "$1" && mount -t overlay -o lowerdir=none:top over top' - "$T"
	need - ovlctl create -n cost b
	traced -qq -y -o trace -e trace=setns ovlctl rm cost
	# Before Linux 6.12 none is entered.
	is "... one with another overlay is" "$(grep -cF "<$ns>" trace | tr 2-9 1)" \
		"$(grep -c setns trace | grep -c '[1-9]')"
	end "$pid"
	need - ovlctl umount b
fi

# ---- umount -R ---------------------------------------------------------------------------

need m ovlctl mount w
mkdir "$m/in"
mount -t tmpfs none "$m/in"
mkdir "$m/in/deep"
mount -t tmpfs none "$m/in/deep"
fails 4 "'$m' is in use: '$m/in/deep' is mounted in it" "umount with a mount in it" ovlctl umount w
ok "umount -R" ovlctl umount -R w
is "... all is gone" "$(grep -c "$T" /proc/self/mountinfo)" "$(grep -c "$T/fast" /proc/self/mountinfo)"
ok "rm" ovlctl --wait 60 rm -r a

# Kernels that do not list the mounts of another namespace, or not even the namespaces.
printf 'dir name=d\nend\n' | mktar >last.tar
need last ovlctl import -n last last.tar
in_namespace pid sh -ec "mount --bind '$store' mnt; mount -t tmpfs none mnt/$last/$TREE/d"
for how in -k -m -n; do
	fails 4 "something is mounted in the directory of layer 'last', .* in the mount namespace of process" \
		"in the directory of a layer, noustat $how" noustat $how ovlctl rm last
done
end "$pid"
ok "... no more" noustat -n ovlctl rm last

done_testing
