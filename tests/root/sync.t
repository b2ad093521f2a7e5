#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# on a disk

# not in a user namespace: root of one that others made cannot trace

# Each command takes its steps in the order that ovlctl-store(5) gives.
can_trace || cannot "strace"
S=$OVLCTL_ROOT
page=$top/man/ovlctl-store.5
printf 'file name=x data=1\nend\n' | mktar >a.tar
printf 'file name=y data=1\nend\n' | mktar >b.tar
printf 'file name=z data=1\nend\n' | mktar >c.tar
sha() { sha256sum <"$1" | cut -d' ' -f1; }
mkdir image
cp c.tar b.tar image
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s"]}}' \
	"$(sha c.tar)" "$(sha b.tar)" >image/c.json
echo '[{"Config":"c.json","RepoTags":["image:1"],"Layers":["c.tar","b.tar"]}]' >image/manifest.json
tar -C image -cf image.tar .

# Translates calls in a trace into the steps of the page.
sed "s/DRIVER/$DRV/" >events <<'E'
/^openat(.*".children\/ID".*O_CREAT/s/.*/hint/p
/^openat([0-9]*<[^>]*\/.names>, .*O_CREAT/s/.*/note/p
/^syncfs/s/.*/sync all/p
/^renameat2(.*\/.names>/s/.*/note/p
/^renameat2(.*\/.configs>/s/.*/config/p
/^symlinkat("..\/DRIVER\/ID", [0-9]*<S\/names>, "[^.]/s/.*/name/p
/^renameat([0-9]*<[^>]*>, .*<S\/names>/s/.*/name/p
/^symlinkat("..\/ID\/diff"/s/.*/link/p
/^renameat2(.*<S\/trash>/s/.*/trash/p
/^renameat2(.*<S\/DRIVER>, "ID", RENAME_/s/.*/layer/p
/^fsync([0-9]*<[^>]*\/.names\/[^>]*>/s/.*/sync note/p
s/^fsync([0-9]*<[^>]*\/\([^/>]*\)>.*/sync \1/p
/^unlinkat([0-9]*<S\/names>/s/.*/unname/p
/^unlinkat([0-9]*<S\/DRIVER\/ID\/.names>/s/.*/unnote/p
/^unlinkat([0-9]*<[^>]*\/.children>, "ID"/s/.*/unhint/p
/^unlinkat(.*"l\/LINK"/s/.*/unlink/p
E
# The steps of a command, as named on the page.
steps() {
	traced -y -qq -o tr -e trace=openat,symlinkat,renameat2,renameat,unlinkat,fsync,syncfs,flock "$@" >out || cat out
	awk -v "what=$*" -v "names=<$S/names>" '
		/ flock\(/ && index($0, names) { held[$1] = !/LOCK_UN/; print what >"locked" }
		/ (fsync|syncfs)\(/ && held[$1] { print what ": " $0 }' tr >>under
	cat locked >>all.locked 2>/dev/null
	sed "s,$S,S,g; s/^[0-9]* *//; s/[0-9a-f]\{64\}/ID/g; s/[A-Z2-7]\{26\}/LINK/g; / = -1 /d" tr | sed -nf "$T/events" |
		tr '\n' ',' | sed 's/,$//; s/,/, /g'
}
# The steps that the page lists.
said() {
	awk -v item=".It Cm $1" '
		/^\.Ss/ { order = /The order of steps/ }
		order && $0 == item { on = 1; next }
		/^\.(It|El)/ { on = 0 }
		on { printf "%s ", $0 }' "$page" | sed 's/ $//' |
		if is_overlay; then sed 's/, \(un\)\?link\>//g; s/; \(link\|sync l\),/;/g; s/, sync l\>//g; s/sync overlay2/sync overlay/g'; else cat; fi
}

need - ovlctl import -n a a.tar
same_steps() { # ITEM COMMAND...
	item=$1
	shift
	got=$(steps "$@")
	is "$item" "$got" "$(said "$item")"
}
same_steps import ovlctl import -n b -p a b.tar
is "import --sync=none" "$(steps ovlctl --sync=none import -n c -p a c.tar)" \
	"$(said create)"
same_steps "import No of a layer that already exists" ovlctl import -n b2 -p a b.tar
# Two layers, of which the lower one has no parent.
is "import of an image" "$(steps ovlctl import image.tar)" \
	"$(said "import No of an image" |
		sed 's/ for each layer;/,/; s/;/,/; s/\(link, layer\|layer\) for each layer;/\1, \1,/')"
# Makes a writable layer.
writable() {
	need - ovlctl create -n "$1" a
	echo "$2" >"$(tree_of "$1")/f"
	touch -d @1 "$(tree_of "$1")/f" "$(tree_of "$1")"
}
writable w 1
is_overlay || same_steps commit ovlctl commit w
writable w2 1
is_overlay || same_steps "commit No of what already exists" ovlctl commit w2
writable w3 2
is_overlay || same_steps "commit Fl n" ovlctl commit -n i w3
writable w4 3
need id ovlctl ls -nr -o ID w4
echo "$id" >id
is_overlay || same_steps "commit Fl -keep" ovlctl commit --keep "$id"
same_steps tag ovlctl tag a other
is "tag --sync=none" "$(steps ovlctl --sync=none tag a another)" "note, name"
is "... and of a writable layer" "$(steps ovlctl tag "$(cat id)" mine)" "$(said tag)"
same_steps "tag Fl -force" ovlctl tag --force a b2
same_steps "tag Fl d" ovlctl tag -d b2
same_steps create ovlctl create -n v a
same_steps rm ovlctl rm v
is "create --sync=all" "$(steps ovlctl --sync=all create -n v a)" "$(said import)"
is "rm --sync=all" "$(steps ovlctl --sync=all rm v)" "$(said rm), sync all"
is "prune --sync=all" "$(steps ovlctl --sync=all prune)" "sync all"
is "prune --dry-run --sync=all" "$(steps ovlctl --sync=all prune --dry-run)" ""
is "nothing is synced under the lock of the names" "$(cat under)" ""
ok "... which was seen" grep -q " tag " all.locked
need - ovlctl import -p a c.tar
# A hint that is removed after it was synced.
need a ovlctl ls -nr -o ID a
ovlctl rm c
ls "$S/$DRV/$a/.children" >have
traced -qq -y -o tr -e trace=syncfs,fsync,renameat2 -e inject=syncfs:signal=STOP:when=1 \
	ovlctl import -p a c.tar >/dev/null &
until_true has_stopped tr
ls "$S/$DRV/$a/.children" >now
need new grep -v -x -f have now
rm "$S/$DRV/$a/.children/$new"
go_on tr
wait
is "a hint that went meanwhile is synced" \
	"$(sed -n '/\.children>/p; /renameat2/p' tr | sed 's/.*\(fsync\|renameat2\)(.*/\1/' | tr '\n' ' ')" "fsync renameat2 "

# A hint that is removed when a commit that makes a new tree has locked the names: it then
# locks the store, as its last step but one.
if ! is_overlay; then
	writable w5 5
	writable w6 6
	traced -qq -y -o tr -e trace=flock env SOURCE_DATE_EPOCH=9 ovlctl commit w5 >/dev/null
	at=$(awk '/<[^>]*\/names>, LOCK_EX/ { named = 1 }
		/flock\(/ { n++ }
		named && /<[^>]*\/lock>, LOCK_SH/ { print n; exit }' tr)
	ls "$S/$DRV/$a/.children" >have
	: >under
	rm -f tr
	steps -e inject=flock:signal=STOP:when=$((at - 1)) env SOURCE_DATE_EPOCH=9 ovlctl commit w6 >/dev/null &
	until_true has_stopped tr
	ok "a hint that goes under the lock of the names" locked "$S/names"
	ls "$S/$DRV/$a/.children" >now
	need new grep -v -x -f have now
	rm "$S/$DRV/$a/.children/$new"
	go_on tr
	wait
	is "... is not synced under it" "$(cat under)" ""
	ok "... but the layer is made" ovlctl show w6
	is "... an image layer" "$(ovlctl ls -nr -o KIND w6)" image
	ok "... with it" ovlctl check
fi

done_testing
