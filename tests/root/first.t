#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# The first import or create that succeeds makes the store; one that fails leaves nothing.
printf 'file name=f data=1\nend\n' | mktar >a.tar
printf 'file name=../f data=1\nend\n' | mktar >out.tar
head -c 1000 a.tar >cut.tar
echo x >bad.tar
image_of image.tar a.tar
mkdir x
tar -C x -xf image.tar
echo >>x/a.tar
tar -C x -cf wrong.tar .
rm -r x

OVLCTL_ROOT=$T/new/in/here
gone() { # WHAT STATUS COMMAND...
	what=$1 want=$2
	shift 2
	"$@" >out 2>err </dev/null
	is "$what: fails" "$?" "$want"
	is "... and leaves nothing" "$(ls -A "$T/new" 2>/dev/null)$(ls -d "$T/new" 2>/dev/null)" ""
}
gone "create on a layer that is not there" 3 ovlctl create nope
gone "create with a name that is none" 2 ovlctl create -n 'a b'
gone "import of a file that is not there" 1 ovlctl import nope.tar
gone "import of what is no tar" 1 ovlctl import bad.tar
gone "import of a tar that is cut off" 1 ovlctl import cut.tar
gone "import of a name that leads out" 1 ovlctl import out.tar
gone "import with another diff id" 1 ovlctl import --expect "$(printf '%064d' 1)" a.tar
gone "import on a layer that is not there" 3 ovlctl import -p nope a.tar
gone "import of an image with a wrong layer" 1 ovlctl import wrong.tar
gone "import of nothing through a pipe" 1 ovlctl import -
gone "a store of the other driver" 3 ovlctl --driver overlay create nope
gone "a command that was given wrongly" 2 ovlctl import

mkfifo pipe
ovlctl import --as layer - <pipe >out 2>err &
pid=$!
exec 9>pipe
head -c 700 a.tar >&9
until_true found "$OVLCTL_ROOT/staging/*"
ok "an import from a pipe works in a new store" test "$(ls "$OVLCTL_ROOT/staging")"
# Another one that fails at the same time removes nothing.
ovlctl create nope 2>/dev/null
kill $pid
exec 9>&-
wait $pid
is "stopped, it dies of the signal" $? 143
is "... and leaves nothing" "$(ls -d new 2>&1)" "ls: cannot access 'new': No such file or directory"

# An existing directory stays, with lost+found in it.
mkdir -p new/in/here/lost+found
chmod 750 new/in/here
ovlctl import bad.tar 2>/dev/null
is "a directory that was there stays as it was" "$(ls -A new/in/here) $(stat -c %a new/in/here)" "lost+found 750"
rm -r new

ok "create makes the store" ovlctl create -n w
is "... and the way to it" "$(stat -c '%n %a' new new/in new/in/here)" "new 755
new/in 755
new/in/here 700"
ovlctl import bad.tar 2>/dev/null
ovlctl rm w
ovlctl import bad.tar 2>/dev/null
ok "a store that was there stays, though it is empty" test -e "$OVLCTL_ROOT/stamp"
rm -r new

# ---- two first commands at once -----------------------------------------------------

# The one that fails has made the store, which the other one continues to use.
ovlctl import --as layer - <pipe >out 2>err &
pid=$!
exec 9>pipe
head -c 700 a.tar >&9
until_true found "$OVLCTL_ROOT/staging/*"
ok "a second first command succeeds" ovlctl create -n w
exec 9>&-
wait $pid
is "... the first one fails" $? 1
is "... and what the second one made stays" "$(ovlctl ls -nr -o NAME)" w
ok "... sound" ovlctl check

failed=
for i in 1 2 3 4 5 6 7 8 9 10; do
	rm -rf new
	for j in 1 2 3 4 5; do
		ovlctl create nope 2>/dev/null &
		ovlctl create -n w$j >/dev/null 2>err$j &
	done
	wait
	[ "$(ovlctl ls -nr -o NAME | sort | tr '\n' ' ')" = "w1 w2 w3 w4 w5 " ] ||
		failed="$failed $i: $(cat err?)"
	ovlctl check >out || failed="$failed $i: $(cat out)"
done
is "five that succeed and five that fail, all first" "$failed" ""
no "... the store is not new any more" test -e "$OVLCTL_ROOT/.stamp.new"

# The last one removes the store and its new parents, whoever made them.
rm -rf new
failed=
for i in $(seq 20); do
	for j in 1 2 3 4; do
		ovlctl create nope 2>/dev/null &
		ovlctl import bad.tar 2>/dev/null &
	done
	wait
	[ ! -e new ] || failed="$failed $i: $(find new | tr '\n' ' ')"
	rm -rf new
done
is "eight that fail leave nothing, twenty times" "$failed" ""
mkdir -p new/in/here
for j in 1 2 3 4 5 6 7 8; do
	ovlctl create nope 2>/dev/null &
done
wait
is "... nor do they remove an empty directory that was there" "$(find new)" "new
new/in
new/in/here"
rm -r new

# A first command makes "new" and removes it at its end, unless a second one has recreated a
# part of the path by then.
if can_trace; then
	slow() { # OUTPUT DELAY DELAY CREATE-ARGUMENTS...
		output=$1 one=$2 another=$3
		shift 3
		traced -qq -o "$output" -P "$T/new" -P "$T/new/in" -P "$OVLCTL_ROOT" \
			-e inject="$one" -e inject="$another" ovlctl create "$@" 2>/dev/null
	}
	recreate() { # MICROSECONDS-BEFORE-THE-ROOT MICROSECONDS-BEFORE-THE-STAMP CREATE-ARGUMENTS...
		root=mkdir:delay_exit=$1:when=2 stamp=getdents64:delay_enter=$2:when=1
		shift 2
		slow calls rmdir:delay_enter=150000:when=3+ getdents64:delay_enter=250000:when=3+ nope &
		until_true grep -q 'rmdir.*/in") *= 0' calls
		slow /dev/null "$root" "$stamp" "$@"
	}
	recreate 1 300000 nope
	wait
	no "the first knows that \"new\" is new, though the second makes the stamp meanwhile" test -e new
	rm -rf new calls
	ok "a root without a stamp is not removed" recreate 225000 200000 -n w
	wait
	is "... and has the layer" "$(ovlctl ls -nr -o NAME)" w
	rm -r new
fi

# A file system that cannot hold a store is refused before anything is written to it.
if can_trace; then
	traced -qq -o opens -e trace=openat ovlctl --root new/in create >/dev/null
	rm -r new
	n=$(grep -n O_TMPFILE opens | cut -d: -f1)
	for call in linkat:error=EPERM renameat2:error=EINVAL; do
		fails 1 "cannot make the store '$T/new/in': its file system has no hard links or no RENAME_NOREPLACE" \
			"a file system without O_TMPFILE and ${call%%:*}" \
			traced -qq -o /dev/null -e trace="openat,${call%%:*}" -e inject=openat:error=EOPNOTSUPP:when=$n \
			-e inject="$call" ovlctl --root new/in create
		no "... nothing is left" test -e new
	done
fi

# A script may lock the directory, too, and is waited for as usual.
mkdir -p new/in/here
fails 4 "the store is in use by another process" "a root that is locked, with --nowait" \
	flock new/in/here ovlctl --nowait create
is "... it stays" "$(find new)" "new
new/in
new/in/here"
rm -r new
mkdir taken
for file in new lock; do
	echo mine >taken/$file
	fails 1 "taken' is not empty" "a directory with another's file '$file'" ovlctl --root taken create nope
	is "... which stays" "$(cat taken/$file)" mine
	rm -f taken/$file
done
ovlctl --root new/./in/../at create nope 2>/dev/null
no "a path with dots: no store is left" test -e new/at
ok "... and what is above it stays" test -e a.tar

done_testing
