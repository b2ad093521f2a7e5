/* SPDX-License-Identifier: ISC */
/* ovl_tag and ovl_untag: give and remove names. */
#include <stdio.h>
#include <sys/file.h>

#include "base/fs.h"
#include "base/quote.h"
#include "base/text.h"
#include "ovl.h"
#include "stage/grants.h"
#include "store/becoming.h"
#include "store/config.h"
#include "store/layer.h"
#include "store/names.h"
#include "store/store.h"

/* Chooses the config for the new name: 1 and its digest; 0 if there is none, or the name
 * keeps its own. */
static int choose_config(const struct layer *l, const char *layer, const char *name,
	char hex[ID_LEN + 1], struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(l);
	struct layer_ref owner;
	char had[ID_LEN + 1];
	int rc = config_choose(l, layer, hex, err);

	if (rc < 2)
		return rc;
	if (names_lookup(l->st, name, &owner, NULL) > 0 &&
		layer_ref_same(&owner, &self) && names_config(l->fd, name, had, NULL) > 0)
		return 0;
	store_warn(l->st,
		"layer %.12s is the top of several images: %s gets the latest config, "
		"sha256:%s",
		l->id.s, Q(name), hex);
	return 1;
}

/* If the layer that is to lose the name is being put back by a killed commit, finishes
 * that. */
static void finish_owner(struct ovl_store *st, const char *name)
{
	auto_layer l = LAYER_INIT;
	struct layer_ref owner;
	struct layer_ref image;
	struct ovl_err why;

	if (names_lookup(st, name, &owner, NULL) > 0 &&
		becoming_find(st, &owner, &image) > 0)
		(void)layer_open_ref(st, &owner, LOCK_SH, name, &l, &why);
}

int ovl_tag(struct ovl_store *st, const char *layer, const char *name, bool force,
	struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	struct layer_ref self;
	char config[ID_LEN + 1];
	int rc = name_check(name, NULL, err);

	if (rc == 0)
		rc = config_open_layer(st, layer, &l, err);
	if (rc < 0)
		return rc;
	self = layer_ref_of(&l);
	if (!force)
		rc = names_check(st, name, &self, false, err);
	if (rc < 0)
		return rc;
	if (force)
		finish_owner(st, name);
	rc = choose_config(&l, layer, name, config, err);
	if (rc < 0)
		return rc;
	return grants_give_name(&l, name, rc ? config : NULL, force, err);
}

int ovl_untag(struct ovl_store *st, const char *name, struct ovl_err *err)
{
	int r;

	finish_owner(st, name);
	r = names_take(st, name, NULL, store_durable(st), err);
	if (r == 0)
		return err_status(err, OVL_NOLAYER, "no such name %s", Q(name));
	return r < 0 ? r : 0;
}

bool ovl_name_near(struct ovl_store *st, const char *word,
	const char *(*choose)(const char *word, const char *const *names), char near[256])
{
	auto_fsdir d = fs_dir_at(store_dir(st, DIR_NAMES, NULL), ".");
	char name[NAME_LEN_MAX + 1];
	const char *found = NULL;
	char **names = NULL;
	struct layer_ref ref;
	const char *file;
	int left = 1000;
	int r;

	while ((r = fs_dir_next(&d, &file, NULL)) > 0 && left-- > 0) {
		if (name_decode(file, name) && texts_add(&names, name) < 0)
			break;
	}
	if (r == 0 && names)
		found = choose(word, (const char *const *)names);
	/* The link may be one that a killed process has left. */
	if (found && names_lookup(st, found, &ref, NULL) > 0 && store_covers(st, ref.drv))
		snprintf(near, 256, "%s", found);
	else
		found = NULL;
	texts_free(names);
	return found != NULL;
}
