#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "digest.h"
#include "driver.h"
#include "ingest.h"
#include "names.h"
#include "quote.h"
#include "store.h"

/* One import of a layer on its way. */
struct job {
	struct ovl_store *st;
	const struct ovl_import *req;
	struct layer parent; /* open and locked if has_parent */
	bool has_parent;
	struct ingest in;
};

static int check_request(const struct ovl_import *req, struct ovl_err *err)
{
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

static int check_digest(const struct job *job, struct ovl_err *err)
{
	const char *want = job->req->expect ? id_digest_hex(job->req->expect) : NULL;

	if (!want || strcmp(want, job->in.diff_id) == 0)
		return 0;
	return err_say(err, EBADMSG, "its diff id is sha256:%s, not sha256:%s",
		job->in.diff_id, want);
}

/* A layer that is there is not touched, but for a name. */
static int found(struct job *job, const struct layer_ref *ref, struct ovl_err *err)
{
	bool durable = job->st->cfg.sync != OVL_SYNC_NONE;
	auto_layer l = LAYER_INIT;
	int rc;

	if (!job->req->name)
		return 0;
	rc = layer_open_ref(job->st, ref, LOCK_SH, ref->id.s, &l, err);
	return rc < 0 ? rc : names_give(&l, job->req->name, NULL, false, durable, err);
}

static int commit(struct job *job, struct ovl_id *id, struct ovl_err *err)
{
	const struct layer *parent = job->has_parent ? &job->parent : NULL;
	struct layer_ref ref = {.drv = (unsigned)driver_index(job->in.cfg.drv->name)};
	bool was_there;
	int rc = digest_chain(
		parent ? parent->id.s : NULL, job->in.diff_id, &ref.id, err);

	if (rc == 0 && job->req->name)
		rc = names_check(job->st, job->req->name, &ref, err);
	if (rc < 0)
		return rc;
	was_there = layer_exists(job->st, &ref);
	if (was_there)
		rc = found(job, &ref, err);
	else
		rc = ingest_commit(&job->in, parent, &ref.id, job->req->name, err);
	if (rc < 0)
		return rc;
	store_detail(job->st,
		"diff id sha256:%s, %" PRIu64 " entries, %" PRIu64 " bytes of files%s",
		job->in.diff_id, job->in.unpack.entries, job->in.unpack.bytes,
		was_there ? "; was there already" : "");
	*id = ref.id;
	return 0;
}

static int run(struct job *job, struct ovl_id *id, struct ovl_err *err)
{
	struct ingest_config cfg = {
		.input = {.fd = job->req->fd},
		.max_size = job->req->max_size,
		.max_entries = job->req->max_entries,
		.max_depth = job->req->max_depth,
		.tell = true,
	};
	int rc = check_request(job->req, err);

	if (rc == 0)
		rc = open_parent(job, err);
	if (rc < 0)
		return rc;
	cfg.drv = job->has_parent ? job->parent.drv : job->st->drv;
	rc = ingest_begin(&job->in, job->st, &cfg, err);
	if (rc == 0)
		rc = ingest_run(&job->in, err);
	if (rc == 0)
		rc = check_digest(job, err);
	if (rc < 0 && rc != -EINTR)
		return err_prefix(err, rc, "%s", Q(job->req->file));
	return rc < 0 ? rc : commit(job, id, err);
}

int ovl_import(struct ovl_store *st, const struct ovl_import *req, struct ovl_id *id,
	struct ovl_err *err)
{
	struct job job = {.st = st, .req = req, .parent = LAYER_INIT, .in = INGEST_INIT};
	mode_t mask = umask(0);
	int rc = run(&job, id, err);

	ingest_end(&job.in);
	layer_close(&job.parent);
	umask(mask);
	return rc;
}
