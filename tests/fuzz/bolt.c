/*
 * Bolt databases, whose sums are put right first, so that what lies behind them is reached.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "foreign/bolt.h"
#include "fuzz.h"

#define DEEP 12

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void mend_sum(unsigned char *data, size_t size, size_t page)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	if (page > size || size - page < 80)
		return;
	for (size_t i = 0; i < 56; i++)
		h = (h ^ data[page + 16 + i]) * UINT64_C(0x100000001b3);
	memcpy(data + page + 72, &h, sizeof(h));
}

static void inside(const struct bolt *b, const void *p, size_t n)
{
	const unsigned char *at = p;

	if (at < b->data || at > b->data + b->len || n > (size_t)(b->data + b->len - at))
		fuzz_broken("a key or value outside of the database");
}

/* Whoever reads a database knows how deep its buckets are. */
static int all(struct bolt *b, const struct bolt_item *in, int depth, size_t *n,
	struct ovl_err *err)
{
	struct bolt_item item;
	struct bolt_walk w;
	int rc = bolt_walk(&w, b, in, err);

	while (rc >= 0 && (rc = bolt_next(&w, &item, err)) > 0) {
		++*n;
		inside(b, item.key, item.key_len);
		inside(b, item.value, item.len);
		if (item.bucket && depth < DEEP)
			rc = all(b, &item, depth + 1, n, err);
		if (rc < 0)
			break;
	}
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_bolt b = {.name = "db", .data = malloc(size + 1), .len = size};
	struct bolt_item item;
	struct ovl_err err = {0};
	uint32_t page = 0;
	size_t n = 0;
	int rc;

	memcpy(b.data, data, size);
	if (size > 28)
		memcpy(&page, b.data + 24, sizeof(page));
	mend_sum(b.data, size, 0);
	mend_sum(b.data, size, page);
	rc = bolt_open(&b, &err);
	fuzz_refused(rc, &err);
	if (rc < 0)
		return 0;
	if (b.len > size)
		fuzz_broken("it has %zu bytes more than there are", b.len - size);
	fuzz_refused(all(&b, NULL, 0, &n, &err), &err);
	if (n > size + 4096)
		fuzz_broken("%zu elements in %zu bytes", n, size);
	err = (struct ovl_err){0};
	rc = bolt_find(&b, NULL, "v1", &item, &err);
	fuzz_refused(rc, &err);
	return 0;
}
