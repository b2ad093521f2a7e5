#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# not in a user namespace: calls are counted with strace

# Time grows no faster than the input, even a hostile one: calls and CPU time are counted.
can_trace || cannot "strace"

count_of() { # CALLS COMMAND...
	trace=$1
	shift
	traced -qq -c -o count -e trace="$trace" "$@" >out 2>err
	awk '$NF == "total" { print $4 }' count
}

# A mistyped name costs the same whatever the number of layers, and no layer is opened.
for n in 1 2; do
	need - ovlctl create -n layer$n
	traced -qq -y -o near$n -e trace=%file,flock,getdents64 ovlctl show laeyr1 >/dev/null 2>near
	[ $n = 2 ] || for more in $(seq 20); do need - ovlctl create -n more$more; done
done
is "a mistyped name" "$(cat near)" "ovlctl: show: no such layer 'laeyr1'; did you mean 'layer1'?"
is "... costs the same with more layers" "$(wc -l <near2)" "$(wc -l <near1)"
traced -qq -o far -e trace=flock ovlctl show lay >/dev/null 2>&1
is "... takes no lock" "$(grep -c flock near2)" "$(wc -l <far)"
need - ovlctl rm $(ovlctl ls -q)

# Deep directories without an entry in the tar, on layers that all have those above
# them: each is looked up in its parent, not from the root.
deep=$(yes c | head -200 | paste -sd/)
for i in 1 2 3 4 5 6 7 8; do
	{ printf 'file gnuname=1 name=%s/low%s data=1\nend\n' "$deep" $i; } | mktar >low.tar
	ovlctl import -n low$i ${below:+-p $below} low.tar >/dev/null || exit 1
	below=low$i
done
for i in $(seq 40); do
	echo "file gnuname=1 name=$deep/s$i/a/b/c/d/e/f data=1"
done >lines
{ cat lines; echo end; } | mktar >siblings.tar
n=$(count_of openat,openat2 ovlctl import -p low8 siblings.tar)
ok "directories far down on eight layers (${n:-no} opens)" test "${n:-99999}" -lt 20000

# An image of many layers, whose tars have all directories: no layer opens all below it.
is_overlay || {
	for i in $(seq 150); do
		printf 'dir name=d\nfile name=d/f%d data=%d\nend\n' $i $i | mktar >stack$i.tar
	done
	image_of stack.tar stack*.tar
	n=$(count_of openat,openat2 ovlctl --sync=none import stack.tar)
	ok "an image of 150 layers (${n:-no} opens)" test "${n:-99999}" -lt 8000
	for c in check "ls -J"; do
		n=$(count_of openat ovlctl $c)
		ok "... $c (${n:-no} opens)" test "${n:-99999}" -lt 5000
	done
}

# Names in ACLs: the files that have their numbers are read once.
acl=$(awk -F: 'NR < 9 { printf "user:%s:r,", $1 }' /etc/passwd)user::rw,group::r,mask::r,other::r
for i in $(seq 50); do
	echo "file name=f$i pax.SCHILY.acl.access=$acl"
done >lines
{ cat lines; echo end; } | mktar >acl.tar
n=$(count_of openat ovlctl import acl.tar)
ok "names in ACLs (${n:-no} opens)" test "${n:-99999}" -lt 200

# Files that occur twice, whose names an export has to find.
samehash 20000 60 1000 >twice.tar
ovlctl import -n twice twice.tar >/dev/null
ok "names of one hash: export" prlimit --cpu=4 ovlctl diff -o got.tar twice
same "... gives the tar" got.tar twice.tar
ok "names of one hash: check" prlimit --cpu=4 ovlctl check --content twice

# A manifest with many members and many names, and a layer given twice that is a single hole.
printf 'file name=f data=1\nend\n' | mktar >l.tar
digest=$(sha256sum <l.tar | cut -d' ' -f1)
printf '{"os":"linux","rootfs":{"diff_ids":["sha256:%s"]}}' "$digest" >c.json
{
	printf '[{"Config":"c.json","Layers":["l.tar"],"RepoTags":[null'
	yes ,null | head -49000 | tr -d '\n'
	printf ']'
	seq 49000 | sed 's/.*/,"k&":1/' | tr -d '\n'
	printf '}]'
} >manifest.json
need - tar -cf image.tar c.json l.tar manifest.json
is "many members and names" "$(prlimit --cpu=4 ovlctl import image.tar)" "$digest"
printf x >l.tar
need - truncate -s 1T l.tar
need - tar -Scf image.tar c.json l.tar manifest.json
need - tar -Srf image.tar l.tar
ok "a huge hole that comes twice, of a layer that is there" prlimit --cpu=4 ovlctl import image.tar

# A plan of prune for four times the layers, of which four times as many are mounted. Other
# processes may have mounts, which are examined too; there may be more the second time.
for n in 40 160; do
	for i in $(seq $n); do
		ovlctl --root plan$n --sync=none create || exit 1
	done >layers$n
done
plan_of() { # LAYERS
	head -$(($1 / 4)) layers$1 | while read -r w; do
		ovlctl --root plan$1 mount "$w" >/dev/null || echo "cannot mount $w"
	done
	count_of openat,readlinkat,/fstatat ovlctl --root plan$1 prune --layers --writable --unused-for 0 --dry-run
	ovlctl --root plan$1 umount -a
	[ "$(wc -l <out)" = $(($1 * 3 / 4)) ] || echo "plans $(wc -l <out)"
}
plans_are_linear() {
	few=$(plan_of 40)
	many=$(plan_of 160)
	[ "$many" -lt $((5 * few)) ]
}
plans_are_linear || plans_are_linear || plans_are_linear
report $? "a plan of prune ($few and $many calls)"

# Details of four times the layers, on a layer with four times the names.
for n in 20 80; do
	need base ovlctl --root named$n import low.tar
	for i in $(seq $n); do
		ovlctl --root named$n --sync=none create -n w$i $base >/dev/null &&
			ovlctl --root named$n --sync=none tag $base n$i || exit 1
	done
done
for c in "show" "ls" "ls -J"; do
	few=$(count_of openat,readlinkat,/fstatat ovlctl --root named20 $c $(seq -f w%.0f 20))
	many=$(count_of openat,readlinkat,/fstatat ovlctl --root named80 $c $(seq -f w%.0f 80))
	ok "$c ($few and $many calls)" test "$many" -lt $((5 * few))
done

# Hints of layers that do not exist, while interrupted removals lie in the trash.
need base ovlctl --root hints import low.tar
need - ovlctl --root hints create $base
hints=hints/$DRV/$base/.children
for i in $(seq 50); do
	mkdir -p "$(printf 'hints/trash/%064d' $i)" || exit 1
	: >"$(printf "$hints/%064d" $((1000 + i)))" || exit 1
done
n=$(count_of openat ovlctl --root hints prune --dry-run)
ok "hints of removed layers ($n calls)" test "${n:-99999}" -lt 500
is "... which are all found" "$(grep -c '^hint' out)" 50

# Many images of one layer, each with its own config.
digest=$(sha256sum <low.tar | cut -d' ' -f1)
for i in $(seq 40); do
	printf '{"os":"linux","author":"%d","rootfs":{"diff_ids":["sha256:%s"]}}' "$i" "$digest" >c$i.json
	echo "{\"Config\":\"c$i.json\",\"Layers\":[\"low.tar\"],\"RepoTags\":[\"many:$i\"]}"
done | paste -sd, | sed 's/.*/[&]/' >manifest.json
need - tar -cf images.tar low.tar c?.json c??.json manifest.json
need - ovlctl import images.tar
n=$(count_of getdents64,openat ovlctl export --format docker $(seq -f many:%.0f 40) images2.tar)
ok "export of many names of a layer (${n:-no} calls)" test "${n:-99999}" -lt 200

# As many paths as changes.
mkdir on
need - ovlctl create -n on --on on
(cd "$(tree_of on)" && mkdir d && seq 30000 | sed 's,^,d/,' | xargs touch)
ok "apply of many paths" sh -c 'prlimit --cpu=4 ovlctl apply --dry-run on d/1 $(seq 30000 | sed s,^,d/,) >out'
is "... which are all listed" "$(grep -c . out)" 30000
fails 1 "no change at 'd/30001'" "... a path without a change" ovlctl apply on d/2 d/30001
fails 1 "no change at 'd-'" "... a name that is like one" ovlctl apply on d/2 d-

# With few descriptors, the threads of import and commit must not wait for each other
# for every file.
seq 3000 | sed 's/.*/file name=f& data=&/' >lines
{ cat lines; echo end; } | mktar >many.tar
need - ovlctl create -n w
need m ovlctl mount w
tar -C "$m" -xf many.tar
need - ovlctl umount w
n=$(count_of futex prlimit --nofile=1024:1024 ovlctl import many.tar)
ok "few open files: import (${n:-no} futex calls)" test "${n:-99999}" -lt 3000
n=$(count_of futex prlimit --nofile=1024:1024 ovlctl commit w)
ok "... commit (${n:-no} futex calls)" test "${n:-99999}" -lt 3000
ok "... import with very few" prlimit --nofile=64:64 ovlctl import -n few -p twice many.tar
done_testing
