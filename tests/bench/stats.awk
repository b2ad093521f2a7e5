# Reads the files of a run: machine.tsv works.tsv raw.tsv growth.tsv skipped.tsv. Runs before
# write.awk and table.awk, json.awk or plot.awk, which print the results.
#
#   work[1..works]	names; must, aim, title, against, daemon by name
#   ours / theirs	med_wall[name, side], low_wall, high_wall, med_user, med_sys, peak (KiB)
#   cpu_ratio[name]	of the medians of processor time
#   ratio, low_ratio, high_ratio [name]	of the medians; least and greatest of a round
#   verdict[name]
#   series[1..n_series]; points[s], x_of[s, i], time_of[s, i], mem_of[s, i] (KiB)
#   time_power[s], cpu_power[s], mem_power[s]	fitted exponents

BEGIN {
	FS = "\t"
	# A fitted exponent may be above the expected one by this much.
	worse = 1.1
	mem_must = 32 * 1024
	mem_aim = 16 * 1024
}

FILENAME == "machine.tsv" {
	fact[++facts] = $1
	machine[$1] = $2
}
FILENAME == "works.tsv" {
	work[++works] = $1
	must[$1] = $2
	aim[$1] = $3
	title[$1] = $4
	against[$1] = $5
	daemon[$1] = $6
}
FILENAME == "raw.tsv" && $3 > 0 {
	i = ++rounds[$1, $2]
	wall[$1, $2, i] = $4
	user[$1, $2, i] = $5
	sys[$1, $2, i] = $6
	if ($7 > peak[$1, $2])
		peak[$1, $2] = $7
}
FILENAME == "growth.tsv" && $3 > 0 {
	if (!($1 in points)) {
		series[++n_series] = $1
		points[$1] = 0
	}
	if (!(($1, $2) in seen)) {
		seen[$1, $2] = ++points[$1]
		x_of[$1, points[$1]] = $2
	}
	at = $1 SUBSEP seen[$1, $2]
	grown[at, ++runs[at]] = $4
	worked[at, runs[at]] = $5 + $6 + 0.000001
	if ($7 > mem_of[at])
		mem_of[at] = $7
}
FILENAME == "skipped.tsv" {
	left_out[++n_left] = $1
	reason[n_left] = $2
}

# The median of v[key, 1..n]; low and high are the least and the greatest.
function median(v, key, n,    s, i, j, x) {
	for (i = 1; i <= n; i++) {
		x = v[key, i]
		for (j = i - 1; j > 0 && s[j] > x; j--)
			s[j + 1] = s[j]
		s[j + 1] = x
	}
	low = s[1]
	high = s[n]
	return n % 2 ? s[(n + 1) / 2] : (s[n / 2] + s[n / 2 + 1]) / 2
}

function side_stats(name, side,    key, n) {
	key = name SUBSEP side
	n = rounds[key]
	med_user[key] = median(user, key, n)
	med_sys[key] = median(sys, key, n)
	med_wall[key] = median(wall, key, n)
	low_wall[key] = low
	high_wall[key] = high
}

function judge(value, lo, hi, is_must, is_aim,    v) {
	if (is_must == "-")
		return ""
	v = value <= is_aim ? "aim" : value <= is_must ? "ok" : "MISS"
	# Not all rounds agree.
	if (v == "MISS" ? lo <= is_must : hi > is_must)
		v = v "?"
	return v
}

# Never zero, because it is a divisor.
function cpu_of(name, side) {
	return med_user[name, side] + med_sys[name, side] + 0.000001
}

function work_stats(name,    i, pair) {
	side_stats(name, "a")
	side_stats(name, "b")
	ratio[name] = med_wall[name, "a"] / med_wall[name, "b"]
	cpu_ratio[name] = cpu_of(name, "a") / cpu_of(name, "b")
	for (i = 1; i <= rounds[name, "a"]; i++)
		pair[name, i] = wall[name, "a", i] / wall[name, "b", i]
	median(pair, name, rounds[name, "a"])
	low_ratio[name] = low
	high_ratio[name] = high
	verdict[name] = judge(ratio[name], low, high, must[name], aim[name])
	if (name ~ /^import/ && peak[name, "a"] > mem_peak)
		mem_peak = peak[name, "a"]
}

# The slope of log y over log x, by least squares, of the upper half of the points. At the
# lower end the cost of starting a process dominates.
function power(s, y,    i, n, first, sx, sy, sxx, sxy, lx, ly) {
	first = points[s] - int(points[s] / 2)
	for (i = first > 0 ? first : 1; i <= points[s]; i++) {
		lx = log(x_of[s, i])
		ly = log(y[s, i])
		n++
		sx += lx
		sy += ly
		sxx += lx * lx
		sxy += lx * ly
	}
	return n < 2 ? 0 : (n * sxy - sx * sy) / (n * sxx - sx * sx)
}

function growth_stats(s,    i) {
	for (i = 1; i <= points[s]; i++) {
		time_of[s, i] = median(grown, s SUBSEP i, runs[s, i])
		work_of[s, i] = median(worked, s SUBSEP i, runs[s, i])
	}
	time_power[s] = power(s, time_of)
	cpu_power[s] = power(s, work_of)
	mem_power[s] = power(s, mem_of)
}

# If the time grows faster than the CPU time, it is spent waiting for the disk.
function is_slow(s) {
	return time_power[s] > worse && cpu_power[s] > worse
}

function is_worse(s) {
	return is_slow(s) || mem_power[s] > worse
}

function stats(    i) {
	for (i = 1; i <= works; i++)
		work_stats(work[i])
	for (i = 1; i <= n_series; i++)
		growth_stats(series[i])
}

# Three significant digits, with a unit.
function digits(x) {
	return x >= 100 ? sprintf("%.0f", x) : x >= 10 ? sprintf("%.1f", x) : sprintf("%.2f", x)
}

function time_text(s) {
	return s >= 1 ? digits(s) " s" : digits(s * 1000) " ms"
}

function mem_text(kib) {
	return digits(kib / 1024)
}

function count_text(n) {
	return n >= 1000000000 ? n / 1000000000 "G" : n >= 1000000 ? n / 1000000 "M" : \
		n >= 1000 ? n / 1000 "k" : n ""
}
