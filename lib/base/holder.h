/*
 * Who keeps something busy: a lock, as /proc/locks (proc_locks(5)) and, when the process
 * that took it has ended and left the descriptor to a child, /proc/PID/fdinfo tell of
 * flock(2); or a mount, as the links in /proc/PID show. For messages and plans: a process
 * in a pid namespace that cannot be seen from here is not found.
 */
#ifndef OVL_HOLDER_H
#define OVL_HOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HOLDER_SIZE 96

/* A process other than this one that has the file of fd locked (exclusive: for itself
 * alone): true and its id, with its name in brackets. held: somebody has, so that all
 * processes are to be looked at. */
bool holder_of(int fd, bool exclusive, bool held, char out[HOLDER_SIZE]);

/* The same of one that has a file or directory of the file system with that device
 * number, or of the mount with that id (0: of any), open or as its working or root
 * directory. */
bool holder_of_mount(dev_t dev, uint64_t mnt_id, char out[HOLDER_SIZE]);

#endif
