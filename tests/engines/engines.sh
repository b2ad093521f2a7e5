# Sourced by each test here, before lib.sh. Starts the engines of Debian 12, each for the test
# only, without network. The test runs in a pid namespace, so that all processes that it has
# started end with it.
#
#   engine docker|containerd|podman	ends the test if the engine is missing
#   starts COMMAND...	a first command of the engine; if it fails, the test is skipped,
#			because the engine does not work on this machine
#   docker_start DIR, docker_stop	dockerd and its containerd, their files below DIR:
#				DIR/docker is the data root; "docker" is its client
#   docker_kill		kills dockerd with SIGKILL
#   containerd_start DIR, containerd_stop
#				DIR/containerd is its root; "ctr" is its client
#   podman_at DIR		"podman" then works on DIR/storage, without a daemon
#   podman_user DIR		the same for an ordinary user with subordinate ids;
#				"rootless COMMAND..." runs a command as that user
#   docker_orphan FILE IMAGE	kills dockerd in the middle of "docker load"
#   six_layers FILE		an image of six layers, as a docker archive, named six:1
#   six_used ROOT-OF-A-VIEW	changes something in it, as a container would
#
#   reads_only ROOT IMAGE WRITABLE	no command changes anything in the root, or writes to a
#				file there, or locks one
#   adopts ROOT IMAGE	takes an image over, twice; removes one, after which "works" must
#				succeed; "still_adopted" examines the other
#   beside ROOT	runs ls and check while "busy" keeps the engine working, until
#			$T/enough exists

# The control groups that the engines make, the innermost first.
groups_of_engines() {
	find /sys/fs/cgroup -depth -type d \( -path "*/docker*" -o -path "*/libpod_parent*" \)
}

case ${OVLCTL_TEST_STAGE-} in
'')
	if [ ! "${ENGINES_PIDS-}" ] && unshare -m -p --fork true 2>/dev/null; then
		export ENGINES_PIDS=1
		trap : HUP INT TERM
		before=$(groups_of_engines)
		unshare -m -p --fork --kill-child --mount-proc sh "$0" "$@"
		status=$?
		[ "$before" ] || groups_of_engines | xargs -r rmdir 2>/dev/null
		exit $status
	fi
	;;
esac

engine() { # NAME
	case $1 in
	docker) set -- docker /usr/sbin/dockerd /usr/bin/docker /usr/bin/containerd ;;
	containerd) set -- containerd /usr/bin/containerd /usr/bin/ctr ;;
	podman) set -- podman /usr/bin/podman ;;
	esac
	name=$1
	shift
	for file; do
		[ -x "$file" ] || cannot "no $name here: $file is missing (scripts/deps engines)"
	done
	[ -x /bin/busybox ] || cannot "no busybox here (scripts/deps engines)"
	# Sockets, locks and the state of runc must be private to the test, too.
	grep -q '^ovlctl-test /run ' /proc/mounts || need - mount -t tmpfs -o mode=755 ovlctl-test /run
	grep -q '^ovlctl-test /dev/shm ' /proc/mounts ||
		need - mount -t tmpfs -o mode=1777 ovlctl-test /dev/shm
	[ -d /run/lock ] || mkdir /run/lock /run/user
}

starts() {
	"$@" >"$T/.need" 2>&1 && return
	cat "$T/.need" >&2
	[ "$_n" = 0 ] || stop "$*"
	echo "1..0 # SKIP $name does not work here: $1 $2"
	exit 0
}

docker() {
	/usr/bin/docker -H "unix://$docker_dir/docker.sock" "$@"
}

# DIR must be short, because the path of a socket has at most 107 bytes.
containerd_start() { # DIR
	ctrd_dir=$1
	mkdir -p "$1"
	cat >"$1/containerd.toml" <<-EOF
		version = 2
		root = "$1/containerd"
		state = "$1/containerd.state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		address = "$1/containerd.sock"
	EOF
	containerd -c "$1/containerd.toml" >>"$1/containerd.log" 2>&1 &
	ctrd_pid=$!
	starts tried ctr version
}

ctr() {
	/usr/bin/ctr -a "$ctrd_dir/containerd.sock" "$@"
}

# Makes a view, with a label that keeps containerd from removing it at once.
kept_view() { # KEY PARENT, for until_true
	ctr snapshot label "$1" containerd.io/gc.root=now && return
	ctr snapshot view "$1" "$2"
	return 1
}

containerd_stop() {
	kill "$ctrd_pid"
	wait "$ctrd_pid" 2>/dev/null
}

docker_start() { # DIR
	docker_dir=$1
	containerd_start "$1/c"
	dockerd --iptables=false --ip6tables=false --bridge=none --storage-driver overlay2 \
		--data-root "$1/docker" --exec-root "$1/exec" --pidfile "$1/pid" \
		--containerd "$1/c/containerd.sock" -H "unix://$1/docker.sock" >>"$1/log" 2>&1 &
	docker_pid=$!
	starts tried docker version
}

docker_stop() {
	kill "$docker_pid"
	wait "$docker_pid" 2>/dev/null
	containerd_stop
}

docker_kill() {
	kill -KILL "$docker_pid"
	wait "$docker_pid" 2>/dev/null
	containerd_stop
	# Would prevent the next start; after a power cut /run is empty.
	rm -f "$docker_dir/pid"
}

# Kills dockerd while it unpacks an image, and leaves it stopped. $docker_orphan is the
# directory that no record refers to.
docker_orphan() { # FILE IMAGE, whose one layer is of some 50 MB
	for _i in 1 2 3 4 5; do
		ls "$docker_dir/docker/overlay2" >"$T/.before"
		docker load -q -i "$1" >"$T/.load" 2>&1 &
		_load=$!
		_half=
		until [ "$_half" ] || ! kill -0 $_load 2>/dev/null; do
			_half=$(find "$docker_dir/docker/overlay2" -newer "$T/.before" -type f -size +1M)
		done
		docker_kill
		wait $_load 2>/dev/null
		docker_orphan=$(ls "$docker_dir/docker/overlay2" | comm -13 "$T/.before" -)
		[ ! "$docker_orphan" ] || grep -rqsF "$docker_orphan" "$docker_dir/docker/image" ||
			return 0
		docker_start "$docker_dir"
		docker rmi "$2" >/dev/null 2>&1
	done
	stop "dockerd was always quicker than its end"
}

storage_conf() { # DIR
	mkdir -p "$1"
	cat >"$1/storage.conf" <<-EOF
		[storage]
		driver = "overlay"
		graphroot = "$1/storage"
		runroot = "$1/run"
	EOF
	echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$1/policy.json"
	cat >"$1/containers.conf" <<-EOF
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "none"
	EOF
}

podman_at() { # DIR
	podman_dir=$1
	storage_conf "$1"
}

podman() {
	env TMPDIR="$podman_dir" CONTAINERS_STORAGE_CONF="$podman_dir/storage.conf" \
		CONTAINERS_CONF="$podman_dir/containers.conf" /usr/bin/podman "$@"
}

# A user for this test, whose subordinate ids are not used by others.
podman_user() { # DIR
	user_dir=$1
	storage_conf "$1"
	mkdir -m 700 "$1/home" "$1/xdg"
	for file in passwd group subuid subgid; do
		need - cp /etc/$file "$1/etc.$file"
		need - mount --bind "$1/etc.$file" /etc/$file
	done
	echo "ovlctl-test:x:61234:61234::$1/home:/bin/sh" >>/etc/passwd
	echo "ovlctl-test:x:61234:" >>/etc/group
	echo "ovlctl-test:700000:65536" >>/etc/subuid
	echo "ovlctl-test:700000:65536" >>/etc/subgid
	chown -R 61234:61234 "$1"
	# Without this podman warns each time.
	mount --make-shared /
	# The user cannot enter the directories above.
	for up in "$T" "$(dirname "$T")"; do
		chmod a+x "$up"
	done
}

rootless() {
	(cd "$user_dir" && exec setpriv --reuid 61234 --regid 61234 --clear-groups \
		env HOME="$user_dir/home" XDG_RUNTIME_DIR="$user_dir/xdg" TMPDIR="$user_dir" \
		CONTAINERS_STORAGE_CONF="$user_dir/storage.conf" \
		CONTAINERS_CONF="$user_dir/containers.conf" "$@")
}

# Layers with a program, hard links, a hole, xattrs, set-id bits, a device, a file next to a
# socket; whiteouts, an opaque directory, a directory that replaces a file and a file that
# replaces a directory; a layer that changes only the time of a directory.
six_layers() { # FILE
	(
		set -e
		OVLCTL_ROOT=$T/six.store
		export OVLCTL_ROOT
		rm -rf six.d
		mkdir -p six.d/bin six.d/etc six.d/data six.d/gone six.d/old/deep
		cp /bin/busybox six.d/bin/busybox
		ln -s busybox six.d/bin/sh
		ln six.d/bin/busybox six.d/bin/joined
		echo one >six.d/etc/one
		echo same >six.d/etc/same
		echo old >six.d/old/deep/file
		echo old >six.d/old/file
		echo gone >six.d/gone/file
		truncate -s 1M six.d/data/hole
		printf end >>six.d/data/hole
		setfattr -n user.note -v "of a file" six.d/etc/one
		chmod 4755 six.d/bin/busybox
		mkfifo six.d/data/fifo
		mknod six.d/data/null c 1 3
		head -c 300000 /dev/urandom >six.d/data/noise
		tar --xattrs --xattrs-include='user.*' --sort=name --mtime=@1700000000 -C six.d -cf six.1.tar .
		{
			printf 'dir name=etc mode=0755 mtime=1700000100\n'
			printf 'file name=etc/.wh.one\n'
			printf 'file name=etc/two data=two\\n mtime=1700000100 uid=1000 gid=1000\n'
			printf 'file name=.wh.gone\nend\n'
		} | mktar >six.2.tar
		{
			printf 'dir name=old mode=0750 mtime=1700000200\n'
			printf 'file name=old/.wh..wh..opq\n'
			printf 'file name=old/new data=new\\n mtime=1700000200\nend\n'
		} | mktar >six.3.tar
		{
			printf 'dir name=gone mode=0755 mtime=1700000300\n'
			printf 'file name=gone/back data=back\\n mtime=1700000300\n'
			printf 'link name=gone/joined link=gone/back mtime=1700000300\nend\n'
		} | mktar >six.4.tar
		printf 'file name=etc/same data=other\\n mode=0600 mtime=1700000400\nend\n' | mktar >six.5.tar
		printf 'dir name=data mode=0711 mtime=1700000500\nend\n' | mktar >six.6.tar
		ovlctl -q import -n l1 six.1.tar >/dev/null
		for i in 2 3 4 5 6; do
			ovlctl -q import -n l$i -p l$((i - 1)) six.$i.tar >/dev/null
		done
		ovlctl -q tag l6 docker.io/library/six:1
		ovlctl -q export --format docker docker.io/library/six:1 "$1"
		rm -rf six.d six.[1-6].tar "$OVLCTL_ROOT"
	) || stop "an image of six layers"
}

six_used() { # VIEW
	echo changed >"$1/etc/two" && echo more >"$1/etc/three" && rm "$1/old/new" &&
		mkdir "$1/var" && echo x >"$1/var/x"
}

# Prints the stat(2) data and contents of all files in a root, without changing access times.
state_of() { # ROOT
	mkdir -p "$T/looked"
	mount --bind "$1" "$T/looked" && mount -o remount,bind,ro,noatime "$T/looked" &&
		(cd "$T/looked" && find . -printf '%p %y %i %m %U:%G %s %n %A@ %T@ %C@ %l\n' | sort &&
			find . -type f -exec sha256sum {} + | sort &&
			getfattr -R -h -d -m - . 2>/dev/null)
	umount "$T/looked"
}

# Files of a root that commands open for writing, change or lock, according to strace.
writes_to() { # ROOT TRACE
	grep -aF "$1" "$2" | grep -aE \
		'O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|^[0-9]+ +(flock|rename|unlink|mkdir|link|symlink|mknod|chmod|fchmod|chown|fchown|lchown|utimens|setxattr|fsetxattr|lsetxattr|removexattr|fremovexattr|lremovexattr|truncate|ftruncate|fallocate)' |
		grep -av ' = -1 E'
}

reads_only() { # ROOT IMAGE WRITABLE
	_root=$1
	mkdir -p "$T/mounted"
	strace -f -y -qq -o "$T/trace" -e trace='%file,%desc' touch "$_root/written"
	rm "$_root/written"
	writes_to "$_root/" "$T/trace" >"$T/writes"
	[ -s "$T/writes" ] || stop "strace does not show what is written"
	# So that a read changes the access time.
	find "$_root" -exec touch -h -a -d 2020-01-01 {} +
	need - ovlctl import -n ours "$T/six.tar"
	state_of "$_root" >"$T/state.before"
	while IFS='	' read -r _wanted _command; do
		_command=$(printf '%s' "$_command" | sed "s|IMAGE|$2|g; s|WRITABLE|$3|g; s|MNT|$T/mounted|g")
		traced -y -qq -o "$T/trace" -e trace='%file,%desc' ovlctl --root "$_root" $_command \
			>"$T/out" 2>"$T/err" </dev/null
		is "exit status: $_command" $? "$_wanted" || diag "$T/err"
		writes_to "$_root/" "$T/trace" >"$T/writes"
		is "... writes nothing" "$(head -3 "$T/writes")" ""
		state_of "$_root" >"$T/state.after"
		same "... and changes nothing" "$T/state.before" "$T/state.after"
	done <<-EOF
		0	ls
		0	ls --tree
		0	ls -J -o +SIZE,USED,PATH
		0	show IMAGE WRITABLE
		0	diff IMAGE
		0	diff WRITABLE
		0	diff WRITABLE IMAGE
		0	diff -o $T/out.tar IMAGE
		0	diff -o $T/out.tar WRITABLE
		0	export IMAGE $T/out.image
		0	mount -r IMAGE MNT
		0	umount MNT
		0	mount -r WRITABLE MNT
		0	umount MNT
		0	check
		0	du
		0	which -a IMAGE /etc/two
		2	rm WRITABLE
		2	tag IMAGE new
		2	tag -d IMAGE
		2	commit WRITABLE
		2	create IMAGE
		2	import $T/six.tar
		2	prune
		125	run IMAGE sh
		2	check --repair
		2	mount IMAGE
	EOF
}

: "${ENGINE_RUNS:=60}"

# An id depends on all layers below, so a wrong parent gives a wrong id.
right_parent() { # ID PARENT DIFF-ID
	[ "$(printf 'sha256:%s %s' "$2" "$3" | sha256sum | cut -d' ' -f1)" = "$1" ]
}

adopt() { # STORE ROOT IMAGE
	need top ovlctl --root "$1" import --from "$2" "$3"
	is "import --from has the id" "$top" "$(ovlctl --root "$2" ls -q "$3")"
	still_adopted "$1"
	bottom=$(ovlctl --root "$1" ls -nr -o ID,DEPTH | sed -n 's/ 0$//p')
	is "... and hard links" "$(stat -c %i "$1/overlay2/$bottom/diff/bin/busybox")" \
		"$(stat -c %i "$(ovlctl --root "$2" show "$bottom" | jq -r '.layers[0].tree')/bin/busybox")"
}

still_adopted() { # STORE
	ok "check --content is clean" ovlctl --root "$1" check --content
	for _layer in $(ovlctl --root "$1" ls -q); do
		ovlctl --root "$1" diff --tar "$_layer" | sha256sum | sed 's/ .*//; s/^/sha256:/'
	done >"$T/digests"
	is "the tars are the exact bytes" "$(cat "$T/digests")" \
		"$(for _layer in $(ovlctl --root "$1" ls -q); do ovlctl --root "$1" ls -nr -o DIFFID "$_layer"; done)"
}

adopts() { # ROOT IMAGE
	adopt "$T/kept" "$1" "$2"
	adopt "$T/removed" "$1" "$2"
	ok "rm on our side" ovlctl --root "$T/removed" rm -r "$2"
	ok "... is not noticed" works
}

# A database that changes during each read is not damaged.
looks() { # ROOT COMMAND...
	ovlctl --root "$@" 2>"$T/err"
	_status=$?
	[ $_status = 0 ] || grep -q 'is constantly being written to' "$T/err" ||
		(echo "exit $_status:" && cat "$T/err") >>"$T/strange"
}

beside() { # ROOT
	rm -f "$T/enough"
	busy >"$T/busy.log" 2>&1 &
	_busy=$!
	: >"$T/strange"
	for _i in $(seq "$ENGINE_RUNS"); do
		looks "$1" ls -nr -o ID,KIND,PARENT,DIFFID >"$T/ls"
		while read -r _id _kind _parent _diff; do
			[ "$_kind" = image ] && [ "${_diff#sha256:}" != "$_diff" ] || continue
			right_parent "$_id" "$_parent" "$_diff" || echo "ls: $_id $_parent" >>"$T/strange"
		done <"$T/ls"
		looks "$1" check >>"$T/strange"
	done
	: >"$T/enough"
	wait $_busy
	is "beside the engine at work: $ENGINE_RUNS times ls and check" \
		"$(sort "$T/strange" | uniq -c | head -5)" ""
	[ -s "$T/worked" ]
	report $? "... that worked meanwhile: $(wc -l <"$T/worked") times"
}
