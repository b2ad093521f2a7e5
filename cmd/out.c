#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "out.h"

/* ---- names ------------------------------------------------------------------------ */

void out_name_line(char kind, const char *name, size_t len)
{
	char small[1024];
	size_t size = 4 * len + 4;
	char *out = size <= sizeof(small) ? small : malloc(size);

	if (!out)
		return;
	printf("%c %s\n", kind, ovl_escape(out, size, name, len));
	if (out != small)
		free(out);
}

static char *base64(const unsigned char *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = malloc((n + 2) / 3 * 4 + 1);
	char *o = out;

	for (size_t i = 0; out && i < n; i += 3) {
		unsigned v = (unsigned)p[i] << 16 |
			(i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
			(i + 2 < n ? p[i + 2] : 0);

		*o++ = digits[v >> 18];
		*o++ = digits[v >> 12 & 63];
		*o++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
		*o++ = i + 2 < n ? digits[v & 63] : '=';
	}
	if (out)
		*o = '\0';
	return out;
}

void out_json_path(json_t *o, const char *key, const char *name, size_t len)
{
	json_t *v = json_stringn(name, len);
	char raw_key[64];
	char *text;

	if (v) {
		json_object_set_new(o, key, v);
		return;
	}
	text = malloc(4 * len + 4);
	if (text)
		json_object_set_new(
			o, key, json_string(ovl_escape(text, 4 * len + 4, name, len)));
	free(text);
	text = base64((const unsigned char *)name, len);
	snprintf(raw_key, sizeof(raw_key), "%s_raw", key);
	if (text)
		json_object_set_new(o, raw_key, json_string(text));
	free(text);
}

/* ---- files ------------------------------------------------------------------------ */

static int fail(struct out_file *f, struct ovl_err *err)
{
	char shown[512];
	int saved = errno;

	err->status = OVL_FAILED;
	snprintf(err->text, sizeof(err->text), "cannot write '%s': %s",
		ovl_escape(shown, sizeof(shown), f->shown, strlen(f->shown)),
		strerror(saved));
	return -saved;
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

/* Without a name where the file system can, else under a passing one. */
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

/* Through a symlink to the file it leads to, as other programs write. */
static int open_dir_of(struct out_file *f, const char *path)
{
	char *real = realpath(path, NULL);
	const char *slash;
	char *dir;

	if (real)
		path = real;
	slash = strrchr(path, '/');
	f->name = strdup(slash ? slash + 1 : path);
	dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	if (f->name && dir)
		f->dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	free(real);
	if (f->name && !*f->name) {
		errno = EISDIR;
		return -1;
	}
	return f->dirfd;
}

int out_file_open(struct out_file *f, const char *path, mode_t umask, struct ovl_err *err)
{
	struct stat st;

	*f = (struct out_file){.fd = -1, .dirfd = -1, .shown = path};
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		f->fd = open(path, O_WRONLY | O_CLOEXEC);
		if (f->fd < 0)
			return fail(f, err);
		return 0;
	}
	if (open_dir_of(f, path) < 0 || open_new(f, 0666 & ~umask) < 0) {
		int rc = fail(f, err);

		out_file_close(f);
		return rc;
	}
	return 0;
}

/* A file without a name gets one that is free first: link(2) replaces nothing. */
static int give_name(struct out_file *f)
{
	char link[48];

	if (f->temp)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", f->fd);
	if (linkat(AT_FDCWD, link, f->dirfd, f->name, AT_SYMLINK_FOLLOW) == 0)
		return 1;
	if (errno != EEXIST)
		return -1;
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

int out_file_commit(struct out_file *f, struct ovl_err *err)
{
	int r;

	if (!f->name)
		return close_written(f, err);
	r = give_name(f);
	if (r == 0)
		r = renameat(f->dirfd, f->temp, f->dirfd, f->name);
	if (r < 0)
		return fail(f, err);
	free(f->temp);
	f->temp = NULL;
	return close_written(f, err);
}

void out_file_close(struct out_file *f)
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
