/* SPDX-License-Identifier: ISC */
/* ovlctl ls: chooses layers, columns and order. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "ls.h"

static const struct opt opts[] = {
	{'o', "output", "COLS", "print these columns; +COLS adds to the defaults"},
	{OPT_TREE, "tree", NULL, "show each layer below its parent"},
	{'J', "json", NULL, "print JSON"},
	{'n', "noheadings", NULL, "omit the headings"},
	{'r', "raw", NULL, "one space between columns, for scripts"},
	{'b', "bytes", NULL, "print sizes in bytes"},
	{'q', "quiet", NULL, "print only the ids"},
	{OPT_SORT, "sort", "COL", "sort by this column"},
	{OPT_KIND, "kind", "KIND", "list only image or only writable layers"},
	{0, NULL, NULL, NULL},
};

/* ---- columns ---------------------------------------------------------------------- */

static const int by_default[] = {
	NAME, ID, KIND, PARENT, DEPTH, SIZE, CREATED, MOUNTPOINT};

static int find_column(const char *name, size_t n)
{
	for (int i = 0; i < COLUMNS; i++) {
		if (strlen(ls_column[i].name) == n &&
			strncasecmp(ls_column[i].name, name, n) == 0)
			return i;
	}
	return -1;
}

static int unknown_column(struct run *run, const char *name, int n)
{
	char all[160] = "";

	for (int i = 0; i < COLUMNS; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s",
			i ? ", " : "", ls_column[i].name);
	return usage(run->err, "unknown column '%.*s'; the columns are %s", n, name, all);
}

static int add_column(struct lister *ls, const char *name, size_t n)
{
	int c = find_column(name, n);

	if (c < 0)
		return unknown_column(ls->run, name, (int)n);
	ls->asked |= 1u << c;
	/* +SIZE asks for the sizes of writable layers, not for a second column. */
	for (int i = 0; ls->by_default && i < ls->n_cols; i++) {
		if (ls->cols[i] == c)
			return 0;
	}
	if (ls->n_cols == (int)(sizeof(ls->cols) / sizeof(ls->cols[0])))
		return usage(ls->run->err, "too many columns");
	ls->cols[ls->n_cols++] = c;
	return 0;
}

static int choose_columns(struct lister *ls)
{
	const char *want = opt_given(ls->run, 'q') ? "ID" : opt_value(ls->run, 'o');
	int rc = 0;

	ls->by_default = !want || *want == '+';
	if (!want || *want == '+') {
		for (size_t i = 0; i < sizeof(by_default) / sizeof(by_default[0]); i++)
			ls->cols[ls->n_cols++] = by_default[i];
		want = want ? want + 1 : "";
	} else if (!*want)
		return usage(ls->run->err, "-o: no columns given");
	while (*want && rc == 0) {
		size_t n = strcspn(want, ",");

		rc = add_column(ls, want, n);
		want += n + (want[n] == ',');
	}
	return rc;
}

static int choose_sort(struct lister *ls)
{
	const char *by = opt_value(ls->run, OPT_SORT);

	ls->sort = by ? find_column(by, strlen(by)) : -1;
	if (by && ls->sort < 0)
		return unknown_column(ls->run, by, (int)strlen(by));
	if (by)
		ls->asked |= 1u << ls->sort;
	return 0;
}

static int choose_kind(struct lister *ls)
{
	const char *kind = opt_value(ls->run, OPT_KIND);

	if (kind && strcmp(kind, "image") != 0 && strcmp(kind, "writable") != 0)
		return usage(ls->run->err,
			"unknown kind '%s'; the kinds are image and writable", kind);
	return 0;
}

/* ---- the layers -------------------------------------------------------------------- */

/* Trees are walked and details read only for columns that were asked for. */
static unsigned what_to_ask(const struct lister *ls)
{
	unsigned flags = 0;

	if (ls->asked & 1u << SIZE)
		flags |= OVL_LIST_SIZES;
	if (ls->asked & 1u << USED || (ls->json && ls->by_default))
		flags |= OVL_LIST_LAST_USE;
	if (ls->asked & 1u << USES || (ls->json && ls->by_default))
		flags |= OVL_LIST_USES;
	if (ls->asked & 1u << PATH)
		flags |= OVL_LIST_PATHS;
	if (ls->json && (ls->by_default || ls->asked & 1u << LOWERS))
		flags |= OVL_LIST_DETAILS;
	return flags;
}

/* ---- the order -------------------------------------------------------------------- */

static int by_number(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_time(struct timespec a, struct timespec b)
{
	int order = by_number(a.tv_sec, b.tv_sec);

	return order ? order : by_number(a.tv_nsec, b.tv_nsec);
}

static int by_text(
	const struct lister *ls, const struct ovl_layer *a, const struct ovl_layer *b)
{
	char *x = ls_cell(ls, a, ls->sort);
	char *y = ls_cell(ls, b, ls->sort);
	int order = strcmp(x ? x : "", y ? y : "");

	free(x);
	free(y);
	return order;
}

static int by_column(
	const struct lister *ls, const struct ovl_layer *a, const struct ovl_layer *b)
{
	switch (ls->sort) {
	case -1: return 0;
	case SIZE: return by_number((int64_t)a->size, (int64_t)b->size);
	case USED: return by_time(a->used, b->used);
	case CREATED: return by_number(a->created.tv_sec, b->created.tv_sec);
	case DEPTH: return by_number(a->depth, b->depth);
	case LOWERS: return by_number(a->lowers, b->lowers);
	case ENTRIES: return by_number((int64_t)a->entries, (int64_t)b->entries);
	case USES: return by_number(a->uses, b->uses);
	default: return by_text(ls, a, b);
	}
}

/* Layers with the same value keep the order of the list; in a tree, parents come before
 * children. */
static int in_order(const void *a, const void *b, void *ctx)
{
	const struct lister *ls = ctx;
	const size_t x = *(const size_t *)a;
	const size_t y = *(const size_t *)b;
	const struct ovl_layer *layer = ls->list.layer;
	int order = ls->tree ? by_number(layer[x].depth, layer[y].depth) : 0;

	if (!order)
		order = by_column(ls, &layer[x], &layer[y]);
	return order ? order : by_number((int64_t)x, (int64_t)y);
}

static int put_in_order(struct lister *ls)
{
	size_t n = ls->list.n;

	ls->order = malloc((n + 1) * sizeof(*ls->order));
	if (!ls->order)
		return ls_fail(ls);
	for (size_t i = 0; i < n; i++) {
		if (ls_shows(ls, &ls->list.layer[i]))
			ls->order[ls->rows++] = i;
	}
	if (ls->rows && (ls->tree || ls->sort >= 0))
		qsort_r(ls->order, ls->rows, sizeof(size_t), in_order, ls);
	return 0;
}

/* ---- the command ------------------------------------------------------------------- */

static int check_options(struct lister *ls)
{
	struct run *run = ls->run;

	if (ls->json && (ls->raw || opt_given(run, 'q')))
		return usage(run->err, "-J and %s cannot be used together",
			ls->raw ? "-r" : "-q");
	if (ls->tree && (ls->raw || opt_given(run, 'q')))
		return usage(run->err, "--tree and %s cannot be used together",
			ls->raw ? "-r" : "-q");
	if (opt_given(run, 'q') && opt_given(run, 'o'))
		return usage(run->err, "-o and -q cannot be used together");
	return 0;
}

/* Names the store that was read, because root and users have different stores, and --root
 * may be mistyped. */
static void say_empty(const struct lister *ls)
{
	if (!ls->list.n && !ls->json && !ls->raw && !ls->run->quiet)
		fprintf(stderr, "ovlctl: ls: there are no layers in '%s'\n",
			ovl_root(ls->run->st));
}

static int run_ls(struct run *run)
{
	bool ids = opt_given(run, 'q');
	struct lister ls = {
		.run = run,
		.tree = opt_given(run, OPT_TREE),
		.json = opt_given(run, 'J'),
		.raw = opt_given(run, 'r'),
		.bytes = opt_given(run, 'b'),
		.noheadings = opt_given(run, 'n') || ids,
	};
	int rc = choose_columns(&ls);

	if (rc == 0)
		rc = choose_sort(&ls);
	if (rc == 0)
		rc = choose_kind(&ls);
	if (rc == 0)
		rc = check_options(&ls);
	ls.raw = ls.raw || ids;
	ls.fit = !ls.json && !ls.raw && isatty(STDOUT_FILENO);
	ls.brief = ls.fit && ls.by_default;
	if (rc == 0)
		rc = ovl_list(run->st, run->n_operands ? run->operand : NULL,
			what_to_ask(&ls), &ls.list, run->err);
	if (rc == 0)
		rc = put_in_order(&ls);
	if (rc == 0 && ls.json)
		rc = ls_print_json(&ls);
	else if (rc == 0 && ls.rows)
		rc = ls_print_table(&ls);
	if (rc == 0)
		say_empty(&ls);
	free(ls.order);
	ovl_list_free(&ls.list);
	return rc;
}

const struct cmd cmd_ls = {
	.name = "ls",
	.synopsis = "[-o COLS] [--tree] [-J] [-n] [-r] [-b] [-q]\n"
		    " [--sort COL] [--kind KIND] [LAYER...]",
	.summary = "list layers",
	.completes = "layer",
	.others = "list images image layers container ps tree",
	.opts = opts,
	.max_operands = UNLIMITED,
	.access = LIST_STORE,
	.prints = true,
	.fn = run_ls,
};
