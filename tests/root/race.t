#!/bin/sh
. "$(dirname "$0")/../lib.sh"
# overlay: when asked
# not in a user namespace: root of one that others made cannot trace

# Another process exchanges the files that a command works on with symlinks to a tree outside,
# and with hard links to a file there, all the time. The command may fail with one line, but
# nothing outside is read, changed or created. Calls are slowed down so
# that exchanges fall between them. RACE_ROUNDS: number of rounds for each command.
can_trace || cannot "strace"
: "${RACE_ROUNDS:=2}"
S=$OVLCTL_ROOT
mkdir outside outside/dir
echo classified >outside/file
echo classified >outside/dir/x
echo classified >outside/dir/classified-name
echo classified >outside/x
mkfifo outside/p
chmod 640 outside/file
chown 1:2 outside/p
setfattr -n user.k -v classified outside/file

slow='openat,openat2,/mkdir,/rename,/link,/symlink,/unlink,/chmod,/chown,utimensat,/xattr,mknodat,ftruncate,getdents64,/stat'
state() {
	find outside -printf "%p %y %m %U:%G %s %T@ $1 %l\\n" | sort
	getfattr -dR outside
	cat outside/file outside/x outside/dir/x
}

# Entries that cause every kind of call.
lines() {
	for d in a b; do
		printf '%s\n' "dir name=$d mode=2750 uid=3 pax.SCHILY.xattr.user.k=v" \
			"file name=$d/file data=new mode=4755 uid=5 pax.SCHILY.xattr.user.k=v" \
			"file name=$d/x data=new" "link name=$d/h link=$d/file" \
			"symlink name=$d/s link=file uid=7" "fifo name=$d/p mode=4777 uid=8" \
			"chr name=$d/c major=1 minor=3 uid=8 pax.SCHILY.xattr.trusted.k=v" \
			"file name=$d/imp/lied/x" "dir name=$d/dir" "file name=$d/dir/x data=new" \
			"file name=$d/x data=newer" "dir name=$d/x" "file name=$d/x/y" "file name=$d/.wh.gone" \
			"file name=$d/dir/.wh..wh..opq" "dir name=$d mode=700" "file name=$d/file data=newest" \
			"file name=$d/dir"
	done
	echo end
}
lines | mktar >h.tar
lines | sed 's/new/other/' | mktar >i.tar

# One round: runs COMMAND while files in DIR are exchanged.
round() { # DIR COMMAND...
	dir=$1
	shift
	rm -rf side
	mkdir side
	swap "$dir" side "$T/outside" "$T/outside/file" $hard >swaps &
	pid=$!
	traced -qq -o /dev/null -e trace="$slow" -e inject="$slow:delay_enter=300" \
		"$@" >out 2>err
	status=$?
	kill $pid
	wait $pid
	n=$((n + $(cat swaps)))
	case " $may " in
	*" $status "*) ;;
	*) bad="$bad status $status: $(cat err);" ;;
	esac
	[ "$(grep -vc '^ovlctl: [a-z]*: [^:]' err)" = 0 ] || bad="$bad said: $(cat err);"
	# For a reader, a hard link is not outside.
	[ "$hard" ] || ! grep -aq classified out err || bad="$bad told what is outside;"
}

may="0 1"
others="$T/outside/file $T/outside/p"

# All rounds of a command. prepare makes the store and sets the directory to exchange in.
race() { # WHAT COMMAND...
	what=$1
	shift
	for hard in "" $others; do
		rm -rf side "$S"
		# Moving a hard link changes the ctime of the file.
		[ "$hard" ] && show= || show=%C@
		bad=
		n=0
		was=$(state "$show")
		i=0
		while [ $i -lt "$RACE_ROUNDS" ]; do
			rm -rf "$S" out.tar
			prepare >prepared
			round "$(cat prepared)" "$@"
			i=$((i + 1))
		done
		is "$what${hard:+, with other names of ${hard##*/}}: what it says" "$bad" ""
		is "... what is outside" "$(state "$show")" "$was"
		ok "... there were swaps" test $n -ge "$RACE_ROUNDS"
	done
}

prepare() { echo "$S/staging"; }
race "import" ovlctl --sync=none import h.tar
for i in $(seq 100); do
	echo "fifo name=$i mode=4777 uid=8 pax.SCHILY.xattr.trusted.k=v"
	echo "symlink name=l$i link=x uid=8"
done | mktar >p.tar
race "import of what is not opened" ovlctl --sync=none import p.tar

prepare() {
	need - ovlctl --sync=none import -n base i.tar
	echo "$S/staging"
}
race "import on a parent" ovlctl --sync=none import -p base h.tar

prepare() {
	need - ovlctl --sync=none import -n l h.tar
	echo "$S/trash"
}
race "rm" ovlctl --sync=none rm l

# Reading an image layer and one that may change.
others=
prepare() { ovlctl --sync=none import -n l h.tar | sed "s,^,$S/$DRV/,"; }
race "diff --tar" ovlctl diff --tar l
race "diff" ovlctl diff l
race "export" ovlctl export l -
may="0 4 8 12"
race "check --content" ovlctl check --content
may="0 1"
prepare() {
	need - ovlctl --sync=none import -n l h.tar
	need id ovlctl --sync=none create -n w l
	cp -a "$(tree_of l)/." "$S/$DRV/$id/$UPPER"
	echo changed >"$S/$DRV/$id/$UPPER/a/file"
	[ ! "$redirect" ] || setfattr -n trusted.overlay.redirect -v a "$S/$DRV/$id/$UPPER/b"
	echo "$S/$DRV/$id"
}
redirect=
race "diff of a writable layer" ovlctl diff --tar w
race "commit" ovlctl --sync=none commit w
redirect=1
race "commit of a tree that is unpacked" ovlctl --sync=none commit w

done_testing
