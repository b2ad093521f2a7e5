#!/bin/sh
. "$(dirname "$0")/../lib.sh"

S=$OVLCTL_ROOT
make_tree src
tar -C src --xattrs --xattrs-include='*' --acls --numeric-owner -cf a.tar . 2>/dev/null
# Duplicates, whiteouts, implied directories, hard links, a file through a symlink.
printf '%s\n' 'file name=d/.wh.second' 'file name=imp/lied/f data=1' 'file name=twice data=first' \
	'file name=twice data=second' 'link name=hard link=twice' 'dir name=o' 'file name=o/f data=1' \
	'file name=o data=file' 'symlink name=l link=imp' 'file name=l/through data=1' \
	'file name=q/1 data=q' 'link name=q/one link=q/1' 'file name=q/2 data=q' 'link name=q/two link=q/2' \
	end | mktar >b.tar
printf 'file name=.wh..wh..opq\nfile name=alone data=1\nend\n' | mktar >c.tar
need a ovlctl import -n a a.tar
need b ovlctl import -n b -p a b.tar
need c ovlctl import -n c -p b c.tar
need w ovlctl create -n w b
need v ovlctl create b
need on_a ovlctl create a
cp "$S/$DRV/$on_a/$LOWER" on-a
ovlctl rm "$on_a"

sound() { # WHAT
	ovlctl check >out 2>&1
	is "$1" "$?:$(cat out)" "0:"
}
# The store, except the access times of directories, which a check may change.
sound "a sound store"
before=$(store_state)
ovlctl check --content >out 2>&1
is "... its content as well" "$?:$(cat out)" "0:"
is "... nothing is written" "$(store_state)" "$before"
stat -c %y "$S/staging" >was
ovlctl check --content
is "... not even for a moment" "$(stat -c %y "$S/staging")" "$(cat was)"
is "... as JSON" "$(ovlctl check -J)" "[]"
rm "$S/lock"
sound "the lock of the store is not needed"
no "... nor made" test -e "$S/lock"
(umask 077; : >"$S/lock")
ovlctl prune
need m ovlctl mount w
sound "a mounted layer changes nothing"
ovlctl umount w
before=$(store_state)
fails 8 "store '.*nowhere' does not exist" "no store" ovlctl --root nowhere check

# A command that damages the store; the finding of check; whether --repair repairs it.
saved() { rm -rf "$T/copy" && cp -a "$S" "$T/copy"; }
restored() { rm -rf "$S" && cp -a "$T/copy" "$S"; }
saved
damage() { # KIND MENDED(yes|no) WHAT COMMAND
	eval "$4"
	ovlctl check -J >out
	is "$3: status" "$?" 4
	is "$3: named" "$(jq -r '[.[] | select(.verdict == "error") | .kind] | unique | join(" ")' out)" "$1"
	ovlctl check --repair >out
	status=$?
	if [ "$2" = yes ]; then
		is "$3: repaired" "$status" 1
		sound "... and sound again"
		is "... as it was" "$(store_state)" "$before"
	else
		is "$3: is not repaired" "$((status & 4))" 4
	fi
	restored
}
if is_overlay; then
	damage lower yes "a missing lower file" 'rm "$S/$DRV/$w/lower-id"'
	damage lower yes "a torn lower file" 'head -c 30 "$T/copy/$DRV/$w/lower-id" >"$S/$DRV/$w/lower-id"'
	damage lower yes "an oversized lower file" 'head -c 100000 /dev/zero >"$S/$DRV/$w/lower-id"'
	damage lower yes "another layer as the lower one" 'printf %s "$a" >"$S/$DRV/$w/lower-id"'
	damage lower yes "a lower that is not there" 'printf %064d 3 >"$S/$DRV/$w/lower-id"'
	damage lower yes "a lower file where there is none" 'cp "$S/$DRV/$w/lower-id" "$S/$DRV/$b/lower-id"'
	damage work yes "a missing work directory" 'rm -r "$S/$DRV/$v/work"'
	damage tree no "a missing upper" 'rmdir "$S/$DRV/$w/upper"'
else
	link=$(cat "$S/$DRV/$b/link")
	damage link-file yes "a missing link file" 'rm "$S/$DRV/$b/link"'
	damage link-file yes "a torn link file" 'head -c 20 "$T/copy/$DRV/$b/link" >"$S/$DRV/$b/link"'
	damage link-file yes "an empty link file" ': >"$S/$DRV/$b/link"'
	damage link-file yes "an oversized link file" 'head -c 100000 /dev/zero >"$S/$DRV/$b/link"'
	damage link yes "a missing short link" 'rm "$S/$DRV/l/$link"'
	damage "bad-link link" yes "an empty directory for a short link" 'rm "$S/$DRV/l/$link"; mkdir "$S/$DRV/l/$link"'
	damage link yes "a misdirected short link" 'ln -sfn ../$a/diff "$S/$DRV/l/$link"'
	damage link yes "a short link to nowhere" 'ln -sfn ../$(printf %064d 3)/diff "$S/$DRV/l/$link"'
	ln -s ../$b/diff "$S/$DRV/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	is "a second short link may be that of a commit that goes on" "$(ovlctl check):$?" ":0"
	touch -hd '2 minutes ago' "$S/$DRV/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	is "... but not for long" "$(ovlctl check):$?" \
		"note: duplicate-link ABCDEFGHIJKLMNOPQRSTUVWXYZ: its layer has another link; 'ovlctl prune' removes it:0"
	ok "... prune" ovlctl prune
	sound "... takes it"
	damage bad-link yes "an empty directory among them" 'mkdir "$S/$DRV/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ"'
	damage bad-link yes "a short link that is none" 'ln -s /etc "$S/$DRV/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ"'
	damage lower yes "a missing lower file" 'rm "$S/$DRV/$w/lower"'
	damage lower yes "a torn lower file" 'head -c 30 "$T/copy/$DRV/$w/lower" >"$S/$DRV/$w/lower"'
	damage lower yes "lowers in another order" \
		'sed "s/\(.*\):\(.*\)/\2:\1/" "$T/copy/$DRV/$w/lower" | tr -d "\n" >"$S/$DRV/$w/lower"'
	damage lower yes "a lower file where there is none" 'cp "$S/$DRV/$w/lower" "$S/$DRV/$a/lower"'
	damage work yes "a missing work directory" 'rmdir "$S/$DRV/$b/work"'
fi
damage merged yes "a missing mount point" 'rmdir "$S/$DRV/$w/merged"'
damage hint yes "a parent that does not know of its child" 'rm "$S/$DRV/$b/.children/$w"'
rm "$S/$DRV/$a/.names/a"
is "a name that its layer does not know is none, and noted" "$(ovlctl check):$?" \
	"note: dangling-name a: no layer has this name; 'ovlctl prune' removes it:0"
restored
# Layers have notes of their names.
rm "$S"/names/*
is "lost names are noted" "$(ovlctl check | sed "s/'names'.*//" | sort):$?" \
	"$(for l in "$a a" "$b b" "$c c" "$w w"; do
		echo "note: layer $(echo "$l" | cut -c1-12): lost-name: its name '${l#* }' is missing from "
	done | sort):0"
ovlctl prune --layers --unused-for 0 >out
is "... prune takes neither what says so nor the layers" "$(cat out)" ""
ovlctl check --repair >out
is "... repaired" "$?:$(cut -d: -f1,3 out | sort -u)" "1:repaired: lost-name"
sound "... and sound again"
is "... as it was" "$(store_state)" "$before"
ln -s ../$DRV/$b "$S/names/other" && : >"$S/$DRV/$b/.names/other" && rm "$S/names/b"
: >"$S/$DRV/$b/.names/w"
like "one that lost one of its names" "lost-name: its name 'b' is missing" "$(ovlctl check)"
is "... prune takes what it has of that, and of another's" "$(ovlctl prune | cut -d' ' -f1,2 | sort)" "note b
note w"
restored
damage bad-name yes "a name that leads to no layer" 'ln -s /etc/passwd "$S/names/x"'
damage tree no "a missing tree" 'mv "$S/$DRV/$c/$TREE" "$T/away"'
rm -rf away
# Metadata is reconstructed: from the recipe and the chain id, or from the parent's
# hint and the driver's files.
for l in "$a" "$b" "$c" "$w"; do
	kinds=meta
	[ "$l" = "$c" ] || [ "$l" = "$w" ] || kinds="meta parent"
	damage "$kinds" yes "torn metadata" 'head -c 40 "$T/copy/$DRV/$l/.layer" >"$S/$DRV/$l/.layer"'
done
damage "meta parent" yes "oversized metadata" 'head -c 100000 /dev/zero >"$S/$DRV/$b/.layer"'
damage meta yes "all metadata missing, and the links" \
	'rm "$S"/$DRV/[0-9a-f]*/.layer && rm -f "$S"/$DRV/[0-9a-f]*/link'
damage meta yes "metadata of a layer that nothing but its parent knows" \
	': >"$S/$DRV/$w/.layer" && rm "$S/$DRV/$w/$LOWER" && rm -f "$S/$DRV/$w/link"'

# A short id belongs to one layer, which is the one whose metadata has it.
if ! is_overlay; then
	short=$(cat "$S/$DRV/$c/link")
	: >"$S/$DRV/$w/.layer"
	printf %s "$short" >"$S/$DRV/$w/link"
	rm "$S/$DRV/l/$short"
	ovlctl check --repair >out
	is "torn metadata, and another layer's link file" "$?" 1
	ovlctl check >out
	is "... repaired, all is sound" "$?:$(cat out)" "0:"
	is "... the other layer has its link" "$(readlink "$S/$DRV/l/$short")" "../$c/diff"
	restored
	sed -i "s/^link.*/link $short/" "$S/$DRV/$w/.layer"
	ovlctl check --repair >out
	is "metadata with another layer's short id: not repaired" "$(($? & 4))" 4
	is "... the other layer has its link" "$(readlink "$S/$DRV/l/$short")" "../$c/diff"
	restored
fi

damage meta yes "a wrong depth" 'sed -i "s/^depth.*/depth 7/" "$S/$DRV/$w/.layer"'
damage meta yes "a wrong number of lowers" 'sed -i "s/^lowers.*/lowers 3/" "$S/$DRV/$w/.layer"'
damage meta yes "... of an image layer" 'sed -i "s/^lowers.*/lowers 2/" "$S/$DRV/$b/.layer"'
damage meta yes "no lowers, where only an image layer can have none" \
	'sed -i "s/^lowers.*/lowers 0/" "$S/$DRV/$w/.layer"'
damage "meta parent" no "torn metadata of a layer with children, and no recipe" \
	'rm "$S/$DRV/$a/.layer" "$S/$DRV/$a/.recipe"'

# A layer that cannot be reconstructed is set aside, complete. It may be the only copy.
look_first="ovlctl: check: what was set aside may be the only copy: see ovlctl-check(8) before 'ovlctl prune --aside'"
aside() { # KIND NAME WHAT COMMAND
	[ "$named" ] || rm -f "$S"/names/* "$S"/$DRV/*/.names/*
	eval "$4"
	ovlctl check -J --repair >out 2>err
	is "$3: status" "$(($? & 4)):$(cat err)" "4:$look_first"
	like "$3: put aside" "^set aside $1 .* moved to '(aside/)?$2'" \
		"$(jq -r '.[] | .verdict + " " + .kind + " " + .text' out)"
	ok "... where it is" [ -e "$S/aside/$2" ]
	ovlctl check >out
	is "... and the store is sound" "$?:$(grep -v '^note: aside\|dangling' out)" "0:"
	like "... and says where to read on" "^note: aside .*: set aside by a repair; see ovlctl-check\(8\)" \
		"$(cat out)"
	ovlctl prune >out
	ok "... prune leaves it" [ -e "$S/aside/$2" ]
	like "... but says it would take it" "^aside $2 " "$(ovlctl prune --aside --dry-run)"
	ovlctl prune --aside >out
	no "... prune --aside takes it" [ -e "$S/aside/$2" ]
	restored
}
named=yes
aside meta "$DRV.$w" "metadata that nothing tells" \
	': >"$S/$DRV/$w/.layer"; : >"$S/$DRV/$w/$LOWER"; rm -r "$S/$DRV/$b/.children"'
# A dangling name is watched for two seconds, in case it is being removed.
named=
aside meta "$DRV.$w" "metadata that are told in two ways" \
	': >"$S/$DRV/$w/.layer"; cp "$T/on-a" "$S/$DRV/$w/$LOWER"'
aside meta "$DRV.$c" "an image layer without metadata and recipe" \
	'rm "$S/$DRV/$c/.layer" "$S/$DRV/$c/.recipe" "$S/$DRV/$c/$LOWER" "$S/$DRV/$c/work" -rf'
aside stray $DRV.stray "what is none of ours" 'touch "$S/$DRV/stray"'
aside stray $DRV.pipe "a pipe" 'mkfifo "$S/$DRV/pipe"'
aside empty empty.x "something in the empty directory" 'mkdir -p "$S/empty/x/y"'
named=yes
aside bad-name names.s "a socket for a name" \
	'(cd "$S/names" && perl -e "use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un(q(s))) or die")'
aside bad-name names.x "a directory for a name" 'mkdir -p "$S/names/x/y"'
aside merged "$DRV.${w%"${w#????????????}"}.merged" "a file for a mount point" \
	'rmdir "$S/$DRV/$w/merged"; echo mine >"$S/$DRV/$w/merged"'
if ! is_overlay; then
	# The layer is repaired; what was in the way is kept.
	in=$DRV.$(echo "$b" | cut -c1-12)
	aside link "$in.$link" "a directory for a short link" \
		'rm "$S/$DRV/l/$link"; mkdir -p "$S/$DRV/l/$link/x"'
	aside link-file "$in.link" "a directory for a link file" 'rm "$S/$DRV/$b/link"; mkdir -p "$S/$DRV/$b/link/x"'
	aside lower "$in.lower" "a directory for a lower file" 'rm "$S/$DRV/$b/lower"; mkdir -p "$S/$DRV/$b/lower/x"'
	aside work "$in.work" "a file for a work directory" 'rm -r "$S/$DRV/$b/work"; echo mine >"$S/$DRV/$b/work"'
	aside bad-link l.ABCDEFGHIJKLMNOPQRSTUVWXYZ "a directory among the short links" \
		'mkdir -p "$S/$DRV/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ/x"'
	aside bad-link l.file "a file among them" 'echo mine >"$S/$DRV/l/file"'
fi
# The name of what was set aside is escaped.
echo x >"$S/$DRV/$(printf 'ev\nerror: \033[31m')"
ovlctl check --repair >out 2>/dev/null
is "an odd name: set aside" "$?:$(grep -c ^error out)" 4:0
like "... and escaped" "moved to 'aside/$DRV\.ev\\\\012error: \\\\033\[31m'" "$(cat out)"
rm -r "$S/aside/$DRV.ev"*
named=
sed -i "s/^parent.*/parent $c/" "$S/$DRV/$b/.layer"
ovlctl check -J >out
is "parents that go round: status" "$?" 4
like "parents that go round: named" "loop" "$(jq -r '.[].kind' out)"
sh -c 'ulimit -t 1; exec ovlctl check' >out
is "... in no time" "$?:$(grep -c ": loop: " out)" 4:4
restored
damage parent no "a missing parent" 'mv "$S/$DRV/$a" "$T/away" && rm "$S/names/a" &&
	{ is_overlay || rm "$S/$DRV/l/$(cat "$T/away/link")"; }'
rm -rf away
damage id no "an id that is not the content's" 'mv "$S/$DRV/$c" "$S/$DRV/$(printf %064d 5)" &&
	{ is_overlay || ln -sfn ../$(printf %064d 5)/diff "$S/$DRV/l/$(cat "$T/copy/$DRV/$c/link")"; } &&
	touch "$S/$DRV/$b/.children/$(printf %064d 5)" && rm "$S/names/c"'
damage recipe no "a missing recipe" 'rm "$S/$DRV/$b/.recipe"'
mkdir "$S/staging/x"
is_overlay || ln -s ../$(printf '%064d' 7)/diff "$S/$DRV/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ"
sound "what is new may be a living process's"
touch -hd @0 "$S/staging/x" "$S/$DRV/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ" 2>err
ovlctl check >out
is "what the dead left is no error" "$?" 0
is "... but told" "$(cut -d: -f1,2 out | sort)" "$(is_overlay ||
	echo "note: dangling-link ABCDEFGHIJKLMNOPQRSTUVWXYZ"; echo "note: staging x")"
need - ovlctl prune

# Content.
changed() { # WANTED WHAT COMMAND
	eval "$3"
	ovlctl check --content -J >out
	is "$2: status" "$?" 4
	# The first layer: in overlay, layers on top differ from it too, and are reported.
	is "$2: named" "$(jq -r '.[0].layer as $l | [.[] | select(.layer == $l) | .kind + " " + (.path // "/")] |
		sort | join(", ")' out)" "$1"
	l=$(jq -r '.[0].layer' out)
	tar=a.tar
	[ "$l" = "$a" ] || tar=b.tar
	ovlctl check --repair --from $tar -J "$l" >out 2>err
	is "... healed from its tar" "$?:$(jq -r '[.[].verdict] | unique | join(" ")' out):$(cat err)" \
		"1:repaired:"
	ovlctl check --content >out
	is "... and sound again" "$?:$(cat out)" "0:"
	walk "$S/$DRV/$l/$TREE" >got
	walk "$T/copy/$DRV/$l/$TREE" | cmp -s - got
	is "... the tree is as it was" "$?" 0
	restored
}
A=$S/$DRV/$a/$TREE
B=$S/$DRV/$b/$TREE
changed "data plain" "other data, time and all the same" \
	'touch -r "$A/plain" ref; printf Plain\\n >"$A/plain"; touch -r ref "$A/plain"'
changed "data noise, time noise" "a shorter file" 'truncate -s 399999 "$A/noise"'
changed "mode noise" "another mode" 'chmod 600 "$A/noise"'
changed "owner noise" "another owner" 'chown 1 "$A/noise"'
changed "time noise" "another time" 'touch -d "2020-01-01" "$A/noise"'
changed "xattr noise" "another xattr" 'setfattr -n user.other -v x "$A/noise"'
changed "missing empty" "a missing file" 'touch -r "$A" ref; rm "$A/empty"; touch -r ref "$A"'
changed "extra more" "a file too many" 'touch -r "$A" ref; touch "$A/more"; touch -r ref "$A"'
changed "type empty" "a directory for a file" \
	'touch -r "$A" ref; rm "$A/empty"; mkdir "$A/empty"; touch -r ref "$A"'
changed "data dangling" "a symlink that leads elsewhere" \
	'touch -r "$A" ref; ln -sf x r2; touch -h -r "$A/dangling" r2; rm "$A/dangling"; ln -s x/elsewhere/all "$A/dangling"; touch -h -r r2 "$A/dangling"; touch -r ref "$A"'
changed "data twice" "data of a hard link" \
	'touch -r "$B/twice" ref; printf SECOND >"$B/hard"; touch -r ref "$B/twice"'
changed "data twice" "data of a file that was replaced" 'printf FIRST >"$S/$DRV/$b/.kept/0"'
changed "recipe /" "a damaged recipe" 'printf x | dd of="$S/$DRV/$b/.recipe" bs=1 seek=60 conv=notrunc 2>/dev/null'
changed "links q/one, links q/two" "links that have changed partners" \
	'touch -r "$B/q" ref; ln "$B/q/one" "$B/q/x"; ln -f "$B/q/two" "$B/q/one"; mv "$B/q/x" "$B/q/two"; touch -r ref "$B/q"'
# A missing file of 2^60 bytes must not be read as so many zeros.
long() {
	printf 'ovlctl-recipe 1\n'
	printf 'F\002noD\000\200\200\200\200\200\200\200\200\020E12345678' | zstd -q
}
changed "recipe /" "a recipe without end" 'long >"$S/$DRV/$a/.recipe"'
sound "all is as it was"

# --repair --from.
fails 2 "--from FILE needs --repair and a LAYER" "--from without a layer" ovlctl check --repair --from a.tar
fails 2 "--from FILE needs --repair and a LAYER" "--from without --repair" ovlctl check --from a.tar a
fails 8 "no such layer 'nono'" "a layer that is not there" ovlctl check --repair --from a.tar nono
fails 8 "cannot open 'nono.tar'" "a tar that is not there" ovlctl check --repair --from nono.tar a
fails 8 "'b.tar': its diff id is sha256:.*, which does not give layer ${a%????????????????????????????????????????????????????} on any parent" \
	"another layer's tar" ovlctl check --repair --from b.tar a
fails 8 "layer .* is writable" "a writable layer" ovlctl check --repair --from a.tar w
rm "$A/empty"
echo more >"$A/plain"
before=$(store_state)
head -c 3000 a.tar >torn.tar
fails 8 "'torn.tar': .*[Tt]runcated" "a torn tar" ovlctl check --repair --from torn.tar a
need m ovlctl mount w
fails 4 "layer 'w' is mounted on" "a layer with a mounted one on top" \
	ovlctl check --repair --from a.tar a
ovlctl umount w
fails 4 "layer 'b' is in use" "a layer that another process reads" \
	flock -s "$S/$DRV/$b" ovlctl check --repair --from b.tar b
is "refused, nothing is touched" "$(store_state)" "$before"
zstd -q a.tar
ovlctl check --repair --from - a <a.tar.zst >out
is "the tar may be packed, and come from a pipe" "$?:$(cut -d' ' -f1,4 out | sort -u)" "1:repaired: data:
repaired: missing:
repaired: time:"
rm -rf "$A/dir" && ln -s /etc "$A/dir"
chmod 0 "$A"
setfattr -n user.more -v 1 "$A"
is "the next step, for files" "$(ovlctl check --content 2>&1 >/dev/null)" \
	"ovlctl: check: to restore a layer from its tar: ovlctl check --repair --from FILE LAYER"
is "... or not" "$(ovlctl -q check --content 2>&1 >/dev/null)" ""
mkdir "$S/$DRV/stray"
like "... for the store" "^ovlctl: check: to repair the store: ovlctl check --repair$" "$(ovlctl check 2>&1 >/dev/null)"
rmdir "$S/$DRV/stray"
rm -f "$S/$DRV/$a/.recipe" "$S/$DRV/$a/.layer" "$S/$DRV/$a/link" "$S"/$DRV/l/*
mkdir -p "$A/many/more"
ln "$A/plain" "$A/many/more/plain"
ovlctl check --repair --from a.tar "$a" >out
is "much damage at once" "$?:$(cut -d' ' -f1 out | sort -u)" "1:repaired:"
ovlctl check --repair >/dev/null
ovlctl check --content >out
is "... all of it is healed" "$?:$(cat out)" "0:"
walk "$A" >got
walk "$T/copy/$DRV/$a/$TREE" >want
same "... the tree is as it was" want got
ovlctl diff -o back.tar a
same "... and so is its tar" a.tar back.tar
rm -r "$A"
ovlctl check --repair --from a.tar a >out
is "a missing tree" "$?:$(cut -d' ' -f1,4 out)" "1:repaired: tree:"
sound "... is there again"
restored
# Their directories have new times, which differ from run to run.
is "check of one layer" "$(rm "$B/twice" "$A/plain"; ovlctl check --content b | cut -d' ' -f4 | sort -u | grep -v time:)" \
	"$(is_overlay && echo extra: || echo links:)
missing:"
restored

fails 8 "is not empty and not a store" "a directory that is no store" ovlctl --root src check
fails 2 "unknown option" "a wrong option" ovlctl check --contents

# ---- a writable layer and its parent -------------------------------------------------

# "No parent" is concluded only if all files that create writes first exist.
OVLCTL_ROOT=$T/parents
S=$OVLCTL_ROOT
printf 'file name=f data=1\nfile name=g data=1\nend\n' | mktar >f.tar
b=$(ovlctl import -n b f.tar)
lone=$(ovlctl create)
w=$(ovlctl create b)
saved
: >"$S/$DRV/$lone/.layer"
ovlctl check --repair >out
is "torn metadata of a layer without parent" "$?:$(cut -d: -f1,3 out)" "1:repaired: meta"
sound "... are made out"
is "... and it has none" "$(ovlctl ls -nr -o PARENT "$lone")" ""
restored
lost() { # WHAT COMMAND: not made out, but put aside
	eval "$2"
	ovlctl check --repair >out 2>err
	is "$1: put aside" "$?:$(sed -n 's/^\(set aside: layer\).* moved to .aside.*$/\1/p' out)" \
		"4:set aside: layer"
	is "... and is to be looked at" "$(cat err)" "$look_first"
}
rm "$S/$DRV/$b/.children/$lone" 2>err
lost "no metadata, no link" 'rm -f "$S/$DRV/$lone/.layer" "$S/$DRV/$lone/link"'
restored
mknod "$S/$DRV/$lone/$UPPER/gone" c 0 0
lost "a whiteout in a layer that nothing calls a child" ': >"$S/$DRV/$lone/.layer"'
restored

# A possible parent of a layer that was set aside stays as long as that does.
echo work >"$S/$DRV/$w/$UPPER/mine"
mknod "$S/$DRV/$w/$UPPER/g" c 0 0
lost "a hint and a file that disagree" 'c=$(printf "file name=c\nend\n" | mktar | ovlctl import -)
	v=$(ovlctl create "$c"); rm "$S/$DRV/$w/.layer"; cp "$S/$DRV/$v/$LOWER" "$S/$DRV/$w/$LOWER"; ovlctl rm "$v"'
for l in $b $c; do
	fails 4 "may be the parent of a layer that a repair set aside as '$DRV.$(echo "$w" | cut -c1-12)...'; see ovlctl-check.8. before 'ovlctl prune --aside'" \
		"its parent is not removed" ovlctl rm $l
	fails 4 "a repair set aside" "... with -r" ovlctl rm -r $l
done
ovlctl prune >out
is "... and knows of it after prune" "$(ls "$S/$DRV/$b/.children"; ls "$S/$DRV/$c/.children")" "$w
$w"
ovlctl prune --layers --unused-for 0 >out
is "... which leaves it" "$(ovlctl ls -nr -o ID $b $c | wc -l)" 2
# As described in ovlctl-check(8).
ok "its files are there" grep -q work "$S/aside/$DRV.$w/$UPPER/mine"
is "its parent may be one of two" "$(ls -d "$S/$DRV"/*/.children/"$w" | wc -l)" 2
need new ovlctl create -n rescued $b
need - cp -a "$S/aside/$DRV.$w/$UPPER/." "$S/$DRV/$new/$UPPER/"
is "... and can be had again" "$(ovlctl diff rescued)" "D /g
A /mine"
need - ovlctl mount rescued
is "... all of them" "$(cd "$(ovlctl ls -nr -o MOUNTPOINT rescued)" && echo * && cat mine)" "f mine
work"
need - ovlctl umount rescued
need - ovlctl rm rescued
ok "prune --aside" ovlctl prune --aside
ok "... and they can go" ovlctl rm $b $c

# ---- the configs of images ------------------------------------------------------------

sha() { sha256sum <"$1" | cut -d' ' -f1; }
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
	"$(sha c.tar)" >config.json
echo '[{"Config":"config.json","RepoTags":["image:1"],"Layers":["c.tar"]}]' >manifest.json
tar -cf image.tar c.tar config.json manifest.json
OVLCTL_ROOT=$T/images
need image ovlctl import image.tar
is "the config of an image" "$(ovlctl check --content; ls "$OVLCTL_ROOT/$DRV/$image/.configs")" "$(sha config.json)"
sed -i s/amd64/arm64/ "$OVLCTL_ROOT/$DRV/$image/.configs/"*
is "... changed" "$(ovlctl check --content; echo $?)" \
	"error: layer $(echo "$image" | cut -c1-12): config: its image config sha256:$(sha config.json | cut -c1-12) does not match its digest
4"
need - ovlctl import image.tar
is "... and put right by another import" "$(ovlctl check --content; echo $?)" 0
rm "$OVLCTL_ROOT/$DRV/$image/.configs/"*
mkdir "$OVLCTL_ROOT/$DRV/$image/.configs/$(sha config.json)"
is "... no file at all" "$(ovlctl check --content | cut -d: -f3; ovlctl check --content >/dev/null; echo $?)" " config
4"

done_testing
