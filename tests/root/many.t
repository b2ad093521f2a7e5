#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# Many processes work on one store: all commands mixed, on the same layers and on
# different ones, some of them killed. No layer is lost whose import or commit
# was reported, no upper is mounted twice, no process waits for ever or sees a layer that is
# incomplete, and check finds no errors at any time.
#
# MANY_ROUNDS for each of MANY_WORKERS, or as many as fit in
# MANY_SECONDS, from MANY_SEED; make check-many takes a minute.
rounds=12
! short || rounds=5
[ "$MODE" = release ] || rounds=2
: "${MANY_ROUNDS:=$rounds}"
: "${MANY_SECONDS:=0}"
: "${MANY_WORKERS:=64}"
: "${MANY_SEED:=$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}"
S=$OVLCTL_ROOT
export OVLCTL_ROOT
mkdir w
cd w || exit 1

# ---- what they work on ---------------------------------------------------------------

printf 'dir name=d\nfile name=d/f data=base\nfile name=gone data=1\nend\n' | mktar >base.tar
need base ovlctl import -n base base.tar
for k in 0 1 2 3; do
	printf '%s\n' "file name=s$k fill=20000" 'file name=d/f data=2' 'file name=.wh.gone' end | mktar >$k.tar
	ovlctl import -n sh/$k -p base $k.tar >id.$k
	ovlctl diff sh/$k >diff.$k
done

# An image on top of one of these.
sha() { sha256sum <"$1" | cut -d' ' -f1; }
printf 'file name=top data=1\nend\n' | mktar >top.tar
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s","sha256:%s"]}}' \
	"$(sha base.tar)" "$(sha 0.tar)" "$(sha top.tar)" >c.json
echo '[{"Config":"c.json","RepoTags":["image:1"],"Layers":["base.tar","0.tar","top.tar"]}]' >manifest.json
tar -cf image.tar base.tar 0.tar top.tar c.json manifest.json

# ---- a worker ------------------------------------------------------------------------

# Sets R to a random number below $1.
rnd() {
	seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
	R=$(((seed >> 8) % $1))
}
wrong() {
	echo "worker $me: $*" >>bad.$me
}

# Allowed exit statuses: 0, those in $1, or 1 with a message that matches $2.
# One command in sixteen is killed.
run() { # STATUSES PATTERN COMMAND...
	may=$1 pattern=$2
	shift 2
	ran=$((ran + 1))
	rnd 16
	if [ $R = 0 ]; then
		rnd 30
		# Without --foreground timeout(1) does not wait for the process that it kills.
		timeout --foreground --preserve-status -s KILL 0.0$((R + 10)) ovlctl "$@" >o.$me 2>e.$me
		status=$?
		[ $status = 137 ] && killed=$((killed + 1)) && return
	else
		ovlctl "$@" >o.$me 2>e.$me
		status=$?
	fi
	case " 0 $may " in *" $status "*) return ;; esac
	[ $status = 1 ] && [ "$pattern" ] && grep -Eq "$pattern" e.$me && return
	wrong "$* ended with $status: $(grep ^error o.$me; cat e.$me)"
}
done_() { [ $status = 0 ]; }

# Layers of its own, which no other worker removes: they must last once they are reported.
keep() { # NAME ID
	echo "$1 $2" >>kept.$me
}
own_import() {
	printf 'file name=k%s.%s data=%s\nend\n' $me $n $seed | mktar >k.$me.tar
	run "" "" import -n keep/$me/$n -p base k.$me.tar
	done_ && keep keep/$me/$n "$(cat o.$me)"
}
# A commit that was killed is repeated, by the id, because the name may have moved.
own_commit() {
	run "" "" create -n own/$me/$n base
	done_ || return
	id=$(cat o.$me)
	echo $seed.$me.$n >"$S/$DRV/$id/$UPPER/mine"
	for try in 1 2 3 4 5 6 7 8 9; do
		run "3 4" "" commit $id
		case $status in 137 | 4) ;; *) break ;; esac
	done
	if done_; then
		keep own/$me/$n "$(cat o.$me)"
	elif [ $status = 3 ]; then
		keep own/$me/$n "$(ovlctl ls -nr -o ID own/$me/$n)"
	fi
}
own_mount() {
	run 3 "" create -n m/$me/$n sh/$k
	done_ || return
	m=$S/names/m/$me/$n
	run "3" "" mount m/$me/$n
	gone=3
	done_ && gone= && m=$(cat o.$me) && echo $seed >"$m/x" &&
		{ [ "$(cat "$m/d/f")" = 2 ] || wrong "mount of m/$me/$n shows another d/f"; }
	# Others look at it, but not for long. What is not mounted, or by a umount that was killed
	# no longer, may go with rm -r of what it is on.
	for try in 1 2 3 4 5 6 7 8 9; do
		run "1 $gone" "" --wait 60 umount m/$me/$n
		[ $status = 137 ] || break
		gone=3
	done
	run 3 "" --wait 60 rm m/$me/$n
}

reads() {
	rnd 7
	case $R in
	0)
		run "" "" ls
		[ $status = 0 ] && [ -s e.$me ] && wrong "ls: $(cat e.$me)"
		;;
	1) run 3 "" show sh/$k && done_ && { grep -q '^}$' o.$me || wrong "show: half of it"; } ;;
	2) run 3 "" diff sh/$k && done_ && { cmp -s o.$me diff.$k || wrong "diff of sh/$k: $(cat o.$me)"; } ;;
	3)
		run 3 "" diff -o d.$me.tar "$(cat id.$k)"
		done_ && { cmp -s d.$me.tar $k.tar || wrong "diff --tar of sh/$k is another"; }
		;;
	4)
		run 3 "" export --format docker "$(cat id.$k)" x.$me.tar
		if done_; then
			id=$(ovlctl --root "$T/x.$me" --sync=none import x.$me.tar 2>&1)
			[ "$id" = "$(cat id.$k)" ] || wrong "export of sh/$k is another: $id"
		fi
		;;
	5)
		run "" "" check
		if done_; then grep -q ^error o.$me && wrong "check: $(cat o.$me)"; fi
		;;
	6) run 3 "" diff w/$k ;;
	esac
}

writes() {
	rnd 16
	case $R in
	0 | 1) run 5 "" import -n sh/$k -p base $k.tar ;;
	2 | 3) run "3 5" "" create -n w/$k sh/$k ;;
	4) run "3 4" "" mount w/$k ;;
	5) run "3 4" "not mounted" umount w/$k ;;
	6) run "3 4 5" "already an image layer" commit w/$k ;;
	7) run "3 4" "" rm w/$k ;;
	8) run "3 4" "" rm -r sh/$k ;;
	9) run 3 "" tag --force sh/$k t/$k ;;
	10) run "3 5" "" tag w/$k t/$k ;;
	11) run 3 "" tag -d t/$k ;;
	12) run "" "" prune ;;
	13) run "" "" prune --layers --writable --unused-for 0 ;;
	14) run "" "" import image.tar ;;
	15) run "3 4" "" rm -r image:1 ;;
	esac
}

worker() {
	me=$1 n=0 ran=0 killed=0
	seed=$(((MANY_SEED * 64 + me * 7919) & 0x7fffffff))
	while [ $n -lt "$MANY_ROUNDS" ] || { read -r now _ </proc/uptime && [ ${now%.*} -lt $end ]; }; do
		n=$((n + 1))
		rnd 4
		k=$R
		rnd 8
		case $R in
		0) own_import ;;
		1) own_commit ;;
		2) own_mount ;;
		3 | 4) reads ;;
		*) writes ;;
		esac
	done
	echo $ran $killed >done.$me
}

# ---- who watches ---------------------------------------------------------------------

# An upper in two mounts: their ids, and the upper. The kernel gives its table in pieces; a
# layer that is mounted anew meanwhile is in two of them, but the old mount in none of the
# next table.
twice() {
	grep -F " $T/" /proc/self/mountinfo | sed -n 's/^\([0-9]*\) .*upperdir=\([^,]*\).*/\2 \1/p' |
		sort | awk '$1 == upper { print id, $2, $1 } { upper = $1; id = $2 }'
}
watch() {
	until [ -e stop ]; do
		twice >two
		[ ! -s two ] || twice | grep -Fx -f two | sed 's/^/mounted twice: /' >>bad.watch
		sleep 0.05
	done
}

# A killed process may die later than timeout(1), and holds its locks until then.
none_is_locked() {
	for l in "$S/names" "$S/lock" "$S"/staging/* "$S"/trash/* "$S/$DRV"/*; do
		[ ! -e "$l" ] || ! locked "$l" || return
	done
}

# Shows where workers hang, and kills them.
stuck() {
	for p in /proc/[0-9]*; do
		tr '\0' ' ' <$p/environ 2>/dev/null | grep -qF "OVLCTL_ROOT=$S " || continue
		case $(cat $p/comm 2>/dev/null) in ovlctl) ;; *) continue ;; esac
		echo "$(tr '\0' ' ' <$p/cmdline) waits in $(cat $p/wchan): $(cat $p/stack 2>/dev/null | tr '\n' ' ')"
		ls -l $p/fd | sed 's/.* -> //' | grep -F "$S"
		kill -KILL ${p#/proc/}
	done
}

read -r now _ </proc/uptime
end=$((${now%.*} + MANY_SECONDS))
watch &
watcher=$!
i=0
while [ $i -lt $MANY_WORKERS ]; do
	worker $i &
	i=$((i + 1))
done
while read -r now _ </proc/uptime && [ "$(ls done.* 2>/dev/null | wc -l)" -lt $MANY_WORKERS ] &&
	[ ${now%.*} -lt $((end + 400)) ]; do
	sleep 0.1
done
is "all come to an end" "$(ls done.* | wc -l)" $MANY_WORKERS || stuck | diag
touch stop
wait $watcher
wait
until_true none_is_locked

# ---- what is left --------------------------------------------------------------------

is "nothing went wrong" "$(cat bad.* 2>/dev/null | head -20)" ""
ok "umount -a" ovlctl umount -a
ovlctl check >out 2>&1
is "check: no errors" "$?:$(grep -v ^note out)" "0:"
ok "prune" ovlctl prune
is "check --content: nothing else" "$(ovlctl check --content 2>&1)" ""
ovlctl ls -nr -o NAME,ID | sed 's/ /\n/' >all
ovlctl ls -Jn -o NAME,ID | jq -r '.layers[] | .id as $i | .names[] | . + " " + $i' 2>/dev/null | sort >have
cat kept.* 2>/dev/null | sort >want
is "what was reported is there" "$(comm -23 want have | head)" ""
is "... and some was" "$([ -s want ] && echo yes)" yes
is_overlay || is "as many links as layers" "$(ls "$S/overlay2/l" | wc -l)" "$(($(ls "$S/overlay2" | wc -l) - 1))"
is "nothing in staging, nothing in trash" "$(ls "$S/staging" "$S/trash" | grep -E '^[0-9a-f]')" ""
[ $_bad = 0 ] || echo "# MANY_SEED=$MANY_SEED" >&2
cat done.* | awk '{ n += $1; k += $2 } END { print "# " n " commands of which " k " were killed" }' >&2

done_testing
