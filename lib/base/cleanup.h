/*
 * Cleanup attributes. Each releases what its variable owns when the variable goes out of
 * scope, and preserves errno, so that "return err_sys(...)" reports the right error.
 * steal_fd() takes ownership out of a descriptor, steal() out of a pointer, or out of a
 * struct that owns nothing when it is all zero.
 */
#ifndef OVL_CLEANUP_H
#define OVL_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void close_fdp(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* free(3) preserves errno, since glibc 2.33. */
static inline void free_p(void *p)
{
	free(*(void **)p);
}

static inline void fclose_p(FILE **f)
{
	int saved = errno;

	if (*f)
		fclose(*f);
	errno = saved;
}

static inline int steal_fd(int *fd)
{
	int out = *fd;

	*fd = -1;
	return out;
}

#define auto_fd   __attribute__((cleanup(close_fdp))) int
#define auto_free __attribute__((cleanup(free_p)))
#define auto_file __attribute__((cleanup(fclose_p))) FILE *
#define steal(x)                             \
	({                                   \
		__typeof__(x) stolen_ = (x); \
		memset(&(x), 0, sizeof(x));  \
		stolen_;                     \
	})

#endif
