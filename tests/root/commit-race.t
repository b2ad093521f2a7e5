#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: as user too

# Six commits race for one name: one gets it, and the writable layers of the others are
# unchanged. At no time does a name have no layer, or is a layer missing from a list.
: "${RACE_ROUNDS:=$(short && echo 1 || echo 3)}"
S=$OVLCTL_ROOT
printf 'file name=f data=1\nend\n' | mktar >a.tar
need - ovlctl import -n a a.tar

# All of them have seen the name free before the first takes it.
slowly() {
	if can_trace; then
		traced -qq -o /dev/null -e trace=syncfs -e inject=syncfs:delay_enter=200000 "$@"
	else
		"$@"
	fi
}

race() { # WHAT [OPTION...]
	what=$1
	shift
	failed=
	round=0
	while [ $round -lt "$RACE_ROUNDS" ] && [ ! "$failed" ]; do
		round=$((round + 1))
		for i in 1 2 3 4 5 6; do
			need id ovlctl create -n w$i a
			echo "$id" >id.$i
			echo "$round $i" >"$S/$DRV/$id/$UPPER/new"
		done
		rm -f rc.*
		for i in 1 2 3 4 5 6; do
			(slowly ovlctl commit "$@" -n same w$i >out.$i 2>err.$i; echo $? >rc.$i) &
		done
		while [ "$(cat rc.* 2>/dev/null | wc -l)" -lt 6 ]; do
			listed=$(ovlctl ls -n -r -o NAME w1 w2 w3 w4 w5 w6 2>&1)
			[ "$(echo "$listed" | grep -c '^[^ ]*w[1-6]')" = 6 ] ||
				failed="$failed $round: a name was nobody's: $listed"
			[ "$(ovlctl ls -nr -o ID | wc -l)" -ge 7 ] || failed="$failed $round: a layer was missing"
		done
		wait
		won=0
		for i in 1 2 3 4 5 6; do
			kind=$(ovlctl ls -nr -o KIND w$i)
			case $(cat rc.$i) in
			0)
				won=$((won + 1))
				[ "$(cat out.$i)" = "$(ovlctl ls -nr -o ID same)" ] || failed="$failed $round: same is another"
				[ "$(ovlctl diff --tar same | tar -xOf - new)" = "$round $i" ] || failed="$failed $round: $i is lost"
				[ "$kind" = "${kept:-image}" ] || failed="$failed $round: $i is $kind"
				;;
			5)
				grep -Eq "^ovlctl: commit: the name 'same' is (already used by layer [0-9a-f]*|being given to another layer by a commit)$" err.$i ||
					failed="$failed $round: $i said $(cat err.$i)"
				[ "$kind$(ovlctl ls -nr -o ID w$i)$(cat "$S/$DRV/$(cat id.$i)/$UPPER/new")" = \
					"writable$(cat id.$i)$round $i" ] || failed="$failed $round: $i is not as it was"
				;;
			*) failed="$failed $round: $i ended with $(cat rc.$i): $(cat err.$i)" ;;
			esac
		done
		[ $won = 1 ] || failed="$failed $round: $won have won"
		[ "$(ovlctl check)" = "" ] || failed="$failed $round: $(ovlctl check)"
		ls "$S/staging" | grep -q . && failed="$failed $round: staging: $(ls "$S/staging")"
		ovlctl rm -r same w1 w2 w3 w4 w5 w6 2>/dev/null || ovlctl rm -f -r same w1 w2 w3 w4 w5 w6
	done
	is "$what, $RACE_ROUNDS times" "$failed" ""
}
kept=
race "six commits with one name"
kept=writable
race "six commits --keep with one name" --keep

# prune lists staging/W while the layer is in its place, but examines it only after the commit
# has taken the layer away: it must come back from there.
if can_trace && ! is_overlay; then
	need w ovlctl create -n w a
	echo new >"$S/$DRV/$w/$UPPER/new"
	# The driver's directory is synced after the rename.
	traced -qq -o committed -P "$S/$DRV/$w" -P "$S/$DRV" -e trace=syncfs,fsync \
		-e inject=syncfs,fsync:signal=STOP ovlctl commit --keep -n c w >out 2>err &
	pid=$!
	until_true has_stopped committed
	ok "the layer is in its place, and staging/W exists" test -L "$S/staging/$w/.image-layer" -a -d "$S/$DRV/$w"
	# The first two calls are of the search for commits to finish.
	traced -qq -o pruned -P "$S/staging" -e trace=getdents64 -e inject=getdents64:signal=STOP:when=3 \
		ovlctl prune >/dev/null &
	pruner=$!
	until_true has_stopped pruned
	need committer stopped committed
	has_left() { # if not, the commit goes on
		[ ! -e "$S/$DRV/$w" ] || ! kill -CONT "$committer"
	}
	until_true has_left
	ok "... only staging/W exists" test -L "$S/staging/$w/.image-layer" -a ! -e "$S/$DRV/$w"
	go_on pruned
	wait $pruner
	go_on committed
	wait $pid
	is "prune in the middle of commit --keep" "$?$(cat err)" 0
	is "... the writable layer goes on" "$(ovlctl ls -nr -o NAME,KIND w c | sort | tr "\n" " ")" "c image w writable "
	is "... the store is sound" "$(ovlctl check)" ""
fi

# A commit -n that waits for the store's lock before its last step.
locked() { grep -q ":$(stat -c %i "$1") 0 EOF" /proc/locks; }
waits() { # LAYER
	mkfifo go
	flock "$S/lock" cat go >/dev/null &
	until_true locked "$S/lock"
	ovlctl commit -n given "$1" >out 2>err &
	pid=$!
	until_true test -L "$S/names/given"
}
goes_on() {
	echo >go
	wait $pid
	status=$?
	rm go
}
for i in 1 2; do
	need id ovlctl create -n v$i a
	echo "$i" >"$S/$DRV/$id/$UPPER/new"
done
waits v1
is "the name is nobody's yet" "$(ovlctl ls -nr -o ID given 2>&1)" "ovlctl: ls: no such layer 'given'"
is "... check says nothing of it" "$(ovlctl check)" ""
fails 5 "the name 'given' is being given to another layer by a commit" \
	"another commit with that name" ovlctl commit -n given v2
goes_on
is "... the first one is done" "$status $(ovlctl ls -nr -o NAME,KIND given)" "0 given,v1 image"
ovlctl tag -d given
waits v2
ok "a tag may come first" ovlctl tag a given
goes_on
like "... and the commit fails" "^5 .*the name 'given' is already used by layer [0-9a-f]*$" "$status $(cat err)"
is "... with nothing changed" "$(ovlctl ls -nr -o NAME,KIND v2 a | tr '\n' ' ')$(ovlctl check)" "a,given image v2 writable "

done_testing
