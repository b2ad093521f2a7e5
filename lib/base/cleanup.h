/*
 * Cleanup attributes. Each releases what its variable owns when the variable goes out of
 * scope, and preserves errno, so that "return err_sys(...)" reports the right error.
 * steal_fd() and steal_ptr() take ownership out of a variable.
 */
#ifndef OVL_CLEANUP_H
#define OVL_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void close_fdp(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

static inline void free_p(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

static inline void closedir_p(DIR **d)
{
	int saved = errno;

	if (*d)
		closedir(*d);
	errno = saved;
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
#define auto_dir  __attribute__((cleanup(closedir_p))) DIR *
#define auto_file __attribute__((cleanup(fclose_p))) FILE *
#define steal_ptr(p)                         \
	({                                   \
		__typeof__(p) stolen_ = (p); \
		(p) = NULL;                  \
		stolen_;                     \
	})

#endif
