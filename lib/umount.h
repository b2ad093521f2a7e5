/* Unmounts by path, of any length. */
#ifndef OVL_UMOUNT_H
#define OVL_UMOUNT_H

/* Detaches what is mounted there; does not follow symlinks. 0, negative errno. */
int umount_detach(const char *where);

#endif
