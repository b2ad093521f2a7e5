/* SPDX-License-Identifier: ISC */
/* Decompresses and hashes an input in threads; the parser reads blocks. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/thread.h"
#include "codec/stream_own.h"

/* ---- the thread ------------------------------------------------------------------- */

/* Waits until the input is readable; false if the thread is to stop. */
static bool readable(struct stream *s)
{
	struct pollfd fds[2] = {
		{.fd = s->cfg.fd, .events = POLLIN},
		{.fd = s->wake, .events = POLLIN},
	};

	if (s->regular) {
		bool quit;

		pthread_mutex_lock(&s->mutex);
		quit = s->quit;
		pthread_mutex_unlock(&s->mutex);
		return !quit;
	}
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	return !(fds[1].revents & POLLIN);
}

static ssize_t read_once(struct stream *s, void *p, size_t n)
{
	uint64_t at = atomic_load(&s->taken);

	if (!s->cfg.part)
		return read(s->cfg.fd, p, n);
	if (n > s->cfg.size - at)
		n = (size_t)(s->cfg.size - at);
	return n ? pread(s->cfg.fd, p, n, (off_t)(s->cfg.offset + at)) : 0;
}

static void count_taken(struct stream *s, size_t n)
{
	atomic_fetch_add(&s->taken, n);
	if (s->cfg.taken)
		atomic_fetch_add(s->cfg.taken, n);
}

/* Reads up to n bytes that are available; 0 at the end of the input. */
static ssize_t read_some(struct stream *s, void *p, size_t n, struct ovl_err *err)
{
	for (;;) {
		ssize_t got;

		if (!readable(s))
			return err_stopped(err);
		got = read_once(s, p, n);
		if (got >= 0) {
			count_taken(s, (size_t)got);
			return digest_update(&s->input, p, (size_t)got, err) < 0 ? -EIO :
										   got;
		}
		if (errno != EINTR && errno != EAGAIN)
			return err_sys(err, errno, "cannot read");
	}
}

/* Number of blocks that are free for use again. */
static unsigned freed(const struct stream *s)
{
	return s->hashing && s->filled - s->hashed > s->filled - s->released ?
		s->hashed :
		s->released;
}

bool stream_has_room(const struct stream *s)
{
	return s->filled - freed(s) <= STREAM_HOLD;
}

static void *run_hasher(void *ctx)
{
	struct stream *s = ctx;

	pthread_mutex_lock(&s->mutex);
	for (;;) {
		unsigned slot = s->hashed % s->blocks;
		int rc;

		while (s->hashed == s->filled && !s->done && !s->quit)
			pthread_cond_wait(&s->to_hash, &s->mutex);
		if (s->quit || s->hashed == s->filled)
			break;
		pthread_mutex_unlock(&s->mutex);
		rc = digest_update(&s->digest, s->data + (size_t)slot * BLOCK_SIZE,
			s->len[slot], NULL);
		pthread_mutex_lock(&s->mutex);
		s->unhashed |= rc < 0;
		s->hashed++;
		if (stream_has_room(s) || s->done || s->settling)
			pthread_cond_broadcast(&s->changed);
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

/* Waits for a free block; NULL if the thread is to stop. */
static unsigned char *free_block(struct stream *s)
{
	unsigned char *block = NULL;

	pthread_mutex_lock(&s->mutex);
	while (!s->quit && s->filled - freed(s) == s->blocks)
		pthread_cond_wait(&s->changed, &s->mutex);
	if (!s->quit)
		block = s->data + (size_t)(s->filled % s->blocks) * BLOCK_SIZE;
	pthread_mutex_unlock(&s->mutex);
	return block;
}

static int no_data(struct ovl_err *err)
{
	return err_say(err, ENODATA, "it is empty");
}

static int too_large(const struct stream *s, struct ovl_err *err)
{
	return err_say(err, EFBIG, "it holds more than %llu bytes: see --max-size",
		(unsigned long long)s->cfg.max_size);
}

static int pass_on(
	struct stream *s, const unsigned char *block, size_t n, struct ovl_err *err)
{
	if (!n)
		return 0;
	s->out_bytes += n;
	if (s->out_bytes > s->cfg.max_size)
		return too_large(s, err);
	if (!s->hashing && digest_update(&s->digest, block, n, err) < 0)
		return -EIO;
	pthread_mutex_lock(&s->mutex);
	s->len[s->filled % s->blocks] = n;
	s->filled++;
	pthread_cond_signal(&s->changed);
	if (s->filled - s->hashed >= STREAM_HOLD / 2)
		pthread_cond_signal(&s->to_hash);
	pthread_mutex_unlock(&s->mutex);
	return 0;
}

/*
 * Fills one block from io and the input. 1: the block is full; 0: the input has ended and
 * was complete; negative errno.
 */
static int fill(struct stream *s, struct decode_io *io, int *may_end, struct ovl_err *err)
{
	bool eof = false;

	while (io->out_len) {
		size_t room = io->out_len;

		if (!io->in_len && !eof) {
			ssize_t n = read_some(s, s->in, BLOCK_SIZE, err);

			if (n < 0)
				return (int)n;
			io->in = s->in;
			io->in_len = (size_t)n;
			eof = n == 0;
		}
		if (eof && *may_end == 1)
			return 0;
		*may_end = s->codec->run(s->state, io, err);
		if (*may_end < 0)
			return *may_end;
		if (eof && *may_end == 0 && io->out_len == room)
			return err_say(err, EBADMSG, "its %s data ends too early",
				s->codec->name);
	}
	return 1;
}

/* Reads uncompressed input directly into the block. */
static int fill_plain(struct stream *s, struct decode_io *io, struct ovl_err *err)
{
	while (io->out_len) {
		ssize_t n = read_some(s, io->out, io->out_len, err);

		if (n <= 0)
			return (int)n;
		io->out += n;
		io->out_len -= (size_t)n;
	}
	return 1;
}

/* Reads the first bytes, enough to recognise the format. */
static int detect(struct stream *s, struct decode_io *io, struct ovl_err *err)
{
	size_t have = 0;

	while (have < DECODE_MAGIC_LEN) {
		ssize_t n = read_some(s, s->in + have, BLOCK_SIZE - have, err);

		if (n < 0)
			return (int)n;
		if (!n)
			break;
		have += (size_t)n;
	}
	s->codec = decode_detect(s->in, have);
	s->state = decode_open(s->codec);
	io->in = s->in;
	io->in_len = have;
	/* For uncompressed input, both digests are the same. */
	if (strcmp(s->codec->name, "none") == 0)
		s->input.begun = false;
	return s->state ? 0 : err_nomem(err);
}

static int produce(struct stream *s, struct ovl_err *err)
{
	struct decode_io io = {0};
	int may_end = 0;
	int more = detect(s, &io, err);
	bool plain = more == 0 && strcmp(s->codec->name, "none") == 0;

	if (more == 0)
		more = 1;
	while (more > 0) {
		unsigned char *block = free_block(s);
		int rc;

		if (!block)
			return 0;
		io.out = block;
		io.out_len = BLOCK_SIZE;
		if (plain && io.in_len)
			s->codec->run(s->state, &io, err);
		more = plain ? fill_plain(s, &io, err) : fill(s, &io, &may_end, err);
		rc = pass_on(s, block, BLOCK_SIZE - io.out_len, more < 0 ? NULL : err);
		if (more >= 0 && rc < 0)
			more = rc;
	}
	return more || s->out_bytes || s->cfg.may_be_empty ? more : no_data(err);
}

static int end_block(struct stream *s, struct ovl_err *err)
{
	unsigned char *block = s->block;

	s->block = NULL;
	return block ? pass_on(s, block, s->n_block, err) : 0;
}

void *stream_room(void *to, size_t *n)
{
	struct stream *s = to;

	if (!s->block) {
		s->block = free_block(s);
		s->n_block = 0;
	}
	*n = BLOCK_SIZE - s->n_block;
	return s->block ? s->block + s->n_block : NULL;
}

static int to_blocks(void *ctx, const void *bytes, size_t n, struct ovl_err *err)
{
	struct stream *s = ctx;
	const char *p = bytes;
	int rc = 0;

	count_taken(s, n);
	while (n && rc == 0) {
		size_t now;
		char *room = stream_room(s, &now);

		if (!room)
			return err_stopped(err);
		now = n < now ? n : now;
		if (p != room)
			memcpy(room, p, now);
		s->n_block += now;
		p += now;
		n -= now;
		if (s->n_block == BLOCK_SIZE)
			rc = end_block(s, err);
	}
	return rc;
}

static int make(struct stream *s, struct ovl_err *err)
{
	int rc = s->cfg.make(s->cfg.make_ctx, to_blocks, s, err);

	if (rc == 0)
		rc = end_block(s, err);
	return rc == 0 && !s->out_bytes && !s->cfg.may_be_empty ? no_data(err) : rc;
}

static void *reader(void *ctx)
{
	struct stream *s = ctx;
	struct ovl_err err = {0};
	int rc = s->cfg.make ? make(s, &err) : produce(s, &err);

	/* Other streams may be waiting for the window while this one still exists. */
	if (s->state)
		decode_close(s->codec, s->state);
	s->state = NULL;
	pthread_mutex_lock(&s->mutex);
	s->rc = rc;
	s->err = err;
	s->done = true;
	pthread_cond_broadcast(&s->changed);
	pthread_cond_signal(&s->to_hash);
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

/* ---- begin and end --------------------------------------------------------------- */

static int start_threads(struct stream *s, struct ovl_err *err)
{
	int rc;

	/* Without a hasher the reading thread hashes. */
	s->hashing = !s->cfg.parallel;
	if (s->hashing && thread_start(&s->hasher, run_hasher, s) != 0)
		s->hashing = false;
	rc = -thread_start(&s->thread, reader, s);
	s->started = rc == 0;
	return rc < 0 ? err_sys(err, -rc, "cannot start a thread") : 0;
}

static int open_read(struct stream *s, struct ovl_err *err)
{
	const struct stream_config *cfg = &s->cfg;
	struct stat st;
	int rc;

	s->wake = eventfd(0, EFD_CLOEXEC);
	if (cfg->part) {
		s->regular = true;
		s->total = cfg->size;
	} else if (!cfg->make && fstat(cfg->fd, &st) == 0 && S_ISREG(st.st_mode)) {
		off_t at = lseek(cfg->fd, 0, SEEK_CUR);

		s->regular = true;
		s->total = at < st.st_size ? (uint64_t)(st.st_size - at) : 0;
	}
	s->blocks = cfg->parallel ? FEW_BLOCKS : BLOCKS;
	s->data = fs_buffer((size_t)s->blocks * BLOCK_SIZE);
	s->in = fs_buffer(BLOCK_SIZE);
	rc = s->wake < 0 ? err_sys(err, errno, "cannot make an eventfd") : 0;
	if (rc == 0 && (!s->data || !s->in))
		rc = err_nomem(err);
	if (rc == 0 && !cfg->no_digest)
		rc = digest_init(&s->digest, err);
	if (rc == 0 && cfg->digest_input)
		rc = digest_init(&s->input, err);
	return rc < 0 ? rc : start_threads(s, err);
}

/* Treats the file like kept blocks that are read again, with nothing after them. */
static int open_direct(struct stream *s, struct ovl_err *err)
{
	struct stat st;

	s->done = true;
	if (fstat(s->cfg.fd, &st) < 0)
		return err_sys(err, errno, "cannot stat it");
	if ((uint64_t)st.st_size <= s->cfg.offset)
		return no_data(err);
	if ((uint64_t)st.st_size > s->cfg.max_size)
		return too_large(s, err);
	s->again = s->cfg.fd;
	s->again_at = s->cfg.offset;
	s->again_len = FIRST_SIZE;
	s->kept = (uint64_t)st.st_size;
	s->again_data = fs_buffer((size_t)STREAM_HOLD * BLOCK_SIZE);
	return s->again_data ? 0 : err_nomem(err);
}

int stream_open(struct stream **out, const struct stream_config *cfg, struct ovl_err *err)
{
	struct stream *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_nomem(err);
	s->cfg = *cfg;
	s->wake = -1;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->changed, NULL);
	pthread_cond_init(&s->to_hash, NULL);
	rc = cfg->direct ? open_direct(s, err) : open_read(s, err);
	if (rc < 0)
		stream_close(s);
	else
		*out = s;
	return rc;
}

uint64_t stream_taken(struct stream *s)
{
	return atomic_load(&s->taken);
}

uint64_t stream_total(const struct stream *s)
{
	return s->total;
}

void stream_close(struct stream *s)
{
	uint64_t one = 1;

	if (!s)
		return;
	pthread_mutex_lock(&s->mutex);
	s->quit = true;
	pthread_cond_broadcast(&s->changed);
	pthread_cond_signal(&s->to_hash);
	pthread_mutex_unlock(&s->mutex);
	if (s->hashing)
		pthread_join(s->hasher, NULL);
	if (s->started) {
		/* Cannot fail: the counter is 0. */
		if (write(s->wake, &one, sizeof(one)) == (ssize_t)sizeof(one))
			pthread_join(s->thread, NULL);
	}
	close_fdp(&s->wake);
	pthread_cond_destroy(&s->changed);
	pthread_cond_destroy(&s->to_hash);
	pthread_mutex_destroy(&s->mutex);
	free(s->data);
	free(s->again_data);
	free(s->in);
	free(s);
}
