/* SPDX-License-Identifier: ISC */
/* Resolves the names in containerd's databases: images by their manifests and configs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/vec.h"
#include "foreign/foreign_containerd.h"
#include "foreign/foreign_json.h"

/* Limits on the bytes of all manifests and configs, counted as at least so many each, and
 * on the manifests of an index that are tried. */
#define JSON_MAX      (UINT64_C(512) << 20)
#define JSON_LEAST    4096
#define MANIFESTS_MAX 64

/* ---- for both --------------------------------------------------------------------- */

int ctrd_order(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	return r ? r : (a.n > b.n) - (a.n < b.n);
}

const char *ctrd_text(struct reading *c, struct bytes b)
{
	return foreign_text(c->t, "%.*s", (int)b.n, b.n ? b.p : "");
}

bool ctrd_digest(struct bytes b, char hex[ID_LEN + 1])
{
	char text[7 + ID_LEN + 1] = "";
	const char *digits;

	if (b.n == sizeof(text) - 1)
		memcpy(text, b.p, b.n);
	digits = id_sha256_hex(text);
	if (digits)
		memcpy(hex, digits, ID_LEN + 1);
	return digits;
}

int ctrd_ref(struct reading *c, struct ref r, struct ovl_err *err)
{
	r.space = c->space;
	/* Valid as a reference, but too long for a name. */
	if (r.name.n > REF_MAX || r.space.n > REF_MAX)
		return 0;
	if (c->n_refs == CTRD_MAX)
		return err_say(err, E2BIG, "there are too many names");
	if (!VEC_ROOM(c->ref, c->n_refs))
		return err_nomem(err);
	c->ref[c->n_refs++] = r;
	return 0;
}

/* ---- images ----------------------------------------------------------------------- */

/* Files outside the directory of layers do not matter for orphans; but after an error of the
 * system it is not known which images exist. */
static bool is_read(const struct reading *c, int r, const struct ovl_err *why)
{
	if (r < 0 && err_is_system(r))
		foreign_unread(c->t, why);
	return r > 0;
}

/* Reads a manifest or an index; false if it does not exist or is invalid. */
static bool read_json(struct reading *c, const char *hex, json_t **out)
{
	struct ovl_err why;
	struct stat st = {0};
	int r = c->json > JSON_MAX ?
		0 :
		foreign_json(c->t, P(CTRD_BLOBS "/%s", hex), out, &st, &why);

	c->json += (uint64_t)st.st_size + JSON_LEAST;
	return is_read(c, r, &why);
}

/* The same for the layers of a config. */
static bool read_stack(struct reading *c, const char *hex)
{
	auto_buf text = {0};
	struct ovl_err why;
	int r = c->json > JSON_MAX ? 0 :
				     foreign_file(c->t, P(CTRD_BLOBS "/%s", hex),
					     FOREIGN_JSON_MAX, &text, NULL, &why);

	if (r > 0)
		r = foreign_stack_read(&c->stack, &text, &why);
	c->json += text.len + JSON_LEAST;
	return is_read(c, r, &why);
}

static const char *digest_in(const json_t *o)
{
	return id_digest_hex(foreign_json_text(o, "digest"));
}

/* Finds the layers of an image; false if one of them has no snapshot. Records what config
 * and manifest say about them. */
static bool climb(struct reading *c, const json_t *blobs)
{
	const struct foreign_stack *stack = &c->stack;
	static const struct ovl_id none;

	for (size_t i = 0; i < stack->n; i++) {
		const struct foreign_step *at = &stack->step[i];
		const char *blob = digest_in(json_array_get(blobs, i));
		struct snapshot *s = VEC_FIND(c->snap, c->n_snaps, &at->chain, id_order);

		if (!s || id_order(&s->below, i ? &at[-1].chain : &none) != 0)
			return false;
		memcpy(s->diff_id, at->diff_id, ID_LEN + 1);
		if (blob && json_array_size(blobs) == stack->n)
			memcpy(s->blob, blob, ID_LEN + 1);
	}
	return true;
}

/* Finds the layers of the manifest, or of the first manifest of an index that was
 * unpacked. */
static bool resolve(struct reading *c, struct ref *r, const char *hex, bool in_index)
{
	auto_json m = NULL;
	const json_t *list;
	const char *digest;

	if (!read_json(c, hex, &m))
		return false;
	list = in_index ? NULL : json_object_get(m, "manifests");
	for (size_t i = 0; i < json_array_size(list) && i < MANIFESTS_MAX; i++) {
		digest = digest_in(json_array_get(list, i));
		if (digest && resolve(c, r, digest, true))
			return true;
	}
	digest = digest_in(json_object_get(m, "config"));
	if (!digest || !read_stack(c, digest) || !climb(c, json_object_get(m, "layers")))
		return false;
	r->id = *foreign_stack_top(&c->stack);
	memcpy(r->config, digest, ID_LEN + 1);
	return true;
}

static int by_target(const void *a, const void *b)
{
	return strcmp(((const struct ref *)a)->target, ((const struct ref *)b)->target);
}

/* Several names may refer to one image. */
static void resolve_all(struct reading *c)
{
	VEC_SORT(c->ref, c->n_refs, by_target);
	for (size_t i = 0; i < c->n_refs; i++) {
		struct ref *r = &c->ref[i];

		if (!*r->target)
			continue;
		if (i && by_target(r - 1, r) == 0) {
			r->id = r[-1].id;
			memcpy(r->config, r[-1].config, sizeof(r->config));
		} else {
			resolve(c, r, r->target, false);
		}
	}
}

/* ---- names ------------------------------------------------------------------------ */

static int by_ref(const void *a, const void *b)
{
	const struct ref *x = a;
	const struct ref *y = b;
	int r = ctrd_order(x->name, y->name);

	return r ? r : ctrd_order(x->space, y->space);
}

static void add_name(
	struct reading *c, const struct ref *r, const char *name, bool listed)
{
	struct foreign_name *n;

	if (!*r->id.s || !*name || strcmp(name, r->id.s) == 0)
		return;
	n = foreign_add_name(c->t, name, &r->id);
	n->listed = listed;
	if (*r->config) {
		n->config = foreign_text(c->t, "%s", r->config);
		n->config_path = foreign_text(c->t, CTRD_BLOBS "/%s", r->config);
	}
}

/* Adds n references with the same name: once if all namespaces have the same image,
 * otherwise one for each namespace. */
static void add_alike(struct reading *c, const struct ref *r, size_t n)
{
	bool same = true;

	for (size_t i = 1; i < n; i++)
		same = same && id_order(&r[0].id, &r[i].id) == 0 &&
			strcmp(r[0].config, r[i].config) == 0;
	for (size_t i = 0; i < n; i++) {
		const char *name = ctrd_text(c, r[i].name);
		bool listed = !strchr(name, '@') && !id_is_full(name);

		if (!same)
			name = foreign_text(
				c->t, "%s/%s", ctrd_text(c, r[i].space), name);
		add_name(c, &r[i], name, listed);
		/* Other names that the engine uses for an image. */
		if (*r[i].target) {
			add_name(c, &r[i], r[i].target, false);
			add_name(c, &r[i], r[i].config, false);
		}
	}
}

/* Adds snapshots whose key is not a chain id. */
static int add_keys(struct reading *c, struct ovl_err *err)
{
	char hex[ID_LEN + 1];
	int rc = 0;

	for (size_t i = 0; i < c->n_snaps && rc == 0; i++) {
		const struct snapshot *s = &c->snap[i];

		c->space = s->space;
		if (!ctrd_digest(s->key, hex))
			rc = ctrd_ref(c, (struct ref){.name = s->key, .id = s->id}, err);
	}
	return rc;
}

int ctrd_names(struct reading *c, struct ovl_err *err)
{
	int rc;
	size_t n;

	resolve_all(c);
	rc = add_keys(c, err);
	if (rc == 0)
		VEC_SORT(c->ref, c->n_refs, by_ref);
	for (size_t i = 0; i < c->n_refs && rc == 0; i += n) {
		for (n = 1; i + n < c->n_refs; n++) {
			if (ctrd_order(c->ref[i].name, c->ref[i + n].name) != 0)
				break;
		}
		add_alike(c, &c->ref[i], n);
	}
	return rc;
}
