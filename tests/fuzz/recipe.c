/*
 * A recipe, read and applied to a tree that has some of the files it may name.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "content/replay.h"
#include "fuzz.h"
#include "store/driver.h"
#include "tar/recipe.h"

/* The length of the layer's tar: it is a fault if a recipe gives more. */
#define TAR_SIZE (1u << 20)

static struct layer layer = LAYER_INIT;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const dirs[] = {"layer", "layer/diff", "layer/diff/d",
		"layer/diff/d/e", "layer/.kept", "layer/.kept/1", "layer/.kept/1/e"};
	static const char *const files[] = {"layer/diff/f", "layer/diff/d/g",
		"layer/diff/d/e/h", "layer/.kept/0", "layer/.kept/1/g",
		"layer/.kept/1/e/h"};
	int scratch = fuzz_begin();
	int rc = 0;

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		rc |= mkdirat(scratch, dirs[i], 0700);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		fuzz_put(scratch, files[i], "some data of a file", 19);
	rc |= symlinkat("../../canary", scratch, "layer/diff/out");
	rc |= mkfifoat(scratch, "layer/diff/fifo", 0600);
	if (rc < 0)
		fuzz_broken("cannot make the layer: %s", strerror(errno));
	layer.st = fuzz_store;
	layer.drv = driver_list[0];
	layer.fd = fs_open_dir(scratch, "layer");
	memset(layer.id.s, 'a', ID_LEN);
	layer.meta.tar_size = TAR_SIZE;
	memset(layer.meta.diff_id, 'b', ID_LEN);
	fuzz_watch();
	return 0;
}

/* ---- reading ---------------------------------------------------------------------- */

static void check_path(const struct recipe_rec *rec)
{
	if (!rec->n || strlen(rec->p) != rec->n || rec->p[0] == '/' ||
		strcmp(rec->p, "..") == 0 || strncmp(rec->p, "../", 3) == 0 ||
		strstr(rec->p, "/../"))
		fuzz_broken("a path that leads out: %s", rec->p);
}

static void read_all(void)
{
	auto_recipe in = NULL;
	struct recipe_rec rec = {.type = RECIPE_RAW};
	struct ovl_err err = {0};
	uint64_t size = 0;
	int rc = recipe_open(&in, layer.fd, &err);

	while (rc == 0 && rec.type != RECIPE_END) {
		rc = recipe_next(in, &rec, &err);
		if (rc < 0)
			break;
		if (rec.type == RECIPE_FILE || rec.type == RECIPE_KEEP)
			check_path(&rec);
		if (rec.type == RECIPE_RAW)
			size += rec.n;
		if (rec.type == RECIPE_RUN)
			size += rec.size;
		if (rec.type == RECIPE_END && rec.size != size)
			fuzz_broken("another size than its records make");
	}
	fuzz_refused(rc, &err);
}

/* ---- playing ---------------------------------------------------------------------- */

static int count(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	size_t *bytes = ctx;

	(void)p;
	(void)err;
	*bytes += n;
	if (*bytes > TAR_SIZE + 65536)
		fuzz_broken("more bytes come than the layer's tar has");
	return 0;
}

static void bad(void *ctx, const char *path, const char *why)
{
	(void)ctx;
	if (!path || !why)
		fuzz_broken("damage without a name");
}

static void play(const struct replay_watch *watch)
{
	struct ovl_err err = {0};
	size_t bytes = 0;
	int rc = replay_layer(&layer, count, &bytes, watch, &err);

	fuzz_refused(rc, &err);
	if (rc == 0 && !watch)
		fuzz_broken("it gave a tar of a digest that nothing has");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct replay_watch watch = {.bad = bad};

	fuzz_put_recipe(layer.fd, RECIPE_NAME, data, size);
	read_all();
	play(NULL);
	play(&watch);
	fuzz_unchanged();
	return 0;
}
