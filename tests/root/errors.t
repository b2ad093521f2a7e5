#!/bin/sh
. "$(dirname "$0")/../lib.sh"
. "$top/tests/images.sh"

# overlay: when asked

# Each system call of a command that can fail does so, with each possible error. Either the
# command succeeds as if nothing had happened, or it reports in one line what failed and
# why, and the store is as before. Every ERR_STEP-th call is tried, all of them
# with ERR_STEP=1 (make check-errors); ERR_ONLY is a pattern for the commands.
inject -l points true 2>/dev/null || cannot "ptrace and seccomp"
# A sanitizer makes calls of its own, and ends the program when they fail.
if [ "${MODE-release}" != release ]; then
	echo "1..0 # SKIP it is for release builds"
	exit 0
fi
: "${ERR_STEP:=$(short && echo 499 || echo 149)}" "${ERR_ONLY:=}"
long() {
	[ "$ERR_STEP" -lt 149 ]
}
# Commands may change files below w/ only.
OVLCTL_ROOT=$T/w/store
S=$OVLCTL_ROOT
O=$T/w/out

printf '%s\n' 'dir name=d mode=2750 uid=3' 'file name=d/f data=one' 'link name=d/h link=d/f' \
	'symlink name=s link=d/f' 'fifo name=p' 'file name=x data=1' 'file name=x data=2' \
	'file name=imp/f pax.SCHILY.xattr.user.k=v' end | mktar >a.tar
printf '%s\n' 'file name=.wh.s' 'file name=d/.wh..wh..opq' 'file name=d/new data=2' end | mktar >b.tar
zstd -q b.tar
gzip -k a.tar
image_of image.tar a.tar b.tar

reason() {
	case $word:$call:$1 in
	*:mount:ENOSPC) echo 'No space left on device(, or the limit of mounts \(fs.mount-max\) is reached)?' && return ;;
	umount:umount2:EBUSY) echo '.* is in use by a process that cannot be seen from here' && return ;;
	esac
	case $1 in
	ENOSPC) echo 'No space left on device' ;;
	EDQUOT) echo 'Disk quota exceeded' ;;
	EIO) echo 'Input/output error' ;;
	EMFILE) echo "Too many open files(; raise the limit with 'ulimit -n')?" ;;
	ENFILE) echo 'Too many open files in system' ;;
	# EAGAIN also means that there is no memory for a thread.
	ENOMEM) echo '(Cannot allocate memory|out of memory|Resource temporarily unavailable)' ;;
	EACCES) echo 'Permission denied' ;;
	EINTR) echo 'Interrupted system call' ;;
	EAGAIN) echo 'Resource temporarily unavailable' ;;
	EFBIG) echo 'File too large' ;;
	EMLINK) echo 'Too many links(: .* has [0-9]+ names; .*)?' ;;
	ENOLCK) echo 'No locks available' ;;
	EBUSY) echo 'Device or resource busy' ;;
	EINVAL) echo 'Invalid argument' ;;
	esac
}

# ---- what is there ------------------------------------------------------------------

# The state of the store, of files outside of it, and of mounts; -o: without xattrs of overlayfs.
exact() {
	walk -t $marks w
	[ ! "$mounts" ] || grep -F " $S/" /proc/self/mountinfo | cut -d' ' -f5-6
}
# Without random names and times, and without hints: a surplus hint is harmless, and check
# reports a missing one.
shape() {
	sed -E 's/[A-Z2-7]{26}/LINK/g; s/[0-9a-f]{64}/ID/g; s/ (t|same)=[^ ]*//g; s/ at=[-0-9,]*//
		/(\.layer|link|lower|\.recipe) /s/ data=.*//; /\/\.on /s/ size=.*//; /\/\.(children|names|from|used)[ \/]/d; /\/\.mount\./d
		/\/work\/(work|rest)/d; s/ (trusted|user).overlay.(origin|uuid)=[0-9a-f]*//g; /store\/lock/d; /^\.\/store\/\.stamp\.new /d
		/^\.\/store\/(staging|trash|empty|names|aside) /d'"$ignored" "$1" | sort
}
# Also without leftovers that prune removes.
tidy() {
	grep -Ev '^\./store/(staging|trash)/' "$1" >"$2"
	:
}
# Is the state of $1 the same as before? A new store is allowed.
untouched() {
	cmp -s "$1" before && return
	shape "$1" >got.shape
	cmp -s got.shape before.shape || { [ ! -e master/store ] && ! grep -q ID got.shape; }
}
# Nothing new, and at least what must stay.
between() {
	tidy got.shape got.tidy
	[ ! "$(comm -23 got.tidy before.shape)" ] && [ ! "$(comm -13 got.tidy want)" ]
}
# Layers that have appeared stay, complete; all names and configs are given or none.
stays() {
	tidy got.shape got.tidy
	tidy before.shape before.tidy
	given='^./store/names/|/\.configs/'
	grep -E "$given" got.tidy >given.got
	[ ! "$(comm -13 got.tidy before.tidy)" ] && [ ! "$(comm -23 got.tidy want)" ] &&
		for as in before.tidy want; do
			grep -E "$given" $as | cmp -s - given.got && break
		done && ovlctl check --content >/dev/null
}
# Files that a user may not read do not count for the size or the use of a layer.
unread() {
	sed -E 's/^(w .*) [^ ]+$/\1 SIZE/; s/("uses":) .*/\1 USES/' "$1"
}
same_output() {
	sed -E 's/[0-9a-f]{64}/ID/g' "$1" >same.out
	cmp -s same.out want.out && return
	case "$word $error" in
	'ls EACCES' | 'show EACCES')
		unread want.out >want.read
		unread same.out | cmp -s - want.read
		;;
	*) false ;;
	esac
}

# ---- one point ----------------------------------------------------------------------

bad() {
	echo "$call $n $error ($(cut -d' ' -f4- log)): $*" | head -${ERR_LINES:-8} >>failures
}

# A commit is done or not; if it is done, it says so, and the next command does the rest.
committed() {
	grep -q "^ovlctl: commit: .*layer '.*' is committed" got.err
}
finished() {
	ovlctl ls >/dev/null && ovlctl prune >/dev/null
}

# If one of these fails while a command cleans up, a leftover remains for prune.
cleaning() {
	case $call in unlinkat | openat | openat2 | newfstatat | getdents64 | brk | mmap) ;; *) false ;; esac
}

succeeded() {
	on=$((on + 1))
	# In a list of all, a layer that cannot be read is a warning, and so is a detail that
	# cannot be read.
	case "$word $error" in
	'ls EIO' | 'show EIO' | 'ls EACCES')
		! grep -Eq 'not (listed: Permission denied|(listed|known): Input/output error(;.*)?)$' got.err || return 0
		;;
	'du '*)
		! grep -Eq "not (counted|listed): (Permission denied|Input/output error)" got.err || return 0
		;;
	esac
	# A file of another program's store that cannot be read is a warning of ls. If its
	# layers and ours cannot be reached through one mount, files are copied, with a warning.
	case $word in
	ls) ! grep -Eq "warning: (cannot read '.*': $(reason $error)|1 layer is damaged and not listed); see 'ovlctl check'\$" got.err || return 0 ;;
	import) sed -i '/warning: .* files are copied$/d; /warning: .* copied, not linked: /d' got.err ;;
	esac
	# On a full file system an image layer is mounted nevertheless.
	case "$word $call $error" in
	'mount mkdirat ENOSPC' | 'mount mkdirat EDQUOT' | 'mount openat ENOSPC' | 'mount openat EDQUOT')
		sed -i '/warning: .*: the mount cannot be recorded/d' got.err
		;;
	esac
	if committed; then
		finished
	elif [ "$half" ]; then
		finished
		[ ! -s got.err ] || bad "succeeds, but says $(cat got.err)"
	elif [ -s got.err ]; then
		bad "succeeds, but says $(cat got.err)"
	fi
	exact >got
	shape got >got.shape
	# An unknown type of file system counts as one that needs the sync.
	[ "$word $call" != 'mount fstatfs' ] || sed -i '/\/\.synced /d' got.shape
	# The mount does not need the work directory of the one before.
	[ "$word" != mount ] || ! grep -q work/unmounted log || sed -i '/\/work\/unmounted[ \/]/d' got.shape
	# If umount cannot find out whether the layer is mounted elsewhere, the work directory
	# keeps its name.
	if [ "$word" = umount ]; then
		grep -v '/work/unmounted ' got.shape >got.tidy
		grep '/work/unmounted ' want | sort - got.tidy >got.shape
	fi
	if cmp -s got.shape want; then
		[ "$half" ] || same_output got.out || bad "succeeds, but prints $(cat got.out)"
	else
		tidy got.shape got.tidy
		cleaning && cmp -s got.tidy want || bad "succeeds, but: $(diff want got.shape)"
	fi
}

# The findings of a check are on standard output.
reported() {
	[ $word = check ] && [ $status != 8 ] && [ ! -s got.err ] && grep -Eq "$(reason $error)\$" got.out
}

failed() {
	case $status in
	1 | 4) ;;
	125) [ "$word" = run ] || bad "status $status" ;;
	8) [ "$word" = check ] || bad "status $status" ;;
	*) bad "status $status: $(cat got.err)" ;;
	esac
	if ! reported; then
		[ "$(wc -l <got.err)" = 1 ] || bad "lines: $(cat got.out got.err)"
		grep -Eq "^ovlctl: $word: (.*: )?$(reason $error)\$" got.err || bad "says: $(cat got.err)"
	fi
	exact >got
	done=''
	if untouched got; then
		clean=$((clean + 1))
	elif cmp -s got.shape want; then
		whole=$((whole + 1))
		done=yes
	elif [ "$part" ] && $part; then
		partly=$((partly + 1))
	else
		bad "leaves: $(diff before.shape got.shape) after $(cat got.err)"
	fi
	if [ -e "$S/stamp" ]; then
		ovlctl check >chk 2>&1 || bad "check: $(cat chk)"
		[ ! -s chk ] || [ "$part" ] || bad "check: $(cat chk)"
	fi
	[ ! "$done" ] || [ ! "$once" ] || return
	"$@" >got.out 2>got.err || grep -Eq "$again" got.err || bad "again: $(cat got.err)"
	[ ! "$part" ] || ovlctl prune >/dev/null
	exact >got
	shape got >got.shape
	cmp -s got.shape want || bad "again: $(diff want got.shape)"
}

# "ready" prepares what is not in a copy of the store, "undone" undoes that.
ready() { :; }
undone() { :; }
restore() {
	undone
	rm -rf w
	cp -a master w
	ready
}

point() {
	restore
	inject -e log $call "$n" $error "$@" >got.out 2>got.err
	status=$?
	points=$((points + 1))
	if [ $status = 0 ]; then
		succeeded
	else
		failed "$@"
	fi
}

# "part": the message if not everything is undone, and a second run must
# finish it; "again": the message of a second run of a command that was done; "once": do
# not run it again.
ignored='' part='' again='^$' once='' half='' marks='' mounts='' phase=0
try() { # WHAT COMMAND...
	what=$1
	shift
	case $what in *$ERR_ONLY*) ;; *) return ;; esac
	word=$2
	restore
	exact >before
	shape before >before.shape
	inject -l points "$@" >got.out 2>got.err || report 1 "$what: $(cat got.err)"
	sed -E 's/[0-9a-f]{64}/ID/g' got.out >want.out
	[ ! "$half" ] || finished
	exact >got
	shape got >want
	: >failures
	points=0 on=0 clean=0 whole=0 partly=0
	phase=$(((phase + 7) % ERR_STEP))
	awk -v s="$ERR_STEP" -v p=$phase 'NR % s == p' points >tried
	while read -r call n error; do
		point "$@" <&3
	done 3<&0 <tried
	undone
	[ ! "${ERR_SHOW-}" ] || cat failures >&2
	is "$what: $points of $(wc -l <points) points: $clean undone, $whole done, $partly in part, $on unharmed" \
		"$(cat failures)" ""
}

# ---- the commands -------------------------------------------------------------------

mkdir -p master/out
part=stays
try "import of the first layer" ovlctl import -n a a.tar
try "import of the first image" ovlctl import image.tar
restore
need - ovlctl import -n a a.tar
cp -a w/store master
try "import of a second layer" ovlctl import -n b -p a b.tar.zst
try "import of a layer that is there" ovlctl import -n a2 a.tar.gz
try "import of an image" ovlctl import image.tar
part=''
once=yes
try "create" ovlctl create a
once=''
again=already
try "create -n" ovlctl create -n w a
again='^$'
try "tag" ovlctl tag a other

# Another program's store, which nothing changes, alone and together with ours.
printf '%s\n' 'dir name=d mode=2750 uid=3' 'file name=d/f data=one' 'link name=d/h link=d/f' \
	'symlink name=s link=d/f' 'file name=x data=1 pax.SCHILY.xattr.user.k=v' end | mktar >1.tar
printf '%s\n' 'file name=.wh.s' 'file name=d/new data=2' end | mktar >2.tar
config "$machine" A=1 1.tar 2.tar >app.json
! as_user || export AS=user
for e in docker containers containerd; do
	need - python3 "$top/tests/foreign.py" $e master/$e app.json app:1 1.tar 2.tar
done
part=stays
for e in docker containers containerd; do
	try "import --from a store of $e" ovlctl import --from "$T/w/$e" app:1
done
part=''
for e in docker containers containerd; do
	OVLCTL_ROOT=$T/w/$e
	try "ls of a store of $e" ovlctl ls -o NAME,KIND,DEPTH,SIZE
	try "diff --tar in a store of $e" ovlctl diff --tar app:1
	try "check of a store of $e" ovlctl check
done
OVLCTL_ROOT=$S
rm -r master/docker master/containers master/containerd

restore
need - ovlctl import -n b -p a b.tar
need w ovlctl create -n w b
need m ovlctl mount w
echo new >"$m/new"
rm "$m/x"
mkdir "$m/made"
setfattr -n user.k -v v "$m/made"
echo 2 >>"$m/d/new"
ovlctl umount w
cp -a w/store master
try "tag --force" ovlctl tag --force a b
again="no such name"
try "tag -d" ovlctl tag -d b
# The layer is committed, but the sync has failed.
unsynced() {
	committed && finished && exact >got && shape got >got.shape && cmp -s got.shape want
}
# Files that ended mounts have left in the layer do not matter either.
ignored='; /\/\.image-layer /d; /\/\.image /d; /\/work\//d'
part=unsynced again="no such layer|is an image layer"
try "commit" ovlctl commit -n i "$w"
# With --keep the second run is another commit, of the layer that is empty now.
again="$again|is already used by layer"
try "commit --keep" ovlctl commit --keep -n i "$w"
# Or it has failed between its two renames, and the image layer exists without a name.
apart() {
	unsynced || {
		[ "$(ovlctl ls -nr -o KIND,NAME "$w")$(ovlctl ls i 2>&1)" = \
			"writable wovlctl: ls: no such layer 'i'" ] && ovlctl check --content >/dev/null
	}
}
# A killed commit, which the next command finishes. If that fails, another one does.
halved() { # COMMIT-ARGUMENTS
	restore
	traced -qq -o .calls -P "$S/$DRV" -e inject=fsync:signal=KILL ovlctl commit "$@" >.out 2>&1
	rm -r master/store
	cp -a w/store master
	finished
	exact >got
	shape got >want.half
}
halfway() {
	finished && exact >got && shape got >got.shape &&
		{ cmp -s got.shape want || cmp -s got.shape want.half; }
}
# The other forms of a commit.
if long; then
	once=yes
	try "commit --keep without a name" ovlctl commit --keep "$w"
	once=''
	again="no such layer|is an image layer"
	try "commit without a name" ovlctl commit "$w"
	SOURCE_DATE_EPOCH=1500000000
	export SOURCE_DATE_EPOCH
	part=apart
	try "commit of a tree that is unpacked" ovlctl commit -n i "$w"
	part=unsynced
	unset SOURCE_DATE_EPOCH
	restore
	need v ovlctl create b
	cp -a "$S/$DRV/$w/$UPPER/." "$S/$DRV/$v/$UPPER"
	need - ovlctl commit "$v"
	mv master/store master/alone
	cp -a w/store master
	try "commit of what is there" ovlctl commit -n i "$w"
	again="$again|is already used by layer"
	try "commit --keep of what is there" ovlctl commit --keep -n i "$w"
	restore
	need base ovlctl create -n base
	echo new >"$S/$DRV/$base/$UPPER/new"
	rm -r master/store
	cp -a w/store master
	again="no such layer|is an image layer"
	try "commit of a bottom layer" ovlctl commit -n i "$base"
	again="$again|is already used by layer"
	try "commit --keep of a bottom layer" ovlctl commit --keep -n i "$base"
	rm -r master/store
	mv master/alone master/store

	if can_trace; then
		cp -a master/store master/alone
		part=halfway half=yes again=already
		for keep in '' --keep; do
			halved $keep -n i "$w"
			try "ls after commit $keep" ovlctl ls -nr -o NAME,KIND
			try "show after commit $keep" ovlctl show w
			try "check after commit $keep" ovlctl check
			try "tag after commit $keep" ovlctl tag w other
			try "create after commit $keep" ovlctl create -n y i
			try "prune after commit $keep" ovlctl prune
			rm -r master/store
			cp -a master/alone master/store
		done
		rm -r master/alone
		half=''
	fi
fi
marks='' ignored=''
part=between
again="no such layer"
try "rm" ovlctl rm w
try "rm -r" ovlctl rm -r a
part=''
again='^$'
try "diff -o" ovlctl diff -o "$O/o.tar" b
try "diff -o, of a writable layer" ovlctl diff -o "$O/o.tar.gz" w
again="already exists and is not empty"
try "export to a directory" ovlctl export b "$O/dir"
again='^$'
try "export to a file" ovlctl export --format docker w "$O/i.tar.zst"
echo old >master/out/i.tar
try "export over a file" ovlctl export --format tar b "$O/i.tar"
rm master/out/i.tar
try "export to standard output" ovlctl export b -
try "diff --tar" ovlctl diff --tar w
try "ls" ovlctl ls -o NAME,KIND,DEPTH,SIZE
try "show" ovlctl show b
try "du" ovlctl du -J --files 3 w
try "diff" ovlctl diff w
try "diff -J" ovlctl diff -J w
try "diff of two" ovlctl diff w a
try "which" ovlctl which w new d/new imp/f
try "which -a" ovlctl which -a w / d/new imp/f
try "which -J" ovlctl which -aJ w d/new imp/f
try "check --content" ovlctl check --content
undone() { ovlctl umount -a 2>/dev/null; }
again="already mounted|is taken" mounts=yes
try "mount" ovlctl mount w
try "mount -r" ovlctl mount -r b
again="not mounted"
ready() { ovlctl mount w >/dev/null; }
try "umount" ovlctl umount w
ready() { :; }
undone() { :; }
again='^$' mounts=''

# The layers have no programs, so those of the host are used.
host=
for d in /bin /lib /lib64 /usr; do
	[ ! -d $d ] || host="$host --bind $d"
done
try "run" ovlctl run $host b true
ignored='; /\/work\//d'
try "run in a writable layer" ovlctl run $host w true
ignored=''
# If the layer has appeared, but the sync failed, it stays without a name, and its id is
# printed.
kept() {
	stays && ovlctl rm "$(cat got.out)"
}
again="already used" part=kept
try "run -n" ovlctl run $host -n k b true
try "run -n --tmpfs" ovlctl run $host --tmpfs=1m -n k b true
part=''
mkdir -p master/out/proj/old/d
echo 1 >master/out/proj/f
echo 1 >master/out/proj/old/f
restore
need - ovlctl create -n on --on "$O/proj"
cp -a w/store master
# The directory is copied each time.
ready() {
	sed -i "s/^inode .*/inode $(stat -c %i w/out/proj)/; s/^born .*/born 0.0/
		s/^since .*/since 9999999999.0/" w/store/names/on/.on
}
again='^$'
try "run --on" ovlctl run --on "$O/proj" touch "$O/proj/f"
again="already used" part=kept
try "run -n --on" ovlctl run -n k --on "$O/proj" touch "$O/proj/f"
part=''
restore
m=$(tree_of on)
echo 2 >"$m/f"
echo 2 >"$m/new"
ln "$m/new" "$m/link"
mkdir -p "$m/old" "$m/made/d"
setfattr -n "$(as_user && echo user || echo trusted).overlay.opaque" -v y "$m/old"
cp -a w/store master
again="no such layer" part=true
try "apply" ovlctl apply on
again='^$' part=''
try "apply --dry-run" ovlctl apply --dry-run on
ready() { :; }
rm -r master/out/proj

restore
need - ovlctl rm -f on 2>/dev/null
mkdir "$S/staging/x" "$S/trash/y"
touch "$S/trash/y/f"
is_overlay || ln -s ../"$(printf '%064d' 7)"/diff "$S/overlay2/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ"
cp -a w/store master
part=between
try "prune" ovlctl prune
restore
need - ovlctl prune
for name in $(ovlctl ls -nr -o NAME | tr , ' '); do
	need - ovlctl tag -d $name
done
cp -a w/store master
try "prune --layers" ovlctl prune --layers --writable --unused-for 0
# A repair that takes several steps, and states that it must not take for damage.
restore
need - ovlctl prune
link=$(is_overlay || cat "$S/names/b/link")
is_overlay || rm "$S/overlay2/l/$link" "$S/names/b/link"
: >"$S/names/w/.layer"
rm -rf master/store
cp -a w/store master
mended() {
	ovlctl check >chk
	[ $? -le 4 ] && ! grep -q aside chk
}
part=mended
what="check --repair" word=check
case $what in *$ERR_ONLY*)
	restore
	exact >before
	shape before >before.shape
	inject -l points ovlctl check --repair >/dev/null
	is "$what is tried" $? 1
	exact >got
	shape got >want
	: >failures
	points=0
	awk -v s="$ERR_STEP" 'NR % s == 0' points >tried
	while read -r call n error; do
		restore
		inject -e log $call "$n" $error ovlctl check --repair >got.out 2>got.err
		status=$?
		points=$((points + 1))
		[ $status -lt 16 ] || bad "status $status"
		! grep -q aside got.out || bad "takes it for damage: $(cat got.out got.err)"
		[ $status = 1 ] || grep -Eq "$(reason $error)" got.out got.err || bad "says: $(cat got.out got.err)"
		ovlctl check --repair >got.out 2>got.err
		[ $? -le 1 ] || bad "again: $(cat got.out got.err)"
		ovlctl check >got.out 2>&1 || bad "after: $(cat got.out)"
		exact >got
		shape got >got.shape
		cmp -s got.shape want || bad "again: $(diff want got.shape)"
	done <tried
	[ ! "${ERR_SHOW-}" ] || cat failures >&2
	is "$what: $points of $(wc -l <points) points" "$(cat failures)" ""
	;;
esac

# ---- short reads and writes ---------------------------------------------------------

# Short reads and writes must not change the result.
seq 2000 >lines
head -c 30000 /dev/urandom >>lines
tar -cf c.tar lines a.tar b.tar
gzip -k c.tar
xz -k c.tar
run_all() { # RUNNER...
	rm -rf w d.*
	mkdir w
	for file in c.tar c.tar.gz c.tar.xz a.tar b.tar.zst; do
		"$@" ovlctl import $file || return
	done >ids
	"$@" ovlctl import image.tar >>ids &&
		"$@" ovlctl create -n work image:1 >/dev/null || return
	cp lines "$S/names/work/diff"
	"$@" ovlctl diff --tar work >d.tar &&
		"$@" ovlctl diff -o d.xz work &&
		"$@" ovlctl export --compress zstd work image:1 d.dir &&
		"$@" ovlctl export --format docker work d.docker.tar.gz &&
		"$@" ovlctl ls -o NAME,KIND,DIFFID,SIZE >listed &&
		"$@" ovlctl check --content >chk &&
		"$@" ovlctl diff -J work >list &&
		"$@" ovlctl commit work >>ids || return
	ovlctl check --content >>chk && cat chk ids list && sort listed &&
		find d.* -type f | sort | xargs cksum
}
touch -d @1000000000 lines a.tar b.tar
SOURCE_DATE_EPOCH=1500000000
export SOURCE_DATE_EPOCH
what="short transfers"
case $what in *$ERR_ONLY*)
	ok "all of it" run_all
	mv .out want
	for most in 0 1 37 4096; do
		if [ $most = 1 ] && [ "$ERR_STEP" != 1 ]; then
			continue
		fi
		ok "transfers of at most $most bytes (0: half)" run_all inject -s $most
		same "... come to the same" .out want
	done
	;;
esac

done_testing
