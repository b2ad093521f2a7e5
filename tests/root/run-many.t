#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# run, many times: in parallel, and killed at any moment. prune removes what is left.
host=
for d in /bin /lib /lib64 /usr; do
	[ ! -d $d ] || host="$host --bind $d"
done
run() { ovlctl run $host "$@"; }
staged() { ls -A "$OVLCTL_ROOT/staging"; }
gone() { ! grep -aqsxzF "RUN_TEST=$T" /proc/[0-9]*/environ; }
mounts() { grep -c "$OVLCTL_ROOT/$DRV" /proc/self/mountinfo; }

printf 'dir name=d\nfile name=d/x data=1\nend\n' | mktar >a.tar
need - ovlctl import -n a a.tar
before=$(store_state)
n=64
! short || n=16
for i in $(seq $n); do
	(
		run a sh -c "cat /d/x; echo $i >/d/x; mkdir /new; read x </d/x
			exit \$((x == $i ? 9 : 1))" >out.$i 2>&1
		echo $? >status.$i
	) &
done
wait
is "side by side: each sees the base, and its own changes" \
	"$(cat out.* | wc -c) $(sort status.* | uniq -c | tr -d ' ')" "$n ${n}9"
is "... nothing is left" "$(store_state)" "$before"
for i in $(seq $n); do
	run -n "k$i" a sh -c "echo $i >/k" >/dev/null &
done
wait
is "... each is kept" "$(for i in $(seq $n); do ovlctl diff "k$i"; done | sort | uniq -c | tr -s ' ')" " $n A /k"

kills=40
! short || kills=10
export RUN_TEST="$T"
for i in $(seq $kills); do
	ovlctl run $host -n "killed$i" a sh -c 'echo 1 >/x; sleep 300 & sleep 300' &
	sleep "0.00$((i % 10))$((i / 10))"
	kill -KILL $!
	wait $! 2>/dev/null
done
unset RUN_TEST
soon "killed at any moment: no process is left" gone
is "... no mount" "$(mounts)" 0
is "... no layer" "$(ovlctl ls -nr -o NAME | grep -c killed)" 0
ok "... check is content" ovlctl check
need - ovlctl prune
is "... prune removes the rest" "$(staged)" ''
ok "... and the base can be removed with all on it" ovlctl rm -r a

done_testing
