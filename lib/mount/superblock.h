/*
 * Finds out whether an overlay's superblock still exists.
 *
 * It exists as long as anything refers to it: a mount in any mount namespace, an open
 * file after a lazy unmount, a bind mount of a part, an overlay on top. There are two
 * tests.
 *
 * The device number: ustat(2) finds the superblock with a number, without privileges.
 * Where container runtimes refuse it or the architecture does not have it, the order in
 * which the kernel assigns numbers shows whether one is free. A free number is assigned
 * again at once, so a number in use may belong to another superblock.
 *
 * The key: an overlay keeps the credentials of the process that mounted it, to read its
 * layers, and these keep the keyrings of that thread (keyrings(7)). An empty keyring that
 * is made before the mount therefore belongs only to the overlay once the process has
 * ended. Its serial number is random and the same in all namespaces, and any process may
 * ask whether it exists. It disappears some milliseconds after the superblock, and not
 * before the process has ended.
 */
#ifndef OVL_SUPERBLOCK_H
#define OVL_SUPERBLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum superblock { SB_DEAD, SB_LIVE, SB_UNKNOWN };

/* The key for superblocks that this thread makes from now on; 0: none. of_user: for an
 * ordinary user, who gets none if the quota is low. */
int superblock_key(bool of_user);

/* The state of the superblock with that number and key; key 0: unknown. */
enum superblock superblock_of(dev_t dev, int key);

/* The same, without finding out in which order the kernel gives numbers. */
enum superblock superblock_known(dev_t dev, int key);

/* The root of a new file system in memory that is not mounted anywhere, of at most size
 * bytes (0: the kernel's default); -1 with errno. */
int superblock_private(uint64_t size);

#endif
