/*
 * The mounts of other mount namespaces.
 *
 * Since Linux 6.12 the kernel lists namespaces, those without a process too
 * (NS_MNT_GET_NEXT, see ioctl_nsfs(2)), to whoever has CAP_SYS_ADMIN over them and may
 * enter them. Otherwise those are seen that visible processes are in.
 */
#ifndef OVL_NAMESPACES_H
#define OVL_NAMESPACES_H

#include "mount/mountinfo.h"

/*
 * Calls fn in a child that is root of a user namespace and mount namespace of its own, as
 * whoever may make such. Its result, 0 to 254; -errno when there is no such child.
 */
int namespaces_own(int (*fn)(void *ctx), void *ctx);

/* Adds them to all, which holds this process's own: 0, negative errno. */
int namespaces_read(struct mi_all *all);

/* Adds to out whose the table is: nothing of this process's own, else " in the mount
 * namespace of process PID", or of none. */
void namespaces_say(const struct mi_table *t, struct buf *out);

#endif
