#!/bin/sh
. "$(dirname "$0")/../lib.sh"

mktar >a.tar <<'E'
dir name=d
file name=d/a data=a
file name=d/b data=b
dir name=d/sub
file name=d/sub/c data=c
dir name=gone
file name=gone/x data=x
file name=file data=1
file name=other data=1
symlink name=link link=file
dir name=a
file name=a/c data=1
file name=a.b data=1
end
E
need - ovlctl import -n a a.tar
need w ovlctl create -n w a
is "nothing changed" "$(ovlctl diff w)" ""
need m ovlctl mount w
changes() { ovlctl diff "$@" | tr '\n' ';'; }
reset() {
	ovlctl umount w
	ovlctl rm w
	need w ovlctl create -n w a
	need m ovlctl mount w
}

echo new >"$m/new"
is "added" "$(changes w)" "A /new;"
echo more >>"$m/file"
is "changed" "$(changes w)" "C /file;A /new;"
rm "$m/new"
is "added and deleted again: nothing" "$(changes w)" "C /file;"
rm "$m/file"
is "deleted" "$(changes w)" "D /file;"
reset
chmod 600 "$m/d/sub/c"
is "parents of a change are changed" "$(changes w)" "C /d;C /d/sub;C /d/sub/c;"
chmod 644 "$m/d/sub/c"
is "changed back: still in the upper, so C" "$(changes w)" "C /d;C /d/sub;C /d/sub/c;"
reset
rm -r "$m/d"
is "a removed directory is one D" "$(changes w)" "D /d;"
mkdir "$m/d"
is "made again: each hidden child is a D" "$(changes w)" "C /d;D /d/a;D /d/b;D /d/sub;"
echo x >"$m/d/a"
is "a child made again is changed" "$(changes w)" "C /d;C /d/a;D /d/b;D /d/sub;"
mkdir "$m/d/sub" "$m/d/sub/new"
is "a directory in it too, and what it hid is gone" "$(changes w)" \
	"C /d;C /d/a;D /d/b;C /d/sub;D /d/sub/c;A /d/sub/new;"
reset
rm "$m/file"
mkdir "$m/file"
echo 1 >"$m/file/in"
is "a file becomes a directory" "$(changes w)" "C /file;A /file/in;"
rm -r "$m/d"
echo 1 >"$m/d"
is "a directory becomes a file" "$(changes w)" "C /d;C /file;A /file/in;"
reset
mv "$m/file" "$m/renamed"
is "a rename of a file" "$(changes w)" "D /file;A /renamed;"
reset
ln "$m/file" "$m/second"
is "a hard link" "$(changes w)" "C /file;A /second;"
reset
ln -sf other "$m/link"
mkfifo "$m/fifo"
is "a symlink, a fifo" "$(changes w)" "A /fifo;C /link;"
reset
echo 1 >"$m/a/c"
echo 1 >"$m/a.b"
echo 1 >"$m/a-"
is "sorted by the bytes of the path" "$(changes w)" "C /a;A /a-;C /a.b;C /a/c;"
chmod 700 "$m"
is "no line for the root" "$(changes w)" "C /a;A /a-;C /a.b;C /a/c;"
is "mounted or not, the same" "$(ovlctl umount w; changes w)" "C /a;A /a-;C /a.b;C /a/c;"
need m ovlctl mount w
reset

# Names.
touch "$m/$(printf 'tab\there')" "$m/$(printf 'new\nline')" "$m/$(printf 'esc\033[31m')" \
	"$m/$(printf 'bad\377')" "$m/$(printf 'caf\303\251')" "$m/$(printf 'back\\slash')" \
	"$m/$(printf 'c1\302\233')"
is "names are escaped in a list" "$(changes w)" \
	"$(printf 'A /back\\\\slash;A /bad\\377;A /c1\\302\\233;A /caf\303\251;A /esc\\033[31m;A /new\\012line;A /tab\\011here;')"
is "exact with -z" "$(ovlctl diff -z w | tr '\0' ';' | od -An -c | tr -d ' \n')" \
	"$(printf 'A /back\\slash;A /bad\377;A /c1\302\233;A /caf\303\251;A /esc\033[31m;A /new\nline;A /tab\there;' | od -An -c | tr -d ' \n')"
ovlctl diff -J w >json
is "JSON: as text" "$(jq -r '.[].path' json | head -c 12)" '/back\slash'
is "JSON: kinds" "$(jq -r '.[].kind' json | tr -d '\n')" "AAAAAAA"
is "JSON: what is no text, exact in base64" \
	"$(jq -r '.[1].path_raw' json | base64 -d | od -An -tx1)" "$(printf '/bad\377' | od -An -tx1)"
is "JSON: ... and escaped" "$(jq -r '.[1].path' json)" '/bad\377'
is "JSON of nothing" "$(ovlctl diff -J a | jq -r 'map(select(.kind != "A")) | length')" 0
reset
is "JSON of no change" "$(ovlctl diff -J w)" "[]"

# An image layer's own changes; against others.
is "of a bottom layer: all is added" "$(changes a | cut -c1-30)" "A /a;A /a.b;A /a/c;A /d;A /d/a"
is "... as many as it has" "$(ovlctl diff a | wc -l)" 13
rm -r "$m/gone" "$m/d/b"
echo 2 >"$m/file"
chmod 600 "$m/other"
mkdir "$m/d/new"
ovlctl diff -o b.tar w
need b ovlctl import -n b -p a b.tar
want="C /d;D /d/b;A /d/new;C /file;D /gone;C /other;"
is "of a second layer, from the tar" "$(changes b)" "$want"
is "against its parent by name" "$(changes b a)" "$want"
w2=$(ovlctl create -n w2 b)
m2=$(ovlctl mount w2)
rm "$m2/d/a"
is "against the layer below the one below" "$(changes w2 a)" \
	"C /d;D /d/a;D /d/b;A /d/new;C /file;D /gone;C /other;"
is "the other way round" "$(changes a w2)" "C /d;A /d/a;A /d/b;D /d/new;C /file;A /gone;A /gone/x;C /other;"
is "against itself" "$(changes b b)" ""
is "an equal layer on another stack" "$(ovlctl import -n c a.tar >/dev/null; changes c a)" ""
mktar >d.tar <<'E'
dir name=.
file name=file data=1 mtime=5
end
E
need - ovlctl import -n d d.tar
printf 'dir name=.\nfile name=file data=2 mtime=5\nend\n' | mktar >e.tar
need - ovlctl import -n e e.tar
is "same size and time, other content" "$(changes e d)" "C /file;"
printf 'dir name=.\nfile name=file data=1 mtime=5 pax.SCHILY.xattr.user.k=v\nend\n' | mktar >f.tar
need - ovlctl import -n f f.tar
is "another xattr" "$(changes f d)" "C /file;"
ovlctl umount -a

# redirect_dir: a renamed directory is listed as new, and the old one as deleted.
if ! as_user; then
	need x ovlctl create -n x a
	need m ovlctl mount -o redirect_dir=on x
	mv "$m/d" "$m/moved"
	is "a renamed directory" "$(changes x)" \
		"D /d;A /moved;A /moved/a;A /moved/b;A /moved/sub;A /moved/sub/c;"
	rm "$m/moved/a"
	echo 2 >"$m/moved/b"
	mv "$m/moved/sub" "$m/top"
	is "changed afterwards, and a part renamed again" "$(changes x)" \
		"D /d;A /moved;A /moved/b;A /top;A /top/c;"
	mv "$m/gone" "$m/d"
	is "another in its old place" "$(changes x)" \
		"C /d;D /d/a;D /d/b;D /d/sub;A /d/x;D /gone;A /moved;A /moved/b;A /top;A /top/c;"
	ovlctl umount x
	ovlctl diff -o x.tar x
	is "the tar has no more of them than there are" "$(tar tf x.tar | sort | tr '\n' ' ')" \
		"./ .wh.gone d/ d/.wh..wh..opq d/x moved/ moved/b top/ top/c "
	is "... with content" "$(tar xOf x.tar top/c d/x)" "xc"
	need y ovlctl create -n y a
	need m ovlctl mount -o metacopy=on y
	chmod 600 "$m/d/a"
	mv "$m/d/b" "$m/bb"
	chmod 600 "$m/bb"
	ln "$m/d/sub/c" "$m/cc"
	chmod 600 "$m/cc"
	ok "metacopy has left marks" sh -c "getfattr -Rhm metacopy '$OVLCTL_ROOT/$DRV/$y/$UPPER' 2>/dev/null | grep -q metacopy"
	is "metacopied files" "$(changes y)" "A /bb;A /cc;C /d;C /d/a;D /d/b;C /d/sub;C /d/sub/c;"
	ovlctl umount y
	ovlctl diff -o y.tar y
	is "have their content in the tar" "$(tar xOf y.tar d/a bb cc 2>/dev/null)" "bca"
fi

fails 3 "no such layer 'nowhere'" "no such layer" ovlctl diff nowhere
fails 3 "no such layer 'nowhere'" "no such base" ovlctl diff w nowhere
fails 2 "unexpected operand 'c'" "three operands" ovlctl diff a b c
fails 2 "cannot be used together" "-J -z" ovlctl diff -J -z a
ok "a pipe that closes early kills quietly" sh -c 'ovlctl diff a | true; ovlctl diff a | head -1 >/dev/null'
if [ -e /dev/full ]; then
	fails 1 "cannot write to standard output" "a full output" sh -c 'exec ovlctl diff a >/dev/full'
fi

done_testing
