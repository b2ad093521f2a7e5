/* SPDX-License-Identifier: ISC */
/* The parser's side of a stream: taking and releasing blocks. */
#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/thread.h"
#include "codec/stream_own.h"

static void tick(const struct stream *s)
{
	if (s->cfg.tick)
		s->cfg.tick(s->cfg.tick_ctx);
}

/* Waits for a limited time, because a signal to the process wakes no condition. */
static void wait_a_little(struct stream *s)
{
	pthread_mutex_unlock(&s->mutex);
	tick(s);
	pthread_mutex_lock(&s->mutex);
	if (s->filled != s->taken_blocks || s->done)
		return;
	thread_wait(&s->changed, &s->mutex, 50);
}

static ssize_t next_again(struct stream *s, const void **p, struct ovl_err *err)
{
	unsigned slot = s->again_next++ % STREAM_HOLD;
	unsigned char *block = s->again_data + (size_t)slot * BLOCK_SIZE;
	uint64_t left = s->kept - s->again_at;
	size_t n = left < s->again_len ? (size_t)left : s->again_len;
	ssize_t got = fs_pread_upto(s->again, block, n, s->again_at);

	if (fs_stopped(s->cfg.stop))
		return err_stopped(err);
	if (got != (ssize_t)n)
		return err_sys(err, got < 0 ? errno : EIO,
			s->cfg.direct ? "cannot read" : "cannot read a temporary file");
	s->again_len = BLOCK_SIZE;
	s->again_at += n;
	s->again_held++;
	*p = block;
	return got;
}

ssize_t stream_next(struct stream *s, const void **p, struct ovl_err *err)
{
	ssize_t n;

	tick(s);
	if (s->keep_rc < 0) {
		if (err)
			*err = s->keep_err;
		return s->keep_rc;
	}
	if (s->again_at < s->kept && s->again_data)
		return next_again(s, p, err);
	pthread_mutex_lock(&s->mutex);
	while (s->filled == s->taken_blocks && !s->done && !fs_stopped(s->cfg.stop))
		wait_a_little(s);
	if (fs_stopped(s->cfg.stop)) {
		n = err_stopped(err);
	} else if (s->filled != s->taken_blocks) {
		unsigned slot = s->taken_blocks++ % s->blocks;

		*p = s->data + (size_t)slot * BLOCK_SIZE;
		n = (ssize_t)s->len[slot];
	} else {
		n = s->rc;
		if (n < 0 && err)
			*err = s->err;
	}
	pthread_mutex_unlock(&s->mutex);
	return n;
}

uint64_t stream_skip(struct stream *s, uint64_t n)
{
	uint64_t left = s->kept - s->again_at;

	if (!s->cfg.direct)
		return 0;
	n = n < left ? n : left;
	s->again_at += n;
	s->again_len = FIRST_SIZE;
	return n;
}

static void keep_oldest(struct stream *s)
{
	unsigned slot = s->released % s->blocks;

	s->keep_rc = s->cfg.keep(s->cfg.keep_ctx, s->data + (size_t)slot * BLOCK_SIZE,
		s->len[slot], &s->keep_err);
	s->kept += s->len[slot];
}

void stream_release(struct stream *s)
{
	if (s->again_held) {
		s->again_held--;
		return;
	}
	if (s->cfg.keep && s->keep_rc == 0)
		keep_oldest(s);
	pthread_mutex_lock(&s->mutex);
	s->released++;
	if (stream_has_room(s))
		pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->mutex);
}

bool stream_held(const struct stream *s)
{
	return s->again_held || s->released != s->taken_blocks;
}

int stream_again(struct stream *s, int fd, struct ovl_err *err)
{
	s->cfg.keep = NULL;
	s->again = fd;
	s->again_len = BLOCK_SIZE;
	if (s->kept && !(s->again_data = fs_buffer((size_t)STREAM_HOLD * BLOCK_SIZE)))
		return err_nomem(err);
	pthread_mutex_lock(&s->mutex);
	s->taken_blocks = s->released;
	pthread_mutex_unlock(&s->mutex);
	return 0;
}

void stream_tick(struct stream *s, void (*tick_fn)(void *ctx), void *ctx)
{
	s->cfg.tick = tick_fn;
	s->cfg.tick_ctx = ctx;
}

void stream_wait_hashed(struct stream *s)
{
	pthread_mutex_lock(&s->mutex);
	s->settling = true;
	pthread_cond_signal(&s->to_hash);
	while (s->hashing && (int)(s->taken_blocks - s->hashed) > 0)
		pthread_cond_wait(&s->changed, &s->mutex);
	s->settling = false;
	pthread_mutex_unlock(&s->mutex);
}

int stream_digest(struct stream *s, char hex[ID_LEN + 1], struct ovl_err *err)
{
	bool bad;

	pthread_mutex_lock(&s->mutex);
	while (s->hashing && s->hashed != s->filled)
		pthread_cond_wait(&s->changed, &s->mutex);
	bad = s->unhashed;
	pthread_mutex_unlock(&s->mutex);
	if (bad)
		return err_say(err, EIO, "cannot compute a digest");
	bad = digest_final(&s->digest, s->hex, err) < 0;
	memcpy(hex, s->hex, sizeof(s->hex));
	return bad ? -EIO : 0;
}

int stream_input_digest(struct stream *s, char hex[ID_LEN + 1], struct ovl_err *err)
{
	memcpy(hex, s->hex, sizeof(s->hex));
	return digest_final(&s->input, hex, err);
}
