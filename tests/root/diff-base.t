#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# Compared with any other layer: redirects and metacopies in either layer are followed, so
# that what mounts show is compared.
if as_user; then
	echo "1..0 # SKIP no redirects or metacopies in a user namespace"
	exit 0
fi
changes() { ovlctl diff "$@" | tr '\n' ';'; }

mkdir -p tree/d/sub
echo x >tree/d/x
echo y >tree/d/sub/y
echo s >tree/s
seq 10000 >tree/big
tar -C tree -cf base.tar .
need - ovlctl import -n base base.tar
need - ovlctl create -n same base

# Metacopies: data that differs, in a layer and in the base.
mkdir r o
head -c 4096 /dev/urandom >r/z
head -c 4096 /dev/zero >o/z
chmod 600 o/z
touch -d @1000 r/z o/z r o
tar -C r -cf r.tar .
tar -C o -cf o.tar .
need - ovlctl import -n random r.tar
need - ovlctl import -n zeros o.tar
need - ovlctl create -n zw random
need m ovlctl mount -o metacopy=on zw
chmod 600 "$m/z"
ovlctl umount zw
ok "a metacopy was made" sh -c "getfattr -Rhm metacopy '$(tree_of zw)' 2>/dev/null | grep -q metacopy"
is "a metacopied file with other data" "$(changes zw zeros)" "C /z;"
is "... as the base" "$(changes zeros zw)" "C /z;"

# Metacopies: the same data.
need - ovlctl create -n big base
need m ovlctl mount -o metacopy=on big
chown 0:0 "$m/big"
ovlctl umount big
ok "a metacopy was made" sh -c "getfattr -Rhm metacopy '$(tree_of big)' 2>/dev/null | grep -q metacopy"
is "a metacopied file that is the same" "$(changes big same)" ""
is "... as the base" "$(changes same big)" ""
is "... in both" "$(changes big big)" ""
need - ovlctl create -n copied base
need m ovlctl mount copied
touch -r "$m/big" ref
cat "$m/big" >b
cat b >"$m/big"
touch -r ref "$m/big"
ovlctl umount copied
is "... and one copied up whole" "$(changes big copied)" ""
is "... the other way round" "$(changes copied big)" ""

# A metacopied file that was renamed, and one in a renamed directory.
need - ovlctl create -n moved base
need m ovlctl mount -o redirect_dir=on,metacopy=on moved
mv "$m/big" "$m/d/big2"
mv "$m/d" "$m/e"
chmod 600 "$m/e/sub/y" "$m/e/x"
ovlctl umount moved
need - ovlctl create -n plain base
need m ovlctl mount plain
cp -a "$m/d" "$m/e"
rm -r "$m/d"
mv "$m/big" "$m/e/big2"
chmod 600 "$m/e/sub/y" "$m/e/x"
touch -d @1000 "$m/e" "$m/e/sub"
ovlctl umount plain
need m ovlctl mount -o redirect_dir=on,metacopy=on moved
touch -d @1000 "$m/e" "$m/e/sub"
ovlctl umount moved
ok "a redirected metacopy was made" sh -c "getfattr -Rdhm redirect '$(tree_of moved)' 2>/dev/null | grep -q /big"
is "renamed with redirects, and copied" "$(changes moved plain)" ""
is "... the other way round" "$(changes plain moved)" ""
is "... against what has neither" "$(changes same moved)" \
	"A /big;A /d;A /d/sub;A /d/sub/y;A /d/x;D /e;"

# Redirects in the base.
need - ovlctl create -n w2 base
need m ovlctl mount -o redirect_dir=on w2
mv "$m/d" "$m/D2"
ovlctl umount w2
is "a redirect, against itself" "$(changes w2 w2)" ""
is "a redirect in the base" "$(changes same w2)" "D /D2;A /d;A /d/sub;A /d/sub/y;A /d/x;"
is "a redirect in the layer" "$(changes w2 same)" "A /D2;A /D2/sub;A /D2/sub/y;A /D2/x;D /d;"
need m ovlctl mount -o redirect_dir=on w2
mv "$m/D2/sub" "$m/top"
mkdir "$m/D2/sub"
rm "$m/D2/x"
ovlctl umount w2
is "a part renamed again, another in its place" "$(changes same w2)" \
	"D /D2;A /d;A /d/sub;A /d/sub/y;A /d/x;D /top;"
is "... against itself" "$(changes w2 w2)" ""

# Ranges that are holes in both are not read.
mkdir small
mount -t tmpfs none small
mkdir small/t
truncate -s 1P small/t/huge
echo a | dd of=small/t/huge conv=notrunc oflag=seek_bytes seek=1000000000000000 2>/dev/null
chmod 644 small/t/huge
OVLCTL_ROOT=$T/small/store
export OVLCTL_ROOT
for i in 1 2; do
	need w ovlctl create -n h$i
	cp -a --sparse=always --reflink=never small/t/huge "$(tree_of h$i)/huge"
done
is "huge holes" "$(timeout -s KILL 100 ovlctl diff h1 h2)" ""
echo b | dd of="$(tree_of h2)/huge" conv=notrunc oflag=seek_bytes seek=1000000000000000 2>/dev/null
touch -r small/t/huge "$(tree_of h2)/huge"
is "... and what differs behind them" "$(timeout -s KILL 100 ovlctl diff h1 h2)" "C /huge"

done_testing
