/*
 * Finds the process that holds a flock(2), in /proc/locks (proc_locks(5)), or keeps a
 * mount busy, from the links in /proc/PID. Only for messages: processes in other pid
 * namespaces are not found, nor is a process that has ended and left the descriptor to a
 * child.
 */
#ifndef OVL_HOLDER_H
#define OVL_HOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HOLDER_SIZE 96

/* Finds another process that has locked the file of fd (exclusive: with an exclusive
 * lock). out: its id, and its name in brackets. */
bool holder_of(int fd, bool exclusive, bool held, char out[HOLDER_SIZE]);

/* Finds a process with an open or mapped file, its working directory or root directory on
 * the file system with that device number, or in the mount with that id (0: any mount);
 * or a loop device with a file below its mount point (NULL: it has none). out: "process
 * ID (NAME)" or the device. */
bool holder_of_mount(
	dev_t dev, uint64_t mnt_id, const char *where, char out[HOLDER_SIZE]);

#endif
