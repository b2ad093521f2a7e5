/* SPDX-License-Identifier: ISC */
/* Options of a mount: those given, those the store adds, as one text. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "base/vec.h"
#include "mount/mountspec.h"
#include "store/lowers.h"
#include "store/ondir.h"
#include "store/redirects.h"
#include "store/store.h"

/* mount(8), "Filesystem-independent mount options"; the second flag is cleared. */
static const struct {
	const char *name;
	unsigned long set;
	unsigned long clear;
} generic[] = {
	{"ro", MS_RDONLY, 0},
	{"rw", 0, MS_RDONLY},
	{"nosuid", MS_NOSUID, 0},
	{"suid", 0, MS_NOSUID},
	{"nodev", MS_NODEV, 0},
	{"dev", 0, MS_NODEV},
	{"noexec", MS_NOEXEC, 0},
	{"exec", 0, MS_NOEXEC},
	{"noatime", MS_NOATIME, MS_RELATIME | MS_STRICTATIME},
	{"atime", 0, MS_NOATIME},
	{"relatime", MS_RELATIME, MS_NOATIME | MS_STRICTATIME},
	{"norelatime", 0, MS_RELATIME},
	{"strictatime", MS_STRICTATIME, MS_NOATIME | MS_RELATIME},
	{"nostrictatime", 0, MS_STRICTATIME},
	{"nodiratime", MS_NODIRATIME, 0},
	{"diratime", 0, MS_NODIRATIME},
	{"lazytime", MS_LAZYTIME, 0},
	{"nolazytime", 0, MS_LAZYTIME},
	{"sync", MS_SYNCHRONOUS, 0},
	{"async", 0, MS_SYNCHRONOUS},
	{"dirsync", MS_DIRSYNC, 0},
	{"mand", MS_MANDLOCK, 0},
	{"nomand", 0, MS_MANDLOCK},
	{"iversion", MS_I_VERSION, 0},
	{"noiversion", 0, MS_I_VERSION},
	{"silent", MS_SILENT, 0},
	{"loud", 0, MS_SILENT},
	{"nosymfollow", 256 /* MS_NOSYMFOLLOW, Linux 5.10 */, 0},
	{"symfollow", 0, 256},
	{"defaults", 0, 0},
};

/* These are set by the layer itself, or not allowed for a new mount. */
static const char *const refused[] = {"lowerdir", "lowerdir+", "datadir+", "upperdir",
	"workdir", "remount", "bind", "rbind", "move", NULL};

void mountspec_release(struct mountspec *s)
{
	buf_release(&s->data);
	buf_release(&s->extra);
	stack_release(&s->lowers);
	for (unsigned i = 0; i < s->n_fd; i++)
		close(s->fd[i]);
	free(s->fd);
}

static bool named(const char *option, const char *name)
{
	size_t n = strcspn(option, "=");

	return strlen(name) == n && strncmp(option, name, n) == 0;
}

static bool take_generic(struct mountspec *s, const char *option)
{
	for (size_t i = 0; i < sizeof(generic) / sizeof(generic[0]); i++) {
		if (strcmp(option, generic[i].name) == 0) {
			s->flags &= ~generic[i].clear;
			s->flags |= generic[i].set;
			return true;
		}
	}
	return false;
}

static int take_option(struct mountspec *s, const struct layer *l, const char *option,
	struct ovl_err *err)
{
	if (!*option)
		return 0;
	if (strcmp(option, "rw") == 0 && l->meta.kind == OVL_IMAGE)
		return err_status(err, OVL_USAGE,
			"option 'rw': an image layer can only be mounted read-only");
	if (take_generic(s, option))
		return 0;
	for (int i = 0; refused[i]; i++) {
		if (named(option, refused[i]))
			return err_status(
				err, OVL_USAGE, "option %s cannot be given", Q(option));
	}
	if (strcmp(option, "userxattr") == 0) {
		if (l->st->xattrs.user)
			return 0; /* it is set anyway */
		return err_status(err, OVL_USAGE,
			"option 'userxattr': this store's layers are for trusted xattrs");
	}
	buf_addf(&s->extra, ",%s", option);
	return 0;
}

static int take_options(struct mountspec *s, const struct layer *l, const char *options,
	struct ovl_err *err)
{
	auto_free char *copy = strdup(options);
	char *rest = copy;
	char *option;
	int rc = copy ? 0 : err_nomem(err);

	while (rc == 0 && (option = strsep(&rest, ",")))
		rc = take_option(s, l, option, err);
	return rc;
}

/* The user's value of an option, the last one if it is given several times; NULL: not
 * given. */
static const char *given(const struct mountspec *s, const char *name)
{
	const char *found = NULL;
	size_t n = strlen(name);

	for (const char *at = s->extra.data; at && *at; at = strchr(at + 1, ',')) {
		if (strncmp(at + 1, name, n) == 0 && strchr("=,", at[1 + n]))
			found = at[1 + n] == '=' ? at + 2 + n : "";
	}
	return found;
}

static bool is_on(const char *value)
{
	return value && strcspn(value, ",") == 2 && strncmp(value, "on", 2) == 0;
}

bool mountspec_has(const struct mountspec *s, const char *option)
{
	size_t n = strlen(option);

	for (const char *at = s->data.data; at && *at; at = strchr(at + 1, ',')) {
		if (*at == ',' && strncmp(at + 1, option, n) == 0 &&
			(at[1 + n] == ',' || !at[1 + n]))
			return true;
	}
	return false;
}

/* Adds the driver's directory as the beginning of a name. */
static void add_driver(struct mountspec *s, const struct layer *l)
{
	if (s->by_fd)
		buf_addf(&s->data, "%d/%s/", l->st->fd, l->drv->name);
}

static int add_fd(struct mountspec *s, int fd, struct ovl_err *err)
{
	if (!VEC_ROOM(s->fd, s->n_fd)) {
		close(fd);
		return err_nomem(err);
	}
	s->fd[s->n_fd++] = fd;
	buf_addf(&s->data, "%d", fd);
	return 0;
}

/* Adds a name of the layer in the driver's directory. */
static void add_own(struct mountspec *s, const struct layer *l, const char *name)
{
	add_driver(s, l);
	buf_addf(&s->data, "%s%s/%s", l->staged ? MOUNT_STAGED : "", l->id.s, name);
}

static int add_lower(struct mountspec *s, const struct layer *l, const char *name,
	bool nearest, struct ovl_err *err)
{
	int fd;

	if (!s->by_fd) {
		buf_adds(&s->data, name);
		return 0;
	}
	fd = lowers_open(l, name, nearest, err);
	return fd < 0 ? fd : add_fd(s, fd, err);
}

/* Adds the layer's own tree as a lower. */
static int add_self(struct mountspec *s, const struct layer *l, struct ovl_err *err)
{
	auto_buf name = {0};
	int rc = driver_as_lower(l, &name, err);

	if (rc < 0 || l->foreign)
		return rc < 0 ? rc : add_lower(s, l, name.data, false, err);
	add_driver(s, l);
	buf_adds(&s->data, name.data);
	return 0;
}

/* Adds the directory of the host that the layer is on. */
static int add_dir(struct mountspec *s, const struct layer *l, struct ovl_err *err)
{
	auto_ondir on = ONDIR_INIT;
	int rc = ondir_open(l, &on, err);

	if (rc < 0)
		return rc;
	/* Directories that were renamed may still be in the temporary directory. */
	if (fs_exists(on.fd, P(ONDIR_TEMP "%s", l->meta.link)) > 0)
		return err_status(err, OVL_BUSY,
			"only some changes of layer %.12s are in %s: an apply was "
			"interrupted; run it again",
			l->id.s, Q(on.path.data));
	return add_fd(s, steal_fd(&on.fd), err);
}

/* Adds the lowers; for a read-only mount, the layer itself first. At least one, or two
 * without an upper. */
static int add_lowers(struct mountspec *s, const struct layer *l, struct ovl_err *err)
{
	unsigned n = 0;
	int rc = driver_lowers(l, &s->lowers, err);

	if (rc < 0)
		return rc;
	s->by_fd = l->foreign || l->meta.on_dir ||
		s->lowers.n + !s->with_upper > MOUNT_NAMED_MAX;
	buf_adds(&s->data, "lowerdir=");
	if (!s->with_upper) {
		rc = add_self(s, l, err);
		n++;
	}
	for (unsigned i = 0; rc == 0 && i < s->lowers.n; i++) {
		buf_adds(&s->data, n++ ? ":" : "");
		rc = add_lower(s, l, s->lowers.name[i], i == 0, err);
	}
	if (rc == 0 && l->meta.on_dir) {
		rc = add_dir(s, l, err);
		n++;
	}
	if (rc == 0 && l->floor) {
		buf_adds(&s->data, n++ ? ":" : "");
		add_driver(s, l);
		buf_adds(&s->data, l->floor);
	}
	for (; n < (s->with_upper ? 1 : 2) && rc == 0; n++) {
		buf_adds(&s->data, n ? ":" : "");
		if (l->foreign)
			rc = add_fd(s, fcntl(l->empty, F_DUPFD_CLOEXEC, 0), err);
		else
			buf_adds(&s->data, MOUNT_EMPTY);
	}
	return rc;
}

/*
 * Redirects are not followed and metacopy is off, unless the user asks for them, or the
 * upper was written with them and would lack files. Imported layers have no live xattrs
 * of these kinds. With metacopy the kernel turns redirects on.
 */
static void add_defaults(struct mountspec *s, const struct layer *l)
{
	bool writes = s->with_upper && !l->st->xattrs.user;
	bool marks = writes || (l->foreign && l->meta.kind == OVL_WRITABLE);
	unsigned has = marks ? redirects_of(l) : 0;
	const char *metacopy = given(s, "metacopy");
	const char *redirect = given(s, "redirect_dir");
	bool copies = metacopy ? is_on(metacopy) : has & HAS_METACOPY;

	if (l->st->xattrs.user)
		buf_adds(&s->data, ",userxattr");
	if (!metacopy)
		buf_addf(&s->data, ",metacopy=%s", copies ? "on" : "off");
	if (!redirect && !copies)
		buf_addf(&s->data, ",redirect_dir=%s",
			has & HAS_REDIRECTS ? "follow" : "nofollow");
	/* A read-only mount can be remounted read-write. */
	if (!writes)
		return;
	if (copies)
		s->leaves |= HAS_METACOPY;
	if (redirect ? is_on(redirect) : copies)
		s->leaves |= HAS_REDIRECTS;
}

int mountspec_build(const struct layer *l, const char *options, bool readonly,
	struct mountspec *out, struct ovl_err *err)
{
	auto_mountspec s = {.with_upper = l->meta.kind == OVL_WRITABLE && !l->foreign};
	int rc = options ? take_options(&s, l, options, err) : 0;

	if (rc == 0)
		rc = add_lowers(&s, l, err);
	if (rc < 0)
		return rc;
	if (readonly || !s.with_upper)
		s.flags |= MS_RDONLY;
	if (s.with_upper) {
		buf_adds(&s.data, ",upperdir=");
		add_own(&s, l, layer_tree_name(l));
		buf_adds(&s.data, ",workdir=");
		add_own(&s, l, l->drv->work);
	}
	add_defaults(&s, l);
	if (s.extra.len)
		buf_adds(&s.data, s.extra.data);
	if (s.data.failed || s.extra.failed)
		return err_nomem(err);
	if (s.data.len > MOUNT_DATA_MAX)
		return err_say(err, E2BIG,
			"the mount options take %zu bytes, the kernel accepts %d",
			s.data.len, MOUNT_DATA_MAX);
	*out = steal(s);
	return 0;
}

static int check_lower(
	const struct layer *l, const char *name, bool nearest, struct ovl_err *err)
{
	auto_fd fd = lowers_open(l, name, nearest, err);

	return fd < 0 ? fd : 0;
}

/* The kernel would follow a symlink, and empty a directory in the one it leads to. */
static int check_work(const struct layer *l, struct ovl_err *err)
{
	auto_fd fd = fs_open_dir(l->fd, l->drv->work);

	if (fd >= 0)
		return 0;
	return err_see_check(err,
		err_sys(err, errno, "cannot open the work directory of layer %.12s",
			l->id.s));
}

int mountspec_check(const struct mountspec *s, const struct layer *l, struct ovl_err *err)
{
	bool self = !s->with_upper && !l->foreign;
	auto_buf own = {0};
	int rc = self         ? driver_as_lower(l, &own, err) :
		s->with_upper ? check_work(l, err) :
				0;

	if (rc == 0 && self)
		rc = check_lower(l, own.data, false, err);
	for (unsigned i = 0; rc == 0 && !s->by_fd && i < s->lowers.n; i++)
		rc = check_lower(l, s->lowers.name[i], i == 0, err);
	return rc;
}

int mountspec_mount(
	const struct mountspec *s, const struct layer *l, const char *source, int target)
{
	auto_fd fds = s->by_fd ? open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC) :
				 -1;
	auto_cwd cwd = {-1};
	int rc = s->by_fd && fds < 0 ? -errno :
				       fs_cwd_enter(&cwd, s->by_fd ? fds : l->drv_fd);

	if (rc < 0)
		return rc;
	rc = mount(
		source, P("/proc/self/fd/%d", target), "overlay", s->flags, s->data.data);
	return rc < 0 ? -errno : 0;
}

/* Adds a quoted shell word. */
static void add_word(struct buf *out, const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789._/:@+-,=";

	if (word[strspn(word, plain)] == '\0') {
		buf_adds(out, word);
		return;
	}
	buf_adds(out, "'");
	for (; *word; word++) {
		if (*word == '\'')
			buf_adds(out, "'\\''");
		else
			buf_add(out, word, 1);
	}
	buf_adds(out, "'");
}

int mountspec_line(const struct layer *l, struct buf *out, struct ovl_err *err)
{
	buf_adds(out, "ovlctl --root ");
	add_word(out, l->st->root);
	if (l->drv != l->st->drv)
		buf_addf(out, " --driver %s", l->drv->name);
	buf_addf(out, l->foreign ? " mount -r %s /mnt" : " mount %s", l->id.s);
	return out->failed ? err_nomem(err) : 0;
}
