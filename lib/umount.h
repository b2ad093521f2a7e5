/* By path, however long that is. */
#ifndef OVL_UMOUNT_H
#define OVL_UMOUNT_H

/* Detaches what is mounted there, symlinks not followed: 0, negative errno. */
int umount_detach(const char *where);

#endif
