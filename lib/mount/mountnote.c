/* SPDX-License-Identifier: ISC */
/* Notes of a layer's mounts: making, reading, judging, dropping them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "mount/mountnote.h"
#include "mount/superblock.h"
#include "store/driver.h"

#define DIR   MOUNTNOTES
#define SPARE DIR "/spare"
#define BOOT  36 /* characters of a boot id */

static const char fresh[] = "new";

void mountnotes_release(struct mountnotes *m)
{
	free(m->note);
	m->note = NULL;
	m->n = 0;
}

static int read_boot(char boot[BOOT + 1])
{
	auto_buf text = {0};

	if (fs_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text) < 0)
		return -errno;
	if (text.len < BOOT)
		return -EIO;
	memcpy(boot, text.data, BOOT);
	boot[BOOT] = '\0';
	return 0;
}

/* What tells the layer directory fd from others. */
struct owner {
	unsigned long long dev;
	unsigned long long ino;
};

static int owner_of(int fd, struct owner *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*out = (struct owner){st.st_dev, st.st_ino};
	return 0;
}

static unsigned long long time_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (unsigned long long)t.tv_sec * 1000000000 + (unsigned long long)t.tv_nsec;
}

/* ---- reading ---------------------------------------------------------------------- */

/* Notes of whom, of which boot. */
struct reader {
	char boot[BOOT + 1];
	struct owner owner;
};

static void parse_rest(const char *rest, const struct reader *r, struct mountnote *out)
{
	struct owner of;
	unsigned long long begun = 0;
	unsigned long long done = UINT64_MAX;
	int n = 0;

	if (strncmp(rest, r->boot, BOOT) == 0)
		n = sscanf(rest + BOOT, "-%llx.%llx-%llx-%llx", &of.dev, &of.ino, &begun,
			&done);
	else
		out->state = NOTE_DEAD;
	if (n >= 2 && (of.dev != r->owner.dev || of.ino != r->owner.ino))
		out->state = NOTE_DEAD;
	out->begun = begun;
	out->done = done;
}

static bool parse(const char *name, const struct reader *r, struct mountnote *out)
{
	const char *dash = strchr(name, '-');
	unsigned major;
	unsigned minor;

	if (!dash || strlen(name) >= sizeof(out->name))
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out->name, name, strlen(name) + 1);
	if (sscanf(name, "%u:%u-", &major, &minor) == 2) {
		out->dev = makedev(major, minor);
		out->state = NOTE_LIVE;
	} else if (strncmp(name, fresh, sizeof(fresh) - 1) == 0) {
		out->state = NOTE_NEW;
	} else {
		return false;
	}
	parse_rest(dash + 1, r, out);
	return true;
}

static int add(struct mountnotes *m, const struct mountnote *note)
{
	struct mountnote *more = realloc(m->note, (m->n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	m->note = more;
	m->note[m->n++] = *note;
	return 0;
}

/* Of the layer directory fd. */
static int read_notes(int fd, struct mountnotes *out)
{
	auto_mountnotes m = {0};
	auto_fsdir d = {.fd = -1};
	struct reader r = {0};
	struct mountnote note;
	const char *name;
	int rc = 0;
	int more = 0;

	memset(out, 0, sizeof(*out));
	if (fs_dir_open(&d, fd, DIR) < 0)
		return fs_is_gone(errno) ? 0 : -errno;
	while (rc == 0 && (more = fs_dir_next(&d, &name, NULL)) > 0) {
		if (!strchr(name, '-'))
			continue;
		if (!*r.boot)
			rc = read_boot(r.boot);
		if (rc == 0 && !r.owner.ino)
			rc = owner_of(fd, &r.owner);
		if (rc == 0 && parse(name, &r, &note))
			rc = add(&m, &note);
	}
	if (rc < 0 || more < 0)
		return rc < 0 ? rc : -errno;
	*out = m;
	memset(&m, 0, sizeof(m));
	return 0;
}

int mountnotes_read(const struct layer *l, struct mountnotes *out)
{
	return read_notes(l->fd, out);
}

void mountnotes_ask(const struct layer *l, struct mountnotes *m)
{
	auto_fd tree = -1;

	for (size_t i = 0; i < m->n; i++) {
		struct mountnote *note = &m->note[i];

		if (note->state != NOTE_LIVE)
			continue;
		if (tree < 0)
			tree = fs_open_dir(l->fd, layer_tree_name(l));
		switch (superblock_of(note->dev, tree)) {
		case SB_DEAD: note->state = NOTE_DEAD; break;
		case SB_LIVE: break;
		case SB_UNKNOWN: note->state = NOTE_UNKNOWN; break;
		}
	}
}

struct outdated {
	const struct layer *l;
	struct mountnotes *m;
};

static int compare(void *ctx, const struct driver *drv, int dir, const char *name)
{
	const struct outdated *o = ctx;
	auto_mountnotes others = {0};
	auto_fd fd = -1;

	if (!id_is_full(name) || (drv == o->l->drv && strcmp(name, o->l->id.s) == 0))
		return 0;
	fd = fs_open_dir(dir, name);
	if (fd < 0 || read_notes(fd, &others) < 0)
		return 0;
	for (size_t i = 0; i < others.n; i++) {
		const struct mountnote *other = &others.note[i];

		for (size_t k = 0; k < o->m->n && other->state == NOTE_LIVE; k++) {
			struct mountnote *note = &o->m->note[k];

			if (note->state != NOTE_NEW && note->dev == other->dev &&
				note->done < other->begun)
				note->state = NOTE_DEAD;
		}
	}
	return 0;
}

void mountnotes_outdated(const struct layer *l, struct mountnotes *m)
{
	struct outdated o = {l, m};
	struct ovl_err why;

	layers_each(l->st, compare, &o, &why);
}

size_t mountnotes_clear(const struct layer *l, struct mountnotes *m)
{
	size_t left = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (m->note[i].state == NOTE_DEAD)
			mountnote_drop(l, &m->note[i]);
		else
			m->note[left++] = m->note[i];
	}
	m->n = left;
	return left;
}

/* ---- making ----------------------------------------------------------------------- */

static void path_of(const struct mountnote *note, char path[MOUNTNOTE_SIZE + 16])
{
	snprintf(path, MOUNTNOTE_SIZE + 16, DIR "/%s", note->name);
}

static int make(const struct layer *l, const char *path)
{
	int fd = -1;

	if (renameat(l->fd, SPARE, l->fd, path) == 0)
		return 0;
	/* What is no directory cannot have been made for notes. */
	if (errno == ENOTDIR)
		unlinkat(l->fd, DIR, 0);
	for (int i = 0; i < 2 && fd < 0; i++) {
		fd = openat(l->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && (errno != ENOENT || fs_mkdir(l->fd, DIR, 0700) < 0))
			return -errno;
	}
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int mountnote_begin(const struct layer *l, struct mountnote *out)
{
	char path[MOUNTNOTE_SIZE + 16];
	char boot[BOOT + 1];
	struct owner owner = {0};
	int rc = read_boot(boot);

	if (rc == 0)
		rc = owner_of(l->fd, &owner);
	if (rc < 0)
		return rc;
	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s-%s-%llx.%llx-%llx", fresh, boot,
		owner.dev, owner.ino, time_now());
	out->state = NOTE_NEW;
	path_of(out, path);
	return make(l, path);
}

int mountnote_number(const struct layer *l, struct mountnote *note, dev_t dev)
{
	char old[MOUNTNOTE_SIZE + 16];
	char path[MOUNTNOTE_SIZE + 16];
	struct mountnote numbered = {.dev = dev, .state = NOTE_LIVE};

	snprintf(numbered.name, sizeof(numbered.name), "%u:%u%s-%llx", major(dev),
		minor(dev), strchr(note->name, '-'), time_now());
	path_of(note, old);
	path_of(&numbered, path);
	if (renameat(l->fd, old, l->fd, path) < 0)
		return -errno;
	*note = numbered;
	return 0;
}

void mountnote_drop(const struct layer *l, const struct mountnote *note)
{
	char path[MOUNTNOTE_SIZE + 16];

	path_of(note, path);
	if (renameat(l->fd, path, l->fd, SPARE) < 0)
		unlinkat(l->fd, path, 0);
}
