#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# What others have mounted in the store is neither removed nor unmounted.
printf 'dir name=d\nfile name=d/x data=1\nend\n' | mktar >a.tar
need a ovlctl import -n a a.tar
need w ovlctl create -n w a
store=$OVLCTL_ROOT/$DRV
mkdir p
echo gold >p/f

for at in merged $UPPER work; do
	mount --bind p "$store/$w/$at"
	fails 4 "something is mounted in the directory of layer 'w', on '$store/$w/$at'" \
		"rm with a bind mount on $at" ovlctl rm w
	fails 4 "something is mounted in the directory" "... with -f" ovlctl rm -f w
	fails 4 "something is mounted in the directory" "... of the parent, with -r" ovlctl rm -r a
	is "... nothing is lost" "$(cat p/f "$store/$w/$at/f")" "$(printf 'gold\ngold')"
	umount "$store/$w/$at"
done
mkdir "$store/$a/$TREE/d/deep"
mount -t tmpfs none "$store/$a/$TREE/d/deep"
fails 4 "layer 'a', on '$store/$a/$TREE/d/deep'" "a mount deep in a layer" ovlctl rm -r a
umount "$store/$a/$TREE/d/deep"
mount --bind p/f "$store/$w/$LOWER"
fails 4 "layer 'w', on '$store/$w/$LOWER'" "a mount on a file" ovlctl rm w
umount "$store/$w/$LOWER"

# Seen under another path: the store is mounted twice.
mkdir twice
mount --bind store twice
mount --bind p "$T/twice/$DRV/$w/merged"
fails 4 "layer 'w', on '$T/twice/$DRV/$w/merged'" "a mount at the store's other path" ovlctl rm w
is "... nothing is lost" "$(cat p/f)" gold
umount "$T/twice/$DRV/$w/merged"
umount twice

# In another mount namespace.
in_namespace pid mount --bind p "$store/$w/merged"
fails 4 "on '$store/$w/merged' in the mount namespace of process $pid" "a mount in another namespace" ovlctl rm w
end $pid
mkdir elsewhere
for at in '' /merged; do
	in_namespace pid sh -c 'mount --bind "$1" elsewhere && mount --bind p "elsewhere$2"' - \
		"$store/$w" "$at"
	fails 4 "on '$T/elsewhere($at)?' in the mount namespace of process $pid" \
		"... on a bind mount of the layer's directory" ovlctl rm w
	end $pid
done
soon "rm when all is gone" ovlctl rm w

done_testing
