/* SPDX-License-Identifier: ISC */
/* Output of commands: names, JSON, files that appear complete. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "out.h"

/* ---- names ------------------------------------------------------------------------ */

char *out_escaped(const char *name)
{
	size_t n = strlen(name);
	char *out = malloc(4 * n + 4);

	return out ? ovl_escape(out, 4 * n + 4, name, n) : NULL;
}

void out_name(const char *name)
{
	char *text = out_escaped(name);

	if (text)
		fputs_unlocked(text, stdout);
	free(text);
}

void out_name_line(char kind, const char *name)
{
	putchar_unlocked(kind);
	putchar_unlocked(' ');
	out_name(name);
	putchar_unlocked('\n');
}

char *out_shorten(char *shown)
{
	if (isatty(STDOUT_FILENO) && strlen(shown) == 64 &&
		strspn(shown, "0123456789abcdef") == 64)
		shown[12] = '\0';
	return shown;
}

/* A name as text; if it is not UTF-8, escaped, and *raw is true. */
static json_t *text_of(const char *name, bool *raw)
{
	json_t *v = json_string(name);
	char *text = v ? NULL : out_escaped(name);

	*raw = !v;
	v = v ? v : json_string(text);
	free(text);
	return v;
}

static json_t *raw_of(const char *name)
{
	char *text = ovl_base64(name, strlen(name));
	json_t *v = json_string(text);

	free(text);
	return v;
}

static void set_raw(json_t *o, const char *key, json_t *v)
{
	char raw_key[64];

	snprintf(raw_key, sizeof(raw_key), "%s_raw", key);
	json_object_set_new(o, raw_key, v);
}

void out_json_path(json_t *o, const char *key, const char *name)
{
	bool raw = false;

	json_object_set_new(o, key, name ? text_of(name, &raw) : json_null());
	if (raw)
		set_raw(o, key, raw_of(name));
}

void out_json_paths(json_t *o, const char *key, char *const *names)
{
	json_t *texts = names ? json_array() : json_null();
	json_t *raws = json_array();
	bool any = false;

	for (; names && *names; names++) {
		bool raw;

		json_array_append_new(texts, text_of(*names, &raw));
		json_array_append_new(raws, raw_of(*names));
		any = any || raw;
	}
	json_object_set_new(o, key, texts);
	if (any)
		set_raw(o, key, raws);
	else
		json_decref(raws);
}

json_t *out_json_time(int64_t seconds)
{
	char out[32];
	time_t t = seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, sizeof(out), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(out);
}

void out_json(json_t *o)
{
	if (json_dumpf(o, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	json_decref(o);
}

void out_json_item(json_t *o, size_t n)
{
	fputs(n ? ",\n   " : "[\n   ", stdout);
	json_dumpf(o, stdout, JSON_COMPACT);
	json_decref(o);
}

void out_json_end(size_t n)
{
	fputs(n ? "\n]\n" : "[]\n", stdout);
}

void out_json_list(const char *key, json_t *list)
{
	json_t *o = json_object();

	json_object_set_new(o, key, list);
	out_json(o);
}

/* ---- files ------------------------------------------------------------------------ */

struct out_file {
	int fd;
	int dirfd;
	char *name; /* in dirfd; NULL: written directly */
	char *temp; /* its temporary name; NULL: none (O_TMPFILE) */
	const char *shown;
};

static int fail(const struct out_file *f, struct ovl_err *err)
{
	return cannot(err, errno, "write", f->shown);
}

static char *passing_name(const char *name)
{
	unsigned long long r;
	char *out;

	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r) ||
		asprintf(&out, ".%.200s.%016llx", name, r) < 0)
		return NULL;
	return out;
}

/* Creates the file: without a name if the file system supports that, otherwise with a
 * temporary name. */
static int open_new(struct out_file *f, mode_t mode)
{
	f->fd = openat(f->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	if (f->fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return f->fd;
	f->temp = passing_name(f->name);
	if (!f->temp)
		return -1;
	f->fd = openat(f->dirfd, f->temp,
		O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	return f->fd;
}

#define MAX_LINKS 40

/* Resolves path, relative to f->dirfd, into f->dirfd and f->name. */
static int enter(struct out_file *f, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = strdup(slash ? slash + 1 : path);
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = -1;

	if (name && dir)
		fd = openat(f->dirfd < 0 ? AT_FDCWD : f->dirfd, dir,
			O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	free(f->name);
	f->name = name;
	if (fd < 0)
		return -1;
	if (f->dirfd >= 0)
		close(f->dirfd);
	f->dirfd = fd;
	if (*name)
		return 0;
	errno = EISDIR;
	return -1;
}

/* A link in /proc/PID/fd leads to an open file, whatever its name is or was. */
static bool leads_to_open_file(const struct out_file *f)
{
	struct statfs sf;

	return fstatfs(f->dirfd, &sf) == 0 && sf.f_type == PROC_SUPER_MAGIC;
}

/* Users whom this user namespace does not map all look like one, who cannot be trusted. */
#define UNMAPPED_USER 65534

/* What f->name is: 1, 0 if it does not exist, -1. A user who may create files in a directory
 * such as /tmp must not choose where root writes or who may read it: as with
 * fs.protected_symlinks, fs.protected_fifos and fs.protected_regular of proc(5), whatever
 * their settings. */
static int look_at(const struct out_file *f, struct stat *st)
{
	struct stat dir;

	if (fstatat(f->dirfd, f->name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstat(f->dirfd, &dir) < 0)
		return -1;
	if ((dir.st_mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH) ||
		st->st_uid == geteuid() ||
		(st->st_uid == dir.st_uid && st->st_uid != UNMAPPED_USER))
		return 1;
	errno = EACCES;
	return -1;
}

/* Follows symlinks to a file, which need not exist, as other programs do. 1: it leads to
 * an open file, which has no directory; 0: *old is the file, or its mode is 0; -1. */
static int find_place(struct out_file *f, const char *path, struct stat *old)
{
	char to[PATH_MAX];

	if (enter(f, path) < 0)
		return -1;
	for (int i = 0; i < MAX_LINKS; i++) {
		int r = look_at(f, old);
		ssize_t n;

		if (r == 0)
			old->st_mode = 0;
		if (r <= 0 || !S_ISLNK(old->st_mode))
			return r < 0 ? -1 : 0;
		if (leads_to_open_file(f))
			return 1;
		n = readlinkat(f->dirfd, f->name, to, PATH_MAX - 1);
		if (n < 0)
			return -1;
		to[n] = '\0';
		if (enter(f, to) < 0)
			return -1;
	}
	errno = ELOOP;
	return -1;
}

/* Opens a file that is written to directly. */
static int open_through(struct out_file *f, int dirfd, const char *path, int flags)
{
	f->fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | flags);
	free(f->name);
	f->name = NULL;
	return f->fd;
}

static int open_out(struct run *run, struct out_file *f, const char *path)
{
	struct stat old;
	int r = find_place(f, path, &old);

	if (r)
		return r < 0 ? -1 : open_through(f, AT_FDCWD, path, O_TRUNC);
	if (old.st_mode && !S_ISREG(old.st_mode))
		return open_through(f, f->dirfd, f->name, O_NOFOLLOW);
	return open_new(f, old.st_mode ? 0600 : 0666 & ~run->umask);
}

/* Done when the file is complete, because the old one may have changed until then. */
static int be_like_old(struct run *run, struct out_file *f)
{
	struct stat old;
	int r = look_at(f, &old);

	return r <= 0 || !S_ISREG(old.st_mode) ?
		r :
		ovl_be_like(run->st, f->fd, f->dirfd, f->name, &old, f->shown);
}

/* Links an unnamed file to a free name first, because link(2) replaces nothing. 1: it has
 * its final name. */
static int give_name(struct run *run, struct out_file *f)
{
	char link[48];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", f->fd);
	if (!f->temp && linkat(AT_FDCWD, link, f->dirfd, f->name, AT_SYMLINK_FOLLOW) == 0)
		return 1;
	if (!f->temp && errno != EEXIST)
		return -1;
	if (be_like_old(run, f) < 0)
		return -1;
	if (f->temp)
		return 0;
	f->temp = passing_name(f->name);
	if (!f->temp)
		return -1;
	return linkat(AT_FDCWD, link, f->dirfd, f->temp, AT_SYMLINK_FOLLOW);
}

static int close_written(struct out_file *f, struct ovl_err *err)
{
	int fd = f->fd;

	f->fd = -1;
	return close(fd) < 0 ? fail(f, err) : 0;
}

static int commit(struct run *run, struct out_file *f)
{
	struct ovl_err *err = run->err;
	bool named;
	int r;

	/* A message printed meanwhile may have met a closed pipe. */
	if (stop_signal)
		return -EINTR;
	if (!f->name)
		return close_written(f, err);
	/* Some file systems report write errors only at the end, so this is done before
	 * anything is replaced. */
	r = give_name(run, f);
	if (r < 0)
		return fail(f, err);
	named = r > 0;
	r = close_written(f, err);
	if (r < 0 || named)
		return r;
	if (renameat(f->dirfd, f->temp, f->dirfd, f->name) < 0)
		return fail(f, err);
	free(f->temp);
	f->temp = NULL;
	return 0;
}

/* Removes what was not committed. */
static void close_file(struct out_file *f)
{
	if (f->temp && f->dirfd >= 0)
		unlinkat(f->dirfd, f->temp, 0);
	if (f->fd >= 0)
		close(f->fd);
	if (f->dirfd >= 0)
		close(f->dirfd);
	free(f->name);
	free(f->temp);
}

int out_to(struct run *run, const char *path,
	int (*fn)(struct run *run, int fd, void *ctx), void *ctx)
{
	struct out_file f = {.fd = -1, .dirfd = -1, .shown = path};
	int rc;

	if (strcmp(path, "-") == 0)
		return !isatty(STDOUT_FILENO) ?
			fn(run, STDOUT_FILENO, ctx) :
			usage(run->err,
				"a tar is not written to a terminal; redirect standard output");
	rc = open_out(run, &f, path) < 0 ? fail(&f, run->err) : fn(run, f.fd, ctx);
	if (rc == 0)
		rc = commit(run, &f);
	close_file(&f);
	return rc;
}

static int write_tar(struct run *run, int fd, void *ctx)
{
	return ovl_diff_tar(run->st, run->operand[0], fd, ctx, run->err);
}

int out_tar(struct run *run, const char *path, const char *compress)
{
	if (!compress)
		compress = ovl_compression_of(path);
	return ovl_compression_check(compress, run->err) < 0 ?
		-1 :
		out_to(run, path, write_tar, (void *)compress);
}

/* ---- directories ------------------------------------------------------------------ */

/* Follows symlinks to a directory. A working directory, or one named by its parent,
 * must not be replaced. */
int out_place_open(struct out_place *at, const char *path, struct ovl_err *err)
{
	struct out_file f = {.fd = -1, .dirfd = -1, .shown = path};
	size_t n = strlen(path);
	struct stat old;
	char *plain;
	int r = -1;

	while (n > 1 && path[n - 1] == '/')
		n--;
	plain = strndup(path, n);
	if (plain)
		r = find_place(&f, plain, &old);
	if (r > 0)
		errno = ENOTDIR;
	if (r == 0 && (strcmp(f.name, ".") == 0 || strcmp(f.name, "..") == 0)) {
		errno = EBUSY;
		r = -1;
	}
	if (r)
		r = fail(&f, err);
	free(plain);
	*at = (struct out_place){.dirfd = f.dirfd, .name = f.name};
	return r;
}

void out_place_close(struct out_place *at)
{
	if (at->dirfd >= 0)
		close(at->dirfd);
	free(at->name);
}
