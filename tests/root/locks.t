#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# Who waits for whom, and what is said of it.
in_memory 128M
S=$OVLCTL_ROOT
printf 'file name=low data=1\nend\n' | mktar >b.tar
b=$(ovlctl import -n b b.tar)

# ---- who looks only -------------------------------------------------------------------

# A removal that goes on is none that was left.
if can_trace; then
	b=$(ovlctl import -n b b.tar)
	w=$(ovlctl create -n w b)
	mkdir stop
	(cd "$S/$DRV/$w/$UPPER" && seq 1000 | xargs touch)
	(while [ ! -e stop/rm ]; do ovlctl check; done >check 2>&1) &
	traced -qq -o /dev/null -e trace=unlinkat,flock -e inject=unlinkat:delay_enter=1000 \
		-e inject=flock:delay_enter=100000 ovlctl rm w
	: >stop/rm
	wait
	is "a removal that goes on is not reported" "$(sort -u check)" ""
fi

done_testing
