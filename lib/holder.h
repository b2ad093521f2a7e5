/*
 * Who holds a lock: what /proc/locks (proc_locks(5)) tells of flock(2). For messages and
 * plans: a process in another pid namespace, or one that ended and left the descriptor to
 * a child, is not seen.
 */
#ifndef OVL_HOLDER_H
#define OVL_HOLDER_H

#include <stdbool.h>

#define HOLDER_SIZE 96

/* A process other than this one that has the file of fd locked: true and its id, with
 * its name in brackets while it runs, else false. */
bool holder_of(int fd, char out[HOLDER_SIZE]);

#endif
