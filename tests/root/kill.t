#!/bin/sh
. "$(dirname "$0")/../lib.sh"
. "$top/tests/images.sh"

# not in a user namespace: root of one that others made cannot trace

# If it is killed before any call that changes something, a command leaves a store without
# errors, in which each layer is complete or absent; the command works when it is run again,
# and after a prune the store is as if it had never been killed. Every KILL_STEP-th call is
# tried, all of them with KILL_STEP=1 (make check-kill).
can_trace || cannot "strace"
: "${KILL_STEP:=$(short && echo 23 || echo 13)}" "${KILL_ONLY:=}"
S=$OVLCTL_ROOT
calls='mkdirat,mknodat,renameat,renameat2,linkat,symlinkat,unlinkat,write,pwrite64,ftruncate,/chmod,/chown,utimensat,/setxattr,/removexattr,fsync,syncfs,flock,mount,umount2'

printf '%s\n' 'dir name=d mode=2750 uid=3' 'file name=d/f data=one' 'link name=d/h link=d/f' \
	'symlink name=s link=d/f' 'fifo name=p' 'file name=x data=1' 'file name=x data=2' \
	'file name=imp/f pax.SCHILY.xattr.user.k=v' end | mktar >a.tar
printf '%s\n' 'file name=.wh.s' 'file name=d/.wh..wh..opq' 'file name=d/new data=2' end | mktar >b.tar
zstd -q b.tar
image_of image.tar a.tar b.tar
printf '%s\n' 'dir name=d' 'file name=d/f data=one' 'link name=d/h link=d/f' 'symlink name=s link=d/f' end | mktar >1.tar
printf '%s\n' 'file name=.wh.s' 'file name=d/new data=2' end | mktar >2.tar
config "$machine" A=1 1.tar 2.tar >app.json
need - python3 "$top/tests/foreign.py" docker docker app.json app:1 1.tar 2.tar

# The state of the store and of a directory, without random names and times.
state() {
	[ ! -d proj ] || walk proj | sed -E 's/ (t|same)=[^ ]*//g'
	store_state | sed -E 's/[A-Z2-7]{26}/LINK/g; s/[0-9a-f]{64}/ID/g' |
		sed 's,/\.on f .*,/.on,' | grep -Ev '/work/(work|unmounted)|/\.mount\.|/\.children d|/\.names d|^\./(staging|trash|aside|empty|names|lock)( |$)' | sort
}

# The store before the command.
again() {
	rm -rf "$S"
	cp -a master "$S"
	[ "$(ls master)" ] || rm -rf "$S"
	ready
}
at=0
choose() {
	at=$(((at + 2) % KILL_STEP))
	awk -v step="$KILL_STEP" -v at=$at 'NR % step == at' all >chosen
}
# Kills COMMAND at each point. "prepared" makes the store; "undone" undoes
# changes outside of it; "ready" is run before each time; "named" prints
# what is wrong with the names directly after the kill.
undone() { :; }
prepared() { :; }
ready() { :; }
named() { :; }
only() { # WHAT
	case $1 in *$KILL_ONLY*) ;; *) return 1 ;; esac
}
try() { # WHAT COMMAND
	only "$1" || return
	rm -rf "$S" master
	prepared
	W=$(cat w 2>/dev/null)
	export W
	cp -a "$S" master 2>/dev/null || mkdir master
	ready
	sh -c "$2" >out 2>err || report 1 "$1: $(cat err)"
	undone
	state >want
	again
	calls_of "$calls" sh -c "exec $2" >all
	undone
	choose
	points=0
	failed=
	while read -r n && [ ! "$failed" ]; do
		again
		killed_at $n sh -c "exec $2" >out 2>err </dev/null
		status=$?
		# A thread may make fewer calls this time.
		[ $status = 0 ] && undone && continue
		[ $status -ge 128 ] || failed="$n: status $status: $(cat err)"
		points=$((points + 1))
		[ ! -e "$S/stamp" ] || ovlctl check >out 2>&1 || failed="$failed $n: check: $(cat out)"
		! grep lost-name out || failed="$failed $n: check: $(cat out)"
		wrong=$(named)
		[ ! "$wrong" ] || failed="$failed $n: $wrong"
		ovlctl ls >out 2>err && ! grep -v "there are no layers in" err >&2 || failed="$failed $n: ls: $(cat err)"
		sh -c "$2" >out 2>err || grep -Eq "${3-nothing}" err || failed="$failed $n: again: $(cat err)"
		undone
		ovlctl prune >out 2>err || failed="$failed $n: prune: $(cat err)"
		state >got
		cmp -s got want || failed="$failed $n: state: $(diff want got)"
	done <chosen
	undone
	is "$1: killed at $points points" "$failed" ""
}

try "import of the first layer" "ovlctl import -n a a.tar"
prepared() { ovlctl import -n a a.tar >/dev/null; }
try "import of a second layer" "ovlctl import -n b -p a b.tar.zst"
try "import of an image" "ovlctl import image.tar"
walk docker | sed 's/ same=[^ ]*//' >docker.before
try "import --from" "ovlctl import --from docker app:1"
try "create" "ovlctl create -n w a" "already"
try "tag" "ovlctl tag a other"
prepared() {
	need - ovlctl import -n a a.tar
	need - ovlctl import -n b -p a b.tar
	need - ovlctl create -n w b
	ovlctl tag w w/2
	ovlctl ls -nr -o ID w >w
}
# A layer is removed together with its names.
named() {
	has=$(ovlctl ls -nr -o NAME $W 2>/dev/null)
	case $has in w,w/2) ;; *) [ ! "$has" ] && [ ! -e "$S/$DRV/$W" ] || echo "it has the names $has" ;; esac
}
try "rm" "ovlctl rm -f w"
named() { :; }
try "rm -r" "ovlctl rm -f -r a"
try "du" "ovlctl du"
try "tag --force" "ovlctl tag --force a b"
try "tag -d" "ovlctl tag -d b" "no such name"
try "which" "ovlctl which -a w d/new x"
ready() { for name in w w/2 b; do ovlctl tag -d $name; done; }
try "prune --layers" "ovlctl prune --layers --writable --unused-for 0"
ready() { :; }
# The layers have no programs, so those of the host are used.
host=
for d in /bin /lib /lib64 /usr; do
	[ ! -d $d ] || host="$host --bind $d"
done
try "run" "ovlctl run $host b true"
try "run in a writable layer" "ovlctl run $host w true"
try "run -n" "ovlctl run $host -n k b sh -c 'rm -rf /d /x; mkdir /d; echo 1 >/d/n; ln /d/n /h; mkfifo /p2; touch -d @5 /d/n /d /p2 /'" "already used"
undone() { rm -rf out.tar .out* dir .dir*; }
try "diff -o" "ovlctl diff -o out.tar b"
try "diff -o of another program's store" "ovlctl --root docker diff -o out.tar app:1"
walk docker | sed 's/ same=[^ ]*//' >docker.after
same "which is as it was" docker.before docker.after
try "export" "ovlctl export b dir"
undone() { ovlctl umount -a; }
try "mount" "ovlctl mount w" "already mounted"
ready() { ovlctl mount -o volatile w >/dev/null && touch "$S/names/w/merged/f"; }
try "umount" "ovlctl umount w" "not mounted"
undone() { :; }
# Over a directory.
mkdir -p dir.orig/d/e dir.orig/old/d
echo 1 | tee dir.orig/f dir.orig/gone dir.orig/d/f >dir.orig/old/f
ready() {
	rm -rf proj
	cp -a dir.orig proj
	on=$(echo "$S/$DRV"/*/.on)
	[ ! -e "$on" ] || sed -i "s/^inode .*/inode $(stat -c %i proj)/; s/^born .*/born 0.0/
		s/^since .*/since 9999999999.0/" "$on"
}
try "run -n --on" "ovlctl run -n k --on proj touch $T/proj/f" "already used"
prepared() {
	ready
	need - ovlctl create -n on --on proj
	upper=$(tree_of on)
	echo 2 | tee "$upper/f" >"$upper/new"
	ln "$upper/new" "$upper/link"
	rm -f "$upper/gone"
	mknod "$upper/gone" c 0 0
	mkdir -p "$upper/old" "$upper/d/made"
	setfattr -n trusted.overlay.opaque -v y "$upper/old"
	chmod 700 "$upper/d"
}
try "apply" "ovlctl apply on" "no such layer"
rm -rf proj
ready() { :; }
prepared() {
	need - ovlctl import -n a a.tar
	need - ovlctl import -n b -p a b.tar
	need - ovlctl create -n w b
	mkdir "$S/staging/x" "$S/trash/y"
	touch "$S/trash/y/f"
	is_overlay || ln -s ../$(printf '%064d' 7)/diff "$S/$DRV/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ"
}
try "prune" "ovlctl prune"
prepared() {
	need - ovlctl import -n a a.tar
	need - ovlctl import -n b -p a b.tar
	need - ovlctl create -n w b
	is_overlay || rm "$S"/$DRV/l/* "$S"/$DRV/*/link
	rmdir "$S/names/w/merged"
	cp "$S/names/w/$LOWER" "$S/names/a/$LOWER"
}
# During the work check reports errors; only the end counts.
repairs() { # WHAT COMMAND
	only "$1" || return
	rm -rf "$S" master
	prepared
	cp -a "$S" master
	$2 >/dev/null
	is "$1 is tried" "$?" 1
	state >want
	again
	calls_of "$calls" $2 >all
	choose
	points=0
	failed=
	while read -r n && [ ! "$failed" ]; do
		again
		killed_at $n $2 >out 2>err </dev/null
		[ $? = 1 ] && continue
		points=$((points + 1))
		$2 >out 2>err
		[ $? -le 1 ] || failed="$n: again: $(cat out err)"
		ovlctl check --content >out 2>&1 || failed="$failed $n: $(cat out)"
		need - ovlctl prune --aside
		state >got
		cmp -s got want || failed="$failed $n: state: $(diff want got)"
	done <chosen
	is "$1: killed at $points points" "$failed" ""
}
repairs "check --repair" "ovlctl check --repair"
prepared() {
	need - ovlctl import -n a a.tar
	need - ovlctl import -n b -p a b.tar
	need - ovlctl create -n w b
	: >"$S/names/w/.layer"
	: >"$S/names/b/.layer"
}
repairs "check --repair of metadata" "ovlctl check --repair"
prepared() {
	need - ovlctl import -n a a.tar
	need - ovlctl import -n b -p a b.tar
	need - ovlctl create -n w b
	d=$S/names/a/$TREE
	printf ONE >"$d/d/f"
	chmod 700 "$d/d"
	rm "$d/s" "$S/names/a/.recipe"
	mkdir "$d/s" "$d/extra"
}
repairs "check --repair --from" "ovlctl check --repair --from a.tar a"

done_testing
