#!/bin/sh
# not in a user namespace: makes its own
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# A user without privileges mounts layers in "unshare -rm" only, and uses ovlctl
# outside of that, too. There, layers in use are refused as well, and others are not.
chmod 755 "$T"
mkdir home
chown 1000:1000 home
exe=$(command -v ovlctl)
cp "$exe" "$T/ovlctl-user" 2>/dev/null
chmod 755 "$T/ovlctl-user"
user() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
O=$T/ovlctl-user
export O
OVLCTL_ROOT=$T/home/store
user unshare -rm true 2>/dev/null || cannot "make a user namespace"
printf 'file name=f data=1\nend\n' | mktar >a.tar
need - user unshare -rm "$O" import -n a a.tar
need - user unshare -rm "$O" create -n w a
user unshare -rm "$O" mount w >/dev/null 2>&1 || cannot "mount as a user"

# A job that has detached them, with a file open, until the file "go" exists.
job() { # LAYER...
	rm -f home/go home/up
	user unshare -rm sh -c 'for l; do
		m=$($O mount $l) || exit
		exec 9<"$m/f" && $O umount -l $l || exit
		sleep 60 &
		p="$p $!"
	done
	exec 9<&-
	echo up >"$HOME/up"
	until [ -e "$HOME/go" ]; do sleep 0.02; done
	kill $p' - "$@" >job.out 2>&1 &
	pid=$!
	until_true written home/up
}
HOME=$T/home
export HOME
ends() { # MESSAGE COMMAND...
	what=$1
	shift
	: >home/go
	wait $pid
	ok "$what" "$@"
}

asked() {
	fails 4 "layer 'w' is mounted, .*still in use" "$1: rm" user $2 "$O" rm w
	fails 4 "layer 'w' is mounted, .*still in use" "$1: commit" user $2 "$O" commit w
	fails 4 "layer '[aw]' is mounted, .*still in use" "$1: an image layer" user $2 "$O" rm -r a
}
job w a
asked "from outside" ""
asked "ustat is refused" noustat
fails 4 "layer 'w' is already mounted, .*still in use" "mount from another namespace" \
	user unshare -rm "$O" mount w
fails 4 "layer 'w' is mounted, .*still in use" "root" ovlctl rm w
fails 4 "layer 'w' is mounted, .*still in use" "root without CAP_SYS_ADMIN" \
	setpriv --bounding-set -sys_admin --inh-caps -sys_admin ovlctl rm w
ends "when the job has ended it is free" user unshare -rm "$O" --wait 60 commit -n c w
is "check" "$(user unshare -rm "$O" check --content 2>&1)" ""

need - user unshare -rm "$O" create -n v c
job v
ends "... and so for rm, ustat refused" user noustat "$O" --wait 60 rm v
need - user unshare -rm "$O" create -n v c
# The layer is mounted, and its namespace ends.
need - user unshare -rm "$O" mount v
ok "a mount that ended with its namespace" user "$O" --wait 60 rm v
need - user unshare -rm "$O" create -n v c
need - user unshare -rm "$O" mount v
ok "... where the parent ignores its children" user perl -e '$SIG{CHLD} = "IGNORE"; exec @ARGV' \
	noustat -k "$O" --wait 2 rm v
need - user unshare -rm "$O" create -n v c
need - user unshare -rm "$O" mount v
rm "$OVLCTL_ROOT/$DRV/$(user "$O" ls -nr -o ID v)"/.mount.*
ok "... and had no note: the kernel is asked" user "$O" --wait 60 rm v

done_testing
