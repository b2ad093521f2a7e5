/* SPDX-License-Identifier: ISC */
/* Finds out whether a layer is in use, where and by whom. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/holder.h"
#include "base/pathset.h"
#include "base/quote.h"
#include "mount/inuse.h"
#include "mount/mountnote.h"
#include "mount/mounts.h"
#include "mount/namespaces.h"
#include "mount/upper.h"
#include "store/driver.h"
#include "store/lock.h"
#include "store/store.h"

void inuse_release(struct inuse *u)
{
	mi_release(&u->seen);
	pathset_free(u->shown);
	u->shown = NULL;
	u->others = 0;
}

void inuse_let_go(struct inuse *u)
{
	for (size_t i = 1; i < u->seen.n; i++) {
		if (u->seen.table[i].root >= 0) {
			inuse_release(u);
			return;
		}
	}
}

int inuse_lock(const struct layer *l, const char *what, struct ovl_err *err)
{
	char subject[QUOTE_SIZE + 16];
	auto_fd tree = layer_tree(l, err);
	int rc;

	if (tree < 0)
		return tree;
	snprintf(subject, sizeof(subject), "layer %s", Q(what));
	rc = lock_take(l->st, tree, LOCK_EX, subject, err);
	return rc < 0 ? rc : steal_fd(&tree);
}

/* ---- one question ----------------------------------------------------------------- */

struct question {
	struct inuse *u;
	const struct layer *l;
	const char *what;
	enum inuse_for why;
	struct mountnotes notes;
	int upper; /* the result of upper_ask(); 0 for an image layer */
	int lock; /* of its mounts; negative: not taken */
	bool left; /* it is mounted in a namespace without a visible process */
	struct ovl_err *err;
};

/* The file system of the layer, in the form of mountinfo. */
static const char *device_of(const struct question *q)
{
	const struct mi_line *on = mi_of_file(&q->u->seen.table[0], q->l->fd);

	return on ? on->dev : NULL;
}

/* Collects the ids in the tables: most layers are in none, and need not be looked for in
 * each line. The root of a namespace with no layer of this store is not needed, and open
 * it would keep what is mounted there. */
static int add_shown(struct question *q, size_t first)
{
	struct inuse *u = q->u;
	int rc = 0;

	if (!u->shown)
		u->shown = pathset_new();
	if (!u->shown)
		return -ENOMEM;
	for (size_t i = first; i < u->seen.n && rc == 0; i++) {
		struct mi_table *t = &u->seen.table[i];

		rc = mounts_shown(q->l->st, t, u->shown);
		if (rc == 0)
			close_fdp(&t->root);
		if (rc >= 0)
			rc = mounts_paths(t, u->shown);
	}
	return rc;
}

static int see(struct question *q, enum inuse_others others)
{
	struct mi_all *seen = &q->u->seen;
	bool read = seen->n;
	int rc = read ? 0 : mi_self(seen);

	if (rc == 0 && !read)
		rc = add_shown(q, 0);

	if (rc == 0 && others > q->u->others) {
		mi_keep_own(seen);
		rc = namespaces_read(
			seen, others == INUSE_ALL_OTHERS ? NULL : device_of(q));
		if (rc == 0)
			rc = add_shown(q, 1);
		q->u->others = rc == 0 ? others : 0;
	}
	return rc < 0 ? err_sys(q->err, -rc, "cannot read '/proc/self/mountinfo'") : 0;
}

static const char *mounted(const struct question *q)
{
	static const char *const text[] = {
		[INUSE_MOUNT] = "is already mounted",
		[INUSE_TAKE] = "is mounted",
		[INUSE_UMOUNT] = "is not mounted in this mount namespace, but",
	};

	return text[q->why];
}

/* Looks for the layer in the tables, beginning with the one at first. */
static int refuse_mounted(struct question *q, size_t first)
{
	struct layer_ref ref = layer_ref_of(q->l);
	auto_buf where = {0};

	if (!pathset_has(q->u->shown, layer_letter(&ref), ref.id.s, ID_LEN))
		return 0;
	for (size_t i = first; i < q->u->seen.n; i++) {
		const struct mi_table *t = &q->u->seen.table[i];
		enum mounts_how how = mounts_find(q->l->st, t, &ref, &where);

		if (how == MOUNTS_NOT || (how == MOUNTS_PART && q->why == INUSE_UMOUNT))
			continue;
		q->left = namespaces_is_left(t, &q->u->seen.table[0]);
		if (how == MOUNTS_OWN)
			return err_status(q->err, OVL_BUSY, "layer %s %s on %s%s",
				Q(q->what), mounted(q), where.data,
				q->why == INUSE_TAKE ? "; unmount it first" : "");
		return err_status(q->err, OVL_BUSY,
			"layer %s is part of the overlay mounted on %s", Q(q->what),
			where.data);
	}
	return 0;
}

/* Drops notes whose device number belongs to a mount of something else, as far as that
 * can be seen. */
static void drop_own_mounts(struct question *q, size_t first)
{
	struct layer_ref ref = layer_ref_of(q->l);

	for (size_t i = 0; i < q->notes.n; i++) {
		struct mountnote *note = &q->notes.note[i];

		if (note->state != NOTE_LIVE && note->state != NOTE_UNKNOWN)
			continue;
		for (size_t k = first; k < q->u->seen.n; k++) {
			if (mounts_anothers(
				    q->l->st, &q->u->seen.table[k], &ref, note->dev))
				note->state = NOTE_DEAD;
		}
	}
}

static void question_end(struct question *q)
{
	mountnotes_release(&q->notes);
	close_fdp(&q->lock);
}

/* Asking makes a mount fail that begins at the same time, or one of which the kernel then
 * does not know that it has the upper. */
static int ask_upper(struct question *q)
{
	if (q->why != INUSE_MOUNT)
		q->lock = inuse_lock(q->l, q->what, q->err);
	return q->lock == -EBUSY || q->lock == -EINTR ? q->lock : upper_ask(q->l, q->err);
}

static int ask(struct question *q)
{
	int rc = mountnotes_read(q->l, &q->notes);

	if (rc < 0)
		return err_sys(
			q->err, -rc, "cannot read the mounts of layer %s", Q(q->what));
	drop_own_mounts(q, 0);
	mountnotes_ask(&q->notes);
	if (q->l->meta.kind != OVL_WRITABLE ||
		(!mountnotes_open(&q->notes) && upper_is_idle(q->l)))
		return 0;
	q->upper = ask_upper(q);
	return q->upper < 0 && q->upper != -EPERM ? q->upper : 0;
}

/* ---- the answer ------------------------------------------------------------------- */

static int refuse_detached(struct question *q, const struct mountnote *note)
{
	const char *comma = q->why == INUSE_UMOUNT ? "" : ",";
	char who[HOLDER_SIZE];

	if (note && note->dev && note->state == NOTE_LIVE &&
		holder_of_mount(note->dev, 0, NULL, who))
		return err_status(q->err, OVL_BUSY,
			"layer %s %s%s detached and still in use by %s", Q(q->what),
			mounted(q), comma, who);
	return err_status(q->err, OVL_BUSY,
		"layer %s %s%s either in a mount namespace that cannot be seen from "
		"here, or detached and still in use",
		Q(q->what), mounted(q), comma);
}

static int refuse_unknown(struct question *q)
{
	if (q->why == INUSE_MOUNT)
		return -EPERM;
	return err_status(q->err, OVL_BUSY,
		"layer %s may be mounted: the kernel does not let this process find out",
		Q(q->what));
}

/* The kernel knows all uppers, so its answer is used, even if something has the number of
 * a note. */
static int judge_upper(struct question *q)
{
	const struct mountnote *open = mountnotes_open(&q->notes);

	if (q->upper > 0)
		q->upper = upper_ask_long(q->l, q->err);
	if (q->upper < 0 && q->upper != -EPERM)
		return q->upper;
	if (q->upper > 0 || (q->upper == -EPERM && open && open->state == NOTE_LIVE))
		return refuse_detached(q, open);
	if (q->upper == -EPERM && (open || !q->notes.n))
		return refuse_unknown(q);
	mountnotes_end(&q->notes);
	return 0;
}

static int judge_image(struct question *q)
{
	const struct mountnote *open;

	/* A mount without number and key would be in the tables. */
	for (size_t i = 0; i < q->notes.n; i++) {
		if (q->notes.note[i].state == NOTE_NEW)
			q->notes.note[i].state = NOTE_DEAD;
	}
	open = mountnotes_open(&q->notes);
	if (!open)
		return 0;
	return open->state == NOTE_LIVE ? refuse_detached(q, open) : refuse_unknown(q);
}

static int refuse_below(struct question *q)
{
	auto_buf where = {0};
	int rc = 0;

	if (pathset_has(q->u->shown, MOUNTS_PATH, q->l->id.s, ID_LEN))
		rc = mounts_below(q->l, &q->u->seen, &where);
	if (rc > 0)
		return err_status(q->err, OVL_BUSY,
			rc == 1 ?
				"something is mounted in the directory of layer %s, on %s" :
				"a part of layer %s is mounted on %s",
			Q(q->what), where.data);
	return rc < 0 ? err_nomem(q->err) : 0;
}

/* Whatever has the number of a note may be any file system, in any namespace. */
static int look_everywhere(struct question *q)
{
	bool open;
	int rc = see(q, 0);

	if (rc == 0)
		rc = refuse_mounted(q, 0);
	if (rc == 0)
		rc = ask(q);
	open = rc == 0 && (mountnotes_open(&q->notes) || q->upper > 0);
	if (rc == 0 && (q->why != INUSE_MOUNT || open)) {
		rc = see(q, open ? INUSE_ALL_OTHERS : INUSE_OTHERS);
		if (rc == 0)
			rc = refuse_mounted(q, 1);
		drop_own_mounts(q, 1);
		if (rc == 0 && (q->l->meta.kind != OVL_WRITABLE || q->upper < 0))
			mountnotes_ask_long(&q->notes, 500);
	}
	if (rc < 0)
		return rc;
	rc = q->l->meta.kind == OVL_WRITABLE ? judge_upper(q) : judge_image(q);
	return rc == 0 && q->why == INUSE_TAKE ? refuse_below(q) : rc;
}

/* If the last process of a namespace has ended, another process that looks at all
 * namespaces, as this one does, may keep it for a moment. */
#define MAX_PAUSES 25

int inuse_refuse(struct inuse *u, const struct layer *l, const char *what,
	enum inuse_for why, struct ovl_err *err)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
	struct question q;
	int rc;

	for (;;) {
		q = (struct question){
			.u = u, .l = l, .what = what, .why = why, .lock = -1, .err = err};
		rc = look_everywhere(&q);
		if (rc == 0 || !q.left || u->pauses == MAX_PAUSES || store_stopped(l->st))
			break;
		question_end(&q);
		inuse_release(u);
		nanosleep(&pause, NULL);
		u->pauses++;
	}
	/* A new mount starts with no notes; other commands leave the layer as it is. */
	if (rc == 0 && why == INUSE_MOUNT)
		mountnotes_clear(l, &q.notes);
	question_end(&q);
	return rc;
}
