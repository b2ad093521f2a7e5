#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# Holes in a tar do not depend on the page cache, and are cheap.
need w ovlctl create -n w
need m ovlctl mount w
up=$(tree_of w)

# Space that was allocated but never written reads as a hole or as data, depending on
# what was read lately.
if fallocate -l 1M "$m/f" 2>/dev/null; then
	printf hello | dd of="$m/f" conv=notrunc 2>/dev/null
	fallocate -l 300000 "$m/all"
	fallocate -l 200000 "$m/zeros"
	head -c 200000 /dev/zero | dd of="$m/zeros" conv=notrunc 2>/dev/null
	fallocate -o 100000 -l 400000 "$m/gap"
	echo data >"$m/beyond"
	fallocate -n -l 1M "$m/beyond"
	head -c 50000 /dev/zero >"$m/written"
	ok "not yet on disk" ovlctl diff -o fresh.tar w
	ovlctl umount w
	sync
	echo 3 >/proc/sys/vm/drop_caches 2>/dev/null
	ok "nothing in the page cache" ovlctl diff -o cold.tar w
	cat "$up"/* >/dev/null
	ok "all in the page cache" ovlctl diff -o warm.tar w
	same "the same bytes" cold.tar warm.tar
	same "... as before it was on disk" cold.tar fresh.tar
	ok "holes are holes" test "$(stat -c %s warm.tar)" -lt 400000
	need i ovlctl import -n i warm.tar
	ok "what was read back is the same" sh -c "cd '$up' && for f in *; do cmp \$f '$(tree_of i)/'\$f || exit 1; done"
	is "written zeros stay data" "$(stat -c '%b' "$(tree_of i)/written" "$(tree_of i)/zeros" | tr '\n' ' ')" \
		"$(stat -c '%b' "$up/written" "$up/zeros" | tr '\n' ' ')"
	is "what was never written becomes a hole" "$(stat -c %b "$(tree_of i)/all")" 0
	ovlctl diff -o again.tar i
	same "and its tar is the same" again.tar warm.tar
	need m ovlctl mount w
	rm "$m"/*
fi

# More runs of data than one call returns.
perl -e 'open F, ">", shift; for (0..299) { seek F, $_ * 40000, 0; print F "x$_" } truncate F, 12345678' "$m/many"
fallocate -n -l 20M "$m/many" 2>/dev/null
perl -e 'open F, ">", shift; print F "y" x 8192; for (1..200) { seek F, $_ * 16384, 0; print F "y" x 8192 } close F' "$m/holed"
fallocate -l 3M "$m/holed" 2>/dev/null
ovlctl umount w
cp --sparse=never "$up/many" many
cp --sparse=never "$up/holed" holed
sync
echo 3 >/proc/sys/vm/drop_caches 2>/dev/null
ovlctl diff -o cold.tar w
cat "$up"/* >/dev/null
ovlctl diff -o warm.tar w
same "many holes: the same bytes" cold.tar warm.tar
mkdir x
tar xf warm.tar -C x
same "many runs of data" x/many many
same "... between what was never written" x/holed holed
need - ovlctl import -n many warm.tar
same "... imported" "$(tree_of many)/many" many

# Long names, in any bytes.
need - ovlctl create -n names
up=$(tree_of names)
for n in 50 97 98 99 100 101 156 200 254; do
	name=$(printf "%0${n}d" 0)
	for first in a "$(printf '\351')" "$(printf '\303\251')"; do
		[ ${#name} = 254 ] && name=${name#0}
		truncate -s 100000 "$up/$first$name"
	done
	mkdir "$up/$(printf '\377')$n" "$up/$(printf '\377')$n/$name"
	truncate -s 100000 "$up/$(printf '\377')$n/$name/f"
done
ovlctl diff -o names.tar names
need - ovlctl import -n names2 names.tar
(cd "$up" && find . | LC_ALL=C sort) >want
(cd "$(tree_of names2)" && find . | LC_ALL=C sort) >got
same "sparse files keep their names" got want
mkdir named
tar xf names.tar -C named 2>/dev/null
(cd named && find . | LC_ALL=C sort) >got
same "... by tar as well" got want

# Huge ones.
if ! as_user; then
	mkdir huge
	mount -t tmpfs none huge
	OVLCTL_ROOT=$T/huge/store
	export OVLCTL_ROOT
	need - ovlctl create -n h
	up=$(tree_of h)
	truncate -s 64P "$up/empty"
	truncate -s 64P "$up/late"
	printf end | dd of="$up/late" conv=notrunc oflag=seek_bytes seek=72057594037920000 2>/dev/null
	printf front | dd of="$up/late" conv=notrunc 2>/dev/null
	ok "two files of 64 PiB, in few seconds of the processor" \
		sh -c 'ulimit -t 10; exec ovlctl diff -o h.tar h'
	ok "in few bytes" test "$(stat -c %s h.tar)" -lt 40000
	ok "which tar can read" tar tf h.tar
	is "the size is right" "$(TZ=UTC tar tvf h.tar | awk '/late/ { print $3 }')" 72057594037927936
	(cd huge && tar xf ../h.tar && cmp -n 10 late "$up/late" &&
		cmp -i 72057594037920000 late "$up/late" 2>&1 && stat -c %s late empty | sort -u) >out 2>&1
	is "and unpack" "$(cat out)" 72057594037927936

	# The map of a file may take 1 MiB for readers, import among them.
	blocks() { # NUMBER DISTANCE: of pairs of blocks
		rm -f "$up"/*
		perl -e '
			my ($f, $n, $far, $near) = @ARGV;
			open F, ">", $f or die;
			for (1 .. $n) {
				sysseek F, $_ * $far, 0;
				syswrite F, "a";
				sysseek F, $_ * $far + $near, 0;
				syswrite F, "b";
			}' "$up/f" "$1" $((1 << 46)) "$2"
	}
	blocks 20000 8192
	ok "40,000 blocks, of which two are close together: a smaller map" \
		sh -c 'ovlctl diff --tar h 2>err | head -c 2000000 | tr "\0" "\n" | grep -qx 20000'
	blocks 20000 $((1 << 45))
	fails 1 "'f' has too many holes for a tar" "40,000 blocks far from each other" ovlctl diff -o f.tar h
	blocks 20000 131072
	head -c 65536 /dev/zero | tr '\0' c | dd of="$up/f" conv=notrunc status=none
	fails 1 "'f' has too many holes for a tar" "a map that fits only with 32 times the data" \
		sh -c 'ovlctl diff --tar h >/dev/null'
fi

done_testing
