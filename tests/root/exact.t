#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# The tar of an imported layer comes back bit for bit, whatever program wrote it.
# EXACT_SEEDS: number of random tars, from EXACT_FIRST on.
seeds=${EXACT_SEEDS:-$(short && echo 40 || echo 500)}
first=${EXACT_FIRST:-1}
# In a user namespace only devices and whiteouts differ, so fewer are enough.
as_user && seeds=$((seeds / 5))

sum_of() {
	sha256sum | cut -d' ' -f1
}

exact() { # WHAT FILE
	id=$(ovlctl -q --sync=none import "$2") && [ "$id" = "$(sum_of <"$2")" ] &&
		[ "$(ovlctl diff --tar "$id" | sum_of)" = "$id" ]
	report $? "exact: $1"
}

# ---- random ones ---------------------------------------------------------------------

one_seed() { # SEED
	randtar "$1" >x.tar
	parent=
	[ $(($1 % 3)) != 0 ] || [ -z "$last" ] || parent="-p $last"
	z='cat'
	case $(($1 % 8)) in
	1) z='gzip -1c' ;;
	2) z='zstd -qc1' ;;
	3) z='lz4 -qc' ;;
	# These two take long: only some of the tars, and no large ones (see randtar).
	4) [ $(($1 / 8 % 3)) != 0 ] || [ $(($1 % 5)) = 0 ] || z='xz -0c' ;;
	5) [ $(($1 / 8 % 6)) != 0 ] || [ $(($1 % 5)) = 0 ] || z='bzip2 -1c' ;;
	esac
	if [ $(($1 / 8 % 2)) = 0 ]; then
		$z <x.tar >x.in
		need id ovlctl -q --sync=none import $parent x.in
	else
		id=$($z <x.tar | ovlctl -q --sync=none import $parent -)
	fi && ovlctl diff --tar "$id" | cmp -s - x.tar &&
		case $parent:$(sha256sum x.tar) in -*) ;; ":$id "*) ;; *) false ;; esac
}

s=$first
while [ "$s" -lt $((first + seeds)) ]; do
	failed=
	last=
	begin=$s
	while [ "$s" -lt $((begin + 50)) ] && [ "$s" -lt $((first + seeds)) ]; do
		if one_seed "$s"; then last=$id; else failed="$failed $s"; fi
		s=$((s + 1))
	done
	is "exact: randtar $begin to $((s - 1))" "$failed" ""
	rm -rf "$OVLCTL_ROOT" x.*
done

# ---- other writers -------------------------------------------------------------------

make_tree src
for f in v7 ustar oldgnu gnu posix; do
	tar --format=$f -C src -cf x.tar . 2>/dev/null
	exact "GNU tar, $f" x.tar
	tar --format=$f --hard-dereference -b 1 -C src -cf x.tar . 2>/dev/null
	exact "GNU tar, $f, --hard-dereference" x.tar
done
for f in oldgnu gnu; do
	tar --format=$f --sparse -V label -C src -cf x.tar .
	exact "GNU tar, $f, sparse, with a label" x.tar
done
for v in 0.0 0.1 1.0; do
	tar --format=posix --sparse --sparse-version=$v --xattrs --acls -C src -cf x.tar .
	exact "GNU tar, posix, sparse $v" x.tar
done
tar -g snar -C src -cf x.tar .
exact "GNU tar, incremental" x.tar
tar -C src -rf x.tar ./d ./noise
tar -C src -rf x.tar --transform 's,noise,d/e,' ./noise
exact "GNU tar, appended to" x.tar
if command -v bsdtar >/dev/null; then
	for f in pax ustar gnutar v7; do
		bsdtar --format=$f -C src -cf x.tar . 2>/dev/null
		exact "bsdtar, $f" x.tar
	done
fi
if command -v python3 >/dev/null; then
	ok "tarfile" python3 - USTAR GNU PAX <<'E'
import sys, tarfile, os
for f in sys.argv[1:]:
    t = tarfile.open(f + ".tar", "w", format=getattr(tarfile, f + "_FORMAT"))
    for dir, dirs, files in os.walk("src"):
        for name in sorted(dirs + files):
            path = os.path.join(dir, name)
            try:
                t.add(path, os.path.relpath(path, "src"), recursive=False)
            except (ValueError, UnicodeError):
                pass
    t.close()
E
	for f in USTAR GNU PAX; do
		exact "tarfile, $f" $f.tar
	done
fi

# ---- what wants words ----------------------------------------------------------------

# Solaris tar writes holes as data.
printf 'file name=x pax.SUN.holesdata=\\s0\\s512\\s2048\\s3000\\s5000 fill=5000\nend\n' | tar_of x.tar
exact "holes that are in the tar" x.tar
deep=$(printf '%020d' 0 | sed "s,0,$(printf '%0250d' 1)/,g")
printf 'file gnuname=1 name=%sf data=1\nfile gnuname=1 name=%sf data=2\nend\n' "$deep" "$deep" |
	tar_of x.tar
exact "paths longer than the kernel takes" x.tar
ovlctl rm "$id"
{
	awk 'BEGIN { for (i = 0; i < 600; i++) print "file name=f fill=" i * 7 }'
	echo 'dir name=f'
	awk 'BEGIN { for (i = 0; i < 200; i++) print "file name=f/" i % 9 " fill=" i * 5 }'
	echo 'file name=f data=last'
	echo end
} | tar_of x.tar
exact "one name 800 times" x.tar

# A tar that could not be restored is refused.
refused() { # PATTERN WHAT, lines on standard input
	mktar >x.tar
	fails 1 "$1" "refused: $2" ovlctl import x.tar
}
refused "'x' has data beyond its end" "a sparse file shorter than its data" <<'E'
file name=x pax.GNU.sparse.size=10 pax.GNU.sparse.map=0,1000 fill=1000
end
E
refused "data of a sparse file out of order" "runs out of order" <<'E'
file name=x pax.GNU.sparse.size=3000 pax.GNU.sparse.map=1000,500,100,500 fill=1000
end
E
refused "data of a sparse file out of order" "runs over each other" <<'E'
file name=x pax.GNU.sparse.size=3000 pax.GNU.sparse.map=0,500,100,500 fill=1000
end
E

# ---- the size of a recipe ------------------------------------------------------------

if ! as_user; then
	for dir in /etc /usr/share/man/man8 /usr/share/perl; do
		[ -d $dir ] || continue
		tar --format=gnu -C / -cf x.tar ".$dir" 2>/dev/null
		exact "$dir" x.tar
		got=$(stat -c %s "$OVLCTL_ROOT/$DRV/$id/.recipe")
		whole=$(stat -c %s x.tar)
		ok "the recipe of $dir is at most 3 % of it ($got of $whole)" \
			test $((got * 100)) -le $((whole * 3))
		ovlctl rm "$id"
	done
fi

# ---- a copy --------------------------------------------------------------------------

tar_of x.tar <<'E'
dir name=d
file name=d/big fill=300000
file name=d/small data=small
file name=old data=replaced
file name=old data=new
dir name=gone
file name=gone/f data=kept
file name=gone data=gone
end
E
need id ovlctl import x.tar
cp -a "$OVLCTL_ROOT" copy
is "a store copied with cp -a" "$(ovlctl --root copy diff --tar "$id" | sum_of)" "$id"
is "all its other layers too" "$(ovlctl --root copy ls -nr -o ID,DIFFID |
	while read -r one digest; do
		[ "sha256:$(ovlctl --root copy diff --tar "$one" | sum_of)" = "$digest" ] ||
			echo "$one"
	done)" ""
rm -rf copy

# ---- damage --------------------------------------------------------------------------

layer=$OVLCTL_ROOT/$DRV/$id
in=$layer/$TREE
mkdir out
echo before >out/there

# One line that names the file, and no output file, or the old one.
damaged() { # PATTERN WHAT COMMAND...
	pattern=$1
	what=$2
	shift 2
	"$@"
	fails 1 "layer ${id%????????????????????????????????????????????????????}:? .*$pattern" "$what" \
		ovlctl diff -o out/new "$id"
	fails 1 "$pattern" "... over a file" ovlctl diff -o out/there "$id"
	is "... nothing is left" "$(ls -A out) $(cat out/there)" "there before"
	ovlctl rm "$id"
	need - ovlctl import x.tar
}

damaged "'d/big' differs from what was imported" "a byte changed" \
	sh -c "printf X | dd of='$in/d/big' bs=1 seek=299999 conv=notrunc 2>/dev/null"
damaged "'d/big' is too short" "a file shortened" truncate -s 299999 "$in/d/big"
damaged "'d/big' is too short" "a file emptied" truncate -s 0 "$in/d/big"
damaged "'d/small' is missing" "a file removed" rm "$in/d/small"
damaged "'d/big' is missing" "a file replaced by a symlink to it" \
	sh -c "mv '$in/d/big' '$T/moved' && ln -s '$T/moved' '$in/d/big'"
damaged "'d/big' is missing" "a directory replaced by a symlink to it" \
	sh -c "mv '$in/d' '$in/e' && ln -s e '$in/d'"
damaged "'d/small' is not a file" "a file replaced by a directory" \
	sh -c "rm '$in/d/small' && mkdir '$in/d/small'"
damaged "'d/small' is not a file" "a file replaced by a fifo" \
	sh -c "rm '$in/d/small' && mkfifo '$in/d/small'"
damaged "'old' differs from what was imported" "a file that was replaced, changed" \
	sh -c "printf X >'$layer/.kept/0'; printf Xeplaced >'$layer/.kept/0'"
damaged "'gone/f' is missing" "a directory that was replaced, removed" rm -r "$layer/.kept/1"
damaged "'old' (differs from|is too short|is missing)" "all that was replaced, removed" \
	rm -r "$layer/.kept"

damaged "'.recipe' is missing" "no recipe" rm "$layer/.recipe"
damaged "cannot open '.recipe'" "a symlink for a recipe" \
	sh -c "mv '$layer/.recipe' '$layer/r' && ln -s r '$layer/.recipe'"
size=$(stat -c %s "$layer/.recipe")
for at in 0 7 15 16 $((size / 2)) $((size - 1)); do
	damaged "'.recipe' is damaged" "a recipe cut to $at bytes of $size" \
		truncate -s $at "$layer/.recipe"
done
damaged "'.recipe' is damaged" "a byte behind a recipe" sh -c "echo >>'$layer/.recipe'"
for at in 1 16 20 $((size / 2)) $((size - 2)); do
	damaged "'.recipe' is damaged|is damaged: its tar has the diff id|is missing" \
		"a recipe with a wrong byte at $at" \
		sh -c "printf '\\377\\376' | dd of='$layer/.recipe' bs=1 seek=$at conv=notrunc 2>/dev/null"
done
exact "what is not damaged" x.tar

done_testing
