#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: as user too

# What a layer on top of this one shows, for any order of its entries.
tar_of base.tar <<'EOF'
dir name=d mode=750 uid=3 gid=4 pax.SCHILY.xattr.user.k=v
file name=d/a data=a
file name=d/b data=b
dir name=d/sub
file name=d/sub/c data=c
dir name=e
file name=e/f data=f
file name=x data=below
symlink name=s link=x
dir name=keep mode=700 uid=5
file name=keep/k data=k
end
EOF
need base ovlctl import -n base base.tar
parent=base

# The merged tree of the lines on standard input on top of $parent, as "name:content",
# a line; and below it, what the layer itself holds.
merged() {
	(cat; echo end) | tar_of l.tar
	id=$(ovlctl import -p $parent l.tar) || return
	m=$(ovlctl mount "$id") || return
	(cd "$m" && find . ! -name . -printf '%p\n' | LC_ALL=C sort | while read -r f; do
		f=${f#./}
		if [ -L "$f" ]; then printf '%s>%s ' "$f" "$(readlink "$f")"
		elif [ -f "$f" ]; then printf '%s:%s ' "$f" "$(cat "$f")"
		elif [ -d "$f" ]; then printf '%s/ ' "$f"
		elif [ ! -e "$f" ]; then printf '%s:GHOST ' "$f"
		else printf '%s? ' "$f"; fi
	done)
	ovlctl umount "$id"
	tree=$(tree_of "$id")
	find "$tree" -name '.wh.*' -printf '%p:LEFT '
}

# The layer's own tree must contain $2: w is a whiteout, / a directory, ! an opaque one.
# With the driver overlay, the tree must contain no whiteouts and no opaque directories.
owns() { # WHAT WANTED
	if is_overlay; then
		is "$1: no marks" "$(own | tr ' ' '\n' | grep '=w$\|!$' | tr '\n' ' ')" ""
	else
		is "$1" "$(own)" "$2"
	fi
}
own() {
	(cd "$(tree_of "$id")" && find . ! -name . -printf '%p %y\n' | LC_ALL=C sort |
		while read -r f t; do
			f=${f#./}
			case $t in
			c) printf '%s=w ' "$f" ;;
			d)
				o=$(getfattr --absolute-names --only-values -n $live.opaque "$f" 2>/dev/null)
				printf '%s%s ' "$f" "$([ "$o" = y ] && echo '!' || echo /)"
				;;
			*) printf '%s ' "$f" ;;
			esac
		done)
}
live=trusted.overlay
as_user && live=user.overlay

rest='e/ e/f:f keep/ keep/k:k s>x x:below '
all="d/ d/a:a d/b:b d/sub/ d/sub/c:c $rest"

is "nothing" "$(echo | merged)" "$all"
is "a whiteout of a file" "$(merged <<'EOF'
file name=d/.wh.a
EOF
)" "d/ d/b:b d/sub/ d/sub/c:c $rest"
is "a whiteout of a directory" "$(merged <<'EOF'
file name=.wh.d
EOF
)" "$rest"
is "a whiteout of a symlink" "$(merged <<'EOF'
file name=.wh.s
EOF
)" "d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k x:below "
is "whiteouts with data, of any type" "$(merged <<'EOF'
file name=.wh.d data=ignored
dir name=.wh.e
symlink name=.wh.s link=/etc
EOF
)" "keep/ keep/k:k x:below "

# x and .wh.x
for order in 'file name=x data=new
file name=.wh.x' 'file name=.wh.x
file name=x data=new'; do
	is "a file and its whiteout: $(echo $order | cut -c1-12)" \
		"$(printf '%s\n' "$order" | merged)" \
		"d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k s>x x:new "
done

# d and .wh.d: d, opaque, in all six orders of d, d/new and .wh.d
A='dir name=d mode=711'
B='file name=d/new data=new'
C='file name=.wh.d'
for order in "$A|$B|$C" "$A|$C|$B" "$B|$A|$C" "$B|$C|$A" "$C|$A|$B" "$C|$B|$A"; do
	got=$(printf '%s\n' "$order" | tr '|' '\n' | merged)
	is "a directory and its whiteout: $order" "$got" "d/ d/new:new $rest"
	is_overlay || is "... opaque" "$(tree=$(tree_of "$(printf '%s\nend\n' "$order" | tr '|' '\n' | mktar |
		ovlctl import -p base -)"); getfattr --absolute-names --only-values -n $live.opaque "$tree/d"; stat -c ' %a' "$tree/d")" \
		"y 711"
done

# A whiteout applies to the name, whatever entries of this layer precede it: of a file, a
# symlink and a directory in a row the last stays, and is opaque if it is a directory.
for order in "$C|file name=d data=f|$A" "file name=d data=f|$C|$A" "$A|file name=d|$C|$A" \
	"$B|$C|file name=d|$A" "symlink name=d link=e|$C|$A" "$C|symlink name=d link=e|$A"; do
	is "a whiteout, a file, a directory: $order" \
		"$(printf '%s\n' "$order" | tr '|' '\n' | merged)" "d/ $rest"
done
is "... and a file at last" "$(printf '%s\n' "$C" "$A" 'file name=d data=last' | merged)" \
	"d:last $rest"
is "... a directory where the file hid nothing but itself: merged" \
	"$(printf '%s\n' 'file name=d data=f' "$A" | merged)" "$all"

# A directory below a symlink of this layer is the one that the symlink leads to.
is "through a symlink to a directory" "$(merged <<'EOF'
dir name=real
symlink name=d/sym link=../real
dir name=d/sym/in mode=700
file name=d/sym/in/f data=1
file name=d/sym/imp/lied/f data=2
file name=real/.wh.gone
EOF
)" "d/ d/a:a d/b:b d/sub/ d/sub/c:c d/sym>../real e/ e/f:f keep/ keep/k:k real/ real/imp/ real/imp/lied/ real/imp/lied/f:2 real/in/ real/in/f:1 s>x x:below "

# A directory without an entry, and its whiteout: a new directory, not the one below.
for order in "$B|$C" "$C|$B"; do
	got=$(printf '%s\n' "$order" | tr '|' '\n' | merged)
	is "an implied directory and its whiteout: $order" "$got" "d/ d/new:new $rest"
	tree=$(tree_of "$(printf '%s\nend\n' "$order" | tr '|' '\n' | mktar | ovlctl import -p base -)")
	is "... made new" "$(stat -c '%a %u:%g' "$tree/d")" "755 0:0"
done

# .wh..wh..opq in every place among d/a, d/new and d
O='file name=d/.wh..wh..opq'
for order in "$A|$B|$O" "$A|$O|$B" "$B|$A|$O" "$B|$O|$A" "$O|$A|$B" "$O|$B|$A" "$O|$B" "$B|$O"; do
	is "an opaque mark: $order" "$(printf '%s\n' "$order" | tr '|' '\n' | merged)" \
		"d/ d/new:new $rest"
done
is "an opaque mark alone: the directory as below, empty" "$(echo "$O" | merged)" "d/ $rest"
tree=$(tree_of "$( (echo "$O"; echo end) | mktar | ovlctl import -p base -)")
is "... with its owner and mode" "$(stat -c '%a %u:%g' "$tree/d") $(getfattr --absolute-names --only-values -n user.k "$tree/d")" "750 3:4 v"

# An opaque or replaced directory hides everything below.
is "a whiteout inside an opaque directory" "$(merged <<'EOF'
file name=d/.wh..wh..opq
file name=d/.wh.a
file name=d/sub/.wh.c
EOF
)" "d/ d/sub/ $rest"
need id ovlctl import -p base l.tar
owns "... is not made" "d! d/sub/ "
is "before the opaque mark" "$(merged <<'EOF'
file name=d/sub/.wh.c
file name=d/.wh.a
file name=d/.wh..wh..opq
EOF
)" "d/ d/sub/ $rest"

# Whiteouts that hide nothing.
is "a whiteout of nothing" "$(printf 'file name=.wh.nothing\nfile name=d/.wh.none\n' | merged)" "$all"
need id ovlctl import -p base l.tar
owns "... is not made" "d/ "
is "in a new directory" "$(printf 'dir name=new\nfile name=new/.wh.gone\n' | merged)" \
	"d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k new/ s>x x:below "
is "in a directory where there was a file" "$(printf 'dir name=x\nfile name=x/.wh.y\nfile name=x/z data=z\n' | merged)" \
	"d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k s>x x/ x/z:z "
is "an opaque mark where there is nothing" "$(printf 'dir name=new\nfile name=new/.wh..wh..opq\n' | merged)" \
	"d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k new/ s>x x:below "
need id ovlctl import -p base l.tar
owns "... is not made" "new/ "
is "a directory through a symlink below" "$(printf 'file name=s/y data=y\n' | merged)" \
	"d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k s/ s/y:y x:below "

# Duplicates: the last wins, whatever it is.
is "a file twice" "$(printf 'file name=n data=1\nfile name=n data=2\n' | merged)" \
	"d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k n:2 s>x x:below "
is "a file, then a directory" "$(printf 'file name=n data=1\ndir name=n\nfile name=n/m data=m\n' | merged)" \
	"d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k n/ n/m:m s>x x:below "
is "a directory, then a file" "$(printf 'dir name=n\nfile name=n/m data=m\nfile name=n data=1\n' | merged)" \
	"d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k n:1 s>x x:below "
is "a symlink, then a file" "$(printf 'symlink name=n link=d\nfile name=n data=1\n' | merged)" \
	"d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k n:1 s>x x:below "
is "a symlink, then a directory" "$(printf 'symlink name=n link=d\ndir name=n\nfile name=n/a data=1\n' | merged)" \
	"d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k n/ n/a:1 s>x x:below "
is "a hard link, then a file: the other name keeps its content" \
	"$(printf 'file name=n data=1\nlink name=o link=n\nfile name=n data=2\n' | merged)" \
	"d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k n:2 o:1 s>x x:below "
is "a hard link to itself" "$(printf 'file name=n data=1\nlink name=n link=./n\n' | merged)" \
	"d/ d/a:a d/b:b d/sub/ d/sub/c:c e/ e/f:f keep/ keep/k:k n:1 s>x x:below "

# Directories without an entry are created as copy-up would create them.
tree=$(tree_of "$(printf 'file name=keep/new data=1\nfile name=far/away/file data=2\nend\n' | mktar |
	ovlctl import -p base -)")
is "an implied directory is like the one below" "$(stat -c '%a %u:%g %Y' "$tree/keep")" \
	"700 5:0 1700000000"
is "... or plain" "$(stat -c '%a %u:%g' "$tree/far/away")" "755 0:0"
printf 'dir name=. mode=700 uid=9\nend\n' | mktar >root.tar
need r ovlctl import root.tar
printf 'file name=f\nend\n' | mktar >l.tar
is "so is the root" "$(stat -c '%a %u' "$(tree_of "$(ovlctl import -p "$r" l.tar)")")" "700 9"
is "without a parent it is plain" "$(stat -c '%a %u %Y' "$(tree_of "$(ovlctl import l.tar)")")" "755 0 0"

# .wh..wh..opq at the top of the tar hides the whole stack.
cut=$(printf 'file name=only data=1\nfile name=.wh..wh..opq\nend\n' | mktar | ovlctl import -n cut -p base -)
is "an opaque root: no lower file" "$(ls "$(ovlctl ls -nr -o PATH cut)" | tr '\n' ' ')" \
	"$(is_overlay && echo root || echo diff link merged work) "
is "... but a parent" "$(ovlctl ls -nr -o PARENT,DEPTH,LOWERS cut)" "$base 1 0"
parent="cut"
is "a layer on top of it sees nothing below" "$(printf 'file name=top data=2\n' | merged)" "only:1 top:2 "
is "the changes of an opaque root" "$(ovlctl diff cut | tr '\n' ' ')" \
	"D /d D /e D /keep A /only D /s D /x "
parent=base

# Names that look like whiteouts.
for name in .wh. .wh.. .wh... d/.wh. d/.wh..; do
	printf 'file name=%s\nend\n' $name | mktar >l.tar
	fails 1 "a whiteout of nothing" "refused: $name" ovlctl import -p base l.tar
done
printf 'file name=.wh.dir/f\nend\n' | mktar >l.tar
fails 1 "inside a whiteout" "refused: a file below a whiteout" ovlctl import -p base l.tar
is "aufs's own names are ignored" "$(merged <<'EOF'
dir name=.wh..wh.plnk
file name=.wh..wh.plnk/12.34 data=x
file name=.wh..wh.aufs
file name=d/.wh..wh.orph
EOF
)" "$all"

# The name of a whiteout may be longer than a file name.
n=$(printf '%0255d' 1)
id=$(printf 'file name=%s gnuname=1\nend\n' $n | mktar | ovlctl import -)
id=$(printf 'file name=.wh.%s gnuname=1\nend\n' $n | mktar | ovlctl import -p $id -)
owns "a name of 255 bytes can be whited out" "$n=w "
printf 'file name=.wh.1%s gnuname=1\nend\n' $n | mktar >l.tar
fails 1 "over 255 bytes" "one of 256 cannot" ovlctl import -p base l.tar

done_testing
