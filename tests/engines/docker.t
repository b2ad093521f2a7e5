#!/bin/sh
. "$(dirname "$0")/engines.sh"
. "$(dirname "$0")/../lib.sh"

# The store of dockerd, read while it runs: the result must agree with dockerd's own.
engine docker
six_layers "$T/six.tar"
docker_start "$T/d"
root=$T/d/docker
d="ovlctl --root $root"
need - docker load -q -i six.tar
starts docker run --rm --network none six:1 sh -c :

# A real orphan, which docker's own prune command does not find.
mkdir big
head -c 50000000 /dev/urandom >big/noise
tar -C big -cf big.tar noise
need - ovlctl -q import -n docker.io/library/big:1 big.tar
need - ovlctl -q export --format docker docker.io/library/big:1 big.image.tar
docker_orphan big.image.tar big:1
docker_start "$T/d"
need - docker system prune -f --volumes
touch -d '2 hours ago' "$root/overlay2/$docker_orphan"

need - docker tag six:1 six:second
need - docker run --network none --name used six:1 sh -c \
	'echo changed >/etc/two; echo more >/etc/three; rm /old/new; mkdir /var; echo x >/var/x'
need - docker create --network none --name made -v data:/data six:second sh
need - docker commit used six:committed
mkdir ctx
build() { # NAME LAST-LINE
	printf 'FROM six:1\nCOPY f /f\n%s\n' "$2" >ctx/Dockerfile
	need - env DOCKER_BUILDKIT=1 DOCKER_HOST="unix://$docker_dir/docker.sock" \
		/usr/bin/docker build -q --network none -t "$1" ctx
}
echo f >ctx/f
build built:1 'RUN echo built >/built'
build going:1 'RUN echo going >/going'
need - docker rmi going:1
# Old enough to be orphans, if no record referred to them.
find "$root/overlay2" -mindepth 1 -maxdepth 1 -exec touch -d '2 hours ago' {} +

# ---- what is there
is "the names are those of docker images -a" \
	"$($d ls -nr --kind image -o NAME | tr , '\n' | grep . | sort)" \
	"$(docker images -a --no-trunc --format '{{.Repository}}:{{.Tag}}' | grep -v '<none>' | sort)"
is "the writable layers are those of docker ps -a" \
	"$($d ls -nr --kind writable -o NAME,ID | sort)" \
	"$(docker ps -a --no-trunc --format '{{.Names}} {{.ID}}' | sort)"
stack_of() { # NAME: diff ids from the bottom
	$d ls -nr -o ID,PARENT,DIFFID | awk -v top="$($d ls -nr -o ID "$1")" '
		{ parent[$1] = NF == 3 ? $2 : ""; diff[$1] = $NF }
		END { for (; top; top = parent[top]) s = diff[top] (s ? " " s : ""); print s }'
}
for image in six:1 six:second six:committed built:1; do
	is "$image: the layers of docker image inspect" "$(stack_of $image)" \
		"$(docker image inspect -f '{{join .RootFS.Layers " "}}' $image)"
	is "... as many as docker history has" "$(stack_of $image | wc -w)" \
		"$(docker history -q --no-trunc $image | wc -l)"
	upper=$(docker image inspect -f '{{.GraphDriver.Data.UpperDir}}' $image)
	is "... in the directory of docker image inspect" \
		"$($d show $image | jq -r '.layers[0].tree')" "$upper"
done
same_tree() { # NAME LOWERS
	mkdir -p theirs mine
	need - mount -t overlay -o "ro,lowerdir=$2" none theirs
	need - $d mount -r "$1" mine
	walk theirs >theirs.list
	walk mine >mine.list
	same "$1: mounted it is what Docker mounts" mine.list theirs.list
	umount mine theirs
}
for image in six:1 six:committed built:1; do
	same_tree $image "$(docker image inspect -f '{{.GraphDriver.Data.UpperDir}}:{{.GraphDriver.Data.LowerDir}}' $image)"
done
same_tree used "$(docker inspect -f '{{.GraphDriver.Data.UpperDir}}:{{.GraphDriver.Data.LowerDir}}' used)"
is "diff is docker diff" "$($d diff used | grep -v -e /dev -e /proc -e /sys -e hosts -e hostname -e resolv.conf -e mtab | sort)" \
	"$(docker diff used | sort)"
for layer in $($d ls -q --kind image); do
	need - ovlctl --root "$root" diff -o layer.tar "$layer"
	is "its tar has the diff id" "sha256:$(sha256sum <layer.tar | cut -d' ' -f1)" \
		"$($d ls -nr -o DIFFID "$layer")"
done

# ---- orphans
$d check >check.out 2>&1
like "check names the orphan" "$docker_orphan" "$(cat check.out)"
is "... and nothing else: no init layer, no volume, nothing of BuildKit" \
	"$(grep -ivF "$docker_orphan" check.out)" ""
rm -r "${root:?}/overlay2/$docker_orphan"
ok "nothing is found without it" $d check
need - docker builder prune -af
ok "nor after docker builder prune" $d check

# ---- beside the daemon
busy() {
	: >worked
	while [ ! -e enough ]; do
		docker load -q -i six.tar && docker tag six:1 busy:1 &&
			docker create --network none --name busy busy:1 sh && docker rm busy &&
			docker run --rm --network none busy:1 sh -c 'echo busy >/busy' &&
			docker rmi busy:1 && docker load -q -i big.image.tar && docker rmi big:1 &&
			echo worked >>worked
	done
}
beside "$root"

# ---- taken over, from the root that dockerd has mounted on itself
works() {
	[ "$(docker run --rm --network none six:1 sh -c 'cat /etc/two')" = two ]
}
adopts "$root" six:1

docker_stop
reads_only "$root" six:1 used
docker_start "$T/d"
is "the daemon goes on with it" "$(docker run --rm --network none six:committed sh -c 'cat /etc/two /var/x')" \
	"changed
x"
docker rm used made >/dev/null
docker rmi six:1 six:second six:committed built:1 >/dev/null
is "without the image" "$(docker images -aq)" ""
still_adopted "$T/kept"
docker_stop

done_testing
