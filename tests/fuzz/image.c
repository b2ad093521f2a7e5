/*
 * The JSON of images, in a directory or (if the first part is "tar") a tar. The parts of
 * the input are oci-layout, index.json, manifest.json, then blobs. References are
 * replaced: @dN by the digest of part N (hex), @sN by its size; a blob may refer to later
 * ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "fuzz.h"
#include "image/image.h"
#include "image/spool.h"
#include "tarbits.h"

#define FIRST_BLOB 3
#define PARTS      10

static const char *const files[FIRST_BLOB] = {
	"oci-layout", "index.json", "manifest.json"};

struct item {
	char name[128]; /* empty: no such file */
	struct buf bytes;
	char hex[ID_LEN + 1];
};

static int dir = -1;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int scratch = fuzz_begin();

	(void)argc;
	(void)argv;
	if (mkdirat(scratch, "image", 0700) < 0 ||
		mkdirat(scratch, "image/blobs", 0700) < 0 ||
		mkdirat(scratch, "image/blobs/sha256", 0700) < 0)
		fuzz_broken("cannot make the image: %s", strerror(errno));
	dir = fs_open_dir(scratch, "image");
	fuzz_watch();
	return 0;
}

/* ---- making ----------------------------------------------------------------------- */

static void put_in(struct item *items, unsigned from, unsigned n,
	const struct fuzz_part *part, struct buf *out)
{
	const char *end = part->p + part->n;

	for (const char *p = part->p; p < end; p++) {
		unsigned i = end - p > 2 && p[0] == '@' ? (unsigned)(p[2] - '0') : n;

		if (i >= n || i < from || i < FIRST_BLOB) {
			buf_add(out, p, 1);
			continue;
		}
		if (p[1] == 's')
			buf_addf(out, "%zu", items[i].bytes.len);
		else
			buf_adds(out, items[i].hex);
		p += 2;
	}
}

static void digest(struct item *i)
{
	struct digest d;
	struct ovl_err err;

	if (digest_init(&d, &err) < 0 ||
		digest_update(&d, i->bytes.data, i->bytes.len, NULL) < 0 ||
		digest_final(&d, i->hex, NULL) < 0)
		fuzz_broken("no digest");
}

static void make(struct item *items, const struct fuzz_part *part, unsigned n)
{
	for (unsigned i = n; i-- > 0;) {
		buf_add(&items[i].bytes, "", 0);
		put_in(items, i + 1, n, &part[i], &items[i].bytes);
		if (i >= FIRST_BLOB) {
			digest(&items[i]);
			snprintf(items[i].name, sizeof(items[i].name), "blobs/sha256/%s",
				items[i].hex);
		} else if (part[i].n) {
			snprintf(items[i].name, sizeof(items[i].name), "%s", files[i]);
		}
	}
}

static int as_tar(const struct item *items, unsigned n)
{
	auto_buf tar = {0};

	buf_add(&tar, "", 0);
	for (unsigned i = 0; i < n; i++) {
		if (items[i].name[0])
			tarbits_add(&tar, items[i].name, '0', items[i].bytes.data,
				items[i].bytes.len);
	}
	return fuzz_file(tar.data, tar.len);
}

static int as_dir(const struct item *items, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (items[i].name[0])
			fuzz_put(dir, items[i].name, items[i].bytes.data,
				items[i].bytes.len);
	}
	return fcntl(dir, F_DUPFD_CLOEXEC, 0);
}

/* ---- reading ---------------------------------------------------------------------- */

static void check_image(const struct image *i)
{
	if (!id_is_full(i->config_digest) || !i->config.len ||
		i->n_layers > IMAGE_MAX_LAYERS)
		fuzz_broken("an image without config, or of too many layers");
	for (unsigned n = 0; n < i->n_layers; n++) {
		const struct image_layer *l = &i->layer[n];
		struct stat st;
		int fd;

		if (!id_is_full(l->diff_id) || (*l->digest && !id_is_full(l->digest)))
			fuzz_broken("a layer without digests");
		if (l->absent)
			continue;
		fd = part_open(&l->blob);
		if (fstat(fd, &st) < 0 || l->blob.offset > (uint64_t)st.st_size ||
			l->blob.size > (uint64_t)st.st_size - l->blob.offset)
			fuzz_broken("a blob that is not in its file");
		close(fd);
	}
}

static void read_image(struct source *s, const char *want, const char *platform)
{
	struct ovl_err err = {0};
	auto_images im = {0};
	int rc = image_read(s, want, platform, &im, &err);

	fuzz_refused(rc, &err);
	if (rc == 0 && !im.n)
		fuzz_broken("no image, and no error");
	for (size_t i = 0; i < im.n && rc == 0; i++)
		check_image(&im.image[i]);
}

static void read_source(int fd)
{
	const struct ovl_import req = {.fd = fd};
	auto_spool sp = SPOOL_INIT;
	struct ovl_err err = {0};
	int is = spool_open(&sp, fuzz_store, &req, &err);

	if (is == 0)
		is = spool_look(&sp, false, &err);
	fuzz_refused(is, &err);
	if (is > 0) {
		read_image(sp.src, NULL, NULL);
		read_image(sp.src, "app", NULL);
		read_image(sp.src, "app:1", "linux/arm/v7");
		read_image(sp.src, NULL, "linux/amd64");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool tar = size > 3 && memcmp(data, "tar\x1e", 4) == 0;
	struct item items[PARTS] = {0};
	struct fuzz_part part[PARTS];
	unsigned n = fuzz_split(data + (tar ? 4 : 0), size - (tar ? 4 : 0), part, PARTS);
	int fd;

	make(items, part, n);
	fd = tar ? as_tar(items, n) : as_dir(items, n);
	read_source(fd);
	close(fd);
	for (unsigned i = 0; i < n; i++) {
		if (!tar && items[i].name[0])
			unlinkat(dir, items[i].name, 0);
		buf_release(&items[i].bytes);
	}
	fuzz_unchanged();
	return 0;
}
