#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# run: a command in a layer. The layers here have no programs: those of the host are bound.
host=
for d in /bin /lib /lib64 /usr; do
	[ ! -d $d ] || host="$host --bind $d"
done
run() { ovlctl run $host "$@"; }
staged() { ls -A "$OVLCTL_ROOT/staging"; }
status() { # COMMAND...
	"$@" >out 2>err </dev/null
	echo $?
}

tar_of a.tar <<'END'
dir name=d
file name=d/x data=1
file name=d/y data=2
file name=etc/resolv.conf data=layer
END
need a ovlctl import -n a a.tar

# ---- the command -----------------------------------------------------------------------
is "exit status 0" "$(status run a true)" 0
is "... of the command" "$(status run a sh -c 'exit 7')" 7
is "... of one that a signal ended" "$(status run a sh -c 'kill -TERM $$')" 143
is "... SIGKILL" "$(status run a sh -c 'kill -KILL $$')" 137
fails 127 "cannot run 'nothing-of-that-name': No such file" "no such command" \
	run a nothing-of-that-name
printf '#!/no/such thing\n' >script
printf '#! /script\n' >second
chmod +x script second
fails 127 "cannot run '/x': it needs '/no/such', which does not exist here" "a script without its interpreter" \
	ovlctl run --bind "$T/script:/x" a /x
fails 127 "cannot run 'x': it needs '/no/such', which" "... that of another one" \
	env PATH=/nowhere:/:/bin "$(command -v ovlctl)" run --bind "$T/script:/script" --bind "$T/second:/x" a x
linker=$(readelf -p .interp /bin/cat | sed -n 's,.* /,/,p')
fails 127 "cannot run '/x': it needs '$linker', which" "a program without its linker" \
	ovlctl run --bind /bin/cat:/x a /x
fails 126 "cannot run '/d/x': Permission denied" "one that cannot be run" run a /d/x
fails 125 "no such layer 'b'" "no such layer" run b true
fails 125 "unknown option '--nope'" "a wrong option" ovlctl run --nope a true
fails 125 "expected LAYER CMD" "no command" ovlctl run a
fails 125 "cannot change to directory '/nope'" "no such directory" run -C /nope a true
fails 125 "cannot bind 'nope'" "nothing to bind" ovlctl run --bind nope:/nope a true
fails 125 "takes SRC" "a relative place" ovlctl run --bind /bin:bin a true
is "options of the command are its own" "$(run a -- printf '%s ' -n --keep)" '-n --keep '
is "standard input and output" "$(printf 'one\ntwo\n' | run a cat | tail -1)" two
is "the environment" "$(RUN_TEST=yes run a sh -c 'echo $RUN_TEST')" yes
is "the umask" "$(umask 27 && run a sh -c umask)" 0027
is "the limit of open files" "$(prlimit --nofile=50: ovlctl run $host a sh -c 'ulimit -n')" 50
is "the working directory" "$(run a pwd) $(run -C d a pwd)" "/ /d"
ln -s "$(command -v true)" only-here
PATH=$T:$PATH
fails 127 "cannot run 'only-here'" "the command is looked for inside" run a only-here
is "the root is the layer's" "$(run a sh -c 'cat d/x; ls -d /dev /proc /etc')" \
	"$(printf '1/dev\n/etc\n/proc')"
is "it is a child of pid 1" "$(run a sh -c 'echo $PPID $$')" "1 2"
is "nothing else of the host is there" "$(run a sh -c 'ls -d /root /home /sys 2>/dev/null')" ''
# It exists until it has ended and pid 1 has noticed.
is "what loses its parent is reaped" "$(run a sh -c '
	orphan=$(sh -c "exit 3" >/dev/null & echo $!)
	i=0
	while [ -e /proc/$orphan ] && [ $i -lt 3000000 ]; do
		i=$((i + 1))
	done
	ls -d /proc/$orphan 2>/dev/null')" ''
is "/dev" "$(run a sh -c 'cd /dev && ls | tr "\n" " "; head -c 3 zero | wc -c;
	echo x >null && echo x >shm/x; test -c tty && test -d pts && echo yes')" \
	"fd full null ptmx pts random shm stderr stdin stdout tty urandom zero 3
yes"

# Another process is in the namespace until a moment after the command has ended.
looked_at() { # RUN...
	rm -f inode go.on
	ovlctl run $host --bind "$T:/t:rw" "$@" sh -c 'echo 1 >/new && stat -c %i /new >/t/inode
		until [ -e /t/go.on ]; do sleep 0.02; done' &
	pid=$!
	until_true written inode
	inner=$(pgrep -P $pid)
	{
		(: >go.on && while [ -e "/proc/$inner" ]; do sleep 0.01; done && sleep 0.05) \
			9<"/proc/$inner/ns/mnt" || : >go.on
	} &
	wait $pid
}

# ---- dropped or kept -------------------------------------------------------------------
before=$(store_state)
ok "a run without -n" run a sh -c 'echo 1 >/new; rm -r /d; mkdir /d; ls /d'
is "... leaves nothing" "$(store_state)" "$before"
out=$(run -n b a sh -c 'echo out; echo 1 >/new; rm /d/x; mkdir -p /e/f')
b=$(ovlctl ls -nr -o ID b)
is "-n: the id after what the command prints" "$out" "$(printf 'out\n%s' "$b")"
is "... the changes, and nothing else" "$(ovlctl diff b)" \
	"$(printf 'C /d\nD /d/x\nA /e\nA /e/f\nA /new')"
need w ovlctl create a
need m ovlctl mount "$w"
(echo 1 >"$m/new" && rm "$m/d/x" && mkdir -p "$m/e/f" && ovlctl umount "$w")
need c ovlctl commit "$w"
is "... to the same tree as by create, mount and commit" \
	"$(ovlctl diff --tar b | tar -tvf - | sed 's/ 20..-.* / /')" \
	"$(ovlctl diff --tar "$c" | tar -tvf - | sed 's/ 20..-.* / /')"
is "... on the image layer" "$(ovlctl ls -nr -o PARENT b)" "$a"
if ! is_overlay; then
	moved() {
		ovlctl rm moved
		looked_at -n moved a
		[ "$(stat -c %i "$(tree_of moved)/new")" = "$(cat inode)" ]
	}
	soon "... by moving what was written, not by a copy of it" moved
	is "... as an image layer" "$(ls "$OVLCTL_ROOT/names/moved" | tr '\n' ' ')" "$LS_IMAGE "
	is "... with nothing of overlayfs in its tree" \
		"$(getfattr -R -h -d -m 'overlay' "$(tree_of moved)" 2>&1 | grep overlay\\.)" ''
fi
fails 125 "the name 'b' is already used" "a name that is taken" \
	run --bind "$T:/t:rw" -n b a sh -c ': >/t/started'
no "... is refused before the command starts" test -e started
before=$(store_state)
is "not kept if the command fails" "$(status run -n e a sh -c 'echo 1 >/x; exit 4')" 4
is "... leaves nothing" "$(store_state)" "$before"
ok "--keep" run --keep --id-file id a sh -c 'echo keep >/kept'
is "... prints nothing with --id-file" "$(cat "$T/.out")" ''
is "... the id" "$(ovlctl diff "$(cat id)")" 'A /kept'
is "nothing is left in staging/" "$(staged)" ''
ok "check is content" ovlctl check --content
ok "a layer without changes" run -n same a true
is "... has none" "$(ovlctl diff same)" ''

# A name that another layer gets while the command runs.
mkfifo go
for how in '' --tmpfs; do
	ovlctl run $host --bind "$T:/t:rw" -n late --id-file id $how a \
		sh -c "echo '$how' >/late; echo on >/t/runs; read x </t/go" >out 2>err &
	until_true written runs
	need - ovlctl create -n late a
	echo x >go
	wait $!
	is "a name that is taken meanwhile$how" "$?" 125
	like "... is refused" "'late' is already used.*; the changes are kept as layer $(cut -c1-12 id), without a name$" "$(cat err)"
	is "... the changes are kept" "$(ovlctl diff "$(cat id)"; ovlctl ls -nr -o NAME "$(cat id)")" 'A /late'
	is "... under no name" "$(ovlctl ls -nr -o KIND late; ovlctl check)" writable
	need - ovlctl rm late
	rm runs
done

# A process that entered the namespace does not end with the command, and may continue to write.
entered() { # RUN...: starts it, and a process in its namespace that has the file "open" open
	rm -f runs entered
	"$@" >out 2>err &
	pid=$!
	until_true written runs
	nsenter -m -t "$(pgrep -P $pid)" sh -c 'cd "$1" && exec 7>>open && echo on >"$2/entered" &&
		read x <"$2/late" && echo late >&7' - "$in" "$t" &
	other=$!
	until_true written entered
	echo x >go
	wait $pid
}
mkfifo late
in=/ t=/t
entered ovlctl run $host --bind "$T:/t:rw" -n open a \
	sh -c 'echo 1 >/open; echo on >/t/runs; read x </t/go'
is "kept while somebody still has the view" "$?" 0
echo x >late
wait $other
is "... he goes on writing" "$?" 0
is "... but not in an image layer" "$(ovlctl check --content)$(ovlctl diff open)" 'A /open'
need - mkdir still
in=$T/still t=$T
entered ovlctl run -n open-on --on still \
	sh -c 'echo 1 >still/open; echo on >runs; read x <go'
is "kept on a directory while somebody still has the view" "$?" 0
fails 4 "layer 'open-on' is already mounted" "... it cannot be mounted twice" ovlctl mount open-on
echo x >late
wait $other
ok "... but as soon as nobody has it" until_true ovlctl mount open-on
need - ovlctl umount open-on
need - ovlctl rm open-on open
rm runs entered

# ---- a writable layer ------------------------------------------------------------------
need w ovlctl create -n w a
is "in a writable layer" "$(status run w sh -c 'echo 1 >/w; exit 3')" 3
is "... the changes stay" "$(ovlctl diff w)" 'A /w'
at_once() {
	looked_at w && run w sh -c 'test -e /w && rm /new'
}
soon "... and again" at_once
fails 125 "layer 'w' is writable" "... -n is refused" run -n x w true
fails 125 "layer 'w' is writable" "... --tmpfs is refused" run --tmpfs w true
# As after umount; but a process that examines other namespaces holds mounts for a moment.
files_of() {
	(cd "$OVLCTL_ROOT/names/$1" && find . -path "./$UPPER" -prune -o -print | sed 's/names.*//' | sort)
}
need - ovlctl create -n v a
need - ovlctl mount v
ovlctl umount v
files_of v >after.umount
like_umount() {
	run w true && files_of w | cmp -s after.umount -
}
soon "... and nothing of the mount" like_umount
run --bind "$T:/t" w sh -c 'echo on >/busy; read x </t/go' &
until_true written "$OVLCTL_ROOT/$DRV/$w/$UPPER/busy"
fails 125 "in use|mounted" "... not twice at a time" run w true
fails 4 "in use|mounted" "... it cannot be removed meanwhile" ovlctl rm w
echo x >go
wait
# Who looks for mounts in other namespaces holds them for a moment.
until_true ovlctl commit w
is "nothing is left in staging/" "$(staged)" ''

# ---- the base is held ------------------------------------------------------------------
run --bind "$T:/t:rw" same sh -c 'echo on >/t/runs; read x </t/go' &
until_true written runs
fails 4 "" "the base cannot be removed meanwhile" ovlctl rm same
ok "... but exported" sh -c "ovlctl export same - >exported"
ok "... and run again" run same true
echo x >go
wait
# Who looks for mounts in other namespaces holds them for a moment.
soon "... and removed later" ovlctl rm same

# More than fits in a pipe.
head -c 400000 /dev/urandom >noise
tar -cf noise.tar noise
need - ovlctl import -n slow -p a noise.tar
mkfifo out.fifo
ovlctl export slow - >out.fifo &
exec 9<out.fifo
head -c 1 <&9 >/dev/null
is "while the base is exported it can be run" "$(run -n onslow slow sh -c 'echo >>/noise; cat d/x')" \
	"1$(ovlctl ls -nr -o ID onslow)"
need - ovlctl rm onslow
fails 4 "layer 'slow' is in use by another process" "... but not removed" ovlctl rm slow
cat <&9 >/dev/null
exec 9<&-
wait $!
is "... which is not disturbed" $? 0
need - ovlctl rm slow

# ---- memory ----------------------------------------------------------------------------
is "--tmpfs: full at its size" \
	"$(run --tmpfs=1m a sh -c 'head -c 3000000 /dev/zero >/big' 2>&1 | sed 's/.*: //')" \
	'No space left on device'
ok "... with -n" run --tmpfs -n t a sh -c 'echo 1 >/t && rm -r /d'
is "... is kept" "$(ovlctl diff t)" "$(printf 'D /d\nA /t')"
is "nothing is left in staging/" "$(staged)" ''

# As in a container: the store is on an overlay, which cannot have an upper.
mkdir lower upper work over
if ! as_user && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none over 2>/dev/null; then
	need - ovlctl --root over/store import -n a a.tar
	like "a store on an overlay" "lies on an overlay.*; --tmpfs keeps" "$(ovlctl --root over/store run $host a true 2>&1)"
	ok "... in memory" ovlctl --root over/store run $host --tmpfs -n b a sh -c 'echo 1 >/b'
	is "... is kept" "$(ovlctl --root over/store diff b)" 'A /b'
	umount over
fi

# ---- what is bound ---------------------------------------------------------------------
mkdir src
echo file >src/f
is "--bind is read-only" "$(run --bind "$T/src:/made/here" a sh -c \
	'cat /made/here/f; echo x 2>&1 >/made/here/f' 2>&1 | sed 's/.*: //')" \
	"$(printf 'file\nRead-only file system')"
ok "... :rw" run -n bound --bind "$T/src:/made/here:rw" --bind src/f:/d/x a sh -c \
	'cp /d/x /made/here/g'
same "... writes there" src/f src/g
is "... the mount points are no part of the layer" "$(ovlctl diff bound)" ''
fails 125 "must not contain '..'" "... none that leads out of the layer" \
	run --bind "$T/src:/../../../led/out" a true
no "... is made" test -e "$OVLCTL_ROOT/led"
fails 125 "root directory cannot be a mount point" "... not the root directory" run --bind "$T/src:/." a true
is "the store is hidden" "$(run --bind "$T:/t" a sh -c 'ls -A /t/store')" ''
if [ -s /etc/resolv.conf ]; then
	is "/etc/resolv.conf is the host's" "$(run a cat /etc/resolv.conf)" "$(cat /etc/resolv.conf)"
fi
printf 'symlink name=etc/resolv.conf link=../run/none\nend\n' | mktar >dangling.tar
need - ovlctl import -n dangling dangling.tar
like "one that leads nowhere is left alone" "resolv.conf. is not a file and stays as it is" \
	"$(ovlctl -v run $host dangling true 2>&1)"
printf 'symlink name=etc/resolv.conf link=/dev/null\nend\n' | mktar >null.tar
need - ovlctl import -n null null.tar
is "... and one that leads to /dev/null" "$(run null sh -c 'cat /etc/resolv.conf; test -c /dev/null && echo yes')" yes
printf 'dir name=etc/resolv.conf\nend\n' | mktar >dir.tar
need - ovlctl import -n dir dir.tar
ok "... and one that is a directory" run dir true
is "pid 1 has no directory open" "$(run a sh -c 'for f in /proc/1/fd/*; do [ ! -d $f ] || echo $f; done')" ''

# ---- signals ---------------------------------------------------------------------------
# In dash a trap runs after its child has ended, not after wait.
trapping='trap "exit 9" HUP; trap "exit 10" INT; trap "exit 11" QUIT; trap "exit 12" TERM
	sleep 300 & echo $$ >/t/ready; wait'
for s in HUP INT QUIT TERM; do
	rm -f ready
	case $s in HUP) want=9 ;; INT) want=10 ;; QUIT) want=11 ;; TERM) want=12 ;; esac
	# In the background INT and QUIT are ignored, and could not be trapped.
	env --default-signal ovlctl run $host --bind "$T:/t:rw" a sh -c "$trapping" &
	until_true written ready
	kill -$s $!
	wait $!
	is "SIG$s goes to the command" $? $want
done
if can_trace; then
	traced_early() { strace -o /dev/null -e inject=fsopen:signal=TERM ovlctl run $host --tmpfs "$@"; }
	is "SIGTERM while the layer is made" \
		"$(status traced_early --bind "$T:/t:rw" a sh -c 'echo >/t/early') $(ls early 2>/dev/null)" '143 '
fi

# ---- killed ----------------------------------------------------------------------------
lives() { grep -aqsxzF "RUN_TEST=$T" /proc/[0-9]*/environ; }
gone() { ! lives; }
rm -f ready
RUN_TEST=$T ovlctl run $host --bind "$T:/t:rw" -n killed a sh -c 'echo 1 >/x; sleep 300 & echo 1 >/t/ready
	sleep 300' &
until_true written ready
ok "it lives" lives
kill -KILL $!
wait $! 2>/dev/null
soon "after SIGKILL no process is left" gone
is "... and no mount" "$(grep -c "$OVLCTL_ROOT/$DRV" /proc/self/mountinfo)" 0
need - ovlctl prune
is "... prune removes the rest" "$(staged)" ''
no "... and no layer" ovlctl show killed

done_testing
