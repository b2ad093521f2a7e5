/* SPDX-License-Identifier: ISC */
/*
 * The columns of ls and what a layer has in them, for all the forms in which ls prints.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ls.h"

const struct ls_column ls_column[COLUMNS] = {
	[NAME] = {"NAME", 0.1, false, false},
	[ID] = {"ID", 12, false, false},
	[KIND] = {"KIND", 8, false, false},
	[PARENT] = {"PARENT", 12, false, false},
	[DEPTH] = {"DEPTH", 5, true, true},
	[SIZE] = {"SIZE", 6, true, false},
	[CREATED] = {"CREATED", 20, false, false},
	[MOUNTPOINT] = {"MOUNTPOINT", 0.1, false, false},
	[LINK] = {"LINK", 26, false, false},
	[DIFFID] = {"DIFFID", 71, false, false},
	[LOWERS] = {"LOWERS", 6, true, true},
	[ENTRIES] = {"ENTRIES", 7, true, true},
	[DRIVER] = {"DRIVER", 8, false, false},
	[PATH] = {"PATH", 0.1, false, false},
};

bool ls_is_number(const struct lister *ls, int c)
{
	return ls_column[c].number || (c == SIZE && ls->bytes);
}

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

/* On a terminal the table's own columns have room for what names a layer. */
static char *id_cell(const struct lister *ls, const char *id)
{
	return ls->short_ids ? strndup(id, 12) : strdup(id);
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

/* A line each, so none may hold a line break. */
static char *mounts_cell(const struct ovl_layer *l)
{
	size_t n = 1;
	char *out;
	char *o;

	for (char *const *m = l->mounts; *m; m++)
		n += 4 * strlen(*m) + 4;
	o = out = l->mounts[0] ? malloc(n) : NULL;
	for (char *const *m = l->mounts; out && *m; m++) {
		size_t len = strlen(*m);

		if (m != l->mounts)
			*o++ = '\n';
		ovl_escape(o, 4 * len + 4, *m, len);
		o += strlen(o);
	}
	return out;
}

char *ls_cell(const struct lister *ls, const struct ovl_layer *l, int c)
{
	char text[80];

	switch (c) {
	case NAME: return name_cell(ls, l);
	case ID: return id_cell(ls, l->id.s);
	case KIND: return strdup(l->kind == OVL_IMAGE ? "image" : "writable");
	case PARENT: return l->has_parent ? id_cell(ls, l->parent.s) : NULL;
	case DEPTH: return number(l->depth);
	case SIZE: return size_cell(ls, l);
	case CREATED: return time_cell(l->created);
	case MOUNTPOINT: return mounts_cell(l);
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

int ls_fail(struct lister *ls)
{
	ls->run->err->status = OVL_FAILED;
	snprintf(ls->run->err->text, sizeof(ls->run->err->text), "out of memory");
	return -1;
}

long ls_parent(const struct lister *ls, const struct ovl_layer *l)
{
	size_t low = 0;
	size_t high = ls->list.n;

	while (l->has_parent && low < high) {
		size_t mid = (low + high) / 2;
		const struct ovl_layer *at = &ls->list.layer[ls->index[mid]];
		int order = strcmp(at->id.s, l->parent.s);

		if (order == 0)
			return strcmp(at->driver, l->driver) == 0 ? (long)ls->index[mid] :
								    -1;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}
