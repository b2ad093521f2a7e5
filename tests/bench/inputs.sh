# Sourced by run: the inputs, which are made once and kept. "input NAME COMMAND..." makes one,
# if it does not exist, by the command, which gets one more argument: the path to write to.

input() {
	[ ! -e "$inputs/$1" ] || return 0
	name=$1
	shift
	say "making $name"
	rm -rf "$inputs/.new"
	mkdir "$inputs/.new"
	# set -e has no effect in a condition, hence the subshell.
	set +e
	(
		set -e
		"$@" "$inputs/.new/$name"
	) >>"$log" 2>&1
	made=$?
	set -e
	if [ $made != 0 ]; then
		tail -5 "$log" >&2
		die "cannot make $name"
	fi
	mv "$inputs/.new/$name" "$inputs/$name"
}

compress() { # COMMAND TO, of $inputs/$from
	$1 <"$inputs/$from" >"$2"
}

# Makes one of the tars that works use by name, and the inputs that it needs.
tar_input() { # NAME
	case $1 in
	*.gz) compressed "$1" 'gzip -6' ;;
	*.zst) compressed "$1" 'zstd -q -3' ;;
	*.xz) compressed "$1" 'xz -T0' ;;
	rootfs.tar) input rootfs.tar make_rootfs ;;
	large.tar) input large.tar make_large ;;
	tiny*) input "$1" gen $n_tiny 500 '' ;;
	noise*) input "$1" gen 3 $n_noise -n ;;
	changed*) input "$1" gen $n_changed 15000 '' ;;
	esac
}

compressed() { # NAME COMMAND
	tar_input "${1%.*}"
	from=${1%.*}
	input "$1" compress "$2"
}

debian() { # PACKAGES TO
	TMPDIR=$inputs/.new mmdebstrap --quiet --format=tar --variant=minbase ${1:+--include="$1"} bookworm - >"$2"
}

make_rootfs() {
	if [ -n "${BENCH_ROOTFS-}" ]; then
		cp "$BENCH_ROOTFS" "$1"
	elif [ $size = smoke ]; then
		gentar -p usr 500 1000 >"$1"
	else
		debian '' "$1"
	fi
}

# At least 1 GB and 40,000 entries.
make_large() {
	debian gcc,g++,gdb,python3-dev,perl-doc,vim,emacs-nox,git,cmake,libboost-dev "$1"
	entries=$(tar -tf "$1" | wc -l)
	bytes=$(stat -c %s "$1")
	say "the large root: $entries entries, $bytes bytes"
	[ "$entries" -ge 40000 ] && [ "$bytes" -ge 1000000000 ] && return
	gentar -p opt 40000 25000 >"$1.more"
	tar -A -f "$1" "$1.more"
	rm "$1.more"
}

gen() { # FILES SIZE GENTAR-OPTIONS TO
	gentar $3 "$1" "$2" >"$4"
}

store() { # STORE OVLCTL-ARGUMENTS...
	root=$1
	shift
	ovlctl --root "$root" --sync=none "$@"
}

# A step of a build: new files, some changed, some removed.
build_step() { # MERGED NUMBER
	gentar -p "opt/step$2" -s "$2" $((n_changed / 10)) 6000 | tar -x -C "$1"
	find "$1/usr" -xdev -type f | sort | awk -v k="$2" 'NR % 200 == k' >"$inputs/.names"
	while read -r f; do
		echo "$2" >>"$f"
	done <"$inputs/.names"
	find "$1/usr" -xdev -type f | sort | awk -v k="$2" 'NR % 400 == k' |
		tr '\n' '\0' | xargs -0 -r rm -f
	rm "$inputs/.names"
}

# Six layers: the root file system and five steps of a build.
make_six() {
	store "$1" import -n l1 "$inputs/rootfs.tar"
	for k in 2 3 4 5 6; do
		job=$(store "$1" create "l$((k - 1))")
		build_step "$(store "$1" mount "$job")" "$k"
		store "$1" umount "$job"
		store "$1" commit -n "l$k" "$job"
	done
}

# The same with the driver overlay.
make_six_overlay() {
	store "$1" --driver overlay import -n top "$inputs/six.docker.tar"
}

# The tar of each layer, for the sides that have no store.
make_tars() { # STORE LAYERS TO
	mkdir "$3"
	for k in $(seq "$2"); do
		store "$inputs/$1.store" diff -o "$3/$k.tar" "l$k"
	done
}

make_six_tars() {
	make_tars six 6 "$1"
	for k in 1 2 3 4 5 6; do
		gzip -6 <"$1/$k.tar" >"$1/$k.tar.gz"
	done
}

make_image() { # STORE LAYER FORMAT TO
	store "$inputs/$1.store" export --format "$3" "$2" "$4"
}

# An archive as from docker save, of many images of eight layers each, none of them shared.
make_images() { # IMAGES TO
	mkdir "$2.d"
	for k in $(seq $(($1 * 8))); do
		gentar -s "$k" 3 200 >"$2.d/$k.tar"
		echo "$k.tar"
	done >"$2.names"
	(cd "$2.d" && xargs sha256sum <"$2.names") | awk -v dir="$2.d" '
		{
			ids = ids (ids ? "," : "") "\"sha256:" $1 "\""
			layers = layers (layers ? "," : "") "\"" $2 "\""
		}
		NR % 8 == 0 {
			n = NR / 8
			config = dir "/" n ".json"
			print "{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" ids "]}}" >config
			close(config)
			all = all (all ? "," : "") "{\"Config\":\"" n ".json\",\"RepoTags\":[\"many" n ":1\"],\"Layers\":[" layers "]}"
			ids = layers = ""
		}
		END { print "[" all "]" >(dir "/manifest.json") }'
	tar -c -C "$2.d" -f "$2" .
	rm -r "$2.d" "$2.names"
}

make_six_oci_tar() {
	tar -c -C "$inputs/six.oci" -f "$1" .
}

make_bare() {
	cp -a "$inputs/six.store/overlay2" "$1"
}

make_files() { # FILES TO
	mkdir "$2"
	gentar "$1" 10 | tar -x -C "$2"
}

layer_dir() { # STORE LAYER
	store "$1" ls -n -r -o PATH "$2"
}

# n_changed files of 15 kB, half of which replace files of the base.
make_changed() {
	gentar -p data -s 1 $((n_changed / 2)) 1000 | store "$1" import -n base -
	store "$1" create -n job base
	tar -x -C "$(store "$1" mount job)" -f "$inputs/changed$n_changed.tar"
	store "$1" umount job
}

make_small() {
	gentar 3 1000 >"$1"
}

make_layers() { # COUNT TO
	gentar 3 1000 | store "$2" import -n base -
	manylayers "$2" base "$1"
}

hundred_changes() { # MERGED
	find "$1/usr" "$1/etc" -xdev -type f 2>/dev/null | sort | awk '
		{ f[NR] = $0 }
		END { for (i = 1; i <= 70; i++) print f[int(i * NR / 71)] }' >"$inputs/.names"
	sed -n 1,50p "$inputs/.names" | while read -r f; do
		echo changed >>"$f"
	done
	sed -n 51,70p "$inputs/.names" | tr '\n' '\0' | xargs -0 rm -f
	rm "$inputs/.names"
	mkdir -p "$1/opt/new"
	for k in 1 2 3 4 5 6 7 8 9 10; do
		echo $k >"$1/opt/new/$k"
		echo $k >"$1/usr/$k"
		echo $k >"$1/new$k"
	done
}

make_edited() {
	store "$1" import -n base "$inputs/rootfs.tar"
	store "$1" create -n job base
	hundred_changes "$(store "$1" mount job)"
	store "$1" umount job
}

# Five small layers on the root file system.
make_five() {
	store "$1" import -n l0 "$inputs/rootfs.tar"
	for k in 1 2 3 4 5; do
		gentar -p "opt/step$k" -s "$k" 20 5000 | store "$1" import -n "l$k" -p "l$((k - 1))" -
	done
}

make_known() {
	store "$1" import -n l0 "$inputs/rootfs.tar"
}

# Makes the inputs that several kinds of work need. The others make their own.
inputs_all() {
	tar_input rootfs.tar
	input six.store make_six
	input six.tars make_six_tars
	input six.docker.tar make_image six l6 docker
	input six.oci make_image six l6 oci
	input six.oci.tar make_six_oci_tar
	input bare make_bare
	input edited.store make_edited
	input small.tar make_small
}
