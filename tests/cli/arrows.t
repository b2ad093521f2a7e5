#!/bin/sh
# scripts/arrows finds violations of the rooms: tested on a tree of four files.
. "$(dirname "$0")/../lib.sh"
MODE=release
arrows() { sh "$top/scripts/arrows" "$T/tree"; }

# A tree without violations. Each test adds one.
tree() {
	rm -rf "$T/tree"
	mkdir -p "$T/tree/lib/base" "$T/tree/lib/store" "$T/tree/cmd"
	cd "$T/tree" || exit 1
	printf '\t.\t2\tverbs\n\tstore\t1\tlayers\n\tbase\t0\tbytes\n' >lib/README
	echo 'int ovl_verb(void);' >lib/ovl.h
	echo 'int base_add(int n);' >lib/base/base.h
	echo 'int store_get(void);' >lib/store/store.h
	printf '#include "%s.h"\n' base/base >lib/base/base.c
	echo 'int base_add(int n) { return n + 1; }' >>lib/base/base.c
	printf '#include "%s.h"\n' base/base store/store >lib/store/store.c
	echo 'int store_get(void) { return base_add(1); }' >>lib/store/store.c
	printf '#include "%s.h"\n' ovl store/store >lib/verb.c
	echo 'int ovl_verb(void) { return store_get(); }' >>lib/verb.c
	echo '#include "ovl.h"' >cmd/main.c
	echo 'int main(void) { return ovl_verb(); }' >>cmd/main.c
}

built() {
	find lib cmd -name '*.c' | while read -r c; do
		o=build/release/${c%.c}.o
		mkdir -p "${o%/*}" && cc -Ilib -c -o "$o" "$c" || exit 1
	done || exit 1
}

# Called after "tree" and a violation: each PATTERN matches one line, and there are no others.
found() { # WHAT PATTERN...
	what=$1
	shift
	built
	out=$(arrows)
	status=$?
	for pattern; do
		like "$what: $pattern" "^arrows: $pattern" "$out"
	done
	is "$what: says so, and no more" "$status $(printf '%s\n' "$out" | wc -l)" "1 $#"
}

tree
no "what is not built cannot be looked at" arrows
built
is "a sound tree" "$(arrows) $?" " 0"

tree
echo '#include "store/store.h"' >>lib/base/base.h
found "an include that points up" \
	'lib/base/base.h includes "store/store.h": base \(floor 0\) must not know store \(floor 1\)'

tree
echo 'int store_get(void); int base_add2(int n) { return n + store_get(); }' >>lib/base/base.c
echo 'int base_add2(int n); int store_two(void) { return base_add2(1); }' >>lib/store/store.c
echo 'int store_two(void); int ovl_main2(void) { return store_two(); }' >>lib/verb.c
echo 'int ovl_main2(void); int (*store_f)(void) = ovl_main2;' >>lib/store/store.c
found "references that point up, and the circles that they make" \
	'lib/base/base.c uses store_get of lib/store/store.c: base \(floor 0\)' \
	'lib/store/store.c uses ovl_main2 of lib/verb.c: store \(floor 1\) must not know lib/' \
	'a circle: lib/base/base.c lib/store/store.c lib/verb.c'

tree
echo '#include "ovl.h"' >>lib/base/base.c
echo 'int (*const base_table[])(void) = {ovl_verb};' >>lib/base/base.c
echo 'extern int (*const base_table[])(void); int store_x(void) { return base_table[0](); }' \
	>>lib/store/store.c
echo 'int store_x(void); int ovl_x(void) { return store_x(); }' >>lib/verb.c
echo 'int ovl_x(void); int x(void) { return ovl_x() + x(); }' >>cmd/main.c
found "a table of pointers, by way of ovl.h" \
	'lib/base/base.c uses ovl_verb of lib/verb.c: base' \
	'a circle: ' 'cmd/main.c: x is used nowhere else'

tree
echo 'int store_other(void); int store_a(void) { return store_other(); }' >>lib/store/store.c
echo 'int store_a(void); int store_other(void) { return store_a(); }' >lib/store/other.c
found "two files of one room that need each other" \
	'a circle: lib/store/other.c lib/store/store.c'

tree
mkdir lib/attic tests tests/unit
echo 'int attic_box(void) { return 1; } int attic_test(void) { return 2; }' >lib/attic/box.c
echo 'int main(void) { return attic_test(); }' >tests/unit/box.c
echo '#include "attic/box.h"' >>lib/verb.c
: >lib/attic/box.h
found "a room that the table does not have, a function without a caller" \
	'lib/attic/box.[ch]: attic is not in the table' \
	'lib/verb.c includes "attic/box.h": attic is not in the table' \
	'lib/attic/box.c: attic_box is used nowhere else'

tree
echo '#include "base/base.h"' >>cmd/main.c
echo 'int cmd_x(void) { return base_add(cmd_x()); }' >>cmd/main.c
echo '#include "base.h"' >>lib/base/base.c
found "a command that knows a room, an include not written from lib/" \
	'cmd/main.c includes "base/base.h": commands know ovl.h alone' \
	'cmd/main.c uses base_add: commands know ovl.h alone' \
	'cmd/main.c: cmd_x is used nowhere else' \
	'lib/base/base.c includes "base.h": not written from lib/'

tree
echo 'int get(void) { return 1; } int base_more(void) { return 2; }' >>lib/store/store.c
echo 'int store_a(void) { return 1; } int store_b(void) { return 2; }' >>lib/store/store.c
echo 'int get(void); int base_more(void); int store_a(void); int store_b(void);
	int ovl_a(void) { return get() + base_more() + store_a() + store_b(); }' >>lib/verb.c
echo 'int ovl_a(void); int b(void) { return ovl_a() + b(); }' >>cmd/main.c
echo 'int store_up(void) { return 1; }' >>lib/base/base.c
echo 'int store_up(void); int store_c(void) { return store_up() + store_c(); }' >>lib/store/store.c
found "names without a prefix, or with that of another room" \
	'lib/store/store.c: get has no prefix' \
	'lib/store/store.c: base_more: the prefix base_ is of base' \
	'lib/base/base.c: store_up: the prefix store_ is of store' \
	'lib/store/store.c: store_c is used nowhere else' 'cmd/main.c: b is used nowhere else'

tree
for i in $(seq 20); do : >"lib/verb$i.c"; done
for i in $(seq 25); do : >"lib/store/store$i.c"; done
found "too many files in one room" \
	'lib/: 21 .c files, at most 20' 'store: 26 .c files, at most 25'

done_testing
