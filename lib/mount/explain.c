/* SPDX-License-Identifier: ISC */
/* Finds out why a mount failed when the kernel only returns EINVAL. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "mount/explain.h"
#include "store/redirects.h"
#include "store/store.h"

/* The failed mount, and where to write the reason. */
struct failure {
	const struct layer *l;
	const char *what;
	const struct mountspec *spec;
	const char *target;
	int errnum;
	struct ovl_err *err;
};

PRINTF(2, 3)
static bool because(const struct failure *f, const char *fmt, ...)
{
	char why[700];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	err_status(f->err, f->errnum == EBUSY ? OVL_BUSY : OVL_FAILED,
		"cannot mount layer %s on %s: %s", Q(f->what), Q(f->target), why);
	return true;
}

static bool permission(const struct failure *f)
{
	if (f->errnum == EACCES)
		return because(f,
			"not permitted: the upper and work directories need "
			"CAP_DAC_OVERRIDE, and a security module such as AppArmor or "
			"SELinux may forbid mounts");
	return f->errnum == EPERM &&
		because(f,
			"not permitted: mounting needs root, or root of a user namespace "
			"with a mount namespace of its own");
}

static bool no_overlay(const struct failure *f)
{
	if (f->errnum == ENODEV)
		return because(f, "this kernel has no overlay file system");
	if (f->errnum == ENOSPC)
		return because(f, "%s, or the limit of mounts (fs.mount-max) is reached",
			strerror(ENOSPC));
	return false;
}

static bool own_missing(const struct failure *f, const char *name)
{
	auto_fd fd = fs_open_dir(f->l->fd, name);

	return fd < 0 &&
		because(f, "its directory '%s': %s; see 'ovlctl check'", name,
			strerror(errno));
}

static bool missing(const struct failure *f)
{
	struct stat st;

	if (stat(f->target, &st) < 0)
		return because(f, "mount point: %s", strerror(errno));
	if (stat("/proc/self/fd", &st) < 0)
		return because(
			f, "'/proc/self/fd': %s; mount /proc first", strerror(errno));
	return mountspec_check(f->spec, f->l, f->err) < 0 ||
		own_missing(f, layer_tree_name(f->l));
}

static uint64_t mount_of(int fd)
{
	struct statx sx;

	return statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0 ? 0 : sx.stx_mnt_id;
}

/* The kernel accepts file systems that it considers remote only for lowers. */
static const char *remote(int fd)
{
	static const struct {
		unsigned long type;
		const char *name;
	} all[] = {{FUSE_SUPER_MAGIC, "FUSE"}, {NFS_SUPER_MAGIC, "NFS"},
		{SMB_SUPER_MAGIC, "SMB"}, {CIFS_SUPER_MAGIC, "SMB"},
		{SMB2_SUPER_MAGIC, "SMB"}, {V9FS_MAGIC, "9P"}, {CEPH_SUPER_MAGIC, "Ceph"},
		{AFS_SUPER_MAGIC, "AFS"}, {CODA_SUPER_MAGIC, "Coda"}};
	struct statfs sf;

	for (size_t i = 0; fstatfs(fd, &sf) == 0 && i < sizeof(all) / sizeof(all[0]);
		i++) {
		if ((unsigned long)sf.f_type == all[i].type)
			return all[i].name;
	}
	return NULL;
}

/* With an index, the kernel requires the lower files with which the upper was made. */
static bool other_origin(const struct failure *f)
{
	return f->errnum == ESTALE &&
		because(f,
			"the layer was mounted before over other files (was the store "
			"copied?), which %s does not allow; mount it without that option",
			mountspec_has(f->spec, "nfs_export=on") ? "'nfs_export=on'" :
								  "'index=on'");
}

static bool bad_upper(const struct failure *f)
{
	const char *fs;
	auto_fd upper = -1;
	auto_fd work = -1;
	struct statvfs sv;

	if (!f->spec->with_upper)
		return false;
	upper = fs_open_dir(f->l->fd, layer_tree_name(f->l));
	work = fs_open_dir(f->l->fd, f->l->drv->work);
	fs = remote(upper);
	if (fs)
		return because(f,
			"the store lies on a %s file system, which cannot hold an upper "
			"layer",
			fs);
	if (fs_is_overlay(upper))
		return because(f,
			"the store lies on an overlay mount, which cannot hold an "
			"upper layer");
	if (fstatvfs(upper, &sv) == 0 && (sv.f_flag & ST_RDONLY))
		return because(f, "the store's file system is read-only");
	if (mount_of(upper) != mount_of(work))
		return because(f,
			"'%s' and '%s' of the layer are on different file systems",
			layer_tree_name(f->l), f->l->drv->work);
	return false;
}

/* Finds options that the kernel accepts one by one but not together. */
static bool conflict(const struct failure *f)
{
	static const char *const trusted_only[] = {
		"redirect_dir=on", "redirect_dir=follow", "metacopy=on", NULL};
	static const char *const not_on[] = {
		"redirect_dir=off", "redirect_dir=follow", "redirect_dir=nofollow", NULL};

	if (f->errnum != EINVAL)
		return false;
	for (int i = 0; f->l->st->xattrs.user && trusted_only[i]; i++) {
		if (mountspec_has(f->spec, trusted_only[i]))
			return because(f,
				"option '%s' cannot be used with 'userxattr', which "
				"mounts of this store need",
				trusted_only[i]);
	}
	for (int i = 0; mountspec_has(f->spec, "metacopy=on") && not_on[i]; i++) {
		if (!mountspec_has(f->spec, not_on[i]))
			continue;
		return because(f, "option '%s' cannot be used with 'metacopy=on'%s",
			not_on[i],
			redirects_of(f->l) & HAS_METACOPY ?
				", which the layer needs because it was mounted with it "
				"before" :
				"");
	}
	return false;
}

/* Since Linux 6.5, overlay's options can be tried one at a time without mounting. */
static bool bad_option(const struct failure *f)
{
	auto_free char *copy = f->spec->extra.len ? strdup(f->spec->extra.data + 1) :
						    NULL;
	auto_fd ctx = copy ? fsopen("overlay", FSOPEN_CLOEXEC) : -1;
	char *rest = copy;
	char *option;

	while (ctx >= 0 && (option = strsep(&rest, ","))) {
		char *value = strchr(option, '=');
		int rc;

		if (value)
			*value++ = '\0';
		rc = fsconfig(ctx, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			option, value, 0);
		if (rc < 0)
			return because(f, "the kernel does not accept option '%s%s%s'",
				option, value ? "=" : "", value ? value : "");
	}
	return false;
}

static bool stacked(const struct failure *f)
{
	if (!fs_is_overlay(f->l->drv_fd))
		return false;
	return because(f, "the store lies on an overlay mount, stacked too deep");
}

int explain_mount(const struct layer *l, const char *what, const struct mountspec *spec,
	const char *target, int errnum, struct ovl_err *err)
{
	const struct failure f = {l, what, spec, target, errnum, err};

	if (!permission(&f) && !no_overlay(&f) && !missing(&f) && !other_origin(&f) &&
		!bad_upper(&f) && !conflict(&f) && !bad_option(&f) && !stacked(&f)) {
		if (errnum == EINVAL && spec->extra.len)
			because(&f,
				"%s; perhaps the options '%s' cannot be combined; see "
				"the kernel's log",
				strerror(errnum), spec->extra.data + 1);
		else if (errnum == EINVAL)
			because(&f, "%s; see the kernel's log", strerror(errnum));
		else
			because(&f, "%s", strerror(errnum));
	}
	return -errnum;
}
