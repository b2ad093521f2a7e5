/*
 * Files that a tar is being made of, handed from the thread that has read them to the one that
 * takes the tar in: the file that is linked is then the one whose bytes were hashed, and it is
 * opened once. A file is known by where its data are in the tar.
 */
#ifndef OVL_HANDOVER_H
#define OVL_HANDOVER_H

#include <stdatomic.h>
#include <stdint.h>

/* More than the blocks of a stream have of usual files. Further ones are opened again. */
#define HANDOVER_MAX 512

struct handover {
	atomic_uint given;
	atomic_uint taken;
	unsigned most; /* files that it may hold open */
	struct {
		uint64_t at;
		int fd;
	} file[HANDOVER_MAX];
};

void handover_begin(struct handover *h);
/* Closes what nobody has taken; both threads are done with it. */
void handover_end(struct handover *h);

/* Gives fd away, before its data are in the stream. If there is no room it is closed. */
void handover_give(struct handover *h, uint64_t at, int fd);
/* The file whose data are there, now the caller's; -1: it was not given. Those before it are
 * closed. */
int handover_take(struct handover *h, uint64_t at);

#endif
