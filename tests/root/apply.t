#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# Layers on a directory of the host, and apply. Random edit scripts: 300 of them with
# OVLCTL_SEEDS=300.
seeds=${OVLCTL_SEEDS:-$(short && echo 8 || echo 20)}

# A tree with all kinds of files, from which d is restored for each case.
mkdir base
edits 2001 150 base
mkdir -p base/dir/sub/deep base/other
echo f >base/dir/file
echo g >base/dir/sub/deep/g
ln base/dir/file base/dir/linked
ln base/dir/file base/other/linked
truncate -s 300000 base/dir/sparse
echo x | dd of=base/dir/sparse bs=1 seek=200000 conv=notrunc 2>/dev/null
afresh() {
	rm -rf d
	need - cp -a base d
}
layer_on_d() { # [MOUNT OPTIONS]
	need w ovlctl create --on d
	need m ovlctl mount $1 "$w"
}

# ---- the same tree as the mount showed ------------------------------------------------

options_of() { # SEED
	as_user && return
	case $(($1 % 5)) in
	1) echo '-o redirect_dir=on' ;;
	2) echo '-o metacopy=on' ;;
	3) echo '-o redirect_dir=on,metacopy=on' ;;
	4) echo '-o xino=on' ;;
	esac
}
failed=
moved=0
for s in $(seq "$seeds"); do
	opts=$(options_of "$s")
	afresh
	layer_on_d "$opts"
	edits "$s" 40 "$m"
	ovlctl umount "$w"
	need - ovlctl mount -r $opts "$w"
	walk -H "$m" >want
	ovlctl umount "$w"
	case $(getfattr -Rhm 'overlay.redirect' "$(tree_of "$w")" 2>/dev/null) in
	*redirect*) moved=$((moved + 1)) ;;
	esac
	ovlctl diff "$w" >list
	ovlctl apply --dry-run "$w" >dry || failed="$failed $s:dry"
	cmp -s list dry || failed="$failed $s:list"
	ovlctl apply "$w" 2>why || failed="$failed $s:apply($(cat why))"
	walk -H d >got
	if ! cmp -s got want; then
		failed="$failed $s:tree"
		[ "${failed% *}" ] || diff want got | head -20 | diag
	fi
	[ -z "$(ovlctl ls -q)" ] || {
		failed="$failed $s:layer"
		ovlctl rm "$w"
	}
done
is "$seeds edit scripts, applied, give the tree that the mount showed" "$failed" ""
as_user || ok "... with renamed directories among them ($moved)" test "$moved" -gt 0

# Holes, whose positions depend on the file system; ACLs and capabilities.
afresh
layer_on_d ""
touch -d 2020-01-01 "$m/dir/sparse"
mkdir "$m/acls"
cp "$m/dir/file" "$m/acls/f"
for f in "$m/dir" "$m/acls" "$m/acls/f"; do
	need - setfacl -m u:7:rx "$f"
done
need - setfacl -d -m g:8:rwx "$m/acls"
as_user || need - setcap cap_net_raw+ep "$m/acls/f"
(cd "$m" && getfacl -n dir acls acls/f dir/file && getfattr -dm- acls/f) >want 2>/dev/null
ovlctl umount "$w"
ok "ACLs, capabilities and a file with holes" ovlctl apply "$w"
(cd d && getfacl -n dir acls acls/f dir/file && getfattr -dm- acls/f) >got 2>/dev/null
same "... are as they were" want got
is "... with the holes" "$(stat -c '%s %y' d/dir/sparse | cut -c1-17)" "300000 2020-01-01"
ok "... still" test "$(stat -c %b d/dir/sparse)" -lt 300

# xattrs set by an overlay mount in the layer's mount (Linux 6.7); in parts, which compares them.
afresh
layer_on_d ""
attr=trusted.overlay.inner
! as_user || attr=user.overlay.inner
if setfattr -n $attr -v 1 "$m/dir" 2>/dev/null; then
	need - setfattr -n $attr -v 2 "$m/dir/file"
	ovlctl umount "$w"
	ok "xattrs of an overlay in the mount" ovlctl apply "$w" dir/file
	ok "... in two parts" ovlctl apply "$w"
	is "... have the names that it has given them" \
		"$(cd d && getfattr -dm 'overlay' dir dir/file | grep overlay)" \
		"$attr=\"1\"
$attr=\"2\""
else
	ovlctl umount "$w"
	ovlctl rm "$w"
fi

# ---- killed ----------------------------------------------------------------------------

# Killed again and again, each time a little later; the last one is not.
if can_trace; then
	failed=
	all=0
	for s in $(seq 1 $((seeds / 4))); do
		opts=$(options_of "$s")
		afresh
		layer_on_d "$opts"
		edits "$s" 40 "$m"
		ovlctl umount "$w"
		need - ovlctl mount -r $opts "$w"
		walk -H "$m" >want
		ovlctl umount "$w"
		kills=0
		for point in renameat:1 mkdirat:1 renameat:2 fremovexattr:1 fremovexattr:2 \
			lremovexattr:1 utimensat:1 renameat:3 fchown:1 unlinkat:1 utimensat:4 \
			fsetxattr:1 renameat:4 linkat:1 fchmod:1 unlinkat:2 renameat:6 utimensat:7 \
			renameat:8 utimensat:10 unlinkat:4 syncfs:1 syncfs:3; do
			killed_at "${point%:*}" "${point#*:}" ovlctl apply "$w" >/dev/null 2>why
			[ $? = 137 ] && kills=$((kills + 1))
			grep -q changed why && failed="$failed $s:$point"
			ovlctl ls -q "$w" >/dev/null 2>&1 || break
		done
		all=$((all + kills))
		if ovlctl ls -q "$w" >/dev/null 2>&1; then
			ovlctl apply "$w" 2>why || failed="$failed $s:apply($(cat why))"
		fi
		walk -H d >got
		if ! cmp -s got want; then
			failed="$failed $s:tree"
			[ "${failed% *}" ] || diff want got | head -20 | diag
		fi
		ovlctl rm -f "$w"
	done
	is "killed again and again, it ends in the same tree" "$failed" ""
	ok "... and that often ($all)" test $all -gt $((seeds / 2))
fi
ovlctl prune >/dev/null

# ---- conflicts -------------------------------------------------------------------------

# The layer changes, removes and adds; then something happens to d.
prepare() {
	rm -rf d side
	mkdir -p side d/gone/sub d/keep d/meta
	for f in d/a d/b d/gone/x d/gone/sub/y d/keep/z d/meta/m side/o; do
		echo "$f" >$f
	done
	ln d/a d/a2
	need w ovlctl create -n l --on d
	need m ovlctl mount l
	echo new >"$m/a"
	echo more >>"$m/a2"
	rm -r "$m/gone" "$m/b"
	chmod 700 "$m/meta"
	mkdir "$m/added"
	echo added >"$m/added/f"
	ln "$m/added/f" "$m/f2"
	ovlctl umount l
}
refused() { # WHAT PATH...
	what=$1
	shift
	walk -H d >before
	ovlctl apply l >out 2>err
	is "$what: refused" "$?" 1
	is "... by name" "$(sed -n "s/^ovlctl: apply: '\([^']*\)' has changed in .*/\1/p" err)" \
		"$(printf '%s\n' "$@")"
	walk -H d >got
	same "... and nothing changed" before got
	ok "... but with --force" ovlctl apply --force l
	no "... the layer is gone" ovlctl ls l
}
prepare
echo host >>d/a
echo host >d/gone/new
refused "files that changed, and a new one in a directory that is to go" a a2 gone/new
# A directory that the layer has changed or emptied is replaced by another: all its files
# are older than the layer, but they are not those the layer was made on.
other_at() { # WHAT [FILE]
	mkdir -p d/x d/y
	echo first >d/y/f
	echo first >d/y/rest
	echo other >d/x/f
	[ ! "${2-}" ] || echo other >"d/x/$2"
	need - ovlctl create -n l --on d
	need m ovlctl mount l
	eval "$1"
	ovlctl umount l
	rm -r d/y
	mv d/x d/y
	need - ovlctl mount -r l
	walk "$m" >want
	ovlctl umount l
	walk d >before
	fails 1 "'y/f' has changed in '$T/d' since the layer was made" \
		"another directory in the place of one in which the layer did: $1" ovlctl apply l
	walk d >got
	same "... nothing is changed" before got
	ok "... --force" ovlctl apply --force l
	walk d >got
	same "... makes what the mount shows" want got
}
rm -rf d
other_at 'echo layer >"$m/y/f"' more
rm -rf d
other_at 'echo layer >"$m/y/f" && rm "$m/y/rest"'
rm -rf d
other_at 'rm "$m/y/f"'
rm -rf d
other_at 'rm -r "$m/y" && mkdir "$m/y" && echo layer >"$m/y/f"'
rm -rf d
mkdir -p d/y
echo first | tee d/y/f >d/y/g
need - ovlctl create -n l --on d
need m ovlctl mount l
echo layer >"$m/y/f"
ovlctl umount l
mv d/y d/z
mv d/z d/y
echo host >d/y/g
# In a user namespace the mount does not show which one it was.
as_user || ok "not one that was only away for a while" ovlctl apply --dry-run l
need - ovlctl rm l
prepare
chmod 4755 d/meta
refused "a directory that got another mode" meta
prepare
echo host >d/f2
refused "a file where the layer adds one" f2
is "... which the layer's replaced" "$(cat d/f2)" added
prepare
mv side d/gone/sub/side
refused "a directory that was moved into one that is to go" gone/sub/side

prepare
rm -r d/gone
mv side d/gone
refused "a directory that was moved to where the layer removes one" gone
mkdir host
echo kept >host/f
prepare
mv host d/added
refused "a directory that was moved to where the layer has a new one" added/f
prepare
chmod 4755 d/meta
echo host >d/meta/new
refused "... another mode, and then a new file in it" meta

prepare
(flock 9 && exec sleep 300) 9<d &
pid=$!
until_true eval '! flock -n d true'
fails 4 "is locked by another process" "two applies at once" ovlctl apply l
end "$pid"
echo host >d/keep/new
rm d/gone/sub/y
mkdir d/added
cp -a d/a d/keep/copy
ok "other changes in the directory are no conflict" ovlctl apply l
is "... and stay" "$(cat d/keep/new d/a d/a2)" "host
new
d/a
more"
no "... and what was to go has gone" test -e d/gone -o -e d/b

if can_trace; then
	prepare
	ok "under strace" traced -qq -o calls -e trace=close ovlctl apply l
	no "... no descriptor is closed that is not open" grep EBADF calls
fi

# No space: what was written stays, and the next apply writes the rest.
rm -rf d
mkdir d
need - mount -t tmpfs -o size=4m none d
head -c 2000000 /dev/zero >d/other
echo a >d/a
need - ovlctl create -n l --on d
need m ovlctl mount l
echo b >"$m/a"
head -c 3000000 /dev/zero >"$m/b"
ovlctl umount l
fails 1 "cannot write 'b' in .*No space left" "no space" ovlctl apply l
is "... leaves what was written" "$(cat d/a; ls -A d)" "b
a
other"
rm d/other
ok "... and is no conflict when there is some" ovlctl apply l
is "... for all" "$(stat -c %s d/b)" 3000000
umount d

# Nothing can be renamed into a subvolume; this is detected before anything is changed.
if command -v mkfs.btrfs >/dev/null && truncate -s 120M disk && mkfs.btrfs -q disk &&
	mount -o loop disk d 2>/dev/null; then
	need - btrfs -q subvolume create d/sub
	echo a | tee d/a >d/sub/a
	need - ovlctl create -n l --on d
	need m ovlctl mount l
	echo b | tee "$m/a" >"$m/sub/a"
	ovlctl umount l
	fails 1 "'sub' is a mount point or a subvolume" "a subvolume in which the layer has a change" ovlctl apply l
	is "... nothing is changed" "$(cat d/a d/sub/a; ls -A d)" "a
a
a
sub"
	ok "... other paths can be applied" ovlctl apply l a
	is "... are" "$(cat d/a)" b
	need - ovlctl rm l
	umount d
fi
rm -f disk

# Attributes that are not carried over are counted.
if ! as_user; then
	afresh
	layer_on_d "-o index=on"
	echo new >"$m/dir/file"
	echo 1 >"$m/i"
	chattr +i "$m/i"
	ovlctl umount "$w"
	cat >want.warned <<-'W'
		ovlctl: apply: warning: 1 file loses its flag 'immutable' or 'append-only'
		ovlctl: apply: warning: 1 file loses its hard links to unchanged names, which index=on had kept
	W
	for c in "--dry-run $w dir" "--dry-run $w i" "$w"; do
		ovlctl apply $c 2>>warned >list || echo failed
	done
	{ tail -1 want.warned; head -1 want.warned; cat want.warned; } >want.all
	same "lost by apply: said, also of a part" warned want.all
	afresh
	ln d/dir/file d/other/third
	layer_on_d "-o index=on"
	echo new >"$m/dir/file"
	: >"$m/dir/linked"
	touch "$m/other/linked"
	ovlctl umount "$w"
	is "... of a file with three names, once" "$(ovlctl apply "$w" 2>&1 >list)" "$(sed -n 2p want.warned)"
fi

# ---- parts -----------------------------------------------------------------------------

prepare
need - ovlctl mount -r l
walk -H "$m" >want
ovlctl umount l
fails 1 "has no change at 'keep/z'" "a path that the layer does not change" ovlctl apply l /a keep/z
is "the list of a part" "$(ovlctl apply --dry-run l gone/ /added)" "A /added
A /added/f
D /gone"
ok "a part is applied" ovlctl apply l /a gone
is "... and nothing else" "$(cat d/a; ls d)" "new
a
a2
b
keep
meta"
ok "... the layer stays" ovlctl ls l
ok "... and another part" ovlctl apply l added/f
is "... with its parent" "$(stat -c %a d/added)" 755
walk -H d >got
no "... which is not all" cmp -s want got
echo host >>d/keep/z
touch -r base d/keep/z
ok "what it wrote itself is no conflict" ovlctl apply l
sed '/keep\/z/d' want >want.z
walk -H d | sed '/keep\/z/d' >got
same "... and all is as it was in the mount" want.z got

# ---- refused ---------------------------------------------------------------------------

prepare
stay_in pid .
need - ovlctl mount l
fails 4 "mounted on" "a layer that is mounted" ovlctl apply l
need - ovlctl umount l
end "$pid"
fails 1 "'ovlctl apply' applies its changes" "commit refuses it" ovlctl commit l
fails 1 "'ovlctl apply' applies its changes" "export refuses it" ovlctl export l x.tar
is "ls shows the directory" "$(ovlctl ls -nr -o NAME,PARENT,DEPTH l)" "l $T/d 0"
is "... also as JSON" "$(ovlctl ls -J l | jq -r '.layers[0].parent')" "$T/d"
ok "check finds nothing" ovlctl check
at=$(ovlctl ls -nr -o PATH l)
: >"$at/.layer"
ovlctl check --repair >out 2>&1
is "check --repair gives a torn .layer back" "$?" 1
is "... with the directory" "$(ovlctl ls -nr -o PARENT l)" "$T/d"
cp "$at/.on" on
: >"$at/.on"
ovlctl check >out 2>&1
like "check finds a torn .on" "'.on' is damaged, which says" "$(cat out)"
fails 1 "'.on' is damaged" "... and nothing is done with it" ovlctl apply l
need - cp on "$at/.on"
mv d away
fails 1 "No such file" "the directory is not there" ovlctl apply l
mkdir d
fails 1 "is not the directory that layer" "another one is" ovlctl apply l
fails 1 "is not the directory that layer" "... nor is it mounted" ovlctl mount l
fails 1 "is not the directory that layer" "... nor compared" ovlctl diff l
rmdir d
mv away d
ok "it is back" ovlctl apply l
prepare
need - ovlctl mount l
: >"$m/keep/new"
ovlctl umount l
need - mount -t tmpfs none d/keep
fails 1 "'keep' is a mount point or a subvolume" "a mount where the layer has a change" ovlctl apply l
umount d/keep
mkdir "d/.ovlctl-$(ovlctl ls -nr -o LINK l)"
fails 4 "an apply was interrupted" "a layer that is applied in part is not mounted" ovlctl mount l
ok "... but applied" ovlctl apply l
need - ovlctl create -n free
fails 1 "is not on a directory" "a layer on nothing" ovlctl apply free
fails 1 "root directory" "create --on /" ovlctl create --on /
fails 1 "contains the store" "... on what contains the store" ovlctl create --on "$T"
fails 1 "lies in the store" "... in the store" ovlctl create --on "$OVLCTL_ROOT/$DRV"
fails 1 "Not a directory" "... on a file" ovlctl create --on d/a
fails 2 "cannot be used together" "... and a parent" ovlctl create --on d free
mkdir 'odd,na:me%'
need - ovlctl create -n odd --on 'odd,na:me%'
need m ovlctl mount odd
echo x >"$m/x"
is "a directory with any name" "$(ovlctl diff odd)" "A /x"
ovlctl umount odd
ok "... is applied" ovlctl apply odd
is "... to" "$(cat odd*/x)" x
need - ovlctl rm free

# ---- a user who is not root ------------------------------------------------------------

user() {
	env OVLCTL_ROOT="$T/u/store" PATH="$T/u:$PATH" \
		setpriv --reuid 1000 --regid 1000 --clear-groups "$@"
}
in_own() {
	user unshare --user --map-current-user --keep-caps --mount "$@"
}
if ! as_user && in_own true 2>/dev/null; then
	chmod 755 .
	mkdir -p u/d/m u/d/ro
	cp "$(command -v ovlctl)" u/
	echo 1 >u/d/m/old
	echo 1 >u/d/m/x
	echo 2 >u/d/ro/f
	chmod 555 u/d/m u/d/ro
	chown -R 1000:1000 u
	need - user ovlctl create -n u --on u/d
	need - in_own sh -ec 'm=$(ovlctl mount u) && cd "$m"
		chmod u+w m ro && echo new >m/new
		setfattr -n user.x -v 1 m
		setfattr -n user.x -v 1 m/x && chmod 444 m/x
		rm -r m/old ro && chmod 555 m
		mkdir n && echo n >n/n && chmod 500 n && cd / && ovlctl umount u'
	ok "a part of a user's own files" user ovlctl apply u m/new n/n
	is "... leaves the modes of directories" "$(stat -c %a u/d/m u/d/n)" "555
500"
	ok "a user's own files, in directories that he may not write to" user ovlctl apply u
	is "... are what the mount showed" "$(find u/d -printf '%P %m %U\n' | sort)" " 755 1000
m 555 1000
m/new 644 1000
m/x 444 1000
n 500 1000
n/n 644 1000"
	is "... and the layer is removed" "$(user ovlctl ls -q 2>/dev/null; ls u/store/trash)" ""
fi
is "nothing is left" "$(ovlctl ls -q)$(find . -name '.ovlctl-*')" ""

done_testing
