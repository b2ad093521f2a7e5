#!/bin/sh
. "$(dirname "$0")/../lib.sh"
# on a disk

# Exported, pushed to a registry, pulled, and imported into a second store.
for tool in skopeo docker-registry; do
	command -v $tool >/dev/null || cannot "no $tool here"
done
export TMPDIR="$T"
mkdir policy registry
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >policy/policy.json
port=$((20000 + $$ % 20000))
cat >registry.yml <<E
version: 0.1
storage:
  filesystem:
    rootdirectory: $T/registry
http:
  addr: 127.0.0.1:$port
E
docker-registry serve registry.yml >registry.log 2>&1 &
server=$!
for i in $(seq 50); do
	grep -q "listening on" registry.log && break
	sleep 0.1
done
like "a registry on loopback" "listening on" "$(cat registry.log)"

make_tree src
tar -C src --xattrs --xattrs-include='*' --acls --numeric-owner -cf one.tar . 2>/dev/null
printf 'file name=.wh.deep\nfile name=d/.wh..wh..opq\nfile name=d/new data=2\nend\n' | mktar >two.tar
ovlctl import -n one one.tar >/dev/null
top=$(ovlctl import -n app:1 -p one two.tar)
m=$(ovlctl mount app:1)
walk -t "$m" | sort >wanted
ovlctl umount app:1

ovlctl export app:1 layout
ok "pushed by skopeo" skopeo --policy policy/policy.json copy -q --dest-tls-verify=false \
	oci:layout:app:1 "docker://127.0.0.1:$port/app:1"
ok "pulled by skopeo" skopeo --policy policy/policy.json copy -q --src-tls-verify=false \
	"docker://127.0.0.1:$port/app:1" oci:pulled:app:1
is "the second store has the same layer" "$(ovlctl --root second import pulled)" "$top"
m=$(ovlctl --root second mount app:1)
walk -t "$m" | sort >got
same "... and the same tree" got wanted
ovlctl --root second umount app:1
ovlctl --root second diff --tar app:1 >back.tar
same "... and the same bytes" back.tar two.tar
kill $server
wait $server 2>/dev/null

done_testing
