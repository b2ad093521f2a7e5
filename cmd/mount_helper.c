/* SPDX-License-Identifier: ISC */
/*
 * mount.ovlctl, which mount(8) runs for the type ovlctl, follows the rules for such
 * programs: SPEC and DIR come before the options, nothing is printed unless asked for,
 * and exit statuses are those of mount(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

static const struct opt opts[] = {
	{'o', "options", "OPTS", "root=DIR, driver=NAME, those of 'ovlctl mount'"},
	{'r', "read-only", NULL, "mount read-only (image layers always are)"},
	{'w', "rw", NULL, "mount a writable layer writable (the default)"},
	{'s', "sloppy", NULL, "ignore unknown options"},
	{'f', "fake", NULL, "check everything, mount nothing"},
	{'n', "no-mtab", NULL, "ignored"},
	{'v', "verbose", NULL, "print what is done, and warnings"},
	{'t', "types", "TYPE", "the type, which is ovlctl"},
	{'N', "namespace", "FILE", "mount in that mount namespace"},
	{0, NULL, NULL, NULL},
};

/* ---- options ---------------------------------------------------------------------- */

/* Options that mount(8) or systemd uses, or nobody, but that may be passed on. */
static const char *const not_ours[] = {"auto", "noauto", "_netdev", "user", "nouser",
	"users", "owner", "noowner", "group", "nogroup", "defaults", "comment", "helper",
	"uhelper", "x-", "X-", NULL};

/* Options that are kept in a sloppy mount. */
static const char *const known[] = {"nosuid", "suid", "nodev", "dev", "noexec", "exec",
	"noatime", "atime", "relatime", "norelatime", "strictatime", "nostrictatime",
	"nodiratime", "diratime", "lazytime", "nolazytime", "sync", "async", "dirsync",
	"mand", "nomand", "iversion", "noiversion", "silent", "loud", "nosymfollow",
	"symfollow", "redirect_dir", "metacopy", "index", "xino", "uuid", "nfs_export",
	"volatile", "verity", "userxattr", "default_permissions", "context", "fscontext",
	"defcontext", "rootcontext", NULL};

static bool is_one_of(const char *const *names, const char *option)
{
	for (; *names; names++) {
		size_t n = strlen(*names);

		if (strncmp(option, *names, n) == 0 &&
			(!option[n] || option[n] == '=' || (*names)[n - 1] == '-'))
			return true;
	}
	return false;
}

/* Splits off the first option; a comma between double quotes does not end it. */
static char *next_option(char **rest)
{
	char *option = *rest;
	bool quoted = false;
	char *end = option;

	if (!option)
		return NULL;
	for (; *end && (quoted || *end != ','); end++)
		quoted ^= *end == '"';
	*rest = *end ? end + 1 : NULL;
	*end = '\0';
	return option;
}

/* The value of option name, without quotes; NULL if it is another option. */
static char *value_of(char *option, const char *name)
{
	size_t n = strlen(name);
	char *value = option + n + 1;
	size_t len;

	if (strncmp(option, name, n) != 0 || option[n] != '=')
		return NULL;
	len = strlen(value);
	if (len < 2 || value[0] != '"' || value[len - 1] != '"')
		return value;
	value[len - 1] = '\0';
	return value + 1;
}

static void take_option(struct mount_words *w, char *option, bool sloppy)
{
	char *root = value_of(option, "root");
	char *driver = value_of(option, "driver");

	/* mount(8) always passes one of these two; an image layer is never writable. */
	if (strcmp(option, "ro") == 0 || strcmp(option, "rw") == 0)
		w->readonly = option[1] == 'o';
	else if (strcmp(option, "remount") == 0)
		w->remount = true;
	else if (strcmp(option, "nofail") == 0)
		w->nofail = true;
	else if (root)
		w->root = root;
	else if (driver)
		w->driver = driver;
	else if (!is_one_of(not_ours, option) && (!sloppy || is_one_of(known, option)))
		strcat(strcat(w->options, *w->options ? "," : ""), option);
}

static int enter(struct run *run, const char *namespace)
{
	int fd = open(namespace, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : setns(fd, CLONE_NEWNS);

	if (rc < 0) {
		run->err->status = OVL_USAGE;
		snprintf(run->err->text, sizeof(run->err->text),
			"cannot enter the mount namespace '%s': %s", namespace,
			strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Joins all lists of options. */
static char *all_options(const struct run *run)
{
	size_t len = 1;
	const char *list;
	char *all;

	for (size_t at = 0; (list = opt_next(run, 'o', &at));)
		len += strlen(list) + 1;
	all = calloc(1, len);
	for (size_t at = 0; all && (list = opt_next(run, 'o', &at));)
		strcat(strcat(all, *all ? "," : ""), list);
	return all;
}

int mount_words(struct run *run, struct mount_words *w)
{
	const char *type = opt_value(run, 't');
	char *rest = w->text = all_options(run);
	char *option;

	w->options = rest ? calloc(1, strlen(rest) + 1) : NULL;
	if (!w->options)
		return usage(run->err, "out of memory");
	if (type && strcmp(type, "ovlctl") != 0)
		return usage(run->err, "unknown file system type '%s'", type);
	while ((option = next_option(&rest)))
		take_option(w, option, opt_given(run, 's'));
	w->readonly = (w->readonly || opt_given(run, 'r')) && !opt_given(run, 'w');
	return opt_given(run, 'N') ? enter(run, opt_value(run, 'N')) : 0;
}

/* ---- the mount -------------------------------------------------------------------- */

/* Undoes what mount(8) does if a file of that name is in the working directory: it turns
 * SPEC into its path. */
static const char *layer_named(const char *spec)
{
	char *cwd = *spec == '/' ? getcwd(NULL, 0) : NULL;
	size_t n = cwd ? strlen(cwd) : 0;

	if (n == 1)
		n = 0;
	if (cwd && strncmp(spec, cwd, n) == 0 && spec[n] == '/' && spec[n + 1])
		spec += n + 1;
	free(cwd);
	return spec;
}

static int run_helper(struct run *run)
{
	const struct mount_words *w = run->words;
	const struct ovl_mount req = {
		.layer = layer_named(run->operand[0]),
		.target = run->operand[1],
		.options = w->options,
		.readonly = w->readonly,
		.how = opt_given(run, 'f') ? OVL_MOUNT_FAKE :
			w->remount         ? OVL_REMOUNT :
					     OVL_MOUNT_ONCE,
	};
	char *where = NULL;
	int rc;

	if (access(req.target, F_OK) < 0 && errno == ENOENT) {
		failed(run->err,
			"mount point '%s' does not exist; 'X-mount.mkdir' makes it",
			req.target);
		return -ENOENT;
	}
	rc = ovl_mount(run->st, &req, &where, run->err);
	if (rc == 0 && run->verbose)
		printf("mount.ovlctl: %s mounted on %s.\n", req.layer, where);
	free(where);
	/* fstab(5), nofail: it is not an error if the layer does not exist. */
	return w->nofail && rc < 0 && run->err->status == OVL_NOLAYER ? 0 : rc;
}

/* mount(8), "EXIT STATUS". */
static int exit_status(int rc, enum ovl_status status)
{
	if (stop_signal)
		return 8;
	if (status == OVL_USAGE || rc == -EPERM || rc == -EACCES)
		return 1;
	return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE || rc == -EAGAIN ? 2 : 32;
}

const struct cmd cmd_mount_helper = {
	.name = "mount.ovlctl",
	.synopsis = "[-rwsfnv] [-o OPTS]... [-t TYPE] [-N FILE] LAYER DIR",
	.summary = "mount a layer for mount(8)",
	.opts = opts,
	.min_operands = 2,
	.max_operands = 2,
	.access = READ_STORE,
	.quick = true,
	.exit_status = exit_status,
	.fn = run_helper,
};
