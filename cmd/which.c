/* SPDX-License-Identifier: ISC */
/* ovlctl which: prints the layers that paths come from, as lines or as JSON. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "out.h"

static const struct opt opts[] = {
	{'a', "all", NULL, "every layer that has, changes or hides the path"},
	{'J', "json", NULL, "print JSON"},
	{'z', "zero", NULL, "end lines with NUL, do not escape names"},
	{0, NULL, NULL, NULL},
};

static const struct {
	unsigned what;
	const char *word;
} words[] = {
	{OVL_ADDED, "added"},
	{OVL_TYPE, "type"},
	{OVL_DATA, "data"},
	{OVL_MODE, "mode"},
	{OVL_OWNER, "owner"},
	{OVL_XATTR, "xattr"},
	{OVL_TIME, "time"},
	{OVL_DELETED, "deleted"},
	{OVL_OPAQUE, "opaque"},
};

#define N_WORDS (sizeof(words) / sizeof(words[0]))

struct printer {
	bool all;
	bool zero;
	json_t *paths; /* NULL: lines are printed */
	json_t *names; /* names of the layers, found by key_of() */
};

/* ---- lines ------------------------------------------------------------------------ */

static void print_name(const struct printer *p, const char *name)
{
	if (p->zero)
		fputs(name, stdout);
	else
		out_name(name);
}

static void print_words(unsigned what)
{
	const char *sep = "";

	for (size_t i = 0; i < N_WORDS; i++) {
		if (what & words[i].what) {
			printf("%s%s", sep, words[i].word);
			sep = ",";
		}
	}
	fputs(what ? " " : "- ", stdout);
}

static void print_lines(const struct printer *p, const struct ovl_traced *t)
{
	size_t n = p->all ? t->n : t->exists;

	for (size_t i = 0; i < n; i++) {
		print_name(p, t->layer[i].dir ? t->layer[i].dir : t->layer[i].label);
		putchar(' ');
		if (p->all)
			print_words(t->layer[i].what);
		print_name(p, t->path);
		putchar(p->zero ? '\0' : '\n');
	}
}

/* ---- JSON ------------------------------------------------------------------------- */

/* The short id, because two drivers may have the same id. Layers of other programs have
 * no short id. */
static const char *key_of(const char *link, const struct ovl_id *id)
{
	return *link ? link : id->s;
}

static json_t *json_layer(const struct printer *p, const struct ovl_origin *l)
{
	json_t *o = json_object();
	json_t *what = json_array();
	const char *key = key_of(l->link, &l->id);
	json_t *names = json_object_get(p->names, key);

	if (!names) {
		names = json_array();
		json_object_set_new(p->names, key, names);
	}
	json_object_set_new(o, "id", l->dir ? json_null() : json_string(l->id.s));
	json_object_set(o, "names", names);
	if (l->dir)
		out_json_path(o, "dir", l->dir);
	for (size_t i = 0; i < N_WORDS; i++) {
		if (l->what & words[i].what)
			json_array_append_new(what, json_string(words[i].word));
	}
	json_object_set_new(o, "what", what);
	return o;
}

/* Fills the lists of names, which the paths already contain. */
static int add_names(struct run *run, const struct printer *p)
{
	char **keys = calloc(json_object_size(p->names) + 1, sizeof(*keys));
	struct ovl_list list = {0};
	struct ovl_err err;
	const char *key;
	json_t *names;
	size_t n = 0;
	int rc = 0;

	json_object_foreach(p->names, key, names) {
		if (keys && *key)
			keys[n++] = (char *)key;
	}
	if (n)
		rc = ovl_list(run->st, keys, 0, &list, &err);
	if (rc < 0)
		*run->err = err;
	for (size_t i = 0; i < list.n; i++) {
		const struct ovl_layer *l = &list.layer[i];

		names = json_object_get(p->names, key_of(l->link, &l->id));
		for (char **name = l->names; *name; name++)
			json_array_append_new(names, json_string(*name));
	}
	ovl_list_free(&list);
	free(keys);
	return rc;
}

static void add_json(const struct printer *p, const struct ovl_traced *t)
{
	size_t n = p->all ? t->n : t->exists;
	json_t *o = json_object();
	json_t *layers = json_array();

	out_json_path(o, "path", t->path);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(layers, json_layer(p, &t->layer[i]));
	json_object_set_new(o, "layers", layers);
	json_array_append_new(p->paths, o);
}

/* ---- the command ------------------------------------------------------------------ */

static int print(void *ctx, const struct ovl_traced *t)
{
	const struct printer *p = ctx;

	if (p->paths)
		add_json(p, t);
	else
		print_lines(p, t);
	return 0;
}

static int print_json(struct run *run, struct printer *p, const struct ovl_which *req)
{
	int rc;

	p->paths = json_array();
	p->names = json_object();
	rc = ovl_which(run->st, req, run->err);
	if (rc == 0 || json_array_size(p->paths)) {
		int named = add_names(run, p);

		out_json_list("paths", p->paths);
		rc = rc < 0 ? rc : named;
	} else {
		json_decref(p->paths);
	}
	json_decref(p->names);
	return rc;
}

static int run_which(struct run *run)
{
	struct printer p = {.all = opt_given(run, 'a'), .zero = opt_given(run, 'z')};
	bool json = opt_given(run, 'J');
	struct ovl_which req = {
		.layer = run->operand[0],
		.paths = run->operand + 1,
		.all = p.all || json,
		.fn = print,
		.ctx = &p,
	};

	if (json && p.zero)
		return usage(run->err, "-J and -z cannot be used together");
	return json ? print_json(run, &p, &req) : ovl_which(run->st, &req, run->err);
}

const struct cmd cmd_which = {
	.name = "which",
	.synopsis = "[-a] [-J] [-z] LAYER PATH...",
	.summary = "say which layer a file comes from",
	.more = "PATH is looked up as in a mount of LAYER; nothing is mounted.",
	.completes = "layer none",
	.others = "whence whereis where owns provenance blame",
	.opts = opts,
	.min_operands = 2,
	.max_operands = UNLIMITED,
	.access = READ_STORE,
	.prints = true,
	.fn = run_which,
};
