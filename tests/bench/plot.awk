# Prints results as one SVG. Runs after stats.awk and write.awk. At the top are the ratios on a
# logarithmic scale: a dot, a line from the least to the greatest round, the limits. Below them
# is the growth of cost, both scales logarithmic, with a dashed line for linear growth.

# ---- ratios

function ratio_range(    i, name) {
	r_low = 0.5
	r_high = 2
	for (i = 1; i <= works; i++) {
		name = work[i]
		if (low_ratio[name] < r_low)
			r_low = low_ratio[name]
		if (aim[name] != "-" && aim[name] < r_low)
			r_low = aim[name]
		if (high_ratio[name] > r_high)
			r_high = high_ratio[name]
	}
	r_low *= 0.9
	r_high *= 1.1
}

function ratio_x(r) {
	return r_left + (r_right - r_left) * log(r / r_low) / log(r_high / r_low)
}

function ratio_axis(y1, y2,    n, i, tick) {
	n = split("0.01 0.02 0.05 0.1 0.2 0.5 1 2 5 10 20 50", tick, " ")
	for (i = 1; i <= n; i++) {
		if (tick[i] < r_low || tick[i] > r_high)
			continue
		line(ratio_x(tick[i]), y1, ratio_x(tick[i]), y2, tick[i] == 1 ? "one" : "grid")
		text(ratio_x(tick[i]), y1 - 4, tick[i], "class=\"small\" text-anchor=\"middle\"")
	}
}

function ratio_row(name, y,    class) {
	class = verdict[name] ~ /MISS/ ? "miss" : "ours"
	text(10, y + 4, title[name])
	text(r_left - 8, y + 4, against[name], "class=\"small\" text-anchor=\"end\"")
	line(ratio_x(low_ratio[name]), y, ratio_x(high_ratio[name]), y, "spread " class)
	if (must[name] != "-")
		line(ratio_x(must[name]), y - 7, ratio_x(must[name]), y + 7, "must")
	if (aim[name] != "-")
		line(ratio_x(aim[name]), y - 7, ratio_x(aim[name]), y + 7, "aim")
	dot(ratio_x(ratio[name]), y, class)
	text(r_right + 8, y + 4, sprintf("%.2f %s", ratio[name], verdict[name]))
}

function ratios(top,    i) {
	ratio_range()
	text(10, top, "Time of ovlctl against what one would take instead (1: the same)", \
		"class=\"head\"")
	text(10, top + 18, "line: least to greatest of " machine["rounds"] \
		" rounds; green bar: aim; red bar: must", "class=\"small\"")
	ratio_axis(top + 42, top + 50 + 22 * works)
	for (i = 1; i <= works; i++)
		ratio_row(work[i], top + 36 + 22 * i)
}

# ---- growth

function scale(v, lo, hi, from, to) {
	return hi > lo ? from + (to - from) * log(v / lo) / log(hi / lo) : (from + to) / 2
}

# One panel: y[s, 1..n] over x. It is at least a factor of ten high, so that noise looks flat.
function panel(s, y, left, top, name, unit, per, exponent, is_bad,    i, n, lo, hi, x, v, px, py, gone) {
	n = points[s]
	lo = hi = y[s, 1]
	for (i = 2; i <= n; i++) {
		if (y[s, i] < lo)
			lo = y[s, i]
		if (y[s, i] > hi)
			hi = y[s, i]
	}
	if (hi < 10 * lo)
		hi = 10 * lo
	printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" class=\"panel\"/>\n", \
		left, top, p_wide, p_high
	text(left, top - 5, name, "class=\"small\"")
	text(left + p_wide - 4, top + p_high - 5, sprintf("n^%.2f", exponent), \
		sprintf("class=\"small%s\" text-anchor=\"end\"", is_bad ? " bad" : ""))
	linear(s, y[s, n], lo, hi, left, top)
	for (i = 1; i <= n; i++) {
		x = scale(x_of[s, i], x_of[s, 1], x_of[s, n], left + 8, left + p_wide - 8)
		v = scale(y[s, i], lo, hi, top + p_high - 18, top + 18)
		if (i > 1)
			line(px, py, x, v, "curve")
		dot(x, v, is_bad ? "miss" : "ours")
		px = x
		py = v
		if (i == 1 || i == n) {
			text(x, v - 7, digits(y[s, i] / per) " " unit, \
				"class=\"small\" text-anchor=\"" (i == 1 ? "start" : "end") "\"")
			text(x, top + p_high + 12, count_text(x_of[s, i]), \
				"class=\"small\" text-anchor=\"middle\"")
		}
	}
}

# A line of slope one through the last point, across the panel.
function linear(s, last, lo, hi, left, top,    n, x, v) {
	n = points[s]
	v = last * x_of[s, 1] / x_of[s, n]
	x = x_of[s, 1]
	if (v < lo) {
		x = x_of[s, n] * lo / last
		v = lo
	}
	line(scale(x, x_of[s, 1], x_of[s, n], left + 8, left + p_wide - 8), \
		scale(v, lo, hi, top + p_high - 18, top + 18), left + p_wide - 8, \
		scale(last, lo, hi, top + p_high - 18, top + 18), "linear")
}

function growths(top,    i, x, y) {
	text(10, top, "How cost grows (dashed: linear; n^x: the slope of the upper half)", \
		"class=\"head\"")
	for (i = 1; i <= n_series; i++) {
		x = 10 + (i - 1) % 2 * 500
		y = top + 50 + int((i - 1) / 2) * p_row
		text(x, y - 22, series[i])
		panel(series[i], time_of, x, y, "time", "ms", 0.001, time_power[series[i]], \
			is_slow(series[i]))
		panel(series[i], mem_of, x + 245, y, "peak memory", "MiB", 1024, mem_power[series[i]], \
			mem_power[series[i]] > worse)
	}
}

END {
	stats()
	r_left = 520
	r_right = 890
	p_wide = 225
	p_high = 110
	p_row = 175
	second = works ? 120 + 22 * works + 30 : 70
	svg_begin(second + (n_series ? 60 + int((n_series + 1) / 2) * p_row : 0))
	if (works)
		ratios(55)
	if (n_series)
		growths(second)
	print "</svg>"
}
