#!/bin/sh
. "$(dirname "$0")/../lib.sh"
. "$top/tests/images.sh"

# overlay: when asked

# Signals, waiting, parallel commands, leftovers.
noise 30000000 >noise
tar -cf big.tar noise
printf 'file name=f data=1\nend\n' | mktar >a.tar
need - ovlctl import -n a a.tar
before=$(store_state)

for sig in INT:130 TERM:143 HUP:129; do
	mkfifo pipe
	(exec perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' ovlctl import pipe) >out 2>err &
	pid=$!
	exec 9>pipe
	head -c 1000000 big.tar >&9
	until_true found "$OVLCTL_ROOT/staging/*"
	kill -${sig%:*} $pid
	wait $pid
	is "SIG${sig%:*} while it waits for input: dies of it" $? ${sig#*:}
	exec 9>&-
	is "... says nothing" "$(cat out err)" ""
	is "... leaves nothing" "$(store_state)" "$before"
	rm pipe
done

# Another program's store, whose files are linked.
! as_user || export AS=user
printf '%s\n' 'file name=low data=1' end | mktar >1.tar
printf '%s\n' 'file name=d/f data=2' 'file name=g data=3' end | mktar >2.tar
config "$machine" A=1 1.tar 2.tar >app.json
need - python3 "$top/tests/foreign.py" docker docker app.json app:1 1.tar 2.tar
from="ovlctl import --from docker app:1"
if can_trace; then
	for call in mkdirat renameat2; do
		(traced -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=TERM:when=1 $from >out 2>err) 2>/dev/null
		is "SIGTERM at a $call of import --from: dies of it" $? 143
		is "... says nothing" "$(cat out; grep ovlctl err)" ""
		ok "... leaves what check finds right" ovlctl check --content
		ovlctl rm -r "$(sha 1.tar)" 2>/dev/null
		is "... and nothing else" "$(store_state)" "$before"
	done
fi

# Closed standard descriptors are not taken for files of the store.
is "without stdin" "$(ovlctl import -n x a.tar <&-)" "$(ovlctl ls -nr -o ID a)"
ovlctl import big.tar >/dev/null 2>&- <&-
is "without stdin and stderr" "$(ovlctl ls -n | wc -l)" 2
ovlctl create >&- 2>err
is "without stdout: a failure that says so" "$(cat err)" \
	"ovlctl: create: cannot write to standard output: Bad file descriptor"
if [ -e /dev/full ]; then
	fails 1 "cannot write to standard output: No space left" "a full stdout" \
		sh -c 'exec ovlctl ls >/dev/full'
	fails 1 "cannot write to standard output: No space left" "... of du" \
		sh -c 'exec ovlctl du >/dev/full'
	for c in ls 'diff --tar app:1' 'show app:1'; do
		fails 1 "cannot write (to standard output|the tar): No space left" "... of $c of another program's store" \
			sh -c "exec ovlctl --root docker $c >/dev/full"
	done
fi

# File size and descriptor limits are errors.
before=$(store_state)
noise 20000000 >noise2
tar -cf big2.tar noise2
fails 1 "cannot write 'noise2': File too large" "a file size limit" sh -c 'ulimit -f 1000; exec ovlctl import big2.tar'
is "... leaves nothing" "$(store_state)" "$before"
fails 1 "Too many open files" "too few descriptors" sh -c 'ulimit -n 10; exec ovlctl import big2.tar'
is "... leaves nothing" "$(store_state)" "$before"
fails 1 "Too many open files" "too few descriptors for --from" sh -c "ulimit -n 10; exec $from"
is "... leaves nothing" "$(store_state)" "$before"
fails 1 "Too many open files" "... for another program's store" \
	sh -c 'ulimit -n 5; exec ovlctl --root docker diff --tar app:1'
if ! as_user; then
	mkdir small
	mount -t tmpfs -o size=10M none small
	OVLCTL_ROOT=$T/small/store ovlctl import a.tar >/dev/null
	s=$(OVLCTL_ROOT=$T/small/store store_state)
	OVLCTL_ROOT=$T/small/store fails 1 "cannot write 'noise2': No space left" "a full disk" \
		ovlctl import big2.tar
	is "... leaves nothing" "$(OVLCTL_ROOT=$T/small/store store_state)" "$s"
	mount -o remount,nr_inodes=60 small
	seq 100 | sed 's/.*/file name=f&/; $a end' | mktar >many.tar
	OVLCTL_ROOT=$T/small/store fails 1 "cannot create 'f[0-9]*': No space left" "no inodes left" \
		ovlctl import many.tar
	is "... leaves nothing" "$(OVLCTL_ROOT=$T/small/store store_state)" "$s"
	umount small
fi

# The same layer imported by eight processes at the same time is one layer.
for i in 1 2 3 4 5 6 7 8; do
	ovlctl import -n same -p a big2.tar >o$i 2>&1 &
done
wait
is "eight imports of one layer: one id" "$(sort -u o? | grep -cE '^[0-9a-f]{64}$')" 1
is "... one layer" "$(ovlctl ls -nr -o NAME same)" same
is_overlay || is "... no link that leads nowhere" "$(find "$OVLCTL_ROOT/$DRV/l" -xtype l)" ""
is "... no staging" "$(ls "$OVLCTL_ROOT/staging")" ""

for i in 1 2 3 4 5 6 7 8; do
	$from >o$i 2>&1 &
done
wait
is "eight imports from one store: one id" "$(sort -u o? | grep -cE '^[0-9a-f]{64}$')" 1
is "... and nothing else is said" "$(grep -vcE '^[0-9a-f]{64}$' o? | grep -v ':0$')" ""
is "... no staging" "$(ls "$OVLCTL_ROOT/staging")" ""
need - ovlctl rm -r "$(sha 1.tar)"

# The same name for eight layers at the same time: one gets it, no other layer stays.
n=$(ovlctl ls -n | wc -l)
for i in 1 2 3 4 5 6 7 8; do
	(ovlctl create -n wanted a >o$i 2>&1; echo $? >s$i) &
done
wait
is "eight creates with one name: one wins" "$(cat s? | sort | tr '\n' ' ')" "0 5 5 5 5 5 5 5 "
is "... and is the only new layer" "$(ovlctl ls -n | wc -l)" $((n + 1))

# Waiting and not waiting.
dir=$OVLCTL_ROOT/$DRV/$(ovlctl ls -nr -o ID wanted)
exec 8<"$dir" 7<"$OVLCTL_ROOT/names"
flock 8
fails 4 "layer 'wanted' is in use by another process" "--nowait" ovlctl --nowait mount wanted
fails 4 "layer 'wanted' is in use by another process" "--wait 0 is the same" ovlctl --wait 0 mount wanted
fails 4 "layer 'wanted' is in use by another process" "rm does not wait" ovlctl rm wanted
fails 4 "layer 'wanted' is in use by another process" "nor does commit" ovlctl commit wanted
fails 125 "layer 'wanted' is in use by another process" "nor does run with --nowait" ovlctl --nowait run wanted true
fails 4 "layer 'wanted' is in use by another process" "--wait, and it stays so" ovlctl --wait 1 diff wanted
fails 4 "layer 'wanted' is in use by another process" "rm waits as long as it is told to" ovlctl --wait 1 rm wanted
(sleep 0.3; flock -u 8) &
ok "mount waits" ovlctl mount wanted
is "... and says nothing where nobody sees it" "$(cat "$T/.err")" ""
wait
ovlctl umount wanted
for c in 'diff wanted' 'which -a wanted f' 'commit --keep wanted' 'rm -r wanted'; do
	flock 8
	(sleep 0.3; flock -u 8) &
	ok "--wait 60 $c: waits until it is free" ovlctl --wait 60 $c
	wait
	# Commit replaces it by another layer.
	[ ! -e "$OVLCTL_ROOT/names/wanted" ] || exec 8<"$OVLCTL_ROOT/names/wanted"
done
mkdir on
need - ovlctl create -n on --on on
exec 8<"$OVLCTL_ROOT/names/on"
flock 8
fails 4 "layer 'on' is in use by another process" "apply does not wait" ovlctl apply on
fails 125 "layer 'on' is in use by another process" "nor does run with --nowait" ovlctl --nowait run on true
(sleep 0.3; flock -u 8) &
ok "run waits" ovlctl run on touch on/new
wait
flock 8
(sleep 0.3; flock -u 8) &
ok "--wait 60 apply: waits" ovlctl --wait 60 apply on
wait
is "... and is done" "$(ls on)" new
flock 7
is "... of what was run" "$(ovlctl --nowait run -n late --on on true 2>err >out; echo $?)" 125
like "... which is kept" "the list of names is in use by another process.*; the changes are kept as layer" \
	"$(cat err)"
need - ovlctl rm "$(cat out)"
fails 4 "the list of names is in use by another process" "--nowait, of names" ovlctl --nowait tag a b
fails 4 "the list of names is in use by another process" "... that come with a layer" ovlctl --nowait create -n wanted a
is "... which is not there" "$(ovlctl ls wanted 2>/dev/null)" ""
ok "who needs none does not care" ovlctl --nowait diff a
flock -u 7
need - ovlctl create -n wanted a
exec 8<"$OVLCTL_ROOT/names/wanted"
flock 8
ovlctl -v --wait 60 diff wanted >out 2>err &
pid=$!
soon "with -v a wait is said" grep -q waiting err
kill -TERM $pid
wait $pid
is "a signal ends it" "$?:$(cat err)" \
	"143:ovlctl: diff: waiting for another process to finish with layer 'wanted'"
if command -v script >/dev/null; then
	for w in '' '--wait 60'; do
		flock 8
		: >typescript
		(until_true grep -q waiting typescript; flock -u 8) &
		is "on a terminal a wait is said, once: $w" \
			"$(script -fqec "ovlctl $w diff wanted" typescript </dev/null | tr -d '\r')" \
			"ovlctl: diff: waiting for another process to finish with layer 'wanted'"
		wait
	done
	flock 8
	like "... and what became of it" "in use by another process" \
		"$(script -qec 'ovlctl --wait 1 diff wanted' /dev/null </dev/null)"
	flock -u 8
	flock 8
	is "... not with -q" "$(script -qec 'ovlctl -q --wait 1 mount wanted' /dev/null </dev/null | grep -c waiting)" 0
	flock -u 8
	# Progress, on a terminal only, when it takes longer than half a second.
	out=$(script -qec "(for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; dd if=big.tar bs=3000000 skip=\$((i - 1)) count=1 2>/dev/null; done; tail -c +30000001 big.tar) | ovlctl import -p a -" /dev/null </dev/null)
	like "a progress line on a terminal" 'import: [0-9.]+M, [0-9.]+[KM]/s, 1 entries' "$out"
	like "... with \\r and no escape sequences" '^.import' "$(printf '%s' "$out" | tr '\r' '@' | head -1)"
	no "... none" sh -c "printf '%s' \"\$1\" | grep -q '$(printf '\033')'" - "$out"
	narrow=$(script -qec "stty cols 20; (head -c 3000000 big.tar; sleep 0.8; tail -c +3000001 big.tar) | ovlctl import -p a -" /dev/null </dev/null)
	like "... on a narrow one" 'import: ' "$narrow"
	is "... within its width" \
		"$(printf '%s' "$narrow" | tr '\r' '\n' | grep '^import:' | awk 'length > 19')" ""
	need id ovlctl import big.tar
	for c in 'diff --tar' 'export --format tar'; do
		to=; [ "$c" = 'diff --tar' ] || to=-
		like "... of $c" '(diff|export): [0-9.]+[KM] of 28.6M, [0-9.]+[KM]/s$' \
			"$(script -qec "ovlctl $c $id $to | (head -c 1; sleep 0.8; cat) >/dev/null" /dev/null </dev/null |
				tr '\r' '\n' | sed 's/ *$//; s/, ETA.*//')"
	done
	if can_trace; then
		slow="strace -f -qq -o /dev/null -e trace=pread64,unlinkat -e inject=pread64,unlinkat:delay_enter=700000:when=3"
		like "... of check" 'check: [0-9.]+[KM] of [0-9.]+[KM], [0-9.]+[KM]/s, [0-9]+ entries' \
			"$(script -qec "$slow ovlctl check --content" /dev/null </dev/null)"
		# A complete tree has more files than its tar has entries.
		is_overlay && of='' || of='[0-9]+ of '
		like "... of rm" "rm: ${of}[0-9]+ entries" "$(script -qec "$slow ovlctl rm $id" /dev/null </dev/null)"
	fi
fi
is "no progress to a pipe" "$( (sleep 0.7; cat big2.tar) | ovlctl import - 2>&1 >/dev/null)" ""

if can_trace; then
	# A layer that is imported again while it is removed is known to its parent.
	S=$OVLCTL_ROOT
	printf 'file name=low data=1\nend\n' | mktar >low.tar
	need base ovlctl import low.tar
	printf 'file name=g data=1\nend\n' | mktar >g.tar
	need id ovlctl import -p $base g.tar
	traced -qq -o /dev/null -e trace=unlinkat -e inject=unlinkat:delay_enter=1000000:when=1 ovlctl rm $id &
	until_true [ ! -e "$S/$DRV/$id" ]
	is "a layer that is imported while it is removed" "$(ovlctl import -p $base g.tar)" $id
	wait
	fails 4 "has layers on top of it" "... keeps its parent" ovlctl rm $base
	is "... check" "$(ovlctl check | grep -v ^note)" ""

	# Layers of an image that have appeared stay while the next ones appear.
	sha() { sha256sum <"$1" | cut -d' ' -f1; }
	printf 'file name=h data=1\nend\n' | mktar >h.tar
	printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s"]}}' \
		"$(sha g.tar)" "$(sha h.tar)" >c.json
	echo '[{"Config":"c.json","Layers":["g.tar","h.tar"]}]' >manifest.json
	tar -cf image.tar g.tar h.tar c.json manifest.json
	g=$(sha g.tar)
	held() { # WHAT CALL WHEN
		: >calls
		traced -qq -o calls -e trace=$2 -e inject=$2:signal=STOP:when=$3 \
			ovlctl import image.tar >out 2>err &
		until_true has_stopped calls
		fails 4 "in use by another process|has layers on top of it" "$1" ovlctl rm $g
		go_on calls
		wait
		is "... which is done then" "$(cat err)" ""
		ok "... and both are there" ovlctl rm -r $g
	}
	held "the lower layer of an image that is imported" renameat2 1
	need - ovlctl import g.tar
	held "... one that was there before" mkdirat 2

	# A command that waits for a layer during a commit gets the image layer by its name.
	need id ovlctl create -n moves $base
	echo new >"$S/$DRV/$id/$UPPER/f"
	: >calls
	traced -qq -o calls -e trace=fsync -e inject=fsync:signal=STOP:when=1 ovlctl commit moves >out 2>err &
	until_true has_stopped calls
	ok "the set-up: the layer is at its place" test -e "$S/$DRV/$id/.image/.layer"
	ovlctl -v diff moves >list 2>said &
	until_true grep -q waiting said
	go_on calls
	wait
	is "a name whose layer is committed meanwhile" "$(cat list)" "A /f"
	is "... is that of the image layer" "$(ovlctl ls -nr -o ID moves)" "$(cat out)"
fi

done_testing
