/* Notes of a layer's mounts: making, reading, judging, dropping them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
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

/* ---- reading ---------------------------------------------------------------------- */

static bool parse(const char *name, const char *boot, struct mountnote *out)
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
	if (strncmp(dash + 1, boot, BOOT) != 0)
		out->state = NOTE_DEAD;
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

int mountnotes_read(const struct layer *l, struct mountnotes *out)
{
	auto_mountnotes m = {0};
	auto_fsdir d = {.fd = -1};
	char boot[BOOT + 1] = "";
	struct mountnote note;
	const char *name;
	int rc = 0;
	int r = 0;

	memset(out, 0, sizeof(*out));
	if (fs_dir_open(&d, l->fd, DIR) < 0)
		return errno == ENOENT ? 0 : -errno;
	while (rc == 0 && (r = fs_dir_next(&d, &name, NULL)) > 0) {
		if (!strchr(name, '-'))
			continue;
		if (!*boot)
			rc = read_boot(boot);
		if (rc == 0 && parse(name, boot, &note))
			rc = add(&m, &note);
	}
	if (rc < 0 || r < 0)
		return rc < 0 ? rc : -errno;
	*out = m;
	memset(&m, 0, sizeof(m));
	return 0;
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
	uint64_t number;
	int rc = read_boot(boot);

	if (rc < 0)
		return rc;
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		return -errno;
	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s-%s-%016llx", fresh, boot,
		(unsigned long long)number);
	out->state = NOTE_NEW;
	path_of(out, path);
	return make(l, path);
}

int mountnote_number(const struct layer *l, struct mountnote *note, dev_t dev)
{
	char old[MOUNTNOTE_SIZE + 16];
	char path[MOUNTNOTE_SIZE + 16];
	struct mountnote numbered = {.dev = dev, .state = NOTE_LIVE};

	snprintf(numbered.name, sizeof(numbered.name), "%u:%u%s", major(dev), minor(dev),
		strchr(note->name, '-'));
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
