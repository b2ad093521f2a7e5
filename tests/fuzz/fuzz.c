#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/fs.h"
#include "base/quote.h"
#include "fuzz.h"

struct ovl_store *fuzz_store;

static char path[256];
static bool made;
static pid_t owner;
static int scratch = -1;

/* Files that must not change, relative to the scratch directory. */
static const char *const watched[] = {".", "canary", "canary/file", "canary/dir",
	"canary/link", "store", "store/stamp", "store/empty", "store/names",
	"store/trash", "store/overlay2", "store/overlay2/l"};
#define WATCHED (sizeof(watched) / sizeof(watched[0]))
static struct stat before[WATCHED];

void fuzz_broken(const char *fmt, ...)
{
	va_list ap;

	fputs("fuzz: a promise is broken: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz: cannot set up: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void remove_scratch(void)
{
	if (made && getpid() == owner)
		fs_rmtree(AT_FDCWD, path, NULL);
}

static void make_scratch(void)
{
	const char *given = getenv("FUZZ_SCRATCH");

	snprintf(path, sizeof(path), "%s", given ? given : "/dev/shm/ovlctl-fuzz.XXXXXX");
	if (!given) {
		must(mkdtemp(path), path);
		made = true;
		owner = getpid();
		atexit(remove_scratch);
	}
	scratch = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(scratch >= 0, path);
	must(mkdirat(scratch, "canary", 0755) == 0, "canary");
	fuzz_put(scratch, "canary/file", "precious", 8);
	must(mkdirat(scratch, "canary/dir", 0755) == 0, "canary/dir");
	must(symlinkat("file", scratch, "canary/link") == 0, "canary/link");
}

static void make_store(void)
{
	struct ovl_err err = {0};
	struct ovl_config cfg = {.sync = OVL_SYNC_NONE};
	char root[sizeof(path) + 16];

	snprintf(root, sizeof(root), "%s/store", path);
	cfg.root = root;
	if (ovl_open(&fuzz_store, &cfg, OVL_MAKE, &err) < 0) {
		fprintf(stderr, "fuzz: %s\n", err.text);
		_exit(1);
	}
}

int fuzz_begin(void)
{
	umask(0);
	make_scratch();
	make_store();
	return scratch;
}

static void look(struct stat *out)
{
	for (size_t i = 0; i < WATCHED; i++) {
		memset(&out[i], 0, sizeof(out[i]));
		fstatat(scratch, watched[i], &out[i], AT_SYMLINK_NOFOLLOW);
	}
}

void fuzz_watch(void)
{
	look(before);
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_mode == b->st_mode &&
		a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
		a->st_nlink == b->st_nlink && a->st_size == b->st_size &&
		memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) == 0 &&
		memcmp(&a->st_ctim, &b->st_ctim, sizeof(a->st_ctim)) == 0;
}

void fuzz_unchanged(void)
{
	struct stat now[WATCHED];

	look(now);
	for (size_t i = 0; i < WATCHED; i++) {
		if (!same(&before[i], &now[i]))
			fuzz_broken("'%s' was changed", watched[i]);
	}
}

void fuzz_refused(int rc, const struct ovl_err *err)
{
	if (rc >= 0)
		return;
	if (err->status == OVL_OK || !err->text[0])
		fuzz_broken("error %d says nothing", rc);
	for (const char *s = err->text; *s;) {
		size_t n = quote_utf8(s, strlen(s));

		if (!n)
			fuzz_broken(
				"an error's text cannot go to a terminal: %s", err->text);
		s += n;
	}
}

int fuzz_file(const void *p, size_t n)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	must(fd >= 0 && fs_pwrite_all(fd, p, n, 0) == 0, "memfd");
	return fd;
}

unsigned fuzz_split(const uint8_t *data, size_t size, struct fuzz_part *out, unsigned max)
{
	const char *p = (const char *)data;
	unsigned n = 0;

	for (;;) {
		const char *end = size && n + 1 < max ? memchr(p, 0x1e, size) : NULL;
		size_t len = end ? (size_t)(end - p) : size;

		out[n++] = (struct fuzz_part){p, len};
		if (!end)
			return n;
		p += len + 1;
		size -= len + 1;
	}
}

void fuzz_put(int dirfd, const char *name, const void *p, size_t n)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && (!n || fs_write_all(fd, p, n) == 0), name);
	close(fd);
}

void fuzz_put_recipe(int dirfd, const char *name, const void *p, size_t n)
{
	static const char first[] = "ovlctl-recipe 1\n";
	struct buf file = {0};
	size_t packed;

	if (!n || *(const char *)p != 'R') {
		fuzz_put(dirfd, name, p, n);
		return;
	}
	buf_add(&file, first, sizeof(first) - 1);
	must(buf_reserve(&file, ZSTD_compressBound(n)), "memory");
	packed = ZSTD_compress(file.data + file.len, ZSTD_compressBound(n),
		(const char *)p + 1, n - 1, 1);
	must(!ZSTD_isError(packed), "zstd");
	fuzz_put(dirfd, name, file.data, file.len + packed);
	buf_release(&file);
}
