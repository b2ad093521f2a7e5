#!/bin/sh
. "$(dirname "$0")/../lib.sh"

make_tree src
tar --format=pax --xattrs --acls --numeric-owner -S -C src -cf a.tar .
printf 'file name=b\nend\n' | mktar >b.tar
need x ovlctl import b.tar
empty=$(store_state)
need a ovlctl import -n a a.tar
need b ovlctl import -n b -p a b.tar
need w ovlctl create -n w b
need v ovlctl create -n v b
need u ovlctl create -n u b
need t ovlctl create b

before=$(store_state)
fails 4 "layer 'a' has layers on top of it: 'b'; -r removes them, too" "a parent" ovlctl rm a
need - ovlctl tag a also/a
fails 4 "layer 'also/a' has layers on top of it: 'b'" "... by the name that was given" ovlctl rm also/a
need - ovlctl tag -d also/a
fails 4 "layer 'b' has layers on top of it: ('[0-9a-z]*', ){3}\.\.\." "a parent of many" ovlctl rm b
fails 4 "layer 'a' has layers on top of it" "together with another one" ovlctl rm u a
fails 3 "no such layer 'nowhere'" "one that is not there" ovlctl rm nowhere
fails 3 "no such layer 'nowhere'" "... with others" ovlctl rm w nowhere v
is "nothing was removed" "$(store_state)" "$before"
ok "-f: one that is not there is no error" ovlctl rm -f nowhere
is "... and nothing else" "$(store_state)" "$before"
ok "by name" ovlctl rm u
fails 3 "no such layer" "gone" ovlctl show "$u"
ok "several, by name, id and prefix; -f" ovlctl rm -f w nowhere "$v" "$(echo "$t" | cut -c1-12)"
is "all of them are gone" "$(ovlctl ls -nr -o ID | sort)" "$(printf '%s\n' "$x" "$a" "$b" | sort)"
ok "child and parent, in any order" ovlctl rm a b
is "no trace is left" "$(store_state)" "$empty"

need - ovlctl import -n a a.tar
need - ovlctl import -n b -p a b.tar
need - ovlctl create -n w b
need - ovlctl create -n v a
need m ovlctl mount w
before=$(store_state | grep -av work/)
fails 4 "layer 'w' is mounted on '$m'" "-r with a mounted child" ovlctl rm -r a
is "nothing was removed" "$(store_state | grep -av work/)" "$before"
echo 1 >"$m/file"
mkdir -p "$m/d/e"
ovlctl umount w
ok "-r" ovlctl rm -r a
is "no trace is left" "$(store_state)" "$empty"

# Names, several of them; and the same id again.
need - ovlctl import -n one a.tar
need - ovlctl import -n two/three a.tar
warning="ovlctl: rm: warning: layer 'one' also had the name 'two/three'"
is "with two names" "$(ovlctl rm one 2>&1)" "$warning"
is "no trace is left" "$(store_state)" "$empty"
need - ovlctl import -n one a.tar
need - ovlctl tag one two
is "... both were given" "$(ovlctl rm one two 2>&1)" ""
need - ovlctl import -n one a.tar
need - ovlctl tag one two
need id ovlctl ls -q one
is "... the id was given" "$(ovlctl rm "$id" 2>&1)" ""
need - ovlctl import -n one a.tar
ok "imported again" ovlctl rm one

# The contents of a tree do not matter: depth, modes, names.
need w ovlctl create -n w
d=$OVLCTL_ROOT/$DRV/$w/$UPPER
perl -e 'chdir $ARGV[0]; for (1..3000) { mkdir "d"; open F, ">f"; chdir "d" } mkdir "x"; open F, ">x/f";
	chmod 0, "x"' "$d"
is "3,000 levels deep" "$(cd "$d" && perl -e 'while (chdir "d") { $n++ } print $n')" 3000
ok "removed" sh -c 'ulimit -n 100; exec ovlctl rm w'
is "no trace is left" "$(store_state)" "$empty"
if ! as_user && command -v chattr >/dev/null; then
	need w ovlctl create -n w
	touch "$OVLCTL_ROOT/$DRV/$w/$UPPER/f"
	if chattr +i "$OVLCTL_ROOT/$DRV/$w/$UPPER/f" 2>/dev/null; then
		fails 1 "cannot remove '$OVLCTL_ROOT/trash/[0-9a-f]{64}/$UPPER/f': it is immutable.*chattr" \
			"an immutable file" ovlctl rm w
		is "... the layer is gone all the same" "$(ovlctl ls -nr -o NAME w 2>&1)" "ovlctl: ls: no such layer 'w'"
		mkdir "$OVLCTL_ROOT/trash/$(printf '%064d' 1)"
		ovlctl prune >out 2>err
		is "prune" $? 1
		like "... says the same" "/$UPPER/f': it is immutable" "$(cat err)"
		is "... takes the rest" "$(ls "$OVLCTL_ROOT/trash" | wc -l)" 1
		chattr -i "$OVLCTL_ROOT"/trash/*/$UPPER/f
		ok "... and this one, when it may" ovlctl prune
		is "... so that nothing is left" "$(ls "$OVLCTL_ROOT/trash")" ""
	fi
fi

# A removal that takes long holds no lock: to others the layer has disappeared at once.
need w ovlctl create -n w
mkdir "$OVLCTL_ROOT/$DRV/$w/$UPPER/many"
(cd "$OVLCTL_ROOT/$DRV/$w/$UPPER/many" && seq 1 20000 | xargs touch)
if can_trace; then
	ASAN_OPTIONS=detect_leaks=0 strace -f -o /dev/null -e trace=unlinkat \
		-e inject=unlinkat:delay_enter=2000 ovlctl rm w &
	pid=$!
	until_true [ ! -e "$OVLCTL_ROOT/$DRV/$w" ]
	is "gone while its tree goes" "$(ovlctl ls -nr -o NAME w 2>&1)" "ovlctl: ls: no such layer 'w'"
	ok "the name is free" ovlctl --nowait create -n w
	ok "others work" ovlctl --nowait rm w
	ok "the removal still goes on" kill -TERM "$(cat /proc/$pid/task/$pid/children)"
	wait $pid
	is "a signal ends it" $? 143
	like "what is left is in the trash" '^[0-9a-f]{64}$' "$(ls "$OVLCTL_ROOT/trash")"
	rm -r "$OVLCTL_ROOT"/trash/*
else
	ovlctl rm w
fi
is "no trace is left" "$(store_state)" "$empty"

# btrfs and XFS need space for a rename when they are full, but not for removing files.
if can_trace; then
	without_space() { # STRACE-OPTION... COMMAND...
		traced -qq -o /dev/null -e trace=renameat2,unlinkat -e inject=renameat2:error=ENOSPC "$@"
	}
	need w ovlctl create -n w
	mkdir "$OVLCTL_ROOT/$DRV/$w/$UPPER/d"
	ok "no space for a rename: rm" without_space ovlctl rm w
	is "... says nothing" "$(cat .err)" ""
	is "... leaves no trace" "$(store_state)" "$empty"
	for when in 2 3 4 5 6; do
		need w ovlctl create -n w
		without_space -e inject=unlinkat:signal=KILL:when=$when ovlctl rm w
		is "... killed at its removal no. $when" "$? $(ls "$OVLCTL_ROOT/$DRV/$w" >out 2>&1 && echo there)" "137 there"
		ovlctl check >out 2>&1
		is "... check finds it" "$? $(grep -c "meta: its file .layer is missing" out)" "4 1"
		ok "... and rm again removes it" ovlctl rm "$w"
		is "... without a trace" "$(ovlctl prune >out; store_state)" "$empty"
	done
	# A repair must not take what is left for a layer, which an import would then find.
	need whole ovlctl import a.tar
	at=$OVLCTL_ROOT/$DRV/$whole/$TREE
	for when in 12 20; do
		mv "$at" "$at.new"
		mv "$at.new" "$at" # on tmpfs it is now removed first
		without_space -e inject=unlinkat:signal=KILL:when=$when ovlctl rm "$whole"
		ovlctl check --repair >out 2>&1
		ovlctl prune --aside >out 2>&1
		need - ovlctl import a.tar
		is "half an image layer, to removal no. $when: repaired, imported" "$(ovlctl check --content)" ""
	done
	need - ovlctl rm "$whole"
fi

# Two at the same time: with -f it does not matter which was first.
for i in 1 2 3 4 5 6 7 8 9 10; do
	need - ovlctl create -n w
	for k in 1 2 3; do
		(ovlctl --wait 60 rm -f w 2>&1; echo $?) &
	done
	wait
done | sort -u >got
is "rm -f of one layer by three" "$(cat got)" 0

done_testing
