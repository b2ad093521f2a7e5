#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# only overlay2

# The fuzz targets find no fault in the seeds of "make fuzz", nor in a fixed number of
# modified seeds, which are the same each time. An input that fails is printed.
: "${FUZZ_RUNS:=100}"
mkdir scratch
finds_nothing() { # WHAT COMMAND...
	mount -t tmpfs fuzz scratch
	ok "$@"
	umount scratch
	[ $status = 0 ]
}
for target in tar input image recipe split store meta bolt; do
	mkdir $target
	"$top/tests/fuzz/seeds" $target $target
	set -- env FUZZ_SCRATCH="$T/scratch" "$top/build/$MODE/tests/fuzz/$target"
	finds_nothing "$target: $(ls $target | wc -l) inputs" "$@" $target/*
	# A damaged store is looked at again, after a pause.
	[ $target = store ] && n=$((FUZZ_RUNS / 100)) || n=$FUZZ_RUNS
	finds_nothing "... $n changed ones" "$@" -r "$n" last $target/* && continue
	gzip -c last >last.gz
	if [ "$(stat -c %s last.gz)" -le 4096 ]; then
		echo "# the input, by base64 -d | gzip -d: $(base64 -w 0 last.gz)"
	fi >&2
done

done_testing
