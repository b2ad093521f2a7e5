/*
 * The small files of a store, as read by list, show, check, its repair, and remove. The
 * parts of the input are their contents; if a part is empty, there is no file.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fuzz.h"

#define A     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define LINKA "AAAAAAAAAAAAAAAAAAAAAAAAAA"
#define LINKB "BBBBBBBBBBBBBBBBBBBBBBBBBB"

/* An image layer and a writable one on top of it; a name that begins with '@' is a
 * symlink. */
static const char *const files[] = {
	"stamp",
	"overlay2/" A "/.layer",
	"overlay2/" B "/.layer",
	"overlay2/" A "/link",
	"overlay2/" B "/link",
	"overlay2/" B "/lower",
	"@overlay2/l/" LINKA,
	"@overlay2/l/" LINKB,
	"@names/app",
	"overlay2/" A "/.names/app",
	"overlay2/" A "/.configs/" A,
	"overlay2/" B "/.image/.layer",
	"overlay2/" A "/.recipe",
};
#define FILES (sizeof(files) / sizeof(files[0]))

static const char *const dirs[] = {"s", "s/names", "s/staging", "s/trash", "s/empty",
	"s/overlay2", "s/overlay2/l", "s/overlay2/" A, "s/overlay2/" A "/diff",
	"s/overlay2/" A "/.names", "s/overlay2/" A "/.configs",
	"s/overlay2/" A "/.children", "s/overlay2/" B, "s/overlay2/" B "/diff",
	"s/overlay2/" B "/work", "s/overlay2/" B "/merged", "s/overlay2/" B "/.image"};
#define DIRS (sizeof(dirs) / sizeof(dirs[0]))

static int scratch;
static char root[300];

/* The library waits in case another process is about to change what looks wrong.
 * Here there is none, and a run would take seconds instead of a millisecond. */
int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	(void)wanted;
	(void)left;
	return 0;
}

/* Without the privilege to mount, the kernel is not asked what is mounted, which takes a
 * millisecond and fills its log. The store has user.* xattrs for that. */
static void give_up_mounts(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps) < 0)
		return;
	for (int i = 0; i < 2; i++)
		caps[i].inheritable = 0;
	caps[0].effective &= ~(1u << CAP_SYS_ADMIN);
	caps[0].permitted &= ~(1u << CAP_SYS_ADMIN);
	syscall(SYS_capset, &head, caps);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	auto_buf path = {0};

	(void)argc;
	(void)argv;
	scratch = fuzz_begin();
	if (fs_path_of(scratch, &path) < 0)
		fuzz_broken("where is the scratch directory?");
	snprintf(root, sizeof(root), "%s/s", path.data);
	give_up_mounts();
	return 0;
}

static void put(const char *name, const struct fuzz_part *part)
{
	char path[256];
	auto_free char *text = strndup(part->p, part->n);

	snprintf(path, sizeof(path), "s/%s", name + (*name == '@'));
	if (strstr(name, ".recipe"))
		fuzz_put_recipe(scratch, path, part->p, part->n);
	else if (*name != '@')
		fuzz_put(scratch, path, part->p, part->n);
	else if (*text)
		(void)!symlinkat(text, scratch, path);
}

static void make(const uint8_t *data, size_t size)
{
	struct fuzz_part part[FILES];
	unsigned n = fuzz_split(data, size, part, FILES);

	for (size_t i = 0; i < DIRS; i++) {
		if (mkdirat(scratch, dirs[i], 0700) < 0)
			fuzz_broken("cannot make '%s': %s", dirs[i], strerror(errno));
	}
	fuzz_put(scratch, "s/overlay2/" A "/.children/" B, "", 0);
	fuzz_put(scratch, "s/overlay2/" A "/diff/f", "some data", 9);
	for (unsigned i = 0; i < n; i++) {
		if (part[i].n)
			put(files[i], &part[i]);
	}
}

/* ---- reading ---------------------------------------------------------------------- */

static void try_list(struct ovl_store *st)
{
	struct ovl_list list = {0};
	struct ovl_err err = {0};
	int rc = ovl_list(st, NULL, 0, &list, &err);

	fuzz_refused(rc, &err);
	if (rc == 0)
		ovl_list_free(&list);
}

static void try_show(struct ovl_store *st, const char *what)
{
	struct ovl_err err = {0};
	struct ovl_list d;
	int rc = ovl_show(st, what, &d, &err);

	fuzz_refused(rc, &err);
	if (rc == 0)
		ovl_list_free(&d);
}

static int finding(void *ctx, const struct ovl_finding *f)
{
	struct ovl_err err = {.status = OVL_FAILED};

	(void)ctx;
	snprintf(err.text, sizeof(err.text), "%s", f->text);
	fuzz_refused(-1, &err);
	return 0;
}

static unsigned try_check(struct ovl_store *st, bool content, bool repair)
{
	const struct ovl_check req = {.content = content, .repair = repair};
	struct ovl_err err = {0};
	unsigned result = 0;

	fuzz_refused(ovl_check(st, &req, finding, NULL, &result, &err), &err);
	return result;
}

static int change(void *ctx, const struct ovl_change *c)
{
	(void)ctx;
	return c->path[0] != '/';
}

static void try_rest(struct ovl_store *st)
{
	char *const all[] = {(char[]){A}, (char[]){B}, NULL};
	struct ovl_err err = {0};

	fuzz_refused(ovl_tag(st, B, "work", false, &err), &err);
	fuzz_refused(ovl_diff(st, B, NULL, change, NULL, &err), &err);
	fuzz_refused(ovl_remove(st, all, OVL_RM_RECURSIVE | OVL_RM_FORCE, &err), &err);
}

static void try_store(struct ovl_store *st)
{
	unsigned left;

	try_list(st);
	try_show(st, A);
	try_show(st, B);
	try_show(st, "app");
	try_show(st, LINKB);
	try_check(st, true, false);
	left = try_check(st, false, true);
	/* This may be because something was set aside. */
	if (left & OVL_CHECK_ERRORS)
		left = try_check(st, false, true);
	if (!(left & OVL_CHECK_ERRORS) && try_check(st, false, false))
		fuzz_broken("repaired, and not sound");
	try_list(st);
	try_rest(st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ovl_config cfg = {.root = root, .sync = OVL_SYNC_NONE, .nowait = true};
	struct ovl_store *st = NULL;
	struct ovl_err err = {0};
	int rc;

	make(data, size);
	fuzz_watch();
	rc = ovl_open(&st, &cfg, OVL_READ, &err);
	fuzz_refused(rc, &err);
	if (rc == 0)
		try_store(st);
	ovl_close(st);
	fuzz_unchanged();
	if (fs_rmtree(scratch, "s", NULL) < 0)
		fuzz_broken("cannot remove the store: %s", strerror(errno));
	return 0;
}
