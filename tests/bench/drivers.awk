# Prints the results of drivers. Runs after stats.awk and write.awk, with as=txt, as=json or
# as=svg.
#
# Each work has several sides in raw.tsv. Its line in works.tsv has the columns (against) and
# the one that the others are divided by (daemon). Inodes and KiB are recorded like seconds.

function unit(name) {
	return name ~ /-inodes$/ ? "inodes" : name ~ /-kib$/ ? "KiB" : "s"
}

function value_text(name, v) {
	if (unit(name) == "inodes")
		return sprintf("%d", v)
	return unit(name) == "KiB" ? mem_text(v) " MiB" : time_text(v)
}

function side_title(s) {
	if (s == "copies")
		return "full copies"
	if (s ~ /^overlay2-/)
		return "overlay2, " substr(s, 10)
	return s
}

# The ratio to the reference, and its least and greatest value in a round.
function compare(name, side,    ref, i, pair, n) {
	ref = daemon[name]
	n = rounds[name, side]
	for (i = 1; i <= n; i++)
		pair[1, i] = wall[name, side, i] / wall[name, ref, i]
	median(pair, 1, n)
	low_ratio[name, side] = low
	high_ratio[name, side] = high
	ratio[name, side] = med_wall[name, side] / med_wall[name, ref]
}

# The sides of a work that have been measured as often as its reference.
function sides_of(name,    n, i, all) {
	n_sides = 0
	n = split(against[name], all, " ")
	for (i = 1; i <= n; i++)
		if (rounds[name, all[i]] && rounds[name, all[i]] == rounds[name, daemon[name]])
			of[++n_sides] = all[i]
}

function all_stats(    i, k) {
	for (i = 1; i <= works; i++) {
		sides_of(work[i])
		for (k = 1; k <= n_sides; k++)
			side_stats(work[i], of[k])
		for (k = 1; k <= n_sides; k++)
			compare(work[i], of[k])
	}
}

# ---- a table

function table_head(name,    all, n, i) {
	n = split(against[name], all, " ")
	printf "\n%-30s", ""
	for (i = 1; i <= n; i++)
		printf " %17s", side_title(all[i])
	print ""
}

function table_row(name,    all, n, i) {
	n = split(against[name], all, " ")
	printf "%-30s", title[name]
	for (i = 1; i <= n; i++)
		if ((name, all[i]) in ratio)
			printf " %10s %6s", value_text(name, med_wall[name, all[i]]), \
				digits(ratio[name, all[i]])
		else
			printf " %10s %6s", "-", ""
	print ""
}

function table(    i) {
	for (i = 1; i <= facts; i++)
		printf "%-10s %s\n", fact[i], machine[fact[i]]
	print "\nMedians; behind each, by what it differs from " \
		"the column of 1.00. \"overlay2, 6\": over six lowers."
	for (i = 1; i <= works; i++) {
		if (i == 1 || against[work[i]] != against[work[i - 1]])
			table_head(work[i])
		table_row(work[i])
	}
	for (i = 1; i <= n_left; i++)
		printf "\nnot run: %s: %s\n", left_out[i], reason[i]
}

# ---- JSON

function side_object(name, side) {
	return sprintf("    {\"side\": %s, \"median\": %.6f, \"min\": %.6f, \"max\": %.6f, " \
		"\"ratio\": %.4f, \"ratio_min\": %.4f, \"ratio_max\": %.4f}", quoted(side), \
		med_wall[name, side], low_wall[name, side], high_wall[name, side], \
		ratio[name, side], low_ratio[name, side], high_ratio[name, side])
}

function work_members(name,    k) {
	sides_of(name)
	printf "  {\"name\": %s, \"work\": %s, \"unit\": %s, \"against\": %s, \"rounds\": %d, " \
		"\"sides\": [\n", quoted(name), quoted(title[name]), quoted(unit(name)), \
		quoted(daemon[name]), rounds[name, daemon[name]]
	for (k = 1; k <= n_sides; k++)
		print side_object(name, of[k]) (k < n_sides ? "," : "")
	printf "  ]}"
}

function json(    i) {
	printf "{\"machine\": %s,\n \"works\": [\n", facts_object()
	for (i = 1; i <= works; i++) {
		work_members(work[i])
		print i < works ? "," : ""
	}
	printf " ],\n \"not_run\": %s}\n", left_out_list()
}

# ---- a plot

function x_of_ratio(r) {
	return left + (right - left) * log(r / least) / log(most / least)
}

function plot_range(    i, k) {
	least = 0.5
	most = 2
	for (i = 1; i <= works; i++) {
		sides_of(work[i])
		for (k = 1; k <= n_sides; k++) {
			if (low_ratio[work[i], of[k]] < least)
				least = low_ratio[work[i], of[k]]
			if (high_ratio[work[i], of[k]] > most)
				most = high_ratio[work[i], of[k]]
		}
	}
	least *= 0.9
	most *= 1.1
}

function plot_axis(y1, y2,    p, k, v) {
	for (p = -6; p <= 6; p++)
		for (k = 1; k <= 5; k += k < 2 ? 1 : 3) {
			v = k * 10 ^ p
			if (v < least || v > most)
				continue
			line(x_of_ratio(v), y1, x_of_ratio(v), y2, v == 1 ? "one" : "grid")
			text(x_of_ratio(v), y1 - 4, v, "class=\"small\" text-anchor=\"middle\"")
		}
}

# The colour of a side: c1 to c8 of write.awk, the same in all plots.
function class_of(side) {
	if (!(side in class))
		class[side] = "c" (side == "overlay2" ? 1 : side == "overlay" ? 2 : \
			side == "copies" ? 3 : side == "btrfs" ? 4 : 5 + stacks++)
	return class[side]
}

function plot_row(name, y,    k, r) {
	sides_of(name)
	text(10, y + 4, title[name])
	text(left - 8, y + 4, value_text(name, med_wall[name, daemon[name]]), \
		"class=\"small\" text-anchor=\"end\"")
	for (k = 1; k <= n_sides; k++) {
		r = of[k]
		line(x_of_ratio(low_ratio[name, r]), y, x_of_ratio(high_ratio[name, r]), y, \
			"spread " class_of(r))
		dot(x_of_ratio(ratio[name, r]), y, class_of(r))
	}
}

# The heading above rows that have the same columns.
function plot_legend(name, y,    all, n, i) {
	n = split(against[name], all, " ")
	for (i = 1; i <= n; i++) {
		dot(left + (i - 1) * 88, y - 4, class_of(all[i]))
		text(left + (i - 1) * 88 + 8, y, side_title(all[i]), "class=\"small\"")
	}
}

function plot_part(first, last, y,    i) {
	plot_legend(work[first], y)
	plot_axis(y + 24, y + 34 + 22 * (last - first + 1))
	for (i = first; i <= last; i++)
		plot_row(work[i], y + 22 + 22 * (i - first + 1))
	return y + 22 * (last - first + 1) + 75
}

function plot(    i, first, y, n) {
	left = 310
	right = 970
	plot_range()
	for (i = 2; i <= works; i++)
		n += against[work[i]] != against[work[i - 1]]
	svg_begin(110 + 22 * works + 75 * (n + 1))
	text(10, 55, "Time and space, divided by those of overlay2 (left: less)", "class=\"head\"")
	text(10, 73, "dot: of medians; line: least to greatest of " machine["rounds"] \
		" rounds; figure: overlay2 itself, over six lowers where there are several", \
		"class=\"small\"")
	y = 110
	first = 1
	for (i = 1; i <= works; i++)
		if (i == works || against[work[i + 1]] != against[work[i]]) {
			y = plot_part(first, i, y)
			first = i + 1
		}
	print "</svg>"
}

END {
	all_stats()
	if (as == "txt")
		table()
	else if (as == "json")
		json()
	else
		plot()
}
