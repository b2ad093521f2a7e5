#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# not in a user namespace: slows calls down with strace

# A layer that is used after prune has planned its removal stays, even without a grace
# period: prune is stopped before it locks the layer. If prune is first, the layer is not found.
can_trace || cannot "strace"

use() { # HOW
	case $1 in
	create) ovlctl create "$id" ;;
	mount) ovlctl mount "$id" && ovlctl umount "$id" ;;
	run) ovlctl run "$id" /none || [ $? = 127 ] ;;
	export) ovlctl export "$id" - >/dev/null ;;
	import) ovlctl import import.tar ;;
	write) ovlctl run "$id" /none || [ $? = 127 ] ;;
	by-hand) mount -t overlay -o "lowerdir=$(tree_of "$id"):$T/none" overlay "$T/by-hand.mnt" ;;
	# With a clock that was set back meanwhile.
	earlier) touch -d '2 hours ago' "$OVLCTL_ROOT/$DRV/$id/.used" ;;
	esac
}
all="create mount run export import write by-hand earlier"
need - mkdir none by-hand.mnt
for how in $all; do
	export OVLCTL_ROOT="$T/$how"
	# Others may have mounted a layer with the same id.
	printf 'file name=f data=%s.%s\nend\n' $how $$ | mktar >$how.tar
	if [ $how = write ]; then
		need id ovlctl create
	else
		need id ovlctl import $how.tar
	fi
	[ $how != earlier ] || {
		sed -i 's/^created .*/created 1000000000/' "$OVLCTL_ROOT/$DRV/$id/.layer"
		touch -d '1 hour ago' "$OVLCTL_ROOT/$DRV/$id/.used"
	}
	echo "$id" >$how.id
	traced -qq -o $how.calls -P "$OVLCTL_ROOT/$DRV/$id" -e trace=flock -e inject=flock:delay_enter=1500000:when=1 \
		ovlctl prune --layers --writable --unused-for 0 >$how.out 2>$how.err &
	echo $! >$how.pid
done
for how in $all; do
	until_true grep -q flock $how.calls
done
for how in $all; do
	export OVLCTL_ROOT="$T/$how"
	read -r id <$how.id
	use $how >used.out 2>used.err
	echo $? >$how.used
done
for how in $all; do
	export OVLCTL_ROOT="$T/$how"
	read -r id <$how.id
	wait "$(cat $how.pid)"
	is "$how: prune" "$? $(cat $how.err)" "0 "
	# On a machine that is very slow, prune may have been first.
	if [ "$(cat $how.used)" = 0 ]; then
		is "... the layer stays" "$(ovlctl ls -q "$id" 2>&1)" "$id"
	else
		is "... was first: it is gone" "$(grep -c "^layer $id" $how.out)" 1
	fi
done

[ "$(cat by-hand.used)" != 0 ] || need - umount by-hand.mnt

# While prune runs all the time, layers without names grow old and are used. After a use that
# has succeeded, the layer exists as long as the grace period lasts.
export OVLCTL_ROOT="$T/at-once"
for i in $(seq 60); do
	printf 'file name=f data=%d.%d\nend\n' $i $$ | mktar >$i.tar
	need id ovlctl --sync=none import $i.tar
	echo $id >>ids
done
(while [ ! -e stop ]; do ovlctl prune --layers --writable --unused-for 1h; done >pruned 2>err) &
pruner=$!
i=0
while read -r id; do
	i=$((i + 1))
	case $((i % 4)) in
	0) how=create ;;
	1) how=mount ;;
	2) how=run ;;
	3) how="export" ;;
	esac
	# From here on the layer is old.
	sed -i 's/^created .*/created 1000000000/' "$OVLCTL_ROOT/$DRV/$id/.layer"
	use $how >used.out 2>used.err
	echo "$how $? $(ovlctl ls -q "$id" 2>/dev/null)" >>outcome
done <ids
touch stop
wait $pruner
is "prune all the time: a use that succeeds finds the layer afterwards, one that fails does not" \
	"$(awk '($2 == 0) != (NF == 3)' outcome)" ""
is "... prune has nothing to say" "$(cat err)" ""
is "... the store is sound" "$(ovlctl check)" ""

# A run ends while prune removes another layer: having looked at its namespace, prune does
# not keep its layer in use.
export OVLCTL_ROOT="$T/held"
need id ovlctl import 1.tar

# What a removal is about to remove is no leftover.
need v ovlctl create "$id"
is_overlay || need - touch -hd '2 minutes ago' "$OVLCTL_ROOT/$DRV/l"/*
traced -qq -o calls -e trace=/rename -e inject=/rename:signal=STOP:when=1 ovlctl rm "$v" 2>err &
remover=$!
until_true has_stopped calls
is "beside a rm: prune --dry-run" "$(ovlctl prune --dry-run 2>&1)" ""
is "... check" "$(ovlctl check 2>&1)" ""
go_on calls
wait $remover
is "... the layer is removed" "$?$(cat err)$(ls "$OVLCTL_ROOT/$DRV/$id/.children" 2>/dev/null)" 0

need - ovlctl create -n w
host=
for d in /bin /lib /lib64 /usr; do [ ! -d $d ] || host="$host --bind $d"; done
ovlctl run $host w sh -c 'echo >/ready; exec sleep 100' 2>err &
runner=$!
until_true test -e "$(tree_of w)/ready"
rm -f calls
traced -qq -o calls -e trace=/rename -e inject=/rename:signal=STOP:when=1 \
	ovlctl prune --layers --unused-for 0 >out 2>err &
pruner=$!
until_true has_stopped calls
end $runner
ok "a run that has ended is over, though prune is at work" ovlctl rm w
go_on calls
wait $pruner
is "... which removes a layer" "$? $(cut -d' ' -f1-2 out)" "0 layer $id"
done_testing
