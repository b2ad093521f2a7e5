#!/bin/sh
. "$(dirname "$0")/../lib.sh"

for i in 1 2 3 4; do
	printf 'file name=f%s fill=5000\nend\n' $i | mktar >$i.tar
done
need one ovlctl import -n one 1.tar
need two ovlctl import -p one 2.tar
need three ovlctl import -p "$two" 3.tar
S=$OVLCTL_ROOT

is "a sound store" "$(ovlctl prune)" ""
is "... as JSON" "$(ovlctl prune -J)" "[]"
before=$(store_state)

# Leftovers of killed processes.
left() { # what prune says, without numbers and whys
	awk '{ print $1 }' "$1" | sort | uniq -c | awk '{ print $2 ":" $1 }' | tr '\n' ' '
}
if can_trace; then
	killed() { # CALL WHEN COMMAND...
		call=$1 when=$2
		shift 2
		traced -o /dev/null -qq -e trace="$call" -e inject="$call:signal=KILL:when=$when" \
			"$@" >/dev/null 2>&1
	}
	killed utimensat 1 ovlctl import 4.tar
	killed renameat2 1 ovlctl import -n gone -p one 4.tar
	ovlctl prune --dry-run >dry
	like "killed before the rename: staging, the link, the name, the hint" \
		"hint:1 $(is_overlay || echo "link:1 ")name:1 staging:[12] " "$(left dry)"
	like "... says why" "^staging [0-9a-f]{64} [0-9]+ the process that made it was killed$" "$(cat dry)"
	ovlctl prune >wet
	same "... --dry-run said so" wet dry
	is "... the store is as it was" "$(store_state)" "$before"
	killed renameat2 1 ovlctl import -n again -p one 4.tar
	need four ovlctl import -p one 4.tar
	# check does not report new files, which may belong to a process.
	is_overlay || need - touch -hd '2 minutes ago' "$S/$DRV/l"/*
	is "killed before the rename, and the layer came without that name" \
		"$(ovlctl ls -nr -o NAME $four):$(ovlctl check | grep -c ^note)" ":$(is_overlay && echo 2 || echo 3)"
	is "... a name and a link too many go" "$(ovlctl prune | cut -d' ' -f1,4-)" \
		"$(printf 'staging the process that made it was killed\nname no layer has this name'
		is_overlay || printf '\nlink its layer has another link')"
	is_overlay || ok "... its own stays" test -d "$S/$DRV/l/$(cat "$S/$DRV/$four/link")"
	is "... check has nothing to say" "$(ovlctl check)" ""
	ovlctl rm $four
	is "... the store is as it was" "$(store_state)" "$before"
	need - ovlctl create -n w one
	killed unlinkat 3 ovlctl rm w
	ovlctl prune >out
	like "killed in a removal: trash" "trash:1" "$(left out)"
	is "... the store is as it was" "$(store_state)" "$before"
fi
mkdir "$S/staging/x" "$S/staging/x/d" "$S/trash/y"
head -c 100000 /dev/zero >"$S/staging/x/f"
need - ln "$S/staging/x/f" "$S/staging/x/d/f"
need - ln "$S/staging/x/f" "$S/trash/y/f"
space=$(du -s -B1 "$S" | cut -f1)
is_overlay || ln -s ../$(printf '%064d' 7)/diff "$S/$DRV/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ln -s ../$DRV/$(printf '%064d' 7) "$S/names/nobody"
ln -s ../$DRV/$(printf '%064d' 7) "$S/names/.0123456789"
touch "$S/$DRV/$three/.children" 2>/dev/null && rm -f "$S/$DRV/$three/.children"
mkdir "$S/$DRV/$three/.children"
touch "$S/$DRV/$three/.children/$(printf '%064d' 7)"
left_=$(store_state)
ovlctl prune -J --dry-run >out
is "all of it, as JSON" "$(jq -r '.[].what' out | sort | tr '\n' ' ')" \
	"hint $(is_overlay || echo "link ")name name staging trash "
is "... --dry-run removes nothing" "$(store_state)" "$left_"
is "... bytes: hard links count once" "$(jq '[.[].bytes] | add > 100000 and add < 200000' out)" true
ovlctl prune -J >wet
same "prune does what --dry-run said" wet out
is "... frees so many bytes" "$((space - $(du -s -B1 "$S" | cut -f1)))" "$(jq '[.[].bytes] | add' wet)"
is "... the store is as it was" "$(store_state)" "$before"

# Files of a living process stay.
mkfifo pipe
(cat 4.tar; sleep 60) >pipe &
feeder=$!
ovlctl import --as layer - <pipe >/dev/null 2>&1 &
pid=$!
until_true found "$S/staging/*/.recipe"
is "an import that goes on" "$(ovlctl prune)" ""
is "... its staging stays" "$(ls "$S/staging" | wc -l)" 1
kill -KILL $pid
wait $pid 2>/dev/null
end $feeder
is "... and goes when it was killed" "$(ovlctl prune | awk '{ print $1 }')" staging

# A commit --keep that was killed when the writable layer was back in its place.
if can_trace; then
	n=0
	until [ $n = 20 ]; do
		n=$((n + 1))
		need id ovlctl create -n kept one
		echo 1 >"$S/$DRV/$id/$UPPER/f"
		killed fsync $n ovlctl commit --keep -n kept/i kept
		[ ! -L "$S/$DRV/$id/.image-layer" ] || break
		ovlctl rm -r kept/i kept >out 2>&1 || ovlctl rm kept
		ovlctl prune >out
	done
	ok "commit --keep is killed near its end" test $n -lt 20
	need - ovlctl prune
	is "... prune finishes it" "$(ovlctl check)$(ls -d "$S/$DRV"/*/.image 2>&1 | grep -c '^/')" 0
	ovlctl rm -r kept/i
	ovlctl prune >out
fi

# An image layer whose commit was killed has its names, though they lead to the writable one.
if can_trace; then
	cp -a "$S" as_before
	need id ovlctl create -n mine one
	echo precious >"$S/$DRV/$id/$UPPER/f"
	killed fsync "$(is_overlay && echo 2 || echo 3)" ovlctl commit mine
	need image basename "$(dirname "$S/$DRV"/*/.image)"
	no "the set-up: the writable layer is not there" test -e "$S/$DRV/$id"
	ovlctl prune --layers --unused-for 0 --dry-run >out
	no "a commit that was killed: its image layer is needed" grep -q "^layer $image" out
	ok "... --dry-run does not finish it" test -e "$S/$DRV/$image/.image" -a -e "$S/staging/$id"
	need - ovlctl prune --layers --unused-for 0
	no "... prune does" test -e "$S/$DRV/$image/.image" -o -e "$S/staging/$id"
	is "... and the image layer stays" "$(ovlctl diff mine):$(cat "$S/$DRV/$image/$TREE/f")" "A /f:precious"
	# A layer that gets a name after prune has seen it without one.
	need four ovlctl import 4.tar
	traced -qq -o calls -P "$four" -e trace=openat ovlctl prune --layers --unused-for 0 --dry-run >out
	grep -q $four out || stop "prune --layers does not want the layer"
	n=$(grep -c openat calls)
	: >calls
	traced -qq -o calls -P "$four" -e trace=openat -e inject=openat:signal=STOP:when=$((n + 1)) \
		ovlctl prune --layers --unused-for 0 >out 2>err &
	pid=$!
	until_true has_stopped calls
	need - ovlctl tag $four named
	go_on calls
	wait $pid
	is "a layer that has just got a name stays" "$(ovlctl ls -nr -o ID named 2>&1)" $four
	rm -rf "$S"
	mv as_before "$S"
fi

# Layers.
is "layers that are young stay" "$(ovlctl prune --layers 2>&1)" ""
is "... with a hint" "$(ovlctl -v prune --layers --unused-for 2h 2>&1)" "ovlctl: prune: 2 unused \
layers were last used less than 7200 seconds ago; with '--unused-for 0', they are removed, too"
ovlctl prune --layers --unused-for 0 --dry-run >dry
is "unneeded layers, from the top" "$(awk '{ print $1, $2 }' dry)" "layer $three
layer $two"
is "... --dry-run removes nothing" "$(store_state)" "$before"
ovlctl tag "$three" keep
is "a layer with a name stays, and all below it" "$(ovlctl prune --layers --unused-for 0s)" ""
ovlctl tag -d keep
need w ovlctl create "$three"
is "so do those below a writable layer" "$(ovlctl prune --layers --unused-for 0m)" ""
ovlctl rm "$w"
need m ovlctl mount "$three"
is "a mounted one stays" "$(ovlctl prune --layers --unused-for 0)" ""
is "... without a hint" "$(ovlctl -v prune --layers 2>&1)" ""
unshare -m sh -c "umount '$m'; ovlctl prune --layers --unused-for 0" >out
is "... mounted elsewhere as well" "$(cat out)" ""
ovlctl umount "$three"
if can_trace; then
	traced -qq -o /dev/null -P "$OVLCTL_ROOT/$DRV/$three" -e trace=getdents64 \
		-e inject=getdents64:error=EIO ovlctl prune --layers --unused-for 0 --dry-run >out 2>err
	is "one that cannot be asked about stays, and what is below it" "$?:$(cat out)" "1:"
	like "... says so" "^ovlctl: prune: cannot read the mounts of layer '$three': Input/output error$" "$(cat err)"
fi
# A mount has added a directory.
ovlctl prune --layers --unused-for 0 --dry-run >dry
ovlctl prune --layers --unused-for 0 >out
is "then they go" "$(cut -d' ' -f1-3 out)" "$(cut -d' ' -f1-3 dry)"
is "only what has a name is left" "$(ovlctl ls -nr -o NAME)" one
is "... nothing of them" "$(ls "$S/$DRV" | grep -vc '^l$') $(ls "$S/trash" | wc -l)" "1 0"

fails 2 "'--unused-for x': not a number of seconds" "--unused-for x" ovlctl prune --layers --unused-for x
fails 2 "'--unused-for -1': not a number of seconds" "--unused-for -1" ovlctl prune --layers --unused-for=-1
fails 2 "'--keep-last 0': not a positive number" "--keep-last 0" ovlctl prune --layers --keep-last 0
fails 2 "'--keep-bytes 1X': not a positive number" "--keep-bytes 1X" ovlctl prune --layers --keep-bytes 1X
for o in --writable --unused-for=1h --keep-last=1 --keep-bytes=1; do
	fails 2 "${o%=*} needs --layers" "$o alone" ovlctl prune $o
done
is "no store" "$(ovlctl --root nowhere prune)" ""

# A layer that cannot be removed does not keep others, and is reported at the end.
stuck=$S/trash/$(printf '%064d' 1)
mkdir -p "$stuck/d"
mount -t tmpfs none "$stuck/d"
mkdir "$S/trash/$(printf '%064d' 2)"
ln -s ../$DRV/$(printf '%064d' 3) "$S/names/nobody"
ovlctl prune >out 2>err
is "a mount in the trash: status" $? 1
is "... the rest is gone" "$(ls "$S/trash") $(cut -d' ' -f1,2 out | sort | tr '\n' ' ')" \
	"$(printf '%064d' 1) name nobody trash $(printf '%064d' 2) "
like "... and why" "cannot remove '$stuck/d': something is mounted there" "$(cat err)"
umount "$stuck/d"
need - ovlctl prune
# Names that must be escaped.
if ! is_overlay; then
	mkdir -p "$S/aside"
	touch "$S/aside/names.$(printf 'x\033[2J\377')"
	is "a hostile name" "$(ovlctl prune --aside --dry-run | cut -d' ' -f2)" 'names.x\033[2J\377'
	is "... in JSON" "$(ovlctl prune --aside -J | jq -r '.[0].name_raw' | base64 -d | od -An -c | tr -d ' \n')" \
		'names.x033[2J377'
fi

# An id that exists with both drivers.
printf 'file name=f data=1\nend\n' | mktar >both.tar
id=$(ovlctl --root both --driver overlay import both.tar)
ovlctl --root both --driver overlay2 import both.tar >/dev/null
is "layers with one id in both drivers" "$(env -u OVLCTL_DRIVER ovlctl --root both prune --layers --unused-for 0 | cut -d' ' -f1,2)" \
	"$(printf 'layer %s\nlayer %s' "$id" "$id")"
is "... are gone" "$(env -u OVLCTL_DRIVER ovlctl --root both ls)" ""

# A layer that is committed after its notes have been read and before they are examined:
# they are in the image layer then.
if can_trace; then
	rm -rf "$OVLCTL_ROOT"
	need w ovlctl create -n w
	: >calls
	traced -qq -o calls -P "$OVLCTL_ROOT/$DRV/$w/.names" -e trace=getdents64 \
		-e inject=getdents64:signal=STOP:when=1 ovlctl prune >out 2>err &
	pid=$!
	until_true has_stopped calls
	need i ovlctl commit w
	go_on calls
	wait $pid
	is "a commit beside prune: nothing is pruned" "$?:$(cat out err)" "0:"
	is "... the name is the image layer's" "$(ovlctl ls -q w)" "$i"
	is "... and prune --layers leaves it" "$(ovlctl prune --layers --unused-for 0)" ""

	traced -qq -o /dev/null -P "$i/.names/w" -e trace=/fstatat -e inject=/fstatat:error=EIO:when=3 ovlctl prune >out 2>err
	is "a note that cannot be read" "$?:$(cat out err)" "1:ovlctl: prune: cannot read note 'w': Input/output error"
fi

# The nightly prune of the page.
page=$top/man/ovlctl-prune.8
nightly=$(sed -n 's,^30 3 \* \* \* root /usr/bin/,,p' "$page")
like "the page's line for cron" "^ovlctl prune --layers " "$nightly"
ok "... works" sh -c "$nightly"
is "... the service does the same" "$(sed -n 's,^ExecStart=/usr/bin/,,p' "$page")" "$nightly"
if command -v systemd-analyze >/dev/null; then
	awk '/^\[Unit\]/ { n++; on = 1 } /^\.Ed/ { on = 0 }
		on { print >("ovlctl-prune." (n == 1 ? "service" : "timer")) }' "$page"
	sed -i "s,/usr/bin/ovlctl,$(command -v ovlctl)," ovlctl-prune.service
	is "... and the units are sound" \
		"$(systemd-analyze verify --man=no ./ovlctl-prune.service ./ovlctl-prune.timer 2>&1; echo $?)" 0
	is "... both of them" "$(grep -c = ovlctl-prune.service) $(grep -c = ovlctl-prune.timer)" "4 4"
fi

# On a terminal, a table.
if script -qec true /dev/null >/dev/null 2>&1; then
	rm -rf "$OVLCTL_ROOT"
	printf 'file name=f fill=3000\nend\n' | mktar >shown.tar
	need shown ovlctl import shown.tar
	touch -d '2 days ago' "$OVLCTL_ROOT/$DRV/$shown/.used"
	sed -i 's/^created .*/created 1000000000/' "$OVLCTL_ROOT/$DRV/$shown/.layer"
	script -qec "ovlctl prune --layers --dry-run" /dev/null </dev/null | tr -d '\r' >table
	is "a heading" "$(head -1 table | tr -s ' ')" "WHAT SIZE NAME AND REASON"
	like "... sizes for people" "^layer +[0-9.]+K $(echo "$shown" | cut -c1-12) " "$(sed -n 2p table)"
	need - ovlctl create
	script -qec "ovlctl prune --layers --writable --unused-for 0 --dry-run" /dev/null </dev/null | tr -d '\r' >wide
	is "... within 80 columns" "$(grep -c ^layer wide) $(awk 'length > 80' wide)" "2 "
	like "... and a total" "^total +[0-9.]+K 1 would be removed$" "$(tail -1 table)"
fi

done_testing
