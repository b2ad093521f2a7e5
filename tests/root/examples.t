#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# The examples of each page run, in their order, in a store that has what they name.
mkdir -p tree/etc tree2/opt
echo debian >tree/etc/hostname
echo app >tree2/opt/app
tar -C tree -cf - . | zstd -qc >debian.tar.zst
tar -C tree2 -cf app.tar opt
# An image of one layer, as docker save writes it.
mkdir image
cp app.tar image/layer.tar
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
	"$(sha256sum <app.tar | cut -c1-64)" >image/config.json
echo '[{"Config":"config.json","RepoTags":["app:1"],"Layers":["layer.tar"]}]' >image/manifest.json
tar -C image -cf image.tar config.json layer.tar manifest.json
mount -t tmpfs none /mnt || cannot "mount on /mnt"

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
	# One session a page, so that variables and the directory last.
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/s/^# //p' "$page" >session
	like "$(basename "$page") has examples" '^[1-9]' "$(wc -l <session)"
	sed 's/\\e/\\/g' session >script
	ok "... which run" sh -ex script
	ovlctl umount -a
	ovlctl ls -nr -o ID | xargs -r ovlctl rm -r -f
	is "... and leave nothing in the store that rm does not remove" \
		"$(find "$OVLCTL_ROOT" -type f ! -name stamp ! -name lock)$(find "$OVLCTL_ROOT" -type l)" ""
done
umount /mnt

# README's session.
export OVLCTL_ROOT="$T/readme"
sed -n 's/^    # //p' "$top/README" >session
is "README's session is about ten lines" "$([ "$(wc -l <session)" -ge 8 ] && [ "$(wc -l <session)" -le 12 ] && echo yes)" yes
ok "... and runs" sh -e session
ovlctl umount -a
is "README is at most a screen and a half" "$([ "$(wc -l <"$top/README")" -le 75 ] && echo yes)" yes

done_testing
