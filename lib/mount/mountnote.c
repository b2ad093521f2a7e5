/* SPDX-License-Identifier: ISC */
/* Notes of a layer's mounts: creates, reads, checks and removes them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/vec.h"
#include "mount/mountnote.h"
#include "mount/superblock.h"
#include "store/driver.h"
#include "store/store.h"

#define PREFIX ".mount."
#define FRESH  PREFIX "new"
#define SPARE  PREFIX "spare"
#define BOOT   36 /* characters of a boot id */

static const char no_boot[] = "00000000-0000-0000-0000-000000000000";

void mountnotes_release(struct mountnotes *m)
{
	free(m->note);
	m->note = NULL;
	m->n = 0;
}

/* Container managers such as LXC and systemd-nspawn mount another id on the kernel's. A
 * copy of the mount below does not have that; a process that may not make one cannot know
 * the id, nor one that has a /proc with subset=pid. */
static int read_boot(char boot[BOOT + 1])
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	auto_fd below = -1;
	auto_buf text = {0};
	struct statx sx;

	memcpy(boot, no_boot, sizeof(no_boot));
	if (statx(AT_FDCWD, path, 0, STATX_TYPE, &sx) == 0 &&
		(sx.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
		below = open_tree(AT_FDCWD, "/proc/sys/kernel/random",
			OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		if (below < 0)
			return 0;
	}
	if (fs_read_file(below, below < 0 ? path : "boot_id", 64, &text) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (text.len < BOOT)
		return -EIO;
	memcpy(boot, text.data, BOOT);
	boot[BOOT] = '\0';
	return 0;
}

/* Identifies the layer directory fd. */
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

/* The notes to read: those of this directory since this boot. */
struct reader {
	char boot[BOOT + 1];
	struct owner owner;
};

static bool is_other_boot(const char *a, const char *b)
{
	return strncmp(a, b, BOOT) != 0 && strncmp(a, no_boot, BOOT) != 0 &&
		strncmp(b, no_boot, BOOT) != 0;
}

static void parse_rest(const char *rest, const struct reader *r, struct mountnote *out)
{
	struct owner of = {0};
	unsigned long long key = 0;
	int n = 0;

	if (strlen(rest) < BOOT || is_other_boot(rest, r->boot))
		out->state = NOTE_DEAD;
	else
		n = sscanf(rest + BOOT, "-%llx.%llx-%*x-%llx", &of.dev, &of.ino, &key);
	if (n >= 2 && (of.dev != r->owner.dev || of.ino != r->owner.ino))
		out->state = NOTE_DEAD;
	out->key = key <= INT_MAX ? (int)key : 0;
}

static bool parse_note(const char *name, const struct reader *r, struct mountnote *out)
{
	const char *dash = strchr(name, '-');
	unsigned major;
	unsigned minor;

	if (!dash || strlen(name) >= sizeof(out->name))
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out->name, name, strlen(name) + 1);
	if (sscanf(name, PREFIX "%u:%u-", &major, &minor) == 2) {
		out->dev = makedev(major, minor);
		out->state = NOTE_LIVE;
	} else if (strncmp(name, FRESH, sizeof(FRESH) - 1) == 0) {
		out->state = NOTE_NEW;
	} else {
		return false;
	}
	parse_rest(dash + 1, r, out);
	return true;
}

int mountnotes_read(const struct layer *l, struct mountnotes *out)
{
	auto_mountnotes m = {0};
	auto_fsdir d = fs_dir_at(l->foreign ? -ENOENT : l->fd, ".");
	struct reader r = {0};
	const char *name;
	int rc = 0;
	int more = 0;

	memset(out, 0, sizeof(*out));
	while (rc == 0 && (more = fs_dir_next(&d, &name, NULL)) > 0) {
		if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0 || !strchr(name, '-'))
			continue;
		if (!*r.boot)
			rc = read_boot(r.boot);
		if (rc == 0 && !r.owner.ino)
			rc = owner_of(l->fd, &r.owner);
		if (rc == 0 && !VEC_ROOM(m.note, m.n))
			rc = -ENOMEM;
		if (rc == 0 && parse_note(name, &r, &m.note[m.n]))
			m.n++;
	}
	if (rc < 0 || more < 0)
		return rc < 0 ? rc : -errno;
	*out = steal(m);
	return 0;
}

static void ask(struct mountnote *note)
{
	enum superblock is;

	/* There is nothing to ask about. */
	if (note->state == NOTE_DEAD || (!note->dev && !note->key))
		return;
	is = superblock_of(note->dev, note->key);
	if (is == SB_DEAD)
		note->state = NOTE_DEAD;
	else if (is == SB_LIVE)
		note->state = NOTE_LIVE;
	else if (note->state == NOTE_LIVE)
		note->state = NOTE_UNKNOWN;
}

void mountnotes_ask(struct mountnotes *m)
{
	for (size_t i = 0; i < m->n; i++)
		ask(&m->note[i]);
}

/* True if a note is live that may soon turn out to be dead. */
static bool may_go(const struct mountnotes *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->note[i].state == NOTE_LIVE && m->note[i].key)
			return true;
	}
	return false;
}

void mountnotes_ask_long(struct mountnotes *m, unsigned ms)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};

	for (unsigned i = 0; i < ms / 20 && may_go(m); i++) {
		nanosleep(&pause, NULL);
		mountnotes_ask(m);
	}
}

int mountnotes_count(const struct layer *l, int *n)
{
	auto_mountnotes m = {0};
	int rc = mountnotes_read(l, &m);

	*n = rc < 0 ? -1 : 0;
	for (size_t i = 0; i < m.n && *n >= 0; i++) {
		enum superblock is = m.note[i].state != NOTE_LIVE ?
			SB_DEAD :
			superblock_known(m.note[i].dev, m.note[i].key);

		*n = is == SB_UNKNOWN ? -1 : *n + (is == SB_LIVE);
	}
	return rc;
}

const struct mountnote *mountnotes_open(const struct mountnotes *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->note[i].state != NOTE_DEAD)
			return &m->note[i];
	}
	return NULL;
}

void mountnotes_end(struct mountnotes *m)
{
	for (size_t i = 0; i < m->n; i++)
		m->note[i].state = NOTE_DEAD;
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

int mountnote_begin(const struct layer *l, struct mountnote *out)
{
	char boot[BOOT + 1];
	struct owner owner = {0};
	int rc = read_boot(boot);

	if (rc == 0)
		rc = owner_of(l->fd, &owner);
	if (rc < 0)
		return rc;
	memset(out, 0, sizeof(*out));
	out->key = superblock_key(l->st->xattrs.user);
	snprintf(out->name, sizeof(out->name), FRESH "-%s-%llx.%llx-%llx-%x", boot,
		owner.dev, owner.ino, time_now(), (unsigned)out->key);
	out->state = NOTE_NEW;
	return renameat(l->fd, SPARE, l->fd, out->name) < 0 &&
			fs_write_new(l->fd, out->name, NULL, 0) < 0 ?
		-errno :
		0;
}

int mountnote_number(const struct layer *l, struct mountnote *note, dev_t dev)
{
	struct mountnote numbered = {.dev = dev, .key = note->key, .state = NOTE_LIVE};

	snprintf(numbered.name, sizeof(numbered.name), PREFIX "%u:%u%s", major(dev),
		minor(dev), strchr(note->name, '-'));
	if (renameat(l->fd, note->name, l->fd, numbered.name) < 0)
		return -errno;
	*note = numbered;
	return 0;
}

void mountnotes_number(const struct layer *l, struct mountnotes *m, dev_t dev)
{
	struct mountnote *new = NULL;

	for (size_t i = 0; i < m->n; i++) {
		if (m->note[i].state == NOTE_NEW)
			new = &m->note[i];
		else if (m->note[i].state == NOTE_LIVE && m->note[i].dev == dev)
			return;
	}
	if (new)
		mountnote_number(l, new, dev);
}

void mountnote_drop(const struct layer *l, const struct mountnote *note)
{
	if (renameat(l->fd, note->name, l->fd, SPARE) < 0)
		unlinkat(l->fd, note->name, 0);
}
