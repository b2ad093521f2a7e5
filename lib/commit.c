/*
 * commit: a writable layer becomes an image layer, by moving its tree.
 *
 * Under the exclusive lock of writable layer W:
 *
 *	1  W/.commit/ is made; the tree is packed, which gives the diff id and the recipe
 *	2  the tree is cleaned of what its tar does not say
 *	3  W/.commit/ gets all that the image layer I needs but a tree; the note W/.becomes
 *	   says which layer I will be
 *	4  hint in the parent; all is synced; the short link of I is made
 *	5  W/diff is renamed to W/.commit/diff
 *	6  W/.commit is renamed to I
 *	7  the names of W go to I; W goes to the trash, or with --keep changes places with an
 *	   empty layer that was built on I, by one rename
 *
 * Killed before 5, W is whole: what was cleaned away hid nothing, and sockets nobody
 * listens on. Killed between 5 and 6, W's tree lies in W/.commit, still inside W where no
 * cleaning up reaches it; who next takes a lock on W puts it back (commit_heal), and
 * nothing has happened. Killed after 6, I is there; W has no tree and a note of what it
 * became, and a second commit of it does step 7. With --sync=none a power cut may undo
 * these steps in another order; else 5 is synced before 6.
 *
 * Where the tree is not moved (it has marks that only a mount can follow; or I is there
 * already) the image layer appears first, by one rename as always, and W is dropped after.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "commit.h"
#include "digest.h"
#include "driver.h"
#include "fs.h"
#include "ingest.h"
#include "inuse.h"
#include "lock.h"
#include "names.h"
#include "pathset.h"
#include "quote.h"
#include "stage.h"
#include "store.h"
#include "used.h"
#include "volatile.h"

struct job {
	struct ovl_store *st;
	const struct ovl_commit *req;
	struct layer l; /* open and exclusively locked */
	struct layer parent; /* open and locked if has_parent */
	bool has_parent;
	struct committed c;
	struct layer_ref image; /* what it becomes */
	int held; /* its directory, locked, once it is there */
};

/* ---- a commit that was killed ----------------------------------------------------- */

static int cannot_read_note(const struct layer *l, struct ovl_err *err)
{
	return err_sys(
		err, errno, "cannot read '%s' of layer %.12s", COMMIT_NOTE, l->id.s);
}

int commit_became(const struct layer *l, struct ovl_id *id, struct ovl_err *err)
{
	auto_buf text = {0};

	if (fs_read_file(l->fd, COMMIT_NOTE, ID_LEN, &text) < 0)
		return fs_is_gone(errno) || errno == EFBIG || errno == EINVAL ?
			0 :
			cannot_read_note(l, err);
	if (!id_is_full(text.data))
		return 0;
	memcpy(id->s, text.data, ID_LEN + 1);
	return 1;
}

bool commit_needs(const struct layer *image)
{
	struct layer_ref ref = layer_ref_of(image);
	auto_layer from = LAYER_INIT;
	auto_buf text = {0};
	struct ovl_id became;
	struct ovl_err why = {.status = OVL_FAILED};

	int r;

	if (fs_read_file(image->fd, COMMIT_FROM, ID_LEN, &text) < 0)
		return !fs_is_gone(errno);
	if (!id_is_full(text.data))
		return false;
	memcpy(ref.id.s, text.data, ID_LEN + 1);
	if (layer_open_ref(image->st, &ref, 0, ref.id.s, &from, &why) < 0)
		return why.status != OVL_NOLAYER;
	r = fs_exists(from.fd, layer_tree_name(&from));
	if (r)
		return r < 0;
	r = commit_became(&from, &became, NULL);
	return r < 0 || (r > 0 && strcmp(became.s, image->id.s) == 0);
}

int commit_heal(const struct layer *l, struct ovl_err *err)
{
	const char *tree = l->drv->tree[OVL_WRITABLE];
	const char *in_stage = l->drv->tree[OVL_IMAGE];
	auto_fd stage = -1;
	int noted = fs_exists(l->fd, COMMIT_NOTE);

	if (noted <= 0)
		return noted < 0 ? cannot_read_note(l, err) : 0;
	stage = fs_open_dir(l->fd, COMMIT_STAGE);
	if (stage < 0 && errno == ENOENT)
		return 0;
	if (stage >= 0 &&
		(fs_rename(stage, in_stage, l->fd, tree, RENAME_NOREPLACE) == 0 ||
			errno == ENOENT))
		return 0;
	return err_sys(err, errno,
		"cannot put the tree of layer %.12s back, whose commit was interrupted",
		l->id.s);
}

/* The note goes last: until then the tree may be in its stage. */
static int forget(const struct layer *l, struct ovl_err *err)
{
	if (unlinkat(l->fd, COMMIT_NOTE, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "cannot remove '%s' of layer %.12s",
			COMMIT_NOTE, l->id.s);
	return 0;
}

/* Was its commit begun before, and only its end is missing? 1 and id, 0, -errno. */
static int was_begun(const struct layer *l, struct ovl_id *id, struct ovl_err *err)
{
	int tree = fs_exists(l->fd, layer_tree_name(l));

	if (tree < 0)
		return err_sys(
			err, errno, "cannot look for the tree of layer %.12s", l->id.s);
	return tree ? 0 : commit_became(l, id, err);
}

/* ---- may it be? ------------------------------------------------------------------- */

/* With --keep the name of the writable layer stays its own; else it may be given again. */
static int check_name(const struct job *job, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(&job->l);
	struct layer_ref owner;
	int r;

	if (!job->req->name)
		return 0;
	r = names_lookup(job->st, job->req->name, &owner, err);
	if (r > 0 && layer_ref_same(&owner, &job->image))
		return 0;
	return r < 0 ?
		r :
		names_check(job->st, job->req->name, job->req->keep ? NULL : &self, err);
}

/* Holds nothing when it fails: for lock_all(). */
static int open_unused(void *ctx, struct ovl_err *err)
{
	struct job *job = ctx;
	const char *what = job->req->layer;
	auto_layer l = LAYER_INIT;
	auto_inuse inuse = {0};
	int rc = layer_open(job->st, what, LOCK_EX, &l, err);

	if (rc < 0)
		return rc;
	if (l.meta.kind != OVL_WRITABLE)
		return err_say(
			err, EINVAL, "layer %s is an image layer already", Q(what));
	rc = inuse_refuse(&inuse, &l, what, INUSE_TAKE, err);
	if (rc < 0)
		return rc;
	job->l = l;
	l.fd = -1;
	return volatile_check(&job->l, what, false, err);
}

static int open_layer(struct job *job, struct ovl_err *err)
{
	return lock_all(job->st, open_unused, job, err);
}

static int open_parent(struct job *job, struct ovl_err *err)
{
	struct layer_ref ref = layer_ref_of(&job->l);
	int rc;

	if (!job->l.meta.has_parent)
		return 0;
	ref.id = job->l.meta.parent;
	rc = layer_open_ref(job->st, &ref, LOCK_SH, ref.id.s, &job->parent, err);
	if (rc < 0)
		return err_prefix(err, rc, "the parent of layer %s", Q(job->req->layer));
	job->has_parent = true;
	return driver_check_depth(&job->parent, OVL_IMAGE, err);
}

static const struct layer *parent_of(const struct job *job)
{
	return job->has_parent ? &job->parent : NULL;
}

static int find_id(struct job *job, const char *diff_id, struct ovl_err *err)
{
	job->image = layer_ref_of(&job->l);
	job->image.id.s[0] = '\0';
	return digest_chain(
		job->has_parent ? job->parent.id.s : NULL, diff_id, &job->image.id, err);
}

/* ---- moving the tree -------------------------------------------------------------- */

/* As an import writes it. */
static int write_meta(struct job *job, struct stage *sg, struct ovl_err *err)
{
	const struct layer *parent = parent_of(job);
	const struct committed *c = &job->c;
	struct seed seed = {.parent = parent, .cut = c->cut};
	struct meta m = {
		.kind = OVL_IMAGE,
		.size = c->size,
		.entries = c->entries,
		.tar_size = c->tar_size,
		.created = time(NULL),
	};
	int rc = sg->drv->seed(sg, &seed, err);

	if (rc < 0)
		return rc;
	driver_place(&m, parent, c->cut);
	memcpy(m.link, sg->link, sizeof(m.link));
	memcpy(m.diff_id, c->diff_id, sizeof(m.diff_id));
	return meta_write(sg->fd, &m, err);
}

/* 1 the tree is the image layer's now, 0 it is there already, negative errno. */
static int move(struct job *job, struct stage *sg, struct ovl_err *err)
{
	const struct ovl_id *id = &job->image.id;
	int rc;

	rc = layer_exists(job->st, &job->image, err);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = commit_clean(&job->l, sg->fd, &job->c, err);
	if (rc == 0)
		rc = write_meta(job, sg, err);
	if (rc == 0)
		rc = forget(&job->l, err);
	if (rc == 0 && fs_write_new(job->l.fd, COMMIT_NOTE, id->s, ID_LEN) < 0)
		rc = err_sys(err, errno, "cannot write '%s' of layer %.12s", COMMIT_NOTE,
			job->l.id.s);
	if (rc == 0 && fs_write_new(sg->fd, COMMIT_FROM, job->l.id.s, ID_LEN) < 0)
		rc = err_sys(err, errno, "cannot write '%s'", COMMIT_FROM);
	/* It has no name yet: nobody takes it for one that is not needed. */
	sg->hold = true;
	if (rc == 0)
		rc = stage_commit(
			sg, id, parent_of(job), NULL, store_durable(job->st), err);
	job->held = steal_fd(&sg->held);
	/* The tree is where it was: no commit was begun. */
	if (rc < 0 && fs_exists(job->l.fd, layer_tree_name(&job->l)) > 0)
		forget(&job->l, NULL);
	return rc;
}

/* Fails with c->unpack if it cannot be moved. */
static int try_move(struct job *job, struct ovl_err *err)
{
	const char *clamp = secure_getenv("SOURCE_DATE_EPOCH");
	auto_stage sg = STAGE_INIT;
	int rc;

	/* Where the tar has other times than the tree, the tar's count. And files of a tree
	 * that stays must not be those of one that others see the whole of. */
	job->c.unpack = job->l.drv->whole || (clamp && *clamp);
	if (job->c.unpack)
		return -EXDEV;
	rc = stage_begin_in(&job->l, COMMIT_STAGE, &sg, err);
	if (rc == 0)
		rc = commit_pack(&job->l, sg.fd, &job->c, err);
	if (rc < 0)
		return rc;
	rc = find_id(job, job->c.diff_id, err);
	if (rc == 0)
		rc = check_name(job, err);
	return rc < 0 ? rc : move(job, &sg, err);
}

/* ---- or unpacking its tar --------------------------------------------------------- */

static int run_unpack(struct job *job, struct ingest *in, struct ovl_err *err)
{
	const struct layer *parent = parent_of(job);
	int rc = commit_unpack(&job->l, job->l.drv, in, &job->c.sockets, err);

	if (rc == 0)
		rc = find_id(job, in->diff_id, err);
	if (rc == 0)
		rc = check_name(job, err);
	if (rc == 0)
		rc = layer_exists(job->st, &job->image, err);
	if (rc)
		return rc < 0 ? rc : 0;
	memcpy(job->c.diff_id, in->diff_id, sizeof(job->c.diff_id));
	rc = ingest_commit(in, parent, &job->image.id, NULL, err);
	job->c.entries = in->unpack.entries;
	job->c.size = in->unpack.bytes;
	return rc;
}

static int unpack(struct job *job, struct ovl_err *err)
{
	struct ingest in = INGEST_INIT;
	int rc = run_unpack(job, &in, err);

	ingest_end(&in);
	return rc;
}

/* ---- all of it -------------------------------------------------------------------- */

/* 1 it was made, 0 it was there already, negative errno. */
static int make_image(struct job *job, struct ovl_err *err)
{
	int rc = open_parent(job, err);

	if (rc < 0)
		return rc;
	rc = try_move(job, err);
	if (rc < 0 && job->c.unpack)
		rc = unpack(job, err);
	if (rc < 0)
		return rc;
	if (job->c.sockets)
		store_warn(job->st, "%" PRIu64 " %s left out", job->c.sockets,
			job->c.sockets == 1 ? "socket" : "sockets");
	store_detail(job->st,
		"diff id sha256:%s, %" PRIu64 " entries, %" PRIu64 " bytes of files%s%s",
		job->c.diff_id, job->c.entries, job->c.size,
		job->c.unpack ? "; unpacked" : "", rc ? "" : "; was there already");
	return rc;
}

static int commit(struct job *job, struct ovl_id *id, struct ovl_err *err)
{
	auto_layer image = LAYER_INIT;
	const char *name = job->req->name;
	int made;
	int rc;

	if (name && !ovl_name_valid(name))
		return err_status(err, OVL_USAGE, "%s cannot be a layer's name", Q(name));
	rc = open_layer(job, err);
	if (rc < 0)
		return rc;
	job->image = layer_ref_of(&job->l);
	made = was_begun(&job->l, &job->image.id, err);
	if (made == 0)
		made = make_image(job, err);
	rc = made < 0 ? made :
			layer_open_ref(job->st, &job->image, LOCK_SH, job->image.id.s,
				&image, err);
	if (rc == 0 && !made)
		used_now(&image);
	/* Who made it may not have synced it, and the writable layer is about to go. */
	if (rc == 0 && !made)
		rc = store_sync(job->st, image.fd, err);
	if (rc == 0)
		rc = commit_hand_over(&job->l, &image, name, job->req->keep, err);
	if (rc == 0)
		*id = image.id;
	return rc;
}

int ovl_commit(struct ovl_store *st, const struct ovl_commit *req, struct ovl_id *id,
	struct ovl_err *err)
{
	struct job job = {
		.st = st, .req = req, .l = LAYER_INIT, .parent = LAYER_INIT, .held = -1};
	mode_t mask = umask(0);
	int rc = commit(&job, id, err);

	committed_release(&job.c);
	close_fdp(&job.held);
	layer_close(&job.parent);
	layer_close(&job.l);
	umask(mask);
	return rc;
}
