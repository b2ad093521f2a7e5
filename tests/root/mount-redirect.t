#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# A layer that was written with redirects or metacopy is shown completely by later mounts.
printf 'dir name=d\nfile name=d/x data=x\ndir name=d/sub\nfile name=d/sub/y data=y\nfile name=big data=contents\nend\n' | mktar >a.tar
need - ovlctl import -n a a.tar
need w ovlctl create -n w a
dir=$OVLCTL_ROOT/$DRV/$w
m=$dir/merged
options() { awk -v m="$m" '$5 == m { print $6 "," $NF }' /proc/self/mountinfo; }
plain() { # WHAT
	need - ovlctl mount w
	is "a plain mount $1" "$(cat "$m/e/x" "$m/e/sub/y" "$m/big" 2>&1)" "xycontents"
	ovlctl umount w
	is "... diff" "$(ovlctl diff w | grep ' /[de]$')" "$(printf 'D /d\nA /e')"
}

if as_user; then
	for o in redirect_dir=on redirect_dir=follow metacopy=on; do
		fails 1 "option '$o' cannot be used with 'userxattr'" "-o $o" ovlctl mount -o $o w
	done
	ok "a plain mount goes on" ovlctl mount w
	ok "umount" ovlctl umount w
	is "nothing is remembered of it" "$(ls -A "$dir" | grep -E 'redirect|metacopy')" ""
	done_testing
	exit
fi

need - ovlctl mount w
no "without redirects a directory cannot be renamed" perl -e 'exit !rename "$ARGV[0]/d", "$ARGV[0]/e"' "$m"
ovlctl umount w
is "nothing is remembered of a plain mount" "$(ls -A "$dir" | grep -E 'redirect|metacopy')" ""
fails 1 "does not accept option 'nonsense=1'" "one that fails" ovlctl mount -o redirect_dir=on,nonsense=1 w
is "nothing is remembered of it" "$(ls -A "$dir" | grep -E 'redirect|metacopy')" ""
fails 1 "'redirect_dir=follow' cannot be used with 'metacopy=on'" "a contradiction" \
	ovlctl mount -o metacopy=on,redirect_dir=follow w

need - ovlctl mount -o redirect_dir=on w
ok "with redirects it can" perl -e 'exit !rename "$ARGV[0]/d", "$ARGV[0]/e"' "$m"
ovlctl umount w
plain "after redirect_dir=on"
need - ovlctl mount w
like "... follows redirects, and" 'lowerdir=' "$(options)"
is "... does not leave them alone" "$(options | grep redirect_dir=nofollow)" ""
no "... and makes none" perl -e 'exit !rename "$ARGV[0]/e/sub", "$ARGV[0]/f"' "$m"
ovlctl umount w
ok "... and the line of show" sh -c "$(ovlctl show w | jq -r '.layers[0].mount_command')"
no "... does not leave redirects alone" sh -c "options | grep nofollow"
ovlctl umount w
need - ovlctl mount -r w
is "... and a read-only one" "$(cat "$m/e/x")" x
ovlctl umount w
need - ovlctl mount -o metacopy=off w
is "... and one with metacopy=off" "$(cat "$m/e/x")" x
ovlctl umount w
need - ovlctl mount -o redirect_dir=nofollow w
no "the user has the last word" test -e "$m/e/x"
ovlctl umount w

need - ovlctl mount -o metacopy=on w
chmod 700 "$m/big"
ovlctl umount w
plain "after metacopy=on"
need - ovlctl mount w
like "... has metacopy on" 'metacopy=on' "$(options)"
ovlctl umount w
fails 1 "'redirect_dir=follow' cannot be used with 'metacopy=on', which the layer needs" "what does not go with that" \
	ovlctl mount -o redirect_dir=follow w

# metacopy alone also makes redirects.
need w ovlctl create a
dir=$OVLCTL_ROOT/$DRV/$w
m=$dir/merged
need - ovlctl mount -o metacopy=on "$w"
perl -e 'rename "$ARGV[0]/d", "$ARGV[0]/e"' "$m"
ovlctl umount "$w"
need - ovlctl mount -o metacopy=off "$w"
is "redirects made with metacopy=on" "$(cat "$m/e/x")" x
ovlctl umount "$w"

# Mounted read-only, and made writable later.
need - ovlctl create -n r a
need m ovlctl mount -r -o redirect_dir=on r
ok "a read-only mount is made writable" mount -o remount,rw "$m"
ok "... and makes redirects" perl -e 'exit !rename "$ARGV[0]/d", "$ARGV[0]/e"' "$m"
ovlctl umount r
need - ovlctl mount r
is "... which later mounts follow" "$(cat "$m/e/x")" x
ovlctl umount r

# A layer that was never mounted so is unchanged.
need - ovlctl create -n v a
need m ovlctl mount -o metacopy=off v
like "metacopy=off alone keeps redirects off" 'redirect_dir=nofollow' "$(options)"
ovlctl umount v
ok "rm" ovlctl rm r v w

done_testing
