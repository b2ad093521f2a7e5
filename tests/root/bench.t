#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# only overlay2

# not in a user namespace: it makes a file system of its own.
# The benchmark works. Times are not tested.

if [ "$MODE" != release ]; then
	echo "1..0 # SKIP it is for release builds"
	exit 0
fi
losetup -f >/dev/null 2>&1 || cannot "no loop devices"
mkdir bench
BENCH_DIR=$T/bench sh "$top/tests/bench/run" --smoke >out 2>err
is "the bench ends well" $? 0
[ $_bad = 0 ] || diag err

# One work needs bwrap, which may not be installed.
works=23
! command -v bwrap >/dev/null || works=24
is "... every work has a line" "$(jq '.works | length' bench/results.json)" $works
is "... was run as often by both sides" "$(jq -c '[.works[] | select(.ours.wall > 0 and .theirs.wall > 0)] | length' bench/results.json)" $works
is "... or is left out with a reason" "$(jq -c .not_run bench/results.json)" "[]"
is "growth is fitted" "$(jq '[.growth[] | select(.exponent | type == "number")] | length' bench/results.json)" 9
is "the table has the same lines" "$(grep -c ' [0-9.]* *m\?s .*[0-9]-[0-9]' out)" $works
is "the plot has a dot for each" "$(grep -c '<circle' bench/results.svg)" \
	"$(jq '(.works | length) + 2 * ([.growth[].points | length] | add)' bench/results.json)"
# Tags that are not closed, or closed in the wrong order.
tags() { # SVG
	tr '<' '\n' <"$1" | awk '
		/^\// { sub(/^\//, ""); sub(/>.*/, ""); if (open[depth--] != $0) print "stray " $0; next }
		/^[a-z]/ && !/\/>/ { split($0, w, /[ >]/); open[++depth] = w[1] }
		END { if (depth) print open[depth] " is open" }'
}
is "... and its tags are closed" "$(tags bench/results.svg)" ""

# The benchmark of the drivers.
BENCH_DIR=$T/bench sh "$top/tests/bench/drivers" --smoke >out 2>err
is "the bench of drivers ends well" $? 0
[ $_bad = 0 ] || diag err
is "... every work was measured, of each side" \
	"$(jq -c '[.works[].sides | length] | group_by(.) | map([.[0], length])' bench/drivers.json)" \
	"$(if grep -qw btrfs /proc/filesystems; then echo '[[2,4],[3,9],[4,10]]'; else echo '[[2,4],[3,19]]'; fi)"
is "... the reference is 1, the others are what they are divided by it" \
	"$(jq -c '[.works[] | .against as $ref | (.sides[] | select(.side == $ref).median) as $by |
		.sides[] | select((.ratio - .median / $by | fabs) > 0.01 * .ratio + 0.001)]' bench/drivers.json)" "[]"
more() { # WORK SIDE: than overlay2
	jq -e --arg w "$1" --arg s "$2" '.works[] | select(.name == $w).sides[] | select(.side == $s).ratio > 1' \
		bench/drivers.json >/dev/null
}
for w in chain-inodes chain-kib; do
	ok "... $w: more with overlay" more $w overlay
	ok "... still more with full copies" more $w copies
done
is "... the table has a line for each" "$(sed '1,/^Medians/d' out | grep -c ' 1\.00 ')" "$(jq '.works | length' bench/drivers.json)"
is "... the plot a dot for each" "$(grep -c '<circle' bench/drivers.svg)" \
	"$(jq '([.works[].sides | length] | add) + 3 + ([.works[-1].sides | length] | add)' bench/drivers.json)"
is "... and its tags are closed" "$(tags bench/drivers.svg)" ""
is "nothing is left mounted" "$(grep -c "$T/" /proc/self/mountinfo)" 0
is "... nor a loop device" "$(losetup -n -O BACK-FILE -l | grep -c "$T/")" 0

# The failure of an alternative is reported.
mkdir bin
printf '#!/bin/sh\necho broken >&2\nexit 1\n' >bin/pigz
chmod +x bin/pigz
PATH=$T/bin:$PATH BENCH_DIR=$T/bench sh "$top/tests/bench/run" --smoke --no-growth export rm \
	>out 2>err
is "a work that fails fails the bench" $? 1
like "... and is told" "^export: failed: .*status 1" "$(cat out)"
is "... others are done" "$(jq -r '.works[].name' bench/results.json)" "store-create-rm
store-rm-image
rm-rootfs"

# Medians, ratios, verdicts and exponents of known figures.
mkdir known
cd known || exit 1
printf 'rounds\t3\n' >machine.tsv
: >skipped.tsv
# Seconds of one round to be ignored and of three others, ours and theirs.
figures() { # NAME ROUND ROUND ROUND MUST AIM
	k=0
	for pair in "9 0.1" "$2" "$3" "$4"; do
		printf '%s\ta\t%d\t%s\t0\t0\t1024\n' "$1" $k "${pair% *}"
		printf '%s\tb\t%d\t%s\t0\t0\t1024\n' "$1" $k "${pair#* }"
		k=$((k + 1))
	done >>raw.tsv
	printf '%s\t%s\t%s\t%s\tx\t\n' "$1" "$5" "$6" "$1" >>works.tsv
}
figures aimed "1 4" "2 4" "3 6" 0.9 0.6
figures kept "3 4" "3 4" "3 4" 0.9 0.6
figures unsure "3 4" "3 4" "5 4" 0.9 0.6
figures missed "5 4" "4 4" "4 4" 0.9 0.6
figures doubtful "5 4" "4 4" "2 4" 0.9 0.6
for n in 1 10 100 1000; do
	printf 'line\t%s\t0\t99\t0\t0\t999\n' $n
	for round in 1 2 3; do
		printf 'square\t%s\t%s\t%s\t0\t%s\t100\n' $n $round $((n * n)) $((n * n))
		printf 'disk\t%s\t%s\t%s\t%s\t0\t100\n' $n $round $((n * n)) $n
		printf 'line\t%s\t%s\t%s\t0\t0\t100\n' $n $round $((n + 7))
		printf 'hoard\t%s\t%s\t5\t0\t0\t%s\n' $n $round $((n * n))
	done
done >growth.tsv
for f in json table plot; do
	awk -f "$top/tests/bench/stats.awk" -f "$top/tests/bench/write.awk" \
		-f "$top/tests/bench/$f.awk" machine.tsv works.tsv raw.tsv growth.tsv skipped.tsv >$f
done
is "medians, ratios, verdicts" "$(jq -r '.works[] | "\(.name) \(.ours.wall)/\(.theirs.wall) \(.ratio) \(.ratio_min)-\(.ratio_max) \(.verdict)"' json)" \
	"aimed 2/4 0.5 0.25-0.5 aim
kept 3/4 0.75 0.75-0.75 ok
unsure 3/4 0.75 0.75-1.25 ok?
missed 4/4 1 1-1.25 MISS
doubtful 4/4 1 0.5-1.25 MISS?"
is "exponents" "$(jq -r '.growth[] | "\(.series) \(.exponent) \(.memory_exponent) \(.worse_than_linear)"' json)" \
	"square 2 0 true
disk 2 0 false
line 0.886 0 false
hoard 0 2 true"
is "what is worse than linear is flagged" "$(grep -c 'n^2.00  WORSE THAN LINEAR' table)" 2
is "... in the plot too" "$(grep -c 'small bad' plot)" 2

done_testing
