/* SPDX-License-Identifier: ISC */
/* ovlctl show: prints all there is to know about a layer, as JSON. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "out.h"

static json_t *digest(const char *hex)
{
	return *hex ? json_sprintf("sha256:%s", hex) : json_null();
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
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

static void set_path(json_t *o, const char *key, const char *path)
{
	if (path)
		out_json_path(o, key, path, strlen(path));
}

static void add_layer(json_t *o, const struct ovl_layer *in)
{
	bool image = in->kind == OVL_IMAGE;

	json_object_set_new(o, "id", json_string(in->id.s));
	out_json_paths(o, "names", in->names);
	json_object_set_new(o, "kind", json_string(image ? "image" : "writable"));
	json_object_set_new(o, "driver", json_string(in->driver));
	json_object_set_new(o, "link", json_string(in->link));
	json_object_set_new(o, "chain_id", image ? digest(in->id.s) : json_null());
	json_object_set_new(o, "diff_id", digest(in->diff_id));
	json_object_set_new(
		o, "parent", in->has_parent ? json_string(in->parent.s) : json_null());
	json_object_set_new(o, "depth", json_integer(in->depth));
	json_object_set_new(o, "size", image ? number(in->size) : json_null());
	json_object_set_new(o, "entries", image ? number(in->entries) : json_null());
	json_object_set_new(o, "created", when(in->created));
	out_json_paths(o, "mounts", in->mounts);
}

static json_t *below(const struct ovl_below *in)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", json_string(in->id.s));
	if (in->missing) {
		json_object_set_new(o, "missing", json_true());
		return o;
	}
	json_object_set_new(o, "diff_id", digest(in->diff_id));
	json_object_set_new(o, "link", json_string(in->link));
	json_object_set_new(o, "size", number(in->size));
	return o;
}

static void add_places(json_t *o, const struct ovl_details *d)
{
	json_t *stack = json_array();
	json_t *paths = json_object();

	for (size_t i = 0; i < d->n_stack; i++)
		json_array_append_new(stack, below(&d->stack[i]));
	json_object_set_new(o, "stack", stack);
	set_path(paths, "layer", d->path);
	set_path(paths, "tree", d->tree);
	set_path(paths, "work", d->work);
	set_path(paths, "merged", d->merged);
	json_object_set_new(o, "paths", paths);
	out_json_paths(o, "lowers", d->lowers);
	set_path(o, "mount_command", d->mount_command);
}

static void add_sizes(json_t *o, const struct ovl_details *d)
{
	bool image = d->self.layer[0].kind == OVL_IMAGE;

	json_object_set_new(o, "tar_size", image ? number(d->tar_size) : json_null());
	json_object_set_new(o, "stack_size", number(d->stack_size));
	json_object_set_new(o, "unique_size", number(d->unique_size));
	json_object_set_new(o, "shared_size", number(d->stack_size - d->unique_size));
}

static void add_configs(json_t *o, const struct ovl_details *d)
{
	json_t *all = json_array();
	json_t *config = NULL;

	for (size_t i = 0; i < d->n_configs; i++)
		json_array_append_new(all, digest(d->configs[i].s));
	json_object_set_new(o, "configs", all);
	if (d->config)
		config = json_loadb(d->config, d->config_len, 0, NULL);
	json_object_set_new(o, "config", config ? config : json_null());
}

static int run_show(struct run *run)
{
	struct ovl_details d;
	json_t *o;
	int rc = ovl_show(run->st, run->operand[0], &d, run->err);

	if (rc < 0)
		return rc;
	o = json_object();
	add_layer(o, &d.self.layer[0]);
	add_places(o, &d);
	add_sizes(o, &d);
	add_configs(o, &d);
	ovl_details_free(&d);
	if (json_dumpf(o, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	json_decref(o);
	return 0;
}

static const struct opt opts[] = {{0, NULL, NULL, NULL}};

const struct cmd cmd_show = {
	.name = "show",
	.synopsis = "LAYER",
	.summary = "show a layer as JSON",
	.opts = opts,
	.min_operands = 1,
	.max_operands = 1,
	.access = READ_STORE,
	.prints = true,
	.fn = run_show,
};
