#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# not in a user namespace: nothing of it is otherwise there

# Signals and closed pipes while a command reads, unpacks, syncs, packs or writes: it stops
# at once, dies of the signal, prints nothing, and the store is unchanged. See also process.t.
mkdir out
seq 1500 | sed 's/.*/file name=d\/f& data=&/; 1i dir name=d' >lines
(cat lines; echo end) | mktar >many.tar
noise 2500000 >noise
tar -cf big.tar noise
printf 'file name=f data=1\nend\n' | mktar >a.tar
need - ovlctl import -n a a.tar
need - ovlctl import -n big -p a big.tar
need - ovlctl create -n w a
need w ovlctl ls -nr -o ID w
d=$OVLCTL_ROOT/$DRV/$w/$UPPER
seq 200 | (cd "$d" && xargs touch)
cp noise "$d/noise"

state() {
	store_state
	find out | sort
}
state >before

# Is the process blocked in a read from or a write to a pipe?
waits_for_pipe() {
	grep -q "pipe_\|anon_pipe" "/proc/$1/task"/*/wchan 2>/dev/null || grep -q '^State:.*sleeping' "/proc/$1/status"
}
# Not ignored, as for commands that a shell starts in the background.
run() {
	exec prlimit --core=0 perl -e '$SIG{INT} = $SIG{QUIT} = "DEFAULT"; exec @ARGV' "$@"
}
ended_by() { # WHAT SIGNAL:STATUS
	kill -"${2%:*}" $pid
	wait $pid
	is "$1, SIG${2%:*}: dies of it" $? "${2#*:}"
	is "... says nothing" "$(cat err)" ""
	state >after
	same "... and all is as before" after before
}

import_ended_by() { # SIGNAL:STATUS
	(run ovlctl import - <in) >/dev/null 2>err &
	pid=$!
	exec 9>in
	head -c 1000000 many.tar >&9
	until_true found "$OVLCTL_ROOT/staging/*/$TREE/d"
	ended_by "import, that waits in the midst of a tar" $1
	exec 9>&-
}

for sig in INT:130 TERM:143 HUP:129; do
	mkfifo in
	import_ended_by $sig
	(run ovlctl import --as image in) >/dev/null 2>err &
	pid=$!
	exec 9>in
	head -c 1000000 many.tar >&9
	until_true spools $pid
	ended_by "import of an image, that waits for its spool" $sig
	exec 9>&-
	rm in
	mkfifo pipe
	for command in "diff --tar w" "diff --tar big" "export w -" "export --format docker big -"; do
		(run ovlctl $command >pipe) 2>err &
		pid=$!
		exec 8<pipe
		head -c 10 <&8 >/dev/null
		until_true waits_for_pipe $pid
		ended_by "$command, to a pipe that is full" $sig
		exec 8<&-
	done
	rm pipe
done

# Signals that dump core otherwise.
mkfifo in
for sig in QUIT:131 XCPU:152; do
	import_ended_by $sig
done
rm in

# A FIFO that no process opens.
mkfifo pipe
(run ovlctl import pipe) 2>err &
pid=$!
until_true waits_for_pipe $pid
sleep 0.05
ended_by "import, that waits for a FIFO to be opened" TERM:143
(run ovlctl diff -o pipe w) 2>err &
pid=$!
until_true waits_for_pipe $pid
sleep 0.05
ended_by "diff -o, that waits for a FIFO to be opened" TERM:143
rm pipe

# During a particular call: delivered when the call begins.
if inject -l points true 2>/dev/null; then
	at() { # CALL N WHAT COMMAND...
		call=$1
		n=$2
		what=$3
		shift 3
		for sig in TERM:143 INT:130; do
			inject -e log "$call" "$n" "SIG${sig%:*}" "$@" >got 2>err
			is "$what, SIG${sig%:*}: dies of it" $? "${sig#*:}"
			is "... says nothing" "$(cat err got)" ""
			state >after
			same "... and all is as before" after before
		done
	}
	at utimensat 500 "import, that unpacks" ovlctl import many.tar
	at syncfs 1 "import, that syncs" ovlctl import many.tar
	at read 9 "commit, that packs" ovlctl commit w
	at pread64 6 "commit, that packs more" ovlctl commit w
	at syncfs 1 "commit, that syncs" ovlctl commit w
	at pread64 3 "export to a directory" ovlctl export w out/dir
	at pread64 3 "export to a file" ovlctl export w out/x.tar
	at pread64 3 "diff -o" ovlctl diff -o out/x.tar.gz w
	# A layer disappears before its tree is removed.
	cp -a "$OVLCTL_ROOT" copy
	inject -e log unlinkat 50 SIGTERM ovlctl rm w >got 2>err
	is "rm: dies of it" $? 143
	is "... says nothing" "$(cat err got)" ""
	is "... the layer is gone" "$(ovlctl ls -nr -o NAME | sort | tr '\n' ' ')" "a big "
	like "... its tree is for prune" "trash" "$(ovlctl check)"
	ok "... which takes it" ovlctl prune
	is "... so that the store is sound" "$(ovlctl check)" ""
	rm -rf "$OVLCTL_ROOT"
	mv copy "$OVLCTL_ROOT"
	# Twice at once, as timeout(1) does: this must not count as a second signal.
	mkfifo in
	(run ovlctl import - <in) >/dev/null 2>err &
	pid=$!
	exec 9>in
	head -c 700000 many.tar >&9
	until_true found "$OVLCTL_ROOT/staging/*/$TREE/d/f20"
	kill -TERM $pid
	kill -TERM $pid 2>/dev/null
	wait $pid
	is "two signals at once: dies of them" $? 143
	exec 9>&-
	rm in
	is "... says nothing" "$(cat err)" ""
	state >after
	same "... and all is as before" after before
	left=
	for i in 1 2 3 4 5 6 7 8; do
		timeout -s TERM "0.0$i" ovlctl import many.tar >/dev/null 2>err ||
			left="$left$(ls "$OVLCTL_ROOT/staging")"
	done
	is "timeout(1): nothing is left in staging" "$left" ""
	ids=$(ovlctl import many.tar)
	ok "... (removed)" ovlctl rm $ids
	state >before
fi

# Again after half a second, while it cleans up: it ends at once, without harm.
if can_trace; then
	mkfifo in
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null -e trace=unlinkat \
		-e inject=unlinkat:delay_enter=400000 ovlctl import - <in >/dev/null 2>err &
	tracer=$!
	exec 9>in
	head -c 700000 many.tar >&9
	until_true found "$OVLCTL_ROOT/staging/*/$TREE/d/f20"
	pid=$(pgrep -P $tracer)
	begun() {
		ls "$OVLCTL_ROOT"/staging/*/$TREE/d | wc -l
	}
	# The import may have made more files before the signal comes.
	n=0
	cleans_up() {
		had=$n
		n=$(begun)
		[ "$n" -lt "$had" ]
	}
	kill -TERM $pid
	until_true cleans_up
	sleep 0.6
	kill -TERM $pid
	exec 9>&-
	wait $tracer
	is "a second signal after half a second: dies of it" $? 143
	rm in
	is "... says nothing" "$(cat err)" ""
	is "... and leaves what it had begun" "$(ls "$OVLCTL_ROOT/staging" | wc -l)" 1
	ok "... which is sound" ovlctl check
	ok "... and prune takes" ovlctl prune
	state >after
	same "... and all is as before" after before

	# But the kernel sends SIGXCPU once a second.
	mkfifo in
	ASAN_OPTIONS=detect_leaks=0 prlimit --core=0 strace -f -qq -o /dev/null -e trace=unlinkat \
		-e inject=unlinkat:delay_enter=400000:when=1..5 ovlctl import - <in >/dev/null 2>err &
	tracer=$!
	exec 9>in
	head -c 700000 many.tar >&9
	until_true found "$OVLCTL_ROOT/staging/*/$TREE/d/f20"
	pid=$(pgrep -P $tracer)
	n=$(begun)
	kill -XCPU $pid
	until_true cleans_up
	sleep 0.6
	kill -XCPU $pid 2>/dev/null
	exec 9>&-
	wait $tracer
	is "a second SIGXCPU: dies of it" $? 152
	rm in
	is "... says nothing" "$(cat err)" ""
	state >after
	same "... but cleans up first" after before
fi

# A reader that disappears: the signal, and no message.
# The status of "$@" with a pipe without readers as standard output.
into_nothing() {
	perl -e 'pipe(R, W); close R; $SIG{PIPE} = "DEFAULT"; open STDOUT, ">&", \*W; exec @ARGV' "$@" 2>err
}
for command in "ls" "ls -J" "show w" "diff w" "diff -J w" "diff -z w" "which w /" "which -J w /" "diff --tar w" "export w -" \
	"export --format docker big -" "check" "--help"; do
	[ "$command" != check ] || mkdir -p "$OVLCTL_ROOT/staging/x/y"
	into_nothing ovlctl $command
	is "$command, and nobody reads it: SIGPIPE" $? 141
	is "... says nothing" "$(cat err)" ""
done
rm -r "$OVLCTL_ROOT/staging/x"
is "... nor where the signal is ignored" "$(perl -e 'pipe(R, W); close R; $SIG{PIPE} = "IGNORE"; open STDOUT, ">&", \*W;
	exec @ARGV' ovlctl ls 2>&1)" "ovlctl: ls: cannot write to standard output: Broken pipe"
state >after
same "... and all is as before" after before
# A warning that cannot be written, during the work.
# The path of a socket is short.
(cd "$d" && perl -e 'use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("sock")) or die')
state >before
perl -e 'pipe(R, W); close R; $SIG{PIPE} = "DEFAULT"; open STDERR, ">&", \*W; exec @ARGV' \
	ovlctl diff -o out/x.tar w >got
status=$?
is "a warning that nobody reads" "$(ls out)" ""
is "... is a closed pipe too" $status 141
rm "$d/sock"

# ---- closed descriptors ---------------------------------------------------------------

# Each command works without the standard descriptors that it does not need, and opens no
# file of the store in their place; without a standard output that it needs it does nothing.
state >before
for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
	for command in "import -n x big.tar" "create -n x a" "mount w" "commit -n x w" "ls" "show w" "diff w" "which -a w /" \
		"check" "prune" "diff --tar w" "export w -"; do
		case $closed in
		*'>&-'*) [ "$closed" = '2>&-' ] || {
			eval "ovlctl $command $closed" 2>err
			status=$?
			case $command in check) want=8 ;; *) want=1 ;; esac
			is "$command $closed: refuses" $status $want
			[ "$closed" != '>&-' ] || like "... and says so" "^ovlctl: ${command%% *}: cannot write.*: Bad file descriptor" "$(cat err)"
			state >after
			same "... before it has done anything" after before
			continue
		} ;;
		esac
		case $command in import* | create* | mount* | commit*) continue ;; esac
		eval "ovlctl $command $closed" >got 2>err
		is "$command $closed" $? 0
		[ "$command" = prune ] || ovlctl $command >want 2>/dev/null
		[ "$command" = prune ] || same "... the same as ever" got want
	done
	eval "ovlctl tag a x $closed"
	is "tag $closed" "$(ovlctl ls -nr -o NAME x)" a,x
	eval "ovlctl tag -d x $closed"
	no "tag -d $closed" ovlctl show x
	eval "ovlctl diff -o out/x.tar big $closed"
	same "diff -o $closed" out/x.tar big.tar
	eval "ovlctl export --format tar big out/y.tar $closed"
	same "export $closed" out/y.tar big.tar
	rm out/*
	need - ovlctl create -n y a
	need - ovlctl mount y
	eval "ovlctl umount y $closed"
	is "umount $closed" "$(ovlctl ls -nr -o MOUNTPOINT y)" ""
	eval "ovlctl rm y $closed"
	no "rm $closed" ovlctl show y
	state >after
	same "... and all is as before" after before
done
# Errors that cannot be printed are not written to another file.
ovlctl rm nosuch 2>&-
is "an error without standard error" $? 3
ovlctl rm nosuch <&- >&- 2>&-
is "... without any" $? 3
state >after
same "... is written nowhere" after before

# After its last entry an import still has directories to complete.
if can_trace; then
	seq 2000 | sed 's/.*/dir name=d&/; $a end' | mktar >dirs.tar
	traced -qq -o calls -e trace=utimensat -e inject=utimensat:signal=TERM:when=20 \
		sh -c 'exec ovlctl import dirs.tar' >/dev/null 2>err
	is "stopped while it completes directories: dies of it" $? 143
	is "... at once" "$(grep -c utimensat calls)" 20
	state >after
	same "... and all is as before" after before
fi

done_testing
