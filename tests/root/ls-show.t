#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

is "no store: nothing" "$(ovlctl ls 2>err)" ""
is "... which is said" "$(cat err)" "ovlctl: ls: there are no layers in '$OVLCTL_ROOT'"
is "... or not" "$(ovlctl -q ls 2>&1)" ""
is "no store: JSON" "$(ovlctl -q ls -J | jq -c .)" '{"layers":[]}'
printf 'file name=f fill=1500\nend\n' | mktar >a.tar
printf 'file name=g fill=3000000\nend\n' | mktar >b.tar
need a ovlctl import -n base a.tar
need b ovlctl import -p base b.tar
need w ovlctl create -n web "$b"
need v ovlctl create base
need m ovlctl mount web

is "default columns" "$(ovlctl ls | head -1 | tr -s ' ' | sed 's/ $//')" \
	"NAME ID KIND PARENT DEPTH SIZE CREATED MOUNTPOINT"
is "a line a layer" "$(ovlctl ls -n | wc -l)" 4
is "chosen columns" "$(ovlctl ls -nr -o NAME,KIND,DEPTH,LOWERS base web)" "$(printf "base image 0 0\nweb writable 2 $(is_overlay && echo 1 || echo 2)")"
is "columns in any case" "$(ovlctl ls -nr -o name,kind base)" "base image"
is "a column that is there already is not added again" \
	"$(ovlctl ls -n -r -o +SIZE,name base)" "$(ovlctl ls -nr base)"
for i in 1 2 3 4 5 6 7 8; do
	need - ovlctl tag "$v" "$(printf '%0150d' $i)"
done
ok "many names do not widen the table" test "$(ovlctl ls | grep -v 0000 | wc -L)" -lt 1000
for i in 1 2 3 4 5 6 7 8; do
	need - ovlctl tag -d "$(printf '%0150d' $i)"
done
is "more columns" "$(ovlctl ls -nr -o +DRIVER,ENTRIES base | awk '{print $(NF-1), $NF}')" "$DRV 1"
is "sizes for people" "$(ovlctl ls -nr -o SIZE "$a" "$b" | tr '\n' ' ')" "1.5K 2.9M "
is "sizes in bytes" "$(ovlctl ls -nrb -o SIZE "$a" "$b" | tr '\n' ' ')" "1500 3000000 "
is "a writable layer is not walked unasked" "$(ovlctl ls -n --kind writable | grep -c ' [0-9.]*[BKM] ')" 0
empty=$(du -s -B1 "$OVLCTL_ROOT/$DRV/$w/$UPPER" | cut -f1)
is "... when asked it is" "$(ovlctl ls -nrb -o SIZE,KIND web)" "$empty writable"
is "mounted where" "$(ovlctl ls -nr -o MOUNTPOINT web)" "$m"
like "created: absolute" '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[+-][0-9]{2}:[0-9]{2}$' "$(ovlctl ls -nr -o CREATED web)"
is "by name, id, short id, prefix" \
	"$(ovlctl ls -nr -o ID base "$b" "$(ovlctl ls -nr -o LINK web)" "$(echo "$v" | cut -c1-8)" | sort)" \
	"$(printf '%s\n' "$a" "$b" "$w" "$v" | sort)"
of_b=sha256:$(sha256sum <b.tar | cut -d' ' -f1)
is "by diff id" "$(ovlctl ls -q "$of_b")" "$b"
need c ovlctl import b.tar
is "... an id comes first" "$(ovlctl ls -q "$of_b")" "$c"
need - ovlctl rm "$c"
need c ovlctl import -p "$b" b.tar
fails 2 "'$of_b' is ambiguous: 2 layers match" "... of two layers" ovlctl show "$of_b"
need - ovlctl rm "$c"
fails 3 "no such layer 'sha256:0{64}'" "... of none" ovlctl show "sha256:$(printf '%064d' 0)"
is "one named twice is listed once" "$(ovlctl ls -nr -o NAME base "$a")" base
is "a tree" "$(ovlctl ls -n --tree -o NAME)" "$(printf 'base\n├─%s\n│ └─web\n└─%s' "$(echo "$b" | cut -c1-12)" "$(echo "$v" | cut -c1-12)")"
is "a tree without its root" "$(ovlctl ls -n --tree -o NAME "$b" web)" "$(printf '%s\n└─web' "$(echo "$b" | cut -c1-12)")"
is "a tree as JSON" "$(ovlctl ls -J --tree -o NAME | jq -c '.layers[0].children[0].children[0].names[0]')" '"web"'
is "JSON" "$(ovlctl ls -Jb -o NAME,ID,SIZE,DEPTH,PARENT,MOUNTPOINT base web | command jq -c '.layers[]')" \
	"{\"names\":[\"base\"],\"id\":\"$a\",\"size\":1500,\"depth\":0,\"parent\":null,\"mounts\":[]}
{\"names\":[\"web\"],\"id\":\"$w\",\"size\":$empty,\"depth\":2,\"parent\":\"$b\",\"mounts\":[\"$m\"]}"
fails 2 "unknown column 'NOPE'; the columns are NAME, ID" "an unknown column" ovlctl ls -o NAME,NOPE
fails 3 "no such layer 'nope'$" "an unknown layer" ovlctl ls base nope
for command in ls show mount rm; do
	fails 3 "no such layer 'bsae'; did you mean 'base'\?$" "... like another: $command" ovlctl $command bsae
done
fails 3 "no such layer 'wbe'$" "... of three characters" ovlctl ls wbe
need - ln -s "../$DRV/$(printf '%064d' 0)" "$OVLCTL_ROOT/names/dangling"
fails 3 "no such layer 'dangelng'$" "... like a name that leads nowhere" ovlctl ls dangelng
rm "$OVLCTL_ROOT/names/dangling"
fails 2 "-J and -r cannot be used together" "-J -r" ovlctl ls -J -r
fails 2 "--tree and -q cannot be used together" "--tree -q" ovlctl ls --tree -q
fails 2 "unknown kind 'nope'; the kinds are image and writable" "an unknown kind" ovlctl ls --kind nope
fails 2 "unknown column 'nope'; the columns are NAME" "sorted by nothing" ovlctl ls --sort nope
is "-q: ids, whole" "$(ovlctl ls -q | sort)" "$(printf '%s\n' "$a" "$b" "$w" "$v" | sort)"
is "--kind image" "$(ovlctl ls -q --kind image)" "$(printf '%s\n%s' "$a" "$b")"
is "--kind writable" "$(ovlctl ls -q --kind writable | sort)" "$(printf '%s\n' "$w" "$v" | sort)"
is "--sort SIZE" "$(ovlctl ls -nrb --sort size -o SIZE --kind image)" "$(printf '1500\n3000000')"
is "--sort ID" "$(ovlctl ls -q --sort id)" "$(printf '%s\n' "$a" "$b" "$w" "$v" | sort)"
is "a tree, sorted" "$(ovlctl ls -n --tree --sort ID -o NAME base web "$b" | tr -d ' \n')" "base└─$(echo "$b" | cut -c1-12)└─web"
echo more >"$m/f"
ovlctl umount web
for i in 1 2 3 4 5 6 7 8; do
	need - ovlctl create -n made$i
done
is "in the order of creation, within a second too" "$(ovlctl ls -nr -o NAME | grep -o 'made[0-9]' | tr -d '\n')" \
	made1made2made3made4made5made6made7made8
ovlctl rm made1 made2 made3 made4 made5 made6 made7 made8

# No layer's tree is walked.
if can_trace; then
	traced -o trace ovlctl ls >/dev/null
	is "ls opens no tree" "$(grep -c "/$TREE\"" trace)" 0
	like "ls reads a file a layer" '^4$' "$(grep -c 'openat.*\.layer' trace)"
fi

# Names that are not valid text.
odd=$T/$(printf 'm\377')
two=$T/$(printf 'two\nlines')
mkdir "$odd" "$two"
need - ovlctl mount base "$odd"
need - ovlctl mount base "$two"
ovlctl ls -J base >json
ok "JSON of a mount point that is not UTF-8" jq -e . json
is "... escaped" "$(jq -r '.layers[0].mounts[0]' json)" "$T/m\\377"
is "... and exact" "$(jq -r '.layers[0].mounts_raw[0]' json | base64 -d | od -An -tx1)" \
	"$(printf %s "$odd" | od -An -tx1)"
is "... of one with a line break: as it is" "$(jq -r '.layers[0].mounts[1]' json)" "$two"
is "... and exact" "$(jq -r '.layers[0].mounts_raw[1]' json | base64 -d)" "$two"
is "a line each in a table" "$(ovlctl ls -n -o MOUNTPOINT base | sed 's/ *$//')" \
	"$(printf '%s\n%s' "$T/m\\377" "$T/two\\012lines")"
is "one line in raw" "$(ovlctl ls -nr -o MOUNTPOINT base | wc -l)" 1
ovlctl show base >json
ok "show: JSON of a mount point that is not UTF-8" jq -e . json
is "show: escaped" "$(jq -r '.layers[0].mounts[0]' json)" "$T/m\\377"
is "show: and exact" "$(jq -r '.layers[0].mounts_raw[0]' json | base64 -d | od -An -tx1)" \
	"$(printf %s "$odd" | od -An -tx1)"
umount "$odd" "$two"
ovlctl ls -J base >json
is "no _raw of what is text" "$(jq -c '.layers[0] | has("mounts_raw")' json)" false
root=$T/$(printf 'store\351')
ovlctl --root "$root" import -n x a.tar >/dev/null
ovlctl --root "$root" ls -J -o PATH >json
ok "JSON of a root that is not UTF-8" jq -e . json
is "... escaped" "$(jq -r '.layers[0].path' json)" "$T/store\\351/$DRV/$a"
is "... and exact" "$(jq -r '.layers[0].path_raw' json | base64 -d | od -An -tx1)" \
	"$(printf %s "$root/$DRV/$a" | od -An -tx1)"
is "escaped in a table" "$(ovlctl --root "$root" ls -n -o PATH)" "$T/store\\351/$DRV/$a"
ovlctl --root "$root" show x >json
is "show: paths" "$(jq -r '.layers[0].tree' json)" "$T/store\\351/$DRV/$a/$TREE"
is "show: exact paths" "$(jq -r '.layers[0].tree_raw' json | base64 -d | od -An -tx1)" \
	"$(printf %s "$root/$DRV/$a/$TREE" | od -An -tx1)"

# Many.
i=0
while [ $i -lt 300 ]; do
	ovlctl create -n "many/$i" base >/dev/null || break
	i=$((i + 1))
done
is "300 more" "$(ovlctl ls -n | wc -l)" 304
is "in the order they were made, as far as seconds tell" "$(ovlctl ls -nr -o CREATED | sort -c && echo yes)" yes
ovlctl ls -nr -o NAME | grep many | xargs ovlctl rm

# show
ovlctl show web >json
j() { jq -r ".layers[0] | $1" json; }
is "show: id" "$(j .id)" "$w"
is "show: names" "$(j '.names[]')" web
is "show: kind, driver, depth" "$(j '[.kind,.driver,.depth]|join(" ")')" "writable $DRV 2"
is "show: the stack, nearest first" "$(j '.stack[].id')" "$(printf '%s\n%s' "$b" "$a")"
is "show: diff ids of the stack" "$(j '.stack[].diff_id')" \
	"$(printf 'sha256:%s\nsha256:%s' "$(sha256sum <b.tar | cut -d' ' -f1)" "$(sha256sum <a.tar | cut -d' ' -f1)")"
is "show: paths" "$(j .tree)" "$OVLCTL_ROOT/$DRV/$w/$UPPER"
is "show: no mount" "$(j '.mounts|length')" 0
members="id names kind driver link chain_id diff_id parent depth size entries created used mounts uses path engine_id tree work merged stack lowers mount_command mount_note tar_size stack_size unique_size shared_size configs config adopted"
is "show: all of its members, in their order" \
	"$(command jq -r '.layers[0]|keys_unsorted|join(" ")' json)" "$members"
is "... which are those of ls" \
	"$(ovlctl ls -J | command jq -r '.layers[]|keys_unsorted|join(" ")' | sort -u)" "$members"
is "... with the same values, except what would want a walk" \
	"$(ovlctl ls -J web | jq -c '.layers[0] | [.size, .stack_size, .unique_size, .shared_size]')" \
	"[null,null,null,null]"
same_members='.layers[0] | del(.size, .stack_size, .unique_size, .shared_size)'
is "... of a writable layer" "$(ovlctl ls -J web | jq -c "$same_members")" "$(jq -c "$same_members" json)"
is "... of an image layer" "$(ovlctl ls -J base | jq -c .)" "$(ovlctl show base | jq -c .)"
is "show of several, in their order" "$(ovlctl show web base "$v" | jq -r '.layers[].id')" \
	"$(printf '%s\n' "$w" "$a" "$v")"
fails 3 "no such layer 'nope'" "... of which one is not there" ovlctl show web nope
is "... of a layer below" "$(command jq -r '.layers[0].stack[0]|keys_unsorted|join(" ")' json)" \
	"id missing diff_id link size"
command jq . json >pretty
same "show: a member a line, two spaces an indent" json pretty
need - ovlctl mount web
is "show: mounts" "$(ovlctl show web | jq -r '.layers[0] | .mounts[]')" "$m"
ovlctl umount web
is_overlay || is "show: the link is in l/" "$(readlink "$OVLCTL_ROOT/$DRV/l/$(j .link)")" "../$w/diff"
ovlctl show base >json
is "show of an image layer" "$(j '[.kind,.chain_id,.diff_id,.parent,.size,.entries]|map(tostring)|join(" ")')" \
	"image sha256:$a sha256:$a null 1500 1"
is "... size of its tar" "$(j .tar_size)" "$(stat -c %s a.tar)"
is "... which two layers need" "$(j '[.stack_size,.unique_size,.shared_size]|join(" ")')" "1500 0 1500"
sizes() { ovlctl show "$1" | jq -r '.layers[0] | [.stack_size,.unique_size,.shared_size]|join(" ")'; }
head -c 100000 /dev/zero >"$(tree_of web)/zero"
need - ln "$(tree_of web)/zero" "$(tree_of web)/again"
is "a file with two names takes its space once" "$(ovlctl ls -nrb -o SIZE web)" \
	"$(du -s -B1 "$(tree_of web)" | cut -f1)"
rm "$(tree_of web)/zero" "$(tree_of web)/again"
need own ovlctl ls -nrb -o SIZE web
is "a writable layer has a size" "$(j .size):$(ovlctl show web | jq -c '.layers[0].size')" "1500:$own"
is "show: sizes of a stack" "$(sizes web)" "$((own + 3001500)) $((own + 3000000)) 1500"
ovlctl rm "$v"
is "... a name needs a layer" "$(sizes web)" "$((own + 3001500)) $((own + 3000000)) 1500"
ovlctl tag "$a" second
ovlctl tag -d base
is "... any name" "$(sizes web)" "$((own + 3001500)) $((own + 3000000)) 1500"
ovlctl tag -d second
is "... without, it is this one's alone" "$(sizes web)" "$((own + 3001500)) $((own + 3001500)) 0"
is "... a layer with one on top has nothing alone" "$(sizes "$b")" "3001500 0 3001500"
ovlctl tag "$a" base
is "show: no config" "$(ovlctl show base | jq -c '.layers[0] | [.config,.configs]')" '[null,[]]'
mkdir "$OVLCTL_ROOT/$DRV/$a/.configs"
c1=$(printf '%064d' 1)
c2=$(printf '%064d' 2)
echo '{"os":"linux"}' >"$OVLCTL_ROOT/$DRV/$a/.configs/$c1"
is "show: the only config" "$(ovlctl show "$a" | jq -c '.layers[0] | [.config.os,.configs]')" "[\"linux\",[\"sha256:$c1\"]]"
echo '{"os":"plan9"}' >"$OVLCTL_ROOT/$DRV/$a/.configs/$c2"
printf %s "$c2" >"$OVLCTL_ROOT/$DRV/$a/.names/base"
is "show: one of two, by name" "$(ovlctl show base | jq -c '.layers[0] | [.config.os,.configs]')" "[\"plan9\",[\"sha256:$c1\",\"sha256:$c2\"]]"
is "... but not by id" "$(ovlctl show "$a" | jq -c '.layers[0] | [.config,(.configs|length)]')" "[null,2]"
rm -r "$OVLCTL_ROOT/$DRV/$a/.configs"
fails 3 "no such layer" "show of nothing" ovlctl show nothing

# The mount command, typed by hand, makes the same mount.
for l in web base "$b"; do
	ovlctl show "$l" >json
	ok "the mount command of $(echo "$l" | cut -c1-12) works" sh -c "$(j .mount_command)"
	is "... and shows the tree" "$(ls "$(j .path)/merged" | head -1)" f
	umount "$(j .path)/merged"
done

# A layer whose parents are missing.
mv "$OVLCTL_ROOT/$DRV/$a" away
ovlctl show web >json
is "show with a missing layer below" "$(jq -c '.layers[0].stack[] | [.id, .missing]' json)" \
	"$(printf '["%s",false]\n["%s",true]' "$b" "$a")"
mv away "$OVLCTL_ROOT/$DRV/$a"
mv "$OVLCTL_ROOT/$DRV/$b" away
ovlctl show web >json
is "show with a missing parent" "$(jq -c '.layers[0] | [.id, .parent, [.stack[] | .id, .missing, .size]]' json)" \
	"[\"$w\",\"$b\",[\"$b\",true,null]]"
mv away "$OVLCTL_ROOT/$DRV/$b"

need m ovlctl mount web
# The kernel may give a device number to another mount before it frees the key of the old one.
base_unused() { [ "$(ovlctl ls -nr -o USES base)" = 0 ]; }
until_true base_unused
is "USES: mounted here" "$(ovlctl ls -nr -o USES,MOUNTPOINT web base | tr '\n' ',')" "0 ,1 $m,"
# Unreadable files are not taken for missing ones.
if can_trace; then
	unread() { # ERROR DIRECTORY COMMAND...
		error=$1 dir=$OVLCTL_ROOT/$DRV/$w$2
		shift 2
		traced -qq -o /dev/null -P "$dir" -e trace=getdents64 -e inject=getdents64:error="$error" "$@" 2>err
	}
	like "a size that cannot be read" "^ 1:.*warning: layer $(echo "$w" | cut -c1-12): its size is not known: Input/output error$" \
		"$(unread EIO "/$UPPER" ovlctl ls -nr -o SIZE,USES web):$(cat err)"
	like "... uses" "^ [0-9]+:.*warning: layer $(echo "$w" | cut -c1-12): its uses are not known: Input/output error$" \
		"$(unread EIO "" ovlctl ls -nr -o USES,DEPTH web):$(cat err)"
	no "... for want of memory" unread ENOMEM "/$UPPER" ovlctl ls -o SIZE web
	like "... says so" "cannot read layer .*: Cannot allocate memory$" "$(cat err)"
fi
in_namespace pid true
need - ovlctl umount web
is "... elsewhere" "$(ovlctl ls -nr -o USES,MOUNTPOINT web)" "1 "
is "... in JSON" "$(ovlctl show web | jq -c '.layers[0] | [.uses, .mounts]')$(ovlctl ls -J web base | jq -c '[.layers[].uses]')" "[1,[]][0,1]"
end "$pid"
not_used() { [ "$(ovlctl ls -nr -o USES web)" = 0 ]; }
soon "... no more" not_used
fails 2 "-o: no columns given" "no columns" ovlctl ls -o ''
need - ovlctl create -n torn
need id ovlctl ls -nr -o ID torn
like "a layer by its digest" "$id" "$(ovlctl ls -nr -o ID "sha256:$id")"
rm "$OVLCTL_ROOT/$DRV/$id/.layer"
ovlctl ls >out 2>err
like "a layer without metadata is told of" "warning: layer .* is damaged and not listed" "$(cat err)"
no "... and not listed" grep -q torn out
ovlctl rm torn
if script -qec true /dev/null >/dev/null 2>&1; then
	need - ovlctl create -n onterm
	on_terminal() { # COLUMNS COMMAND...
		cols=$1
		shift
		script -qec "stty cols $cols; $*" /dev/null </dev/null | tr -d '\r'
	}
	id=$(ovlctl ls -nr -o ID onterm | cut -c1-12)
	like "ids on a terminal have 12 digits" "[ 	]$id " "$(on_terminal 60 ovlctl ls onterm)"
	long=docker.io/library/registry.example.com/team/service:1.2.3
	need - ovlctl tag onterm "$long"
	need - ovlctl tag onterm second
	need - ovlctl mount onterm
	mkdir "$T/a-place-to-mount-what-is-of-a-long-name"
	need - ovlctl mount web "$T/a-place-to-mount-what-is-of-a-long-name"
	for cols in 40 60 80 120 200; do
		on_terminal $cols "ovlctl ls; ovlctl ls --tree; ovlctl ls --tree -o NAME,MOUNTPOINT" >out
		ok "fits $cols columns" test "$(wc -L <out)" -le $cols
		like "... the tag stays" '1\.2\.3' "$(cat out)"
	done
	is "... the default mount point is short" "$(on_terminal 80 ovlctl ls onterm | grep -c ' \.\.\./merged')" 1
	is "... at 80 columns, these" "$(on_terminal 80 ovlctl ls | head -1 | tr -s ' ' | sed 's/ $//')" \
		"NAME ID KIND SIZE CREATED MOUNTPOINT"
	is "... at 200, all" "$(on_terminal 200 ovlctl ls | head -1 | tr -s ' ' | sed 's/ $//')" \
		"NAME ID KIND PARENT DEPTH SIZE CREATED MOUNTPOINT"
	like "... names whole" "$long" "$(on_terminal 200 ovlctl ls)"
	like "a column that was asked for is there" 'DEPTH' "$(on_terminal 80 ovlctl ls -o +DEPTH)"
	like "ids that were asked for are cut before paths" "^$id /" "$(on_terminal 150 ovlctl ls -no ID,PATH onterm)"
	ovlctl umount -a
	ovlctl tag -d "$long"
	ovlctl tag -d second

	printf 'dir name=d\nend\n' | mktar | ovlctl import -n none - >/dev/null
	# The output for a pipe is made differently from that for a terminal.
	for how in "-o NAME,ID,CREATED,PATH" "-no PARENT,LINK,DIFFID" "-bo NAME,SIZE" "-o MOUNTPOINT,ENTRIES" "-no SIZE,PARENT" \
		"-o SIZE,KIND none" "-no SIZE,KIND none" "-o SIZE,KIND none onterm" "-o PARENT,ENTRIES onterm" "-no PARENT,SIZE,MOUNTPOINT,SIZE onterm"; do
		is "the same on a terminal: $how" "$(ovlctl ls $how)" \
			"$(script -qec "stty cols 2000; ovlctl ls $how" /dev/null | tr -d '\r')"
	done
fi

done_testing
