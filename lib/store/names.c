/* SPDX-License-Identifier: ISC */
/* Names of layers, given and taken away one at a time; see names.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/quote.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/lock.h"
#include "store/names.h"
#include "store/store.h"

/* "../<driver>/<id>" */
static bool parse_target(const char *target, struct layer_ref *ref)
{
	char driver[32];
	const char *slash;

	if (strncmp(target, "../", 3) != 0)
		return false;
	target += 3;
	slash = strchr(target, '/');
	if (!slash || (size_t)(slash - target) >= sizeof(driver) ||
		!id_is_full(slash + 1))
		return false;
	memcpy(driver, target, (size_t)(slash - target));
	driver[slash - target] = '\0';
	ref->drv = driver_find(driver);
	if (!ref->drv)
		return false;
	strcpy(ref->id.s, slash + 1);
	return true;
}

static void format_target(const struct layer_ref *ref, char out[128])
{
	snprintf(out, 128, "../%s/%s", ref->drv->name, ref->id.s);
}

/* The link as it stands, whether its layer is there or not. -EUCLEAN: it is none of ours. */
int names_read_link(int names, const char *file, struct layer_ref *ref)
{
	auto_buf target = {0};

	if (fs_readlink(names, file, 256, &target) < 0) {
		if (errno == ENOENT)
			return 0;
		return errno == EINVAL || errno == EFBIG ? -EUCLEAN : -errno;
	}
	return parse_target(target.data, ref) ? 1 : -EUCLEAN;
}

/* Does the layer in its place know of it? 1, 0, negative errno. */
static int is_noted(struct ovl_store *st, const struct layer_ref *ref, const char *file)
{
	int drv_fd = store_driver_dir(st, ref->drv, NULL);
	char path[ID_LEN + sizeof(NAMES_NOTES) + 256 + 2];
	int r;

	if (drv_fd < 0)
		return drv_fd == -ENOENT ? 0 : drv_fd;
	snprintf(path, sizeof(path), "%s/%s/%s", ref->id.s, NAMES_NOTES, file);
	r = fs_exists(drv_fd, path);
	return r < 0 ? -errno : r;
}

int names_noted(struct ovl_store *st, const struct layer_ref *ref, const char *file)
{
	char note[sizeof(NAMES_NOTES) + 256 + 1];
	struct layer_ref image;
	int r = is_noted(st, ref, file);

	if (r == 0)
		r = becoming_to(st, ref, &image);
	else
		return r;
	snprintf(note, sizeof(note), NAMES_NOTES "/%s", file);
	return r > 0 ? becoming_has(st, &ref->id, note) : r;
}

/* 1: the layer knows of the name, or the image layer that it became, which *ref is then. */
static int follow(struct ovl_store *st, struct layer_ref *ref, const char *file)
{
	char note[sizeof(BECOMING_GIVES) + sizeof(NAMES_NOTES) + 256 + 2];
	struct layer_ref image;
	int r = names_noted(st, ref, file);

	if (r)
		return r;
	r = becoming_to(st, ref, &image);
	if (r <= 0)
		return r;
	/* In this order, as it may be moved just now. */
	snprintf(note, sizeof(note), BECOMING_GIVES "/" NAMES_NOTES "/%s", file);
	r = becoming_has(st, &ref->id, note);
	if (r == 0)
		r = is_noted(st, &image, file);
	if (r > 0)
		*ref = image;
	return r;
}

/* A name that moves may be read where it was, and looked for there when it has gone. */
int names_owner(struct ovl_store *st, int names, const char *file, struct layer_ref *ref,
	struct layer_ref *leads)
{
	struct layer_ref was = {0};
	struct layer_ref link;
	int r;

	while ((r = names_read_link(names, file, &link)) > 0) {
		*ref = link;
		r = follow(st, ref, file);
		if (leads)
			*leads = link;
		if (r)
			return r;
		if (layer_ref_same(&link, &was))
			return 0;
		was = link;
	}
	return r;
}

int names_find(struct ovl_store *st, const char *name, struct layer_ref *ref,
	struct layer_ref *leads, struct ovl_err *err)
{
	char file[256];
	int names;
	int r;

	if (!ovl_name_valid(name) || !name_encode(name, file))
		return 0;
	names = store_dir(st, DIR_NAMES, err);
	if (names < 0)
		return names == -ENOENT ? 0 : names;
	r = names_owner(st, names, file, ref, leads);
	return r < 0 ? err_sys(err, -r, "cannot read name %s", Q(name)) : r;
}

int names_lookup(struct ovl_store *st, const char *name, struct layer_ref *ref,
	struct ovl_err *err)
{
	return names_find(st, name, ref, NULL, err);
}

/* 1 and the first layer of the driver whose id begins so, 0 none, negative errno. */
static int find_id(struct ovl_store *st, const struct driver *drv, const char *prefix,
	const struct layer_ref *self, struct layer_ref *out)
{
	int drv_fd = store_driver_dir(st, drv, NULL);
	auto_fsdir d = {.fd = -1};
	const char *id;
	int r;

	if (drv_fd < 0)
		return drv_fd == -ENOENT ? 0 : drv_fd;
	if (fs_dir_open(&d, drv_fd, ".") < 0)
		return -errno;
	while ((r = fs_dir_next(&d, &id, NULL)) > 0) {
		if (!id_is_full(id) || strncmp(id, prefix, strlen(prefix)) != 0)
			continue;
		out->drv = drv;
		memcpy(out->id.s, id, ID_LEN + 1);
		if (!self || !layer_ref_same(self, out))
			return 1;
	}
	return r < 0 ? -errno : 0;
}

int names_hides_id(struct ovl_store *st, const char *name, const struct layer_ref *self,
	struct layer_ref *hidden, struct ovl_err *err)
{
	int r = 0;

	if (!id_is_prefix(name))
		return 0;
	for (int i = 0; driver_list[i] && r == 0; i++)
		r = find_id(st, driver_list[i], name, self, hidden);
	return r < 0 ? err_sys(err, -r, "cannot look for layer %s", Q(name)) : r;
}

static int refuse_id(struct ovl_store *st, const char *name, const struct layer_ref *self,
	struct ovl_err *err)
{
	struct layer_ref other;
	int r = names_hides_id(st, name, self, &other, err);

	return r > 0 ? err_say(err, EEXIST,
			       "the name %s is the beginning of layer %.12s's id, "
			       "choose another",
			       Q(name), other.id.s) :
		       r;
}

int names_check(struct ovl_store *st, const char *name, const struct layer_ref *self,
	struct ovl_err *err)
{
	struct layer_ref owner;
	char label[OVL_LABEL_SIZE];
	int r;

	if (!ovl_name_valid(name))
		return err_status(err, OVL_USAGE, "%s cannot be a layer's name", Q(name));
	r = names_lookup(st, name, &owner, err);
	if (r == 0)
		return refuse_id(st, name, self, err);
	if (r < 0 || (self && layer_ref_same(self, &owner)))
		return r < 0 ? r : 0;
	snprintf(label, sizeof(label), "%.12s", owner.id.s);
	return err_say(err, EEXIST, "the name %s is layer %s's already", Q(name), label);
}

int names_sync_notes(int layer_fd, struct ovl_err *err)
{
	auto_fd dir = fs_open_dir(layer_fd, NAMES_NOTES);

	if (dir < 0 || fsync(dir) < 0 || fsync(layer_fd) < 0)
		return err_sys(err, errno, "cannot sync the names of a layer");
	return 0;
}

int names_note(int layer_fd, const char *name, const char *config, bool durable,
	struct ovl_err *err)
{
	char file[256];
	auto_fd dir = -1;
	auto_fd fd = -1;

	if (!ovl_name_valid(name) || !name_encode(name, file))
		return err_status(err, OVL_USAGE, "%s cannot be a layer's name", Q(name));
	if (mkdirat(layer_fd, NAMES_NOTES, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "cannot note the name %s", Q(name));
	dir = fs_open_dir(layer_fd, NAMES_NOTES);
	if (dir >= 0)
		fd = openat(dir, file,
			O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0 || (config && fs_pwrite_all(fd, config, ID_LEN, 0) < 0) ||
		(config && durable && fsync(fd) < 0))
		return err_sys(err, errno, "cannot note the name %s", Q(name));
	return 0;
}

/* A name that may be moved: replaced in one step, by a link under a passing name. */
static int replace(int names, const char *target, const char *file)
{
	struct ovl_id id;
	char temp[32];

	if (id_random(&id) < 0)
		return -1;
	snprintf(temp, sizeof(temp), ".%.20s", id.s);
	if (symlinkat(target, names, temp) < 0)
		return -1;
	if (renameat(names, temp, names, file) == 0)
		return 0;
	unlinkat(names, temp, 0);
	return -1;
}

int names_link(struct ovl_store *st, const char *name, const struct layer_ref *ref,
	bool force, struct ovl_err *err)
{
	int names = store_dir(st, DIR_NAMES, err);
	struct layer_ref owner;
	char target[128];
	char file[256];
	int r;

	name_encode(name, file);
	format_target(ref, target);
	if (symlinkat(target, names, file) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(err, errno, "cannot give the name %s", Q(name));
	r = names_read_link(names, file, &owner);
	if (r > 0 && layer_ref_same(&owner, ref))
		return 0;
	if (r > 0 && !force) {
		r = names_check(st, name, ref, err);
		if (r < 0)
			return r;
	}
	if (replace(names, target, file) < 0)
		return err_sys(err, errno, "cannot give the name %s", Q(name));
	return 0;
}

void names_unlink(struct ovl_store *st, const char *name)
{
	char file[256];

	name_encode(name, file);
	unlinkat(store_dir(st, DIR_NAMES, NULL), file, 0);
}

int names_sync(struct ovl_store *st, struct ovl_err *err)
{
	if (fsync(store_dir(st, DIR_NAMES, NULL)) < 0)
		return err_sys(err, errno, "cannot sync the store's names");
	return 0;
}

int names_config(
	int layer_fd, const char *name, char hex[ID_LEN + 1], struct ovl_err *err)
{
	auto_buf text = {0};
	char path[300];
	char file[256];

	if (!ovl_name_valid(name) || !name_encode(name, file))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", NAMES_NOTES, file);
	if (fs_read_file(layer_fd, path, ID_LEN, &text) < 0)
		return fs_is_gone(errno) || errno == EFBIG || errno == EINVAL ?
			0 :
			err_sys(err, errno, "cannot read what is noted of the name %s",
				Q(name));
	if (!id_is_full(text.data))
		return 0;
	memcpy(hex, text.data, ID_LEN + 1);
	return 1;
}

/* Of one in the making, maybe. */
void names_unnote(int layer_fd, const char *file)
{
	auto_fd dir = fs_open_dir(layer_fd, NAMES_NOTES);

	if (dir < 0)
		return;
	unlinkat(dir, file, 0);
	unlinkat(layer_fd, NAMES_NOTES, AT_REMOVEDIR); /* if it was the last */
}

/* The layer's directory, or where the commit that makes it has put its note of the name; leads:
 * see names_find. -1 with errno. */
static int noted_in(struct ovl_store *st, const struct layer_ref *ref,
	const struct layer_ref *leads, const char *file)
{
	int drv_fd = store_driver_dir(st, ref->drv, NULL);
	char path[ID_LEN + sizeof(BECOMING_GIVES) + 1];
	int fd = -1;

	snprintf(path, sizeof(path), "%s/" BECOMING_GIVES, leads->id.s);
	if (!layer_ref_same(ref, leads) && is_noted(st, ref, file) == 0)
		fd = fs_open_dir(store_dir(st, DIR_STAGING, NULL), path);
	if (fd >= 0)
		return fd;
	return drv_fd < 0 ? -1 : fs_open_dir(drv_fd, ref->id.s);
}

/* The note of a name that a layer has no more, or gets anew. */
static void drop_note(struct ovl_store *st, const struct layer_ref *ref,
	const struct layer_ref *leads, const char *file)
{
	auto_fd layer = noted_in(st, ref, leads, file);

	if (layer >= 0)
		names_unnote(layer, file);
}

static int note(const struct layer *l, const char *name, const char *config, bool durable,
	struct ovl_err *err)
{
	int rc = names_note(l->fd, name, config, durable, err);

	return rc == 0 && durable ? names_sync_notes(l->fd, err) : rc;
}

static int lead(const struct layer *l, const char *name, bool force, bool durable,
	struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(l);
	int rc = names_link(l->st, name, &self, force, err);

	return rc == 0 && durable ? names_sync(l->st, err) : rc;
}

/*
 * Under the lock. A name that is nobody's leads to the layer first, and is the layer's when
 * it is noted there: what a kill leaves is a name of nobody. A name that moves is noted
 * first, so that it is always somebody's, and the note in the layer that had it goes last.
 */
static int take_over(const struct layer *l, const char *name, const char *config,
	bool force, bool durable, bool *fresh, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(l);
	struct layer_ref owner;
	struct layer_ref leads;
	char file[256];
	bool had;
	bool mine;
	int rc;

	name_encode(name, file);
	had = names_owner(
		      l->st, store_dir(l->st, DIR_NAMES, NULL), file, &owner, &leads) > 0;
	mine = had && layer_ref_same(&owner, &self);
	rc = mine     ? 0 :
		force ? refuse_id(l->st, name, &self, err) :
			names_check(l->st, name, &self, err);
	if (rc < 0)
		return rc;
	if (!mine)
		drop_note(l->st, &self, &self, file);
	rc = had ? note(l, name, config, durable, err) :
		   lead(l, name, force, durable, err);
	if (rc == 0)
		rc = had ? lead(l, name, force, durable, err) :
			   names_note(l->fd, name, config, durable, err);
	if (rc < 0 && !mine)
		drop_note(l->st, &self, &self, file);
	if (rc < 0 && !had)
		names_unlink(l->st, name);
	*fresh = !had;
	if (rc == 0 && had && !mine)
		drop_note(l->st, &owner, &leads, file);
	return rc;
}

int names_give(const struct layer *l, const char *name, const char *config, bool force,
	bool durable, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(l);
	bool fresh = false;
	int rc;

	if (!ovl_name_valid(name))
		return err_status(err, OVL_USAGE, "%s cannot be a layer's name", Q(name));
	rc = names_lock(l->st, err);
	if (rc < 0)
		return rc;
	rc = take_over(l, name, config, force, durable, &fresh, err);
	names_unlock(l->st);
	if (rc < 0 || !fresh || !durable)
		return rc;
	rc = names_sync_notes(l->fd, err);
	if (rc < 0)
		names_take_from(l->st, name, &self);
	return rc;
}

/* The note goes first: without it the name is nobody's, and what a kill may leave of that is
 * a link that no layer knows of. After an error it is there again. */
static int take_away(struct ovl_store *st, const struct layer_ref *owner,
	const struct layer_ref *leads, const char *name, bool durable,
	struct ovl_err *err)
{
	auto_fd layer = -1;
	auto_fd dir = -1;
	char config[ID_LEN + 1];
	char file[256];
	int has;
	int rc;

	name_encode(name, file);
	layer = noted_in(st, owner, leads, file);
	dir = layer < 0 ? -1 : fs_open_dir(layer, NAMES_NOTES);
	has = dir < 0 ? 0 : names_config(layer, name, config, err);
	if (has < 0)
		return has;
	if (dir < 0 || unlinkat(dir, file, 0) < 0)
		return err_sys(err, errno, "cannot take the name %s away", Q(name));
	if ((durable && fsync(dir) < 0) ||
		unlinkat(store_dir(st, DIR_NAMES, NULL), file, 0) < 0) {
		rc = err_sys(err, errno, "cannot take the name %s away", Q(name));
		names_note(layer, name, has ? config : NULL, false, NULL);
		return rc;
	}
	unlinkat(layer, NAMES_NOTES, AT_REMOVEDIR); /* if it was the last */
	return 0;
}

int names_take(struct ovl_store *st, const char *name, bool durable, struct ovl_err *err)
{
	struct layer_ref owner;
	struct layer_ref leads;
	int r = names_lookup(st, name, &owner, err);
	int rc;

	if (r > 0)
		r = names_lock(st, err);
	else
		return r;
	if (r < 0)
		return r;
	r = names_find(st, name, &owner, &leads, err);
	rc = r > 0 ? take_away(st, &owner, &leads, name, durable, err) : 0;
	names_unlock(st);
	return rc < 0 ? rc : r;
}

void names_take_from(struct ovl_store *st, const char *name, const struct layer_ref *ref)
{
	struct layer_ref owner;
	struct layer_ref leads;

	if (names_lock(st, NULL) < 0)
		return;
	if (names_find(st, name, &owner, &leads, NULL) > 0 && layer_ref_same(&owner, ref))
		take_away(st, &owner, &leads, name, false, NULL);
	names_unlock(st);
}
