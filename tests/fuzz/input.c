/*
 * The bytes of an input: is it a layer or an image? What import asks before it takes
 * anything in. A file and a pipe must get one answer, and after it a pipe must give all
 * bytes again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "image/image.h"
#include "image/signs.h"
#include "image/source.h"
#include "image/spool.h"
#include "tarbits.h"

#define MAX_SIZE (16u << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_begin();
	fuzz_watch();
	return 0;
}

/* As a file that can be read at any place. 1: it is an image; 0, -errno. */
static int as_image(int fd)
{
	struct source *src = NULL;
	struct images im = {0};
	struct ovl_err err = {0};
	int rc = source_open(&src, fuzz_store, fd, false, &err);
	int is = rc;

	if (rc == 0) {
		is = rc = image_is(src, &err);
		if (rc > 0)
			rc = image_read(src, NULL, NULL, &im, &err);
		fuzz_refused(rc, &err);
	}
	images_release(&im);
	source_close(src);
	return is;
}

/*
 * As a pipe: the same must be found as in a file (is), and the bytes must come again, from
 * the first one on.
 */
static void as_pipe(int fd, const uint8_t *data, size_t size, int is)
{
	auto_spool sp = SPOOL_INIT;
	struct ovl_err err = {0};
	bool plain = spool_compressed(fd, &err) == 0;
	const void *p;
	size_t at = 0;
	ssize_t n;
	int rc;

	if (lseek(fd, 0, SEEK_SET) < 0)
		fuzz_broken("cannot seek");
	rc = spool_open(&sp, fuzz_store, fd, MAX_SIZE, &err);
	if (rc == 0)
		rc = spool_look(&sp, false, &err);
	fuzz_refused(rc, &err);
	if (plain && ((rc > 0 && as_image(sp.fd) != is) || (rc == 0 && is > 0)))
		fuzz_broken("a pipe is taken for another thing than a file");
	while (rc >= 0 && plain && (n = stream_next(sp.stream, &p, &err)) != 0) {
		if (n < 0)
			return;
		if ((size_t)n > size - at || memcmp(p, data + at, (size_t)n) != 0)
			fuzz_broken("other bytes when a pipe is read again");
		at += (size_t)n;
		stream_release(sp.stream);
	}
	if (rc >= 0 && plain && at != size)
		fuzz_broken("fewer bytes when a pipe is read again");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = fuzz_file(data, size);

	as_pipe(fd, data, size, as_image(fd));
	close(fd);
	fuzz_unchanged();
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return tarbits_mutate(data, size, max_size, seed);
}
