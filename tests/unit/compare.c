/* Compares two trees, and two files. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "union/compare.h"
#include "union/differ.h"
#include "unit.h"

static void put(const char *path, const char *data)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, strlen(data)), (ssize_t)strlen(data));
	close(fd);
}

/* Sets one time on everything in the scratch directory. */
static void settle_times(void)
{
	ck_assert_int_eq(system("find a b -exec touch -h -d @1 {} +"), 0);
}

/* Two equal trees: a directory, a file in it, a symlink, a FIFO, two names of one
 * file. */
static void trees(void)
{
	scratch();
	umask(022);
	for (const char *const *top = (const char *const[]){"a", "b", NULL}; *top;
		top++) {
		ck_assert_int_eq(mkdir(*top, 0755), 0);
		ck_assert_int_eq(chdir(*top), 0);
		ck_assert_int_eq(mkdir("d", 0755), 0);
		put("d/f", "data");
		put("d.x", "");
		put("one", "1");
		ck_assert_int_eq(link("one", "two"), 0);
		ck_assert_int_eq(symlink("to", "link"), 0);
		ck_assert_int_eq(mkfifo("pipe", 0600), 0);
		ck_assert_int_eq(chdir(".."), 0);
	}
	settle_times();
}

struct seen {
	char text[1024]; /* "PATH KIND..;" for each name that differs, or for all */
	bool all;
	int end; /* the result for the name at */
	const char *at;
};

static int each(void *ctx, const struct compared *o, struct ovl_err *err)
{
	struct seen *s = ctx;

	(void)err;
	if (s->all || o->n) {
		strcat(s->text, o->path);
		for (unsigned i = 0; i < o->n; i++)
			strcat(strcat(s->text, " "), o->fault[i].kind);
		strcat(s->text, ";");
	}
	return s->at && strcmp(s->at, o->path) == 0 ? s->end : 0;
}

static int leave(void *ctx, const struct compared *o, struct ovl_err *err)
{
	struct seen *s = ctx;

	(void)err;
	strcat(strcat(strcat(s->text, "<"), o->name), ">");
	return 0;
}

static int compared(struct comparison *c, struct seen *s)
{
	struct ovl_err err = {0};
	int a = open("a", O_RDONLY | O_DIRECTORY);
	int b = open("b", O_RDONLY | O_DIRECTORY);
	int rc;

	c->each = each;
	c->ctx = s;
	rc = compare_trees(c, a, b, &err);
	close(a);
	close(b);
	return rc;
}

/* The faults after a change to the second tree. */
static void finds(const char *change, const char *want)
{
	struct comparison c = {.below = -1, .data = true};
	struct seen s = {0};

	ck_assert_int_eq(system(change), 0);
	ck_assert_int_eq(compared(&c, &s), 0);
	ck_assert_msg(strcmp(s.text, want) == 0, "%s: %s, not %s", change, s.text, want);
	ck_assert_int_eq(system("rm -rf b; cp -a a b"), 0);
}

START_TEST(order)
{
	struct comparison c = {.below = -1, .leave = leave};
	struct seen s = {.all = true};

	trees();
	ck_assert_int_eq(compared(&c, &s), 0);
	ck_assert_str_eq(s.text, ";d;d/f;<d>d.x;link;one;pipe;two;<.>");
	scratch_end();
}
END_TEST

START_TEST(faults)
{
	trees();
	finds("true", "");
	finds("rm b/d/f; touch -d @1 b/d", "d/f missing;");
	finds("touch -d @1 b/zz; touch -d @1 b", "zz extra;");
	finds("rm -r b/d; touch -d @1 b", "d missing;");
	finds("chmod 4644 b/d/f", "d/f mode;");
	finds("touch -d @1.000000001 b/d/f", "d/f time;");
	finds("touch -h -d @2 b/link", "link time;");
	finds("echo longer >b/d/f; touch -d @1 b/d/f", "d/f data;");
	finds("printf atad >b/d/f; touch -d @1 b/d/f", "d/f data;");
	finds("ln -sfn ot b/link; touch -h -d @1 b/link b", "link data;");
	finds("rm b/pipe; touch -d @1 b/pipe b", "pipe type;");
	finds("rm b/d.x; mkdir b/d.x; touch -d @1 b/d.x b", "d.x type;");
	/* Links that are split; a link to another file. */
	finds("rm b/two; printf 1 >b/two; touch -d @1 b/two b",
		"one links;two links links;");
	finds("ln b/d/f b/d/g; touch -d @1 b/d", "d/f links;d/g extra;");
	scratch_end();
}
END_TEST

START_TEST(owner_and_device)
{
	trees();
	if (geteuid() == 0) {
		finds("chown 1 b/d/f", "d/f owner;");
		finds("chgrp 1 b/d", "d owner;");
	}
	/* Whiteouts are equal, whatever their form. */
	if (system("mknod a/wh c 0 0 2>/dev/null && mknod a/null c 1 3") == 0) {
		settle_times();
		ck_assert_int_eq(system("rm -rf b; cp -a a b"), 0);
		finds("chmod 777 b/wh; touch -d @7 b/wh", "");
		finds("rm b/null; mknod b/null c 1 5; touch -d @1 b/null b",
			"null data;");
		finds("rm b/wh; mknod b/wh c 1 3; touch -d @1 b/wh b", "wh data;");
	}
	scratch_end();
}
END_TEST

START_TEST(xattrs)
{
	struct comparison c = {.below = -1};
	struct seen s = {0};

	trees();
	if (setxattr("a/d/f", "user.k", "v", 1, 0) < 0) {
		ck_assert_int_eq(errno, ENOTSUP);
		scratch_end();
		return;
	}
	ck_assert_int_eq(compared(&c, &s), 0);
	ck_assert_str_eq(s.text, "d/f xattr;");
	s.text[0] = '\0';
	ck_assert_int_eq(setxattr("b/d/f", "user.k", "w", 1, 0), 0);
	ck_assert_int_eq(compared(&c, &s), 0);
	ck_assert_str_eq(s.text, "d/f xattr;");
	s.text[0] = '\0';
	ck_assert_int_eq(setxattr("b/d/f", "user.k", "v", 1, 0), 0);
	ck_assert_int_eq(compared(&c, &s), 0);
	ck_assert_str_eq(s.text, "");
	scratch_end();
}
END_TEST

/* Data is compared if that is asked for; the comparison can be stopped. */
START_TEST(asked)
{
	struct comparison c = {.below = -1};
	struct seen s = {0};
	const atomic_int stop = 1;

	trees();
	put("b/d/f", "atad");
	settle_times();
	ck_assert_int_eq(compared(&c, &s), 0);
	ck_assert_str_eq(s.text, "");
	s = (struct seen){.all = true, .at = "d/f", .end = 7};
	ck_assert_int_eq(compared(&c, &s), 7);
	ck_assert_str_eq(s.text, ";d;d/f;");
	s = (struct seen){.all = true};
	c.stop = &stop;
	ck_assert_int_eq(compared(&c, &s), -EINTR);
	ck_assert_str_eq(s.text, "");
	scratch_end();
}
END_TEST

/* Files that other layers share: link counts do not matter, a file is equal to itself,
 * and data is compared if the layer below must have provided it. */
START_TEST(shared)
{
	struct comparison c = {.below = -1, .shared = true};
	struct seen s = {0};

	trees();
	ck_assert_int_eq(link("a/d/f", "elsewhere"), 0);
	ck_assert_int_eq(compared(&c, &s), 0);
	ck_assert_str_eq(s.text, "");
	/* Hard links in one tree only. */
	ck_assert_int_eq(system("rm b/two; printf 1 >b/two; touch -d @1 b/two b"), 0);
	ck_assert_int_eq(compared(&c, &s), 0);
	ck_assert_str_eq(s.text, "two links;");
	ck_assert_int_eq(
		system("rm -rf b; cp -a a b; printf atad >b/d/f; mkdir below below/d; "
		       "ln a/d/f below/d/f; touch -d @1 b/d/f"),
		0);
	s.text[0] = '\0';
	ck_assert_int_eq(compared(&c, &s), 0);
	ck_assert_str_eq(s.text, "");
	c.below = open("below", O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(compared(&c, &s), 0);
	ck_assert_str_eq(s.text, "d/f data;");
	close(c.below);
	scratch_end();
}
END_TEST

/* ---- differ ----------------------------------------------------------------------- */

static const struct xattr_policy policy = {.user = true};

static struct merged side_of(const char *dir)
{
	struct merged s = {.dir.xp = &policy};

	ck_assert_int_eq(view_push(&s.dir, fs_open_dir(AT_FDCWD, dir)), 0);
	return s;
}

static int differs(const char *change, const char *name)
{
	struct merged a;
	struct merged b;
	int r;

	ck_assert_int_eq(system(change), 0);
	a = side_of("a");
	b = side_of("b");
	r = differ_file(&a, &b, name, &policy, NULL);
	merged_close(&a);
	merged_close(&b);
	ck_assert_int_eq(system("rm -rf b; cp -a a b"), 0);
	return r;
}

START_TEST(one_file)
{
	static const char *const same[] = {"d", "d.x", "link", "one", "pipe"};

	trees();
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		ck_assert_int_eq(differs("true", same[i]), 0);
	ck_assert_int_eq(differs("rm b/two; ln a/one b/two", "two"), 0);
	ck_assert_int_eq(differs("chmod 600 b/one", "one"), 1);
	ck_assert_int_eq(differs("touch -d @1.000000001 b/one", "one"), 1);
	ck_assert_int_eq(differs("touch -d @2 b/d", "d"), 1);
	ck_assert_int_eq(differs("printf 22 >b/one; touch -d @1 b/one", "one"), 1);
	ck_assert_int_eq(differs("printf 2 >b/one; touch -d @1 b/one", "one"), 1);
	ck_assert_int_eq(differs("ln -sfn ot b/link; touch -h -d @1 b/link", "link"), 1);
	ck_assert_int_eq(differs("rm b/pipe; touch -d @1 b/pipe", "pipe"), 1);
	/* The number of links and the contents of a directory do not count. */
	ck_assert_int_eq(differs("ln b/one b/three", "one"), 0);
	ck_assert_int_eq(differs("touch b/d/new; touch -d @1 b/d", "d"), 0);
	errno = 0;
	ck_assert_int_eq(differs("rm b/one", "one"), -1);
	ck_assert_int_eq(differs("true", "nosuch"), -1);
	scratch_end();
}
END_TEST

START_TEST(one_file_xattrs)
{
	trees();
	if (system("setfattr -n user.k -v v b/one 2>/dev/null") == 0) {
		ck_assert_int_eq(differs("true", "one"), 1);
		ck_assert_int_eq(differs("setfattr -n user.k -v w b/one", "one"), 1);
		/* Xattrs of overlayfs do not count. */
		ck_assert_int_eq(
			differs("setfattr -n user.overlay.origin -v x b/one", "one"), 0);
		ck_assert_int_eq(
			differs("setfattr -n user.overlay.overlay.x -v x b/one", "one"),
			1);
	}
	scratch_end();
}
END_TEST

UNIT("compare", order, faults, owner_and_device, xattrs, asked, shared, one_file,
	one_file_xattrs)
