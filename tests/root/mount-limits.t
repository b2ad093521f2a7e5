#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# Up to 500 lowers, under a root path that is long and has every character that mount
# options might not accept. Up to 128 lowers are given by name, from 129 on by descriptor.
long=$(printf '%0200d' 0)
export OVLCTL_ROOT="$T/a,b:c\\d e/$long/$long/store"
is "the root path is long enough" "$([ ${#OVLCTL_ROOT} -ge 400 ] && echo yes)" yes
top=500
is_overlay && top=130
same=$(is_overlay && echo 1)

# An archive image.tar of layers 1 to $1, each with f, its own fN, and one in directories
# that all of them have.
layers() { # FROM TO
	for i in $(seq "$1" "$2"); do
		printf 'file name=f data=%d\nfile name=f%d data=%d\nfile name=d/e/g%d data=%d\nend\n' \
			$i $i $i $i $i | mktar >"layers/$(printf %03d "$i").tar"
	done
}
archive() { # N FILE
	(
		cd layers || exit 1
		files=$(ls | grep tar | head -"$1")
		printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[%s]}}' \
			"$(sha256sum $files | sed 's/ .*//; s/.*/"sha256:&"/' | paste -sd,)" >c.json
		printf '[{"Config":"c.json","RepoTags":["deep:%s"],"Layers":[%s]}]' "$1" \
			"$(printf '"%s"\n' $files | paste -sd,)" >manifest.json
		tar -cf - manifest.json c.json $files
	) >"$2"
}
mkdir layers
layers 1 $((top + 1))
archive $top image.tar
archive $((top + 1)) more.tar
archive 129 129.tar
archive 128 128.tar

need image ovlctl --sync=none import image.tar
is "an image of $top layers is imported" "$(ovlctl ls -nr -o DEPTH "deep:$top")" $((top - 1))
need stack ovlctl show "deep:$top"
id_of() { # HOW MANY LAYERS: the image layer with as many
	printf '%s' "$stack" | jq -r --argjson n "$1" '.layers[0] | [.id, .stack[].id] | .[length - $n]'
}
is "the nearest is the last" "$(id_of $top)" "$image"

# Mounting, writing, and finding the mount, at the limits of both ways.
for n in 128 129 $top; do
	base=$(id_of $n)
	need w ovlctl create -n "w$n" "$base"
	is "a writable layer on $n" "$(ovlctl ls -nr -o LOWERS "w$n")" "${same:-$n}"
	need m ovlctl mount "w$n"
	is "it mounts where it says" "$m" "$OVLCTL_ROOT/$DRV/$w/merged"
	is "the nearest layer is on top" "$(cat "$m/f")" $n
	is "all are there" "$(ls "$m" | wc -l) $(ls "$m/d/e" | wc -l)" "$((n + 2)) $n"
	is "the deepest is read" "$(cat "$m/f1" "$m/d/e/g1")" 11
	echo new >"$m/f1"
	rm "$m/d/e/g2"
	is "and written to" "$(cat "$m/f1")" new
	is "diff finds its way" "$(ovlctl diff "w$n")" "$(printf 'C /d\nC /d/e\nD /d/e/g2\nC /f1')"
	is "the source says what it is" "$(findmnt -no FSROOT,SOURCE "$m" | sed 's/.*ovlctl:.*store/ROOT/')" "ROOT/$DRV/$w"
	is "ls finds the mount" "$(ovlctl show "w$n" | jq -r ".layers[0].mounts[]")" "$m"
	mkdir -p mnt
	fails 4 "layer 'w$n' is already mounted on" "not twice" ovlctl mount "w$n" mnt
	fails 4 "layer 'w$n' is mounted on" "not removed" ovlctl rm "w$n"
	fails 4 "layer 'w$n' is mounted on" "not committed" ovlctl commit "w$n"
	ok "umount" ovlctl umount "w$n"
	ok "read-only" ovlctl mount -r "w$n" mnt
	is "... the change is there" "$(cat mnt/f1)" new
	no "... and no other" touch mnt/x
	ok "umount of the mount point" ovlctl umount mnt
	need m ovlctl mount "$base"
	is "$n layers mount read-only" "$(ls "$m" | wc -l)" $((n + 2))
	is "ls finds that mount" "$(ovlctl show "$base" | jq -r ".layers[0].mounts[]")" "$m"
	ok "umount" ovlctl umount "$base"
	in_namespace other ovlctl mount "w$n"
	fails 4 "layer 'w$n' is mounted" "a mount in another namespace is found" ovlctl rm "w$n"
	end "$other"
	soon "with other options" ovlctl mount -o volatile,xino=off,nosuid "w$n"
	ok "umount" ovlctl umount "w$n"
done
is "check finds nothing" "$(ovlctl check)" ""

# No mount command where mount(8) cannot mount it.
is "show has a command up to 128" "$(ovlctl show w128 | jq -r '.layers[0] | .mount_command != null, .mount_note')" \
	"$(printf 'true\nnull')"
is_overlay || is "... past that it says why there is none" \
	"$(ovlctl show w129 | jq -r '.layers[0] | .mount_command, .mount_note')" \
	"$(printf 'null\n%s' "its mount has 129 lower layers, and mount(2) takes the names of at most 128: only 'ovlctl mount' can mount it")"

# All other commands work with such stacks.
ovlctl diff -o w.tar "w$top"
is "the tar of a diff" "$(tar -tf w.tar | tr '\n' ' ')" "./ d/ d/e/ d/e/.wh.g2 f1 "
is "diff of two layers" "$(ovlctl diff "$image" "$(id_of $((top - 1)))")" \
	"$(printf 'C /d\nC /d/e\nA /d/e/g%d\nC /f\nA /f%d' $top $top)"
ok "export" ovlctl export "$image" again.tar
is "... has them all" "$(tar -tf again.tar | grep -c 'blobs/sha256/.')" $((top + 2))
short || is "... and they come back" "$(ovlctl --root again --sync=none import again.tar)" "$image"
is "ls of all" "$(ovlctl ls -nr -o ID | wc -l)" $((top + 3))
if is_overlay; then
	ok "one more is no matter" ovlctl import more.tar
else
	need last ovlctl create -n last "$(id_of $((top - 1)))"
	need id ovlctl commit --keep last
	is "commit makes an image of $top" "$(ovlctl ls -nr -o DEPTH "$id")" $((top - 1))
	ovlctl rm last
	ovlctl rm "$id"
	before=$(store_state)
	fails 1 "the stack would have 501 layers, but a mount can have at most 500" "the 501st is refused by import" \
		ovlctl import -p "$image" layers/501.tar
	fails 1 "the image has 501 layers, but a mount can have at most 500" "and in an image" ovlctl import more.tar
	fails 1 "the stack would have 501 layers, but a mount can have at most 500" "and by commit" ovlctl commit "w$top"
	is "the refusals changed nothing" "$(store_state)" "$before"
fi

# Descriptors: a soft limit is raised, for a hard one there is a message.
ok "few of them: mount" prlimit --nofile=64:4096 ovlctl mount "w$top"
is "... diff" "$(prlimit --nofile=64:4096 ovlctl diff "w$top" | wc -l)" 4
ovlctl umount "w$top"
if ! is_overlay; then
	fails 1 "Too many open files; raise the limit with 'ulimit -n'" "too few of them: mount" \
		prlimit --nofile=400:400 ovlctl mount w500
	fails 1 "Too many open files; raise the limit with 'ulimit -n'" "... diff" prlimit --nofile=400:400 ovlctl diff w500
	ok "... 128 need none" prlimit --nofile=64:64 ovlctl mount w128
	ovlctl umount w128
fi
no_proc() { # COMMAND...
	unshare -m --propagation private sh -c 'mount -t tmpfs none /proc && exec "$@"' - "$@"
}
# A sanitizer needs it too.
if [ "$MODE" != asan ]; then
	for n in 128 $top; do
		fails 1 "/proc" "without /proc: $n" no_proc ovlctl mount "w$n"
		ok "... all is as before" ovlctl mount "w$n"
		ovlctl umount "w$n"
	done
fi

# Damage.
if ! is_overlay; then
	w=$(ovlctl ls -nr -o ID w500)
	victim=$(ovlctl ls -nr -o LINK "$(id_of 300)")
	mv "$OVLCTL_ROOT/overlay2/l/$victim" kept
	fails 1 "lower layer 'l/$victim': No such file or directory; see 'ovlctl check'" "a lower that is missing" ovlctl mount w500
	ln -s "../$(id_of 299)/diff" "$OVLCTL_ROOT/overlay2/l/$victim"
	fails 1 "lower layer 'l/$victim' leads to another layer; see 'ovlctl check'" "one that is another" ovlctl mount w500
	like "check finds it" "$(id_of 300 | cut -c1-12).*its short link is missing or leads elsewhere" "$(ovlctl check 2>&1)"
	rm "$OVLCTL_ROOT/overlay2/l/$victim"
	ln -s /etc "$OVLCTL_ROOT/overlay2/l/$victim"
	fails 1 "lower layer 'l/$victim' does not lead to a layer; see 'ovlctl check'" "one that leads out" ovlctl mount w500
	rm "$OVLCTL_ROOT/overlay2/l/$victim"
	mv kept "$OVLCTL_ROOT/overlay2/l/$victim"
	cp "$OVLCTL_ROOT/overlay2/$w/lower" kept
	printf ':l/%s' "$victim" >>"$OVLCTL_ROOT/overlay2/$w/lower"
	fails 1 "'lower' of layer $(echo "$w" | cut -c1-12).*; see 'ovlctl check'" "a list of 501" ovlctl mount w500
	fails 1 "'lower' of layer $(echo "$w" | cut -c1-12)" "... for diff too" ovlctl diff w500
	cp "$OVLCTL_ROOT/overlay2/$w/.layer" layer
	sed -i 's/^lowers 500/lowers 501/' "$OVLCTL_ROOT/overlay2/$w/.layer"
	fails 1 ".layer. is damaged; see .ovlctl check." "a record that says 501" ovlctl mount w500
	cp layer "$OVLCTL_ROOT/overlay2/$w/.layer"
	like "check --repair finds that" "its file 'lower' is missing or wrong" "$(ovlctl check --repair 2>&1)"
	is "... makes the list anew" "$(cat "$OVLCTL_ROOT/overlay2/$w/lower")" "$(cat kept)"
	ok "mount" ovlctl mount w500
	ok "umount" ovlctl umount w500
fi

# An image with more layers than a mount allows can be imported with the driver overlay.
ok "memory for one layer, not for all" taskset -c 0 prlimit --data=$([ "$MODE" = release ] && echo 70000000 || echo -1) \
	ovlctl --root m --driver overlay2 import 128.tar
b=$(ovlctl --root b --driver overlay --sync=none import 129.tar)
is "an image of 129 layers in driver overlay" "$b" "$(id_of 129)"

fails 1 "the mount options take [0-9]+ bytes, the kernel accepts 4095" "too many options" \
	ovlctl mount -o "$(printf 'xino=auto,%.0s' $(seq 400))volatile" w128

# A root as long as a path can be. The shell cannot enter it, so perl makes it.
umask 077
need root perl -e '$_ = $ARGV[0]; while (length() + 202 < 4050) { $_ .= "/" . "r" x 200; mkdir or die }
	$_ .= "/" . "s" x (4050 - length() - 1); mkdir or die; print' "$T"
is "a root of 4,050 bytes" ${#root} 4050
export OVLCTL_ROOT="$root"
need a ovlctl import -n a layers/001.tar
need w ovlctl create -n w a
is "mounts and says where" "$(ovlctl mount w)" "$root/$DRV/$w/merged"
is "ls finds it" "$(ovlctl ls -nr -o MOUNTPOINT w)" "$root/$DRV/$w/merged"
fails 4 "layer 'w' is already mounted on" "not twice" ovlctl mount w
fails 4 "layer 'w' is mounted on" "not removed" ovlctl rm w
ok "umount" ovlctl umount w
is "a bottom image layer too" "$(ovlctl mount a)" "$root/$DRV/$a/merged"
ok "umount -a" ovlctl umount -a
is "... which takes the mount point away" "$(cd "$root/$DRV" && ls "$a" | tr '\n' ' ')" "$LS_BOTTOM "
is "on a target" "$(ovlctl mount w mnt)" "$T/mnt"
ok "umount of that" ovlctl umount mnt
is "the mount command" "$(sh -c "$(ovlctl show w | jq -r '.layers[0].mount_command')" >/dev/null && ovlctl ls -nr -o MOUNTPOINT w)" \
	"$root/$DRV/$w/merged"
ok "umount" ovlctl umount w
is "nothing is mounted" "$(grep -c "$T" /proc/self/mountinfo)" 0
ok "rm" ovlctl rm -r a

done_testing
