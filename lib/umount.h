/* Unmounting by path, however long that is. */
#ifndef OVL_UMOUNT_H
#define OVL_UMOUNT_H

/* What is mounted there, symlinks not followed: 0, negative errno. */
int umount_where(const char *where);

#endif
