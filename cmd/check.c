/* SPDX-License-Identifier: ISC */
/* ovlctl check: prints what is wrong with the store, as lines or as JSON. */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "out.h"

static const struct opt opts[] = {
	{'J', "json", NULL, "print JSON"},
	{OPT_CONTENT, "content", NULL, "also compare each file of the image layers"},
	{OPT_REPAIR, "repair", NULL, "repair what can be rebuilt from the store"},
	{OPT_FROM, "from", "FILE", "with --repair: restore LAYER from its tar"},
	{0, NULL, NULL, NULL},
};

struct printer {
	bool json;
	size_t n;
	bool files; /* some files are not as they were imported */
	bool store; /* there are errors that --repair can repair */
	bool aside; /* something was set aside */
};

static const char *verdict(const struct ovl_finding *f)
{
	static const char *const of[] = {[OVL_LEFT] = "error",
		[OVL_REPAIRED] = "repaired",
		[OVL_SET_ASIDE] = "set aside"};

	return f->severity == OVL_NOTE ? "note" : of[f->outcome];
}

static void print_json(const struct printer *p, const struct ovl_finding *f)
{
	json_t *o = json_pack("{s:s, s:s, s:s?}", "verdict", verdict(f), "kind", f->kind,
		"layer", *f->id ? f->id : NULL);

	if (*f->path)
		out_json_path(o, "path", f->path);
	json_object_set_new(o, "text", json_string(f->text));
	out_json_item(o, p->n);
}

/* Prints the finding; its subject is a layer or a name in the store. */
static void print_line(const struct ovl_finding *f)
{
	char shown[1024];
	const char *of = f->id;

	printf("%s: ", verdict(f));
	if (*of)
		printf("layer %.12s: ", of);
	printf("%s", f->kind);
	if (!*of && *f->path)
		printf(" %s",
			out_shorten(ovl_escape(
				shown, sizeof(shown), f->path, strlen(f->path))));
	printf(": %s\n", f->text);
}

/* Kinds that can be repaired with the layer's tar, and kinds that can be repaired without
 * it. */
static const char *const of_files[] = {"data", "mode", "owner", "time", "xattr", "type",
	"links", "missing", "extra", "tree", "recipe", NULL};
static const char *const of_store[] = {"link-file", "link", "lower", "bad-link",
	"bad-name", "hint", "work", "merged", "meta", "stray", "empty", NULL};

static bool is_among(const char *const *kinds, const char *kind)
{
	while (*kinds && strcmp(*kinds, kind) != 0)
		kinds++;
	return *kinds;
}

static void print_next_step(const struct run *run, const struct printer *p, bool repair)
{
	if (run->quiet || ovl_owner(run->st))
		return;
	if (p->store && !repair)
		fputs("ovlctl: check: to repair the store: ovlctl check --repair\n",
			stderr);
	if (p->aside)
		fputs("ovlctl: check: what was set aside may be the only copy: see "
		      "ovlctl-check(8) before 'ovlctl prune --aside'\n",
			stderr);
	if (p->files)
		fputs("ovlctl: check: to restore a layer from its tar: "
		      "ovlctl check --repair --from FILE LAYER\n",
			stderr);
}

static int print(void *ctx, const struct ovl_finding *f)
{
	struct printer *p = ctx;
	bool left = f->severity == OVL_ERROR && f->outcome == OVL_LEFT;

	p->files |= left && is_among(of_files, f->kind);
	p->store |= left && is_among(of_store, f->kind);
	p->aside |= f->outcome == OVL_SET_ASIDE;
	progress_clear();
	if (p->json)
		print_json(p, f);
	else
		print_line(f);
	p->n++;
	return 0;
}

/* The exit status is a set of bits, like that of fsck. */
static int run_check(struct run *run)
{
	struct ovl_check req = {
		.content = opt_given(run, OPT_CONTENT),
		.repair = opt_given(run, OPT_REPAIR),
		.from = opt_value(run, OPT_FROM),
		.layer = run->n_operands ? run->operand[0] : NULL,
	};
	struct printer p = {.json = opt_given(run, 'J')};
	unsigned result = 0;
	int rc;

	if (req.from && (!req.repair || !req.layer))
		return usage(run->err, "--from FILE needs --repair and a LAYER");
	if (req.from) {
		req.fd = open_input(run, req.from);
		if (req.fd < 0)
			return -1;
	}
	rc = ovl_check(run->st, &req, print, &p, &result, run->err);
	if (p.json)
		out_json_end(p.n);
	print_next_step(run, &p, req.repair);
	run->exit = (int)result;
	/* Not 4, which means that errors are left: the store could not be checked. */
	if (rc < 0 && run->err->status == OVL_BUSY && !req.from)
		run->err->status = OVL_FAILED;
	return rc;
}

const struct cmd cmd_check = {
	.name = "check",
	.synopsis = "[-J] [--content] [--repair [--from FILE]] [LAYER]",
	.summary = "check the store for damage, and repair it",
	.completes = "layer none",
	.others = "fsck verify scrub",
	.opts = opts,
	.max_operands = 1,
	.access = READ_STORE,
	.writes = OPT_REPAIR,
	.failed = OVL_CHECK_NOT,
	.prints = true,
	.fn = run_check,
};
