#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# run on a terminal: foreground process group, stop and continue.
command -v python3 >/dev/null && command -v bash >/dev/null ||
	cannot "there is no python3 or no bash"
host=
for d in /bin /lib /lib64 /usr; do
	[ ! -d $d ] || host="$host --bind $d"
done
printf 'dir name=d\nend\n' | mktar >a.tar
need - ovlctl import -n a a.tar
export HOST="$host" RUN="ovlctl run $host a"
# Quoted in two parts, so that the terminal's echo is not taken for output.
terminal() {
	printf '%s\n' "> PS1=; echo RE''ADY" '< READY' | cat - "$1" |
		python3 "$top/tests/tool/terminal.py" bash --norc --noprofile -i
}

cat >ctrl-c <<'END'
> $RUN sh -c 'echo ST""ARTED; exec sleep 300'
< STARTED
! \x03
> echo rc''=$?
< rc=130
END
ok "Ctrl-C ends the command" terminal ctrl-c

# ovlctl is slow: the command has ended when it sees the signal.
cat >late.sh <<'END'
trap : INT
(
	trap '' INT
	until [ -s ready ]; do sleep 0.02; done
	pid=$(cat pid)
	first=$(grep -l "^PPid:.$pid\$" /proc/[0-9]*/status)
	kill -STOP "$pid"
	echo STANDS
	until grep -q '^State:.Z' "$first"; do sleep 0.02; done
	kill -CONT "$pid"
) &
sh -c 'echo $$ >pid
	exec ovlctl run -n late --bind "$PWD:/w:rw" $HOST a sh /w/inside.sh'
echo "rc=$?"
END
echo "trap 'exit 0' INT; echo 1 >/w/ready; while :; do sleep 0.1; done" >inside.sh
cat >late <<'END'
> sh late.sh
< STANDS
! \x03
< rc=0
END
ok "... and what it has made is kept if it exits with 0" terminal late

cat >ctrl-z <<'END'
> $RUN sh -c 'echo ST""ARTED; read x; echo re""ad $x; exit 6'
< STARTED
! \x1a
< Stopped
> echo go''on; fg
< goon
> text
< read text
> echo rc''=$?
< rc=6
END
ok "Ctrl-Z stops it, fg goes on" terminal ctrl-z

cat >background <<'END'
> $RUN sh -c 'echo ST""ARTED; exec sleep 300'
< STARTED
! \x1a
< Stopped
> bg; kill %1; wait %1; echo rc''=$?
< rc=143
> echo in''front
< infront
END
ok "... bg too" terminal background

cat >tty-read <<'END'
> $RUN sh -c 'read x; echo re""ad $x' &
> until jobs %1 | grep Stopped; do sleep 0.1; done; echo st''ands
< stands
> echo go''on; fg
< goon
> text
< read text
> echo rc''=$?
< rc=0
END
ok "it stops if it reads in the background" terminal tty-read

cat >shell <<'END'
> $RUN bash --norc --noprofile -i
> PS1=; echo IN''SIDE
< INSIDE
> sh -c 'echo ST""ARTED; exec sleep 300'
< STARTED
! \x1a
< Stopped
> kill %1; wait; echo al''one
< alone
> sh -c 'echo ST""ARTED; exec sleep 300'
< STARTED
! \x03
> echo rc''=$?
< rc=130
> suspend -f
< Stopped
> echo out''side
< outside
> fg
> echo in''again
< inagain
> exit 5
> echo rc''=$?
< rc=5
> echo go''on; read x; echo re''ad $x
< goon
> text
< read text
END
ok "a shell inside has job control, and gives the terminal back" terminal shell

cat >pipe <<'END'
> $RUN sh -c 'echo ST""ARTED >&2; read x; echo $x$x' | sh -c 'read a; read b </dev/tty; echo $a$b'
< STARTED
> two
> three
< twotwothree
END
ok "the others of a pipeline may read from it" terminal pipe

cat >width <<'END'
> $RUN bash --norc --noprofile -c 'trap "stty size; exit" WINCH; echo ST""ARTED; while :; do sleep 0.1; done'
< STARTED
= 77
< 24 77
END
ok "its new width is told" terminal width

done_testing
