#!/bin/sh
. "$(dirname "$0")/../lib.sh"
. "$top/tests/images.sh"

# import --from takes over layers from the roots of Docker and containers/storage, by hard links.
# The test makes the roots as these engines would.
as_user && export AS=user
printf '%s\n' 'dir name=d mode=2750 uid=3 mtime=5' 'file name=d/f data=one mtime=7' \
	'link name=d/h link=d/f' 'symlink name=s link=d/f' 'file name=e' \
	'file name=x mode=4755 uid=1 gid=2 data=two mtime=1.5' 'file name=gone data=3' \
	'file name=old/a data=4' 'file name=a&b<c data=5' 'file name=imp/y/f data=6' \
	'file name=k data=k pax.SCHILY.xattr.user.k=v mtime=3' end | mktar >1.tar
printf '%s\n' 'file name=.wh.gone' 'file name=old/.wh..wh..opq' 'file name=old/b data=7' \
	'file name=./dot data=8' 'file name=d/f data=9 mtime=8' end | mktar >2.tar
printf '%s\n' 'file name=top data=10' end | mktar >3.tar
config "$machine" A=1 1.tar 2.tar >app.json
config "$machine" A=2 1.tar 2.tar 3.tar >more.json
for e in docker containers; do
	mkdir $e
	case $e in docker) name=app:1,app:2 ;; *) name=docker.io/library/app:1,docker.io/library/app:2,localhost/boxed:latest ;; esac
	need - python3 "$top/tests/foreign.py" $e $e app.json $name 1.tar 2.tar
	need - python3 "$top/tests/foreign.py" $e $e more.json more:1 1.tar 2.tar 3.tar
done
need - python3 "$top/tests/foreign.py" container containers more:1 box
need - python3 "$top/tests/foreign.py" container containers more:1 boxed
contents() { # ROOT: what nobody changes, and nothing that links do
	(cd "$1" && find . -printf '%p %i %y %m %U %G %s %T@ %l\n' | sort &&
		find . -type f -size -1000k -exec sha256sum {} + | sort)
}
for e in docker containers; do contents $e >$e.before; done
tree_of() { echo "$OVLCTL_ROOT/$DRV/$(ovlctl ls -nr -o ID "$1")/$TREE"; }
app=$(ovlctl --root tars import -p "$(ovlctl --root tars import 1.tar)" 2.tar)

for e in docker containers; do
	OVLCTL_ROOT=$T/$e.store
	need id ovlctl import --from $e app:1
	is "$e: it appears under its chain id" "$id" "$app"
	is "$e: with its name" "$(ovlctl ls -nr -o NAME "$id" | sed 's,docker.io/library/,,g')" app:1
	ovlctl diff --tar "$id" | cmp - 2.tar
	is "$e: its tar is the one that it came from" $? 0
	ok "$e: check --content is content" ovlctl -q check --content
	is "$e: no file with data was copied" \
		"$(find "$OVLCTL_ROOT/$DRV"/*/"$TREE" -type f -size +0 -links 1)" ""
	contents $e >$e.after
	same "$e: nothing but link counts changed there" $e.before $e.after
	is "$e: the same inode is in both" "$(stat -c %i "$(tree_of "$id")/old/b")" \
		"$(stat -c %i "$(find $e/overlay*/*/diff/old/b)")"
	need - ovlctl import -n tarred -p "$(ovlctl ls -nr -o PARENT "$id")" 2.tar
	ovlctl export "$id" - | ovlctl --root $e.copy import - >out
	is "$e: what is exported is the image" "$(cat out)" "$app"

	is "$e: with its config" "$(ovlctl export --format docker "$id" - | tar -xO "$(sha app.json).json" | sha256sum)" \
		"$(sha256sum <app.json)"
	need - ovlctl import --from $e --all
	is "$e: --all takes the other one over, with the name" \
		"$(ovlctl ls -nr -o DEPTH,NAME more:1)" "2 more:1"
	is "$e: and all names of the first" "$(ovlctl ls -nr -o NAME "$id" | tr , '\n' | grep -c 'app:[12]')" 2
	ok "$e: check" ovlctl -q check --content
	need - ovlctl rm -r "$(ovlctl ls -nr -o DEPTH,ID | sed -n 's/^0 //p')"
	contents $e >$e.after
	same "$e: rm of ours leaves theirs whole" $e.before $e.after
	need - ovlctl import --no-names -n mine --from $e more:1
	is "$e: --no-names, and -n" "$(ovlctl ls -nr -o NAME mine)" mine
	cp -a $e $e.kept
	rm -rf $e
	ok "$e: rm of theirs leaves ours whole" ovlctl -q check --content
	mv $e.kept $e
done

# ---- what cannot be linked

OVLCTL_ROOT=$T/other
mkdir fs
if mount -t tmpfs none fs 2>/dev/null; then
	ok "another file system" ovlctl --root fs/s import --from docker app:1
	like "which is said" "the layers and '.*' cannot be reached through the same mount: files are copied" \
		"$(cat .err)"
	ok "they are copied" ovlctl -q --root fs/s check --content
	umount fs
fi
# Root of a user namespace cannot reach the files below mounts that others made.
linked() {
	if as_user; then
		is "$1" "$(grep -c ": files are copied" err)" 1
	else
		is "$1" "$(find "$OVLCTL_ROOT/$DRV"/*/"$TREE" -type f -size +0 -links 1)" ""
	fi
}
mount --bind docker docker
ovlctl import --from docker more:1 >out 2>err || stop import
linked "a root that is mounted on itself: linked all the same"
umount docker
need - ovlctl rm -r "$(ovlctl ls -nr -o DEPTH,ID | sed -n 's/^0 //p')"
mount --bind containers/overlay containers/overlay
ovlctl import --from containers more:1 >out 2>err || stop import
linked "or whose layers are"
umount containers/overlay
need - ovlctl rm -r "$(ovlctl ls -nr -o DEPTH,ID | sed -n 's/^0 //p')"

# On btrfs, stat(2) reports another device than that of the mount.
truncate -s 120M btrfs.img
if ! as_user && mkfs.btrfs -q btrfs.img >/dev/null 2>&1 && mount -o loop btrfs.img fs; then
	cp -a docker fs/docker
	mount --bind fs/docker fs/docker
	need - ovlctl --root fs/s import --from fs/docker app:1
	is "on btrfs, too" "$(find fs/s/"$DRV"/*/"$TREE" -type f -size +0 -links 1)" ""
	umount fs/docker fs
fi
rm btrfs.img

# Layers that an engine has built itself: their tars have times without fractions of seconds.
f=$(find docker/overlay2/*/diff/imp/y/f)
touch -d "@$(stat -c %Y "$f").25" "$f"
need - ovlctl import --from docker more:1
is "a file with a finer time there is linked" "$(find "$OVLCTL_ROOT/$DRV"/*/"$TREE" -type f -size +0 -links 1)" ""
ok "check --content finds nothing wrong with that" ovlctl -q check --content
need - ovlctl rm -r "$(ovlctl ls -nr -o DEPTH,ID | sed -n 's/^0 //p')"

# A repair replaces shared files, and never writes to them.
need id ovlctl import --from docker app:1
f=$(find docker/overlay2/*/diff/old/b)
printf x >"$f"
no "damage there is damage here" ovlctl -q check --content "$id"
ovlctl -q check --repair --from 2.tar "$id" >out 2>&1
is "a repair from the tar: exit status" $? 1
is "theirs is not changed by that" "$(cat "$f")" x
is "ours is right, and a file of its own" "$(cat "$(tree_of "$id")/old/b") $(stat -c %h "$(tree_of "$id")/old/b")" "7 1"
ok "check --content" ovlctl -q check --content "$id"
printf 7 >"$f"
touch -r "$(tree_of "$id")/old/b" "$f"
need - ovlctl rm -r "$(ovlctl ls -nr -o DEPTH,ID | sed -n 's/^0 //p')"

# A file whose metadata differs from its tar is copied, and gets the metadata of the tar.
f=$(find docker/overlay2/*/diff/old/b)
chmod 600 "$f"
ovlctl import --from docker app:1 >out 2>err || stop import
id=$(cat out)
is "a file with another mode there is copied" "$(stat -c '%a %h' "$(tree_of "$id")/old/b")" "644 1"
as_user || like "... which is said" \
	"^ovlctl: import: warning: 1 file copied, not linked: owner, mode, time or xattrs differ from the tar$" "$(cat err)"
ok "ours is right" ovlctl -q check --content
need - ovlctl rm -r "$(ovlctl ls -nr -o DEPTH,ID | sed -n 's/^0 //p')"
chmod 644 "$f"

# ---- refused

state() { (cd "$OVLCTL_ROOT" && find . | sort); }
need - ovlctl import 3.tar
state >before
refused() { # STATUS PATTERN WHAT COMMAND...
	fails "$@"
	state >after
	same "and nothing of it stays" before after
}
cp -a "$f" saved
printf x >"$f"
touch -d @0 "$f"
refused 1 "layer .*'old/b' differs from what was imported" "a damaged file" ovlctl import --from docker app:1
rm "$f"
refused 1 "layer .*'old/b' is missing" "a missing file" ovlctl import --from docker app:1
ln -s /etc/passwd "$f"
refused 1 "layer .*'old/b' is missing" "a symlink in its place" ovlctl import --from docker app:1
rm "$f"
cp -a saved "$f"
split=docker/image/overlay2/layerdb/sha256/$app/tar-split.json.gz
cp "$split" split.gz
head -c 100 split.gz >"$split"
refused 1 "layer .*(gzip|tar-split)" "a torn tar-split" ovlctl import --from docker app:1
zcat split.gz | sed 's,"old/b","../b",' | gzip >"$split"
refused 1 "tar-split is damaged: an impossible name" "a name that leads out" ovlctl import --from docker app:1
zcat split.gz | sed 's/"type":2/"type":3/' | gzip >"$split"
refused 1 "tar-split is damaged: an entry of an unknown type" "an unknown entry" ovlctl import --from docker app:1
# The tar may get its bytes from another file than the one at the entry's path.
other=${f%/old/b}/other
cp -p "$f" "$other"
printf 8 >"$f"
touch -r "$other" "$f"
zcat split.gz | sed 's,"old/b","other",' | gzip >"$split"
ok "the file is the one whose bytes were verified" ovlctl --root read import --from docker app:1
is "... not the one at its path" "$(cat "$(OVLCTL_ROOT=$T/read tree_of app:1)/old/b")" 7
ok "... so that nothing is damaged" ovlctl -q --root read check --content
rm -rf read
mv "$other" "$f"
(zcat split.gz && printf '{"type":2,"payload":"AAAA"}\n') | gzip >"$split"
refused 1 "diff id" "a tar-split of another tar" ovlctl import --from docker app:1
head -c 20000000 /dev/zero | tr '\0' a | gzip >"$split"
refused 1 "tar-split is damaged: a line is over 16 MiB long" "an endless line" ovlctl import --from docker app:1
rm "$split"
mkfifo "$split"
refused 1 "tar-split.json.gz' is not a file" "a FIFO for a tar-split" timeout 20 ovlctl import --from docker app:1
rm "$split"
refused 1 "cannot be verified" "no tar-split" ovlctl import --from docker app:1
if can_trace; then
	traced -qq -o calls -e trace=openat,openat2 ovlctl import --from docker --all 2>err
	is "... does not have all records read again" "$(grep -c repositories.json calls)" 1
fi
theirs=$(ovlctl --root docker show app:1 | jq -r '.layers[0].tree')
need - mv "$theirs" kept.tree
refused 3 "has vanished: Docker has removed it" "no tar-split, because the layer was removed" \
	ovlctl import --from docker app:1
need - mv kept.tree "$theirs"
cp -a "$OVLCTL_ROOT" kept
need id ovlctl import --unverified -n packed --from docker app:1
ok "--unverified takes it" ovlctl -q check --content
no "under another id" [ "$id" = "$app" ]
is "which show tells" "$(ovlctl show packed | jq -c .layers[0].adopted)" "{\"from\":\"$T/docker\",\"verified\":false}"
is "of the layer below too" "$(ovlctl show "$(sha 1.tar)" | jq -c .layers[0].adopted)" "{\"from\":\"$T/docker\",\"verified\":true}"
is "the config has its diff id" "$(ovlctl show packed | jq -c '.layers[0].config | [.config.Env[0], .rootfs.diff_ids[1]]')" \
	"[\"A=1\",\"$(ovlctl ls -nr -o DIFFID packed)\"]"
sed 's/rootfs/RootFS/; s/diff_ids/Diff\\u005fIDs/' app.json >odd.json
cp -a docker/image/overlay2/repositories.json names.kept
need - python3 "$top/tests/foreign.py" docker docker odd.json odd:1 1.tar 2.tar
need id ovlctl import --unverified -n oddly --from docker odd:1
is "also if it spells its keys as only Go reads them" \
	"$(ovlctl show oddly | jq -c '.layers[0].config.rootfs.diff_ids[1]')" "\"$(ovlctl ls -nr -o DIFFID packed)\""
mv names.kept docker/image/overlay2/repositories.json
rm docker/image/overlay2/imagedb/content/sha256/"$(sha odd.json)"
rm -rf "$OVLCTL_ROOT"
mv kept "$OVLCTL_ROOT"
cp split.gz "$split"
refused 3 "the store of Docker: no such layer 'nothere'" "an unknown name" ovlctl import --from docker nothere
need id ovlctl import --no-names --from containers boxed
is "of an image and a container with one name, the image" "$id" "$app"
need - ovlctl rm -r "$(sha 1.tar)"
refused 1 "belongs to a container" "a container" ovlctl import --from containers box
refused 2 "'$T' is not a store of Docker" "no engine's root" ovlctl import --from "$T" app:1
refused 2 "'docker/overlay2' is in a store of Docker, whose root is '$T/docker'" "a directory in it" \
	ovlctl import --from docker/overlay2 app:1
refused 2 "it has 2 images, and -n can name only one; choose it$" "one name for two images" \
	ovlctl import -n x --from docker --all
refused 2 "expected IMAGE... or --all" "no name" ovlctl import --from docker
refused 2 "--all cannot be used with IMAGE" "names and --all" ovlctl import --from docker --all app:1
refused 2 "-p, .* cannot be used with --from" "an option for files" ovlctl import --from docker -p x app:1
refused 2 "are for --from" "--all alone" ovlctl import --all 1.tar
refused 1 "cannot open 'nothere'" "no directory" ovlctl import --from nothere app:1
need id ovlctl import --from docker "sha256:$(sha app.json)"
is "an image by its id as docker prints it" "$(ovlctl ls -nr -o NAME "$id")" app:1,app:2
need - ovlctl rm -r "$(sha 1.tar)"
ok "a layer by its chain id as a digest" ovlctl import --from docker "sha256:$app"

# ---- killed

if can_trace; then
	OVLCTL_ROOT=$T/killed
	need - ovlctl import 3.tar
	cp -a killed fresh
	contents docker >docker.before
	calls_of linkat,renameat,renameat2,mkdirat,write ovlctl import --from docker app:1 >all
	awk "NR % $(short && echo 17 || echo 7) == 1" all >chosen
	failed=
	while read -r n && [ ! "$failed" ]; do
		rm -rf killed
		cp -a fresh killed
		killed_at $n ovlctl import --from docker app:1 >out 2>&1 </dev/null
		ovlctl -q check >out 2>&1 || failed="$n: check: $(cat out)"
		need - ovlctl prune
		ovlctl import --from docker app:1 >out 2>&1 || failed="$n: again: $(cat out)"
		ovlctl -q check --content >out 2>&1 || failed="$n: check: $(cat out)"
	done <chosen
	is "killed anywhere, nothing is left but what prune removes" "$failed" ""
	contents docker >docker.after
	same "and the other store is as it was" docker.before docker.after
fi

done_testing
