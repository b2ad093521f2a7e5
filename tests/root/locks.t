#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# Who waits for whom, and with which message.
S=$OVLCTL_ROOT
printf 'file name=low data=1\nend\n' | mktar >b.tar
b=$(ovlctl import -n b b.tar)

# ---- who holds a lock -----------------------------------------------------------------

w=$(ovlctl create -n w b)
mkfifo go
flock "$S/$DRV/$w" cat go >/dev/null &
pid=$!
until_true locked "$S/$DRV/$w"
fails 4 "layer 'w' is in use by another process: $pid \(flock\)$" "the process that has a layer is named" \
	ovlctl rm w
fails 4 "layer 'w' is in use by another process: $pid \(flock\)$" "... to who waits in vain" \
	ovlctl --wait 1 rm w
(sleep 0.3; echo >go) &
ok "--wait" ovlctl --wait 60 rm w
wait

# As scripts lock: flock(1) ends, and the shell keeps the descriptor.
w=$(ovlctl create -n w b)
(flock 9 && exec cat go >/dev/null) 9<"$S/$DRV/$w" &
pid=$!
until_true sh -c 'grep -qx cat "/proc/$1/comm"' - $pid
fails 4 "layer 'w' is in use by another process: $pid \\(cat\\)$" "whoever has it from a process that ended" \
	ovlctl rm w
if ! as_user; then
	fails 4 "the list of names is in use by another process: [0-9]+ \\(sleep\\)$" \
		"... in a pid namespace" unshare -mpf --mount-proc sh -c \
		'(flock 9 && exec sleep 60) 9<"$OVLCTL_ROOT/names" & until grep -qx sleep /proc/$!/comm; do :; done
		exec ovlctl --nowait tag b bb'
fi
echo >go
wait
ok "... and is done" ovlctl rm w

# Prune and check hold the store's lock for a moment.
need c ovlctl import -n c -p b b.tar
flock "$S/lock" cat go >/dev/null &
until_true locked "$S/lock"
ovlctl -v rm c 2>said &
pid=$!
until_true grep -q 'waiting for .* with the store' said
echo >go
ok "rm of an image layer waits for the store" wait $pid
is "... so that nothing of it is left" "$(ovlctl prune --dry-run)" ""
wait

# Nobody is told who has a lock that is not needed, so nobody looks for him.
if can_trace; then
	flock "$S/names" cat go >/dev/null &
	until_true locked "$S/names"
	traced -qq -o calls -e trace=openat,flock ovlctl ls >out 2>err
	is "ls does without the lock of the names" "$?$(cat err) $(grep -c 'flock(.*EAGAIN\|flock(.*EWOULDBLOCK' calls | sed 's/^[1-9].*/held/')" "0 held"
	is "... and does not look for its holder" "$(grep -c '"/proc"\|/proc/locks' calls)" 0
	echo >go
	wait
fi

# ---- the parent of what comes from a pipe ---------------------------------------------

printf 'file name=parent data=1\nend\n' | mktar >parent.tar
need p ovlctl import -n parent parent.tar
printf 'file name=on data=1\nend\n' | mktar >on.tar
mkfifo in
exec 9<>in
fails 3 "no such layer 'nothing'" "a parent that does not exist: said before anything is read" \
	timeout 60 ovlctl import -p nothing - <&9
exec 9<&-
ovlctl import -n on -p parent - <in >id 2>err 9>&- &
pid=$!
exec 9>in
until_true locked "$S/$DRV/$p"
fails 4 "layer 'parent' is in use by another process: $pid \(ovlctl\)$" \
	"a parent stays while the pipe is waited for" ovlctl rm parent
cat on.tar >&9
exec 9>&-
wait $pid
is "... and has a child then" "$?:$(cat err):$(ovlctl ls -nr -o PARENT on)" "0::$p"
need - ovlctl rm -r parent

# ---- several layers -------------------------------------------------------------------

# A commit has locked its layer and waits for the parent; rm -r of the parent
# must not hold the parent while it waits for the layer. rm locks in the order of the ids.
if can_trace; then
	w=0
	while [ "$(printf '%s\n' "$b" "$w" | sort | head -1)" != "$b" ]; do
		[ "$w" = 0 ] || ovlctl rm "$w"
		w=$(ovlctl create b)
	done
	echo new >"$S/$DRV/$w/$UPPER/f"
	traced -qq -o /dev/null -e trace=flock -e inject=flock:delay_exit=500000:when=1 \
		ovlctl commit "$w" >id 2>err &
	until_true locked "$S/$DRV/$w"
	start=$(date +%s)
	ok "rm -r waits for a commit of a child" ovlctl --wait 60 rm -r b
	[ $(($(date +%s) - start)) -lt 40 ]
	report $? "... not the commit for it"
	wait
	is "... which was done" "$(cat err; wc -c <id)" 65
	is "both layers went" "$(ovlctl ls -nr -o ID)" ""
fi

# The lock becomes free during a pause that ends too late.
if can_trace; then
	need w ovlctl create
	(flock 9 && exec sleep 300) 9<"$S/$DRV/$w" &
	holder=$!
	until_true locked "$S/$DRV/$w"
	traced -qq -o /dev/null -e trace=clock_nanosleep \
		-e inject=clock_nanosleep:delay_enter=2000000:when=1 ovlctl -v --wait 1 rm "$w" 2>err &
	pid=$!
	until_true grep -q waiting err
	end "$holder"
	wait "$pid"
	is "a wait that is over when the layer is free" $? 0
fi

# ---- a commit that is to be finished --------------------------------------------------

# If another process has locked the names, the layer is used as it is.
if can_trace; then
	need - ovlctl import -n low b.tar
	n=0
	until [ $n = 12 ]; do
		n=$((n + 1))
		need w ovlctl create -n w low
		echo new >"$S/$DRV/$w/$UPPER/new"
		killed_at fsync $n ovlctl commit -n c w >out 2>err
		[ -d "$S/$DRV/$w" ] || break
		ovlctl rm w
		ovlctl prune >out
	done
	ok "killed after the step" test -d "$S"/$DRV/*/.image
	flock "$S/names" cat go >/dev/null &
	until_true locked "$S/names"
	ok "a commit to be finished, the names locked: show" timeout 60 ovlctl --nowait show c
	ok "... mount" timeout 60 ovlctl --nowait mount c
	ok "... ls" timeout 60 ovlctl --nowait ls
	echo >go
	wait
	ok "... umount" ovlctl umount c
	no "... it is finished then" test -d "$S"/$DRV/*/.image
	is "... the names are its names" "$(ovlctl ls -nr -o NAME c)" c,w
	ovlctl rm c
	ovlctl prune >out

	# What is to change the layer has to finish it first, and says so if that fails.
	need w ovlctl create -n w low
	echo new >"$S/$DRV/$w/$UPPER/new"
	n=0
	while [ -d "$S/$DRV/$w" ] && [ $n -lt 12 ]; do
		n=$((n + 1))
		killed_at fsync $n ovlctl commit --keep -n c w >out 2>err
	done
	fails 1 "cannot finish the commit of layer 'w': .*: Input/output error" "... on a bad disk: rm" \
		traced -qq -o calls -e trace=renameat -e inject=renameat:error=EIO ovlctl rm w
	ok "... and on a good one" ovlctl rm w
	ovlctl rm c low
	ovlctl prune >out
fi

# ---- who looks only -------------------------------------------------------------------

b=$(ovlctl import -n b b.tar)
printf 'file name=f data=1\nend\n' | mktar >c.tar
mkdir stop
(while [ ! -e stop/now ]; do ovlctl check || echo "check: $?"; done >check 2>&1) &
(while [ ! -e stop/now ]; do ovlctl check --content; done >check2 2>&1) &
(while [ ! -e stop/now ]; do ovlctl prune --layers --unused-for 0 --dry-run; done >dry 2>&1) &
: >failed
for i in $(seq $(short && echo 10 || echo 30)); do
	ovlctl create -n w b >/dev/null && echo $i >"$(tree_of w)/f" && ovlctl commit w >/dev/null &&
		ovlctl import -n c -p b c.tar >/dev/null && ovlctl tag c d && ovlctl tag -d d &&
		ovlctl rm w c || break
done 2>failed
: >stop/now
wait
is "check and dry runs make nothing fail" "$(cat failed)" ""
is "... and see nothing wrong" "$(sort -u check check2)" ""

# One that looks at staging/ must not lock a layer that has just come from there.
if can_trace; then
	traced -qq -o /dev/null -e trace=renameat2 -e inject=renameat2:delay_enter=300000 \
		ovlctl create -n w b >id &
	pid=$!
	until_true found "$S/staging/*/.layer"
	traced -qq -o /dev/null -e trace=flock \
		-e inject=flock:delay_enter=400000:delay_exit=400000 ovlctl prune --dry-run >dry 2>&1 &
	dry=$!
	wait $pid
	until ! kill -0 $dry 2>/dev/null || locked "$S/$DRV/$(cat id)"; do sleep 0.01; done
	ok "a layer that was in staging/ when one began to look there can be removed" ovlctl rm w
	wait
	is "... and is no leftover" "$(grep ^staging dry)" ""
fi

# A removal in progress is not a leftover.
if can_trace; then
	w=$(ovlctl create -n w b)
	(cd "$S/$DRV/$w/$UPPER" && seq 300 | xargs touch)
	(while [ ! -e stop/rm ]; do ovlctl check; done >check 2>&1) &
	traced -qq -o /dev/null -e trace=unlinkat,flock -e inject=unlinkat:delay_enter=1000 \
		-e inject=flock:delay_enter=100000 ovlctl rm w
	: >stop/rm
	wait
	is "a removal that goes on is not reported" "$(sort -u check)" ""
fi

done_testing
