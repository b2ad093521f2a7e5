#include <errno.h>

#include "cleanup.h"
#include "driver.h"
#include "mounted.h"
#include "mounts.h"
#include "quote.h"

int mounted_refuse(
	const struct layer *l, const char *what, struct mi_all *seen, struct ovl_err *err)
{
	struct layer_ref ref = layer_ref_of(l);
	int upper = l->meta.kind == OVL_WRITABLE ? mounts_upper_busy(l, err) : 0;
	auto_buf where = {0};
	int rc;

	if (upper < 0 && upper != -EPERM)
		return upper;
	rc = seen->n ? 0 : mounts_everywhere(seen, err);
	if (rc < 0)
		return rc;
	if (mounts_find(l->st, seen, &ref, &where))
		return err_status(
			err, OVL_BUSY, "layer %s is mounted on %s", Q(what), where.data);
	if (upper > 0)
		return err_status(err, OVL_BUSY,
			"layer %s is mounted, in a mount namespace that cannot be seen "
			"from here or detached and still in use",
			Q(what));
	rc = mounts_below(l, seen, &where);
	if (rc > 0)
		return err_status(err, OVL_BUSY,
			"something is mounted in the directory of layer %s, on %s",
			Q(what), where.data);
	return rc < 0 ? err_nomem(err) : 0;
}
