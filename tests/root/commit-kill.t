#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# not in a user namespace: root of one that others made cannot trace

# If it is killed before any call that changes something, a commit has happened or not:
# everybody sees at once either the unchanged writable layer or the image layer, with all
# of its names. No command has to be repeated. After a prune nothing is left over.
# Every KILL_STEP-th call is tried, all of them with KILL_STEP=1 (make check-kill).
can_trace || cannot "strace"
: "${KILL_STEP:=$(short && echo 31 || echo 17)}" "${KILL_ONLY:=}"
S=$OVLCTL_ROOT
calls='mkdirat,mknodat,renameat,renameat2,linkat,symlinkat,unlinkat,openat,write,pwrite64,/chmod,utimensat,/setxattr,/removexattr,fsync,syncfs,flock'
mkdir mnt
printf 'dir name=dir mtime=5\nfile name=dir/f data=1\nfile name=gone data=1\nend\n' | mktar >a.tar
a=$(ovlctl import -n a a.tar)

# A writable layer w, also called w/2, of each sort, in a store of its own.
changed() { # OPTIONS
	rm -rf "$S"
	ovlctl import -n a a.tar >/dev/null
	w=$(ovlctl create -n w a)
	ovlctl tag w w/2
	m=$(ovlctl mount $1 w)
	echo new >"$m/new"
	rm "$m/gone"
	mkdir "$m/made"
	echo 2 >>"$m/dir/f"
	[ ! "$1" ] || mv "$m/dir" "$m/moved"
	ovlctl umount w
	d=$S/$DRV/$w/$UPPER
	[ "$1" ] || mknod "$d/dir/nothing" c 0 0
	setfattr -n trusted.overlay.protattr -v 0x0000 "$d/new"
	# Made once, so that the times are the same each time.
	find "$d" -exec touch -h -d '2002-02-02 02:02:02.25' {} +
	m=$(ovlctl mount -r $1 w)
	walk "$m" >want
	ovlctl umount w
	raw >raw.want
}
# The tree of w itself, with everything that a mount has left in it.
raw() {
	walk "$S/$DRV/$w/$UPPER"
}
# The tree of the image layer, in which whiteouts may be new.
raw_image() {
	walk "$S/$DRV/$id/$TREE" | sed '/ 020000 /s/ t=[0-9.]*//'
}

# Prints "W" if the writable layer is unchanged, "I" if it was committed, otherwise what
# there is.
state() {
	ovlctl ls -nr -o KIND,ID,NAME 2>/dev/null | awk -v w="$w" -v id="$id" '
		{ kinds[$1]++; n = split($3, name, ",") }
		{ for (i = 1; i <= n; i++) is[name[i]] = is[name[i]] $1 " " $2 }
		function said(name) {
			return name "=" (is[name] == "writable " w ? "W" : is[name] == "image " id ? "I" : is[name]) " "
		}
		END {
			printf "%s%s%s", said("w"), said("w/2"), said("i")
			while (kinds["image"]-- > 0) printf "image "
			while (kinds["writable"]-- > 0) printf "writable "
		}'
}
is_state() { # W or I
	had=${there:+image }
	case $1$keep in
	W*) [ "$2" = "w=W w/2=W i= image ${had}writable " ] ;;
	I) [ "$2" = "w=I w/2=I i=I image image " ] ;;
	I*) [ "$2" = "w=W w/2=W i=I image image writable " ] ;;
	esac
}
# Does the layer show what was written into w?
whole() { # LAYER [OPTIONS]
	m=$(ovlctl mount -r ${2-} "$1" 2>>whole.err) || return 1
	walk "$m" >got
	ovlctl umount "$1"
	cmp -s got want
}

bad() {
	failed="$failed $n: $*"
}
point() {
	rm -rf "$S"
	cp -a master "$S"
	killed_at $n ovlctl commit $keep -n i w >out 2>err </dev/null
	status=$?
	[ $status != 0 ] || return
	points=$((points + 1))
	[ $status -ge 128 ] || bad "status $status: $(cat err)"
	# A process that may not write sees the same as a later one.
	mount --bind "$S" ro
	mount -o remount,bind,ro ro
	seen=$(OVLCTL_ROOT=$T/ro state)
	if is_state I "$seen"; then
		if ovlctl --root ro mount i "$T/mnt" >out 2>err; then
			umount mnt
		else
			bad "mount from read-only: $(cat err)"
		fi
	fi
	# Another process that looks at all mount namespaces may be in it for a moment.
	until_true umount ro
	ovlctl check --content >chk 2>&1 || bad "check: $(cat chk)"
	now=$(state)
	[ "$seen" = "$now" ] || bad "read-only $seen, then $now"
	if is_state W "$now"; then
		kept=$((kept + 1))
		raw >raw.got
		cmp -s raw.want raw.got || bad "tree of w: $(diff raw.want raw.got | head -5)"
		whole w "$opts" || bad "w: $(diff want got | head -5)"
	elif is_state I "$now"; then
		done=$((done + 1))
		whole i || bad "i: $(diff want got | head -5)"
		[ ! "$keep" ] || [ "$(ovlctl ls -nr -o PARENT w)$(ovlctl diff w)" = "$id" ] || bad "w is not empty"
	elif [ "$apart" ] && [ "$now" = "w=W w/2=W i= image image writable " ]; then
		# Killed between the two renames, which follow each other directly.
		between=$((between + 1))
		whole w "$opts" || bad "w: $(diff want got | head -5)"
	else
		bad "state: $now"
	fi
	# prune removes everything that is left over, and nothing else.
	ovlctl prune >/dev/null
	ovlctl check --content >chk 2>&1 && [ ! -s chk ] || bad "left: $(cat chk)"
	[ "$(state)" = "$now" ] || bad "prune: $(state)"
	if is_state I "$now"; then
		raw_image >raw.got
		cmp -s raw.image raw.got || bad "tree of i: $(diff raw.image raw.got | head -5)"
	fi
	if is_state W "$now"; then
		again=$(ovlctl commit $keep -n i w 2>err) || bad "again: $(cat err)"
		[ "$again" = "$id" ] || bad "again: $again"
		is_state I "$(state)" || bad "again: $(state)"
	fi
	ovlctl rm -r i >out 2>&1 || [ "$between" ] || bad "rm: $(cat out)"
}

mkdir ro
at=0
try() { # WHAT
	case $1 in *$KILL_ONLY*) ;; *) return ;; esac
	rm -rf master
	cp -a "$S" master
	id=$(ovlctl commit $keep -n i w)
	is "$1: committed" "$(is_state I "$(state)" && echo yes)" yes
	raw_image >raw.image
	rm -rf "$S"
	cp -a master "$S"
	calls_of "$calls" ovlctl commit $keep -n i w >all
	at=$(((at + 2) % KILL_STEP))
	awk -v step="$KILL_STEP" -v at=$at 'NR % step == at' all >chosen
	failed='' points=0 kept=0 done=0 between=''
	while read -r n && [ ! "$failed" ]; do
		point
	done <chosen
	is "$1: killed at $points points: $kept nothing, $done done" "$failed" ""
	ok "... both happened" test $kept -gt 0 -a $done -gt 0
}

for keep in '' --keep; do
	apart='' there='' opts=''
	changed ''
	try "commit $keep"
	# The image layer exists already.
	changed ''
	v=$(ovlctl create a)
	cp -a "$S/$DRV/$w/$UPPER/." "$S/$DRV/$v/$UPPER/"
	ovlctl commit "$v" >/dev/null
	there=yes
	try "commit $keep of what is there"
	# xattrs that only a mount can follow.
	there='' opts='-o redirect_dir=on'
	changed "$opts"
	is_overlay || apart=yes
	try "commit $keep of a tree that is unpacked"
done

# Whoever finishes a killed commit may be killed as well.
there='' apart='' opts=''
for keep in '' --keep; do
	changed ''
	rm -rf master
	cp -a "$S" master
	id=$(ovlctl commit $keep -n i w)
	rm -rf "$S"
	cp -a master "$S"
	traced -qq -o /dev/null -P "$S/$DRV" -e inject=fsync:signal=KILL ovlctl commit $keep -n i w >out 2>&1
	rm -rf master
	cp -a "$S" master
	for finisher in "tag w other" prune; do
		calls_of "$calls" ovlctl $finisher >all
		at=$(((at + 5) % KILL_STEP))
		awk -v step="$KILL_STEP" -v at=$at 'NR % step == at' all >chosen
		failed='' points=0
		while read -r n && [ ! "$failed" ]; do
			rm -rf "$S"
			cp -a master "$S"
			killed_at $n ovlctl $finisher >out 2>err </dev/null
			[ $? -ge 128 ] || bad "not killed: $(cat err)"
			points=$((points + 1))
			ovlctl check --content >chk 2>&1 || bad "check: $(cat chk)"
			ovlctl tag -d other >out 2>&1
			is_state I "$(state)" || bad "state: $(state)"
			whole i || bad "i: $(diff want got | head -5)"
			ovlctl prune >/dev/null
			ovlctl check >chk 2>&1 && [ ! -s chk ] || bad "left: $(cat chk)"
			is_state I "$(state)" || bad "prune: $(state)"
		done <chosen
		is "commit $keep, finished by $finisher, which is killed at $points points" "$failed" ""
		rm -rf "$S"
		cp -a master "$S"
	done
done

# A file of an unfinished commit that cannot be read is no damage, and is not repaired.
keep='' opts=''
changed ''
traced -qq -o /dev/null -P "$S/$DRV" -e inject=fsync:signal=KILL ovlctl commit -n i w >out 2>&1
said=$(ovlctl check)
like "a commit that was killed after its rename" "note: .* the commit that made it was killed" "$said"
failed=
for n in 1 2 3 4 5 6; do
	traced -qq -o /dev/null -P .image -e inject=openat:error=EACCES:when=$n ovlctl check >out 2>err
	[ $? = 8 ] || [ "$(cat out err)" = "$said" ] || failed="$failed $n: $(cat out err)"
done
for n in $(seq 16); do
	traced -qq -o /dev/null -P "$w/.image-layer" -e inject=readlinkat:error=EIO:when=$n ovlctl check >out 2>err
	! grep -q 'prune' out || failed="$failed $n: $(cat out)"
done
is "... and then cannot be read, check finds nothing else" "$failed" ""
changed ''
traced -qq -o /dev/null -P "$S/$DRV" -e inject=fsync:signal=KILL ovlctl commit --keep -n i w >out 2>&1
mount --bind "$S" ro
mount -o remount,bind,ro ro
failed=
for n in 1 2 3 4; do
	traced -qq -o /dev/null -P .image -e inject=openat:error=EIO:when=$n \
		ovlctl --root ro diff w a >out 2>err || grep -q ': Input/output error$' err ||
		failed="$failed $n: $(cat err)"
done
is "... nor does a layer above it" "$failed" ""
until_true umount ro

# The layer is not said to be missing because it could not be looked up.
rm -rf master
cp -a "$S" master
failed=
for n in $(seq 8); do
	rm -rf "$S"
	cp -a master "$S"
	traced -qq -o /dev/null -P "$w" -e inject=newfstatat:error=EIO:when=$n ovlctl show w >out 2>err
	[ $? != 3 ] || failed="$failed $n: $(cat err)"
done
is "a layer to be put back that cannot be looked up" "$failed" ""

# The name that a commit gives with a config of its own selects it at once.
changed ''
v=$(ovlctl create a)
cp -a "$S/$DRV/$w/$UPPER/." "$S/$DRV/$v/$UPPER/"
need - ovlctl commit -n first -c 'CMD ["first"]' "$v"
traced -qq -o /dev/null -P "$S/$DRV" -e inject=fsync:signal=KILL ovlctl commit -n i -c 'CMD ["second"]' w >out 2>&1
mount --bind "$S" ro
mount -o remount,bind,ro ro
cmd() { ovlctl --root "$1" show "$2" | jq -c '.layers[0].config.config.Cmd'; }
is "the configs of an image layer, before the commit is finished" "$(cmd ro first) $(cmd ro i)" '["first"] ["second"]'
is "... and then" "$(cmd "$S" first) $(cmd "$S" i)" '["first"] ["second"]'
until_true umount ro

done_testing
