#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "cleanup.h"
#include "config.h"
#include "driver.h"
#include "layer.h"
#include "mountspec.h"
#include "names.h"
#include "quote.h"
#include "sizes.h"
#include "store.h"

/* A text that may hold any bytes: JSON has only UTF-8, so others come escaped. */
static json_t *text(const char *s)
{
	json_t *v = json_string(s);
	size_t n = strlen(s);
	char *out;

	if (v)
		return v;
	out = malloc(4 * n + 4);
	if (out)
		v = json_string(ovl_escape(out, 4 * n + 4, s, n));
	free(out);
	return v;
}

static json_t *exact(const char *s)
{
	char *out = ovl_base64(s, strlen(s));
	json_t *v = out ? json_string(out) : NULL;

	free(out);
	return v;
}

static void set_raw(json_t *o, const char *key, json_t *v)
{
	char raw[64];

	snprintf(raw, sizeof(raw), "%s_raw", key);
	json_object_set_new(o, raw, v);
}

static bool is_text(const char *s)
{
	json_t *v = json_string(s);

	json_decref(v);
	return v;
}

/* o[key]; what is not UTF-8 is exact, as base64, in o[key_raw]. */
static void set_text(json_t *o, const char *key, const char *s)
{
	json_object_set_new(o, key, text(s));
	if (!is_text(s))
		set_raw(o, key, exact(s));
}

static void set_texts(json_t *o, const char *key, char *const *list)
{
	json_t *a = json_array();
	json_t *raw = json_array();
	bool all = true;

	for (; list && *list; list++) {
		json_array_append_new(a, text(*list));
		json_array_append_new(raw, exact(*list));
		all = all && is_text(*list);
	}
	json_object_set_new(o, key, a);
	if (all)
		json_decref(raw);
	else
		set_raw(o, key, raw);
}

static json_t *digest(const char *hex)
{
	return *hex ? json_sprintf("sha256:%s", hex) : json_null();
}

static json_t *when(int64_t seconds)
{
	char out[32];
	time_t t = seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, sizeof(out), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(out);
}

static void set_path(
	json_t *o, const char *key, const struct layer *l, const char *inside)
{
	auto_buf b = {0};

	buf_addf(&b, "%s/%s/%s%s%s", l->st->root, l->drv->name, l->id.s,
		*inside ? "/" : "", inside);
	if (!b.failed)
		set_text(o, key, b.data);
}

static json_t *paths(const struct layer *l)
{
	json_t *o = json_object();

	set_path(o, "layer", l, "");
	set_path(o, "tree", l, layer_tree_name(l));
	if (driver_keeps_mount(l)) {
		set_path(o, "work", l, l->drv->work);
		set_path(o, "merged", l, l->drv->merged);
	}
	return o;
}

/* Opens a layer of the stack; one that is not there is *missing. */
static int open_below(const struct layer *l, const struct layer_ref *ref,
	struct layer *below, bool *missing, struct ovl_err *err)
{
	int rc = layer_open_ref(l->st, ref, 0, ref->id.s, below, err);

	*missing = rc < 0 && err->status == OVL_NOLAYER;
	return *missing ? 0 : rc;
}

/* The layers below, nearest first, down to the bottom or to one that is missing. */
static int stack_of(const struct layer *l, json_t *out, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = l->drv};
	struct meta at = l->meta;
	bool missing = false;

	for (unsigned i = 0; at.has_parent && !missing; i++) {
		auto_layer below = LAYER_INIT;
		json_t *o;
		int rc;

		ref.id = at.parent;
		rc = i > l->meta.depth ?
			err_say(err, ELOOP, "the parents of layer %.12s go round",
				l->id.s) :
			open_below(l, &ref, &below, &missing, err);
		if (rc < 0)
			return rc;
		o = json_object();
		json_object_set_new(o, "id", json_string(ref.id.s));
		at = below.meta;
		if (missing) {
			json_object_set_new(o, "missing", json_true());
		} else {
			json_object_set_new(o, "diff_id", digest(at.diff_id));
			json_object_set_new(o, "link", json_string(at.link));
			json_object_set_new(o, "size", json_integer((json_int_t)at.size));
		}
		json_array_append_new(out, o);
	}
	return 0;
}

static int set_lowers(json_t *o, const struct layer *l, struct ovl_err *err)
{
	auto_stack s = {0};
	int rc = l->drv->lowers(l, &s, err);
	char **list = rc == 0 ? calloc(s.n + 1, sizeof(*list)) : NULL;

	if (rc == 0 && !list)
		rc = err_nomem(err);
	for (unsigned i = 0; rc == 0 && i < s.n; i++) {
		auto_buf b = {0};

		buf_addf(&b, "%s/%s/%s", l->st->root, l->drv->name, s.name[i]);
		list[i] = buf_steal(&b);
		if (!list[i])
			rc = err_nomem(err);
	}
	if (rc == 0)
		set_texts(o, "lowers", list);
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
	return rc;
}

static void describe(json_t *o, const struct ovl_layer *in)
{
	bool image = in->kind == OVL_IMAGE;

	json_object_set_new(o, "id", json_string(in->id.s));
	set_texts(o, "names", in->names);
	json_object_set_new(o, "kind", json_string(image ? "image" : "writable"));
	json_object_set_new(o, "driver", json_string(in->driver));
	json_object_set_new(o, "link", json_string(in->link));
	json_object_set_new(o, "chain_id", image ? digest(in->id.s) : json_null());
	json_object_set_new(o, "diff_id", digest(in->diff_id));
	json_object_set_new(
		o, "parent", in->has_parent ? json_string(in->parent.s) : json_null());
	json_object_set_new(o, "depth", json_integer(in->depth));
	json_object_set_new(
		o, "size", image ? json_integer((json_int_t)in->size) : json_null());
	json_object_set_new(o, "entries",
		image ? json_integer((json_int_t)in->entries) : json_null());
	json_object_set_new(o, "created", when(in->created));
	set_texts(o, "mounts", in->mounts);
}

static int add_sizes(const struct layer *l, json_t *o, struct ovl_err *err)
{
	bool image = l->meta.kind == OVL_IMAGE;
	struct sizes s;
	int rc = sizes_of(l, &s, err);

	if (rc < 0)
		return rc;
	json_object_set_new(o, "tar_size",
		image ? json_integer((json_int_t)l->meta.tar_size) : json_null());
	json_object_set_new(o, "stack_size", json_integer((json_int_t)s.stack));
	json_object_set_new(o, "unique_size", json_integer((json_int_t)s.unique));
	json_object_set_new(
		o, "shared_size", json_integer((json_int_t)(s.stack - s.unique)));
	return 0;
}

/* The config of the image that what names; null if there is none, or which is not said. */
static int add_configs(
	const struct layer *l, const char *what, json_t *o, struct ovl_err *err)
{
	json_t *all = json_array();
	json_t *config = NULL;
	char hex[ID_LEN + 1];
	auto_buf list = {0};
	auto_buf bytes = {0};
	int rc;

	json_object_set_new(o, "configs", all);
	rc = config_list(l, &list, err);
	for (size_t at = 0; rc == 0 && at + ID_LEN < list.len; at += ID_LEN + 1)
		json_array_append_new(all, json_sprintf("sha256:%.64s", list.data + at));
	if (rc == 0)
		rc = json_array_size(all) == 1 ? 1 : names_config(l, what, hex, err);
	if (rc > 0)
		rc = config_get(l, what, &bytes, hex, err);
	if (rc > 0)
		config = json_loadb(bytes.data, bytes.len, 0, NULL);
	json_object_set_new(o, "config", config ? config : json_null());
	return rc < 0 ? rc : 0;
}

static int add_all(const struct layer *l, json_t *o, struct ovl_err *err)
{
	json_t *stack = json_array();
	auto_buf line = {0};
	int rc;

	json_object_set_new(o, "stack", stack);
	json_object_set_new(o, "paths", paths(l));
	rc = stack_of(l, stack, err);
	if (rc == 0)
		rc = set_lowers(o, l, err);
	if (rc == 0)
		rc = mountspec_line(l, &line, err);
	if (rc == 0)
		set_text(o, "mount_command", line.data);
	return rc;
}

int ovl_show(struct ovl_store *st, const char *layer, char **json, struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	struct ovl_list list = {0};
	char *const what[] = {(char *)(uintptr_t)layer, NULL};
	json_t *o = json_object();
	int rc = layer_open(st, layer, LOCK_SH, &l, err);

	if (rc == 0)
		rc = ovl_list(st, what, &list, err);
	if (rc == 0) {
		describe(o, &list.layer[0]);
		rc = add_all(&l, o, err);
		if (rc == 0)
			rc = add_sizes(&l, o, err);
		if (rc == 0)
			rc = add_configs(&l, layer, o, err);
	}
	ovl_list_free(&list);
	if (rc == 0) {
		*json = json_dumps(o, JSON_INDENT(2));
		if (!*json)
			rc = err_nomem(err);
	}
	json_decref(o);
	return rc;
}
