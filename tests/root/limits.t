#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# Nested directories: deeper than the limits of descriptors and stack, and than a path
# can be long.
deep() { # LEVELS NAME: in the directory this is
	perl -e 'for (1 .. $ARGV[0]) { mkdir $ARGV[1] or die; chdir $ARGV[1] or die }' "$1" "$2"
}
few() { # COMMAND...
	prlimit --stack=512000: --nofile=256:256 "$@"
}
printf 'file name=f data=1\nend\n' | mktar >a.tar
need a ovlctl import -n a a.tar
for n in 600 3000; do
	need - ovlctl create -n "deep$n" a
	need m ovlctl mount "deep$n"
	# Such a tar has a path for each level, so 600 levels make long paths, too.
	name=d
	[ $n != 600 ] || name=directory
	(cd "$m" && deep $n $name) || stop "make $n directories"
	ovlctl umount "deep$n"
done
is "diff of 3,000 levels" "$(few ovlctl diff deep3000 | wc -l)" 3000
need - few ovlctl diff -o deep.tar deep600
need id few ovlctl import -p a --max-depth 5000 deep.tar
is "commit of 600, the same layer" "$(few ovlctl commit deep600)" "$id"
is "... is sound" "$(few ovlctl check --content)" ""
need id few ovlctl commit deep3000
few ovlctl diff -o deep.tar "$id"
few ovlctl export --format tar "$id" x.tar
same "commit and export of 3,000" deep.tar x.tar
is "... and the store is sound" "$(ovlctl check)" ""
ok "rm of all of them" few ovlctl rm -r a

# Paths of up to 64 KiB: what is written can be imported.
long=$(printf '%0250d' 0)
for n in 261 262; do
	need - ovlctl create -n long$n
	(cd "$(tree_of long$n)" && deep $n $long) || stop "make $n long directories"
done
need - ovlctl diff -o long.tar long261
need id ovlctl import long.tar
is "commit of a path of almost 64 KiB, the same layer" "$(ovlctl commit long261)" "$id"
for c in "diff -o long.tar" commit; do
	fails 1 "refused name .*: over 64 KiB" "... $c of one that is longer" ovlctl $c long262
done

# Recipes that would need much memory.
if ! short; then
	awk 'BEGIN {
		p = "d"
		while (length(p) < 4000)
			p = p "/" sprintf("%0200d", 0)
		for (k = 0; k < 2; k++)
			for (i = 0; i < 2300; i++)
				print "file name=x data=x pax.path=" p "/f" i
		print "end"
	}' | mktar >twice.tar
	before=$(store_state)
	fails 1 "too many files with data occur twice in the layer" "a tar of 9 MB of names, twice" \
		ovlctl --sync=none import twice.tar
	is "... leaves nothing" "$(store_state)" "$before"
fi

# Several processes create a store at the same time.
for i in 1 2 3 4 5 6 7 8 9 10; do
	for k in 1 2 3 4; do
		ovlctl --root "new$i" import a.tar >>out 2>&1 &
		ovlctl --root "new$i" ls >>out 2>&1 &
	done
	wait
done
is "stores made by four at once" "$(sort -u out | grep -Ev "^$a$|NAME|^ |there are no layers in")" ""

# FIFOs instead of the store's files: they may be errors, but nobody waits for them.
need - ovlctl import -n a a.tar
need w ovlctl create -n w a
rm -f "$OVLCTL_ROOT/lock" "$OVLCTL_ROOT/$DRV/$w/.redirect" "$OVLCTL_ROOT/$DRV/$w/.names/w"
mkfifo "$OVLCTL_ROOT/lock" "$OVLCTL_ROOT/$DRV/$w/.redirect" "$OVLCTL_ROOT/$DRV/$w/.names/w"
for c in 'import a.tar' 'create a' 'tag w w' 'tag w more' 'mount -o redirect_dir=on w' 'umount w' prune check 'rm -r a'; do
	timeout -k 1 100 ovlctl $c >/dev/null 2>&1
	echo "$c: $?"
done | grep 124 >got
is "no command waits for a FIFO" "$(cat got)" ""

done_testing
