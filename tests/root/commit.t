#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: as user too

# Diffs are imported into a second store, to compare the layers.
other="$T/other"
tree_in() { # STORE ID
	echo "$1/$DRV/$2/$TREE"
}
# A tree on disk; the times of whiteouts do not matter.
raw() {
	walk "$@" | sed '/ 020000 .* dev=0:0/s/ t=[0-9.]*\| same=.*//g'
}
chain_of() { # PARENT-ID TAR
	printf 'sha256:%s sha256:%s' "$1" "$(sha256sum <"$2" | cut -d' ' -f1)" | sha256sum | cut -d' ' -f1
}
# Commits layer $1, whose parent is $2 (or nothing), and compares with its diff, imported.
compare() { # WHAT LAYER PARENT [OPTION...]
	what=$1 layer=$2 parent=$3
	shift 3
	ovlctl -q diff -o diff.tar "$layer"
	need - ovlctl mount -r "$layer"
	walk "$(ovlctl ls -nr -o MOUNTPOINT "$layer")" >want
	ovlctl umount "$layer"
	wanted=$(ovlctl -q --root "$other" import ${parent:+-p "$parent"} diff.tar)
	ovlctl -q commit "$@" "$layer" >out 2>err
	is "$what: succeeds" "$?$(cat err)" 0
	id=$(cat out)
	is "... the id is that of its diff, imported" "$id" "$wanted"
	raw "$(tree_in "$OVLCTL_ROOT" "$id")" >got
	raw "$(tree_in "$other" "$wanted")" >got.other
	same "... so is the tree" got got.other
	is "... so is what is remembered of it" \
		"$(grep -av '^link\|^created' "$OVLCTL_ROOT/$DRV/$id/.layer")" \
		"$(grep -av '^link\|^created' "$other/$DRV/$id/.layer")"
	need - ovlctl mount "$id"
	walk "$(ovlctl ls -nr -o MOUNTPOINT "$id")" | grep -v '^\. ' >got
	grep -v '^\. ' want >want.in
	same "... the union is what it was" got want.in
	ovlctl umount "$id"
	ovlctl diff --tar "$id" >again.tar
	same "... its tar comes back bit for bit" again.tar diff.tar
}

printf 'dir name=dir mtime=5\nfile name=dir/f data=1\nfile name=gone data=1\ndir name=tree\nfile name=tree/g\nfile name=sock data=1\nend\n' |
	mktar >a.tar
need a ovlctl import -n a a.tar
ovlctl --root "$other" import -n a a.tar >/dev/null

# Changed files, new ones, a deletion, an opaque directory.
need w ovlctl create -n w a
ovlctl tag w also/w
need m ovlctl mount w
echo new >"$m/new"
rm "$m/gone"
rm -r "$m/tree"
mkdir "$m/tree"
echo 2 >>"$m/dir/f"
fails 4 "layer 'w' is mounted on '$m'" "mounted" ovlctl commit w
is "... nothing has changed" "$(ls -A "$OVLCTL_ROOT/$DRV/$w" | sed "s/^.mount.[0-9].*/.mount/" | tr "\n" " ")" ".layer .mount .names .used $LS_WRITABLE "
ovlctl umount w
in_namespace pid ovlctl mount w
fails 4 "layer 'w' is mounted on .* in the mount namespace of process $pid" "mounted elsewhere" ovlctl commit w
end $pid
until_true ovlctl mount w
ovlctl umount w
ovlctl diff -o w.tar w
ovlctl diff w >list
cp -a "$(tree_of w)" changes
compare "a layer" w a -n x
is "... as digest_chain says" "$id" "$(chain_of "$a" w.tar)"
ovlctl diff "$id" >list.id
same "... it changes the same" list list.id
is "the names went along" "$(ovlctl ls -nr -o NAME,KIND "$id")" "also/w,w,x image"
fails 3 "no such layer" "the writable layer is gone" ovlctl show "$w"
is "... all of it" "$(ls "$OVLCTL_ROOT/$DRV" | grep -vc '^l$') $(ls "$OVLCTL_ROOT/staging" "$OVLCTL_ROOT/trash" | grep -c '^[0-9a-f]')" "2 0"
is "... its parent knows" "$(ls "$OVLCTL_ROOT/$DRV/$a/.children")" "$id"
is "the image layer has what an import has" "$(ls -A "$OVLCTL_ROOT/$DRV/$id" | tr '\n' ' ')" \
	".layer .mount.spare .names .recipe .used $LS_IMAGE "
fails 1 "layer 'x' is already an image layer" "an image layer" ovlctl commit x
fails 3 "no such layer 'none'" "no layer" ovlctl commit none
fails 2 "'-x' is not a valid name" "a bad name" ovlctl commit -n -x "$id"

# The same again: the layer exists already.
copy_of() { # NAME PARENT: a writable layer with the same changes
	cp -a "$T/changes/." "$OVLCTL_ROOT/$DRV/$(ovlctl create -n "$1" "$2")/$UPPER/"
}
copy_of v a
before=$(ls -id "$OVLCTL_ROOT/$DRV/$id/$TREE")
is "the same changes are the same layer" "$(ovlctl commit -n y v)" "$id"
is "... which is kept" "$(ls -id "$OVLCTL_ROOT/$DRV/$id/$TREE")" "$before"
is "... with more names" "$(ovlctl ls -nr -o NAME "$id")" "also/w,v,w,x,y"
copy_of v2 a
v2=$(ovlctl ls -nr -o ID v2)
is "... also with --keep" "$(ovlctl commit --keep -n x v2)" "$id"
is "... the other goes on" "$(ovlctl ls -nr -o NAME,ID,PARENT v2)" "v2 $v2 $id"
is "... empty" "$(ls -A "$OVLCTL_ROOT/$DRV/$v2/$UPPER")" ""
ovlctl rm v2

# A name that is taken.
need v ovlctl create -n v3 a
echo 3 >"$OVLCTL_ROOT/$DRV/$v/$UPPER/three"
before=$(store_state)
fails 5 "the name 'x' is already used by layer $(echo "$id" | cut -c1-12)" "a name that is taken" ovlctl commit -n x v3
fails 5 "the name 'v3' is already used by layer" "--keep and the writable layer's name" ovlctl commit --keep -n v3 v3
is "... nothing has changed" "$(store_state)" "$before"
ok "its own name is none that is taken" ovlctl commit -n v3 v3
ovlctl rm v3

# --keep.
need w ovlctl create -n w2 x
ovlctl tag w2 work/2
need link ovlctl ls -nr -o LINK w2
need created ovlctl ls -nr -o CREATED w2
need m ovlctl mount w2
echo keep >"$m/kept"
rm "$m/new"
ovlctl umount w2
ovlctl --root "$other" import -n x -p a w.tar >/dev/null
compare "--keep" w2 x --keep -n base2
is "... only --name's name" "$(ovlctl ls -nr -o NAME "$id")" base2
is "... the writable layer is the same one" "$(ovlctl ls -nr -o NAME,ID,KIND,LINK,DEPTH,LOWERS,CREATED w2)" \
	"w2,work/2 $w writable $link 3 $(is_overlay && echo 1 || echo 3) $created"
is "... on top of the image layer" "$(ovlctl show w2 | jq -r '.layers[0] | .stack[0].id') $(ls "$OVLCTL_ROOT/$DRV/$id/.children")" "$id $w"
is "... no longer on top of the other" "$(ls "$OVLCTL_ROOT/$DRV/$(ovlctl show x | jq -r '.layers[0].id')/.children")" "$id"
is "... empty" "$(ls -A "$OVLCTL_ROOT/$DRV/$w/$UPPER" "$OVLCTL_ROOT/$DRV/$w/work" | grep -c '^[a-z]')" 0
is "... changes nothing" "$(ovlctl diff w2)" ""
need m ovlctl mount w2
is "... and shows what was written" "$(cat "$m/kept" "$m/dir/f")" "$(printf 'keep\n12')"
echo more >"$m/more"
ovlctl umount w2
id3=$(ovlctl commit w2)
is "... committed again" "$(ovlctl show "$id3" | jq -r '.layers[0] | .parent, .depth')" "$(printf '%s\n3' "$id")"

# A bottom layer, with every kind of file.
need w ovlctl create -n full
make_tree "$OVLCTL_ROOT/$DRV/$w/$UPPER"
link_specials "$OVLCTL_ROOT/$DRV/$w/$UPPER"
compare "every kind of file, on nothing" full ""
is "... a bottom layer" "$(ls -A "$OVLCTL_ROOT/$DRV/$id" | tr '\n' ' ')" ".layer .mount.spare .names .recipe .used $LS_BOTTOM "
is "... whose id is its diff id" "$id" "$(sha256sum <diff.tar | cut -d' ' -f1)"
need w ovlctl create -n full2 a
need m ovlctl mount full2
make_tree "$m/all"
ovlctl umount full2
compare "every kind of file, through a mount" full2 a
need w ovlctl create -n nothing a
compare "no changes" nothing a
need w ovlctl create -n nothing2
compare "nothing at all" nothing2 ""

# Attributes that a tar cannot hold are counted.
if ! as_user; then
	printf 'file name=one data=1\nlink name=two link=one\nfile name=single data=1\nend\n' | mktar >links.tar
	need - ovlctl import -n links links.tar
	need - ovlctl create -n lost links
	need m ovlctl mount -o index=on lost
	echo new >"$m/one"
	echo new >"$m/single"
	for flags in i a ia; do
		echo 1 >"$m/$flags"
		chattr +$flags "$m/$flags"
	done
	need - ovlctl umount lost
	cat >want.warned <<-'W'
		warning: 3 files lose their flag 'immutable' or 'append-only'
		warning: 1 file loses its hard links to unchanged names, which index=on had kept
	W
	ovlctl diff -o diff.tar lost 2>warned
	is "lost by diff: said" "$(sed 's/^ovlctl: diff: //' warned)" "$(cat want.warned)"
	ovlctl commit -n lost/i lost >id 2>warned
	is "... by commit too" "$(sed 's/^ovlctl: commit: //' warned)" "$(cat want.warned)"
	is "... so it is" "$(tar -xOf diff.tar one; ovlctl diff --tar lost/i | tar -xOf - one; ovlctl diff lost/i | grep two)" \
		"$(printf 'new\nnew')"
	ovlctl rm lost/i links
fi

# A commit that fails at any rename leaves the layer as it was: sockets, and what index=on
# keeps in the work directory to join hard links.
if can_trace; then
	printf 'file name=one data=1\nlink name=two link=one\nend\n' | mktar >links.tar
	need - ovlctl import -n links links.tar
	need w ovlctl create -n stays links
	need m ovlctl mount -o index=on stays
	echo new >"$m/one"
	perl -MIO::Socket::UNIX -e 'chdir $ARGV[0];
		IO::Socket::UNIX->new(Local => "s", Listen => 1) or die' "$m"
	need - ovlctl umount stays
	d=$OVLCTL_ROOT/$DRV/$w
	there() {
		find "$d/$UPPER" "$d/work" ! -path '*/work/work*' -printf '%P %y %s %T@ %n\n' | sort
		getfattr -Rhdm - "$d/$UPPER" "$d/work" 2>/dev/null
	}
	there >was
	failed='' n=0
	until [ $n = 9 ] || [ "$failed" ]; do
		n=$((n + 1))
		traced -qq -o /dev/null -e trace=renameat2 -e inject=renameat2:error=EIO:when=$n+ \
			ovlctl commit -n stays/i stays >out 2>err && break
		there >is
		cmp -s was is || failed="$n: $(diff was is)"
		[ "$(ovlctl check)" = "" ] || failed="$n: $(ovlctl check)"
	done
	is "failed at each of its renames: the layer is as it was" "$failed" ""
	ok "... some failed" test $n -gt 1 -a $n -lt 9
	ovlctl rm stays/i links
fi

# Sockets, and whiteouts that hide nothing.
need w ovlctl create -n marks a
need m ovlctl mount marks
perl -MIO::Socket::UNIX -e 'chdir $ARGV[0]; IO::Socket::UNIX->new(Local => "s1", Listen => 1) or die;
	mkdir "sub"; IO::Socket::UNIX->new(Local => "sub/s2", Listen => 1) or die' "$m"
ovlctl umount marks
d=$OVLCTL_ROOT/$DRV/$w/$UPPER
p=$(as_user && echo user || echo trusted)
mkdir "$d/newdir" "$d/dir" "$d/opq"
mknod "$d/nobody" c 0 0
mknod "$d/newdir/nothing" c 0 0
mknod "$d/dir/f" c 0 0
mknod "$d/dir/missing" c 0 0
mknod "$d/opq/x" c 0 0
setfattr -n $p.overlay.opaque -v y "$d/newdir" "$d/opq"
setfattr -n $p.overlay.origin -v 0x00 "$d/dir"
setfattr -n $p.overlay.impure -v y "$d" "$d/dir"
setfattr -n $p.overlay.overlay.opaque -v y "$d/dir"
touch -d '2001-01-01 00:00:00.5' "$d/newdir" "$d/dir" "$d/opq" "$d/sub" "$d"
ovlctl commit marks >id 2>err
is "sockets: said" "$(cat err)" "ovlctl: commit: warning: 2 sockets left out"
d=$OVLCTL_ROOT/$DRV/$(cat id)/$TREE
if is_overlay; then
	is "... not there, nor any marks" "$(cd "$d" && find . | sort | tr '\n' ' ')" \
		". ./dir ./gone ./newdir ./opq ./sock ./sub ./tree ./tree/g "
else
	is "... not there, nor marks that hide nothing" "$(cd "$d" && find . | sort | tr '\n' ' ')" \
		". ./dir ./dir/f ./newdir ./opq ./sub "
	is "... but what hides something" "$(stat -c '%F %t:%T' "$d/dir/f")" "character special file 0:0"
fi
is "... xattrs of overlayfs are gone, others not" "$(getfattr -Rhdm "^$p" "$d" 2>/dev/null | grep -v '^$' | tr '\n' ' ')" \
	"$(cd / && echo "# file: ${d#/}/dir $p.overlay.overlay.opaque=\"y\" ")"
is "... times of directories stay" "$(stat -c %y "$d" "$d/newdir" "$d/dir" "$d/opq" "$d/sub" | cut -c1-21 | sort -u)" "2001-01-01 00:00:00.5"
ovlctl rm marks

# Whiteouts in the form that is not a device.
need w ovlctl create -n xwh a
d=$OVLCTL_ROOT/$DRV/$w/$UPPER
mkdir "$d/dir"
: >"$d/dir/f"
: >"$d/dir/none"
: >"$d/dir/file"
setfattr -n $p.overlay.opaque -v x "$d/dir"
setfattr -n $p.overlay.whiteout -v y "$d/dir/f" "$d/dir/none"
ovlctl diff -o diff.tar xwh
wanted=$(ovlctl --root "$other" import -p a diff.tar)
is "whiteouts that are no devices: the same id" "$(ovlctl commit xwh)" "$wanted"
raw -t "$(tree_in "$OVLCTL_ROOT" "$wanted")" >got
raw -t "$(tree_in "$other" "$wanted")" >want
same "... and tree" got want
ovlctl rm xwh

# xattrs that only a mount can follow: the tree is unpacked from the tar.
if ! as_user; then
	for o in redirect_dir=on metacopy=on; do
		need w ovlctl create -n r a
		need m ovlctl mount -o $o r
		chmod 711 "$m/gone"
		mv "$m/dir" "$m/moved" 2>/dev/null
		ovlctl umount r
		ovlctl -q diff -o diff.tar r
		need - ovlctl mount -o $o -r r
		walk "$OVLCTL_ROOT/$DRV/$w/merged" >want
		ovlctl umount r
		wanted=$(ovlctl --root "$other" import -p a diff.tar)
		is "$o: the same id" "$(ovlctl commit --keep -n r/i r)" "$wanted"
		raw "$(tree_in "$OVLCTL_ROOT" "$wanted")" >got
		raw "$(tree_in "$other" "$wanted")" >got.other
		same "... and tree" got got.other
		walk "$(ovlctl mount r)" >got
		same "... and union" got want
		ovlctl umount r
		is "... and tar" "$(ovlctl diff --tar r/i | cmp - diff.tar && echo same)" same
		is "... the writable layer is empty" "$(ovlctl diff r)" ""
		ovlctl rm r r/i
	done
	need w ovlctl create -n many a
	need m ovlctl mount -o redirect_dir=on many
	mv "$m/dir" "$m/moved"
	head -c 3000000 /dev/urandom >"$m/noise"
	ovlctl umount many
	ovlctl diff many >want
	if can_trace; then
		no "unpacking that fails" traced -o /dev/null -e trace=pwrite64 -e inject=pwrite64:error=ENOSPC:when=2 \
			ovlctl commit many
		like "... says why" "^ovlctl: commit: .*No space left" "$(cat .err)"
		is "... changes nothing" "$(ovlctl diff many)$(ls "$OVLCTL_ROOT/staging")" "$(cat want)"
	fi
	ovlctl rm many
fi

# If the tar has another time, the layer gets that of the tar.
need w ovlctl create -n sde a
echo 1 >"$OVLCTL_ROOT/$DRV/$w/$UPPER/now"
SOURCE_DATE_EPOCH=1000000000 ovlctl diff -o diff.tar sde
wanted=$(ovlctl --root "$other" import -p a diff.tar)
is "SOURCE_DATE_EPOCH: the same id" "$(SOURCE_DATE_EPOCH=1000000000 ovlctl commit sde)" "$wanted"
is "... and times" "$(stat -c %Y "$OVLCTL_ROOT/$DRV/$wanted/$TREE/now")" 1000000000
ovlctl rm sde

# On a layer that hides everything below it.
printf 'file name=.wh..wh..opq\nfile name=only\nend\n' | mktar >cut.tar
need - ovlctl import -n cut -p a cut.tar
ovlctl --root "$other" import -n cut -p a cut.tar >/dev/null
need w ovlctl create -n oncut cut
need m ovlctl mount oncut
echo 1 >"$m/dir"
ovlctl umount oncut
compare "on a layer that hides all" oncut cut
is "... has one lower" "$(ovlctl ls -nr -o DEPTH,LOWERS oncut)" "2 $(is_overlay && echo 0 || echo 1)"

# Files that a tar cannot hold.
need w ovlctl create -n bad a
touch "$OVLCTL_ROOT/$DRV/$w/$UPPER/.wh.x"
before=$(store_state)
fails 1 "'.wh.x' cannot be represented in a layer tar" "a name that means a whiteout" ovlctl commit bad
is "... nothing has changed" "$(store_state)" "$before"
ovlctl rm bad

# What somebody has put into the mount point while nothing was mounted there.
need - ovlctl prune
need w ovlctl create -n bottom
echo 1 >"$OVLCTL_ROOT/$DRV/$w/$UPPER/f"
echo precious >"$OVLCTL_ROOT/$DRV/$w/merged/file"
i=$(ovlctl commit bottom 2>err)
is "a commit with a file in the mount point" "$(cat err; ovlctl check)" ""
is "... which stays there" "$(cat "$OVLCTL_ROOT/$DRV/$i/merged/file")" precious
ovlctl rm bottom

# A volatile mount that was not synced.
if ! as_user; then
	need w ovlctl create -n vol a
	need m ovlctl mount -o volatile vol
	echo 1 >"$m/v"
	umount "$m"
	fails 1 "layer 'vol' was last mounted volatile" "a volatile layer" ovlctl commit vol
	need - ovlctl mount --force vol
	ovlctl umount vol
	ok "... after ovlctl's umount" ovlctl commit vol
fi

# An exclusive lock.
need w ovlctl create -n busy a
(flock -s 9 && echo up && exec sleep 60) 9<"$OVLCTL_ROOT/$DRV/$w" >up3 &
pid=$!
until_true written up3
fails 4 "layer 'busy' is in use by another process" "a layer that is read" ovlctl commit busy
end $pid

done_testing
