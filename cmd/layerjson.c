/* SPDX-License-Identifier: ISC */
/* A layer as JSON, for ls and show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "layerjson.h"
#include "out.h"

static json_t *digest(const char *hex)
{
	return *hex ? json_sprintf("sha256:%s", hex) : json_null();
}

static json_t *number_if(bool known, uint64_t n)
{
	return known ? json_integer((json_int_t)n) : json_null();
}

/* In another program's store a time may be unknown. */
static json_t *when(const struct ovl_layer *l, int64_t seconds)
{
	return l->engine_id && !seconds ? json_null() : out_json_time(seconds);
}

static void add_record(json_t *o, const struct ovl_layer *l)
{
	bool image = l->kind == OVL_IMAGE;

	json_object_set_new(o, "id", json_string(l->id.s));
	out_json_paths(o, "names", l->names);
	json_object_set_new(o, "kind", json_string(image ? "image" : "writable"));
	json_object_set_new(o, "driver", json_string(l->driver));
	json_object_set_new(o, "link", l->engine_id ? json_null() : json_string(l->link));
	json_object_set_new(o, "chain_id", image ? digest(l->id.s) : json_null());
	json_object_set_new(o, "diff_id", digest(l->diff_id));
	out_json_path(o, "parent", l->has_parent ? l->parent.s : l->on);
	json_object_set_new(o, "depth", json_integer(l->depth));
	json_object_set_new(o, "size", number_if(l->has_size, l->size));
	json_object_set_new(o, "entries", number_if(image && !l->engine_id, l->entries));
	json_object_set_new(o, "created", when(l, l->created.tv_sec));
	json_object_set_new(o, "used", when(l, l->used.tv_sec));
	out_json_paths(o, "mounts", l->mounts);
	json_object_set_new(o, "uses", number_if(l->uses >= 0, (uint64_t)l->uses));
}

static void add_path(json_t *o, const struct ovl_store *st, const struct ovl_layer *l)
{
	char *path = layer_path(st, l);

	out_json_path(o, "path", path);
	free(path);
	out_json_path(o, "engine_id", l->engine_id);
}

static json_t *below(const struct ovl_below *in)
{
	json_t *o = json_object();
	bool known = !in->missing;

	json_object_set_new(o, "id", json_string(in->id.s));
	json_object_set_new(o, "missing", json_boolean(in->missing));
	json_object_set_new(o, "diff_id", digest(in->diff_id));
	json_object_set_new(
		o, "link", known && *in->link ? json_string(in->link) : json_null());
	json_object_set_new(o, "size", number_if(known, in->size));
	return o;
}

static json_t *stack(const struct ovl_details *d)
{
	json_t *all = d ? json_array() : json_null();

	for (size_t i = 0; d && i < d->n_stack; i++)
		json_array_append_new(all, below(&d->stack[i]));
	return all;
}

static void add_places(json_t *o, const struct ovl_details *d)
{
	out_json_path(o, "tree", d ? d->tree : NULL);
	out_json_path(o, "work", d ? d->work : NULL);
	out_json_path(o, "merged", d ? d->merged : NULL);
	json_object_set_new(o, "stack", stack(d));
	out_json_paths(o, "lowers", d ? d->lowers : NULL);
	out_json_path(o, "mount_command", d ? d->mount_command : NULL);
	out_json_path(o, "mount_note", d ? d->mount_note : NULL);
}

static void add_sizes(json_t *o, const struct ovl_layer *l, const struct ovl_details *d)
{
	bool known = d && l->has_size;

	json_object_set_new(o, "tar_size",
		number_if(
			d && l->kind == OVL_IMAGE && !l->engine_id, d ? d->tar_size : 0));
	json_object_set_new(o, "stack_size", number_if(known, known ? d->stack_size : 0));
	json_object_set_new(
		o, "unique_size", number_if(known, known ? d->unique_size : 0));
	json_object_set_new(o, "shared_size",
		number_if(known, known ? d->stack_size - d->unique_size : 0));
}

static void add_configs(json_t *o, const struct ovl_details *d)
{
	json_t *all = d ? json_array() : json_null();
	json_t *config = NULL;

	for (size_t i = 0; d && i < d->n_configs; i++)
		json_array_append_new(all, digest(d->configs[i].s));
	json_object_set_new(o, "configs", all);
	if (d && d->config)
		config = json_loadb(d->config, d->config_len, 0, NULL);
	json_object_set_new(o, "config", config ? config : json_null());
}

/* Where it was taken over from. */
static void add_adopted(json_t *o, const struct ovl_details *d)
{
	json_t *adopted = d && d->adopted ? json_object() : NULL;

	if (adopted) {
		out_json_path(adopted, "from", d->adopted);
		json_object_set_new(adopted, "verified", json_boolean(d->verified));
	}
	json_object_set_new(o, "adopted", adopted ? adopted : json_null());
}

json_t *layer_json(const struct ovl_store *st, const struct ovl_layer *l)
{
	json_t *o = json_object();

	add_record(o, l);
	add_path(o, st, l);
	add_places(o, l->details);
	add_sizes(o, l, l->details);
	add_configs(o, l->details);
	add_adopted(o, l->details);
	return o;
}
