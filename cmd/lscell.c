/* SPDX-License-Identifier: ISC */
/*
 * The columns of ls and their values for a layer, for all output formats.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ls.h"
#include "out.h"

const struct table_column ls_column[COLUMNS] = {
	[NAME] = {"NAME", "names", 0.1, false},
	[ID] = {"ID", "id", 12, false},
	[KIND] = {"KIND", "kind", 8, false},
	[PARENT] = {"PARENT", "parent", 12, false},
	[DEPTH] = {"DEPTH", "depth", 5, true},
	[SIZE] = {"SIZE", "size", 6, true},
	[CREATED] = {"CREATED", "created", 16, false},
	[MOUNTPOINT] = {"MOUNTPOINT", "mounts", 0.1, false},
	[LINK] = {"LINK", "link", 26, false},
	[DIFFID] = {"DIFFID", "diff_id", 12, false},
	[LOWERS] = {"LOWERS", "lowers", 6, true},
	[ENTRIES] = {"ENTRIES", "entries", 7, true},
	[DRIVER] = {"DRIVER", "driver", 8, false},
	[USES] = {"USES", "uses", 4, true},
	[USED] = {"USED", "used", 16, false},
	[PATH] = {"PATH", "path", 0.1, false},
};

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

/* In a tree, a layer without a name is shown by its id. */
static char *name_cell(const struct lister *ls, const struct ovl_layer *l)
{
	if (!l->names[0] && ls->tree)
		return strndup(l->id.s, 12);
	return join(l->names, ls->brief && !ls->tree ? '\n' : ',');
}

static char *id_cell(const struct lister *ls, const char *id)
{
	return ls->brief ? strndup(id, 12) : strdup(id);
}

static char *size_cell(const struct lister *ls, const struct ovl_layer *l)
{
	char text[32];

	if (!l->has_size)
		return NULL;
	if (ls->bytes)
		snprintf(text, sizeof(text), "%" PRIu64, l->size);
	else
		human_size(l->size, text);
	return strdup(text);
}

/* Empty if unknown, as in another program's store. */
static char *time_cell(
	const struct lister *ls, const struct ovl_layer *l, int64_t seconds)
{
	char text[TIME_SIZE];

	return l->engine_id && !seconds ? NULL :
					  strdup(human_time(seconds, ls->brief, text));
}

static char *number(uint64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	return strdup(text);
}

static char *escaped_path(const struct lister *ls, const struct ovl_layer *l)
{
	char *path = layer_path(ls->run->st, l);
	char *out = path ? out_escaped(path) : NULL;

	free(path);
	return out;
}

static char *parent_cell(const struct lister *ls, const struct ovl_layer *l)
{
	if (l->on)
		return out_escaped(l->on);
	return l->has_parent ? id_cell(ls, l->parent.s) : NULL;
}

/* True for the default mount point, which is shortened on a terminal. */
static bool is_default(
	const struct lister *ls, const struct ovl_layer *l, const char *mount)
{
	char *path = ls->brief ? layer_path(ls->run->st, l) : NULL;
	size_t n = path ? strlen(path) : 0;
	bool is = path && strncmp(mount, path, n) == 0 &&
		strcmp(mount + n, "/merged") == 0;

	free(path);
	return is;
}

/* One mount point on each line, so a line break in one is escaped. */
static char *mounts_cell(const struct lister *ls, const struct ovl_layer *l)
{
	size_t n = 1;
	char *out;
	char *o;

	for (char *const *m = l->mounts; *m; m++)
		n += 4 * strlen(*m) + 4;
	o = out = l->mounts[0] ? malloc(n) : NULL;
	for (char *const *m = l->mounts; out && *m; m++) {
		const char *text = is_default(ls, l, *m) ? ".../merged" : *m;
		size_t len = strlen(text);

		if (m != l->mounts)
			*o++ = '\n';
		ovl_escape(o, 4 * len + 4, text, len);
		o += strlen(o);
	}
	return out;
}

static char *diff_id_cell(const struct lister *ls, const struct ovl_layer *l)
{
	char text[80];

	if (!l->diff_id[0])
		return NULL;
	snprintf(text, sizeof(text), "sha256:%.*s", ls->brief ? 12 : 64, l->diff_id);
	return strdup(text);
}

char *ls_cell(const struct lister *ls, const struct ovl_layer *l, int c)
{
	switch (c) {
	case NAME: return name_cell(ls, l);
	case ID: return id_cell(ls, l->id.s);
	case KIND: return strdup(l->kind == OVL_IMAGE ? "image" : "writable");
	case PARENT: return parent_cell(ls, l);
	case DEPTH: return number(l->depth);
	case SIZE: return size_cell(ls, l);
	case CREATED: return time_cell(ls, l, l->created.tv_sec);
	case MOUNTPOINT: return mounts_cell(ls, l);
	case LINK: return strdup(l->link);
	case LOWERS: return number(l->lowers);
	case ENTRIES:
		return l->kind == OVL_IMAGE && !l->engine_id ? number(l->entries) : NULL;
	case DRIVER: return strdup(l->driver);
	case USED: return time_cell(ls, l, l->used.tv_sec);
	case USES: return l->uses < 0 ? NULL : number((uint64_t)l->uses);
	case PATH: return escaped_path(ls, l);
	default: return diff_id_cell(ls, l);
	}
}

int ls_fail(struct lister *ls)
{
	return failed(ls->run->err, "out of memory");
}

bool ls_shows(const struct lister *ls, const struct ovl_layer *l)
{
	const char *kind = opt_value(ls->run, OPT_KIND);

	return !kind || (l->kind == OVL_IMAGE) == (*kind == 'i');
}

long ls_parent(const struct lister *ls, size_t i)
{
	long at = ls->tree ? ls->list.layer[i].parent_at : -1;

	return at >= 0 && ls_shows(ls, &ls->list.layer[at]) ? at : -1;
}
