#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# Errors on the command line are reported in one line, with status 2.
fails 2 "no command given" "no command" ovlctl
fails 2 "unknown command 'imprt'; did you mean 'import'\?" "a typo in a command" ovlctl imprt
fails 2 "unknown command 'frobnicate'; see 'ovlctl --help'" "no command at all like it" ovlctl frobnicate
fails 2 "unknown option '--rot'; did you mean '--root'\?" "a typo in a global option" ovlctl --rot
fails 2 "option '--ver' is ambiguous: --verbose or --version" "the beginning of two" ovlctl --ver
fails 2 "import: option '--ma' is ambiguous: --max-size or --max-entries" "... of a command" ovlctl import --ma 1 x
like "diff --help says which way" 'changes from BASE.* to LAYER' "$(ovlctl diff --help)"
like "export --help says where to" 'The last operand is the destination' "$(ovlctl export --help)"
fails 2 "import: unknown option '--expct'; did you mean '--expect'\?" "a typo in an option" \
	ovlctl import --expct x y
fails 2 "option '--root' must come before the command" "a global option behind the command" ovlctl ls --root x
fails 2 "ls: unknown option '-x'; see 'ovlctl ls --help'" "an unknown letter" ovlctl ls -x
fails 2 "unknown option '-x'; see 'ovlctl --help'" "... before the command" ovlctl -x ls
fails 2 "option '--root' needs a value" "no value" ovlctl --root
fails 2 "option '--compress' needs a value" "no value at the end" ovlctl diff x --compress
fails 2 "option '--read-only' takes no value" "a value too many" ovlctl mount --read-only=3 x
fails 2 "commit: option '--name' was given twice" "two values" ovlctl commit -n a --name=b x
fails 2 "mount: option '--options' was given twice" "... of mount" ovlctl mount -o ro -o nosuid x
fails 3 "no such layer 'x'" "... of one that takes several" ovlctl commit -c 'USER a' -c 'USER b' x
fails 2 "expected LAYER \\[TARGET\\]; see" "too few operands" ovlctl mount
fails 2 "unexpected operand 'c'; see" "too many operands" ovlctl mount a b c
fails 2 "unexpected operand 'b:1'; a name is given with -n" "... a name" ovlctl commit a b:1
fails 2 "option '-v' must come before the command" "a global letter after the command" ovlctl ls -v
fails 3 "no such layer 'a': there are no layers in '$T/empty'$" "a store without layers is named" \
	env -u OVLCTL_DRIVER ovlctl --root "$T/empty" show a
fails 1 "cannot open .nowhere." "suffixes in lower case" sh -c "ovlctl import --max-size 1k nowhere"
fails 2 "expected LAYER\\|TARGET" "umount of nothing" ovlctl umount
fails 2 "-a takes no operands" "umount -a x" ovlctl umount -a x
fails 2 "--sync takes none, data or all, not 'maybe'" "--sync=maybe" ovlctl --sync=maybe ls
for w in '' -1 1.5 x 1000000000; do
	fails 2 "--wait takes a number of seconds, not '$w'" "--wait '$w'" ovlctl --wait "$w" ls
done
fails 2 "unknown driver 'aufs'; the drivers are overlay2 and overlay" "--driver aufs" ovlctl --driver aufs ls
fails 2 "unknown driver 'aufs'" "OVLCTL_DRIVER=aufs" env OVLCTL_DRIVER=aufs ovlctl ls
# An empty root is an error, because it comes from an unset variable.
# From an unset variable.
for words in "import" "create" "mount" "mount w" "umount" "diff w" "commit" "tag w" "rm -f" "rm w" "ls" "show" "du" "check"; do
	fails 2 "${words%% *}: operand [12] is empty; see 'ovlctl ${words%% *} --help'" "$words ''" ovlctl $words ''
done
fails 125 "run: operand 1 is empty" "run ''" ovlctl run '' true
fails 125 "run: no such layer 'w'" "... its command has any arguments" ovlctl run w echo ''
fails 2 "ls: --root is empty" "--root ''" ovlctl --root '' ls
fails 2 "rm: OVLCTL_ROOT is empty" "OVLCTL_ROOT=" env OVLCTL_ROOT= ovlctl rm x
fails 2 "import: OVLCTL_ROOT is empty" "... where a store would be made" env OVLCTL_ROOT= ovlctl import x
is "--root wins over it" "$(OVLCTL_ROOT='' ovlctl --root "$T/none" ls)" ""
for bad in 0 -1 x 1.5 12X 99999999999999999999 17000000T; do
	fails 2 "'--max-size $bad': not a positive number" "--max-size $bad" ovlctl import --max-size=$bad x
done

# Reading does not create a store.
is "ls of no store" "$(ovlctl ls)" ""
ok "umount -a of no store" ovlctl umount -a
ok "rm -f of no store" ovlctl rm -f x
for c in mount umount diff rm show ls; do
	fails 3 "$c: no such layer 'x'" "$c of no store" ovlctl $c x
done
fails 3 "no such layer" "create on what is not there" ovlctl create nowhere
no "... no store was made by that but an empty one" sh -c "find '$OVLCTL_ROOT' -type f | grep -v 'stamp\|lock'"
rm -rf "$OVLCTL_ROOT"
mkdir d
touch d/file
for c in ls 'create' 'import x'; do
	fails 1 "'$T/d' is not empty and not a store" "a directory with something in it: ${c%% *}" ovlctl --root d $c
done
is "... is left alone" "$(ls -A d)" file
rm d/file
mkdir d/lost+found
ok "a new file system's root becomes a store" ovlctl --root d create
is "... of mode 700" "$(find d -type d ! -path 'd' ! -name lost+found ! -path '*/diff' ! -perm 700)" ""
fails 1 "cannot open the store '/etc/passwd': Not a directory" "a file as a store" ovlctl --root /etc/passwd ls
echo nonsense >d/stamp
fails 1 "its stamp is damaged" "a damaged stamp" ovlctl --root d ls
printf 'ovlctl store 99\nxattrs trusted\ndriver overlay2\n' >d/stamp
fails 1 "has format '99', this program supports only format 1" "a store of the future" ovlctl --root d ls
printf 'ovlctl store 1\nxattrs trusted\ndriver zfs\n' >d/stamp
fails 1 "the stamp of store .* is damaged" "a driver nobody knows" ovlctl --root d ls

# Help.
ovlctl --help >help
is "--help: one screen" "$([ "$(wc -l <help)" -le 36 ] && echo yes)" yes
is "--help: no line is too long" "$(awk 'length > 80' help)" ""
for c in import create mount umount run diff commit export tag rm ls show check prune help; do
	like "--help names $c" "^  $c " "$(cat help)"
	ovlctl $c --help >h
	like "$c --help says how" "^usage: ovlctl $c" "$(head -1 h)"
	is "$c --help: no line is too long" "$(awk 'length > 80' h)" ""
done
is "--version" "$(ovlctl --version)" "ovlctl $(sed -n 's/^#define OVL_VERSION *"\(.*\)"/\1/p' "$top/lib/ovl.h")"
fails 2 "unknown command or topic 'nope'; topics are store, drivers" "help of no command" ovlctl help nope
fails 2 "unknown command or topic 'impor'; did you mean 'import'?" "... by spelling" ovlctl help impor
fails 2 "unknown command or topic 'inspect'; did you mean 'show'?" "... by meaning" ovlctl help inspect
if command -v man >/dev/null; then
	for topic in ls store drivers performance changes foreign fstab; do
		like "help $topic: its page, before it is installed" "^OVLCTL-$(echo $topic | cut -c1-7 | tr '[:lower:]' '[:upper:]')" \
			"$(MANPAGER='cat' ovlctl help $topic 2>/dev/null | head -1)"
	done
fi
like "-h after a command" "^usage: ovlctl ls" "$(ovlctl ls -h | head -1)"
for pair in load:import save:export images:ls layers:ls inspect:show history:show remove:rm \
	delete:rm fsck:check verify:check gc:prune unmount:umount stop:umount start:mount rename:tag \
	exec:run chroot:run; do
	fails 2 "unknown command '${pair%:*}'; did you mean '${pair#*:}'\\?" "by meaning: $pair" ovlctl ${pair%:*}
done
for word in run rmi exec mr prunr; do
	no "never suggested: rm for $word" sh -c "ovlctl $word 2>&1 | grep \"'rm'\""
done
no "nor prune for run" sh -c "ovlctl run 2>&1 | grep prune"
fails 2 "expected LAYER... FILE\\|DIR\\|-; see 'ovlctl export --help'" "what is missing is named" ovlctl export x
like "help without man" "^usage: ovlctl import" "$(PATH=$top/build/$MODE ovlctl help import | head -1)"
if [ -e /dev/full ]; then
	fails 1 "cannot write to standard output" "--help to a full disk" sh -c 'exec ovlctl --help >/dev/full'
fi

# The location of the store.
is "OVLCTL_ROOT" "$(OVLCTL_ROOT=$T/e ovlctl create >/dev/null; ls "$T/e/stamp")" "$T/e/stamp"
is "--root wins" "$(OVLCTL_ROOT=$T/e ovlctl --root "$T/f" create >/dev/null; ls "$T/f/stamp")" "$T/f/stamp"
is "a relative root" "$(ovlctl --root e ls -n | wc -l)" 1
is "directories on the way are made" "$(ovlctl --root g/h/i create >/dev/null; stat -c %a g/h g/h/i | tr '\n' ' ')" "755 700 "

# A terminal.
if script -qec true /dev/null >/dev/null 2>&1; then
	escapes() {
		script -qec "ovlctl nope" /dev/null </dev/null | grep -c "$(printf '\033\\[31m')"
	}
	is "an error on a terminal is red" "$(unset NO_COLOR && TERM=xterm escapes)" 1
	is "... not with NO_COLOR" "$(NO_COLOR=1 TERM=xterm escapes)" 0
	is "... not where it is dumb" "$(unset NO_COLOR && TERM=dumb escapes)" 0
	is "... not in a pipe" "$(unset NO_COLOR && TERM=xterm ovlctl nope 2>&1)" \
		"ovlctl: unknown command 'nope'; see 'ovlctl --help'"
	like "import - from a terminal says what it waits for" "import: reading from the terminal" \
		"$(printf '\004' | script -qec "ovlctl import -" /dev/null)"
fi

done_testing
