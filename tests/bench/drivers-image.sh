# Sourced by drivers: images of 6 and of 40 layers in a store of each driver, and without any
# driver, each layer a full copy of the one below with its changes.

# Makes the tars of image $image, which has $layers layers, an archive, a store of each driver.
image_inputs() {
	case $image in
	six)
		tar_input rootfs.tar
		input six.store make_six
		input six.tars make_six_tars
		;;
	chain)
		input chain.store make_chain $layers
		input chain.tars make_tars chain $layers
		;;
	esac
	input $image.docker.tar make_image $image l$layers docker
	for d in overlay2 overlay; do
		input $image-$d.store make_imported $d
	done
}

# A base, and small layers on top.
make_chain() { # LAYERS TO
	gentar -p usr "$n_base" 10000 | store "$2" import -n l1 -
	for k in $(seq 2 "$1"); do
		gentar -p "opt/step$k" -s "$k" "$n_chain" 6000 |
			store "$2" import -n "l$k" -p "l$((k - 1))" -
	done
}

make_imported() { # DRIVER TO
	store "$2" --driver "$1" import -n top "$inputs/$image.docker.tar"
}

# Full copies: whiteouts of the layer are applied, then its files are added.
copies='cd "$1"
tars=$2
shift 2
for k; do
	[ ! -e $((k - 1)) ] || cp -a $((k - 1)) $k
	mkdir -p $k
	tar -x -p --numeric-owner --xattrs "--xattrs-include=*" --acls -C $k -f "$tars/$k.tar"
	find $k -name ".wh.*" | while read -r w; do
		rm -rf "$w" "${w%/*}/${w##*/.wh.}"
	done
done'

used() { # WHAT: inodes and KiB of the file system, in $1_inodes and $1_kib
	settle
	set -- "$1" $(stat -f -c '%c %d %b %f %S' "$fs")
	eval "$1_inodes=$(($2 - $3)) $1_kib=$((($4 - $5) * ($6 / 512) / 2))"
}

image_import() {
	used before
	case $side in
	copies)
		m 1 $image-import sh -ec "$copies" - "$work" "$inputs/$image.tars" $(seq $layers)
		;;
	*) m 1 $image-import ovlctl --root "$work/store" --sync=none --driver $side import \
		"$inputs/$image.docker.tar" ;;
	esac
	used after
	# In the form of times, so that there is one list.
	printf '%s\t%s\t%s\t%s\t0\t0\t0\n' \
		$image-inodes $side $round $((after_inodes - before_inodes)) \
		$image-kib $side $round $((after_kib - before_kib)) >>"$raw"
}

image_create() {
	case $side in
	copies) m 1 $image-create cp -a "$state/top" "$work/child" ;;
	*)
		o="ovlctl --root $inputs/$image-$side.store --sync=none"
		m "$reps" $image-create $o create -n bench top ';' untimed $o rm bench
		;;
	esac
}

image_commit() {
	at=$inputs/$image-$side.store
	store "$at" create -n bench top
	tar -x -C "$(store "$at" mount bench)" -f "$inputs/change.tar"
	store "$at" umount bench
	settle
	o="ovlctl --root $at --sync=none"
	m 1 $image-commit $o commit bench
	settle
	m 1 $image-rm $o rm bench
}

image_titles() {
	columns='overlay2 overlay copies' reference=overlay2
	titled $image-inodes "inodes of $layers layers"
	titled $image-kib "space of $layers layers"
	titled $image-import "import of $layers layers"
	titled $image-create "create on $layers layers"
	titled $image-commit "commit, 100 files on $layers"
	titled $image-rm "rm of that layer"
}

image_all() {
	input change.tar gen 100 6000 ''
	for image in six chain; do
		case $image in
		six) layers=6 ;;
		chain) layers=$n_layers ;;
		esac
		image_inputs
		image_titles
		say "an image of $layers layers"
		by_turns image_import overlay2 overlay copies
		tree=$(layer_dir "$inputs/$image-overlay.store" top) || return
		cp -a "$tree/root" "$state/top"
		by_turns image_create overlay2 overlay copies
		by_turns image_commit overlay2 overlay
		rm -rf "$state/top"
	done
}
