# Sourced by run: measures two sides in turn, and writes the results.
#
#   duel NAME OURS THEIRS MUST AIM WORK AGAINST [daemon|waits-not]
#
# OURS and THEIRS are functions, called with "before" (not timed), "run", and "after" (not
# timed). In "run" they call "t", which times commands (see timed.c). $work is empty
# before each. Round 0 warms up and does not count. MUST and AIM are limits for the ratio of
# the medians of wall time; "-": none. "daemon": THEIRS is only the client of a daemon;
# "waits-not": it ends before its processes do. In both cases CPU time is not compared.

# The directory of the results.
results=$BENCH_DIR

results_begin() {
	mkdir -p "$results"
	raw=$results/raw.tsv
	works=$results/works.tsv
	grown=$results/growth.tsv
	skipped=$results/skipped.tsv
	log=$results/log
	for f in "$raw" "$works" "$grown" "$skipped" "$log"; do
		: >"$f"
	done
	cat >"$results/machine.tsv" <<EOF
version	$(ovlctl --version)
commit	$(git -C "$top" describe --always --dirty 2>/dev/null || echo unknown)
date	$(date -u +%FT%TZ)
kernel	$(uname -sr)
processor	$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)
processors	$(nproc)
memory	$(sed -n 's/^MemTotal: *//p' /proc/meminfo)
load	$(cut -d ' ' -f 1-3 /proc/loadavg)
place	ext4 with a journal, loop file, direct: $direct
size	$size
rounds	$rounds
EOF
}

load_after() {
	printf 'load after\t%s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)" >>"$results/machine.tsv"
}

results_end() {
	load_after
	data='works.tsv raw.tsv growth.tsv skipped.tsv'
	results_write results.txt table.awk $data
	results_write results.json json.awk $data
	results_write results.svg plot.awk $data
	cat "$BENCH_DIR/results.txt"
}

results_write() { # TO AWK OPERANDS
	to=$BENCH_DIR/$1
	program=$here/$2
	shift 2
	(cd "$results" && awk -f "$here/stats.awk" -f "$here/write.awk" -f "$program" \
		machine.tsv "$@") >"$to" || die "cannot make $to"
}

wanted() { # NAME
	[ -n "$patterns" ] || return 0
	for p in $patterns; do
		case $1 in
		*"$p"*) return 0 ;;
		esac
	done
	return 1
}

skip() { # NAME WHY
	say "not run: $1: $2"
	printf '%s\t%s\n' "$1" "$2" >>"$skipped"
}

t() {
	timed "$@" 2>>"$log"
}

# Writes out the dirty pages of earlier work.
settle() {
	sync -f "$fs"
}

one_side() { # FUNCTION TAG
	rm -rf "$work"
	mkdir "$work"
	tag=$2
	"$1" before >>"$log" 2>&1 && settle && "$1" run && "$1" after >>"$log" 2>&1
}

fight() { # NAME OURS THEIRS
	round=0
	while [ $round -le "$rounds" ]; do
		one_side "$2" "$1	a	$round" || return 1
		one_side "$3" "$1	b	$round" || return 1
		round=$((round + 1))
	done
}

duel() {
	wanted "$1" || return 0
	say "$6, against $7"
	if fight "$1" "$2" "$3"; then
		printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$4" "$5" "$6" "$7" "${8-}" >>"$works"
	else
		tail -3 "$log" >&2
		skip "$1" "failed: $(tail -1 "$log")"
		status=1
	fi
	rm -rf "$work"
	mkdir "$work"
}
