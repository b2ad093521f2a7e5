# Sourced by run: the same works with other layer tools, if they are installed and work here.
# The CPU time and memory that a daemon uses are unknown, only the time until it answers.
# None of the tools syncs, so ovlctl does not sync here either.

docker_pid='' containerd_pid=''

peer() { # TOOL...: are they here?
	for tool; do
		command -v "$tool" >/dev/null || {
			skip "peers: $tool" "not installed (scripts/deps peers)"
			return 1
		}
	done
}

await() { # COMMAND...: half a minute
	for k in $(seq 1 60); do
		"$@" >>"$log" 2>&1 && return 0
		sleep 0.5
	done
	return 1
}

# ---- the daemons

containerd_start() {
	[ -z "$containerd_pid" ] || return 0
	mkdir -p "$state/containerd"
	ctr="ctr -a $state/containerd/sock -n bench"
	cat >"$state/containerd/config.toml" <<EOF
version = 2
root = "$state/containerd/root"
state = "$state/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$state/containerd/sock"
EOF
	containerd -c "$state/containerd/config.toml" >>"$log" 2>&1 9>&- &
	containerd_pid=$!
	await $ctr version
}

docker_start() {
	[ -z "$docker_pid" ] || return 0
	mkdir -p "$state/docker"
	docker="docker -H unix://$state/docker/sock"
	# No network: nothing is run in its containers.
	dockerd --containerd "$state/containerd/sock" --data-root "$state/docker/root" \
		--exec-root "$state/docker/exec" -p "$state/docker/pid" \
		-H "unix://$state/docker/sock" --iptables=false --ip6tables=false \
		--bridge=none --storage-driver overlay2 >>"$log" 2>&1 9>&- &
	docker_pid=$!
	await $docker version
}

peers_stop() {
	for pid in $docker_pid $containerd_pid; do
		kill "$pid" 2>/dev/null || continue
		wait "$pid" || :
	done
	docker_pid='' containerd_pid=''
}

# ---- import

podman_load() {
	case $1 in
	run) t "$raw" "$tag" $podman load -q -i "$input" ;;
	after) $podman rmi -a -f ;;
	esac
}
podman_pull() {
	case $1 in
	run) t "$raw" "$tag" $podman pull -q "oci:$input:l6" ;;
	after) $podman rmi -a -f ;;
	esac
}
docker_load() {
	case $1 in
	run) t "$raw" "$tag" $docker load -q -i "$input" ;;
	after) $docker rmi -f $($docker images -q) ;;
	esac
}
ctr_docker() { ctr_import "$1" "$inputs/six.docker.tar"; }
ctr_oci() { ctr_import "$1" "$inputs/six.oci.tar"; }
ctr_import() {
	case $1 in
	run) t "$raw" "$tag" $ctr images import --base-name bench/six --snapshotter overlayfs "$2" ;;
	after) $ctr images rm --sync $($ctr images ls -q) ;;
	esac
}
umoci_unpack() {
	[ "$1" != run ] || t "$raw" "$tag" umoci unpack --image "$input:l6" "$work/bundle"
}

peers_import() {
	what="import of six layers, docker-archive"
	input=$inputs/six.docker.tar
	! peer podman || duel peer-podman-load import_ours podman_load 0.30 0.15 "$what" "podman load"
	[ $have_docker = 0 ] ||
		duel peer-docker-load import_ours docker_load 0.30 0.15 "$what" "docker load" daemon
	[ $have_ctr = 0 ] ||
		duel peer-ctr-docker import_ours ctr_docker 0.30 0.15 "$what" "ctr images import" daemon
	what="import of six layers, OCI layout, gz"
	input=$inputs/six.oci
	! peer podman || duel peer-podman-pull import_ours podman_pull 0.25 0.12 "$what" "podman pull"
	[ $have_ctr = 0 ] ||
		duel peer-ctr-oci import_ours ctr_oci 0.25 0.12 "$what" "ctr images import (tar)" daemon
	! peer umoci || duel peer-umoci import_ours umoci_unpack 0.25 0.12 "$what" "umoci unpack"
}

# ---- create, mount, umount, rm

cs_cycle() {
	[ "$1" != run ] || t -n "$reps" "$raw" "$tag" \
		$cs create-container --name bench "$image" ';' $cs mount bench ';' \
		$cs unmount bench ';' $cs delete-container bench
}
buildah_cycle() {
	[ "$1" != run ] || t -n "$reps" "$raw" "$tag" \
		$buildah from --name bench --pull-never "$image" ';' $buildah mount bench ';' \
		$buildah umount bench ';' $buildah rm bench
}

# Running a command, without and with its changes being kept.
keeps='date +%s.%N >/kept'
keep_ours() {
	[ "$1" = run ] || return 0
	o="ovlctl --root $inputs/six.store --sync=none"
	t -n "$reps" "$raw" "$tag" $o run -n bench l6 sh -c "$keeps" ';' untimed $o rm bench
}
buildah_run() {
	[ "$1" != run ] || t -n "$reps" "$raw" "$tag" $buildah run --isolation chroot bench true
}
buildah_keep() {
	[ "$1" != run ] || t -n "$reps" "$raw" "$tag" \
		$buildah run --isolation chroot bench sh -c "$keeps" ';' \
		$buildah commit -q bench kept ';' untimed $buildah rmi kept
}

peers_run() {
	# The image of --smoke has no programs.
	[ $size != smoke ] || return 0
	$buildah from --name bench --pull-never "$image" >>"$log" 2>&1 || return 0
	duel peer-buildah-run run_ours buildah_run 0.10 0.05 "run of a command on six lowers" \
		"buildah run --isolation chroot"
	duel peer-buildah-keep keep_ours buildah_keep 0.12 0.06 "run, and keep a small file" \
		"buildah run and commit"
	$buildah rm bench >>"$log" 2>&1
}

peers_cycle() {
	peer podman || return 0
	image=$($podman load -q -i "$inputs/six.docker.tar" 2>>"$log" | sed -n 's/^Loaded image: *//p' |
		head -1)
	what="create, mount, umount, rm on six lowers"
	! peer containers-storage ||
		duel peer-cs-cycle cycle_ours cs_cycle 0.30 0.15 "$what" containers-storage
	! peer buildah || duel peer-buildah-cycle cycle_ours buildah_cycle 0.10 0.05 "$what" buildah
	! peer buildah || peers_run
	$podman rmi -a -f >>"$log" 2>&1
}

# ---- the store of Docker

foreign_ls() { [ "$1" != run ] || t "$raw" "$tag" ovlctl --root "$state/docker/root" ls; }
docker_images() { [ "$1" != run ] || t "$raw" "$tag" $docker images -a; }
foreign_import() { [ "$1" != run ] || ovl "$work/store" import --from "$state/docker/root" "$image"; }
docker_save() {
	[ "$1" != run ] || t "$raw" "$tag" sh -c '"$@" | ovlctl --root "$0" --sync=none import -' \
		"$work/store" $docker save "$image"
}

peers_foreign() {
	[ $have_docker = 1 ] || return 0
	if wanted peer-docker-save; then
		image=$($docker load -q -i "$inputs/six.docker.tar" 2>>"$log" | sed -n 's/^Loaded image[^:]*: *//p')
		duel peer-docker-save foreign_import docker_save 0.15 0.10 \
			"import --from Docker of six layers" "docker save | import" daemon
		$docker rmi -f "$image" >>"$log" 2>&1
	fi
	if wanted peer-docker-ls; then
		input "images$n_docker.tar" make_images "$n_docker"
		$docker load -q -i "$inputs/images$n_docker.tar" >>"$log" 2>&1
		duel peer-docker-ls foreign_ls docker_images 0.1 0.05 \
			"ls of $((n_docker * 8)) layers of Docker" "docker images -a" daemon
	fi
}

# ---- diff

edited_ours() { [ "$1" != run ] || ovl "$inputs/edited.store" diff job; }
cs_changes() { [ "$1" != run ] || t "$raw" "$tag" $cs changes "$layer"; }
docker_diff() { [ "$1" != run ] || t "$raw" "$tag" $docker diff bench; }

cs_edited() {
	image=$($podman import -q "$inputs/rootfs.tar" edited) &&
		$cs create-container --name bench "${image#sha256:}" &&
		hundred_changes "$($cs mount bench)" && $cs unmount bench &&
		layer=$($cs container bench | sed -n 's/^ *Layer: *//p')
}

# Docker mounts running containers only, so this mounts the layer as Docker would.
docker_edited() {
	form='lowerdir={{.LowerDir}},upperdir={{.UpperDir}},workdir={{.WorkDir}}'
	$docker import "$inputs/rootfs.tar" edited && mkdir "$state/merged" &&
		$docker create --name bench --network none edited /bin/true &&
		mount -t overlay overlay "$state/merged" -o "$($docker inspect \
			-f "{{with .GraphDriver.Data}}$form{{end}}" bench)" &&
		hundred_changes "$state/merged" && umount "$state/merged"
}

peers_diff() {
	what="diff of 100 changes on rootfs"
	if wanted peer-cs-changes && peer podman containers-storage; then
		cs_edited >>"$log" 2>&1 || skip peer-cs-changes "cannot make the layer"
		[ -z "${layer-}" ] || duel peer-cs-changes edited_ours cs_changes 0.3 0.15 "$what" \
			"containers-storage changes"
	fi
	if [ $have_docker = 1 ] && wanted peer-docker-diff; then
		if docker_edited >>"$log" 2>&1; then
			duel peer-docker-diff edited_ours docker_diff 0.02 0.01 "$what" "docker diff" daemon
		else
			skip peer-docker-diff "cannot make the container"
		fi
	fi
}

peers_all() {
	mkdir -p "$state/cs" "$state/cs-run"
	where="--root $state/cs --runroot $state/cs-run --storage-driver overlay"
	podman="podman $where"
	buildah="buildah $where"
	cs="containers-storage -g $state/cs -R $state/cs-run -s overlay"
	have_ctr=0 have_docker=0
	if peer containerd ctr; then
		if containerd_start; then
			have_ctr=1
		else
			skip "peers: containerd" "does not start here: $(tail -1 "$log")"
		fi
	fi
	if [ $have_ctr = 1 ] && peer dockerd docker; then
		if docker_start; then
			have_docker=1
		else
			skip "peers: docker" "does not start here: $(tail -1 "$log")"
		fi
	fi
	peers_import
	peers_cycle
	peers_foreign
	peers_diff
	peers_stop
}
