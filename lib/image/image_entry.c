/* SPDX-License-Identifier: ISC */
/* Entries of an index. See image_entry.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/image_entry.h"

/* Its name is the full name, else the ref.name, else the name of the index that contains
 * it. */
struct entry entry_of(const json_t *o, const struct entry *outer)
{
	const json_t *a = image_member(o, "annotations");
	const char *full = image_text(a, "io.containerd.image.name");
	const char *ref = image_text(a, "org.opencontainers.image.ref.name");
	struct entry e = {.o = o, .name = *full ? full : *ref ? ref : NULL};

	e.tag = !*full && !strpbrk(ref, ":/");
	if (!e.name && outer) {
		e.name = outer->name;
		e.tag = outer->tag;
	}
	return e;
}

const char *entry_label(const struct entry *e)
{
	return e->name ? e->name : e->o ? image_text(e->o, "digest") : "manifest.json";
}

void entry_name(const struct images *im, const struct entry *e, struct buf *out)
{
	buf_adds(out, "");
	if (e->name && e->tag && im->base)
		buf_addf(out, "%s:%s", im->base, e->name);
	else if (e->name && !e->tag)
		buf_adds(out, e->name);
}

/* ---- choosing --------------------------------------------------------------------- */

/* BuildKit lists attestations among the manifests. */
static bool is_attestation(const json_t *o)
{
	const json_t *a = image_member(o, "annotations");

	return *image_text(a, "vnd.docker.reference.type") ||
		strcmp(image_text(image_member(o, "platform"), "os"), "unknown") == 0;
}

static bool is_wanted(
	const struct entry *e, const struct wanted *what, struct images *out)
{
	const json_t *a = image_member(e->o, "annotations");
	const char *want = what->name;
	auto_buf name = {0};

	if (!want || image_called(want, image_text(a, "io.containerd.image.name")) ||
		image_called(want, image_text(a, "org.opencontainers.image.ref.name")))
		return true;
	entry_name(out, e, &name);
	if (name.len && image_called(want, name.data))
		return true;
	image_not_named(out, entry_label(e));
	return false;
}

static void see_platform(struct entry *e, const struct platform *want)
{
	const json_t *p = image_member(e->o, "platform");
	const char *os = image_text(p, "os");
	const char *arch = image_text(p, "architecture");

	e->stated = *os || *arch;
	e->rank = platform_rank(want, os, arch, image_text(p, "variant"));
}

/* An entry with neither name nor platform is a group of its own. */
static int by_group(const struct entry *x, const struct entry *y)
{
	if (x->group && y->group)
		return strcmp(x->group, y->group);
	if (x->group || y->group)
		return x->group ? -1 : 1;
	if (x->stated && y->stated)
		return 0;
	return x->stated ? -1 : y->stated ? 1 : x->at < y->at ? -1 : x->at > y->at;
}

static int best_first(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;
	int r = by_group(x, y);

	if (r == 0)
		r = x->rank > y->rank ? -1 : x->rank < y->rank;
	return r ? r : x->at < y->at ? -1 : x->at > y->at;
}

static int as_they_stand(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* Chooses from n entries of one image, the best first. all: all that fit, not only the
 * best. */
static void choose_of(struct entry *e, size_t n, bool all, bool asked, struct images *out)
{
	for (size_t i = 0; i < n; i++) {
		e[i].alone = n == 1;
		e[i].take = e[i].rank ? all || e[i].rank == e[0].rank : n == 1 && !asked;
		if (!e[i].rank && !e[i].take) {
			char text[100];

			image_platform_text(text, image_member(e[i].o, "platform"));
			image_not_for(out, text);
		}
	}
}

static void choose(struct entry *e, size_t n, bool top, bool asked, struct images *out)
{
	qsort(e, n, sizeof(*e), best_first);
	for (size_t i = 0, end = 0; i < n; i = end) {
		for (end = i + 1; end < n && by_group(&e[i], &e[end]) == 0; end++)
			;
		choose_of(e + i, end - i, !top, asked, out);
	}
	if (top)
		qsort(e, n, sizeof(*e), as_they_stand);
}

int entries_choose(const json_t *index, const struct entry *outer,
	const struct wanted *want, struct images *out, struct entry **list, size_t *n,
	struct ovl_err *err)
{
	const json_t *entries = image_member(index, "manifests");
	struct entry *e;
	size_t count = 0;
	size_t i;
	json_t *o;

	if (!json_is_array(entries))
		return err_say(err, EBADMSG, "the index has no manifests");
	e = calloc(json_array_size(entries) + 1, sizeof(*e));
	if (!e)
		return err_nomem(err);
	json_array_foreach(entries, i, o) {
		struct entry *now = &e[count];

		*now = entry_of(o, outer);
		if (is_attestation(o) || (!outer && !is_wanted(now, want, out)))
			continue;
		see_platform(now, &want->platform);
		now->group = outer ? "" : now->name;
		now->at = count++;
	}
	choose(e, count, !outer, want->platform.asked, out);
	*list = e;
	*n = count;
	return 0;
}
