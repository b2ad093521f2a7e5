/* SPDX-License-Identifier: ISC */
/* Checks for the privilege that the store's kind of overlayfs xattrs needs. */
#include <errno.h>
#include <sys/xattr.h>

#include "base/idmap.h"
#include "base/quote.h"
#include "store/privilege.h"
#include "store/store.h"

/*
 * Only the kernel knows, so it is asked. Replacing an attribute that does not exist
 * changes nothing: ENODATA means that it would have been allowed.
 */
int privilege_trusted_xattrs(int fd)
{
	if (fsetxattr(fd, "trusted.ovlctl", "", 0, XATTR_REPLACE) == 0 ||
		errno == ENODATA || errno == EOPNOTSUPP)
		return 1;
	return errno == EPERM ? 0 : -1;
}

int privilege_check(struct ovl_store *st, struct ovl_err *err)
{
	int may;

	if (st->xattrs.user || st->fd < 0 || st->privileged)
		return 0;
	may = privilege_trusted_xattrs(st->fd);
	if (may < 0)
		may = !idmap_unprivileged(); /* a read-only file system */
	if (may) {
		st->privileged = true;
		return 0;
	}
	return err_say(err, EPERM,
		"not permitted: store %s was made by root with trusted.* attributes, which "
		"need root (CAP_SYS_ADMIN) outside of user namespaces",
		Q(st->root));
}
