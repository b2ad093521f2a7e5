#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "fs.h"
#include "id.h"
#include "lock.h"
#include "names.h"
#include "quote.h"
#include "store.h"

static const char hints[] = ".names";

/* "../<driver>/<id>" */
static bool parse_target(const char *target, struct layer_ref *ref)
{
	char driver[32];
	const char *slash;
	int i;

	if (strncmp(target, "../", 3) != 0)
		return false;
	target += 3;
	slash = strchr(target, '/');
	if (!slash || (size_t)(slash - target) >= sizeof(driver) ||
		!id_is_full(slash + 1))
		return false;
	memcpy(driver, target, (size_t)(slash - target));
	driver[slash - target] = '\0';
	i = driver_index(driver);
	if (i < 0)
		return false;
	ref->drv = (unsigned)i;
	strcpy(ref->id.s, slash + 1);
	return true;
}

static void format_target(const struct layer_ref *ref, char out[128])
{
	snprintf(out, 128, "../%s/%s", driver_list[ref->drv]->name, ref->id.s);
}

static struct layer_ref ref_of(const struct layer *l)
{
	struct layer_ref ref = {.drv = (unsigned)driver_index(l->drv->name), .id = l->id};

	return ref;
}

static bool same(const struct layer_ref *a, const struct layer_ref *b)
{
	return a->drv == b->drv && strcmp(a->id.s, b->id.s) == 0;
}

/* The link as it stands, whether its layer is there or not. */
static int read_link(int names, const char *file, struct layer_ref *ref)
{
	auto_buf target = {0};

	if (fs_readlink(names, file, 256, &target) < 0)
		return errno == ENOENT ? 0 : -errno;
	return parse_target(target.data, ref) ? 1 : -EUCLEAN;
}

int names_lookup(struct ovl_store *st, const char *name, struct layer_ref *ref,
	struct ovl_err *err)
{
	char file[256];
	int names;
	int r;

	if (!ovl_name_valid(name) || !name_encode(name, file))
		return 0;
	names = store_dir(st, DIR_NAMES, err);
	if (names < 0)
		return names == -ENOENT ? 0 : names;
	r = read_link(names, file, ref);
	if (r < 0)
		return err_sys(err, -r, "cannot read name %s", Q(name));
	return r ? layer_exists(st, ref) : 0;
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
	if (r <= 0 || (self && same(self, &owner)))
		return r < 0 ? r : 0;
	snprintf(label, sizeof(label), "%.12s", owner.id.s);
	return err_say(err, EEXIST, "the name %s is layer %s's already", Q(name), label);
}

static int sync_notes(int layer_fd, struct ovl_err *err)
{
	auto_fd dir = fs_open_dir(layer_fd, hints);

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
	if (mkdirat(layer_fd, hints, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "cannot note the name %s", Q(name));
	dir = fs_open_dir(layer_fd, hints);
	if (dir >= 0)
		fd = openat(dir, file, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
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

int names_lock(struct ovl_store *st, struct ovl_err *err)
{
	int names = store_dir_make(st, DIR_NAMES, err);

	return names < 0 ? names :
			   lock_take(st, names, LOCK_EX, "the store's names", err);
}

void names_unlock(struct ovl_store *st)
{
	flock(store_dir(st, DIR_NAMES, NULL), LOCK_UN);
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
	r = read_link(names, file, &owner);
	if (r > 0 && same(&owner, ref))
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

bool names_config(const struct layer *l, const char *name, char hex[ID_LEN + 1])
{
	auto_buf text = {0};
	char path[300];
	char file[256];

	if (!ovl_name_valid(name) || !name_encode(name, file))
		return false;
	snprintf(path, sizeof(path), "%s/%s", hints, file);
	if (fs_read_file(l->fd, path, ID_LEN, &text) < 0 || !id_is_full(text.data))
		return false;
	memcpy(hex, text.data, ID_LEN + 1);
	return true;
}

/* The note of a name that a layer has no more, or gets anew. */
static void drop_note(struct ovl_store *st, const struct layer_ref *ref, const char *file)
{
	int drv_fd = store_driver_dir(st, ref->drv, NULL);
	auto_fd layer = drv_fd < 0 ? -1 : fs_open_dir(drv_fd, ref->id.s);
	auto_fd dir = layer < 0 ? -1 : fs_open_dir(layer, hints);

	if (dir >= 0)
		unlinkat(dir, file, 0);
}

/* Under the lock: first the note, then the name, and the end of the note in the layer that
 * had it. */
static int take_over(const struct layer *l, const char *name, const char *config,
	bool force, bool durable, struct ovl_err *err)
{
	struct layer_ref self = ref_of(l);
	struct layer_ref owner;
	char file[256];
	bool had;
	bool mine;
	int rc;

	name_encode(name, file);
	had = read_link(store_dir(l->st, DIR_NAMES, NULL), file, &owner) > 0;
	mine = had && same(&owner, &self);
	if (!mine && !force && (rc = names_check(l->st, name, &self, err)) < 0)
		return rc;
	if (!mine)
		drop_note(l->st, &self, file);
	rc = names_note(l->fd, name, config, durable, err);
	if (rc == 0 && durable)
		rc = sync_notes(l->fd, err);
	if (rc == 0)
		rc = names_link(l->st, name, &self, force, err);
	if (rc == 0 && durable)
		rc = names_sync(l->st, err);
	if (rc == 0 && had && !mine)
		drop_note(l->st, &owner, file);
	return rc;
}

int names_give(const struct layer *l, const char *name, const char *config, bool force,
	bool durable, struct ovl_err *err)
{
	int rc;

	if (!ovl_name_valid(name))
		return err_status(err, OVL_USAGE, "%s cannot be a layer's name", Q(name));
	rc = names_lock(l->st, err);
	if (rc < 0)
		return rc;
	rc = take_over(l, name, config, force, durable, err);
	names_unlock(l->st);
	return rc;
}

int names_take(struct ovl_store *st, const char *name, bool durable, struct ovl_err *err)
{
	struct layer_ref owner;
	char file[256];
	int names = store_dir(st, DIR_NAMES, err);
	int r = names_lookup(st, name, &owner, err);

	if (r <= 0)
		return r;
	r = names_lock(st, err);
	if (r < 0)
		return r;
	r = names_lookup(st, name, &owner, err);
	name_encode(name, file);
	if (r > 0 && unlinkat(names, file, 0) < 0)
		r = err_sys(err, errno, "cannot take the name %s away", Q(name));
	if (r > 0 && durable && names_sync(st, err) < 0)
		r = -EIO;
	if (r > 0)
		drop_note(st, &owner, file);
	names_unlock(st);
	return r;
}

/* Calls fn for each noted name that really is the layer's. */
static int each_of(struct ovl_store *st, int layer_fd, const struct layer_ref *self,
	int (*fn)(void *ctx, int names, const char *file), void *ctx, struct ovl_err *err)
{
	auto_fsdir d = {.fd = -1};
	int names = store_dir(st, DIR_NAMES, err);
	const char *file;
	int r;

	if (names < 0)
		return names == -ENOENT ? 0 : names;
	if (fs_dir_open(&d, layer_fd, hints) < 0)
		return errno == ENOENT ? 0 : -errno;
	while ((r = fs_dir_next(&d, &file, NULL)) > 0) {
		struct layer_ref owner;

		if (read_link(names, file, &owner) <= 0 || !same(&owner, self))
			continue;
		r = fn(ctx, names, file);
		if (r)
			return r;
	}
	return r < 0 ? -errno : 0;
}

/* ---- to another layer ------------------------------------------------------------- */

struct move {
	const struct layer *from;
	int to_fd;
	bool durable;
	struct ovl_err *err;
};

static int copy_note(void *ctx, int names, const char *file)
{
	struct move *mv = ctx;
	char name[NAME_LEN_MAX + 1];
	char config[ID_LEN + 1];

	(void)names;
	if (!name_decode(file, name))
		return 0;
	return names_note(mv->to_fd, name,
		names_config(mv->from, name, config) ? config : NULL, mv->durable,
		mv->err);
}

int names_copy_notes(
	const struct layer *from, int to_fd, bool durable, struct ovl_err *err)
{
	struct move mv = {.from = from, .to_fd = to_fd, .durable = durable, .err = err};
	struct layer_ref self = ref_of(from);

	return each_of(from->st, from->fd, &self, copy_note, &mv, err);
}

struct relink {
	const struct layer *to;
	struct ovl_err *err;
};

static int relink(void *ctx, int names, const char *file)
{
	const struct relink *r = ctx;
	struct layer_ref to = ref_of(r->to);
	char name[NAME_LEN_MAX + 1];

	(void)names;
	return name_decode(file, name) ? names_link(r->to->st, name, &to, true, r->err) :
					 0;
}

int names_move(const struct layer *from, const struct layer *to, bool durable,
	struct ovl_err *err)
{
	struct layer_ref self = ref_of(from);
	struct relink r = {to, err};
	struct stat noted;
	int rc;

	if (fstatat(from->fd, hints, &noted, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	rc = names_lock(from->st, err);
	if (rc < 0)
		return rc;
	rc = names_copy_notes(from, to->fd, durable, err);
	if (rc == 0 && durable && faccessat(to->fd, hints, F_OK, 0) == 0)
		rc = sync_notes(to->fd, err);
	if (rc == 0)
		rc = each_of(from->st, from->fd, &self, relink, &r, err);
	if (rc == 0 && durable)
		rc = names_sync(from->st, err);
	names_unlock(from->st);
	return rc;
}

static int drop(void *ctx, int names, const char *file)
{
	(void)ctx;
	return unlinkat(names, file, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int names_drop_all(const struct layer *l, struct ovl_err *err)
{
	struct layer_ref self = ref_of(l);
	struct stat noted;
	int rc;

	if (fstatat(l->fd, hints, &noted, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	rc = names_lock(l->st, err);
	if (rc < 0)
		return rc;
	rc = each_of(l->st, l->fd, &self, drop, NULL, err);
	names_unlock(l->st);
	if (rc < 0)
		return err_sys(
			err, -rc, "cannot take the names of layer %.12s away", l->id.s);
	return 0;
}

static int least(void *ctx, int names, const char *file)
{
	char name[NAME_LEN_MAX + 1];
	char *best = ctx;

	(void)names;
	if (name_decode(file, name) && (!*best || strcmp(name, best) < 0))
		strcpy(best, name);
	return 0;
}

int names_first(
	struct ovl_store *st, const struct layer_ref *ref, char out[NAME_LEN_MAX + 1])
{
	int drv_fd = store_driver_dir(st, ref->drv, NULL);
	auto_fd fd = drv_fd < 0 ? -1 : fs_open_dir(drv_fd, ref->id.s);

	out[0] = '\0';
	if (fd < 0 || each_of(st, fd, ref, least, out, NULL) < 0)
		return 0;
	return out[0] != '\0';
}

int names_notes_open(int drv_fd, const char *id, struct fs_dir *d)
{
	char path[ID_LEN + sizeof(hints) + 1];

	snprintf(path, sizeof(path), "%s/%s", id, hints);
	return fs_dir_open(d, drv_fd, path) == 0;
}

bool names_noted(const struct layer *l, const char *name)
{
	char path[300];
	char file[256];

	if (!name_encode(name, file))
		return false;
	snprintf(path, sizeof(path), "%s/%s", hints, file);
	return faccessat(l->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

enum name_state names_state(
	struct ovl_store *st, const char *file, char out[NAME_LEN_MAX + 1])
{
	struct layer_ref ref;

	if (*file == '.')
		return NAME_PASSING;
	if (!name_decode(file, out) ||
		read_link(store_dir(st, DIR_NAMES, NULL), file, &ref) <= 0)
		return NAME_BAD;
	return layer_exists(st, &ref) ? NAME_GOOD : NAME_DANGLING;
}

int names_each(struct ovl_store *st,
	int (*fn)(void *ctx, const char *name, const struct layer_ref *ref), void *ctx,
	struct ovl_err *err)
{
	auto_fsdir d = {.fd = -1};
	int names = store_dir(st, DIR_NAMES, err);
	const char *file;
	int r;

	if (names < 0)
		return names == -ENOENT ? 0 : names;
	if (fs_dir_open(&d, names, ".") < 0)
		return err_sys(err, errno, "cannot read the store's names");
	while ((r = fs_dir_next(&d, &file, NULL)) > 0) {
		char name[NAME_LEN_MAX + 1];
		struct layer_ref ref;

		if (!name_decode(file, name) || read_link(names, file, &ref) <= 0)
			continue;
		r = fn(ctx, name, &ref);
		if (r < 0)
			return r;
	}
	return r < 0 ? err_sys(err, errno, "cannot read the store's names") : 0;
}
