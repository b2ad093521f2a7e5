#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# The table of commands, --help and the pages say the same.
man=$top/man
commands=$(ovlctl --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')

# Long options in a text, one on each line, without --help.
longs() { grep -oE -- '--[a-z][a-z-]+' | grep -v -- '^--help$' | sort -u; }
# Options that a page describes: items of its lists.
items() {
	sed -n 's/^\.It //p' "$1" | tr ' ' '\n' |
		sed -n 's/^-\([a-z][a-z-]*\)$/--\1/p' | sort -u
}

global=$(ovlctl --help | sed -n '/^options:/,$p' | sed '/^$/,$d' | longs)
is "ovlctl.8 describes the global options" "$(items $man/ovlctl.8 | grep -v -- --help)" "$global"
for c in $commands; do
	like "ovlctl.8 names $c" "^\.It (Xr ovlctl-$c 8|Cm $c)" "$(cat $man/ovlctl.8)"
	[ $c = help ] && continue
	page=$man/ovlctl-$c.8
	ok "ovlctl-$c.8 is there" test -f "$page"
	want=$(ovlctl $c --help | sed -n '/^options:/,$p' | sed 's/^  \(.\{24\}\).*/\1/' | longs)
	is "ovlctl-$c.8 describes the options of $c" "$(items $page)" "$want"
	letters=$(ovlctl $c --help | sed -n 's/^  -\([a-zA-Z]\), --.*/\1/p' | sort | tr '\n' ' ')
	is "... and their letters" "$(sed -n 's/^\.It Fl \([a-zA-Z]\) , Fl -.*/\1/p' "$page" | sort | tr '\n' ' ')" "$letters"
	is "... and its summary" \
		"$(sed -n 's/^\.Nd //p' "$page" | cut -c1-12)" \
		"$(ovlctl --help | sed -n "s/^  $c  *//p" | cut -c1-12)"
	for s in NAME SYNOPSIS DESCRIPTION ENVIRONMENT FILES 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
		grep -q "^\.Sh $s" "$page" || report 1 "ovlctl-$c.8 has $s"
	done
done
page=$man/mount.ovlctl.8
mkdir bin
ln -s "$(command -v ovlctl)" bin/mount.ovlctl
bin/mount.ovlctl --help >h
like "mount.ovlctl --help says how" "^usage: mount.ovlctl .* LAYER DIR$" "$(head -1 h)"
is "... no line is too long" "$(awk 'length > 80' h)" ""
is "mount.ovlctl.8 describes the options" "$(items $page)" "$(sed -n '/^options:/,$p' h | sed 's/^  \(.\{24\}\).*/\1/' | longs)"
is "... and their letters" "$(sed -n 's/^\.It Fl \([a-zA-Z]\) , Fl -.*/\1/p' $page | sort | tr '\n' ' ')" \
	"$(sed -n 's/^  -\([a-zA-Z]\), --.*/\1/p' h | sort | tr '\n' ' ')"
is "columns of ls: the page and the program" \
	"$(sed -n '/^.Ss Columns/,/^.El/s/^\.It \([A-Z]*\)$/\1/p' $man/ovlctl-ls.8 | tr '\n' ' ')" \
	"$(ovlctl ls -o x 2>&1 | sed 's/.*the columns are //; s/,//g') "
is "every page that is named is there" \
	"$(grep -ohE '^\.(It )?Xr (mount\.)?ovlctl[a-z-]* [578]' $man/* | awk '{print $(NF-1) "." $NF}' | sort -u |
		while read -r p; do [ -f "$man/$p" ] || echo "$p"; done)" ""
is "README names every page" \
	"$(for p in "$man"/*; do b=$(basename "$p"); grep -q "${b%.*}($(echo "$b" | sed 's/.*\.//'))" "$top/README" || echo "$b"; done)" ""
if command -v mandoc >/dev/null; then
	is "mandoc has nothing to say" \
		"$(mandoc -Tlint $man/* 2>/dev/null | grep -v "referenced manual not found")" ""
fi

done_testing
