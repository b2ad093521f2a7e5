# Prints results as JSON. Runs after stats.awk and write.awk. Times are in seconds, memory in
# KiB.

function bound(x) {
	return x == "-" || x == "" ? "null" : x
}

function side(name, s) {
	return sprintf("{\"wall\": %.6f, \"min\": %.6f, \"max\": %.6f, \"user\": %.6f, " \
		"\"system\": %.6f, \"peak_kib\": %d}", med_wall[name, s], low_wall[name, s], \
		high_wall[name, s], med_user[name, s], med_sys[name, s], peak[name, s])
}

function work_object(name) {
	printf "  {\"name\": %s, \"work\": %s, \"against\": %s, \"must\": %s, \"aim\": %s,\n", \
		quoted(name), quoted(title[name]), quoted(against[name]), bound(must[name]), \
		bound(aim[name])
	printf "   \"rounds\": %d, \"ratio\": %.4f, \"ratio_min\": %.4f, \"ratio_max\": %.4f, " \
		"\"cpu_ratio\": %.4f, \"verdict\": %s,\n", rounds[name, "a"], ratio[name], low_ratio[name], \
		high_ratio[name], cpu_ratio[name], quoted(verdict[name])
	printf "   \"theirs_is_a_daemons_client\": %s,\n", (daemon[name] == "daemon" ? "true" : "false")
	printf "   \"ours\": %s,\n   \"theirs\": %s}", side(name, "a"), side(name, "b")
}

function series_object(s,    i, flag) {
	flag = is_worse(s) ? "true" : "false"
	printf "  {\"series\": %s, \"exponent\": %.3f, \"cpu_exponent\": %.3f, \"memory_exponent\": %.3f, " \
		"\"worse_than_linear\": %s, \"points\": [", quoted(s), time_power[s], \
		cpu_power[s], mem_power[s], flag
	for (i = 1; i <= points[s]; i++)
		printf "%s{\"n\": %.0f, \"wall\": %.6f, \"peak_kib\": %d}", comma(i), \
			x_of[s, i], time_of[s, i], mem_of[s, i]
	printf "]}"
}

END {
	stats()
	printf "{\"machine\": %s,\n \"works\": [\n", facts_object()
	for (i = 1; i <= works; i++) {
		work_object(work[i])
		print i < works ? "," : ""
	}
	printf " ],\n \"peak_import_kib\": %s,\n \"growth\": [\n", (mem_peak ? mem_peak : "null")
	for (i = 1; i <= n_series; i++) {
		series_object(series[i])
		print i < n_series ? "," : ""
	}
	printf " ],\n \"not_run\": %s}\n", left_out_list()
}
