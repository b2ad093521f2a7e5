/*
 * Bolt databases. Their checksums are corrected first, so that the code after them is
 * reached. Then they are read as both databases of containerd.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "foreign/bolt.h"
#include "foreign/foreign.h"
#include "fuzz.h"

#define DEEP  12
#define A     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TREES "io.containerd.snapshotter.v1.overlayfs/snapshots/"
#define BLOBS "io.containerd.content.v1.content/blobs/sha256"
#define SUMS  "r/" BLOBS

static int root = -1;

static const char *const dirs[] = {"r", "r/io.containerd.snapshotter.v1.overlayfs",
	"r/io.containerd.metadata.v1.bolt", "r/io.containerd.content.v1.content",
	"r/io.containerd.content.v1.content/blobs", SUMS};

/* An image whose only layer has a diff id that is in the seeds. */
static const char manifest[] = "{\"config\":{\"digest\":\"sha256:" B
			       "\"},\"layers\":[{\"digest\":\"sha256:" B "\"}]}";
static const char config[] = "{\"rootfs\":{\"diff_ids\":[\"sha256:" A "\"]}}";

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int scratch = fuzz_begin();

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		mkdirat(scratch, dirs[i], 0755);
	root = openat(scratch, "r", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fuzz_put(root, BLOBS "/" A, manifest, sizeof(manifest) - 1);
	fuzz_put(root, BLOBS "/" B, config, sizeof(config) - 1);
	return 0;
}

static void try_containerd(const struct bolt *b)
{
	struct foreign *t = NULL;
	struct ovl_err err = {0};
	int rc;

	fuzz_put(root, "io.containerd.snapshotter.v1.overlayfs/metadata.db", b->data,
		b->len);
	fuzz_put(root, "io.containerd.metadata.v1.bolt/meta.db", b->data, b->len);
	rc = foreign_read(&foreign_containerd, root, true, false, &t, &err);
	fuzz_refused(rc, &err);
	for (size_t i = 0; rc == 0 && i < t->n_layers; i++) {
		const char *tree = t->layer[i].tree;

		if (strncmp(tree, TREES, strlen(TREES)) != 0 || strstr(tree, ".."))
			fuzz_broken("a tree in another place: %s", tree);
	}
	foreign_free(t);
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

/* Callers know how deep the buckets of a database are. */
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
	try_containerd(&b);
	return 0;
}
