/*
 * Has the kernel a superblock with that device number?
 *
 * A file system lives as long as anything holds it: a mount in any mount namespace, an
 * open file after a lazy unmount, a bind mount of a part, an overlay on top. ustat(2) looks
 * at all of them and needs no privilege. Some container runtimes refuse it, and new
 * architectures do not have it; there the order in which the kernel gives numbers tells.
 *
 * The number of one that has ended is given to the next at once, so a live number may be
 * another file system's.
 */
#ifndef OVL_SUPERBLOCK_H
#define OVL_SUPERBLOCK_H

#include <sys/types.h>

enum superblock { SB_DEAD, SB_LIVE, SB_UNKNOWN };

/*
 * Of an overlay whose root lies on the file system of fd: what reports other numbers of
 * free blocks and files than that is not it, and counts as dead.
 */
enum superblock superblock_of(dev_t dev, int fd);

/* A file system in memory that nobody else sees; its root, -1 with errno. */
int superblock_private(void);

#endif
