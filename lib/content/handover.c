/* SPDX-License-Identifier: ISC */
/* A ring of open files between two threads; see handover.h. */
#include <sys/resource.h>
#include <unistd.h>

#include "content/handover.h"

void handover_begin(struct handover *h)
{
	struct rlimit rl;

	h->most = HANDOVER_MAX;
	/* Several layers are taken in at a time. */
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur / 32 < HANDOVER_MAX)
		h->most = (unsigned)(rl.rlim_cur / 32);
}

void handover_give(struct handover *h, uint64_t at, int fd)
{
	unsigned n = atomic_load(&h->given);

	if (n - atomic_load(&h->taken) >= h->most) {
		close(fd);
		return;
	}
	h->file[n % HANDOVER_MAX].at = at;
	h->file[n % HANDOVER_MAX].fd = fd;
	atomic_store(&h->given, n + 1);
}

int handover_take(struct handover *h, uint64_t at)
{
	unsigned given = atomic_load(&h->given);

	for (unsigned n = atomic_load(&h->taken); n != given; n++) {
		uint64_t has = h->file[n % HANDOVER_MAX].at;
		int fd = h->file[n % HANDOVER_MAX].fd;

		if (has > at)
			break;
		atomic_store(&h->taken, n + 1);
		if (has == at)
			return fd;
		close(fd);
	}
	return -1;
}

void handover_end(struct handover *h)
{
	handover_take(h, UINT64_MAX);
}
