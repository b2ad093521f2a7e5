#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# run --on: a command over a directory of the host, which is not changed.
listed() { find "$1" -printf '%P %y %m %U:%G %s %T@ %C@ %l\n' | sort; }
staged() { ls -A "$OVLCTL_ROOT/staging"; }
mkdir -p proj/sub proj/mnt
echo 1 >proj/f
echo 2 >proj/sub/g
echo 3 >proj/sub/h
listed proj >before
unchanged() {
	listed proj >after
	cmp -s before after
}

is "the view is on the directory, the working directory in it" \
	"$(cd proj/sub && ovlctl run --on .. sh -c "pwd; echo new >g; rm h; cat '$T/proj/sub/g'; ls; exec ls '$T/proj/sub'")" \
	"$(printf '%s\nnew\ng\ng' "$T/proj/sub")"
ok "... the original is as it was" unchanged
no "... and there is no store" test -e "$OVLCTL_ROOT"
mkdir root
need - mount --rbind / root
is "in a chroot" "$(chroot root sh -c "cd '$T/proj' && ovlctl run --on . cat f" 2>&1)" 1
need - umount -l root
rmdir root
is "exit status" "$(ovlctl run --on proj sh -c 'exit 7'; echo $?)" 7
fails 127 "cannot run '/nothing-of-that-name'" "no such command" ovlctl run --on proj /nothing-of-that-name
fails 125 "cannot open directory 'nope'" "no such directory" ovlctl run --on nope true
fails 125 "root directory" "the root directory" ovlctl run --on / true
fails 125 "contains the store" "a directory that the store is in" ovlctl run --on "$T" true
fails 125 "in memory cannot be kept" "--tmpfs -n" ovlctl run --tmpfs -n x --on proj true
fails 125 "cannot be used together" "--bind" ovlctl run --bind /usr --on proj true
fails 125 "expected CMD" "no command" ovlctl run --on proj
id=$(cd proj && ovlctl run -n w --on . sh -c 'echo new >f; rm sub/g; mkdir d')
is "-n keeps a writable layer" "$(ovlctl ls -nr -o ID,KIND w)" "$id writable"
is "... with the changes" "$(ovlctl diff w)" "$(printf 'A /d\nC /f\nC /sub\nD /sub/g')"
ok "... the original is as it was" unchanged
fails 125 "layer 'w' is on a directory, where --bind" "--bind" ovlctl run --bind /usr w true
is "the store is hidden" "$(ovlctl run --on proj ls -A "$OVLCTL_ROOT")" ''
is "not kept if the command fails" "$(ovlctl run -n no --on proj sh -c 'echo >x; exit 4'; echo $?)" 4
fails 3 "" "... there is no layer" ovlctl show no
fails 125 "the name 'w' is already used" "a name that is taken" ovlctl run -n w --on proj touch started
no "... is refused before the command starts" test -e started
mkfifo go
ovlctl run -n late --on proj sh -c "echo 1 >'$T/proj/late'; echo on >'$T/runs'; read x <'$T/go'" >out 2>err &
until_true written runs
need - ovlctl create -n late
echo x >go
wait $!
is "a name that is taken while the command runs" "$? $(grep -c 'kept as layer .* without a name' err)" '125 1'
is "... the changes are kept" "$(ovlctl diff "$(cat out)")" 'A /late'
need - ovlctl rm late "$(cat out)"
is "run goes on in the layer" "$(ovlctl run w sh -c "cat '$T/proj/f'; echo 3 >'$T/proj/i'; exit 5"; echo $?)" \
	"$(printf 'new\n5')"
is "... the changes stay" "$(ovlctl diff w)" "$(printf 'A /d\nC /f\nA /i\nC /sub\nD /sub/g')"
is "in memory" "$(cd proj && ovlctl run --tmpfs=1m --on . sh -c 'head -c 3000000 /dev/zero >x' 2>&1 | sed 's/.*: //')" \
	'No space left on device'
ok "... the original is as it was" unchanged
if mount -t tmpfs none proj/mnt; then
	echo other >proj/mnt/f
	is "what is mounted below is shown, read-only" \
		"$(cd proj && ovlctl run --on . sh -c 'cat mnt/f; echo 2>&1 >mnt/f' 2>&1 | sed 's/.*: //')" \
		"$(printf 'other\nRead-only file system')"
	umount proj/mnt
fi
if can_trace; then
	strace -f -qq -s 4096 -o calls -e trace=file ovlctl run --on proj \
		sh -c "echo 9 >'$T/proj/f'; cat '$T/proj/sub/g'" >/dev/null
	pid=$(sed -n 's,^\([0-9]*\) *execve("[^"]*/sh".*,\1,p' calls | head -1)
	grep -aF "$T/proj" calls | grep -v "^$pid " >calls.of
	ok "ovlctl opens it" grep -q 'open.*O_DIRECTORY' calls.of
	no "... and nothing of it for writing" grep -E 'O_(WRONLY|RDWR|CREAT|TRUNC)' calls.of
	ok "... the original is as it was" unchanged
fi
if can_trace; then
	mkdir few many
	(cd few && seq 10 | xargs touch)
	(cd many && seq 2000 | xargs touch && mkdir d && cd d && seq 1000 | xargs touch)
	for d in few many; do
		strace -f -qq -o calls -e trace=%file,getdents64,mount,statfs ovlctl run --on $d true
		grep -c . calls
	done >counts
	is "a large directory takes no more calls than a small one" "$(sort -u counts | wc -l)" 1
	[ $_bad = 0 ] || diag counts
fi
ok "apply carries the changes over" ovlctl apply w
is "..." "$(ls proj proj/sub | tr '\n' ' ')" "proj: d f i mnt sub  proj/sub: h "
is "nothing is left in staging/" "$(staged)" ''

# Killed.
gone() { ! grep -aqsxzF "RUN_TEST=$T" /proc/[0-9]*/environ; }
listed proj >before
RUN_TEST=$T ovlctl run -n killed --on proj sh -c "echo 1 >'$T/proj/f'; echo 1 >'$T/ready'; sleep 300" &
until_true written ready
kill -KILL $!
wait $! 2>/dev/null
soon "after SIGKILL no process is left" gone
is "... no mount" "$(grep -c "$T/proj" /proc/self/mountinfo)" 0
ok "... the original is as it was" unchanged
need - ovlctl prune
is "... prune removes the rest" "$(staged)" ''

# An ordinary user, as himself.
if ! as_user && setpriv --reuid 1000 --regid 1000 --clear-groups unshare -Urm true 2>/dev/null; then
	chmod 755 "$T"
	cp "$(command -v ovlctl)" ovlctl
	PATH=$T:$PATH
	mkdir his
	cp -r proj his/proj
	chown -R 1000:1000 his
	export OVLCTL_ROOT="$T/his/store" HOME="$T/his"
	user() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
	listed his/proj >before
	is "an ordinary user is himself" "$(user ovlctl run --on his/proj id -u)" 1000
	ok "... what he changes" user ovlctl run -n w --on his/proj sh -c 'cd his/proj && echo 4 >f && rm -r sub && mkdir sub'
	listed his/proj >after
	same "... is not in the original" before after
	is "... but kept" "$(user ovlctl diff w)" "$(printf 'C /f\nC /sub\nD /sub/h')"
	is "... and goes on in it, as himself" \
		"$(user ovlctl run w sh -c 'cd his/proj && id -u && cat f && echo 5 >g')" "$(printf '1000\n4')"
	ok "... which changes nothing" cmp before after
	need - user ovlctl create -n made --on his/proj
	ok "... or in one that create made" user ovlctl run made sh -c 'cd his/proj && echo 6 >made'
	is "... which keeps it" "$(user ovlctl diff made)" 'A /made'
	need - user ovlctl rm made
	ok "... and applied" user ovlctl apply w
	is "..." "$(cat his/proj/f; ls his/proj/sub)" 4
	mkdir his/proj/below && mount -t tmpfs none his/proj/below &&
		fails 125 "'$T/his/proj/below' is another mount; an ordinary user" \
			"... not with mounts below it" user ovlctl run --on his/proj true
fi

done_testing
