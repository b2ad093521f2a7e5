# Functions that write JSON and SVG.

function quoted(s,    out, i, c) {
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		out = out (c == "\"" || c == "\\" ? "\\" c : c < " " ? " " : c)
	}
	return "\"" out "\""
}

# The separator of members of a list.
function comma(i) {
	return i > 1 ? ", " : ""
}

function facts_object(    i, s) {
	for (i = 1; i <= facts; i++)
		s = s comma(i) quoted(fact[i]) ": " quoted(machine[fact[i]])
	return "{" s "}"
}

function left_out_list(    i, s) {
	for (i = 1; i <= n_left; i++)
		s = s comma(i) "{\"name\": " quoted(left_out[i]) ", \"why\": " quoted(reason[i]) "}"
	return "[" s "]"
}

function esc(s) {
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	gsub(/>/, "\\&gt;", s)
	return s
}

function text(x, y, s, more) {
	printf "<text x=\"%.1f\" y=\"%.1f\"%s>%s</text>\n", x, y, more ? " " more : "", esc(s)
}

function line(x1, y1, x2, y2, class) {
	printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", \
		x1, y1, x2, y2, class
}

function dot(x, y, class) {
	printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" class=\"%s\"/>\n", x, y, class
}

# The start of the plot, up to the line that says what was measured, and where.
function svg_begin(height,    colour, n, i) {
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1000\" height=\"%d\" " \
		"font-family=\"sans-serif\" font-size=\"12\">\n", height
	printf "%s", "<style>.small{font-size:10px;fill:#555}.head{font-size:15px;font-weight:bold}" \
		".bad{fill:#c22;font-weight:bold}line.grid{stroke:#ddd}line.one{stroke:#888}" \
		"line.spread{stroke-width:3;opacity:.5}line.ours{stroke:#26a}line.miss{stroke:#c22}" \
		"circle.ours{fill:#26a}circle.miss{fill:#c22}line.must{stroke:#c22;stroke-width:2}" \
		"line.aim{stroke:#292;stroke-width:2}.panel{fill:none;stroke:#ccc}" \
		"line.curve{stroke:#26a}line.linear{stroke:#aaa;stroke-dasharray:4 3}"
	n = split("#26a #c22 #777 #e80 #9cf #69c #36a #024", colour, " ")
	for (i = 1; i <= n; i++)
		printf "line.c%d{stroke:%s}circle.c%d{fill:%s}", i, colour[i], i, colour[i]
	print "</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
	text(10, 24, machine["version"] ", " machine["commit"] ", " machine["date"] ", " \
		machine["kernel"] ", " machine["processors"] " x " machine["processor"], "class=\"small\"")
}
