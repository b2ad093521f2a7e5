/*
 * A tar-split, read, and applied to two trees that have some of the files it may name. If
 * the first byte is 'G', the rest is compressed first, as Docker does it; otherwise the
 * bytes are the file.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "content/replay.h"
#include "foreign/foreign.h"
#include "fuzz.h"
#include "tar/tarsplit.h"

static int trees[2];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const dirs[] = {
		"upper", "upper/d", "lower", "lower/d", "lower/d/e"};
	static const char *const files[] = {
		"upper/f", "upper/d/g", "lower/f", "lower/d/e/h"};
	int scratch = fuzz_begin();
	int rc = 0;

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		rc |= mkdirat(scratch, dirs[i], 0700);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		fuzz_put(scratch, files[i], "some data of a file", 19);
	rc |= symlinkat("../canary", scratch, "upper/out");
	rc |= mkfifoat(scratch, "upper/fifo", 0600);
	if (rc < 0)
		fuzz_broken("cannot make the trees: %s", strerror(errno));
	trees[0] = fs_open_dir(scratch, "upper");
	trees[1] = fs_open_dir(scratch, "lower");
	fuzz_watch();
	return 0;
}

static int compressed(const uint8_t *data, size_t size)
{
	z_stream z = {.next_in = (Bytef *)data, .avail_in = (uInt)size};
	auto_buf out = {0};

	if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
		!buf_reserve(&out, deflateBound(&z, size)))
		fuzz_broken("cannot compress the input");
	z.next_out = (Bytef *)out.data;
	z.avail_out = (uInt)deflateBound(&z, size);
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return fuzz_file(out.data, z.total_out);
}

/* ---- reading ---------------------------------------------------------------------- */

/* The bytes of all records, and whether a path leads out of the tree. */
struct sum {
	uint64_t size;
	bool outside;
};

static void check_path(const struct recipe_rec *rec, struct sum *s)
{
	if (!rec->n || strlen(rec->p) != rec->n || rec->p[0] == '/' ||
		strcmp(rec->p, "..") == 0 || strncmp(rec->p, "../", 3) == 0 ||
		strstr(rec->p, "/../"))
		fuzz_broken("a path that leads out: %s", rec->p);
	s->outside |= strncmp(rec->p, "out/", 4) == 0;
}

/* The records of a file: its start, one run with all of its data, its end. */
static void check_order(int before, const struct recipe_rec *rec)
{
	int want = before == RECIPE_FILE ? RECIPE_RUN : RECIPE_FILE_END;

	if (before == RECIPE_FILE || before == RECIPE_RUN) {
		if ((int)rec->type != want)
			fuzz_broken("a record %c after %c", rec->type, before);
	} else if (rec->type == RECIPE_RUN || rec->type == RECIPE_FILE_END) {
		fuzz_broken("a record %c of no file", rec->type);
	}
	if ((rec->type == RECIPE_RAW && !rec->n) ||
		(rec->type == RECIPE_RUN && (!rec->size || rec->offset)))
		fuzz_broken("a record %c of nothing", rec->type);
}

static int read_all(int fd, struct sum *s)
{
	struct recipe_rec rec = {.type = RECIPE_RAW};
	struct tarsplit *t = NULL;
	struct ovl_err err = {0};
	int before = RECIPE_RAW;
	int rc = tarsplit_open(&t, fd, NULL, &err);

	while (rc == 0 && rec.type != RECIPE_END) {
		rc = tarsplit_next(t, &rec, &err);
		if (rc < 0)
			break;
		check_order(before, &rec);
		if (rec.type == RECIPE_FILE)
			check_path(&rec, s);
		s->size += rec.type == RECIPE_RAW ? rec.n :
			rec.type == RECIPE_RUN    ? rec.size :
						    0;
		before = (int)rec.type;
	}
	tarsplit_close(t);
	fuzz_refused(rc, &err);
	return rc;
}

/* ---- playing ---------------------------------------------------------------------- */

struct got {
	uint64_t size;
	struct digest digest;
};

static int take(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct got *got = ctx;

	got->size += n;
	return digest_update(&got->digest, p, n, err);
}

static int play(struct replay_split *how, uint64_t *size, char hex[ID_LEN + 1])
{
	struct ovl_err err = {0};
	struct got got = {0};
	int rc = digest_init(&got.digest, &err);

	if (rc == 0)
		rc = replay_split(how, take, &got, &err);
	fuzz_refused(rc, &err);
	if (digest_final(&got.digest, hex, &err) < 0)
		fuzz_broken("no digest");
	*size = got.size;
	return rc;
}

static void play_all(int fd, bool sound, const struct sum *s)
{
	const struct replay_trees in = {trees, 2};
	struct foreign_layer layer = {.id.s = "a"};
	char again[ID_LEN + 1];
	struct replay_split how = {
		.st = fuzz_store,
		.layer = &layer,
		.trees = &in,
		.split = fd,
		.only_look = true,
	};
	uint64_t size;
	bool there = play(&how, &size, layer.diff_id) == 0;

	if (size)
		fuzz_broken("something comes where it is only looked at");
	how.only_look = false;
	how.unproved = true;
	if ((play(&how, &size, layer.diff_id) == 0) != there)
		fuzz_broken("what is looked at is not what is played");
	if (there && (!sound || s->outside || size != s->size))
		fuzz_broken("it gave %ju bytes, not %ju", (uintmax_t)size,
			(uintmax_t)s->size);
	how.unproved = false;
	if (play(&how, &size, again) == 0 &&
		(!there || strcmp(layer.diff_id, again) != 0))
		fuzz_broken("it gave a tar of another digest");
	memset(layer.diff_id, 'b', ID_LEN);
	if (play(&how, &size, again) == 0)
		fuzz_broken("it gave a tar of a digest that nothing has");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_fd fd = size && *data == 'G' ? compressed(data + 1, size - 1) :
					    fuzz_file(data, size);
	struct sum s = {0};
	bool sound = read_all(fd, &s) == 0;

	play_all(fd, sound, &s);
	fuzz_unchanged();
	return 0;
}
