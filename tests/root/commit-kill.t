#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# not in a user namespace: root of one that others made cannot trace

# Killed at any step, a commit loses nothing: the writable layer is whole, or the image
# layer is there, and a second commit comes to the same end.
can_trace || cannot "strace"
printf 'dir name=dir mtime=5\nfile name=dir/f data=1\nfile name=gone data=1\nend\n' | mktar >a.tar
need a ovlctl import -n a a.tar
mkdir master
need w ovlctl create -n w a
need m ovlctl mount $w
echo new >"$m/new"
rm "$m/gone"
mkdir "$m/made"
echo 2 >>"$m/dir/f"
ovlctl umount w
d=$OVLCTL_ROOT/$DRV/$w/$UPPER
mknod "$d/dir/nothing" c 0 0
touch -d '2002-02-02 02:02:02.25' "$d/made" "$d/dir" "$d"
setfattr -n trusted.overlay.protattr -v 0x0000 "$d/new"
cp -a "$d" master/plain
need - ovlctl mount -r w
walk "$m" >want.plain
ovlctl umount w
ovlctl rm w
need w ovlctl create -n w a
need m ovlctl mount -o redirect_dir=on w
mv "$m/dir" "$m/moved"
echo new >"$m/moved/new"
ovlctl umount w
cp -a "$OVLCTL_ROOT/$DRV/$w/$UPPER" master/redirect
need - ovlctl mount -o redirect_dir=on -r w
walk "$m" >want.redirect
ovlctl umount w
ovlctl rm w

# Does the layer $1 show what was there? With mount options $2.
whole() {
	m=$(ovlctl mount -r ${2-} "$1" 2>whole.err) || return 1
	walk "$m" >got
	ovlctl umount "$1"
	cmp -s got "want.$kind"
}
prepare() {
	need w ovlctl create -n w a
	ovlctl tag w w/2
	rm -r "$(tree_of "$w")"
	cp -a "master/$kind" "$OVLCTL_ROOT/$DRV/$w/$UPPER"
}

for kind in plain redirect; do
	opts=
	calls='/rename /unlink mkdirat /symlink fsync,syncfs /xattr write,pwrite64'
	# What is unpacked appears as an import does, whose steps are tested there.
	[ $kind = plain ] || opts='-o redirect_dir=on' calls='/rename /symlink'
	prepare
	need id ovlctl commit w
	ovlctl rm "$id"
	for keep in '' --keep; do
		for call in $calls; do
			failed=
			n=1
			while :; do
				prepare
				traced -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n \
					ovlctl commit $keep -n i w >out 2>err
				status=$?
				if [ $status = 0 ]; then
					[ "$(cat out)" = "$id" ] || failed="$failed $n:id"
					ovlctl rm -r "$id"
					break
				fi
				[ $status -ge 128 ] || failed="$failed $n:status=$status"
				[ $n -lt 200 ] || failed="$failed endless"
				# Names lead to one of the two.
				for name in w w/2; do
					ovlctl show $name >/dev/null 2>&1 || failed="$failed $n:name=$name"
				done
				ovlctl check >chk 2>&1 || failed="$failed $n:check:$(cat chk)"
				i=$(ovlctl ls -nr -o ID,KIND | grep "^$id" | cut -c66-)
				if [ "$i" ]; then
					[ "$i" = image ] && whole "$id" || failed="$failed $n:image"
				elif ! whole "$w" "$opts"; then
					failed="$failed $n:writable"
				fi
				# And once more, by id, to the same end.
				if [ "$(ovlctl ls -nr -o KIND "$w" 2>/dev/null)" ] &&
					{ [ ! "$keep" ] || [ "$(ovlctl ls -nr -o PARENT "$w")" = "$a" ]; }; then
					again=$(ovlctl commit $keep -n i "$w" 2>err) || failed="$failed $n:again:$(cat err)"
					[ "$again" = "$id" ] || failed="$failed $n:id"
				fi
				whole "$id" || failed="$failed $n:end"
				if [ "$keep" ]; then
					[ "$(ovlctl ls -nr -o ID w w/2 i | sort | tr '\n' ' ')" = \
						"$(printf '%s\n' "$w" "$id" | sort | tr '\n' ' ')" ] || failed="$failed $n:names"
					whole w || failed="$failed $n:kept"
				else
					[ "$(ovlctl ls -nr -o ID w w/2 i)" = "$id" ] || failed="$failed $n:names"
				fi
				ovlctl ls -nr -o ID | grep -v "^$a" | xargs -r ovlctl rm -r
				need - ovlctl prune
				ovlctl check >chk 2>&1 && [ ! -s chk ] || failed="$failed $n:left:$(cat chk)"
				[ ! "$failed" ] || break
				n=$((n + 1))
			done
			is "$kind $keep: killed before each of $n $call" "$failed" ""
			[ ! "$failed" ] || find "$OVLCTL_ROOT" | diag
		done
	done
done
# No step is undone because of an error either.
kind=plain
prepare
need id ovlctl commit w
ovlctl rm "$id"
for call in '/rename' '/symlink' '/unlink' fsync,syncfs; do
	failed=
	n=1
	while [ $n -lt 25 ]; do
		prepare
		traced -qq -o /dev/null -e trace=$call -e inject=$call:error=EIO:when=$n ovlctl commit -n i w >out 2>err
		status=$?
		[ $status -le 1 ] || failed="$failed $n:status=$status"
		if ! whole "$id" && ! whole "$w"; then
			failed="$failed $n:lost"
		fi
		if [ $status != 0 ] && [ "$(ovlctl ls -nr -o KIND "$w" 2>/dev/null)" ]; then
			[ "$(ovlctl commit -n i "$w" 2>err)" = "$id" ] || failed="$failed $n:again:$(cat err)"
		fi
		whole "$id" || failed="$failed $n:end"
		ovlctl ls -nr -o ID | grep -v "^$a" | xargs -r ovlctl rm -r
		[ ! "$failed" ] || break
		n=$((n + 1))
	done
	is "an error from each of $call" "$failed" ""
done

done_testing
