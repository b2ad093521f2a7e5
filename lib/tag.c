#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

#include "layer.h"
#include "names.h"
#include "ovl.h"
#include "quote.h"
#include "store.h"

int ovl_tag(struct ovl_store *st, const char *layer, const char *name, bool force,
	struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	struct layer_ref self;
	char config[ID_LEN + 1];
	int rc = 0;

	if (!ovl_name_valid(name))
		return err_status(err, OVL_USAGE, "%s cannot be a layer's name", Q(name));
	rc = layer_open(st, layer, LOCK_SH, &l, err);
	if (rc < 0)
		return rc;
	self = layer_ref_of(&l);
	if (!force)
		rc = names_check(st, name, &self, err);
	/* Nobody has synced one that was just created. */
	if (rc == 0 && l.meta.kind == OVL_WRITABLE)
		rc = store_sync(st, l.fd, err);
	if (rc < 0)
		return rc;
	rc = names_config(&l, layer, config, err);
	if (rc < 0)
		return rc;
	return names_give(&l, name, rc ? config : NULL, force, store_durable(st), err);
}

int ovl_untag(struct ovl_store *st, const char *name, struct ovl_err *err)
{
	int r = names_take(st, name, store_durable(st), err);

	if (r == 0)
		return err_status(err, OVL_NOLAYER, "no such name %s", Q(name));
	return r < 0 ? r : 0;
}
