#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# The mount shows what the store records, and a mount that fails leaves the store unchanged.
printf 'dir name=d\nfile name=d/f data=1\nend\n' | mktar >a.tar
printf 'file name=g data=2\nend\n' | mktar >b.tar
need a ovlctl import -n a a.tar
need b ovlctl import -n b -p a b.tar
need w ovlctl create -n w b
store=$OVLCTL_ROOT/$DRV
mkdir mnt secret
echo topsecret >secret/f

# ---- lowers --------------------------------------------------------------------------

if ! is_overlay; then
	link=$store/l/$(ovlctl ls -nr -o LINK a)
	was=$(readlink "$link")
	for to in "$T/secret" ../../../secret "../$b/diff" "../$a" "../$a/diff/d"; do
		ln -sfn "$to" "$link"
		for l in w b a; do
			fails 1 "lower layer 'l/[A-Z2-7]*' (does not lead to a layer|leads to another layer)" \
				"a short link to $(echo "$to" | sed "s,$T,,"), $l" ovlctl mount $l mnt
		done
		# A whiteout would hide nothing, and would be left out.
		for command in diff "diff -o tar" commit "commit --keep"; do
			fails 1 "lower layer 'l/[A-Z2-7]*' (does not lead to a layer|leads to another layer)" \
				"... $command" ovlctl $command w
		done
	done
	ln -sfn "$was" "$link"
	mv "$store/$a/link" kept
	lost="lower layer 'l/${link##*/}' leads to layer $(echo "$a" | cut -c1-12), whose file 'link' is missing or damaged; see 'ovlctl check'"
	for what in missing damaged; do
		for command in "mount w mnt" "mount a mnt" "diff w" "commit w"; do
			fails 1 "$lost" "a layer with a $what link file, $command" ovlctl $command
		done
		echo damaged >"$store/$a/link"
	done
	mv kept "$store/$a/link"
	mv "$store/$a" kept
	fails 1 "lower layer 'l/${link##*/}': No such file or directory; see 'ovlctl check'" \
		"a short link whose layer is missing" ovlctl mount w mnt
	mv kept "$store/$a"
	cp "$store/$w/lower" kept
	sed 's/^\(.*\):\(.*\)$/\2:\1/' kept >"$store/$w/lower"
	fails 1 "lower layer 'l/${link##*/}' is not the parent, but comes first; see 'ovlctl check'" \
		"lowers in another order" ovlctl mount w mnt
	cp kept "$store/$w/lower"
	is "nothing is mounted" "$(grep -c " $T/mnt " /proc/self/mountinfo)" 0
fi
mv "$store/$b/$TREE" "$store/$b/tree"
ln -s "$T/secret" "$store/$b/$TREE"
fails 1 "has no directory for a tree" "a lower's tree that is a symlink" ovlctl mount w mnt
rm "$store/$b/$TREE"
mv "$store/$b/tree" "$store/$b/$TREE"
ok "sound again" ovlctl mount w mnt
need - ovlctl umount w

# ---- the volatile mark ----------------------------------------------------------------

need m ovlctl mount -o volatile w
umount "$m"
fails 1 "was last mounted volatile" "a volatile mount that was not synced" ovlctl mount w
fails 1 "does not accept option 'bogus'" "a mount by force that fails" ovlctl mount --force -o bogus w
fails 1 "was last mounted volatile" "... leaves the mark" ovlctl mount w
fails 1 "was last mounted volatile" "... for commit too" ovlctl commit w
need - ovlctl mount --force -o volatile w
umount "$m"
fails 1 "was last mounted volatile" "a volatile mount by force leaves its own" ovlctl mount w
need - ovlctl mount --force w
need - ovlctl umount w
ok "a mount by force takes it away" ovlctl mount w
need - ovlctl umount w

# ---- mount points ---------------------------------------------------------------------

fails 1 "does not accept option 'bogus'" "a mount of a bottom image that fails" ovlctl mount -o bogus a
is "... leaves no mount point" "$(ls "$store/$a" | tr '\n' ' ')" "$LS_BOTTOM "
for at in "$OVLCTL_ROOT" "$OVLCTL_ROOT/names" "$store" "$store/$w" "$store/$b/$TREE" "$store/$w/work"; do
	fails 1 "is in the store|would hide the store" "a mount on ${at#"$T"}" ovlctl mount b "$at"
done
fails 1 "would hide the store" "a mount above the store" ovlctl mount b "$T"
mkdir other
mount --bind "$OVLCTL_ROOT" other
fails 1 "is in the store" "a mount in the store by another path" ovlctl mount b other/names
umount other
is "the store is there" "$(ovlctl ls -nr -o NAME | sort | tr '\n' ' ')" "a b w "
is "its own mount point may be named" "$(ovlctl mount w "$store/$w/merged")" "$store/$w/merged"
mkdir "$store/$w/merged/in"
ok "... and one in what is mounted" ovlctl mount b "$store/$w/merged/in"
need - ovlctl umount -R w

# In parallel: never one on top of the other.
for round in 1 2 3; do
	for i in 1 2 3 4 5 6 7 8; do
		(ovlctl mount b >o$i 2>&1; echo $? >s$i) &
	done
	wait
	is "one of eight mounts of an image on its mount point wins" \
		"$(cat s? | sort | tr '\n' ' ')" "0 4 4 4 4 4 4 4 "
	need - ovlctl umount b
done

# ---- a full file system -----------------------------------------------------------------

if ! as_user; then
	mkdir disk
	truncate -s 40M img
	mkfs.ext4 -q -F img
	need - mount -o loop img disk
	(
		OVLCTL_ROOT=$T/disk/store
		export OVLCTL_ROOT
		need - ovlctl import -n a a.tar
		need - ovlctl create -n w a
		need m ovlctl mount w
		dd if=/dev/zero of="$m/big" bs=1M 2>/dev/null
		sync -f "$m"
		need - ovlctl umount w
		mkdir disk/ballast
		fill_up disk/ballast
		ok "a layer that filled it is mounted again, read-only" ovlctl mount -r w
		need - ovlctl umount w
		ok "... and to write" ovlctl mount w
		ok "... so that there is room" rm "$m/big"
		need - ovlctl umount w
		ok "... and it can be removed" ovlctl rm w
		done_testing >sub
		echo $_n $_bad >counts
	)
	read -r _n _bad <counts
	umount disk
fi

done_testing
