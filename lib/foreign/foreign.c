/* SPDX-License-Identifier: ISC */
/* The table as a whole: reading it, sorting it, and finding things in it. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/idmap.h"
#include "base/vec.h"
#include "foreign/foreign.h"

/* No real store has more. */
#define LAYERS_MAX (1u << 20)

static const char in_loop[] = "its parents form a loop";
static const char too_deep[] = "it has too many layers below it";

void foreign_free(struct foreign *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_layers; i++)
		free(t->layer[i].more);
	for (size_t i = 0; i < t->n_texts; i++)
		free(t->text[i]);
	free(t->layer);
	free(t->name);
	free(t->claim);
	free(t->record);
	free(t->text);
	free(t);
}

/* ---- order ------------------------------------------------------------------------ */

/* Of two layers with the same id, the one without a fault comes first. */
static int by_id(const void *a, const void *b)
{
	const struct foreign_layer *x = a;
	const struct foreign_layer *y = b;
	int order = id_order(&x->id, &y->id);

	return order ? order : !!x->fault - !!y->fault;
}

static int by_name(const void *a, const void *b)
{
	const struct foreign_name *x = a;
	const struct foreign_name *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : id_order(&x->layer, &y->layer);
}

static size_t index_of(const struct foreign *t, const struct ovl_id *id)
{
	const struct foreign_layer *l = foreign_layer_find(t, id);

	return l ? (size_t)(l - t->layer) : FOREIGN_NONE;
}

static void sort_layers(struct foreign *t)
{
	size_t n = 0;

	VEC_SORT(t->layer, t->n_layers, by_id);
	for (size_t i = 0; i < t->n_layers; i++) {
		struct foreign_layer *l = &t->layer[i];

		if (n && id_order(&t->layer[n - 1].id, &l->id) == 0)
			free(l->more);
		else
			t->layer[n++] = *l;
	}
	t->n_layers = n;
}

static void sort_names(struct foreign *t)
{
	size_t n = 0;

	VEC_SORT(t->name, t->n_names, by_name);
	for (size_t i = 0; i < t->n_names; i++) {
		struct foreign_name *name = &t->name[i];

		name->at = index_of(t, &name->layer);
		if (name->at == FOREIGN_NONE ||
			(n && by_name(&t->name[n - 1], name) == 0))
			continue;
		t->name[n++] = *name;
	}
	t->n_names = n;
}

/* ---- stacks ----------------------------------------------------------------------- */

/* Not counted yet; or part of the path that is being counted. */
#define UNKNOWN UINT32_MAX
#define ON_WAY  (UINT32_MAX - 1)

static void count_one(struct foreign *t, struct foreign_layer *l)
{
	const struct foreign_layer *below = l->below == FOREIGN_NONE ?
		NULL :
		&t->layer[l->below];

	l->depth = 0;
	l->lowers = l->n_more;
	if (!below)
		return;
	l->depth = below->depth + 1;
	l->lowers += below->lowers + 1;
	if (!l->fault && (below->fault == in_loop || below->fault == too_deep))
		l->fault = below->fault;
	else if (!l->fault && l->lowers > OVL_MAX_LOWERS)
		l->fault = too_deep;
}

/* Counts the layers below i; way has room for all layers. */
static void count_from(struct foreign *t, size_t i, size_t *way)
{
	size_t n = 0;

	while (i != FOREIGN_NONE && t->layer[i].depth == UNKNOWN) {
		t->layer[i].depth = ON_WAY;
		way[n++] = i;
		i = t->layer[i].below;
	}
	if (i != FOREIGN_NONE && t->layer[i].depth == ON_WAY) {
		struct foreign_layer *last = &t->layer[way[n - 1]];

		last->below = FOREIGN_NONE;
		last->fault = last->fault ? last->fault : in_loop;
	}
	while (n--)
		count_one(t, &t->layer[way[n]]);
}

static int stack_up(struct foreign *t)
{
	auto_free size_t *way = calloc(t->n_layers + 1, sizeof(*way));

	if (!way)
		return -1;
	for (size_t i = 0; i < t->n_layers; i++) {
		struct foreign_layer *l = &t->layer[i];

		l->depth = UNKNOWN;
		l->below = *l->parent.s ? index_of(t, &l->parent) : FOREIGN_NONE;
	}
	for (size_t i = 0; i < t->n_layers; i++)
		count_from(t, i, way);
	return 0;
}

/* Links the names and the children of each layer, in the order of the table. */
static void chain_up(struct foreign *t)
{
	for (size_t i = 0; i < t->n_layers; i++)
		t->layer[i].child = t->layer[i].name = FOREIGN_NONE;
	for (size_t i = t->n_layers; i-- > 0;) {
		struct foreign_layer *l = &t->layer[i];

		if (l->below == FOREIGN_NONE)
			continue;
		l->sibling = t->layer[l->below].child;
		t->layer[l->below].child = i;
	}
	for (size_t i = t->n_names; i-- > 0;) {
		t->name[i].next = t->layer[t->name[i].at].name;
		t->layer[t->name[i].at].name = i;
	}
}

/* ---- reading ---------------------------------------------------------------------- */

/* True for the store of an ordinary user, inside a user namespace or seen from outside. The
 * root itself belongs to an unprivileged user with Docker's option userns-remap too. */
static bool is_of_user(const struct foreign *t)
{
	auto_fd own = foreign_open(t, t->engine->own, O_PATH);
	struct stat st;

	return idmap_unprivileged() ||
		(own >= 0 && fstat(own, &st) == 0 && st.st_uid != 0);
}

int foreign_read(const struct foreign_engine *e, int root, bool noatime, bool brief,
	struct foreign **out, struct ovl_err *err)
{
	struct foreign *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return err_nomem(err);
	t->engine = e;
	t->root = root;
	t->noatime = noatime;
	t->brief = brief && e->can_brief;
	t->user_xattrs = is_of_user(t);
	rc = e->read(t, err);
	if (rc == 0 && t->n_layers > LAYERS_MAX)
		rc = err_say(err, E2BIG, "%zu layers are too many", t->n_layers);
	if (rc == 0 && !t->failed)
		sort_layers(t);
	if (rc == 0 && !t->failed)
		sort_names(t);
	if (rc == 0 && (t->failed || stack_up(t) < 0))
		rc = err_nomem(err);
	if (rc == 0)
		chain_up(t);
	if (rc < 0)
		foreign_free(t);
	else
		*out = t;
	return rc;
}

/* ---- finding ---------------------------------------------------------------------- */

const struct foreign_layer *foreign_layer_find(
	const struct foreign *t, const struct ovl_id *id)
{
	return VEC_FIND(t->layer, t->n_layers, id, id_order);
}

const struct foreign_name *foreign_names_find(
	const struct foreign *t, const char *text, bool prefix, size_t *n)
{
	const char *hex = id_digest_hex(text);
	size_t low = 0;
	size_t high = t->n_names;
	size_t len;

	text = hex ? hex : text;
	len = strlen(text) + !prefix;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strncmp(t->name[mid].name, text, len) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (*n = 0; low + *n < t->n_names; ++*n) {
		if (strncmp(t->name[low + *n].name, text, len) != 0)
			break;
	}
	return *n ? t->name + low : NULL;
}
