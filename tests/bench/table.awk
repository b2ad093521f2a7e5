# Prints results as a table. Runs after stats.awk and write.awk.

function rule(    i) {
	for (i = 0; i < 138; i++)
		printf "-"
	print ""
}

# The CPU time of a daemon is unknown.
function known(name, s) {
	return daemon[name] ? "-" : s
}

function work_line(name) {
	printf "%-42s %-28s %9s %9s %6.2f %5.2f-%-6.2f %5s %4s %4s %-5s %5s %5s\n", title[name], \
		against[name], time_text(med_wall[name, "a"]), time_text(med_wall[name, "b"]), \
		ratio[name], low_ratio[name], high_ratio[name], \
		known(name, sprintf("%.2f", cpu_ratio[name])), must[name], aim[name], \
		verdict[name], mem_text(peak[name, "a"]), \
		known(name, mem_text(peak[name, "b"]))
}

function power_text(p, is_bad) {
	return sprintf("~ n^%.2f", p) (is_bad ? "  WORSE THAN LINEAR" : "")
}

function growth_line(s,    i, x, t, m) {
	x = t = m = ""
	for (i = 1; i <= points[s]; i++) {
		x = x sprintf(" %9s", count_text(x_of[s, i]))
		t = t sprintf(" %9s", time_text(time_of[s, i]))
		m = m sprintf(" %9s", mem_text(mem_of[s, i]))
	}
	printf "%-42s%s\n", s, x
	printf "%42s%s  %s\n", "time", t, power_text(time_power[s], is_slow(s)) \
		sprintf(", processor n^%.2f", cpu_power[s])
	printf "%42s%s  %s\n", "peak MiB", m, power_text(mem_power[s], mem_power[s] > worse)
}

END {
	stats()
	for (i = 1; i <= facts; i++)
		printf "%-10s %s\n", fact[i], machine[fact[i]]
	print ""
	if (works) {
		printf "%-42s %-28s %9s %9s %6s %-12s %5s %4s %4s %-5s %5s %5s\n", "work", "against", \
			"ovlctl", "theirs", "ratio", "min-max", "cpu", "must", "aim", "", "MiB", "theirs"
		rule()
	}
	for (i = 1; i <= works; i++)
		work_line(work[i])
	if (mem_peak)
		printf "%-42s %-28s %9s %9s %6s %12s %5s %4d %4d %-5s\n", "peak memory of any import, MiB", "", \
			mem_text(mem_peak), "", "", "", "", mem_must / 1024, mem_aim / 1024, \
			judge(mem_peak, mem_peak, mem_peak, mem_must, mem_aim)
	if (n_series)
		print "\nhow cost grows; the exponent is that of the upper half"
	for (i = 1; i <= n_series; i++)
		growth_line(series[i])
	if (n_left)
		print "\nnot run"
	for (i = 1; i <= n_left; i++)
		printf "%s: %s\n", left_out[i], reason[i]
}
