/* SPDX-License-Identifier: ISC */
/* The layers that ls lists, as JSON. */

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ls.h"
#include "out.h"

static json_t *value(const struct lister *ls, const struct ovl_layer *l, int c)
{
	char *text = ls_cell(ls, l, c);
	json_t *v;

	if (!text)
		return json_null();
	v = ls_is_number(ls, c) ? json_integer((json_int_t)strtoull(text, NULL, 10)) :
				  json_string(text);
	free(text);
	return v;
}

static json_t *layer(const struct lister *ls, const struct ovl_layer *l)
{
	json_t *o = json_object();

	for (int i = 0; i < ls->n_cols; i++) {
		int c = ls->cols[i];
		char key[32] = "";
		char *path;

		for (const char *n = ls_column[c].name; *n; n++)
			key[strlen(key)] = (char)tolower((unsigned char)*n);
		if (c == MOUNTPOINT) {
			out_json_paths(o, key, l->mounts);
			continue;
		}
		if (c != PATH) {
			json_object_set_new(o, key, value(ls, l, c));
			continue;
		}
		path = ls_cell(ls, l, c);
		if (path)
			out_json_path(o, key, path, strlen(path));
		free(path);
	}
	return o;
}

/* Where a layer goes: among its parent's children, if that is listed too. */
static json_t *place(const struct lister *ls, json_t *const *made, json_t *top, size_t i)
{
	long parent = ls->tree ? ls_parent(ls, &ls->list.layer[i]) : -1;
	json_t *children;

	if (parent < 0)
		return top;
	children = json_object_get(made[parent], "children");
	if (!children) {
		children = json_array();
		json_object_set_new(made[parent], "children", children);
	}
	return children;
}

int ls_print_json(struct lister *ls)
{
	json_t **made = calloc(ls->list.n + 1, sizeof(*made));
	json_t *layers = json_array();
	json_t *o = json_object();
	int rc = made ? 0 : ls_fail(ls);

	json_object_set_new(o, "layers", layers);
	for (size_t n = 0; n < ls->list.n && rc == 0; n++) {
		size_t i = ls->order[n];

		made[i] = layer(ls, &ls->list.layer[i]);
		if (json_array_append_new(place(ls, made, layers, i), made[i]) < 0)
			rc = ls_fail(ls);
	}
	if (rc == 0 && json_dumpf(o, stdout, JSON_INDENT(3)) == 0)
		putchar('\n');
	json_decref(o);
	free(made);
	return rc;
}
