#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# only overlay2

# The fuzz targets find nothing in what "make fuzz" begins with.
mkdir scratch
for target in tar input image recipe store meta; do
	mkdir $target
	"$top/tests/fuzz/seeds" $target $target
	mount -t tmpfs fuzz scratch
	ok "$target: $(ls $target | wc -l) inputs" env FUZZ_SCRATCH="$T/scratch" \
		"$top/build/$MODE/tests/fuzz/$target" $target/*
	umount scratch
done

done_testing
