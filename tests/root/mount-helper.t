#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# mount -t ovlctl, /etc/fstab and mount units: mount(8) itself runs our program as
# /sbin/mount.ovlctl.
printf 'file name=f data=1\nend\n' | mktar >a.tar
need a ovlctl import -n app a.tar
need w ovlctl create -n web app
store=$OVLCTL_ROOT
have_mount_helper
mkdir m 'm 2'

# Like fails, for mount(8).
refuses() { # STATUS PATTERN WHAT COMMAND...
	_want=$1 _pattern=$2 _what=$3
	shift 3
	"$@" >"$T/.out" 2>"$T/.err"
	status=$?
	[ $status = "$_want" ] && [ ! -s "$T/.out" ] && one_line "$T/.err" &&
		grep -Eq "^mount.ovlctl: .*($_pattern)" "$T/.err"
	report $? "$_what" || {
		echo "# exit $status (wanted $_want): $*" >&2
		diag "$T/.err" "$T/.out"
	}
}
silent() { # WHAT COMMAND...
	_what=$1
	shift
	is "$_what" "$("$@" 2>&1; echo $?)" 0
}
on() { # DIR: the layer there and its flags
	findmnt -no SOURCE,OPTIONS "$1" | sed 's|^ovlctl:.*/\([0-9a-f]\{64\}\) *\([a-z,]*\),[a-z]*atime.*|\1 \2|'
}
mounts_here() { grep -c " $T.* overlay ovlctl:" /proc/self/mountinfo; }

silent "a writable layer" mount -t ovlctl web m
is "... is mounted, writable" "$(on m) $(cat m/f)" "$w rw 1"
silent "... a second time is no error" mount -t ovlctl web m
is "... and no second mount" "$(mounts_here)" 1
refuses 32 "layer 'web' is already mounted on" "... but elsewhere it is" mount -t ovlctl web 'm 2'
refuses 32 "mount point '.*/m' is taken" "... nor is another mounted there" mount -t ovlctl app m
fails 4 "layer 'web' is mounted on" "... rm knows" ovlctl rm web
ok "umount" umount m
silent "an image layer" mount -t ovlctl app m
is "... is read-only, though mount(8) says rw" "$(on m)" "$a ro"
silent "... also twice" mount -t ovlctl app 'm 2'
ok "umount" umount m 'm 2'
silent "read-only" mount -r -t ovlctl web m
is "... it is" "$(on m)" "$w ro"
ok "umount by ovlctl" ovlctl umount m
silent "with options of all sorts" mount -t ovlctl \
	-o nosuid,nodev,noauto,nofail,_netdev,users,exec,comment=x,x-systemd.automount,xino=off,defaults,private web m
is "... they are passed on" "$(on m)" "$w rw,nosuid,nodev"
umount m
like "-v says what it did" "^mount.ovlctl: app mounted on $T/m\\.$" "$(mount -v -t ovlctl app m 2>err)"
umount m

# Which store, which driver.
cp -a "$OVLCTL_ROOT" 'a,b c'
mkdir none
export OVLCTL_ROOT="$T/none"
refuses 32 "no such layer 'web'" "another store" mount -t ovlctl web m
silent "... with nofail" mount -t ovlctl -o nofail web m
silent "root=" mount -t ovlctl -o "root=$store,driver=$DRV,ro" web m
is "... is the store" "$(on m)" "$w ro"
umount m
silent "root= with commas" mount -t ovlctl -o "nosuid,root=\"$T/a,b c\"" web m
is "... is" "$(on m)" "$w rw,nosuid"
umount m
refuses 1 "unknown driver 'nope'" "driver=" mount -t ovlctl -o "root=$store,driver=nope" web m
export OVLCTL_ROOT="$store"

# SPEC and DIR.
(cd "$store/$DRV" && mkdir web) || stop "a file of that name"
silent "a file has the layer's name" sh -c "cd '$store/$DRV' && mount -t ovlctl web $T/m"
is "... the layer is mounted" "$(on m)" "$w rw"
umount m
rmdir "$store/$DRV/web"
silent "an id" mount -t ovlctl "$w" ./m
umount m
refuses 32 "no such layer 'nope'" "no layer" mount -t ovlctl nope m
refuses 32 "mount point '.*new' does not exist; 'X-mount.mkdir' makes it" "no mount point" mount -t ovlctl web new
silent "... which mount(8) makes" mount -t ovlctl -o X-mount.mkdir web new
umount new
refuses 32 "would hide the store" "above the store" mount -t ovlctl web .

# Exit statuses and options of the helper.
helper=$T/sbin/mount.ovlctl
refuses 1 "expected LAYER DIR; see 'mount.ovlctl --help'" "no operands" $helper web
refuses 1 "unknown option '-x'; see 'mount.ovlctl --help'" "an option" $helper web m -x
refuses 1 "unknown option '--root'; see 'mount.ovlctl --help'" "... of ovlctl" $helper --root x web m
refuses 1 "unknown file system type 'ovlctl.x'" "a type" mount -t ovlctl.x web m
refuses 32 "option.*zork" "a mount option that nobody knows" mount -t ovlctl -o zork web m
silent "... with -s" mount -s -t ovlctl -o zork,nosuid web m
is "... the others are obeyed" "$(on m)" "$w rw,nosuid"
umount m
refuses 1 "option 'lowerdir=/' cannot be given" "what the layer says itself" mount -t ovlctl -o lowerdir=/ web m
silent "-f" mount -f -t ovlctl -o nosuid web m
is "... mounts nothing" "$(mounts_here)" 0
refuses 32 "no such layer" "... but looks" mount -f -t ovlctl nope m
silent "-n, options apart and before" $helper -n -o ro web m -o nosuid
is "... all obeyed" "$(on m)" "$w ro,nosuid"
umount m
refuses 2 "Too many open files" "too few descriptors" prlimit --nofile=7:7 $helper web m
as_user || refuses 1 "Permission denied" "not root" setpriv --reuid nobody --clear-groups $helper web m
# The mount waits for another process that works on the layer.
(flock 9 && exec sleep 60) 9<"$store/$DRV/$w" &
holder=$!
until_true locked "$store/$DRV/$w"
$helper web m 2>err &
waiting=$!
until_true grep -q '^SigCgt:.*[4-7c-f]...$' /proc/$waiting/status
kill $waiting
wait $waiting
is "interrupted" "$?" 8
end $holder
is "nothing is mounted" "$(mounts_here)" 0

# /etc/fstab.
: >empty
cat >fstab <<E
# comment
app $T/m ovlctl ro,nofail,x-systemd.requires-mounts-for=/var/lib/ovlctl,nosuid 0 0
web	$T/m\\0402	ovlctl	root=$store,driver=$DRV,nodev,noatime	0 0
nope	$T/none	ovlctl	nofail	0 0
web	$T/new	ovlctl	noauto	0 0
E
silent "fstab: by mount point" mount -T fstab m
is "... is as the line says" "$(on m)" "$a ro,nosuid"
silent "... by layer" mount -T fstab app
silent "all" mount -T fstab -a
is "... are" "$(on 'm 2') $(mounts_here)" "$w rw,nodev 2"
silent "all again" mount -T fstab -a
is "... changes nothing" "$(mounts_here)" 2
silent "remount" mount -T fstab -o remount,ro 'm 2'
is "... read-only" "$(on 'm 2')" "$w ro,nodev"
silent "... and back" mount -T fstab -o remount,rw 'm 2'
ok "... writable" touch 'm 2/x'
silent "remount without a line" mount -T empty -o remount,ro 'm 2'
no "... read-only" touch 'm 2/y'
refuses 32 "layer 'web' is not mounted on '.*/m'" "remount of another" $helper web m -o remount
mkdir copy
ok "bind" mount --bind 'm 2' copy
is "... is the same" "$(cat copy/f)" 1
ok "umount of all" umount copy m 'm 2'

# A namespace.
if ! as_user; then
	in_namespace other true
	silent "-N" mount -N "$other" -t ovlctl web "$T/m"
	is "... is mounted there" "$(nsenter -m -t "$other" cat "$T/m/f") $(mounts_here)" "1 0"
	ok "... and unmounted" nsenter -m -t "$other" umount "$T/m"
	end "$other"
fi

# The machine crashes.
in_namespace other mount -T fstab -a
end "$other"
soon "after a crash all is mounted again" mount -T fstab -a
is "... by the same lines" "$(mounts_here)" 2
umount m 'm 2'
if ! as_user; then
	in_namespace other mount -t ovlctl -o volatile web m
	end "$other"
	soon "... where it was volatile" sh -c "! mount -t ovlctl web m 2>err && grep -q 'volatile.*--force' err"
	ok "... until --force" ovlctl mount --force web m
	umount m
	silent "... then it is" mount -t ovlctl web m
	umount m
fi

# The examples of the page: lines of fstab, commands, a unit.
page=$top/man/ovlctl-fstab.5
display() { # OF
	awk -v of="$1" '$1 == ".\\\"" && $2 == of { on = 1; next } /^\.Ed/ { on = 0 } on && !/^\.Bd/' "$page" |
		sed 's/\\e/\\/g'
}
mkdir -p srv/app srv/web
cp -a "$store" srv/layers
display fstab | sed "s,/srv,$T/srv,g" >fstab
is "the page has lines" "$(wc -l <fstab)" 3
silent "... which mount" mount -T fstab -a
is "... what they say" "$(on srv/app):$(on srv/web)" "$a ro:$w rw,nosuid,nodev"
silent "... and on demand" mount -T fstab "$T/srv/old app"
is "... of the other store" "$(on 'srv/old app')" "$a ro"
umount srv/app srv/web 'srv/old app'
if command -v systemd-analyze >/dev/null; then
	display unit >srv-app.mount
	is "the page's unit is sound" "$(systemd-analyze verify --man=no ./srv-app.mount 2>&1; echo $?)" 0
	sed -i 's/^Where=.*/Where=nowhere/' srv-app.mount
	no "... which the check can tell" test -z "$(systemd-analyze verify --man=no ./srv-app.mount 2>&1)"
else
	report 1 "systemd-analyze is there"
fi

done_testing
