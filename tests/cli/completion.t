#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# Completion: the program prints the candidates, and the scripts pass them to the shells.

printf 'file name=f data=1\nend\n' | mktar >a.tar
need - ovlctl import -n debian:12 a.tar
need - ovlctl tag debian:12 localhost/app:1
need - ovlctl tag debian:12 at@home
need - ovlctl create -n web debian:12
need - ovlctl create -n beta/gamma
need bare ovlctl create
bare=$(echo "$bare" | cut -c1-12)

completes() { # WHAT WANTED WORD...
	_what=$1
	_want=$2
	shift 2
	is "$_what" "$(ovlctl __complete "$@" | LC_ALL=C sort | tr '\n' ' ')" "$(printf '%s\n' $_want | LC_ALL=C sort | tr '\n' ' ')"
}
completes "a command" "mount :words" mo
completes "global options" "--nowait :words" --no
completes "options" "--recursive :words" rm --r
completes "--help of each" "--help :words" show --h
completes "an option with a letter that takes a value" "at@home debian:12 localhost/app:1 :words" import -p ''
completes "layers" "at@home debian:12 localhost/app:1 web beta/gamma $bare :words" rm ''
completes "... by a prefix" "debian:12 :words" rm deb
completes "... by the beginning of an id" "$bare :words" rm "$(echo "$bare" | cut -c1-10)"
completes "... each once" "at@home debian:12 localhost/app:1 beta/gamma $bare :words" rm web ''
completes "image layers for create" "at@home debian:12 localhost/app:1 :words" create ''
completes "... only one" ":words" create debian:12 ''
completes "writable layers for commit" "web beta/gamma $bare :words" commit ''
completes "what is mounted for umount" ":words" umount ''
completes "layers of another store" ":words" --root /nowhere rm ''
completes "... in one word" "at@home debian:12 localhost/app:1 :words" "--root=$OVLCTL_ROOT" create ''
completes "a value" "zstd :words" diff --compress z
completes "... in one word" "--compress=zstd :words" diff --compress=z
completes "a list" "NAME,KIND :list" ls -o NAME,K
completes "... that adds" "+SIZE :list" ls -o +SI
completes "... behind other letters" "NAME :list" ls -nro N
completes "mount options" "ro,nosuid :list" mount -o ro,nos
completes "values of --as" "layer image :words" import --as ''
completes "... of --driver" "overlay2 overlay :words" --driver ''
completes "files" ":file" import ''
completes "layers and files" "web :file" export debian:12 w
completes "layers for export --without" "web :words" export --without w
completes "directories" ":dir" mount web ''
completes "topics" "store :words" help st
completes "nothing where nothing goes" ":words" tag web ''
completes "layers for run" "web :words" run --keep w
completes "... files of its command" ":file" run web ''
completes "... no options there" ":file" run web ls -
completes "... what may be left out is no word" "web :words" run --tmpfs w
completes "no option after --" ":words" rm -- -
completes "... unless the name is taken from another" "debian:12 :words" tag -f web deb
completes "nothing after umount -a" ":words" umount -a ''
completes "what export can compress with" "none gzip zstd :words" export --compress ''
printf '' >ids.1
mkdir dir
printf '' >dir/ids.2
completes "a file of ids" "@ids.1 :list" export --without @i
completes "... in a directory" "@dir/ids.2 :list" export --without @dir/
completes "... or standard input" "@- :list" export --without @-
if m=$(ovlctl mount web 2>/dev/null); then
	completes "a layer that is mounted" "web :words" umount ''
	completes "... its mount point" "$m :words" umount "$OVLCTL_ROOT"
	completes "... from the working directory" "${m#"$T/"} :words" umount st
	completes "... with a dot" ".${m#"$T"} :words" umount ./st
	ovlctl umount web
fi

# In the shells. A line, a bar, the completed line.
cat >lines <<'E'
ovlctl mou\t|ovlctl mount
ovlctl show debian:\t|ovlctl show debian:12
ovlctl show localhost/app:\t|ovlctl show localhost/app:1
ovlctl show at@h\t|ovlctl show at@home
ovlctl show "debi\t|ovlctl show debian:12
ovlctl export --without @ids.\t|ovlctl export --without @ids.1
ovlctl show debi\t|ovlctl show debian:12
ovlctl rm we\tdebi\t|ovlctl rm web debian:12
ovlctl ls -o NAME,KI\t|ovlctl ls -o NAME,KIND
ovlctl diff --compress=zs\t|ovlctl diff --compress=zstd
ovlctl import --max-s\t|ovlctl import --max-size
ovlctl export web a.t\t|ovlctl export web a.tar
E
mkdir functions
cp "$top/scripts/completion/ovlctl.zsh" functions/_ovlctl
printf "PS1='> '\n. %s\n" "$top/scripts/completion/ovlctl.bash" >bash.rc
printf "PS1='> '\nfpath=($T/functions \$fpath)\nautoload -U compinit; compinit -D -u\n" >zsh.rc
printf 'source %s\n' "$top/scripts/completion/ovlctl.fish" >fish.rc
cut -d'|' -f2 lines >want
for shell in bash zsh fish; do
	if ! command -v $shell >/dev/null || ! command -v python3 >/dev/null; then
		report 0 "completes in $shell # SKIP it is not installed"
		continue
	fi
	cut -d'|' -f1 lines | python3 "$top/tests/tool/typed.py" $shell "$T/$shell.rc" | sed 's/ *$//' >got
	same "completes in $shell" want got
done

done_testing
