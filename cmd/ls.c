#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cmd.h"

static const struct opt opts[] = {
	{'o', "output", "COLS",
		"columns, separated by commas; +COLS adds to the default ones"},
	{OPT_TREE, "tree", NULL, "layers below what they are on top of"},
	{'J', "json", NULL, "print JSON"},
	{'n', "noheadings", NULL, "no line of headings"},
	{'r', "raw", NULL, "one space between columns, blanks in them as \\x20"},
	{'b', "bytes", NULL, "sizes in bytes"},
	{0, NULL, NULL, NULL},
};

/* ---- columns ---------------------------------------------------------------------- */

enum {
	NAME,
	ID,
	KIND,
	PARENT,
	DEPTH,
	SIZE,
	CREATED,
	MOUNTPOINT,
	LINK,
	DIFFID,
	LOWERS,
	ENTRIES,
	DRIVER,
	PATH,
	COLUMNS
};

static const struct {
	const char *name;
	double width;
	int flags;
	int json;
} column[COLUMNS] = {
	[NAME] = {"NAME", 0.1, SCOLS_FL_NOEXTREMES, SCOLS_JSON_STRING},
	[ID] = {"ID", 12, SCOLS_FL_TRUNC, SCOLS_JSON_STRING},
	[KIND] = {"KIND", 8, 0, SCOLS_JSON_STRING},
	[PARENT] = {"PARENT", 12, SCOLS_FL_TRUNC, SCOLS_JSON_STRING},
	[DEPTH] = {"DEPTH", 5, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER},
	[SIZE] = {"SIZE", 6, SCOLS_FL_RIGHT, SCOLS_JSON_STRING},
	[CREATED] = {"CREATED", 20, 0, SCOLS_JSON_STRING},
	[MOUNTPOINT] = {"MOUNTPOINT", 0.1, SCOLS_FL_WRAP, SCOLS_JSON_ARRAY_STRING},
	[LINK] = {"LINK", 26, 0, SCOLS_JSON_STRING},
	[DIFFID] = {"DIFFID", 71, 0, SCOLS_JSON_STRING},
	[LOWERS] = {"LOWERS", 6, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER},
	[ENTRIES] = {"ENTRIES", 7, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER},
	[DRIVER] = {"DRIVER", 8, 0, SCOLS_JSON_STRING},
	[PATH] = {"PATH", 0.1, 0, SCOLS_JSON_STRING},
};

static const int by_default[] = {
	NAME, ID, KIND, PARENT, DEPTH, SIZE, CREATED, MOUNTPOINT};

struct lister {
	struct run *run;
	struct ovl_list list;
	struct libscols_table *table;
	struct libscols_line **line; /* of each layer */
	int cols[2 * COLUMNS];
	int n_cols;
	bool tree, json, raw, bytes;
};

static int find_column(const char *name, size_t n)
{
	for (int i = 0; i < COLUMNS; i++) {
		if (strlen(column[i].name) == n &&
			strncasecmp(column[i].name, name, n) == 0)
			return i;
	}
	return -1;
}

static int unknown_column(struct run *run, const char *name, int n)
{
	char all[160] = "";

	for (int i = 0; i < COLUMNS; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s",
			i ? ", " : "", column[i].name);
	return usage(run->err, "unknown column '%.*s'; there are %s", n, name, all);
}

static int choose_columns(struct lister *ls)
{
	const char *want = opt_value(ls->run, 'o');

	if (!want || *want == '+') {
		for (size_t i = 0; i < sizeof(by_default) / sizeof(by_default[0]); i++)
			ls->cols[ls->n_cols++] = by_default[i];
		want = want ? want + 1 : "";
	}
	while (*want) {
		size_t n = strcspn(want, ",");
		int c = find_column(want, n);

		if (c < 0)
			return unknown_column(ls->run, want, (int)n);
		if (ls->n_cols == (int)(sizeof(ls->cols) / sizeof(ls->cols[0])))
			return usage(ls->run->err, "too many columns");
		ls->cols[ls->n_cols++] = c;
		want += n + (want[n] == ',');
	}
	return 0;
}

/* ---- cells ------------------------------------------------------------------------ */

static char *join(char *const *texts, char with)
{
	size_t n = 1;
	char *out;
	char *o;

	for (char *const *t = texts; *t; t++)
		n += strlen(*t) + 1;
	o = out = malloc(n);
	if (!out)
		return NULL;
	for (char *const *t = texts; *t; t++) {
		if (t != texts)
			*o++ = with;
		o = stpcpy(o, *t);
	}
	*o = '\0';
	return out;
}

/* In a tree each layer needs something to hang on its branch. */
static char *name_cell(const struct lister *ls, const struct ovl_layer *l)
{
	if (!l->names[0] && ls->tree && !ls->json)
		return strndup(l->id.s, 12);
	return join(l->names, ',');
}

static char *size_cell(const struct lister *ls, const struct ovl_layer *l)
{
	char text[32];

	if (l->kind != OVL_IMAGE)
		return NULL;
	if (ls->bytes)
		snprintf(text, sizeof(text), "%" PRIu64, l->size);
	else
		human_size(l->size, text);
	return strdup(text);
}

static char *time_cell(int64_t seconds)
{
	char text[64];
	time_t t = seconds;
	struct tm tm;
	size_t n;

	localtime_r(&t, &tm);
	n = strftime(text, sizeof(text) - 1, "%Y-%m-%dT%H:%M:%S%z", &tm);
	/* +0100 as +01:00 */
	memmove(text + n - 1, text + n - 2, 3);
	text[n - 2] = ':';
	return strdup(text);
}

static char *number(uint64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	return strdup(text);
}

static char *path_cell(const struct lister *ls, const struct ovl_layer *l)
{
	const char *root = ovl_root(ls->run->st);
	char *out = malloc(strlen(root) + strlen(l->driver) + sizeof(l->id.s) + 3);

	if (out)
		sprintf(out, "%s/%s/%s", root, l->driver, l->id.s);
	return out;
}

static char *cell(const struct lister *ls, const struct ovl_layer *l, int c)
{
	char text[80];

	switch (c) {
	case NAME: return name_cell(ls, l);
	case ID: return strdup(l->id.s);
	case KIND: return strdup(l->kind == OVL_IMAGE ? "image" : "writable");
	case PARENT: return l->has_parent ? strdup(l->parent.s) : NULL;
	case DEPTH: return number(l->depth);
	case SIZE: return size_cell(ls, l);
	case CREATED: return time_cell(l->created);
	case MOUNTPOINT: return l->mounts[0] ? join(l->mounts, '\n') : NULL;
	case LINK: return strdup(l->link);
	case LOWERS: return number(l->lowers);
	case ENTRIES: return l->kind == OVL_IMAGE ? number(l->entries) : NULL;
	case DRIVER: return strdup(l->driver);
	case PATH: return path_cell(ls, l);
	default:
		if (!l->diff_id[0])
			return NULL;
		snprintf(text, sizeof(text), "sha256:%s", l->diff_id);
		return strdup(text);
	}
}

/* ---- the table -------------------------------------------------------------------- */

static int fail(struct lister *ls)
{
	ls->run->err->status = OVL_FAILED;
	snprintf(ls->run->err->text, sizeof(ls->run->err->text), "out of memory");
	return -1;
}

static int add_columns(struct lister *ls)
{
	bool tree = ls->tree;

	for (int i = 0; i < ls->n_cols; i++) {
		int c = ls->cols[i];
		struct libscols_column *col;
		int flags = column[c].flags;

		if (tree && c == NAME) {
			flags |= SCOLS_FL_TREE;
			tree = false;
		}
		col = scols_table_new_column(
			ls->table, column[c].name, column[c].width, flags);
		if (!col)
			return fail(ls);
		scols_column_set_json_type(
			col, c == SIZE && ls->bytes ? SCOLS_JSON_NUMBER : column[c].json);
		if (c == MOUNTPOINT && !ls->json) {
			scols_column_set_wrapfunc(col, scols_wrapnl_chunksize,
				scols_wrapnl_nextchunk, NULL);
			scols_column_set_safechars(col, "\n");
		}
	}
	return 0;
}

static int add_line(struct lister *ls, size_t i, struct libscols_line *parent)
{
	ls->line[i] = scols_table_new_line(ls->table, parent);
	if (!ls->line[i])
		return fail(ls);
	for (int c = 0; c < ls->n_cols; c++) {
		char *text = cell(ls, &ls->list.layer[i], ls->cols[c]);

		if (text && scols_line_refer_data(ls->line[i], (size_t)c, text) != 0)
			return fail(ls);
	}
	return 0;
}

static int by_id(const void *a, const void *b, void *ctx)
{
	const struct ovl_layer *layer = ctx;

	return strcmp(layer[*(const size_t *)a].id.s, layer[*(const size_t *)b].id.s);
}

/* The line of a layer's parent, if it is listed too. Parents come before children: they
 * are older, and of the same second less deep. */
static struct libscols_line *parent_line(
	const struct lister *ls, const size_t *index, const struct ovl_layer *l)
{
	size_t low = 0;
	size_t high = ls->list.n;

	while (l->has_parent && low < high) {
		size_t mid = (low + high) / 2;
		const struct ovl_layer *at = &ls->list.layer[index[mid]];
		int order = strcmp(at->id.s, l->parent.s);

		if (order == 0)
			return strcmp(at->driver, l->driver) == 0 ? ls->line[index[mid]] :
								    NULL;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static int by_depth(const void *a, const void *b, void *ctx)
{
	const struct ovl_layer *layer = ctx;
	size_t x = *(const size_t *)a;
	size_t y = *(const size_t *)b;

	if (layer[x].depth != layer[y].depth)
		return layer[x].depth < layer[y].depth ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int add_lines(struct lister *ls)
{
	size_t n = ls->list.n;
	size_t *index = malloc((2 * n + 1) * sizeof(*index));
	size_t *order = index + n;
	int rc = index ? 0 : fail(ls);

	for (size_t i = 0; i < n && rc == 0; i++)
		index[i] = order[i] = i;
	if (rc == 0 && n) {
		qsort_r(index, n, sizeof(*index), by_id, ls->list.layer);
		if (ls->tree)
			qsort_r(order, n, sizeof(*order), by_depth, ls->list.layer);
	}
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct ovl_layer *l = &ls->list.layer[order[i]];

		rc = add_line(ls, order[i], ls->tree ? parent_line(ls, index, l) : NULL);
	}
	free(index);
	return rc;
}

static int print(struct lister *ls)
{
	int rc;

	setlocale(LC_CTYPE, "");
	ls->table = scols_new_table();
	ls->line = calloc(ls->list.n + 1, sizeof(*ls->line));
	if (!ls->table || !ls->line)
		return fail(ls);
	scols_table_set_name(ls->table, "layers");
	scols_table_enable_json(ls->table, ls->json);
	scols_table_enable_raw(ls->table, ls->raw);
	scols_table_enable_noheadings(ls->table, opt_given(ls->run, 'n'));
	rc = add_columns(ls);
	if (rc == 0)
		rc = add_lines(ls);
	if (rc == 0 && scols_print_table(ls->table) != 0)
		rc = fail(ls);
	return rc;
}

static int run_ls(struct run *run)
{
	struct lister ls = {
		.run = run,
		.tree = opt_given(run, OPT_TREE),
		.json = opt_given(run, 'J'),
		.raw = opt_given(run, 'r'),
		.bytes = opt_given(run, 'b'),
	};
	int rc = choose_columns(&ls);

	if (rc == 0 && (ls.json + ls.raw + ls.tree > 1) && !(ls.json && ls.tree))
		rc = usage(run->err,
			ls.json ? "-J and -r exclude each other" :
				  "--tree and -r exclude each other");
	if (rc == 0)
		rc = ovl_list(run->st, run->n_operands ? run->operand : NULL, &ls.list,
			run->err);
	if (rc == 0 && (ls.list.n || ls.json))
		rc = print(&ls);
	scols_unref_table(ls.table);
	free(ls.line);
	ovl_list_free(&ls.list);
	return rc;
}

const struct cmd cmd_ls = {
	.name = "ls",
	.synopsis = "[-o COLS] [--tree] [-J] [-n] [-r] [-b] [LAYER...]",
	.summary = "list layers",
	.opts = opts,
	.max_operands = UNLIMITED,
	.access = READ_STORE,
	.fn = run_ls,
};
