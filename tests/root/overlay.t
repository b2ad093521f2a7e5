#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: as user too

# The driver overlay: complete trees, with hard links to unchanged files.
# only overlay
S=$OVLCTL_ROOT/overlay
root() { echo "$S/$1/root"; }
ino() { stat -c %i "$@" | tr '\n' ' '; }

make_tree src
link_specials src
tar -C src --xattrs --xattrs-include='*' --acls --numeric-owner -cf a.tar . 2>/dev/null
need a ovlctl import -n a a.tar
is "an image layer shows its tree alone" "$(ls "$S/$a")" root
A=$(root "$a")
walk -t "$A" >a.before
# Everything except link count and ctime, which other layers that share the file change.
whole() { (cd "$1" && find . ! -type d -printf '%p %i %m %U:%G %T@ %s\n' && find . -type d -printf '%p %m %U:%G %T@\n') | sort; }
whole "$A" >a.inodes

dies() {
	"$@"
	test $? -ge 128
}

# ---- what is shared, and what never is
printf '%s\n' 'file name=plain mode=600 uid=5 data=other pax.SCHILY.xattr.user.text=new' 'file name=new data=1' \
	'file name=.wh.empty' 'dir name=d/e mode=700 mtime=5' 'file name=d/e/f/more data=2' \
	'symlink name=link link=elsewhere' 'dir name=sgid mode=2775 uid=0 gid=5 mtime=7' end | mktar >b.tar
need b ovlctl import -n b -p a b.tar
B=$(root "$b")
is "files that stay are the parent's" "$(ino "$B/noise" "$B/none/secret" "$B/d/second" "$B/fifo")" \
	"$(ino "$A/noise" "$A/none/secret" "$A/d/second" "$A/fifo")"
for f in plain link; do
	no "a new inode for $f" test "$(ino "$A/$f")" = "$(ino "$B/$f")"
done
is "directories are never shared" "$(cd "$A" && find . -type d -printf '%i\n' | sort >../dirs
	cd "$B" && find . -type d -printf '%i\n' | sort | comm -12 - "$S/$a/dirs")" ""
rm "$S/$a/dirs"
whole "$A" | cmp -s - a.inodes
is "nothing is written into the parent's files" "$?" 0
walk -t "$A" | cmp -s - a.before
is "... not even metadata, xattrs and ACLs" "$?" 0
is "a file that is whited out is gone" "$(ls "$B/empty" 2>&1 | grep -c 'No such')" 1
is "other names of one that is described anew stay" "$(cat "$B/d/second" "$B/plain")" "plain
other"
is "a directory that is described" "$(stat -c '%a %Y' "$B/d/e" "$B/sgid" | tr '\n' ' ')" "700 5 2775 7 "
is "one that is not is like the parent's" \
	"$(cd "$B" && getfacl -pn d/e/f deep && stat -c '%a %u:%g %y' d/e/f deep none sticky)" \
	"$(cd "$A" && getfacl -pn d/e/f deep && stat -c '%a %u:%g %y' d/e/f deep none sticky)"
is "... its default ACL is not handed on to what is in it" "$(getfacl -pcn "$B/d/e/f/more" | grep -c 56)" 0
is "no marks are left" "$(find "$B" -type c -size 0 -name 'empty'; getfattr -Rhm 'overlay\.opaque' "$B" 2>/dev/null |
	grep overlay.opaque | grep -vE 'overlay\.overlay|^user\.overlay\.opaque$')" ""
is "check" "$(ovlctl check --content)" ""

# ---- the same as overlayfs would show it
o2() { ovlctl --root "$T/others" --driver overlay2 "$@"; }
both() { # WHAT LAYER...: stacks them with either driver and compares the unions
	what=$1
	shift
	p2='' po=''
	for tar; do
		p2=$(o2 -q --sync=none import ${p2:+-p "$p2"} "$tar")
		need po ovlctl -q --sync=none import ${po:+-p "$po"} "$tar"
	done
	is "$what: the same ids" "$po" "$p2"
	walk "$(o2 mount "$p2")" >want
	walk "$(ovlctl mount "$po")" >got
	same "... the same union" want got
	o2 umount -a
	walk -o "$(o2 mount "$p2")" >want
	walk -o "$(root "$po")" >got
	same "... as a tree" want got
	o2 umount -a
	ovlctl umount -a
	is "... sound" "$(ovlctl check --content)" ""
}
both "two layers" a.tar b.tar
seeds=12
short || seeds=100
failed=
p=$(o2 import -n r a.tar)
s=1
while [ $s -le $seeds ]; do
	w=$(o2 create r)
	m=$(o2 mount "$w")
	edits $s 60 "$m"
	o2 umount "$w"
	o2 -q diff -o r.tar "$w"
	o2 rm "$w"
	p2=$(o2 -q --sync=none import -p "$p" r.tar)
	need po ovlctl -q --sync=none import -p "$p" r.tar
	o2 tag --force "$p2" r
	walk -o "$(o2 mount r)" >want
	o2 umount r
	walk -o "$(root "$po")" >got
	[ "$p2" = "$po" ] && cmp -s want got || failed="$failed $s"
	p=$p2
	s=$((s + 1))
done
is "$seeds random layers, one on the other: the same unions" "$failed" ""
is "... sound" "$(ovlctl check --content)" ""

# ---- from one driver to the other
ovlctl export b image
is "exported, and imported into overlay2: the same chain ids" \
	"$(ovlctl --root "$T/moved" --driver overlay2 import image) $(ovlctl --root "$T/moved" --driver overlay2 ls -nr -o DRIVER,ID image:b)" \
	"$b overlay2 $b"
ovlctl --root "$T/moved" --driver overlay2 export --format docker image:b back.tar
is "... and back" "$(ovlctl --root "$T/moved2" import back.tar)" "$b"
is "... the stamp says the driver of a new store" "$(grep driver "$T/moved/stamp" "$T/moved2/stamp" | cut -d: -f2 | tr '\n' ' ')" \
	"driver overlay2 driver overlay "

# ---- where a file cannot have one more name
if can_trace; then
	faulty() { # WHAT ERROR WHEN
		ovlctl rm b
		ovlctl rm c 2>/dev/null
		traced -qq -o trace -e trace=linkat -e inject="linkat:error=$2:when=$3" \
			ovlctl --sync=none import -n b -p a b.tar >out
		refused=$(grep -c INJECTED trace)
		ok "$1: $refused links" test "$refused" -gt 0
		is "$1: a copy" "$(cat out)" "$b"
		walk "$(root "$b")" | sed "$groups" >got
		sed "$groups" b.want >want
		same "... of all there is" want got
		whole "$A" | cmp -s - a.inodes
		is "... the parent is as it was" "$?" 0
		is "... sound" "$(ovlctl check --content | grep -v "$without")" ""
	}
	walk "$B" >b.want
	groups='s/ same=[^ ]*//' without="is linked with"
	faulty "every link refused" EMLINK 1+
	no "... no file is shared" test "$(ino "$A/noise")" = "$(ino "$B/noise")"
	faulty "no hard links at all" EPERM 1+
	faulty "none across" EXDEV 1+
	faulty "none from somewhere on" EMLINK 12+
	# Hard links stay linked, whichever of them exceeded the limit.
	groups='' without=nothing
	ovlctl rm b
	traced -qq -o trace -e trace=linkat ovlctl --sync=none import -n b -p a b.tar >out
	n=$(grep -c 'linkat(' trace)
	i=1
	while [ $i -le $n ]; do
		faulty "link $i refused" EMLINK $i
		i=$((i + $(short && echo 4 || echo 1)))
	done
	ovlctl rm b
	need - ovlctl import -n b -p a b.tar
	no "another error is one" traced -qq -o /dev/null -e trace=linkat -e inject=linkat:error=EIO:when=4 \
		ovlctl import -n c -p b a.tar
	like "... with its name" "^ovlctl: import: cannot link '.*' from the layer below: Input/output error" "$(cat .err)"
	is "... nothing is left" "$(ls "$OVLCTL_ROOT/staging")" ""
fi
# ext4: 65,000 links.
mkdir links
if [ "$(stat -f -c %T .)" = ext2/ext3 ]; then
	perl -e '$_ = 1; $_++ while link $ARGV[0], "links/$_"' "$A/noise"
	is "a file has all names it can have" "$(stat -c %h "$A/noise")" 65000
	printf 'file name=x data=1\nend\n' | mktar >c.tar
	C=$(root "$(ovlctl import -n c -p a c.tar)")
	is "... and comes as a copy" "$(stat -c %h "$C/noise") $(cmp "$A/noise" "$C/noise" && stat -c '%a %y' "$C/noise")" \
		"1 $(stat -c '%a %y' "$A/noise")"
	is "... check" "$(ovlctl check --content)" ""
	echo more >>"$C/noise"
	like "... which sees damage there" "data: 'noise'" "$(ovlctl check --content c)"
	ovlctl rm c
fi
rm -rf links

# ---- damage of what layers share
printf 'file name=top data=1\nend\n' | mktar >c.tar
need c ovlctl import -n c -p b c.tar
C=$(root "$c")
echo damage >>"$C/noise"
chmod 604 "$C/noise"
is "damage in one layer is damage in all that share it" "$(cmp "$A/noise" "$C/noise" && echo same)" same
ovlctl check --content >out
like "check tells of it where it belongs" "layer $(echo "$a" | cut -c1-12): data: 'noise'" "$(cat out)"
is "... and not elsewhere" "$(grep -vc "layer $(echo "$a" | cut -c1-12)" out)" 0
ovlctl check --repair --from a.tar a >out
is "healed from its tar: everywhere" "$?:$(ovlctl check --content)" "1:"
is "... and shared again" "$(ino "$A/noise" "$B/noise")" "$(ino "$B/noise" "$C/noise")"
if can_trace; then
	for when in 1 2 3; do
		f=$(echo zeros holes hole | cut -d' ' -f$when)
		echo damage >>"$C/$f"
		ok "a healing that is killed at $when" dies traced -qq -o /dev/null -e trace=renameat \
			-e inject=renameat:signal=KILL:when=$when ovlctl check --repair --from a.tar a
		like "... is known not to be done" "layer $(echo "$a" | cut -c1-12): data: '$f'" "$(ovlctl check --content)"
		ovlctl check --repair --from a.tar a >out
		is "... and done again: everywhere" "$?:$(ovlctl prune >/dev/null; ovlctl check --content | grep -v ": time: '/'")" "1:"
		ovlctl check --repair --from b.tar b >/dev/null
	done
fi
ovlctl rm -r b

# ---- both drivers in one store
unset OVLCTL_DRIVER
need - ovlctl prune --layers --unused-for 0
a2=$(ovlctl --driver overlay2 import -n two a.tar)
is "one layer, of both drivers" "$a2" "$a"
is "names say which" "$(readlink "$OVLCTL_ROOT/names/a" "$OVLCTL_ROOT/names/two" | tr '\n' ' ')" \
	"../overlay/$a ../overlay2/$a "
is "ls shows both" "$(ovlctl ls -nr -o NAME,DRIVER | sort | tr '\n' ' ')" "a overlay two overlay2 "
is "... or those of one" "$(ovlctl --driver overlay2 ls -nr -o NAME)" two
fails 2 "'$a' is ambiguous: both drivers have it; select one with --driver" "by id it is ambiguous" ovlctl show "$a"
fails 2 "is ambiguous: both drivers have it" "by a prefix too" ovlctl show "$(echo "$a" | cut -c1-20)"
is "--driver says which" "$(ovlctl --driver overlay show "$a" | jq -r '.layers[0].driver') $(OVLCTL_DRIVER=overlay2 ovlctl show "$a" | jq -r '.layers[0].driver')" \
	"overlay overlay2"
is "a short id is one of them" "$(ovlctl show "$(ovlctl ls -nr -o LINK a)" | jq -r '.layers[0].driver')" overlay
fails 3 "no such layer 'two' with driver overlay: its driver is overlay2" "a name of the other driver" \
	ovlctl --driver overlay show two
fails 3 "no such layer 'a' with driver" "a parent of the other driver" ovlctl --driver overlay2 import -p a b.tar
fails 5 "the name 'a' is already used by layer" "a name is one layer's" ovlctl --driver overlay2 import -n a b.tar
need w ovlctl create -n w a
w2=$(ovlctl create -n w2 two)
is "what is built on a layer is of its driver" "$(ovlctl ls -nr -o DRIVER w) $(ovlctl ls -nr -o DRIVER w2)" "overlay overlay2"
need - ovlctl mount w
need - ovlctl mount w2
is "both mount" "$(ovlctl ls -nr -o MOUNTPOINT w) $(ovlctl ls -nr -o MOUNTPOINT w2)" \
	"$S/$w/merged $OVLCTL_ROOT/overlay2/$w2/merged"
is "... and show the same" "$(walk "$S/$w/merged" >got; walk "$OVLCTL_ROOT/overlay2/$w2/merged" | cmp - got && echo same)" same
ovlctl umount -a
is "a diff across drivers" "$(ovlctl diff a two)" ""
is "check goes over both" "$(ovlctl check --content; rm -r "$S/$w/work" "$OVLCTL_ROOT/overlay2/$w2/work"
	ovlctl check | cut -d: -f3 | tr -d '\n')" " work work"
is "... or one" "$(ovlctl --driver overlay check | cut -d: -f2,3)" " layer $(echo "$w" | cut -c1-12): work"
ovlctl check --repair >/dev/null
fails 4 "layer 'two' has layers on top of it: 'w2'" "rm knows its driver's children" ovlctl rm two
ovlctl rm w w2
ovlctl tag -d two
ovlctl tag -d a
is "prune goes over both" "$(ovlctl prune --layers --unused-for 0 --dry-run | wc -l)" 2
ovlctl --driver overlay prune --layers --unused-for 0 >/dev/null
is "... or one" "$(ovlctl ls -nr -o DRIVER)" overlay2

done_testing
