/* Mount options: those of the layer, those of the user, and which of them win. */
#include <fcntl.h>
#include <sys/mount.h>

#include "base/fs.h"
#include "mount/mountspec.h"
#include "store/layer.h"
#include "store/redirects.h"
#include "store/store.h"
#include "unit.h"

#define ID "00000000000000000000000000000000000000000000000000000000000000aa"

static unsigned n_lowers;
static char odd_root[] = "/srv/o'b";
static char plain_root[] = "/srv/plain";

static int parse_lower(const char *text, size_t len, struct stack *out)
{
	ck_assert_str_eq(text, "two");
	ck_assert_uint_eq(len, 3);
	out->n = n_lowers;
	out->text = strdup("l/A");
	for (unsigned i = 0; i < n_lowers; i++)
		out->name[i] = out->text;
	return 0;
}

static const struct driver fake = {.name = "fake",
	.tree = {"image", "upper"},
	.work = "work",
	.links = "l",
	.lower_file = "lower",
	.parse_lower = parse_lower};

static void set_lowers(struct layer *l, unsigned n)
{
	n_lowers = l->meta.lowers = n;
}

/* A layer in the scratch directory, on two lowers. */
static struct layer layer_of(struct ovl_store *st, enum ovl_kind kind, bool user)
{
	struct layer l = {.st = st,
		.drv = &fake,
		.id = {ID},
		.meta = {.kind = kind, .link = "SELF"}};

	*st = (struct ovl_store){.root = odd_root, .drv = &fake, .xattrs.user = user};
	scratch();
	l.fd = open(".", O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(l.fd, 0);
	ck_assert_int_eq(fs_write_new(l.fd, "lower", "two", 3), 0);
	set_lowers(&l, 2);
	return l;
}

static void mark(const char *name)
{
	close(open(name, O_WRONLY | O_CREAT, 0600));
}

#define UPPER "lowerdir=l/A:l/A,upperdir=" ID "/upper,workdir=" ID "/work"

static void builds(const struct layer *l, const char *options, bool readonly,
	const char *data, unsigned long flags)
{
	auto_mountspec s = {0};
	struct ovl_err err = {0};
	int rc = mountspec_build(l, options, readonly, &s, &err);

	ck_assert_msg(rc == 0, "%s: %s", options, err.text);
	ck_assert_str_eq(s.data.data, data);
	ck_assert_uint_eq(s.flags, flags);
}

START_TEST(kinds)
{
	struct ovl_store st;
	struct layer l = layer_of(&st, OVL_WRITABLE, false);

	builds(&l, NULL, false, UPPER ",metacopy=off,redirect_dir=nofollow", 0);
	builds(&l, NULL, true, UPPER ",metacopy=off,redirect_dir=nofollow", MS_RDONLY);
	set_lowers(&l, 0);
	builds(&l, NULL, false,
		"lowerdir=../empty,upperdir=" ID "/upper,workdir=" ID
		"/work,metacopy=off,redirect_dir=nofollow",
		0);
	l.meta.kind = OVL_IMAGE;
	builds(&l, NULL, false,
		"lowerdir=l/SELF:../empty,metacopy=off,redirect_dir=nofollow", MS_RDONLY);
	set_lowers(&l, 1);
	builds(&l, NULL, false, "lowerdir=l/SELF:l/A,metacopy=off,redirect_dir=nofollow",
		MS_RDONLY);
	scratch_end();
}
END_TEST

START_TEST(flags)
{
	static const struct {
		const char *options;
		unsigned long flags;
	} table[] = {{"", 0}, {",,", 0}, {"ro", MS_RDONLY}, {"ro,rw", 0},
		{"rw,ro", MS_RDONLY},
		{"nosuid,nodev,noexec", MS_NOSUID | MS_NODEV | MS_NOEXEC},
		{"nosuid,suid", 0}, {"noatime,relatime", MS_RELATIME},
		{"strictatime,noatime", MS_NOATIME}, {"defaults", 0}};
	struct ovl_store st;
	struct layer l = layer_of(&st, OVL_WRITABLE, false);

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		builds(&l, table[i].options, false,
			UPPER ",metacopy=off,redirect_dir=nofollow", table[i].flags);
	scratch_end();
}
END_TEST

/* Layers that were mounted with redirects or metacopy are mounted so again. */
START_TEST(marks)
{
	struct ovl_store st;
	struct layer l = layer_of(&st, OVL_WRITABLE, false);
	auto_mountspec s = {0};
	struct ovl_err err;

	builds(&l, "redirect_dir=on", false, UPPER ",metacopy=off,redirect_dir=on", 0);
	builds(&l, "metacopy=on", false, UPPER ",metacopy=on", 0);
	builds(&l, "metacopy=on,metacopy=off", false,
		UPPER ",redirect_dir=nofollow,metacopy=on,metacopy=off", 0);
	ck_assert_int_eq(mountspec_build(&l, "redirect_dir=on", false, &s, &err), 0);
	ck_assert_uint_eq(s.leaves, HAS_REDIRECTS);
	ck_assert(mountspec_has(&s, "redirect_dir=on"));
	ck_assert(!mountspec_has(&s, "redirect_dir=o"));
	ck_assert(!mountspec_has(&s, "lowerdir=l/A:l/A"));
	mark(".redirect");
	builds(&l, NULL, false, UPPER ",metacopy=off,redirect_dir=follow", 0);
	builds(&l, "redirect_dir=nofollow", false,
		UPPER ",metacopy=off,redirect_dir=nofollow", 0);
	mark(".metacopy");
	builds(&l, NULL, false, UPPER ",metacopy=on", 0);
	builds(&l, "metacopy=off", false, UPPER ",redirect_dir=follow,metacopy=off", 0);
	/* With userxattr neither exists. */
	st.xattrs.user = true;
	builds(&l, NULL, false, UPPER ",userxattr,metacopy=off,redirect_dir=nofollow", 0);
	scratch_end();
}
END_TEST

static void refuses(
	const struct layer *l, const char *options, int status, const char *text)
{
	auto_mountspec s = {0};
	struct ovl_err err = {0};

	ck_assert_msg(mountspec_build(l, options, false, &s, &err) < 0, "%s", options);
	ck_assert_int_eq(err.status, status);
	ck_assert_msg(strstr(err.text, text) != NULL, "%s: %s", options, err.text);
	ck_assert_ptr_null(s.data.data);
}

START_TEST(refused)
{
	static const char *const own[] = {"lowerdir=/", "lowerdir+=/", "datadir+=/",
		"upperdir=x", "workdir=x", "remount", "bind", "rbind", "move",
		"nosuid,move", "lowerdir"};
	struct ovl_store st;
	struct layer l = layer_of(&st, OVL_WRITABLE, false);
	char many[5000];

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		refuses(&l, own[i], OVL_USAGE, "cannot be given");
	refuses(&l, "userxattr", OVL_USAGE, "trusted");
	l.meta.kind = OVL_IMAGE;
	refuses(&l, "ro,rw", OVL_USAGE, "only be mounted read-only");
	memset(many, 'x', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	refuses(&l, many, OVL_FAILED, "the kernel accepts 4095");
	scratch_end();
}
END_TEST

/* Options may be as long as the kernel accepts. */
START_TEST(longest)
{
	struct ovl_store st;
	struct layer l = layer_of(&st, OVL_WRITABLE, false);
	auto_mountspec s = {0};
	struct ovl_err err = {0};
	size_t own = strlen(UPPER ",metacopy=off,redirect_dir=nofollow,");
	char text[4200];

	memset(text, 'x', sizeof(text));
	text[4095 - own] = '\0';
	ck_assert_int_eq(mountspec_build(&l, text, false, &s, &err), 0);
	ck_assert_uint_eq(s.data.len, 4095);
	text[4095 - own] = 'x';
	text[4096 - own] = '\0';
	refuses(&l, text, OVL_FAILED, "4096 bytes");
	scratch_end();
}
END_TEST

START_TEST(line)
{
	struct ovl_store st;
	struct layer l = layer_of(&st, OVL_WRITABLE, false);
	auto_buf out = {0};
	struct ovl_err err;

	ck_assert_int_eq(mountspec_line(&l, &out, &err), 0);
	ck_assert_str_eq(out.data, "ovlctl --root '/srv/o'\\''b' mount " ID);
	out.len = 0;
	st.root = plain_root;
	st.drv = NULL;
	ck_assert_int_eq(mountspec_line(&l, &out, &err), 0);
	ck_assert_str_eq(out.data, "ovlctl --root /srv/plain --driver fake mount " ID);
	scratch_end();
}
END_TEST

UNIT("mountspec", kinds, flags, marks, refused, longest, line)
