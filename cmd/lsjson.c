/* SPDX-License-Identifier: ISC */
/* The layers that ls lists, as JSON. */
#include <stdio.h>
#include <stdlib.h>

#include "layerjson.h"
#include "ls.h"
#include "out.h"

/* Selects the members that were asked for. */
static json_t *chosen(const struct lister *ls, json_t *all)
{
	json_t *o = json_object();

	for (int i = 0; i < ls->n_cols; i++) {
		const char *key = ls_column[ls->cols[i]].key;
		char raw[32];

		snprintf(raw, sizeof(raw), "%s_raw", key);
		json_object_set(o, key, json_object_get(all, key));
		if (json_object_get(all, raw))
			json_object_set(o, raw, json_object_get(all, raw));
	}
	json_decref(all);
	return o;
}

/* The array that a layer is added to: its parent's children, if that is listed too. */
static json_t *place(const struct lister *ls, json_t *const *made, json_t *top, size_t i)
{
	long parent = ls_parent(ls, i);
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
	int rc = made ? 0 : ls_fail(ls);

	for (size_t n = 0; n < ls->rows && rc == 0; n++) {
		size_t i = ls->order[n];

		made[i] = layer_json(ls->run->st, &ls->list.layer[i]);
		if (!ls->by_default)
			made[i] = chosen(ls, made[i]);
		if (json_array_append_new(place(ls, made, layers, i), made[i]) < 0)
			rc = ls_fail(ls);
	}
	free(made);
	if (rc < 0)
		json_decref(layers);
	else
		out_json_list("layers", layers);
	return rc;
}
