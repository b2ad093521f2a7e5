#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "base/digest.h"
#include "codec/stream.h"
#include "unit.h"

static struct ovl_err err;

static struct stream *open_stream(int fd, uint64_t max, const atomic_int *stop)
{
	struct stream_config cfg = {.fd = fd, .max_size = max, .stop = stop};
	struct stream *s;

	ck_assert_int_eq(stream_open(&s, &cfg, &err), 0);
	return s;
}

static int file_of(size_t n)
{
	FILE *f = tmpfile();

	for (size_t i = 0; i < n; i++)
		fputc((int)(i * 7 % 251), f);
	fflush(f);
	lseek(fileno(f), 0, SEEK_SET);
	return fileno(f);
}

START_TEST(whole)
{
	size_t n = 5 * STREAM_BLOCK + 17;
	struct stream *s = open_stream(file_of(n), UINT64_MAX, NULL);
	struct digest d = {0};
	char want[ID_LEN + 1];
	char got[ID_LEN + 1];
	size_t sum = 0;
	const void *p;
	ssize_t r;

	digest_init(&d, &err);
	while ((r = stream_next(s, &p, &err)) > 0) {
		sum += (size_t)r;
		digest_update(&d, p, (size_t)r, NULL);
		stream_release(s);
	}
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(sum, n);
	ck_assert_int_eq(digest_final(&d, want, NULL), 0);
	ck_assert_int_eq(stream_digest(s, got, &err), 0);
	ck_assert_str_eq(got, want);
	ck_assert_uint_eq(stream_taken(s), n);
	ck_assert_uint_eq(stream_total(s), n);
	stream_close(s);
}
END_TEST

START_TEST(held)
{
	struct stream *s = open_stream(file_of(20 * STREAM_BLOCK), UINT64_MAX, NULL);
	const unsigned char *block[STREAM_HOLD];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < STREAM_HOLD; i++) {
			const void *p;

			ck_assert_int_eq(stream_next(s, &p, &err), STREAM_BLOCK);
			block[i] = p;
		}
		for (int i = 0; i < STREAM_HOLD; i++) {
			size_t at = (size_t)(round * STREAM_HOLD + i) * STREAM_BLOCK;

			ck_assert_int_eq(block[i][0], (int)(at * 7 % 251));
			stream_release(s);
		}
	}
	stream_close(s);
}
END_TEST

/* Changes after stream_wait_hashed() do not affect the digest. */
START_TEST(settled)
{
	size_t n = 4 * STREAM_BLOCK;
	struct stream *s = open_stream(file_of(n), UINT64_MAX, NULL);
	struct digest d = {0};
	char want[ID_LEN + 1];
	char got[ID_LEN + 1];
	const void *p;
	ssize_t r;

	digest_init(&d, &err);
	while ((r = stream_next(s, &p, &err)) > 0) {
		digest_update(&d, p, (size_t)r, NULL);
		stream_wait_hashed(s);
		memset((void *)(uintptr_t)p, 'x', (size_t)r);
		stream_release(s);
	}
	ck_assert_int_eq(digest_final(&d, want, NULL), 0);
	ck_assert_int_eq(stream_digest(s, got, &err), 0);
	ck_assert_str_eq(got, want);
	stream_close(s);
}
END_TEST

static int put(void *ctx, const void *p, size_t n, struct ovl_err *e)
{
	(void)e;
	return write(*(int *)ctx, p, n) == (ssize_t)n ? 0 : -EIO;
}

/* All bytes once more, whichever blocks have been released; hashed once. */
START_TEST(again)
{
	for (unsigned given = 0; given <= 10; given++) {
		size_t n = 9 * STREAM_BLOCK + 17;
		int kept = fileno(tmpfile());
		struct stream_config cfg = {.fd = file_of(n),
			.max_size = UINT64_MAX,
			.keep = put,
			.keep_ctx = &kept};
		char want[ID_LEN + 1];
		char got[ID_LEN + 1];
		unsigned released = 0;
		struct digest d = {0};
		struct stream *s;
		size_t at = 0;
		const void *p;
		ssize_t r;

		ck_assert_int_eq(stream_open(&s, &cfg, &err), 0);
		for (unsigned taken = 0; taken < given; taken++) {
			ck_assert_int_gt(stream_next(s, &p, &err), 0);
			for (; taken - released >= STREAM_HOLD / 2; released++)
				stream_release(s);
		}
		ck_assert_int_eq(stream_again(s, kept, &err), 0);
		digest_init(&d, &err);
		while ((r = stream_next(s, &p, &err)) > 0) {
			ck_assert_int_eq(*(const unsigned char *)p, (int)(at * 7 % 251));
			at += (size_t)r;
			digest_update(&d, p, (size_t)r, NULL);
			stream_wait_hashed(s);
			stream_release(s);
		}
		ck_assert_int_eq(r, 0);
		ck_assert_uint_eq(at, n);
		ck_assert_uint_eq((size_t)lseek(kept, 0, SEEK_END),
			released * (size_t)STREAM_BLOCK);
		ck_assert_int_eq(digest_final(&d, want, NULL), 0);
		ck_assert_int_eq(stream_digest(s, got, &err), 0);
		ck_assert_str_eq(got, want);
		stream_close(s);
	}
}
END_TEST

static int full(void *ctx, const void *p, size_t n, struct ovl_err *e)
{
	(void)ctx;
	(void)p;
	(void)n;
	return err_say(e, ENOSPC, "full");
}

START_TEST(not_kept)
{
	struct stream_config cfg = {
		.fd = file_of(20), .max_size = UINT64_MAX, .keep = full};
	struct stream *s;
	const void *p;

	ck_assert_int_eq(stream_open(&s, &cfg, &err), 0);
	ck_assert_int_gt(stream_next(s, &p, &err), 0);
	stream_release(s);
	ck_assert_int_eq(stream_next(s, &p, &err), -ENOSPC);
	ck_assert_str_eq(err.text, "full");
	stream_close(s);
}
END_TEST

/* Closing does not read a file to its end that decompresses to nothing for long. */
START_TEST(closed_in_padding)
{
	static const unsigned char member[] = {
		0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	FILE *f = tmpfile();
	struct stream *s;

	ck_assert_uint_eq(fwrite(member, 1, sizeof(member), f), sizeof(member));
	fflush(f);
	ck_assert_int_eq(ftruncate(fileno(f), (off_t)1 << 40), 0);
	lseek(fileno(f), 0, SEEK_SET);
	s = open_stream(fileno(f), UINT64_MAX, NULL);
	stream_close(s);
}
END_TEST

START_TEST(empty)
{
	struct stream *s = open_stream(file_of(0), UINT64_MAX, NULL);
	const void *p;

	ck_assert_int_lt(stream_next(s, &p, &err), 0);
	ck_assert_str_eq(err.text, "it is empty");
	stream_close(s);
}
END_TEST

START_TEST(too_large)
{
	struct stream *s = open_stream(file_of(1000), 999, NULL);
	const void *p;

	ck_assert_int_eq(stream_next(s, &p, &err), -EFBIG);
	stream_close(s);
}
END_TEST

/* Closed while its thread waits for input that does not come. */
START_TEST(closed_early)
{
	int fds[2];
	struct stream *s;

	ck_assert_int_eq(pipe(fds), 0);
	s = open_stream(fds[0], UINT64_MAX, NULL);
	usleep(20000);
	stream_close(s);
	s = open_stream(fds[0], UINT64_MAX, NULL);
	ck_assert_int_eq(write(fds[1], "0123456789", 10), 10);
	stream_close(s);
	/* ... and while it waits for a free block. */
	s = open_stream(file_of(20 * STREAM_BLOCK), UINT64_MAX, NULL);
	usleep(20000);
	stream_close(s);
}
END_TEST

START_TEST(stopped)
{
	atomic_int stop = 1;
	const void *p;
	int fds[2];
	struct stream *s;

	ck_assert_int_eq(pipe(fds), 0);
	s = open_stream(fds[0], UINT64_MAX, &stop);
	ck_assert_int_eq(stream_next(s, &p, &err), -EINTR);
	stream_close(s);
}
END_TEST

START_TEST(unreadable)
{
	struct stream *s = open_stream(open(".", O_RDONLY), UINT64_MAX, NULL);
	const void *p;

	ck_assert_int_eq(stream_next(s, &p, &err), -EISDIR);
	ck_assert_str_eq(err.text, "cannot read: Is a directory");
	stream_close(s);
}
END_TEST

/* Makes that many bytes in pieces of 1000, or in place, then fails if asked to. */
struct making {
	size_t n;
	bool in_place;
	int rc;
	atomic_bool ended;
};

static int make_bytes(void *ctx, sink_fn sink, void *to, struct ovl_err *e)
{
	struct making *m = ctx;
	unsigned char bytes[1000];
	size_t room = sizeof(bytes);
	int rc = 0;

	for (size_t at = 0; at < m->n && rc == 0; at += room) {
		unsigned char *piece = m->in_place ? stream_room(to, &room) : bytes;

		room = room < sizeof(bytes) ? room : sizeof(bytes);
		room = room < m->n - at ? room : m->n - at;
		for (size_t i = 0; i < room; i++)
			piece[i] = (unsigned char)((at + i) * 7 % 251);
		rc = sink(to, piece, room, e);
	}
	m->ended = true;
	return rc < 0 || !m->rc ? rc : err_say(e, -m->rc, "cannot make it");
}

static struct stream *open_made(struct making *m)
{
	const struct stream_config cfg = {
		.make = make_bytes, .make_ctx = m, .fd = -1, .max_size = UINT64_MAX};
	struct stream *s;

	ck_assert_int_eq(stream_open(&s, &cfg, &err), 0);
	return s;
}

static void check_made(bool in_place)
{
	struct making m = {.n = 3000000, .in_place = in_place};
	struct stream *s = open_made(&m);
	size_t at = 0;
	size_t wrong = 0;
	const void *p;
	ssize_t r;

	/* Each assertion is a system call, and these are three million bytes. */
	while ((r = stream_next(s, &p, &err)) > 0) {
		for (ssize_t i = 0; i < r; i++, at++)
			wrong += ((const unsigned char *)p)[i] != at * 7 % 251;
		stream_release(s);
	}
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(at, m.n);
	ck_assert_uint_eq(stream_taken(s), m.n);
	stream_close(s);
}

START_TEST(made)
{
	check_made(false);
	check_made(true);
}
END_TEST

/* Bytes made before the failure come first; no bytes at all are an error. */
START_TEST(made_badly)
{
	struct making m = {.n = 300000, .rc = -ESTALE};
	struct stream *s = open_made(&m);
	const void *p;

	ck_assert_int_eq(stream_next(s, &p, &err), STREAM_BLOCK);
	ck_assert_int_eq(stream_next(s, &p, &err), -ESTALE);
	ck_assert_str_eq(err.text, "cannot make it");
	stream_close(s);
	m = (struct making){0};
	s = open_made(&m);
	ck_assert_int_eq(stream_next(s, &p, &err), -ENODATA);
	stream_close(s);
}
END_TEST

/* Closed while the function waits for a free block: its sink fails, and it ends. */
START_TEST(made_for_nobody)
{
	struct making m = {.n = 30000000};
	struct stream *s = open_made(&m);

	usleep(20000);
	ck_assert(!m.ended);
	stream_close(s);
	ck_assert(m.ended);
}
END_TEST

UNIT("stream", whole, held, settled, again, not_kept, closed_in_padding, empty, too_large,
	closed_early, stopped, unreadable, made, made_badly, made_for_nobody)
