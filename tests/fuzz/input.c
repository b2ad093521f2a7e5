/*
 * The bytes of an input: is it a layer or an image? Import decides that before it stores
 * anything. A file and a pipe must give the same answer, and then a pipe must give all
 * bytes once more.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/decode.h"
#include "fuzz.h"
#include "image/image.h"
#include "image/spool.h"
#include "tarbits.h"

#define MAX_SIZE  (16u << 20)
#define PIPE_SIZE (1u << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_begin();
	fuzz_watch();
	return 0;
}

/* The result for an input. */
struct answer {
	int is;
	bool fits; /* all members may belong to an image */
	struct ovl_err err;
};

static struct answer ask(struct spool *sp, int fd)
{
	const struct ovl_import req = {.fd = fd, .max_size = MAX_SIZE};
	struct answer a = {0};

	a.is = spool_open(sp, fuzz_store, &req, &a.err);
	if (a.is == 0)
		a.is = spool_look(sp, false, &a.err);
	a.fits = sp->src;
	fuzz_refused(a.is, &a.err);
	return a;
}

static struct answer as_file(const uint8_t *data, size_t size)
{
	auto_spool sp = SPOOL_INIT;
	struct ovl_err err = {0};
	auto_images im = {0};
	int fd = fuzz_file(data, size);
	struct answer a = ask(&sp, fd);

	if (a.is > 0)
		fuzz_refused(image_read(sp.src, NULL, NULL, &im, &err), &err);
	close(fd);
	return a;
}

/* The stream must give all bytes again, from the first one on. */
static void compare(struct stream *s, const uint8_t *data, size_t size)
{
	struct ovl_err err = {0};
	const void *p;
	size_t at = 0;
	ssize_t n;

	while ((n = stream_next(s, &p, &err)) > 0) {
		if ((size_t)n > size - at || memcmp(p, data + at, (size_t)n) != 0)
			fuzz_broken("other bytes when a pipe is read again");
		at += (size_t)n;
		stream_release(s);
	}
	if (n < 0 || at != size)
		fuzz_broken("fewer bytes when a pipe is read again");
}

static struct answer as_pipe(const uint8_t *data, size_t size)
{
	auto_spool sp = SPOOL_INIT;
	int fd[2];
	struct answer a;

	if (pipe(fd) < 0 || fcntl(fd[1], F_SETPIPE_SZ, PIPE_SIZE) < 0 ||
		write(fd[1], data, size) != (ssize_t)size)
		fuzz_broken("cannot set up");
	close(fd[1]);
	a = ask(&sp, fd[0]);
	if (a.is == 0 && strcmp(decode_detect(data, size)->name, "none") == 0)
		compare(sp.stream, data, size);
	close(fd[0]);
	return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer file;
	struct answer pipe;

	if (size > PIPE_SIZE)
		return 0;
	file = as_file(data, size);
	pipe = as_pipe(data, size);
	if (file.is != pipe.is || file.fits != pipe.fits ||
		strcmp(file.err.text, pipe.err.text) != 0)
		fuzz_broken("a file: %d %d %s; a pipe: %d %d %s", file.is, file.fits,
			file.err.text, pipe.is, pipe.fits, pipe.err.text);
	fuzz_unchanged();
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return tarbits_mutate(data, size, max_size, seed);
}
