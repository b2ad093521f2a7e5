/*
 * Does an overlay's superblock still live?
 *
 * It lives as long as anything holds it: a mount in any mount namespace, an open file after
 * a lazy unmount, a bind mount of a part, an overlay on top. Two things tell.
 *
 * Its device number: ustat(2) looks at all superblocks and needs no privilege. Some
 * container runtimes refuse it, and new architectures do not have it; there the order in
 * which the kernel gives numbers tells. That of one that has ended is given to the next at
 * once, so a live number may be another's.
 *
 * Its key: an overlay keeps the credentials of who mounted it, with which it reads its
 * layers, and they keep the keyrings of that thread (keyrings(7)). So whoever makes an
 * empty keyring, mounts and ends leaves the keyring to the overlay alone. Its serial number
 * is random, the same in all namespaces, and everybody may ask whether it is there. It goes
 * a moment after the superblock, some milliseconds, and not before the process that mounted
 * has ended.
 */
#ifndef OVL_SUPERBLOCK_H
#define OVL_SUPERBLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum superblock { SB_DEAD, SB_LIVE, SB_UNKNOWN };

/* The key that superblocks get which this thread makes from now on; 0: none. of_user: by
 * an ordinary user, which is none if his quota is low. */
int superblock_key(bool of_user);

/* Of the one with that number and key; 0: not known. */
enum superblock superblock_of(dev_t dev, int key);

/* The same, without trying which numbers the kernel gives. */
enum superblock superblock_known(dev_t dev, int key);

/* A file system in memory that nobody else sees, of at most size bytes (0: as the kernel
 * chooses); its root, -1 with errno. */
int superblock_private(uint64_t size);

#endif
