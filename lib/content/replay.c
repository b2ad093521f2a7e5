/* SPDX-License-Identifier: ISC */
/* Rebuilds the tar of a layer, bit for bit, from its tree and its recipe, or that of
 * another program's layer from its tar-split. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/quote.h"
#include "base/vec.h"
#include "codec/stream.h"
#include "content/handover.h"
#include "content/replay.h"
#include "foreign/foreign.h"
#include "store/driver.h"
#include "store/store.h"
#include "tar/recipe.h"
#include "tar/tarsplit.h"

#define COPY_SIZE (256 * 1024)

/* A file that was replaced while the layer was imported. */
struct kept {
	uint64_t when; /* number of files that precede it in the recipe */
	uint64_t number;
	size_t path; /* offset in player.kept_paths */
};

struct player {
	struct replay_split from; /* its layer and split are not used */
	const char *id; /* the layer's id */
	const char *diff_id;
	struct recipe_in *recipe; /* one of these two */
	struct tarsplit *split;
	int kept_dir; /* -1: nothing was replaced */
	struct kept *kept; /* sorted by path, then oldest first */
	size_t n_kept;
	struct buf kept_paths;
	uint64_t n_files;
	uint64_t size; /* of the tar so far */
	uint64_t max; /* the limit for size */
	const struct replay_watch *watch; /* NULL: damage is a failure */
	bool told; /* damage of the current file has been reported */
	bool any; /* damage has been reported */
	sink_fn sink;
	void *ctx;
	struct digest digest;
	XXH64_state_t sum;
	uint64_t crc; /* with a tar-split, instead of the XXH64 */
	struct buf path; /* of the current file */
	int fd; /* the current file, open */
	char *copy;
};

/* With a watch, damage is reported once for each file and is not a failure. */
static int report_damage(struct player *p, const char *why, struct ovl_err *err)
{
	if (p->watch) {
		if (!p->told)
			p->watch->bad(p->watch->ctx, p->path.data, why);
		p->told = true;
		p->any = true;
		close_fdp(&p->fd);
		return 0;
	}
	return err_say(err, EUCLEAN, "layer %.12s is damaged: %s %s", p->id,
		Q(p->path.data), why);
}

/* ---- what was replaced ------------------------------------------------------------ */

static int add_kept(struct player *p, const struct recipe_rec *rec, uint64_t when,
	struct ovl_err *err)
{
	if (!VEC_ROOM(p->kept, p->n_kept))
		return err_nomem(err);
	p->kept[p->n_kept++] = (struct kept){
		.when = when, .number = rec->number, .path = p->kept_paths.len};
	buf_add(&p->kept_paths, rec->p, rec->n);
	buf_add(&p->kept_paths, "", 1);
	return p->kept_paths.failed ? err_nomem(err) : 0;
}

static int by_kept_path(const void *a, const void *b, void *paths)
{
	const struct kept *x = a;
	const struct kept *y = b;
	int order = strcmp((char *)paths + x->path, (char *)paths + y->path);

	return order ? order : x->number < y->number ? -1 : x->number > y->number;
}

/* Collects all replacements by reading the recipe a first time. */
static int read_kept(struct player *p, const struct layer *l, struct ovl_err *err)
{
	auto_recipe in = NULL;
	struct recipe_rec rec = {.type = RECIPE_RAW};
	uint64_t files = 0;
	int rc = recipe_open(&in, l->fd, err);

	while (rc == 0 && rec.type != RECIPE_END) {
		rc = recipe_next(in, &rec, err);
		if (rc < 0)
			err_prefix(err, rc, "layer %.12s", p->id);
		if (rc == 0 && rec.type == RECIPE_FILE)
			files++;
		if (rc == 0 && rec.type == RECIPE_KEEP)
			rc = add_kept(p, &rec, files, err);
	}
	if (rc == 0 && p->n_kept)
		qsort_r(p->kept, p->n_kept, sizeof(*p->kept), by_kept_path,
			p->kept_paths.data);
	return rc;
}

/* Compares k's path with the first n bytes of path, like strcmp(3). */
static int compare_path(
	const struct player *p, const struct kept *k, const char *path, size_t n)
{
	const char *have = p->kept_paths.data + k->path;
	int order = strncmp(have, path, n);

	return order ? order : have[n] ? 1 : 0;
}

/* The first replacement, after the current file, of the path that is the first n bytes of
 * path. */
static const struct kept *find_kept(const struct player *p, const char *path, size_t n)
{
	size_t low = 0;
	size_t high = p->n_kept;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct kept *k = &p->kept[mid];
		int order = compare_path(p, k, path, n);

		if (order < 0 || (order == 0 && k->when < p->n_files))
			low = mid + 1;
		else
			high = mid;
	}
	return low < p->n_kept && compare_path(p, &p->kept[low], path, n) == 0 ?
		&p->kept[low] :
		NULL;
}

static int open_in_trees(const struct player *p, const char *path)
{
	const struct replay_trees *in = p->from.trees;
	int fd = fs_fail(ENOENT);

	for (unsigned i = 0; i < in->n && fd < 0 && errno == ENOENT; i++)
		fd = p->split ? fs_open_unread(in->fd[i], path, O_RDONLY | O_NONBLOCK) :
				fs_open_beneath(in->fd[i], path, O_RDONLY | O_NONBLOCK);
	return fd;
}

/* Opens the file in the tree, or in .kept if the file or a directory above it was
 * replaced. */
static int open_source(struct player *p, const char *path)
{
	const struct kept *first = NULL;
	size_t rest = 0;
	auto_buf moved = {0};

	for (size_t n = 1; p->kept_dir >= 0 && path[n - 1]; n++) {
		const struct kept *k = path[n] == '/' || !path[n] ?
			find_kept(p, path, n) :
			NULL;

		if (k && (!first || k->number < first->number)) {
			first = k;
			rest = n;
		}
	}
	if (!first)
		return open_in_trees(p, path);
	buf_addf(&moved, "%" PRIu64 "%s", first->number, path + rest);
	if (moved.failed)
		return fs_fail(ENOMEM);
	return fs_open_beneath(p->kept_dir, moved.data, O_RDONLY | O_NONBLOCK);
}

/* ---- playing ---------------------------------------------------------------------- */

static int write_sink(struct player *p, const void *bytes, size_t n, struct ovl_err *err)
{
	int rc = digest_update(&p->digest, bytes, n, err);

	return rc < 0 ? rc : p->sink(p->ctx, bytes, n, err);
}

static void sum_bytes(struct player *p, const void *piece, size_t n)
{
	if (p->from.unproved)
		return;
	if (p->split)
		p->crc = tarsplit_sum(p->crc, piece, n);
	else
		XXH64_update(&p->sum, piece, n);
}

static int open_file(struct player *p, const struct recipe_rec *rec, struct ovl_err *err)
{
	struct stat st;

	buf_clear(&p->path);
	buf_add(&p->path, rec->p, rec->n);
	if (p->path.failed)
		return err_nomem(err);
	p->n_files++;
	p->told = false;
	XXH64_reset(&p->sum, 0);
	p->crc = 0;
	close_fdp(&p->fd);
	p->fd = open_source(p, p->path.data);
	if (p->fd >= 0 && fstat(p->fd, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			return report_damage(p, "is not a file", err);
		if (p->split && (uint64_t)st.st_size != rec->size)
			return report_damage(p, "has another size", err);
		return 0;
	}
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return report_damage(p, "is missing", err);
	return err_sys(
		err, errno, "cannot open %s of layer %.12s", Q(p->path.data), p->id);
}

/* Reads a piece of the file, or zeros if it is unreadable. */
static ssize_t read_piece(struct player *p, void *piece, size_t want, uint64_t at)
{
	if (p->fd >= 0)
		return pread(p->fd, piece, want, (off_t)at);
	memset(piece, 0, want);
	return (ssize_t)want;
}

/* Passes the file on with its first piece, before the sink has that: the file itself if there
 * is no more to read. */
static void hand_over(struct player *p, const struct recipe_rec *rec, size_t n)
{
	int fd = n == rec->size ? steal_fd(&p->fd) : fcntl(p->fd, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		handover_give(p->from.read, p->size - rec->size, fd);
}

static int give_run(struct player *p, const struct recipe_rec *rec, struct ovl_err *err)
{
	uint64_t at = rec->offset;
	uint64_t end = rec->offset + rec->size;

	while (at < end) {
		size_t room = COPY_SIZE;
		char *piece = p->from.read ? stream_room(p->ctx, &room) : p->copy;
		size_t want = end - at < room ? (size_t)(end - at) : room;
		ssize_t n = piece ? read_piece(p, piece, want, at) : 0;
		int rc = 0;

		if (n < 0 && errno == EINTR && !store_stopped(p->from.st))
			continue;
		if (!piece || store_stopped(p->from.st))
			return err_stopped(err);
		/* An unreadable block counts as damage. */
		if (n < 0 && errno == EIO && p->watch) {
			report_damage(p, "cannot be read: Input/output error", err);
			continue;
		}
		if (n < 0)
			return err_sys(err, errno, "cannot read %s of layer %.12s",
				Q(p->path.data), p->id);
		if (n == 0)
			rc = report_damage(p, "is too short", err);
		if (p->from.read && n && at == rec->offset)
			hand_over(p, rec, (size_t)n);
		if (rc == 0 && n) {
			sum_bytes(p, piece, (size_t)n);
			rc = write_sink(p, piece, (size_t)n, err);
		}
		if (rc < 0)
			return rc;
		at += (uint64_t)n;
	}
	return 0;
}

static int end_file(struct player *p, const struct recipe_rec *rec, struct ovl_err *err)
{
	uint64_t sum = p->split ? p->crc : XXH64_digest(&p->sum);

	close_fdp(&p->fd);
	if (!p->told && !p->from.unproved && sum != rec->sum)
		return report_damage(p, "differs from what was imported", err);
	return 0;
}

static int end_all(struct player *p, const struct recipe_rec *rec, struct ovl_err *err)
{
	char hex[ID_LEN + 1];

	if (p->from.unproved)
		return 0;
	if (digest_final(&p->digest, hex, err) < 0)
		return -EIO;
	if ((p->split || strcmp(hex, rec->diff_id) == 0) && strcmp(hex, p->diff_id) == 0)
		return 0;
	if (p->watch) {
		if (!p->any)
			p->watch->bad(p->watch->ctx, "",
				"gives a tar with a different diff id");
		return 0;
	}
	return err_say(err, EUCLEAN,
		"layer %.12s is damaged: its tar has the diff id sha256:%s, not sha256:%s",
		p->id, hex, p->diff_id);
}

static int play_one(struct player *p, const struct recipe_rec *rec, struct ovl_err *err)
{
	if (p->from.only_look && rec->type != RECIPE_FILE)
		return 0;
	switch (rec->type) {
	case RECIPE_RAW: return write_sink(p, rec->p, rec->n, err);
	case RECIPE_FILE: return open_file(p, rec, err);
	case RECIPE_RUN: return give_run(p, rec, err);
	case RECIPE_FILE_END: return end_file(p, rec, err);
	case RECIPE_END: return end_all(p, rec, err);
	default: return 0;
	}
}

/* Limits the output to the size of the layer's tar: a few bytes of recipe can describe
 * endless runs, and a tar-split can repeat a file. */
static int check_size(struct player *p, const struct recipe_rec *rec, struct ovl_err *err)
{
	uint64_t n = rec->type == RECIPE_RAW ? rec->n :
		rec->type == RECIPE_RUN      ? rec->size :
					       0;

	if (n > p->max - p->size)
		return err_say(err, EUCLEAN,
			"its %s is damaged: it gives more than %" PRIu64 " bytes of tar",
			p->split ? "tar-split" : "recipe", p->max);
	p->size += n;
	return 0;
}

static int play_records(struct player *p, struct ovl_err *err)
{
	struct recipe_rec rec = {.type = RECIPE_RAW};
	int rc;

	do {
		rc = p->split ? tarsplit_next(p->split, &rec, err) :
				recipe_next(p->recipe, &rec, err);
		if (rc == 0)
			rc = check_size(p, &rec, err);
		if (rc < 0)
			return err_prefix(err, rc, "layer %.12s", p->id);
		rc = play_one(p, &rec, err);
	} while (rc == 0 && rec.type != RECIPE_END);
	return rc;
}

static void release_player(struct player *p)
{
	free(p->kept);
	buf_release(&p->kept_paths);
	close_fdp(&p->fd);
	close_fdp(&p->kept_dir);
	buf_release(&p->path);
	free(p->copy);
	recipe_in_close(p->recipe);
	tarsplit_close(p->split);
}

#define auto_player __attribute__((cleanup(release_player))) struct player

static int play(struct player *p, struct ovl_err *err)
{
	int rc;

	p->copy = fs_buffer(COPY_SIZE);
	rc = p->copy ? 0 : err_nomem(err);
	if (rc == 0 && !p->from.unproved)
		rc = digest_init(&p->digest, err);
	return rc < 0 ? rc : play_records(p, err);
}

int replay_layer(const struct layer *l, sink_fn sink, void *ctx,
	const struct replay_watch *watch, struct ovl_err *err)
{
	auto_fd own = -1;
	const struct replay_trees trees = {.fd = &own, .n = 1};
	auto_player p = {
		.from = {.st = l->st, .trees = &trees},
		.id = l->id.s,
		.diff_id = l->meta.diff_id,
		.max = l->meta.tar_size,
		.kept_dir = -1,
		.fd = -1,
		.watch = watch,
		.sink = sink,
		.ctx = ctx,
	};
	int rc = recipe_open(&p.recipe, l->fd, err);

	if (rc < 0)
		return err_prefix(err, rc, "layer %.12s", l->id.s);
	p.kept_dir = fs_open_dir(l->fd, RECIPE_KEPT);
	if (p.kept_dir < 0 && errno != ENOENT)
		return err_sys(err, errno, "cannot open '%s' of layer %.12s", RECIPE_KEPT,
			l->id.s);
	own = layer_tree(l, err);
	rc = own < 0 ? own : 0;
	if (rc == 0 && p.kept_dir >= 0)
		rc = read_kept(&p, l, err);
	return rc < 0 ? rc : play(&p, err);
}

int replay_split(
	const struct replay_split *from, sink_fn sink, void *ctx, struct ovl_err *err)
{
	auto_player p = {
		.from = *from,
		.id = from->layer->id.s,
		.diff_id = from->layer->diff_id,
		.max = OVL_MAX_SIZE,
		.kept_dir = -1,
		.fd = -1,
		.sink = sink,
		.ctx = ctx,
	};
	int rc = lseek(from->split, 0, SEEK_SET) < 0 ?
		err_sys(err, errno, "cannot read its tar-split") :
		tarsplit_open(&p.split, from->split, from->st->cfg.stop, err);

	p.from.unproved |= from->only_look;
	return rc < 0 ? err_prefix(err, rc, "layer %.12s", p.id) : play(&p, err);
}
