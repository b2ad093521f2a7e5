#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "content/pack.h"
#include "fuzz.h"
#include "repack.h"
#include "store/driver.h"

static int take(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	(void)err;
	buf_add(ctx, p, n);
	return 0;
}

static void pack(const struct ingest *in, struct buf *out)
{
	struct layer l = {
		.st = in->st,
		.drv = in->cfg.drv,
		.drv_fd = in->stage.drv_fd,
		.fd = in->stage.fd,
		.meta = {.kind = OVL_WRITABLE},
	};
	struct ovl_err err = {0};

	memset(l.id.s, 'c', ID_LEN);
	if (pack_layer(&l, take, out, NULL, &err) < 0)
		fuzz_broken("what was taken cannot be packed: %s", err.text);
}

/* ---- comparing -------------------------------------------------------------------- */

static void differ_file(const char *name, const char *how)
{
	fuzz_broken("packed and unpacked, '%s' %s", name, how);
}

/* Both files must have the same data. */
static void compare_data(int a, int b, off_t size, const char *name)
{
	static char x[65536];
	static char y[sizeof(x)];
	off_t at = 0;

	while ((at = lseek(a, at, SEEK_DATA)) >= 0 && at < size) {
		ssize_t n = pread(a, x, sizeof(x), at);

		if (n <= 0 || pread(b, y, (size_t)n, at) != n ||
			memcmp(x, y, (size_t)n) != 0)
			differ_file(name, "has other data");
		at += n;
	}
}

static void compare_file(int a, int b, off_t size, const char *name)
{
	auto_fd x = openat(a, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd y = openat(b, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (x < 0 || y < 0)
		differ_file(name, "cannot be read");
	compare_data(x, y, size, name);
	compare_data(y, x, size, name);
}

static void compare_xattrs(int a, int b, const char *name)
{
	auto_buf x = {0};
	auto_buf y = {0};

	if (fs_listxattr(a, name, &x) < 0 || fs_listxattr(b, name, &y) < 0)
		differ_file(name, "has xattrs that cannot be read");
	if (x.len != y.len || (x.len && memcmp(x.data, y.data, x.len) != 0))
		differ_file(name, "has other xattrs");
	for (size_t at = 0; at < x.len; at += strlen(x.data + at) + 1) {
		auto_buf v = {0};
		auto_buf w = {0};

		if (fs_getxattr_buf(a, name, x.data + at, &v) < 0 ||
			fs_getxattr_buf(b, name, x.data + at, &w) < 0 || v.len != w.len ||
			(v.len && memcmp(v.data, w.data, v.len) != 0))
			differ_file(name, "has an xattr of another value");
	}
}

static void compare_link(int a, int b, const char *name)
{
	auto_buf x = {0};
	auto_buf y = {0};

	if (fs_readlink(a, name, 1 << 20, &x) < 0 ||
		fs_readlink(b, name, 1 << 20, &y) < 0 || strcmp(x.data, y.data) != 0)
		differ_file(name, "leads elsewhere");
}

/* kept: a file that was replaced may be another link to an existing one. */
static void compare_dir(int a, int b, bool kept);

static void compare(int a, int b, const char *name, bool kept)
{
	struct stat x;
	struct stat y;

	if (fstatat(a, name, &x, AT_SYMLINK_NOFOLLOW) < 0 ||
		fstatat(b, name, &y, AT_SYMLINK_NOFOLLOW) < 0)
		differ_file(name, "is missing");
	if (x.st_mode != y.st_mode)
		differ_file(name, "has another type or mode");
	if (x.st_uid != y.st_uid || x.st_gid != y.st_gid)
		differ_file(name, "has another owner");
	if (x.st_rdev != y.st_rdev)
		differ_file(name, "is another device");
	if (x.st_nlink != y.st_nlink && !kept)
		differ_file(name, "has other links");
	/* libarchive reads this earliest time, but writes another. */
	if (x.st_mtim.tv_sec == INT64_MIN)
		x.st_mtim = y.st_mtim;
	if (x.st_mtim.tv_sec != y.st_mtim.tv_sec ||
		x.st_mtim.tv_nsec != y.st_mtim.tv_nsec)
		fuzz_broken("packed and unpacked, '%s' is of %lld.%09ld, not %lld.%09ld",
			name, (long long)y.st_mtim.tv_sec, y.st_mtim.tv_nsec,
			(long long)x.st_mtim.tv_sec, x.st_mtim.tv_nsec);
	if (!S_ISDIR(x.st_mode) && x.st_size != y.st_size)
		differ_file(name, "has another size");
	compare_xattrs(a, b, name);
	if (S_ISLNK(x.st_mode))
		compare_link(a, b, name);
	if (S_ISREG(x.st_mode))
		compare_file(a, b, x.st_size, name);
	if (S_ISDIR(x.st_mode) && strcmp(name, ".") != 0) {
		auto_fd from = fs_open_dir(a, name);
		auto_fd to = fs_open_dir(b, name);

		compare_dir(from, to, kept);
	}
}

static unsigned count(int dirfd)
{
	auto_fsdir d = fs_dir_at(dirfd, ".");
	const char *name;
	unsigned n = 0;

	if (d.fd < 0)
		fuzz_broken("a directory cannot be read: %s", strerror(d.why));
	while (fs_dir_next(&d, &name, NULL) > 0)
		n++;
	return n;
}

static void compare_dir(int a, int b, bool kept)
{
	auto_fsdir d = fs_dir_at(a, ".");
	const char *name;

	if (d.fd < 0)
		fuzz_broken("a directory cannot be read: %s", strerror(d.why));
	while (fs_dir_next(&d, &name, NULL) > 0)
		compare(a, b, name, kept);
	if (count(a) != count(b))
		fuzz_broken("packed and unpacked there are other names");
	compare(a, b, ".", kept);
}

/* ----------------------------------------------------------------------------------- */

void repack_check(const struct ingest *in)
{
	struct ingest again = INGEST_INIT;
	struct ingest_config cfg = {.drv = in->cfg.drv};
	struct ovl_err err = {0};
	auto_buf tar = {0};
	auto_fd a = fs_open_dir(in->stage.fd, in->cfg.drv->tree[OVL_IMAGE]);
	auto_fd b = -1;
	int rc;

	pack(in, &tar);
	cfg.input.fd = fuzz_file(tar.data, tar.len);
	rc = ingest_begin(&again, in->st, &cfg, &err);
	if (rc == 0)
		rc = ingest_run(&again, &err);
	if (rc == 0)
		rc = ingest_resolve(&again, NULL, &err);
	if (rc < 0)
		fuzz_broken("what was packed is not taken: %s", err.text);
	b = fs_open_dir(again.stage.fd, in->cfg.drv->tree[OVL_IMAGE]);
	compare_dir(a, b, in->unpack.kept >= 0);
	ingest_end(&again);
	close(cfg.input.fd);
}
