# Sourced by run: the works. See duel.sh.

ovl() { # STORE ARGUMENTS...: timed, without sync, like the other side
	root=$1
	shift
	t "$raw" "$tag" ovlctl --root "$root" --sync="${sync:-none}" "$@"
}

# Options to keep everything that ovlctl keeps.
keep='--numeric-owner --xattrs --xattrs-include=* --acls'

untar() { # -z or the like
	set -f
	t "$raw" "$tag" tar -x -p $keep $1 -C "$work/tree" -f "$input"
	set +f
}

# ---- import

import_ours() {
	[ "$1" != run ] || ovl "$work/store" import "$input"
}
import_theirs() {
	case $1 in
	before) mkdir "$work/tree" ;;
	run) untar "$option" ;;
	esac
}
synced_ours() {
	[ "$1" != run ] || sync=data ovl "$work/store" import "$input"
}
synced_theirs() {
	case $1 in
	before) mkdir "$work/tree" ;;
	run)
		set -f
		t "$raw" "$tag" tar -x -p $keep -C "$work/tree" -f "$input" ';' sync -f "$work/tree"
		set +f
		;;
	esac
}

import() { # INPUT MUST AIM WORK
	wanted "import-$1" || return 0
	tar_input "$1"
	input=$inputs/$1
	case $1 in
	*.gz) option=-z ;;
	*.zst) option=--zstd ;;
	*.xz) option=-J ;;
	*) option= ;;
	esac
	duel "import-$1" import_ours import_theirs "$2" "$3" "import $4" "tar -x${option:+ $option}"
}

works_import() {
	import rootfs.tar 0.75 0.60 "of rootfs.tar"
	import rootfs.tar.gz 0.50 0.40 "of rootfs.tar.gz"
	import rootfs.tar.zst 0.75 0.55 "of rootfs.tar.zst"
	import tiny$n_tiny.tar 0.70 0.45 "of $n_tiny tiny files"
	if [ $size = full ]; then
		import rootfs.tar.xz - - "of rootfs.tar.xz"
		import tiny$n_tiny.tar.gz - - "of $n_tiny tiny files, gz"
		import tiny$n_tiny.tar.zst - - "of $n_tiny tiny files, zst"
		import large.tar - - "of the large root"
		import large.tar.gz 0.50 0.40 "of the large root, gz"
		import large.tar.zst - - "of the large root, zst"
		import noise$n_noise.tar.gz - - "of $((n_noise * 3 / 1000000)) MB in three files, gz"
		import noise$n_noise.tar.zst - - "of $((n_noise * 3 / 1000000)) MB in three files, zst"
	fi
	import noise$n_noise.tar 1.05 0.92 "of $((n_noise * 3 / 1000000)) MB in three files"
	input=$inputs/rootfs.tar
	duel import-synced synced_ours synced_theirs 0.85 0.70 "import of rootfs.tar, synced" \
		"tar -x, sync -f"
}

six_theirs() {
	case $1 in
	before) mkdir "$work/1" "$work/2" "$work/3" "$work/4" "$work/5" "$work/6" ;;
	run)
		set -f
		set -- "$raw" "$tag"
		for k in 1 2 3 4 5 6; do
			set -- "$@" tar -x -p $keep $option -C "$work/$k" -f "$inputs/six.tars/$k.tar$gz" ';'
		done
		set +f
		t "$@"
		;;
	esac
}

images_theirs() {
	case $1 in
	before) mkdir "$work/tree" ;;
	run)
		t "$raw" "$tag" sh -c 'cd "$0" && tar -x -f "$1" && for f in *.tar; do
			mkdir "$f.d" && tar -x -C "$f.d" -f "$f" || exit; done' "$work/tree" "$input"
		;;
	esac
}

works_image() {
	if wanted import-images; then
		input "images$n_images.tar" make_images "$n_images"
	fi
	input=$inputs/images$n_images.tar
	duel import-images import_ours images_theirs - - \
		"import of $n_images images of eight layers in one archive" "tar -x of each layer"
	input=$inputs/six.docker.tar option='' gz=''
	duel import-six-docker import_ours six_theirs - - "import of six layers, docker-archive" \
		"tar -x of each"
	input=$inputs/six.oci option=-z gz=.gz
	duel import-six-oci import_ours six_theirs - - "import of six layers, OCI layout, gz" \
		"tar -xz of each"
}

# ---- create, mount, umount, rm, ls

cycle_ours() {
	[ "$1" = run ] || return 0
	o="ovlctl --root $inputs/six.store --sync=none"
	t -n "$reps" "$raw" "$tag" $o create -n bench l6 ';' $o mount bench ';' \
		$o umount bench ';' $o rm bench
}
cycle_theirs() {
	[ "$1" = run ] || return 0
	dir=$inputs/bare
	t -n "$reps" "$raw" "$tag" bare_create "$dir" "$six_top" "$bare_id" $bare_link ';' \
		bare_mount "$dir" "$bare_id" ';' bare_umount "$dir/$bare_id/merged" ';' \
		bare_rm "$dir" "$bare_id" $bare_link
}

# A command in namespaces of its own, with a writable layer that is dropped afterwards; and with
# none. The layers of --smoke have no programs, so it uses those of the host. bwrap does not
# wait for the first process in the namespace, so most of its CPU time is unknown.
run_ours() {
	[ "$1" = run ] || return 0
	host=
	for d in /bin /lib /lib64 /usr; do
		[ $size != smoke ] || [ ! -d $d ] || host="$host --bind $d"
	done
	t -n "$reps" "$raw" "$tag" ovlctl --root "$inputs/six.store" --sync=none run $host l6 true
}
run_theirs() {
	[ "$1" != run ] || t -n "$reps" "$raw" "$tag" bwrap --ro-bind / / --unshare-pid --unshare-ipc \
		--proc /proc --dev /dev true
}

# Over a directory of the host.
run_on() { # DIRECTORY
	t -n "$reps" "$raw" "$tag" ovlctl --root "$inputs/six.store" --sync=none run --on "$1" true
}
run_on_many() { [ "$1" != run ] || run_on "$inputs/files$n_files"; }
run_on_few() { [ "$1" != run ] || run_on "$inputs/files10"; }

# Starting the four programs, which then do nothing.
start_ours() {
	[ "$1" != run ] || t -n "$reps" "$raw" "$tag" ovlctl --version
}
start_theirs() {
	[ "$1" != run ] || t -n "$reps" "$raw" "$tag" bare_empty
}

create_rm() { # STORE
	o="ovlctl --root $1 --sync=none"
	t -n "$reps" "$raw" "$tag" $o create -n bench base ';' $o rm bench
}
create_many() { [ "$1" != run ] || create_rm "$inputs/layers$n_store.store"; }
create_few() { [ "$1" != run ] || create_rm "$inputs/layers10.store"; }

rm_small() { # STORE
	o="ovlctl --root $1 --sync=none"
	t -n "$reps" "$raw" "$tag" untimed $o import -n bench -p base "$inputs/small.tar" ';' \
		$o rm bench
}
rm_small_many() { [ "$1" != run ] || rm_small "$inputs/layers$n_store.store"; }
rm_small_few() { [ "$1" != run ] || rm_small "$inputs/layers10.store"; }

ls_ours() { [ "$1" != run ] || ovl "$inputs/layers$n_ls.store" ls; }
ls_theirs() {
	[ "$1" != run ] || t "$raw" "$tag" bare_ls "$inputs/layers$n_ls.store/overlay2"
}

rm_root_ours() {
	case $1 in
	before) store "$work/store" import -n root "$inputs/rootfs.tar" ;;
	run) ovl "$work/store" rm root ;;
	esac
}
rm_root_theirs() {
	case $1 in
	before)
		mkdir "$work/tree"
		tar -x -p -C "$work/tree" -f "$inputs/rootfs.tar"
		;;
	run) t "$raw" "$tag" rm -rf "$work/tree" ;;
	esac
}

works_small() {
	six_top=$(basename "$(layer_dir "$inputs/six.store" l6)")
	duel cycle cycle_ours cycle_theirs 1.5 1.2 "create, mount, umount, rm on six lowers" \
		"four programs of bare calls"
	! command -v bwrap >/dev/null ||
		duel run run_ours run_theirs 1.0 - "run of a command on six lowers" \
			"bwrap, without a layer" waits-not
	if wanted run-on; then
		input files10 make_files 10
		input "files$n_files" make_files "$n_files"
	fi
	duel run-on run_on_many run_on_few 1.2 1.05 "run over a directory of $n_files files" \
		"of 10"
	duel start start_ours start_theirs - 1.5 "start of the program" \
		"an empty one that is linked in the same way"
	if wanted store-create-rm || wanted store-rm-image; then
		input layers10.store make_layers 10
		input "layers$n_store.store" make_layers "$n_store"
	fi
	! wanted ls || input "layers$n_ls.store" make_layers "$n_ls"
	# As in a store in use, directories are in the cache: those with 100,000 names have
	# blocks that would otherwise be read during the measurement.
	for dir in overlay2 overlay2/l overlay2/*/.children; do
		ls -f "$inputs/layers$n_store.store/"$dir >/dev/null 2>&1 || :
	done
	duel store-create-rm create_many create_few 1.2 1.05 "create, rm among $n_store layers" \
		"among 10"
	duel store-rm-image rm_small_many rm_small_few 1.2 1.05 \
		"rm of a small image among $n_store layers" "among 10"
	duel ls ls_ours ls_theirs 2 1.3 "ls of $n_ls layers" "reading each link"
	duel rm-rootfs rm_root_ours rm_root_theirs 1.05 0.95 "rm of the rootfs layer" "rm -rf"
}

# ---- du

du_ours() { [ "$1" != run ] || t -n 5 "$raw" "$tag" ovlctl --root "$six" du; }
du_theirs() { [ "$1" != run ] || t -n 5 "$raw" "$tag" du -s "$six"; }

works_du() {
	six=$inputs/six.store
	duel du du_ours du_theirs 1.3 1.1 "du of six layers" "du -s"
	! wanted du-overlay || input six-overlay.store make_six_overlay
	six=$inputs/six-overlay.store
	duel du-overlay du_ours du_theirs 1.3 1.1 "du of six layers, overlay" "du -s"
}

# ---- diff, commit, export

tar_out() { # FROM, to the file $work/out.tar
	set -f
	t "$raw" "$tag" tar -c $keep -C "$1" -f "$work/out.tar" .
	set +f
}
diff_tar_ours() { [ "$1" != run ] || ovl "$changed" diff -o "$work/out.tar" job; }
diff_tar_theirs() { [ "$1" != run ] || tar_out "$upper"; }

diff_list_ours() { [ "$1" != run ] || ovl "$changed" diff job; }
diff_list_theirs() {
	[ "$1" != run ] || t "$raw" "$tag" find "$upper" -mindepth 1 -printf '%y /%P\n'
}

commit_ours() {
	case $1 in
	before)
		store "$changed" create -n bench base
		tar -x -C "$(store "$changed" mount bench)" -f "$inputs/changed$n_changed.tar"
		store "$changed" umount bench
		;;
	run) ovl "$changed" commit bench ;;
	after) store "$changed" rm bench ;;
	esac
}
commit_theirs() {
	[ "$1" != run ] || t "$raw" "$tag" sh -c \
		'tar -c --numeric-owner --xattrs --xattrs-include="*" --acls -C "$1" . |
			openssl sha256' - "$upper"
}

export_ours() {
	[ "$1" != run ] || ovl "$inputs/six.store" export --compress gzip l6 "$work/oci"
}
export_theirs() {
	[ "$1" != run ] || t "$raw" "$tag" sh -ec 'to=$1
		shift
		for tree; do
			n=$((${n-0} + 1))
			tar -c --numeric-owner --xattrs --xattrs-include="*" --acls -C "$tree" . |
				pigz >"$to/$n.tar.gz"
		done' - "$work" $six_trees
}

# Moves an image to a store that has its base; afterwards the five layers are removed there.
move() { # OURS|THEIRS-COMMAND WHEN
	from=$inputs/five.store to=$inputs/known.store
	case $2 in
	run) t "$raw" "$tag" sh -ec "ovlctl() { command ovlctl --sync=none --root \"\$@\"; }; $1" - "$from" "$to" ;;
	after) store "$to" rm -r "$(store "$from" ls -q l1)" ;;
	esac
}
move_ours() {
	move 'ovlctl "$2" ls -q | ovlctl "$1" export --without @- l5 - | ovlctl "$2" import -n l5 -' "$1"
}
move_theirs() {
	move 'ovlctl "$1" export l5 - | ovlctl "$2" import -n l5 -' "$1"
}

works_move() {
	if wanted thin-image; then
		input five.store make_five
		input known.store make_known
	fi
	duel thin-image move_ours move_theirs 0.1 0.05 \
		"export --without | import of five layers on a known base" "export | import"
}

works_changes() {
	changed=$inputs/changed$n_changed.store
	tar_input "changed$n_changed.tar"
	input "changed$n_changed.store" make_changed
	upper=$(layer_dir "$changed" job)/diff
	six_trees=
	for k in 1 2 3 4 5 6; do
		six_trees="$six_trees $(layer_dir "$inputs/six.store" l$k)/diff"
	done
	duel diff-tar diff_tar_ours diff_tar_theirs 0.9 0.7 "diff -o of $n_changed changed files" \
		"tar -c of the upper"
	duel diff-list diff_list_ours diff_list_theirs 2 1.3 "diff of $n_changed changed files" \
		"find of the upper"
	duel commit commit_ours commit_theirs 1.0 0.8 "commit of $n_changed changed files" \
		"tar -c | openssl sha256"
	# Last, because it takes longest.
	rounds_of_others=$rounds
	[ $size != quick ] || rounds=2
	duel export export_ours export_theirs 1.0 0.8 "export of six layers, gzip" \
		"tar -c | pigz of each"
	rounds=$rounds_of_others
}

works_all() {
	works_import
	works_image
	works_small
	works_du
	works_changes
	works_move
}
