#!/bin/sh
. "$(dirname "$0")/../lib.sh"

printf 'file name=a data=1\nend\n' | mktar >a.tar
printf 'file name=b data=1\nend\n' | mktar >b.tar
need a ovlctl import -n a a.tar
need b ovlctl import -n b -p a b.tar
need w ovlctl create -n w b
names() { ovlctl ls -nr -o NAME "$1"; }
notes() { ls -A "$OVLCTL_ROOT/$DRV/$1/.names" | tr '\n' ' '; }

is "it prints nothing" "$(ovlctl tag a one)" ""
is "a second name" "$(names "$a")" "a,one"
ok "the same again" ovlctl tag one one
ok "... by id" ovlctl tag "$a" one
is "... changes nothing" "$(names "$a")" "a,one"
ok "by a prefix; with every character" ovlctl tag "$(echo "$a" | cut -c1-12)" 'Az09._/:@+-'
is "... is found" "$(ovlctl ls -nr -o ID 'Az09._/:@+-')" "$a"
ok "a writable layer" ovlctl tag w work:latest
is "... has it" "$(names "$w")" "w,work:latest"

before=$(store_state)
fails 5 "the name 'one' is already used by layer $(echo "$a" | cut -c1-12)" "a name that another layer has" ovlctl tag b one
fails 5 "the name 'one' is already used by layer" "... given to a new layer" ovlctl create -n one b
fails 2 "'-x' is not a valid name" "no name" ovlctl tag b -- -x
fails 2 "is not a valid name" "an id" ovlctl tag b "$a"
fails 2 "is not a valid name" "too long" ovlctl tag b "$(printf '%0201d' 0)"
fails 3 "no such layer 'nothing'" "no layer" ovlctl tag nothing x
need - ovlctl tag b localhost/nothing:1
need - ovlctl tag a latest/of:latest
fails 3 "no such layer 'latest/of'; did you mean 'latest/of:latest'\?" "a name without its tag" ovlctl tag latest/of x
ovlctl tag -d latest/of:latest
fails 3 "no such layer 'nothing:1'; did you mean 'localhost/nothing:1'\?" "... with a host before it" ovlctl tag nothing:1 x
need - ovlctl tag -d localhost/nothing:1
fails 5 "; --force takes it away" "the next step" ovlctl tag b one
fails 2 "expected LAYER NAME; see" "one operand" ovlctl tag a
fails 2 "takes one NAME" "-d with two" ovlctl tag -d a b
fails 2 "takes one NAME" "-d without a name" ovlctl tag -d
fails 2 "expected LAYER NAME; see" "no operand" ovlctl tag
fails 2 "cannot be used together" "-d --force" ovlctl tag -d --force a
fails 3 "no such name 'nothing'" "-d of a name nobody has" ovlctl tag -d nothing
fails 3 "no such name '$b'" "-d of an id" ovlctl tag -d "$b"
fails 3 "no such name '$(echo "$b" | cut -c1-12)'" "-d of a prefix" ovlctl tag -d "$(echo "$b" | cut -c1-12)"
is "nothing has changed" "$(store_state)" "$before"
fails 3 "no such name 'x'" "-d without a store" ovlctl --root "$T/none" tag -d x
fails 3 "no such layer 'x'" "no store" ovlctl --root "$T/none" tag x y
ok "... and none is made" test ! -e "$T/none"

ok "--force" ovlctl tag --force b one
is "... moves it" "$(ovlctl ls -nr -o NAME "$a" "$b" | tr '\n' ' ')" "Az09._/:@+-,a b,one "
is "... and its note" "$(notes "$a")$(notes "$b")" "Az09._%2F:@+- a b one "
ok "-d" ovlctl tag -d one
is "... takes it away" "$(ovlctl ls -nr -o NAME "$b")" b
is "... and its note" "$(notes "$b")" "b "
ok "the last name" ovlctl tag -d b
is "... can go too" "$(ovlctl ls -nr -o NAME,KIND "$b")" " image"
fails 3 "no such layer 'b'" "... the layer has no name then" ovlctl show b
ok "... and can get it back" ovlctl tag "$b" b

# A dangling name belongs to no layer.
ln -s "../$DRV/$(printf '%064d' 7)" "$OVLCTL_ROOT/names/dangling"
fails 3 "no such name 'dangling'" "-d of a name without a layer" ovlctl tag -d dangling
ok "... which is free" ovlctl tag a dangling
ovlctl tag -d dangling

# The config of an image belongs to its name.
c=$(printf '%064d' 1)
c2=$(printf '%064d' 2)
mkdir "$OVLCTL_ROOT/$DRV/$b/.configs"
echo '{"n":1}' >"$OVLCTL_ROOT/$DRV/$b/.configs/$c"
echo '{"n":2}' >"$OVLCTL_ROOT/$DRV/$b/.configs/$c2"
ovlctl tag b img:1
ovlctl tag b img:2
printf %s "$c" >"$OVLCTL_ROOT/$DRV/$b/.names/img:1"
printf %s "$c2" >"$OVLCTL_ROOT/$DRV/$b/.names/img:2"
ovlctl tag img:1 copy
is "a name gets the config of the name it was made from" "$(cat "$OVLCTL_ROOT/$DRV/$b/.names/copy")" "$c"
ovlctl tag img:2 copy
is "... again, from another name" "$(cat "$OVLCTL_ROOT/$DRV/$b/.names/copy")" "$c2"
ovlctl tag "$b" copy
is "... by id it keeps what it has" "$(cat "$OVLCTL_ROOT/$DRV/$b/.names/copy")" "$c2"
touch -d @1 "$OVLCTL_ROOT/$DRV/$b/.configs/$c2"
ovlctl -q tag "$b" copy
is "... also if that is not the latest" "$(cat "$OVLCTL_ROOT/$DRV/$b/.names/copy")" "$c2"
ovlctl -q tag "$b" bare
is "... a new one gets the latest" "$(cat "$OVLCTL_ROOT/$DRV/$b/.names/bare")" "$c"
ovlctl tag --force a copy
is "... nor one that moves to another layer" "$(cat "$OVLCTL_ROOT/$DRV/$a/.names/copy")" ""
printf %s "$c2" >"$OVLCTL_ROOT/$DRV/$b/.names/copy"
ovlctl -q tag --force "$b" copy
is "... nor does an old note count" "$(cat "$OVLCTL_ROOT/$DRV/$b/.names/copy")" "$c"

# A name that was reported is synced, unless --sync=none is given.
if can_trace; then
	for s in data all none; do
		traced -o trace -e trace=fsync,syncfs,symlinkat ovlctl --sync=$s tag a "s/$s"
		is "--sync=$s" "$(sed 's/^[0-9]* *//; s/(.*//' trace | grep sync | tr '\n' ' ')" \
			"$([ $s = none ] || echo "syncfs syncfs ")"
		traced -o trace -e trace=fsync ovlctl --sync=$s tag -d "s/$s"
		is "... and -d" "$(grep -c fsync trace)" "$([ $s = none ] && echo 0 || echo 2)"
	done
	for n in 1 2 3; do
		traced -qq -o /dev/null -e trace=/rename,/symlink -e inject=/rename,/symlink:signal=KILL:when=$n \
			ovlctl tag --force b moved/$n 2>/dev/null
		ovlctl ls >/dev/null
	done
	ovlctl tag --force b moved
	for n in 1 2; do
		traced -qq -o /dev/null -e trace=/rename,/symlink -e inject=/rename,/symlink:signal=KILL:when=$n \
			ovlctl tag --force a moved 2>/dev/null
		like "killed, the name is one's or the other's" "^($a|$b)$" "$(ovlctl ls -nr -o ID moved)"
	done
	ls -A "$OVLCTL_ROOT/names" | grep '^\.' | while read -r f; do rm "$OVLCTL_ROOT/names/$f"; done
fi

# Many at the same time: one has the name in the end.
i=0
while [ $i -lt 20 ]; do
	ovlctl tag --force "$([ $((i % 2)) = 0 ] && echo "$a" || echo "$w")" race &
	i=$((i + 1))
done
wait
like "races end with one owner" "^($a|$w)$" "$(ovlctl ls -nr -o ID race)"

ovlctl rm -r a
is "nothing is left" "$(ls -A "$OVLCTL_ROOT/names")$(ovlctl ls)" ""

# A name that looks like the id of another layer would hide it.
need a ovlctl import -n a1 a.tar
need id ovlctl import -n b1 b.tar
for name in $(printf %.4s "$id") $(printf %.12s "$id") $(printf %.63s "$id"); do
	fails 1 "the name '$name' is a prefix of the id of layer $(printf %.12s "$id")" \
		"the beginning of another's id: ${#name} digits" ovlctl tag a1 "$name"
	fails 1 "is a prefix of the id" "... nor by force" ovlctl tag --force a1 "$name"
	fails 1 "is a prefix of the id" "... nor by create" ovlctl create -n "$name" a1
	is "... the layer is found by it" "$(ovlctl ls -nr -o ID "$name")" "$id"
done
fails 2 "is not a valid name" "a diff id" ovlctl tag a1 "sha256:$id"
ok "the beginning of its own" ovlctl tag b1 "$(printf %.12s "$id")"
ok "... once more" ovlctl tag b1 "$(printf %.12s "$id")"
ovlctl tag -d "$(printf %.12s "$id")"
fails 1 "is a prefix of the id" "import -n" sh -c "printf 'file name=new\nend\n' | mktar | ovlctl import -n $(printf %.5s "$id") -"
ok "hex digits that no id begins with" ovlctl tag a1 "$(printf %.12s "$id" | tr 0-9a-f 1-9a-f0)"

# Without a note a symlink is not a name: if it cannot be removed, both stay.
need - ovlctl tag a1 kept
before=$(store_state)
failing() { # CALL N: with an error at the Nth such call
	traced -qq -o /dev/null -e trace="$1" -e inject="$1:error=EIO:when=$2" ovlctl tag -d kept
}
if can_trace; then
	traced -qq -o calls -e trace=openat ovlctl tag -d kept
	opens=$(grep -n "\"$a\"" calls | head -1 | cut -d: -f1)
	need - ovlctl tag a1 kept
	for at in "openat $opens" 'fsync 1' 'fsync 2' 'unlinkat 1'; do
		# shellcheck disable=SC2086 # a call and a number
		fails 1 "cannot remove the name 'kept': Input/output error" "-d, failing: $at" failing $at
		is "... changes nothing" "$(store_state)" "$before"
		ok "... check finds nothing" ovlctl check
	done
fi

# A tag that is killed has given the name or not; a repair does not give it later.
if can_trace; then
	printf 'file name=k data=k\nend\n' | mktar >k.tar
	need - ovlctl import -n k k.tar
	calls_of mkdirat,openat,symlinkat,/rename,syncfs,unlinkat,flock,/chmod ovlctl tag k k/t >points
	ovlctl tag -d k/t
	failed=
	while read -r point; do
		killed_at $point ovlctl tag k k/t >out 2>&1 </dev/null
		was=$(ovlctl ls -nr -o NAME k)
		ovlctl check --repair >out 2>&1
		[ "$(ovlctl ls -nr -o NAME k)" = "$was" ] || failed="$failed $point"
		ovlctl tag -d k/t 2>/dev/null
		ovlctl prune >out
	done <points
	is "a repair gives no name of a tag that was killed" "$failed" ""
	ok "... some were" test "$(wc -l <points)" -gt 5

	# Nor a name that was taken from another layer and then removed.
	need - ovlctl tag b1 k/t
	calls_of mkdirat,openat,symlinkat,/rename,syncfs,unlinkat,flock,/chmod ovlctl tag --force k k/t >points
	failed=
	while read -r point; do
		ovlctl tag --force b1 k/t
		killed_at $point ovlctl tag --force k k/t >out 2>&1 </dev/null
		case $(ovlctl ls -nr -o ID k/t) in
		"$(ovlctl ls -nr -o ID b1)" | "$(ovlctl ls -nr -o ID k)") ;;
		*) failed="$failed $point: nobody has it" ;;
		esac
		ovlctl tag -d k/t
		ovlctl check >out 2>&1
		! grep lost-name out || failed="$failed $point: $(cat out)"
		need - ovlctl tag b1 k/t
	done <points
	is "... nor one that it took from another layer" "$failed" ""
	ok "... some were" test "$(wc -l <points)" -gt 5
	ovlctl tag -d k/t
	is "what such a tag leaves is pruned" "$(ovlctl prune >out; find "$OVLCTL_ROOT/$DRV" -path '*/.names/k%2Ft')" ""

	# The name of a layer that a killed commit was about to move back.
	for how in -d '--force k'; do
		n=0
		while
			need w ovlctl create -n back k
			echo new >"$OVLCTL_ROOT/$DRV/$w/$UPPER/new"
			n=$((n + 1))
			killed_at fsync $n ovlctl commit --keep -n "done" back >out 2>err
			[ -d "$OVLCTL_ROOT/$DRV/$w" ] && [ $n -lt 15 ]
		do
			ovlctl rm -f back
			ovlctl prune >out
		done
		ok "a commit --keep was killed after its step" test ! -d "$OVLCTL_ROOT/$DRV/$w"
		# shellcheck disable=SC2086 # an option and an operand
		ok "tag $how of a layer to be put back" ovlctl tag $how back
		case $how in
		-d) is "... it has no name then" "$(ovlctl ls -nr -o NAME,KIND "$w")" " writable" ;;
		*) is "... it has moved" "$(ovlctl ls -nr -o ID back)" "$(ovlctl ls -nr -o ID k)" ;;
		esac
		is "... check finds nothing" "$(ovlctl prune >out; ovlctl check)" ""
		ovlctl rm -r "done"
	done
	ovlctl rm k
fi

done_testing
