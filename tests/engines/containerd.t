#!/bin/sh
. "$(dirname "$0")/engines.sh"
. "$(dirname "$0")/../lib.sh"

# The root of containerd, read while it runs: the result must agree with containerd's own.
engine containerd
six_layers "$T/six.tar"
containerd_start "$T/c"
root=$T/c/containerd
c="ovlctl --root $root"
starts ctr image import six.tar
need - ctr image tag docker.io/library/six:1 docker.io/library/six:second
need - ctr -n other image import six.tar
need - ctr container create --snapshotter overlayfs docker.io/library/six:1 used sh
mkdir m
mounted() { # KEY COMMAND...
	ctr snapshot mounts "$T/m" "$1" >mount.sh
	shift
	need - sh mount.sh
	need - "$@"
	umount m
}
mounted used six_used "$T/m"
need top sh -c 'head -c 0 /dev/null; awk "\$3 == \"Committed\" { p[\$1] = \$2 } END { for (i in p) q[p[i]]; for (i in p) if (!(i in q)) print i }"' <<E2
$(ctr snapshot ls | awk 'NF == 2 { print $1, "-", $2; next } { print }')
E2
need - ctr snapshot prepare byhand "$top"
until_true kept_view looking "$top"
ctr snapshot prepare tocommit "$top" >/dev/null
mounted tocommit touch m/committed
need - ctr snapshot commit named tocommit
find "$root"/*overlayfs/snapshots -mindepth 1 -maxdepth 1 -exec touch -d '2 hours ago' {} +

# ---- what is there: key, parent and kind as "ctr snapshots ls" has them
$c ls -J >ls.json
jq -r '(.layers | map({key: .id, value: (.names[0] // "sha256:" + .id)}) | from_entries) as $name |
	.layers[] | (if .diff_id then "sha256:" + .id else $name[.id] end) + " " +
	(if .parent then "sha256:" + .parent else "" end)' ls.json | sed 's/ $//' | sort >ours
ctr snapshot ls | awk 'NR > 1 && $NF != "View" { print $1 (NF == 3 ? " " $2 : "") }' | sort >theirs
same "the layers are the snapshots of ctr" ours theirs
is "their kinds" "$(jq -r '.layers[] | select(.kind == "writable") | .names[]' ls.json | sort)" \
	"$(ctr snapshot ls | awk '$3 == "Active" { print $1 }' | sort)"
is "the names are the images of ctr" \
	"$(jq -r '.layers[] | .names[]' ls.json | grep / | sort)" "$(ctr image ls -q | sort)"
for n in $($c ls -q --kind image); do
	diff=$($c ls -nr -o DIFFID "$n")
	[ "$diff" ] || continue
	need - ovlctl --root "$root" diff -o layer.tar "$n"
	is "its tar has the diff id" "sha256:$(sha256sum <layer.tar | cut -d' ' -f1)" "$diff"
done
same_tree() { # NAME KEY
	mkdir -p mine
	ctr snapshot mounts "$T/m" "$2" >mount.sh
	need - sh mount.sh
	need - $c mount -r "$1" mine
	walk m >theirs.list
	walk mine >mine.list
	same "$1: mounted it is what containerd mounts" mine.list theirs.list
	umount m mine
}
same_tree docker.io/library/six:second looking
is "a view is its parent" "$($c ls -nr -o ID looking)" "${top#sha256:}"
same_tree used used
is "diff of the container's layer" "$($c diff used | tr '\n' ,)" \
	"C /etc,A /etc/three,C /etc/two,C /old,D /old/new,A /var,A /var/x,"

# ---- orphans
ok "check finds nothing" $c check
mkdir "$root"/io.containerd.snapshotter.v1.overlayfs/snapshots/4711
touch -d '2 hours ago' "$root"/io.containerd.snapshotter.v1.overlayfs/snapshots/4711
like "but a directory that no record names" 4711 "$($c check 2>&1)"
rmdir "$root"/io.containerd.snapshotter.v1.overlayfs/snapshots/4711

# ---- beside the daemon
busy() {
	: >worked
	while [ ! -e enough ]; do
		ctr -n busy image import six.tar &&
			ctr snapshot prepare busy "$top" && ctr snapshot rm busy &&
			ctr -n busy container create --snapshotter overlayfs docker.io/library/six:1 busy sh &&
			ctr -n busy container rm busy &&
			ctr -n busy image rm --sync docker.io/library/six:1 && echo worked >>worked
	done
}
beside "$root"

# ---- taken over
works() {
	mounted byhand grep -qx two m/etc/two
}
adopts "$root" docker.io/library/six:1

containerd_stop
reads_only "$root" docker.io/library/six:1 used
containerd_start "$T/c"
is "containerd goes on with it" "$(ctr image ls -q | wc -l)" 2
works
ctr container rm used >/dev/null
ctr snapshot rm byhand looking named
ctr -n other image rm --sync docker.io/library/six:1 >/dev/null
ctr image rm --sync docker.io/library/six:1 docker.io/library/six:second >/dev/null
is "without the image" "$(ctr snapshot ls | wc -l) $(ls "$root"/*overlayfs/snapshots | wc -l)" "1 0"
still_adopted "$T/kept"
containerd_stop

done_testing
