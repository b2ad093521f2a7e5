#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# only overlay2
# not in a user namespace: layers with what only root can make

# The store of Docker, read: what there is, what can be done with it, that nothing in it
# changes, and stores that are wrong. The root is made here, of layers that commit has made,
# so that they have the diff ids of tars as ovlctl packs them.

# ---- a root of three layers and a container --------------------------------------------

made() { # NAME PARENT: commits what a function of that name puts into its directory
	need w ovlctl create ${2:+-p $2}
	(cd "$(tree_of $w)" && $1) || stop "make layer $1"
	need chain ovlctl commit -n $1 $w
}
base() {
	mkdir d o && echo one >d/f && echo gone >gone && ln gone joined && echo x >o/x
	ln -s d/f s && chown 5:6 d/f && chmod 2750 d && touch -d '2020-01-02 03:04:05.6 UTC' d/f
}
middle() {
	mkdir d && chmod 2750 d && echo two >d/f && mknod gone c 0 0 && echo m >m
}
third() {
	mkdir o && setfattr -n trusted.overlay.opaque -v y o && echo z >o/z
}
id() {
	printf '%s' "$1" | sha256sum | cut -d' ' -f1
}
diff_id() {
	ovlctl show "$1" | jq -r '.layers[0].diff_id'
}

need - mkdir docker view mnt mnt2
need - mount -t tmpfs -o strictatime ovlctl-test docker
i=docker/image/overlay2
mkdir -p $i/layerdb/sha256 $i/layerdb/mounts $i/imagedb/content/sha256 docker/overlay2/l docker/containers
below=
for l in base middle third; do
	made $l "$below"
	cache=$(id cache-$l)
	eval "$l=$chain cache_$l=$cache diff_$l=$(diff_id $l)"
	mkdir -p docker/overlay2/$cache $i/layerdb/sha256/$chain
	cp -a "$(tree_of $l)" docker/overlay2/$cache/diff
	(
		cd $i/layerdb/sha256/$chain || exit
		printf '%s' "$cache" >cache-id
		printf '%s' "$(diff_id $l)" >./diff
		[ ! "$below" ] || printf 'sha256:%s' "$below" >parent
		printf 1000 >size
	) || stop "the records of $l"
	below=$chain
done
image() { # CONFIG-FILE
	sha256sum <"$1" | cut -d' ' -f1
}
printf '{"architecture":"amd64","os":"linux","config":{"Env":["A=1"]},"history":[{},{},{}],"rootfs":{"type":"layers","diff_ids":["%s","%s","%s"]}}' \
	$diff_base $diff_middle $diff_third >config
config=$(image config)
cp config $i/imagedb/content/sha256/$config
printf '{"Repositories":{"app":{"app:1":"sha256:%s","app:second":"sha256:%s","app@sha256:%064d":"sha256:%s","gone:1":"sha256:%064d"}}}' \
	$config $config 7 $config 8 >$i/repositories.json
box=$(id container) own=$(id mount) init=$(id mount)-init
mkdir -p $i/layerdb/mounts/$box docker/containers/$box docker/overlay2/$own/diff/d docker/overlay2/$init/diff/dev
printf %s $own >$i/layerdb/mounts/$box/mount-id
printf %s $init >$i/layerdb/mounts/$box/init-id
printf sha256:%s $third >$i/layerdb/mounts/$box/parent
printf '{"Name":"/box","Created":"2021-02-03T04:05:06.7Z","State":{"StartedAt":"2021-02-03T05:00:00+01:00","FinishedAt":"2021-02-03T06:00:00Z"}}' \
	>docker/containers/$box/config.v2.json
: >docker/overlay2/$init/diff/.dockerenv
chmod 2750 docker/overlay2/$own/diff/d
echo three >docker/overlay2/$own/diff/d/f
mknod docker/overlay2/$own/diff/m c 0 0
need - mount --bind docker view
need - mount -o remount,bind,ro,noatime view

d() {
	ovlctl --root docker "$@"
}
# Every name, inode, mode, time and byte.
state() {
	(cd view && find . -printf '%p %i %M %n %U:%G %T@ %A@ %C@ %s %l\n' | sort &&
		find . -type f -print0 | sort -z | xargs -0 sha256sum)
}
untouched() { # WHAT COMMAND...
	_what=$1
	shift
	state >before
	ok "$_what" "$@"
	cp "$T/.out" out
	state >after
	same "... and nothing has changed" before after
}

# ---- what there is ----------------------------------------------------------------------

untouched "ls" d ls -nr -o ID,KIND,PARENT,NAME
is "... shows layers, parents and names" "$(sort out)" "$(sort <<E2
$base image  
$middle image $base 
$third image $middle app:1,app:second
$box writable $third box
E2
)"
untouched "ls --tree" d ls --tree -o NAME
is "... has them below each other" "$(sed 's/[^a-z0-9:,]//g' out | tr '\n' ' ')" \
	" $(echo $base | cut -c1-12) $(echo $middle | cut -c1-12) app:1,app:second box "
untouched "ls -J" d ls -J
is "... knows their sizes, and not what is not recorded" \
	"$(jq -c '.layers | sort_by(.kind)[] | select(.names[0]) | [.kind,.driver,.link,.size,.entries,.tar_size]' out)" \
	'["image","docker",null,1000,null,null]
["writable","docker",null,null,null,null]'
is "... and when it was used" "$(jq -c '.layers[] | select(.names[0] == "box") | [.created,.used]' out)" \
	'["2021-02-03T04:05:06Z","2021-02-03T06:00:00Z"]'
untouched "show" d show app:1
is "... tells where it is and what Docker calls it" \
	"$(jq -r '.layers[0] | .path,.tree,.engine_id,.diff_id' out)" \
	"$T/docker/overlay2/$cache_third
$T/docker/overlay2/$cache_third/diff
$cache_third
$diff_third"
is "... has its stack and its config" "$(jq -c '.layers[0] | [.stack[].id],.config.config.Env,.configs' out)" \
	"[\"$middle\",\"$base\"]
[\"A=1\"]
[\"sha256:$config\"]"
for by in $third $(echo $third | cut -c1-9) $cache_third $(echo $cache_third | cut -c1-12) $config \
	"$(echo $config | cut -c1-12)" $diff_third app:second "app@sha256:$(printf %064d 7)"; do
	is "found as $by" "$(d ls -nr -o ID "$by")" $third
done
for by in $box box $own $(echo $own | cut -c1-12); do
	is "the container is found as $by" "$(d ls -nr -o ID "$by")" $box
done
for by in docker.io/library/app:second docker.io/app:second library/app:second; do
	is "found as $by" "$(d ls -nr -o ID "$by")" $third
done
fails 3 "no such layer 'app'$" "a name without its tag" d show app
fails 3 "no such layer 'gone:1'" "the name of an image that is not there" d show gone:1

# What ls prints of a layer is in one record of it, and in the configs of the images.
calls() {
	traced -qq -o calls -e trace=openat2,read,close ovlctl --root docker ls -q >/dev/null || stop "ls with strace"
	grep -vc 'resumed>' calls
}
if can_trace; then
	few=$(calls)
	each=$(id container | cut -c1-58)
	(cd $i/layerdb/sha256 && seq -f "$each%.0f" 100000 100199 | xargs mkdir) || stop "directories"
	for n in $(seq 100000 100199); do
		r=$i/layerdb/sha256/$each$n
		printf %s $each$n >$r/cache-id
		printf sha256:%s $each$n >$r/diff
		printf 1 >$r/size
		printf '{"rootfs":{"diff_ids":["sha256:%s"]}}' $each$n >$i/imagedb/content/sha256/$each$n
	done
	is "200 images more are listed" "$(d ls -q | wc -l)" 204
	more=$(calls)
	ok "... with one record of an image and one of its layer, opened, read and closed: $((more - few))" \
		[ $((more - few)) -le $((200 * 6 + 100)) ]
	rm -r $i/layerdb/sha256/$each* $i/imagedb/content/sha256/$each*
fi

# ---- what changed -----------------------------------------------------------------------

untouched "diff of a container" d diff box
is "... is against its init layer" "$(cat out)" "C /d
C /d/f
D /m"
is "diff of an image layer" "$(d diff app:1)" "$(ovlctl diff third)"
is "diff of any two" "$(d diff app:1 $base)" "$(ovlctl diff third base)"
untouched "diff --tar" d diff --tar app:1
ovlctl diff --tar third >third.tar
same "... is the tar" out third.tar
d diff --tar app:1 2>err >/dev/null
is "... and nothing is said" "$(cat err)" ""

# ---- what takes space, where a file comes from --------------------------------------------

untouched "du" d du -J
is "... knows the whole store" "$(jq .total out)" "$(du -s --block-size=1 view | cut -f1)"
is "... and its layers" "$(jq '.layers | length' out)" 4
untouched "which" d which -a box /d/f
is "... names the layers" "$(cat out)" "box data,time /d/f
$(echo $middle | cut -c1-12) data,owner,time /d/f
$(echo $base | cut -c1-12) added /d/f"

# ---- mounts -----------------------------------------------------------------------------

tree() {
	(cd "$1" && find . -printf '%p %y %m %U:%G %T@ %l\n' | grep -v '^\. ' | sort &&
		find . -type f -print0 | sort -z | xargs -0 sha256sum)
}
both() { # WHAT LAYER OURS
	need - ovlctl mount -r $3 mnt2
	untouched "mount -r of $1" d mount -r $2 mnt
	state >before
	tree mnt2 >theirs
	tree mnt >ours
	same "... shows what it should" ours theirs
	is "... is listed" "$(d ls -nr -o MOUNTPOINT $2)" "$T/mnt"
	ok "... and unmounted" d umount $2
	state >after
	same "... with nothing changed" before after
	ovlctl umount $3
}
both "an image" app:1 third
both "a bottom layer" $base base
need - d mount -r box mnt
is "... whose directory is the container's" "$(d ls -q $init)" "$box"
is "... also by a part of its name" "$(d show "${init%it}" 2>&1)" \
	"ovlctl: show: no such layer '${init%it}'"
if can_trace; then
	mkdir full
	traced -qq -o calls -e trace=openat,mount -e inject=mount:error=ENOSPC \
		ovlctl --root docker mount -r app:1 full 2>err
	like "too many mounts" "fs.mount-max" "$(cat err)"
	is "... asks for no directory without a name" "$(grep -c NULL, calls)" 0
fi
is "a container has its init layer" "$(cd mnt && echo .d* d* m*)" ".dockerenv d dev m*"
is "... and its changes" "$(cat mnt/d/f)" three
fails 4 "is taken: layer box is mounted there" "a mount on it" d mount -r app:1 mnt
need - d umount mnt
: >mnt/full
fails 1 "is not empty" "a bottom layer needs an empty mount point" d mount -r $base mnt
rm mnt/full
fails 2 "name a mount point" "a mount without a target" d mount -r app:1
fails 2 "read-only, with -r" "a container, to be written" d mount box mnt
fails 1 "is in the store" "a mount in the store" d mount -r app:1 docker/overlay2/l
fails 1 "not mounted" "umount of what is not mounted" d umount box

# ---- images -----------------------------------------------------------------------------

untouched "export" d export app:1 app.tar
need - ovlctl --root other import app.tar
is "... gives the same layers" "$(ovlctl --root other ls -nr -o ID | sort)" \
	"$(printf '%s\n' $base $middle $third | sort)"
is "... and the same image" "$(ovlctl --root other show app:1 | jq -r '.layers[0].configs[0]')" "sha256:$config"
untouched "export of a container" d export box box.tar
need - ovlctl --root other import box.tar
is "... is on the image" "$(ovlctl --root other ls -nr -o PARENT box:box)" $third

# Of a layer that came as another tar than ovlctl packs.
printf 'file name=f data=1\nend\n' | mktar >plain.tar
need plain ovlctl import -n plain plain.tar
cache=$(id cache-plain)
mkdir -p docker/overlay2/$cache $i/layerdb/sha256/$plain
cp -a "$(tree_of plain)" docker/overlay2/$cache/diff
printf %s $cache >$i/layerdb/sha256/$plain/cache-id
printf sha256:%s $plain >$i/layerdb/sha256/$plain/diff
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' $plain >plain.json
cp plain.json $i/imagedb/content/sha256/$(image plain.json)
ok "diff --tar of a layer that came otherwise" d diff --tar $plain
like "... says so" "was packed from its files: the tar differs" "$(cat "$T/.err")"
ok "export of it" d export $plain plain-out.tar
ok "... can be imported, with a config that fits" ovlctl --root other import plain-out.tar
rm -r $i/layerdb/sha256/$plain $i/imagedb/content/sha256/$(image plain.json) docker/overlay2/$cache

untouched "du" d du -J --files 3 app:1
is "... the total is that of du(1)" "$(jq .total out)" "$(du -sx -B1 view | cut -f1)"
is "... what is hidden" "$(jq -r '.files[] | .path + " " + .reason' out | sort)" "/d/f overwritten
/o/x deleted"

# ---- only read --------------------------------------------------------------------------

state >before
for c in "import third.tar" "create app:1" "create" "run app:1 true" "apply box" "commit box" "tag app:1 new" \
	"tag -d app:1" "rm app:1" "prune" "prune --dry-run" "check --repair"; do
	want=2
	[ "${c%% *}" != run ] || want=125
	fails $want "$T/docker' is a store of Docker, which ovlctl only reads; 'ovlctl import --from' takes layers over" "$c" d $c
done
fails 2 "is in a store of Docker, whose root is '$T/docker'" "a directory in it" ovlctl --root docker/overlay2 ls
fails 2 "is in a store of Docker" "a new directory in it" ovlctl --root docker/overlay2/a/b import third.tar
state >after
same "nothing has changed by all that" before after
if can_trace; then
	for c in "ls" "du" "check" "diff box" "mount -r app:1 mnt" "umount app:1"; do
		strace -f -qq -y -e trace='%file,flock,openat2,fchmod,fchown' -o trace ovlctl --root docker $c >/dev/null 2>&1
		is "$c opens nothing to write, and locks nothing" \
			"$(grep -E 'O_WRONLY|O_RDWR|O_CREAT|flock|unlink|rename|mkdir|chmod|chown|utimens' trace | grep -F docker)" ""
	done
fi

# Who may make no mount asks for every file that it is read without a trace.
chmod 755 "$T"
cp -a docker user
umount view
chown -hR 1234:1234 user
need - mount --bind user docker
need - mount --bind user view
need - mount -o remount,bind,ro,noatime view
need - mount -o remount,bind,strictatime docker
for c in "ls" "ls -J" "du" "check" "ls --tree"; do
	untouched "$c by an ordinary user" setpriv --reuid=1234 --regid=1234 --clear-groups ovlctl --root docker $c
done
# His engine marks opaque directories in another way.
o=docker/overlay2/$cache_third/diff/o
setfattr -x trusted.overlay.opaque $o
is "an ordinary user's store: a directory that is not opaque" "$(d diff app:1)" "C /o
A /o/z"
if setfattr -n user.overlay.opaque -v y $o 2>/dev/null; then
	is "... and one that is" "$(d diff app:1)" "C /o
D /o/x
A /o/z"
	need - d mount -r app:1 mnt
	is "... in a mount, too" "$(ls mnt/o)" z
	need - d umount app:1
fi
mkdir -m 0 docker/overlay2/closed docker/overlay2/$cache_third/closed docker/overlay2/$cache_middle/closed
setpriv --reuid=1234 --regid=1234 --clear-groups ovlctl --root docker du >out 2>err
is "what he may not read is told in two lines" "$(sed "s/'.*'/PATH/" err)" \
	"ovlctl: du: warning: PATH is not counted: Permission denied
ovlctl: du: warning: 2 more are not counted: Permission denied"
rmdir docker/overlay2/closed docker/overlay2/*/closed
umount view docker
need - mount --bind docker view
need - mount -o remount,bind,ro,noatime view

# ---- check ------------------------------------------------------------------------------

untouched "check" d check
is "... finds nothing" "$(cat out)" ""
mkdir -p docker/overlay2/$(id orphan)/diff docker/overlay2/$(id young)/diff
echo 1 >docker/overlay2/$(id orphan)/diff/f
touch -d '2 days ago' docker/overlay2/$(id orphan)
is "check names an old directory without a record" "$(d check | sed 's/: [0-9]* bytes/: N bytes/')" \
	"note: orphan overlay2/$(id orphan): N bytes, not changed for 2 days: not named by containers, image/overlay2/imagedb/content/sha256, image/overlay2/repositories.json, image/overlay2/layerdb/mounts, image/overlay2/layerdb/sha256, buildkit/snapshots.db"
mkdir docker/buildkit
printf 'bucket abcdefghijklmnopqrstuvwxy\nput parent x\nend\nbucket sha256:x\nput committed %s\nend\n' "$(id orphan)" |
	python3 "$top/tests/tool/boltdb.py" >docker/buildkit/snapshots.db || stop "a database of BuildKit"
mkdir docker/overlay2/abcdefghijklmnopqrstuvwxy
touch -d '2 days ago' docker/overlay2/abcdefghijklmnopqrstuvwxy
is "... unless it is BuildKit's" "$(d check)" ""
rm -r docker/buildkit docker/overlay2/abcdefghijklmnopqrstuvwxy
mv $i/repositories.json kept
mkdir $i/repositories.json
like "... and does not judge when a record cannot be read" "^note: unknown .*: unknown, since 'image/overlay2/repositories.json' is not a file" "$(d check)"
rmdir $i/repositories.json
mv kept $i/repositories.json
mkdir -p $i/layerdb/sha256/$(id orphan)-1234-removing
id orphan | tr -d '\n' >$i/layerdb/sha256/$(id orphan)-1234-removing/cache-id
is "... nor what is being removed" "$(d check)" ""
rm -r docker/overlay2/$(id orphan) docker/overlay2/$(id young) $i/layerdb/sha256/*-removing

# ---- roots that cannot be read, and whose marks are others' ----------------------------

other() { # FILE PATTERN WHAT
	mkdir -p "strange/$(dirname "$1")"
	: >"strange/$1"
	fails 2 "'strange' is a $2" "$3" ovlctl --root strange ls
	fails 2 "'$T/strange' is a $2" "... import --from" ovlctl import --from "$T/strange" x
	rm -r strange
}
other rootfs/overlayfs "root of Docker whose layers are in containerd's store, mostly /var/lib/containerd$" \
	"Docker 29 with containerd's store"
other containerd/daemon/io.containerd.metadata.v1.bolt "root of Docker .*, 'containerd/daemon' in it$" \
	"... that dockerd has started"
other network/files/local-kv.db "store of Docker, but ovlctl reads only those with the driver overlay2$" "another driver"
other storage.lock "store of containers/storage, but .* driver overlay$" "... of podman"
other io.containerd.metadata.v1.bolt "store of containerd, but .* driver overlayfs$" "... of containerd"
if ! as_user; then
	cp -a docker moved
	chown 100000:100000 moved moved/overlay2 moved/containers
	is "a root of userns-remap has trusted marks" "$(ovlctl --root moved diff $third)" "$(d diff $third)"
	chown 100000:100000 moved/image/overlay2/layerdb
	no "... one of an ordinary user has not" test "$(ovlctl --root moved diff $third)" = "$(d diff $third)"
	rm -r moved
fi

# ---- wrong stores -----------------------------------------------------------------------

set_aside() { # FILE
	mv "$1" kept
	where=$1
}
put_back() {
	rm -rf "$where"
	mv kept "$where"
}
m=$i/layerdb/sha256/$middle
for to in ../../../etc a/b .. . "" "$(printf 'x\ny')" "$(printf '%0300d' 1)"; do
	set_aside $m/cache-id
	printf %s "$to" >$m/cache-id
	is "cache-id '$(printf %.10s "$to" | tr '\n' ' ')': the layer is not listed with its path" \
		"$(d ls -nr -o ID,PATH 2>/dev/null | grep -c $middle)" 0
	fails 1 "cannot be used: .*'image/.*/cache-id'" "... nor used" d diff $middle
	fails 1 "cannot be used" "... nor what is on it" d mount -r app:1 mnt
	put_back
done
set_aside $m/cache-id
ln -s "$T/docker/overlay2/l" $m/cache-id
fails 1 "cannot be used" "a record that is a symlink" d diff $middle
put_back
set_aside $m/parent
printf sha256:%s $third >$m/parent
fails 1 "its id is not that of its diff id and its parent" "parents in a loop" d diff $middle
like "... are told by check" "its id is not that" "$(d check)"
like "... and by ls" "warning: (1 layer is|3 layers are) damaged and not listed; see" "$(d ls -o +PATH 2>&1)"
at=$i/imagedb/content/sha256/$config
mv $at config.kept
like "... also where no config says what the parent is" "warning: (1 layer is|3 layers are) damaged and not listed; see" "$(d ls 2>&1)"
mv config.kept $at
put_back
set_aside docker/overlay2/$cache_middle/diff
ln -s / docker/overlay2/$cache_middle/diff
fails 1 "" "a tree that is a symlink, mounted" d mount -r app:1 mnt
fails 1 "" "... compared" d diff $middle
put_back
set_aside docker/overlay2/$cache_middle
fails 3 "has vanished: Docker has removed it" "a layer that vanishes" d diff $middle
fails 3 "has vanished: Docker has removed it" "... below another one" d mount -r app:1 mnt
fails 3 "has vanished: Docker has removed it" "... compared" d diff app:1 $base
put_back
limited='prlimit --as=400000000'
[ "${MODE-release}" = release ] || limited=
for file in $i/repositories.json docker/containers/$box/config.v2.json $i/imagedb/content/sha256/$config $m/diff $m/size; do
	set_aside $file
	truncate -s 2G $file
	$limited ovlctl --root docker ls -nr -o ID,PATH >out 2>err
	is "2 GB of ${file##*/} are not read" "$? $(grep -c $base out)" "0 1"
	like "... which ls says" "^ovlctl: ls: warning: cannot read '[^']*': File too large; see 'ovlctl check'$" "$(cat err)"
	like "... and check" "File too large" "$(d check)"
	case $file in
	"$m/diff") ;;
	*) like "... without paths, too" "File too large" "$($limited ovlctl --root docker ls 2>&1)" ;;
	esac
	printf '[[[[' >$file
	is "... damaged: the others are listed" "$(d ls -nr -o ID 2>/dev/null | grep -c $base)" 1
	put_back
done
set_aside $i/imagedb/content/sha256/$config
echo '{"rootfs":{"diff_ids":["md5:1"]}}' >$i/imagedb/content/sha256/$config
like "a config without digests is named" "imagedb/content/sha256/$config': a diff id is not a digest" "$(d check)"
put_back
# The first in the order of their names, not the one that a thread came to first.
bad=$i/imagedb/content/sha256/$(printf %061d 0)
for n in $(seq 100 499); do
	printf '[' >$bad$n
done
is "of 400 damaged configs the first is named" \
	"$(for n in 1 2 3 4 5 6 7 8 9 10; do d ls 2>&1 >/dev/null; done | sort -u)" \
	"ovlctl: ls: warning: '${bad#docker/}100': it is damaged; see 'ovlctl check'"
rm $bad*
set_aside $m
is "a layer without its parent is listed" "$(d ls -nr -o ID,PARENT $third)" "$third $middle"
fails 1 "its parent $(echo $middle | cut -c1-12) is not in the store" "... but not mounted" d mount -r app:1 mnt
put_back
is "all is as before" "$(d check)" ""
mkdir $i/layerdb/mounts/$(id new)
printf %s $own >$i/layerdb/mounts/$(id new)/mount-id
touch -d '1 hour' $i/layerdb/mounts/$(id new)/mount-id
is "a container whose parent is not recorded yet is not there" "$(d ls -nr -o ID | grep -c $(id new))" 0
touch -d '1 minute ago' $i/layerdb/mounts/$(id new)/mount-id
is "... later it is one on nothing" "$(d ls -nr -o ID,DEPTH $(id new))" "$(id new) 0"
rm -r $i/layerdb/mounts/$(id new)
mv docker/overlay2 docker/elsewhere
mkdir docker/overlay2
need - mount --bind docker/elsewhere docker/overlay2
is "trees on a file system of their own" "$(d diff box)" "C /d
C /d/f
D /m"
is "... sound" "$(d check)" ""
need - d mount -r app:1 mnt
is "... mounted" "$(cat mnt/d/f)" two
need - d umount app:1
umount docker/overlay2
rmdir docker/overlay2
mv docker/elsewhere docker/overlay2
d ls >ls.before
for p in image/overlay2/imagedb containers; do
	mv docker/$p elsewhere
	mkdir docker/$p
	need - mount --bind elsewhere docker/$p
	d ls >ls.now 2>&1
	same "$p on a file system of its own" ls.before ls.now
	umount docker/$p
	rmdir docker/$p
	mv elsewhere docker/$p
done
mv docker/image elsewhere
touch -d '2 days ago' docker/overlay2/*
mkdir -p docker/image
need - mount --bind elsewhere docker/image
is "image on a file system of its own: nothing is an orphan" "$(d check)" ""
umount docker/image
done_testing
