# Sourced by run: measures how the cost grows with the size of something.
#
#   grow SERIES X FUNCTION	FUNCTION is like one side of a duel, see duel.sh

case $size in
full)
	grow_rounds=3 grow_entries='1000 10000 100000 1000000'
	grow_bytes='1000000 10000000 100000000 1000000000'
	grow_depth='1 2 6 16 64 128 129 256 500' grow_layers='10 100 1000 10000 100000'
	;;
quick)
	grow_rounds=3 grow_entries='1000 3000 10000 30000'
	grow_bytes='1000000 10000000 100000000' grow_depth='1 6 128 129 500'
	grow_layers='10 100 1000 10000'
	;;
smoke)
	grow_rounds=1 grow_entries='10 100' grow_bytes='1000 10000' grow_depth='1 2'
	grow_layers='10 20'
	;;
esac

grow() {
	wanted "$1" || return 0
	say "$1: $2"
	# Round 0 only warms up.
	round=0
	while [ $round -le $grow_rounds ]; do
		one_side "$3" "$1	$2	$round" || {
			tail -3 "$log" >&2
			skip "$1" "failed at $2: $(tail -1 "$log")"
			status=1
			return 0
		}
		round=$((round + 1))
	done
}

g() { # as t, of ovlctl with $at as its store
	repeat=$1
	shift
	o="ovlctl --root $at --sync=none"
	# Each word "@" is replaced by ovlctl and its options.
	set -- "$@" END
	while [ "$1" != END ]; do
		case $1 in
		@) set -- "$@" $o ;;
		*) set -- "$@" "$1" ;;
		esac
		shift
	done
	shift
	t -n "$repeat" "$grown" "$tag" "$@"
}

grow_import() { [ "$1" != run ] || at=$work/store g 1 @ import "$input"; }
grow_create() {
	[ "$1" != run ] || g "$reps" @ create -n bench "$base" ';' @ rm bench
}
grow_mount() {
	case $1 in
	before) store "$at" create -n bench "$base" ;;
	run) g "$reps" @ mount bench ';' @ umount bench ;;
	after) store "$at" rm bench ;;
	esac
}
grow_diff() {
	case $1 in
	before)
		store "$at" create -n bench "$base"
		m=$(store "$at" mount bench) && : >"$m/new"
		store "$at" umount bench
		;;
	run) g "$reps" @ diff bench ;;
	after) store "$at" rm bench ;;
	esac
}
grow_stack() {
	case $1 in
	run) g "$reps" @ import -n bench -p "$base" "$input" ';' @ rm bench ;;
	esac
}
grow_ls() { [ "$1" != run ] || g 1 @ ls; }

# A stack of small layers; the name of each has the height of its stack.
make_deep() { # HEIGHT TO
	parent=
	for k in $(seq 1 "$1"); do
		gentar -p "l$k" 1 1000 | store "$2" import -n "s$k" ${parent:+-p "$parent"} -
		parent=s$k
	done
}

growth_all() {
	for n in $grow_entries; do
		input "grow-entries$n.tar" gen "$n" 400 ''
		input="$inputs/grow-entries$n.tar"
		grow "import, by entries" "$n" grow_import
	done
	for n in $grow_bytes; do
		input "grow-bytes$n.tar" gen 1 "$n" -n
		input="$inputs/grow-bytes$n.tar"
		grow "import, by bytes" "$n" grow_import
	done
	input "deep${grow_depth##* }.store" make_deep "${grow_depth##* }"
	at=$inputs/deep${grow_depth##* }.store
	input grow-small.tar gen 1 1000 ''
	input=$inputs/grow-small.tar
	for n in $grow_depth; do
		base=s$n
		grow "create and rm, by lowers" "$n" grow_create
		grow "mount and umount, by lowers" "$n" grow_mount
		grow "diff, by lowers" "$n" grow_diff
		# A layer on top of 500 would be refused.
		[ "$n" = 500 ] && base=s499
		grow "import of a layer, by lowers" "$n" grow_stack
	done
	base=base
	for n in $grow_layers; do
		input "layers$n.store" make_layers "$n"
		at=$inputs/layers$n.store
		grow "create and rm, by layers of the store" "$n" grow_create
		grow "mount and umount, by layers of the store" "$n" grow_mount
		grow "ls, by layers of the store" "$n" grow_ls
	done
}
