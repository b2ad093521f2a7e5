/*
 * The bytes of a tar, plain or compressed, into a staging tree. An input whose last byte
 * is odd is unpacked on top of a layer that has some names of the seeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "codec/decode.h"
#include "content/ingest.h"
#include "content/replay.h"
#include "fuzz.h"
#include "repack.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/store.h"
#include "tarbits.h"
#include "union/view.h"
#include "union/whiteout.h"

/* Larger inputs are refused, so it is a fault if one takes long. */
#define MAX_SIZE    (1u << 20)
#define MAX_ENTRIES 80
#define MAX_DEPTH   40

static struct layer base = LAYER_INIT;
static struct view below;
static int staging;

/* ---- the layer below -------------------------------------------------------------- */

static void make_base(void)
{
	static const char *const dirs[] = {"d/", "d/d/", "d/d/d/", "a/", "b/", "opq/"};
	static const char *const files[] = {
		"f", "x", "d/f", "d/x", "d/d/f", "a/f", "b/x", "opq/f"};
	struct ovl_import req = {.file = "base"};
	struct ovl_ids ids = {0};
	struct ovl_err err = {0};
	auto_buf tar = {0};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		tarbits_add(&tar, dirs[i], '5', "", 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		tarbits_add(&tar, files[i], '0', "below", 5);
	req.fd = fuzz_file(tar.data, tar.len);
	if (ovl_import(fuzz_store, &req, &ids, &err) < 0 ||
		layer_open(fuzz_store, ids.id[0].s, LOCK_SH, &base, &err) < 0 ||
		layer_view(&base, true, &below, &err) < 0)
		fuzz_broken("no base: %s", err.text);
	close(req.fd);
	free(ids.id);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct ovl_err err = {0};

	(void)argc;
	(void)argv;
	fuzz_begin();
	make_base();
	staging = store_dir_make(fuzz_store, DIR_STAGING, &err);
	umask(0);
	fuzz_watch();
	return 0;
}

/* ---- what must be true of what was taken ------------------------------------------ */

/* Checks that a whiteout or an opaque directory hides something below. */
static void check_whiteout(const struct view *under, const char *name)
{
	struct stat st;
	unsigned at;

	if (!under->n || view_stat(under, name, &st, &at) != 1)
		fuzz_broken("whiteout '%s' hides nothing", name);
}

static int any_name(void *ctx, const char *name, const struct stat *st)
{
	(void)ctx;
	(void)name;
	(void)st;
	return 1;
}

static void check_dir(int dirfd, const struct view *under, unsigned depth)
{
	enum wh_dir marks;
	static const struct view none;
	auto_fsdir d = fs_dir_at(dirfd, ".");
	const char *name;
	int r;

	if (wh_dir_marks(&fuzz_store->xattrs, dirfd, &marks) < 0)
		fuzz_broken("no marks: %s", strerror(errno));
	if (marks == WH_OPAQUE_Y && depth && view_each(under, any_name, NULL) == 0)
		fuzz_broken("an opaque mark that hides nothing");
	if (marks != WH_MERGES)
		under = &none;
	if (d.fd < 0)
		fuzz_broken("a directory cannot be read: %s", strerror(d.why));
	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		struct stat st;

		if (strncmp(name, WH_PREFIX, strlen(WH_PREFIX)) == 0)
			fuzz_broken("'%s' is left in the tree", name);
		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			fuzz_broken("no '%s': %s", name, strerror(errno));
		if (wh_is_device(&st))
			check_whiteout(under, name);
		if (S_ISDIR(st.st_mode)) {
			auto_view deeper = {.xp = &fuzz_store->xattrs};
			auto_fd fd = fs_open_dir(dirfd, name);

			if (fd < 0 || (under->n && view_child(under, name, &deeper) < 0))
				fuzz_broken(
					"cannot open '%s': %s", name, strerror(errno));
			check_dir(fd, &deeper, depth + 1);
		}
	}
	if (r < 0)
		fuzz_broken("a directory cannot be read: %s", strerror(errno));
}

static void check_tree(const struct ingest *in, bool on_base)
{
	static const struct view none;
	auto_fd tree = fs_open_dir(in->stage.fd, in->cfg.drv->tree[OVL_IMAGE]);

	check_dir(tree, on_base && !unpack_hides_all(&in->unpack) ? &below : &none, 0);
}

/* The uncompressed bytes, not decompressed by the library. */
static void unpacked(const uint8_t *data, size_t size, struct buf *out)
{
	const struct codec *c = decode_detect(data, size);
	struct decode_io io = {.in = data, .in_len = size};
	struct ovl_err err = {0};
	void *state = decode_open(c);
	static unsigned char block[65536];
	size_t had;

	do {
		had = io.in_len;
		io.out = block;
		io.out_len = sizeof(block);
		if (c->run(state, &io, &err) < 0)
			fuzz_broken("what was taken cannot be unpacked: %s", err.text);
		buf_add(out, block, sizeof(block) - io.out_len);
	} while (io.out_len != sizeof(block) || io.in_len != had);
	decode_close(c, state);
}

struct expected {
	struct buf bytes;
	size_t at;
};

static int compare(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct expected *e = ctx;

	(void)err;
	if (n > e->bytes.len - e->at || memcmp(e->bytes.data + e->at, p, n) != 0)
		fuzz_broken("other bytes come back, from byte %zu on", e->at);
	e->at += n;
	return 0;
}

static void check_replay(const struct ingest *in, const uint8_t *data, size_t size)
{
	struct expected e = {{0}, 0};
	struct ovl_err err = {0};
	struct layer l = {
		.st = fuzz_store,
		.drv = in->cfg.drv,
		.drv_fd = in->stage.drv_fd,
		.fd = in->stage.fd,
		.id = base.id,
		.meta = {.kind = OVL_IMAGE, .tar_size = in->tar_size},
	};

	memcpy(l.meta.diff_id, in->diff_id, sizeof(l.meta.diff_id));
	unpacked(data, size, &e.bytes);
	if (replay_layer(&l, compare, &e, NULL, &err) < 0)
		fuzz_broken("it does not come back: %s", err.text);
	if (e.at != e.bytes.len || e.at != in->tar_size)
		fuzz_broken("%zu bytes come back, not %zu", e.at, e.bytes.len);
	buf_release(&e.bytes);
}

/* ----------------------------------------------------------------------------------- */

static void import(const uint8_t *data, size_t size, int fd)
{
	bool on_base = size && (data[size - 1] & 1);
	struct ingest in = INGEST_INIT;
	struct ovl_err err = {0};
	struct ingest_config cfg = {
		.input = {.fd = fd},
		.drv = base.drv,
		.max_size = MAX_SIZE,
		.max_entries = MAX_ENTRIES,
		.max_depth = MAX_DEPTH,
	};
	int rc = ingest_begin(&in, fuzz_store, &cfg, &err);

	if (rc == 0)
		rc = ingest_run(&in, &err);
	if (rc == 0)
		rc = ingest_resolve(&in, on_base ? &base : NULL, &err);
	fuzz_refused(rc, &err);
	if (rc == 0) {
		check_tree(&in, on_base);
		check_replay(&in, data, size);
		if (!on_base)
			repack_check(&in);
	}
	ingest_end(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stat st;
	int fd = fuzz_file(data, size);

	import(data, size, fd);
	close(fd);
	if (fstat(staging, &st) == 0 && st.st_nlink != 2)
		fuzz_broken("something is left in staging");
	fuzz_unchanged();
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return tarbits_mutate(data, size, max_size, seed);
}
