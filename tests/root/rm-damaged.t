#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# A layer whose .layer is damaged can be removed, and does not prevent other removals.
printf 'file name=f data=1\nend\n' | mktar >a.tar
printf 'file name=x data=1\nend\n' | mktar | ovlctl import - >/dev/null
empty=$(store_state)
store=$OVLCTL_ROOT/$DRV
setup() {
	need - ovlctl import -n a a.tar
	need b ovlctl import -n b -p a a.tar
	need w ovlctl create -n w b
}
for how in 'truncate -s 20' 'truncate -s 0' rm 'cp /bin/sh'; do
	setup
	$how "$store/$w/.layer"
	fails 1 "layer 'w': " "$how: it cannot be mounted" ovlctl mount w
	fails 4 "layer 'b' has layers on top of it" "... it keeps its parent" ovlctl rm b
	ok "... it can be removed" ovlctl rm w
	ok "... and then its parents" ovlctl rm b a
	is "... no trace is left" "$(store_state)" "$empty"
	setup
	$how "$store/$w/.layer"
	ok "$how: rm -r of its parent" ovlctl rm -r a
	is "... no trace is left" "$(store_state)" "$empty"
done

# Parents that form a loop.
is_child_of() { # CHILD PARENT
	sed -i -e "/^parent/d" -e "s/^depth/parent $2\n&/" "$store/$1/.layer"
	mkdir -p "$store/$2/.children"
	: >"$store/$2/.children/$1"
}
setup
is_child_of $b $b
ok "rm -r of a layer that is its own parent" ovlctl rm -r b
ok "... and of what was its parent" ovlctl rm a
is "... no trace is left" "$(store_state)" "$empty"
setup
need a ovlctl ls -nr -o ID a
is_child_of $a $b
fails 4 "layer 'a' has layers on top of it: 'b'" "two that are each other's parents" ovlctl rm a
ok "... rm -r" ovlctl rm -r a
is "... no trace is left" "$(store_state)" "$empty"

setup
truncate -s 20 "$store/$b/.layer"
ok "an image layer, with its children" ovlctl rm -r a
is "... no trace is left" "$(store_state)" "$empty"
setup
truncate -s 20 "$store/$b/.layer"
fails 4 "layer 'b' has layers on top of it: 'w'" "an image layer with children" ovlctl rm b
fails 4 "layer 'a' has layers on top of it: 'b'" "its parent" ovlctl rm -f a
need m ovlctl mount w
truncate -s 20 "$store/$w/.layer"
fails 4 "layer 'w' is mounted on '$m'" "one that is mounted" ovlctl rm w
fails 4 "layer 'w' is mounted on '$m'" "... -rf of its parent" ovlctl rm -rf a
stay_in pid "$m"
umount -l "$m"
fails 4 "layer 'w' is mounted, .*detached" "... detached and in use" ovlctl rm -f w
end $pid
soon "-rf when that is over" ovlctl rm -rf a
is "no trace is left" "$(store_state)" "$empty"

done_testing
