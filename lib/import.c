/* SPDX-License-Identifier: ISC */
/* ovl_import: finds out whether the input is a layer or an image, and imports it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/quote.h"
#include "content/ingest.h"
#include "image/image.h"
#include "image/signs.h"
#include "image/source.h"
#include "image/spool.h"
#include "store/driver.h"
#include "store/names.h"
#include "store/store.h"

/* The import of one layer. */
struct job {
	struct ovl_store *st;
	const struct ovl_import *req;
	const struct layer *parent; /* open and locked; NULL: none */
	struct ingest in;
	struct spool *input;
	struct signs signs;
};

static int check_request(const struct ovl_import *req, struct ovl_err *err)
{
	if (req->expect && !id_digest_hex(req->expect))
		return err_status(err, OVL_USAGE,
			"%s is not a digest (sha256: and 64 hex digits)", Q(req->expect));
	if (req->platform &&
		(!strchr(req->platform, '/') || req->platform[0] == '/' ||
			req->platform[strlen(req->platform) - 1] == '/'))
		return err_status(err, OVL_USAGE,
			"%s is not a platform (os/arch[/variant])", Q(req->platform));
	return req->name ? name_check(req->name, NULL, err) : 0;
}

static int commit_layer(struct job *job, struct ovl_id *id, struct ovl_err *err)
{
	const struct layer *parent = job->parent;
	struct layer_ref ref = {.drv = job->in.cfg.drv};
	const char *name = job->req->name;
	bool force = job->req->force;
	int was_there;
	int rc = digest_chain(
		parent ? parent->id.s : NULL, job->in.diff_id, &ref.id, err);

	if (rc == 0 && name)
		rc = names_check(job->st, name, &ref, force, err);
	if (rc < 0)
		return rc;
	was_there = layer_exists(job->st, &ref, err);
	if (was_there < 0)
		return was_there;
	if (was_there) {
		rc = ingest_found(job->st, &ref, name, force, err);
		was_there = rc == 0 || err->status != OVL_NOLAYER;
	}
	if (!was_there)
		rc = ingest_commit(&job->in, parent, &ref.id, force ? NULL : name, err);
	/* A name is moved only when the layer exists. */
	if (rc >= 0 && !was_there && force && name)
		rc = ingest_found(job->st, &ref, name, true, err);
	if (rc < 0)
		return rc;
	store_detail(job->st,
		"diff id sha256:%s, %" PRIu64 " entries, %" PRIu64 " bytes of files%s",
		job->in.diff_id, job->in.unpack.entries, job->in.unpack.bytes,
		was_there ? "; already in the store" : "");
	*id = ref.id;
	return 0;
}

/* Warns if an input that is stored as a layer looks like an image or contains one. */
static void warn_image(const struct job *job)
{
	auto_buf text = {0};

	if (job->req->as != OVL_AS_LAYER &&
		signs_tell(&job->signs, job->input->src, &text) && !text.failed)
		store_warn(job->st, "%s is stored as a layer, but %s", Q(job->req->file),
			text.data);
}

static int run_layer(struct job *job, struct ovl_id *id, struct ovl_err *err)
{
	struct ingest_config cfg = {
		.input = {.fd = job->req->fd, .digest_input = job->req->expect != NULL},
		.seen = signs_note,
		.seen_ctx = &job->signs,
		.max_size = job->req->max_size,
		.max_entries = job->req->max_entries,
		.max_depth = job->req->max_depth,
		.diff_id = job->req->expect ? id_digest_hex(job->req->expect) : NULL,
		.tell = true,
	};
	int rc;

	if (job->req->image || job->req->platform)
		return err_status(err, OVL_USAGE,
			"%s is a layer: --image and --platform apply only to images",
			Q(job->req->file));
	cfg.drv = job->parent ? job->parent->drv : job->st->drv;
	/* NULL: nothing has been read from req->fd yet. */
	cfg.stream = job->input->stream;
	job->input->stream = NULL;
	rc = ingest_all(&job->in, job->st, &cfg, err);
	if (rc < 0 && rc != -EINTR)
		return err_prefix(err, rc, "%s", Q(job->req->file));
	if (rc == 0)
		rc = commit_layer(job, id, err);
	if (rc == 0)
		warn_image(job);
	return rc;
}

static int import_layer(struct ovl_store *st, const struct ovl_import *req,
	const struct layer *parent, struct spool *input, struct ovl_ids *ids,
	struct ovl_err *err)
{
	struct job job = {.st = st,
		.req = req,
		.parent = parent,
		.in = INGEST_INIT,
		.input = input};
	int rc;

	ids->n = 1;
	ids->id = calloc(1, sizeof(*ids->id));
	rc = ids->id ? run_layer(&job, &ids->id[0], err) : err_nomem(err);
	ingest_end(&job.in);
	signs_release(&job.signs);
	return rc;
}

/* ---- images ----------------------------------------------------------------------- */

static void tell_notes(struct ovl_store *st, const struct images *im)
{
	for (size_t at = 0; at < im->notes.len; at += strlen(im->notes.data + at) + 1)
		store_warn(st, "%s", im->notes.data + at);
}

static int import_image(struct ovl_store *st, const struct ovl_import *req,
	struct source *src, struct ovl_ids *ids, struct ovl_err *err)
{
	auto_images im = {0};
	auto_buf base = {0};
	int rc;

	image_base(req->fd, &base);
	im.base = base.len ? base.data : NULL;

	if (req->parent || req->expect)
		return err_status(err, OVL_USAGE,
			"%s is an image: %s applies only to layers", Q(req->file),
			req->parent ? "-p" : "--expect");
	rc = image_read(src, req->image, req->platform, &im, err);
	if (rc == 0)
		rc = image_store(st, req, &im, ids, err);
	if (rc == 0)
		tell_notes(st, &im);
	if (rc < 0 && rc != -EINTR)
		err_prefix(err, rc, "%s", Q(req->file));
	return rc;
}

static int import(struct ovl_store *st, const struct ovl_import *req,
	const struct layer *parent, struct ovl_ids *ids, struct ovl_err *err)
{
	auto_spool input = SPOOL_INIT;
	struct stat sb;
	int rc;

	if (fstat(req->fd, &sb) < 0)
		return err_sys(err, errno, "cannot stat %s", Q(req->file));
	if (S_ISDIR(sb.st_mode) && req->as == OVL_AS_LAYER)
		return err_status(err, OVL_USAGE,
			"%s is a directory and not an image layout; for a layer: tar -C "
			"DIR -c . | ovlctl import -",
			Q(req->file));
	if (req->as == OVL_AS_LAYER)
		return import_layer(st, req, parent, &input, ids, err);
	rc = spool_open(&input, st, req, err);
	if (rc == 0)
		rc = spool_look(&input, req->as == OVL_AS_IMAGE, err);
	if (rc < 0)
		return rc == -EINTR ? rc : err_prefix(err, rc, "%s", Q(req->file));
	if (rc)
		return import_image(st, req, input.src, ids, err);
	if (req->as == OVL_AS_IMAGE || S_ISDIR(sb.st_mode))
		return err_say(err, EINVAL,
			"%s is not an image: neither an OCI image layout nor a "
			"docker-save archive%s",
			Q(req->file),
			req->as != OVL_AS_IMAGE ?
				"; for a layer: tar -C DIR -c . | ovlctl import -" :
				"");
	return import_layer(st, req, parent, &input, ids, err);
}

int ovl_import(struct ovl_store *st, const struct ovl_import *req, struct ovl_ids *ids,
	struct ovl_err *err)
{
	auto_layer parent = LAYER_INIT;
	struct ovl_ids made = {0};
	int rc = check_request(req, err);

	/* Lock the parent before anything is read, so that it is not removed while a pipe
	 * is waited for. */
	if (rc == 0 && req->parent)
		rc = layer_open_base(st, req->parent, OVL_IMAGE, &parent, err);
	if (rc == 0)
		rc = import(st, req, req->parent ? &parent : NULL, &made, err);
	if (rc < 0)
		free(made.id);
	else
		*ids = made;
	if (rc == 0)
		ingest_warn_left(st);
	return rc;
}
