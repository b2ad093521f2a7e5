/* SPDX-License-Identifier: ISC */
/* ovlctl prune: prints what is removed, as lines or as JSON. */

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "out.h"

static const struct opt opts[] = {
	{'J', "json", NULL, "print JSON"},
	{OPT_DRY_RUN, "dry-run", NULL, "list what would be removed, and remove nothing"},
	{OPT_ASIDE, "aside", NULL, "also remove what 'check --repair' set aside"},
	{OPT_LAYERS, "layers", NULL, "also remove unused image layers without a name"},
	{OPT_WRITABLE, "writable", NULL, "with --layers: also remove writable layers"},
	{OPT_UNUSED_FOR, "unused-for", "T",
		"with --layers: only if unused for T (default 1h)"},
	{OPT_KEEP_LAST, "keep-last", "N",
		"with --layers: keep the N that were used last"},
	{OPT_KEEP_BYTES, "keep-bytes", "N", "with --layers: keep up to N bytes of them"},
	{0, NULL, NULL, NULL},
};

struct printer {
	bool json;
	bool table; /* a table for people, with rounded sizes */
	size_t n;
	uint64_t bytes;
};

static void print_row(const char *what, uint64_t bytes, const char *name, const char *why)
{
	char size[16];

	printf("%-8s %6s %s %s", what, human_size(bytes, size), name, why);
}

static void print_json(const struct printer *p, const struct ovl_pruned *g)
{
	json_t *o = json_pack("{s:s}", "what", g->what);

	out_json_path(o, "name", g->name);
	json_object_update_new(o,
		json_pack("{s:I, s:s, s:o?}", "bytes", (json_int_t)g->bytes, "why",
			g->why, "used", g->used ? out_json_time(g->used->tv_sec) : NULL));
	out_json_item(o, p->n);
}

static void print_line(const struct printer *p, const struct ovl_pruned *g)
{
	char shown[1100];
	char used[TIME_SIZE];

	ovl_escape(shown, sizeof(shown), g->name, strlen(g->name));
	if (p->table && !p->n)
		printf("%-8s %6s %s\n", "WHAT", "SIZE", "NAME AND REASON");
	out_shorten(shown);
	if (p->table)
		print_row(g->what, g->bytes, shown, g->why);
	else
		printf("%s %s %" PRIu64 " %s", g->what, shown, g->bytes, g->why);
	if (g->used)
		printf("; last used %s", human_time(g->used->tv_sec, p->table, used));
	putchar('\n');
}

static int print(void *ctx, const struct ovl_pruned *g)
{
	struct printer *p = ctx;

	progress_clear();
	if (p->json)
		print_json(p, g);
	else
		print_line(p, g);
	p->n++;
	p->bytes += g->bytes;
	return 0;
}

static int take_age(struct run *run, int64_t *out)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	const char *text = opt_value(run, OPT_UNUSED_FOR);
	char *end;
	long v;

	*out = 3600;
	if (!text)
		return 0;
	errno = 0;
	v = strtol(text, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (*text >= '0' && *text <= '9' && errno == 0 && v < 1000000000 &&
			strcmp(end, units[i].unit) == 0) {
			*out = v * units[i].seconds;
			return 0;
		}
	}
	return usage(run->err,
		"'--unused-for %s': not a number of seconds (suffixes s, m, h and d are "
		"allowed)",
		text);
}

static bool is_of_layers(int id)
{
	return id == OPT_WRITABLE || id == OPT_UNUSED_FOR || id == OPT_KEEP_LAST ||
		id == OPT_KEEP_BYTES;
}

static int take_options(struct run *run, struct ovl_prune *req)
{
	int rc = take_age(run, &req->unused_for);

	if (rc == 0)
		rc = opt_number(run, OPT_KEEP_LAST, &req->keep_last);
	if (rc == 0)
		rc = opt_number(run, OPT_KEEP_BYTES, &req->keep_bytes);
	for (const struct opt *o = opts; rc == 0 && o->id; o++) {
		if (is_of_layers(o->id) && opt_given(run, o->id) && !req->layers)
			rc = usage(run->err, "--%s needs --layers", o->name);
	}
	return rc;
}

static int run_prune(struct run *run)
{
	struct ovl_prune req = {
		.dry_run = opt_given(run, OPT_DRY_RUN),
		.layers = opt_given(run, OPT_LAYERS),
		.writable = opt_given(run, OPT_WRITABLE),
		.aside = opt_given(run, OPT_ASIDE),
	};
	struct printer p = {
		.json = opt_given(run, 'J'),
		.table = !opt_given(run, 'J') && isatty(STDOUT_FILENO),
	};
	char total[32];
	int rc = take_options(run, &req);

	if (rc == 0)
		rc = ovl_prune(run->st, &req, print, &p, run->err);
	if (p.json && (rc == 0 || p.n))
		out_json_end(p.n);
	snprintf(total, sizeof(total), "%zu", p.n);
	if (p.table && p.n)
		print_row("total", p.bytes, total,
			req.dry_run ? "would be removed\n" : "removed\n");
	return rc;
}

const struct cmd cmd_prune = {
	.name = "prune",
	.synopsis = "[-J] [--dry-run] [--aside] [--layers [--writable]\n"
		    " [--unused-for T] [--keep-last N] [--keep-bytes N]]",
	.summary = "remove leftovers of killed processes, and unused layers",
	.completes = "none",
	.others = "gc clean cleanup",
	.opts = opts,
	.access = WRITE_STORE,
	.prints = true,
	.fn = run_prune,
};
