#!/bin/sh
. "$(dirname "$0")/engines.sh"
. "$(dirname "$0")/../lib.sh"

# The store of containers/storage, which podman and buildah share, of root and of an
# ordinary user, read while podman runs: the result must agree with podman's own.
engine podman
six_layers "$T/six.tar"
chmod 644 six.tar
podman_at "$T/p"

# All tests, with "p" being podman of root or of the user.
fill() { # PODMAN...
	"$@" load -q -i "$T/six.tar" &&
		"$@" tag six:1 docker.io/library/six:second &&
		"$@" create --network none --name used six:1 sh &&
		"$@" create --network none --name made six:1 sh &&
		"$@" commit -q made six:committed
}
compare() { # ROOT PODMAN...
	root=$1
	o="ovlctl --root $root"
	shift
	is "$who: the names are those of podman images -a" \
		"$($o ls -nr --kind image -o NAME | tr , '\n' | grep . | sort)" \
		"$("$@" images -a --format '{{.Repository}}:{{.Tag}}' | grep -v '<none>' | sort)"
	is "$who: the writable layers are those of podman ps -a" \
		"$($o ls -nr --kind writable -o NAME | tr , '\n' | sort)" \
		"$("$@" ps -a --format '{{.Names}}' | sort)"
	for image in docker.io/library/six:1 localhost/six:committed; do
		is "$who: $image has the layers of podman inspect" \
			"$($o ls -nr -o ID,PARENT,DIFFID | awk -v top="$($o ls -nr -o ID $image)" '
				{ parent[$1] = NF == 3 ? $2 : ""; diff[$1] = $NF }
				END { for (; top; top = parent[top]) s = diff[top] (s ? " " s : ""); print s }')" \
			"$("$@" image inspect -f '{{range .RootFS.Layers}}{{.}} {{end}}' $image | sed 's/ $//')"
		is "... in the directory of podman inspect" \
			"$($o show $image | jq -r '.layers[0].tree')" \
			"$("$@" image inspect -f '{{.GraphDriver.Data.UpperDir}}' $image)"
	done
	find "$root/overlay" -mindepth 1 -maxdepth 1 -exec touch -h -d '2 hours ago' {} +
	ok "$who: check finds nothing" $o check
	mkdir "$root/overlay/$(printf '%064d' 4711)"
	touch -d '2 hours ago' "$root/overlay/$(printf '%064d' 4711)"
	like "$who: but a directory that no record names" 4711 "$($o check 2>&1)"
	rmdir "$root/overlay/$(printf '%064d' 4711)"
}

who=root
starts fill podman
need m podman mount used
need - six_used "$m"
need - podman umount used
compare "$T/p/storage" podman
for n in $($o ls -q --kind image); do
	need - ovlctl -q --root "$root" diff -o layer.tar "$n"
	is "its tar has the diff id" "sha256:$(sha256sum <layer.tar | cut -d' ' -f1)" \
		"$($o ls -nr -o DIFFID "$n")"
done
need theirs podman mount used
mkdir mine
need - $o mount -r used mine
walk "$theirs" >theirs.list
walk mine >mine.list
same "mounted it is what podman mounts" mine.list theirs.list
umount mine
need - podman umount used
busy() {
	: >worked
	while [ ! -e enough ]; do
		podman load -q -i six.tar && podman tag six:1 busy:1 &&
			podman create --network none --name busy busy:1 sh && podman rm busy &&
			podman rmi busy:1 && echo worked >>worked
	done
}
beside "$root"
works() {
	m=$(podman mount made) && grep -qx two "$m/etc/two" && podman umount made
}
adopts "$root" docker.io/library/six:1
reads_only "$root" docker.io/library/six:1 used
ok "podman goes on with it" works
podman rm used made >/dev/null
podman rmi -a -f >/dev/null
is "without the image" "$(podman images -q)" ""
still_adopted "$T/kept"

who=user
podman_user "$T/u"
fill rootless podman >user.log 2>&1 || {
	diag user.log
	echo "# podman does not work here as an ordinary user" >&2
	done_testing
	exit 0
}
need graph rootless podman info --format '{{.Store.GraphRoot}}'
need - rootless podman unshare sh -c 'm=$(podman mount used) && echo changed >$m/etc/two &&
	rm $m/old/new && podman umount used'
compare "$graph" rootless podman
is "the user's diff" "$($o diff used | tr '\n' ,)" "C /etc,C /etc/two,C /old,D /old/new,"

done_testing
