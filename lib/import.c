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
#include "digest.h"
#include "driver.h"
#include "fs.h"
#include "layer.h"
#include "names.h"
#include "quote.h"
#include "stage.h"
#include "store.h"
#include "tarin.h"
#include "unpack.h"
#include "view.h"

/* One import on its way. */
struct job {
	struct ovl_store *st;
	const struct ovl_import *req;
	struct layer parent; /* open and locked if has_parent */
	bool has_parent;
	struct stage stage;
	struct tarin *tar;
	struct unpack unpack;
	char diff_id[ID_LEN + 1];
	struct timespec told; /* of the last progress */
};

static void job_end(struct job *job)
{
	unpack_release(&job->unpack);
	tarin_close(job->tar);
	stage_end(&job->stage);
	layer_close(&job->parent);
}

static uint64_t or_default(uint64_t n, uint64_t fallback)
{
	return n ? n : fallback;
}

/* ---- before ----------------------------------------------------------------------- */

static int check_request(struct job *job, struct ovl_err *err)
{
	const struct ovl_import *req = job->req;

	if (req->expect && !id_digest_hex(req->expect))
		return err_status(err, OVL_USAGE,
			"%s is no digest (sha256: and 64 hex digits)", Q(req->expect));
	if (req->name && !ovl_name_valid(req->name))
		return err_status(
			err, OVL_USAGE, "%s cannot be a layer's name", Q(req->name));
	return 0;
}

static int open_parent(struct job *job, struct ovl_err *err)
{
	int rc;

	if (!job->req->parent)
		return 0;
	rc = layer_open(job->st, job->req->parent, LOCK_SH, &job->parent, err);
	if (rc < 0)
		return rc;
	job->has_parent = true;
	if (job->parent.meta.kind != OVL_IMAGE)
		return err_say(err, EINVAL,
			"layer %s is writable: only an image layer can be a parent",
			Q(job->req->parent));
	return driver_check_depth(&job->parent, OVL_IMAGE, err);
}

static int open_input(struct job *job, struct ovl_err *err)
{
	struct stream_config cfg = {
		.fd = job->req->fd,
		.max_size = or_default(job->req->max_size, OVL_MAX_SIZE),
		.stop = job->st->cfg.stop,
	};
	struct stream *s;
	int rc = stream_open(&s, &cfg, err);

	return rc < 0 ? rc : tarin_open(&job->tar, s, err);
}

static int open_tree(struct job *job, struct ovl_err *err)
{
	const struct driver *drv = job->has_parent ? job->parent.drv : job->st->drv;
	struct unpack *u = &job->unpack;
	int tree;
	int rc = stage_begin(job->st, drv, &job->stage, err);

	if (rc < 0)
		return rc;
	if (mkdirat(job->stage.fd, drv->tree, 0755) < 0)
		return err_sys(err, errno, "cannot make the staging tree");
	tree = fs_open_dir(job->stage.fd, drv->tree);
	if (tree < 0)
		return err_sys(err, errno, "cannot open the staging tree");
	u->max_entries = or_default(job->req->max_entries, OVL_MAX_ENTRIES);
	u->max_bytes = or_default(job->req->max_size, OVL_MAX_SIZE);
	u->max_depth = (unsigned)or_default(job->req->max_depth, OVL_MAX_DEPTH);
	return unpack_begin(u, tree, &job->st->xattrs, err);
}

/* ---- the one pass ----------------------------------------------------------------- */

static void tell(struct job *job)
{
	const struct ovl_config *cfg = &job->st->cfg;
	struct ovl_progress p = {
		.bytes = stream_taken(tarin_stream(job->tar)),
		.total = stream_total(tarin_stream(job->tar)),
		.entries = job->unpack.entries,
	};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec == job->told.tv_sec &&
		now.tv_nsec - job->told.tv_nsec < 100 * 1000 * 1000)
		return;
	job->told = now;
	cfg->progress(cfg->ctx, &p);
}

static int unpack_all(struct job *job, struct ovl_err *err)
{
	struct archive_entry *e;
	int r;

	while ((r = tarin_next(job->tar, &e, err)) > 0) {
		if (store_stopped(job->st))
			return err_stopped(err);
		r = unpack_entry(&job->unpack, job->tar, e, err);
		if (r < 0)
			return r;
		if (job->st->cfg.progress)
			tell(job);
	}
	if (r == 0)
		r = tarin_finish(job->tar, job->diff_id, err);
	return r;
}

static int settle(struct job *job, struct ovl_err *err)
{
	auto_view below = {.xp = &job->st->xattrs};
	int rc = 0;

	if (job->has_parent)
		rc = layer_view(&job->parent, true, &below, err);
	if (rc == 0)
		rc = unpack_finish(&job->unpack, &below, err);
	return rc;
}

/* ---- after ------------------------------------------------------------------------ */

static int check_digest(const struct job *job, struct ovl_err *err)
{
	const char *want = job->req->expect ? id_digest_hex(job->req->expect) : NULL;

	if (!want || strcmp(want, job->diff_id) == 0)
		return 0;
	return err_say(err, EBADMSG, "its diff id is sha256:%s, not sha256:%s",
		job->diff_id, want);
}

static int write_meta(struct job *job, struct ovl_err *err)
{
	bool cut = job->unpack.top_opaque;
	const struct layer *parent = job->has_parent ? &job->parent : NULL;
	struct seed seed = {.parent = parent, .cut = cut};
	struct meta m = {
		.kind = OVL_IMAGE,
		.has_parent = parent != NULL,
		.size = job->unpack.bytes,
		.entries = job->unpack.entries,
		.created = time(NULL),
	};
	int rc = job->stage.drv->seed(&job->stage, &seed, err);

	if (rc < 0)
		return rc;
	if (parent) {
		m.parent = parent->id;
		m.depth = parent->meta.depth + 1;
		m.lowers = cut ? 0 : parent->meta.lowers + 1;
	}
	memcpy(m.link, job->stage.link, sizeof(m.link));
	memcpy(m.diff_id, job->diff_id, sizeof(m.diff_id));
	return meta_write(job->stage.fd, &m, err);
}

static void warn_devices(const struct job *job)
{
	uint64_t n = job->unpack.left_devices;

	if (n)
		store_warn(job->st,
			"%" PRIu64 " %s left out: a user namespace cannot make "
			"devices",
			n, n == 1 ? "device" : "devices");
}

/* A layer that is there is not touched, but for a name. */
static int found(
	struct job *job, const struct layer_ref *ref, bool durable, struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	int rc;

	if (!job->req->name)
		return 0;
	rc = layer_open_ref(job->st, ref, LOCK_SH, ref->id.s, &l, err);
	return rc < 0 ? rc : names_give(&l, job->req->name, false, durable, err);
}

static int commit(struct job *job, struct ovl_id *id, struct ovl_err *err)
{
	const struct layer *parent = job->has_parent ? &job->parent : NULL;
	struct layer_ref ref = {.drv = (unsigned)driver_index(job->stage.drv->name)};
	bool durable = job->st->cfg.sync != OVL_SYNC_NONE;
	bool was_there;
	int rc = digest_chain(parent ? parent->id.s : NULL, job->diff_id, &ref.id, err);

	if (rc == 0 && job->req->name)
		rc = names_check(job->st, job->req->name, &ref, err);
	if (rc < 0)
		return rc;
	was_there = layer_exists(job->st, &ref);
	if (was_there) {
		rc = found(job, &ref, durable, err);
	} else {
		rc = settle(job, err);
		if (rc == 0)
			rc = write_meta(job, err);
		if (rc == 0)
			rc = stage_commit(&job->stage, &ref.id, parent, job->req->name,
				durable, err);
	}
	if (rc < 0)
		return rc;
	warn_devices(job);
	store_detail(job->st,
		"diff id sha256:%s, %" PRIu64 " entries, %" PRIu64 " bytes of files%s",
		job->diff_id, job->unpack.entries, job->unpack.bytes,
		was_there ? "; was there already" : "");
	*id = ref.id;
	return 0;
}

static int run(struct job *job, struct ovl_id *id, struct ovl_err *err)
{
	int rc = check_request(job, err);

	if (rc == 0)
		rc = open_parent(job, err);
	if (rc == 0)
		rc = open_tree(job, err);
	if (rc < 0)
		return rc;
	rc = open_input(job, err);
	if (rc == 0)
		rc = unpack_all(job, err);
	if (rc == 0)
		rc = check_digest(job, err);
	if (rc < 0 && rc != -EINTR)
		return err_prefix(err, rc, "%s", Q(job->req->file));
	return rc < 0 ? rc : commit(job, id, err);
}

int ovl_import(struct ovl_store *st, const struct ovl_import *req, struct ovl_id *id,
	struct ovl_err *err)
{
	struct job job = {
		.st = st, .req = req, .parent = LAYER_INIT, .stage = STAGE_INIT};
	mode_t mask = umask(0);
	int rc;

	job.unpack.tree = -1;
	rc = run(&job, id, err);
	job_end(&job);
	umask(mask);
	return rc;
}
