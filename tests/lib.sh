# Sourced by each test: TAP, a scratch directory, the program. tests/README has more.
#
#   T		scratch directory, removed at the end; on a tmpfs, unless the test has
#		the comment "# on a disk" or OVLCTL_TEST_DISK=1 is set
#   OVLCTL_ROOT	a store in it, which does not exist yet
#   ovlctl, mktar, walk, edits	are in PATH
#
# The default stores of the machine and of the user cannot be reached.
#
# Set-up. If one of these fails, the test fails and ends:
#   need VAR COMMAND...		the command succeeds; VAR gets its output ("-": not kept)
#   until_true COMMAND...	waits until the command succeeds, at most half a minute
#				(such as "written FILE", "found PATTERN", "locked FILE",
#				"spools PID")
#   in_namespace VAR COMMAND...	runs the command in a mount namespace of its own, which
#				lasts until "end $VAR"
#   stay_in VAR DIRECTORY	a process has its working directory there, until "end $VAR"
#   fill_up DIRECTORY		fills its file system with files in it
#   noise BYTES		writes data that cannot be compressed
#
# Assertions:
#   ok WHAT COMMAND...		the command succeeds
#   soon WHAT COMMAND...	the command succeeds within half a minute
#   no WHAT COMMAND...		the command fails (for test(1), grep and the like)
#   is WHAT GOT WANTED		two texts are the same
#   same WHAT FILE FILE		two files are the same
#   like WHAT PATTERN TEXT	a text matches an extended regular expression
#   fails STATUS PATTERN WHAT COMMAND...
#				the command refuses: it has this exit status and prints
#				one line on standard error, which matches the pattern
#   done_testing		the last line of each test
#
#   have_mount_helper		mount(8) finds /sbin/mount.ovlctl, until the test ends
#
# How the test runs:
#   as_user			true as root of a user namespace
#   is_overlay			true with the driver overlay; the runner chooses the driver,
#				which is the default for new layers
#   short			true for the short form of a long test
#   cannot WHY			ends the test, because it cannot run here
#
# Files of layers: the tree is $OVLCTL_ROOT/$DRV/<id>/$TREE for an image layer and .../$UPPER
# for a writable one; .../$LOWER has the lowers of a writable layer. ls(1) of the directory
# prints $LS_BOTTOM, $LS_IMAGE or $LS_WRITABLE. "lower_of LAYER" is its name in mount options.

set -u
umask 022
unset SOURCE_DATE_EPOCH OVLCTL_DRIVER XDG_DATA_HOME 2>/dev/null
DRV=${OVLCTL_TEST_DRIVER-overlay2}
case $DRV in
overlay)
	TREE=root UPPER=upper LOWER=lower-id
	LS_BOTTOM=root LS_IMAGE=root LS_WRITABLE='lower-id merged upper work'
	export OVLCTL_DRIVER=overlay
	;;
*)
	TREE=diff UPPER=diff LOWER=lower
	LS_BOTTOM='diff link' LS_IMAGE='diff link lower merged work' LS_WRITABLE=$LS_IMAGE
	;;
esac
export DRV TREE UPPER LOWER LS_BOTTOM LS_IMAGE LS_WRITABLE
# With LC_ALL each of the thousands of processes would open a file for every category.
unset LC_ALL
export LANG=C LC_CTYPE=C.UTF-8 TZ=UTC NO_COLOR=1

_dir=${0%/*}
[ "$_dir" != "$0" ] || _dir=.
top=$(cd "$_dir/../.." && pwd)
: "${MODE:=release}"
PATH=$top/build/$MODE:$top/build/tool:$PATH
export PATH ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS="halt_on_error=1 exitcode=99"
if [ "${OVLCTL_TEST_PROFILES-}" ]; then
	# Root of a user namespace cannot write what root made.
	export LLVM_PROFILE_FILE="$OVLCTL_TEST_PROFILES/${OVLCTL_TEST_AS-root}-%4m.profraw"
fi

# True if the scratch directory must be in TMPDIR.
on_disk() {
	[ "${OVLCTL_TEST_DISK-}" = 1 ] || grep -q '^# on a disk' "$0"
}

# Most of the time goes into creating files, so the scratch directory is in memory if there is
# enough of it and tmpfs has user xattrs (since Linux 6.6).
put_in_memory() { # DIRECTORY
	while read -r _what _kib _; do
		[ "$_what" != MemAvailable: ] || break
	done </proc/meminfo
	[ "$_kib" -ge 2000000 ] && mount -t tmpfs -o mode=755 ovlctl-test "$1" 2>/dev/null || return 0
	: >"$1/x"
	setfattr -n user.x -v 1 "$1/x" 2>/dev/null && rm "$1/x" || umount "$1"
}

# The test runs itself again in several stages: with default signals and a time limit; in a
# mount namespace; and, if the runner says so, as root of a user namespace.
again() { # STAGE COMMAND...
	OVLCTL_TEST_STAGE=$1
	export OVLCTL_TEST_STAGE
	shift
	"$@"
}
case ${OVLCTL_TEST_STAGE-} in
'')
	[ "$MODE" = release ] && limit=600 || limit=1800
	again bounded exec "$top/build/tool/bounded" "${OVLCTL_TEST_LIMIT-$limit}" \
		"${OVLCTL_TEST_NAME-$(basename "$0" .t)}" sh "$0" "$@"
	;;
bounded)
	stage=namespace
	if ! unshare -m true 2>/dev/null; then
		case $(dirname "$0") in
		*/cli) stage=alone ;;
		*)
			if [ "${OVLCTL_MUST_MOUNT-}" = 1 ]; then
				echo "not ok 1 - cannot run here: no mount namespace, or not root"
				echo "1..1"
				exit 1
			fi
			echo "1..0 # SKIP no mount namespace, or not root"
			exit 0
			;;
		esac
	fi
	# However it ends, the scratch directory is removed.
	trap : HUP INT TERM
	OVLCTL_TEST_DIR=$(mktemp -d) || exit 1
	export OVLCTL_TEST_DIR
	chmod 755 "$OVLCTL_TEST_DIR"
	if [ $stage = namespace ]; then
		again namespace unshare -m --propagation private sh "$0" "$@"
	else
		again alone sh "$0" "$@"
	fi
	status=$?
	rm -rf "$OVLCTL_TEST_DIR" 2>/dev/null || {
		chmod -R u+rwx "$OVLCTL_TEST_DIR" 2>/dev/null
		rm -rf "$OVLCTL_TEST_DIR"
	}
	exit $status
	;;
esac
T=$OVLCTL_TEST_DIR/t
HOME=$OVLCTL_TEST_DIR/home
export HOME OVLCTL_ROOT="$T/store"
case $OVLCTL_TEST_STAGE in
namespace)
	# Hides the machine's own store.
	[ ! -d /var/lib/ovlctl ] || mount -t tmpfs ovlctl-test /var/lib/ovlctl || exit 1
	on_disk || put_in_memory "$OVLCTL_TEST_DIR"
	mkdir -m 700 "$T" "$HOME" || exit 1
	if [ "${OVLCTL_TEST_AS-root}" = user ]; then
		# Root of the namespace may not be able to reach the sources (in /root,
		# for example), so they are bound read-only into the scratch directory.
		chown 100000:100000 "$T" "$HOME"
		mkdir "$OVLCTL_TEST_DIR/src" && mount --bind "$top" "$OVLCTL_TEST_DIR/src" &&
			mount -o remount,bind,ro "$OVLCTL_TEST_DIR/src" || exit 1
		again inside exec "$top/build/tool/userns" 100000 65536 \
			sh "$OVLCTL_TEST_DIR/src/tests/root/$(basename "$0")"
	fi
	;;
alone) mkdir -m 700 "$T" "$HOME" || exit 1 ;;
esac
cd "$T" || exit 1

_n=0
_bad=0

report() {
	_n=$((_n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $_n - $2"
	else
		_bad=$((_bad + 1))
		echo "not ok $_n - $2"
	fi
	[ "$1" = 0 ]
}

# Shows a file as a diagnostic.
diag() {
	sed 's/^/# /' "$@" >&2
}

ok() {
	what=$1
	shift
	"$@" >"$T/.out" 2>"$T/.err"
	status=$?
	report $status "$what" || {
		echo "# exit $status: $*" >&2
		diag "$T/.err"
	}
}

no() {
	what=$1
	shift
	"$@" >"$T/.out" 2>"$T/.err"
	status=$?
	[ $status -ne 0 ] && [ $status -lt 128 ]
	report $? "$what" || echo "# exit $status: $*" >&2
}

is() {
	[ "$2" = "$3" ]
	report $? "$1" || {
		printf '%s\n' "$2" >"$T/.got"
		printf '%s\n' "$3" >"$T/.wanted"
		diff -u "$T/.wanted" "$T/.got" | head -20 | diag
	}
}

same() {
	cmp -s "$2" "$3"
	report $? "$1" || diff "$2" "$3" | head -20 | diag
}

# Data that cannot be compressed. The first bytes are not left to chance: those of a member
# of an image would let import read on before it makes a layer.
noise() { # BYTES
	echo noise
	head -c "$1" /dev/urandom
}

# Most patterns are plain text, for which no grep(1) needs to be started.
matches() { # PATTERN TEXT
	case $1 in
	*[]\[\\^\$*+?{}\(\)\|]*) ;;
	*) case $2 in *"$1"*) return 0 ;; esac ;;
	esac
	grep -aEq -- "$1" <<END
$2
END
}

like() {
	matches "$2" "$3"
	report $? "$1" || {
		echo "# got: $3" >&2
		echo "# wanted: $2" >&2
	}
}

# jq(1) takes 30 ms to start, and is started a thousand times; gojq(1) has the same language
# and is faster. But it sorts the members of an object: use "command jq" if their order counts.
if command -v gojq >/dev/null; then
	jq() {
		gojq "$@"
	}
fi

# A version manager may have put a script named python3 into PATH, which takes 100 ms to find
# the real one.
if [ -x /usr/bin/python3 ]; then
	python3() {
		/usr/bin/python3 "$@"
	}
fi

# Reads a file of exactly one line into $_line.
one_line() { # FILE
	{ IFS= read -r _line && ! IFS= read -r _more && [ ! "$_more" ]; } <"$1"
}

fails() {
	want=$1
	pattern=$2
	what=$3
	shift 3
	"$@" >"$T/.out" 2>"$T/.err"
	status=$?
	[ $status = "$want" ] && one_line "$T/.err" && [ ! -s "$T/.out" ] &&
		case $_line in
		'ovlctl: '*) matches "$pattern" "${_line#ovlctl: }" ;;
		*) false ;;
		esac
	report $? "$what" || {
		echo "# exit $status (wanted $want): $*" >&2
		echo "# wanted: $pattern" >&2
		diag "$T/.err"
		head -5 "$T/.out" | diag
	}
}

# Ends the test, because its set-up has failed.
stop() { # WHAT
	: >"$T/.stopped"
	report 1 "set-up: $1"
	diag "$T/.need"
	echo "1..$_n"
	exit 1
}

need() { # VAR COMMAND...
	_var=$1
	shift
	_out=$("$@" 2>"$T/.need") || stop "$*"
	[ ! -s "$T/.need" ] || cat "$T/.need" >&2
	[ "$_var" = - ] || eval "$_var=\$_out"
}

tried() { # COMMAND...
	_i=0
	until "$@" >/dev/null 2>"$T/.need"; do
		_i=$((_i + 1))
		[ $_i -lt 1500 ] || return 1
		sleep 0.02
	done
}

until_true() {
	tried "$@" || stop "waited in vain for: $*"
}

soon() {
	_what=$1
	shift
	tried "$@"
	report $? "$_what" || {
		echo "# never: $*" >&2
		diag "$T/.need"
	}
}

# For until_true: does the file exist, and is it not empty? Does any file match the pattern?
written() {
	[ -s "$1" ]
}

found() { # PATTERN
	set -- $1
	[ -e "$1" ]
}

# Is the file or directory locked? Taking the lock to find out could make another process fail.
locked() {
	_at=$(stat -c '%Hd %Ld %i' "$1") || return
	grep -q " $(printf '%02x:%02x:%s' $_at) 0 EOF" /proc/locks && return
	# On these, stat(2) reports another device than /proc/locks.
	case $(stat -f -c %T "$1") in
	btrfs | overlay*) grep -q ":${_at##* } 0 EOF" /proc/locks ;;
	*) false ;;
	esac
}

# Does the process have an open file without a name in staging/, into which it spools input?
spools() { # PID
	ls -l "/proc/$1/fd" | grep -q '/staging/#.*deleted'
}

# The file system frees blocks with a delay, so something may fit in again: several rounds.
fill_up() { # DIRECTORY
	for _i in $(seq 50); do
		cat /dev/zero >"$1/zeros$_i" 2>/dev/null
		sync -f "$1"
		_k=0
		while mkdir "$1/dir$_i.$_k" 2>/dev/null; do
			_k=$((_k + 1))
		done
		sync -f "$1"
		[ $_k -gt 0 ] || return 0
	done
	stop "cannot fill $1"
}

in_namespace() { # VAR COMMAND...
	_var=$1
	shift
	rm -f "$T/.up"
	unshare -m --propagation private sh -c \
		'up=$1 && shift && "$@" && echo up >"$up" && exec sleep 300' - "$T/.up" "$@" >/dev/null &
	eval "$_var=$!"
	until_true written "$T/.up"
}

works_in() { # PID DIRECTORY
	[ "$(readlink "/proc/$1/cwd")" = "$(cd "$2" && pwd -P)" ] && grep -qx sleep "/proc/$1/comm"
}

stay_in() { # VAR DIRECTORY
	(cd "$2" && exec sleep 300) &
	eval "$1=$!"
	until_true works_in $! "$2"
}

end() { # PID
	kill "$1"
	wait "$1" 2>/dev/null
}

have_mount_helper() {
	mkdir "$T/sbin"
	ln -s "$(command -v ovlctl)" "$T/sbin/mount.ovlctl"
	need - mount -t overlay -o "lowerdir=$T/sbin:$(readlink -f /sbin)" none /sbin
	# mount(8) must not record these mounts in the machine's /run/mount.
	[ ! -d /run/mount ] || need - mount -t tmpfs none /run/mount
}

# The leak checker does not work under strace.
traced() {
	ASAN_OPTIONS=detect_leaks=0 strace -f "$@"
}

# Prints the system calls of a command in their order, each as "CALL N": the Nth CALL of a
# process, which is how strace counts the calls to inject something into.
calls_of() { # CALLS COMMAND...
	calls=$1
	shift
	traced -qq -o "$T/.calls" -e trace="$calls" "$@" >/dev/null 2>&1
	# strace also prints calls that it does not know, which were not asked for.
	sed -n '/^[0-9]* *syscall_/d; s/^\([0-9]*\) *\([a-z0-9_]*\)(.*/\1 \2/p' "$T/.calls" |
		awk '{ point = $2 " " ++n[$1, $2] } !seen[point]++ { print point }'
}

# Kills a command before one of the calls that calls_of has printed.
killed_at() { # CALL N COMMAND...
	point="$1:signal=KILL:when=$2" call=$1
	shift 2
	traced -qq -o /dev/null -e trace="$call" -e inject="$point" "$@"
}

# Has strace stopped the command (inject=CALL:signal=STOP)?
has_stopped() { # OUTPUT-OF-STRACE
	grep -q 'stopped by SIGSTOP' "$1"
}

# Prints the id of the process that strace has stopped.
stopped() { # OUTPUT-OF-STRACE
	_thread=$(awk '/stopped by SIGSTOP/ { print $1; exit }' "$1")
	sed -n 's/^Tgid:[[:space:]]*//p' "/proc/$_thread/status"
}

# Lets a command that strace has stopped go on to its end. Each of its threads may stop.
is_over() { # PID: if not, it goes on
	! kill -CONT "$1" 2>/dev/null
}
go_on() { # OUTPUT-OF-STRACE
	need _pid stopped "$1"
	until_true is_over "$_pid"
}

# Can strace be used? Not by root of the user namespace.
can_trace() {
	! as_user && strace -V >/dev/null 2>&1
}

as_user() {
	[ "${OVLCTL_TEST_AS-root}" = user ]
}

is_overlay() {
	[ "$DRV" = overlay ]
}

# The layer as a lower in mount options, from the driver's directory.
lower_of() {
	if is_overlay; then
		echo "$(ovlctl ls -nr -o ID "$1")/root"
	else
		echo "l/$(ovlctl ls -nr -o LINK "$1")"
	fi
}

short() {
	[ "${OVLCTL_TEST_SHORT-}" != 0 ] && {
		is_overlay || as_user || [ "${MODE-release}" != release ] ||
			[ "${OVLCTL_TEST_DISK-}" = 1 ]
	}
}

# Prints everything in a store, to compare it with a later state: paths, types and sizes, but
# not the times of directories, which temporary files in staging/ change, nor when a layer
# was last used.
store_state() {
	[ -e "$OVLCTL_ROOT" ] || return 0
	(cd "$OVLCTL_ROOT" && find . \( -type d -printf '%p d %m %U:%G\n' \) -o \
		-printf '%p %y %m %U:%G %s %l\n' | grep -av '/\.used f ' | sort)
}

# Makes a docker archive $1 of the layer tars $2..., in the working directory.
image_of() {
	image=$1
	shift
	mkdir image
	cp "$@" image
	sha256sum "$@" | cut -d' ' -f1 >image/ids
	printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[%s]}}' \
		"$(sed 's/.*/"sha256:&"/' image/ids | paste -sd,)" >image/c.json
	printf '[{"Config":"c.json","RepoTags":["image:1"],"Layers":[%s]}]' \
		"$(printf '"%s"\n' "$@" | paste -sd,)" >image/manifest.json
	rm image/ids
	tar -C image -cf "$image" .
	rm -r image
}

# Makes files outside the store which a hostile archive would want to change.
canaries() {
	mkdir -p outside/dir above/store
	OVLCTL_ROOT=$T/above/store
	echo precious >outside/file
	echo precious >outside/dir/file
	echo precious >above/file
	ln -s file outside/link
	mkfifo outside/fifo
	chmod 640 outside/file
	# A copy that nobody else on the machine changes.
	cp /etc/passwd passwd
	need - mount --bind passwd /etc/passwd
	printf 'file name=first data=1\nend\n' | mktar >first.tar
	need - ovlctl import first.tar
	# Memory is limited in the release build only.
	memory=40000
	[ "$MODE" = release ] || memory=0
}

# Reports the results of hostile(1).
hostile_runs() {
	hostile -m $memory -g outside -g above/file -g /etc/passwd "$@" >.hostile
	status=$?
	while IFS= read -r line; do
		case $line in
		ok\ *) report 0 "${line#ok }" ;;
		*) report 1 "${line#bad }" ;;
		esac
	done <.hostile
	[ $status = 0 ] || report 1 "hostile $1: exit $status"
}

# The same, with cases from standard input.
table() {
	hostile_runs table
}

# Makes a tar from lines for mktar(1) on standard input.
tar_of() {
	mktar >"$1"
}

# Are these the changes of the same layer as a writable and as an image layer? With the driver
# overlay the latter come from a comparison with the parent, which does not show files that
# were written without being changed.
same_list() { # WRITABLE IMAGE
	if is_overlay; then
		[ "$(grep -v '^C' "$1")" = "$(grep -v '^C' "$2")" ] &&
			! grep '^C' "$2" | grep -Fxqvf "$1"
	else
		cmp -s "$1" "$2"
	fi
}

# The tree of a layer.
tree_of() {
	ovlctl ls -nr -o KIND,PATH "$1" | sed "s,^image \\(.*\\),\\1/$TREE,; s,^writable \\(.*\\),\\1/$UPPER,"
}

# Ends a test that cannot run here. In CI that is a failure.
cannot() {
	if [ "${OVLCTL_MUST_MOUNT-}" = 1 ]; then
		report 1 "cannot run here: $1"
		done_testing
		exit 1
	fi
	echo "1..0 # SKIP $1"
	exit 0
}

done_testing() {
	echo "1..$_n"
	[ $_bad = 0 ] && [ ! -e "$T/.stopped" ]
}

# Adds hard links to special files, which GNU tar would not write as such.
link_specials() {
	ln "$1/fifo" "$1/d/fifo2"
	[ ! -e "$1/blk" ] || ln "$1/blk" "$1/d/blk2"
}

# Makes a tree with every type of file and every attribute.
make_tree() {
	mkdir -p "$1"
	(
		cd "$1" || exit 1
		mkdir -p d/e/f 'sp ace' sgid sticky none deep
		printf 'plain\n' >plain
		: >empty
		printf 'name\n' >"$(printf 'back\\slash')"
		printf 'name\n' >"$(printf 'new\nline')"
		printf 'name\n' >"$(printf 'esc\033[31mred')"
		printf 'name\n' >"$(printf 'latin\351')"
		printf 'nfc\n' >"$(printf '\303\251')"
		printf 'nfd\n' >"$(printf 'e\314\201')"
		printf 'name\n' >'sp ace/ blank '
		printf 'name\n' >"$(printf '%0250d' 7)"
		long=$(printf '%0120d' 0)
		mkdir -p "deep/$long/$long/$long"
		printf 'deep\n' >"deep/$long/$long/$long/file"
		ln -s "$long/$long/$long/file" deep/far
		ln -s plain link
		ln -s /nowhere/at/all dangling
		ln -s "$(printf 'to\351')" oddlink
		ln plain d/second
		ln plain d/e/third
		ln link d/linktolink
		mkfifo fifo
		printf '#!/bin/sh\n' >suid
		printf '#!/bin/sh\n' >sgid/run
		chown 1:2 suid
		chmod 6755 suid
		chmod 2755 sgid
		chown 0:5 sgid sgid/run
		chmod 1777 sticky
		chmod 000 none
		printf 'secret\n' >none/secret
		chmod 0 none/secret
		chown 65534:65533 d/e
		chown 1000:1000 d/second
		chown -h 7:8 link
		# Holes at the start, in the middle and at the end; and a file that is one hole.
		truncate -s 1M holes
		printf x | dd of=holes bs=1 seek=300000 conv=notrunc 2>/dev/null
		printf y | dd of=holes bs=1 seek=700000 conv=notrunc 2>/dev/null
		truncate -s 1500k hole
		head -c 10000 /dev/zero >zeros
		head -c 400000 /dev/urandom >noise
		setfattr -n user.text -v 'some text' plain
		setfattr -n user.empty noise
		setfattr -n user.bytes -v 0x000aff3d5c zeros
		setfattr -n 'user.a=b%c' -v odd zeros
		setfattr -n user.dir -v yes d
		setfacl -m u:12:rw,g:34:r plain
		setfacl -m u:1:rwx d/e/f
		setfacl -d -m u:56:rwx,g:78:x d/e/f
		printf in >d/e/f/in
		setcap cap_net_raw+ep suid
		if ! as_user; then
			mknod chr c 1 3
			mknod blk b 259 70000
			chmod 660 blk
			setfattr -n trusted.mine -v t plain
			setfattr -h -n trusted.onlink -v l link
			setfattr -h -n trusted.onfifo -v f fifo
			setfattr -n trusted.overlay.opaque -v y d
			setfattr -n trusted.overlay.overlay.x -v z d
		fi
		setfattr -n user.overlay.opaque -v y d
		touch -h -d '2001-02-03 04:05:06.123456789' link dangling
		touch -d '1969-12-31 23:59:58.5' plain
		touch -d '2038-01-20 00:00:00.000000001' noise
		touch -d '2100-01-01 00:00:00.25' empty
		touch -d '2005-05-05 05:05:05.555555555' d/e/f d/e d none sgid deep .
	)
}
