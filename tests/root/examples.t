#!/bin/sh
. "$(dirname "$0")/../lib.sh"
. "$top/tests/images.sh"

# overlay: when asked

# LeakSanitizer needs a /proc of its own pid namespace; some examples make one without.
export ASAN_OPTIONS=detect_leaks=0

# Runs the examples of each page, in their order, in a store with the layers that they name.
# A root file system that chroot can enter, with stand-ins for the programs that examples call.
mkdir -p tree/etc tree/proc tree/dev tree/tmp tree/usr/bin tree2/opt
echo debian >tree/etc/hostname
for f in /bin/sh $(ldd /bin/sh | grep -o '/[^ ]*'); do
	mkdir -p "tree$(dirname "$f")"
	cp -L "$f" "tree$f" || cannot "copy $f"
done
printf '#!/bin/sh\necho "$0 $*" >>/tmp/called\n' >tree/usr/bin/apt-get
chmod +x tree/usr/bin/apt-get
cp tree/usr/bin/apt-get tree/usr/bin/make
echo app >tree2/opt/app
tar -C tree -cf - . | zstd -qc >debian.tar.zst
tar -C tree2 -cf app.tar opt
echo less >packages.txt
# An image of one layer, as docker save writes it.
mkdir image
cp app.tar image/layer.tar
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
	"$(sha256sum <app.tar | cut -c1-64)" >image/config.json
echo '[{"Config":"config.json","RepoTags":["app:1"],"Layers":["layer.tar"]}]' >image/manifest.json
tar -C image -cf image.tar config.json layer.tar manifest.json
mount -t tmpfs none /mnt || cannot "mount on /mnt"
have_mount_helper
# Another machine: a store of its own, and a stand-in for ssh.
mkdir bin
cat >bin/ssh <<E
#!/bin/sh
shift
export OVLCTL_ROOT="$T/elsewhere"
exec sh -c "\$*"
E
chmod +x bin/ssh
PATH=$T/bin:$PATH
# These may not be installed.
for c in fuser lsof; do
	command -v $c >/dev/null || ln -s "$(command -v true)" "bin/$c"
done

# The commands of a page: lines with a prompt, and all of a display that is said to run;
# one that is a script is run as such.
examples() { # PAGE
	awk '/^\.Sh EXAMPLES/ { on = 1 }
		/^\.Sh SEE/ { on = 0 }
		!on { next }
		/^\.\\" run/ { block = 1; next }
		block && /^\.Bd/ { next }
		block && /^#!/ { print "cat >job <<\047E N D\047"; job = 1 }
		block && /^\.Ed/ { if (job) print "E N D\nsh -ex job"; block = job = 0 }
		block { print }
		sub(/^# /, "") { print }' "$1" | sed 's/\\e/\\/g'
}

# Roots of other engines in their usual places, and one on a disk in /media.
need - mount -t tmpfs none /var/lib
need - mount -t tmpfs none /media
mkdir small small/etc /media/var /media/var/lib /var/lib/docker /var/lib/containers /var/lib/containers/storage
echo small >small/etc/hostname
tar -C small -cf small.tar etc
config "$machine" A=1 small.tar >small.json
for r in /var/lib/docker /var/lib/containers/storage; do
	e=${r#/var/lib/}
	need - python3 "$top/tests/foreign.py" "${e%/*}" $r small.json app:1,alpine:3 small.tar
done
need - python3 "$top/tests/foreign.py" container /var/lib/containers/storage alpine:3 web
db=/var/lib/docker/image/overlay2/layerdb/sha256/$(sha small.tar)
cache=$(cat "$db/cache-id") known=68690e81${cache#????????}
need - mv /var/lib/docker/overlay2/$cache /var/lib/docker/overlay2/$known
printf %s "$known" >"$db/cache-id"
need - cp -a /var/lib/docker /media/var/lib
printf '#!/bin/sh\nexec cat >/dev/null\n' >bin/docker
chmod +x bin/docker

for page in "$top"/man/*.[78]; do
	case $page in *.7) grep -q '^\.Sh EXAMPLES' "$page" || continue ;; esac
	name=$(basename "${page%.*}")
	export OVLCTL_ROOT="$T/$name"
	case $name in
	ovlctl | ovlctl-import) ;;
	*)
		need - ovlctl import -n debian debian.tar.zst
		need - ovlctl import -n app -p debian app.tar
		need - ovlctl create -n web app
		;;
	esac
	rm -rf elsewhere
	need - find /mnt -xdev -mindepth 1 -delete
	need - ovlctl --root elsewhere import -n debian debian.tar.zst
	# One shell for each page, so that variables and the working directory are kept.
	examples "$page" >script
	like "$(basename "$page") has examples" '^[1-9]' "$(wc -l <script)"
	ok "... which run" sh -ex script
	ovlctl umount -a
	ovlctl ls -nr -o ID | xargs -r ovlctl rm -r -f
	is "... and leave nothing in the store that rm does not remove" \
		"$([ ! -d "$OVLCTL_ROOT" ] ||
			find "$OVLCTL_ROOT" -type f ! -name stamp ! -name lock -o -type l)" ""
done
umount /mnt /var/lib /media

# README's session.
export OVLCTL_ROOT="$T/readme"
sed -n 's/^    # //p' "$top/README" >session
is "README's session is about ten lines" "$([ "$(wc -l <session)" -ge 8 ] && [ "$(wc -l <session)" -le 12 ] && echo yes)" yes
ok "... and runs" sh -e session
rm -rf elsewhere
need - ovlctl --root elsewhere import debian.tar.zst
sed -n 's/^    ssh/ssh/p' "$top/README" >session
is "README's way to another machine is one line" "$(wc -l <session)" 1
ok "... and runs" sh -e session
is "... the layer is there" "$(ovlctl --root elsewhere ls -q app)" "$(ovlctl ls -q app)"
ovlctl umount -a
is "README is at most a screen and a half" "$([ "$(wc -l <"$top/README")" -le 75 ] && echo yes)" yes

# The cached step: it fails, or another job is faster.
sed -n '/^\.Ss Cache a step/,/^\.Ed/p' "$top/man/ovlctl.8" | sed -n '/^#!/,$p' |
	sed '$d' >step
export OVLCTL_ROOT="$T/cached"
need - ovlctl import -n debian debian.tar.zst
stand_in() { # for xargs
	cat >bin/xargs
	chmod +x bin/xargs
}
printf '#!/bin/sh\nexit 1\n' | stand_in
no "a cached step that fails" sh step
is "... leaves no layer" "$(ovlctl ls -q | wc -l)" 1
stand_in <<'E'
#!/bin/sh
echo mine >"$2/tmp/mine"
other=$(ovlctl create debian)
ovlctl commit -n "deps:$(sha256sum <packages.txt | cut -c1-16)" "$other"
E
ok "a cached step that another job has made meanwhile" sh step
like "... is taken from that one" '^ ?debian deps:[0-9a-f]{16} $' \
	"$(ovlctl ls -nr -o NAME | sort | tr '\n' ' ')"
need - ovlctl tag -d "$(ovlctl ls -nr -o NAME | grep deps)"
# The layers that it was made from stay, and the one for the job.
is "... leaves nothing else" "$(ovlctl ls -q | wc -l)" 3
printf '#!/bin/sh\necho up >"%s"\nsleep 300\n' "$T/up" | stand_in
stopped() { # SIGNAL COMMAND...
	_signal=$1
	shift
	rm -f up
	"$@" >/dev/null 2>&1 &
	until_true written up
	kill -"$_signal" $!
	wait $! 2>/dev/null
}
stopped TERM sh step
is "a cached step that is ended leaves no layer" "$(ovlctl ls -q | wc -l)" 3
stopped KILL unshare -m -p -f --kill-child --mount-proc sh step
is "... that is killed leaves one" "$(ovlctl ls -q | wc -l)" 4
ok "... which is not mounted any more" ovlctl --wait 60 rm "$(ovlctl ls -nr -o ID | tail -1)"
rm bin/xargs

# The example for ordinary users, run by one: with a range of ids, and with one id.
sed -n '/^\$ unshare/,/^\.Ed/s/^# //p' "$top/man/ovlctl.8" >user
like "ovlctl.8 has examples for a user" '^[1-9]' "$(wc -l <user)"
nobody() {
	env -u OVLCTL_ROOT HOME="$T/home" setpriv --reuid nobody --regid nogroup --clear-groups "$@"
}
mkdir home
chown nobody home
chmod 755 .
cp "$(command -v ovlctl)" bin
if ! as_user && nobody unshare -rm test -x "$T/bin/ovlctl"; then
	ok "... which run with unshare -rm" nobody unshare -rm sh -ex user
	like "... and not without a mount namespace" "mount namespace of its own" \
		"$(nobody unshare -r sh -e user 2>&1)"
	fails 1 "run ovlctl there .unshare -rm --map-auto" \
		"... and not without a user namespace, which is named" nobody ovlctl import debian.tar.zst
	fails 1 "run ovlctl as root or in a user namespace .unshare -rm --map-auto" \
		"... nor in a store of his own" nobody ovlctl --root "$T/home/own" import debian.tar.zst
	echo nobody:100000:65536 >ids
	if command -v newuidmap >/dev/null && mount --bind ids /etc/subuid &&
		mount --bind ids /etc/subgid; then
		ok "... and with unshare -rm --map-auto" nobody unshare -rm --map-auto sh -ex user
	fi
fi

done_testing
