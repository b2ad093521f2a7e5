/* SPDX-License-Identifier: ISC */
/* Imports one layer: reads, unpacks, hashes and records the tar in one pass. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "content/ingest.h"
#include "stage/grants.h"
#include "stage/used.h"
#include "store/driver.h"
#include "store/store.h"
#include "tar/recipe.h"
#include "union/view.h"

static uint64_t or_default(uint64_t n, uint64_t fallback)
{
	return n ? n : fallback;
}

/* ---- before ----------------------------------------------------------------------- */

static int open_tree(struct ingest *in, struct ovl_err *err)
{
	const char *name = in->cfg.drv->tree[OVL_IMAGE];
	struct unpack *u = &in->unpack;
	int tree;
	int rc = in->cfg.within ?
		stage_begin_within(in->cfg.within, in->cfg.as, &in->stage, err) :
		stage_begin(in->st, in->cfg.drv, NULL, &in->stage, err);

	if (rc < 0)
		return rc;
	tree = fs_new_dir(in->stage.fd, name, 0755);
	if (tree < 0)
		return err_sys(err, errno, "cannot make the staging tree");
	rc = in->cfg.no_data ? 0 : recipe_create(&in->recipe, in->stage.fd, err);
	/* With several layers in parallel the processors are busy anyway. */
	if (rc == 0 && !in->cfg.no_data && !in->cfg.parallel)
		rc = writer_open(&u->writer, err);
	u->max_entries = or_default(in->cfg.max_entries, OVL_MAX_ENTRIES);
	u->max_bytes = or_default(in->cfg.max_size, OVL_MAX_SIZE);
	u->max_depth = (unsigned)or_default(in->cfg.max_depth, OVL_MAX_DEPTH);
	u->layer = in->stage.fd;
	u->recipe = in->recipe;
	u->no_data = in->cfg.no_data;
	u->donor = in->cfg.donor;
	u->flat = in->cfg.drv->flat;
	u->stop = in->st->cfg.stop;
	return unpack_begin(u, tree, &in->st->xattrs, rc < 0 ? NULL : err) < 0 ? -EIO :
										 rc;
}

/* Called between entries and while one is read. */
static void report_progress(void *ctx)
{
	struct ingest *in = ctx;
	const struct ingest_config *cfg = &in->cfg;
	struct ovl_progress p = {
		.entries = cfg->entries ? atomic_load(cfg->entries) : in->unpack.entries,
	};

	if (!in->tar || !pace_due(&in->pace, &in->st->cfg))
		return;
	if (cfg->input.taken) {
		p.bytes = atomic_load(cfg->input.taken);
		p.total = cfg->total;
	} else {
		p.bytes = stream_taken(tarin_stream(in->tar));
		p.total = stream_total(tarin_stream(in->tar));
	}
	in->st->cfg.progress(in->st->cfg.ctx, &p);
}

int ingest_begin(struct ingest *in, struct ovl_store *st, const struct ingest_config *cfg,
	struct ovl_err *err)
{
	struct stream_config input = cfg->input;
	struct stream *s;
	int rc;

	in->st = st;
	in->cfg = *cfg;
	rc = open_tree(in, err);
	if (rc < 0) {
		stream_close(cfg->stream);
		return rc;
	}
	input.max_size = or_default(cfg->max_size, OVL_MAX_SIZE);
	input.stop = st->cfg.stop;
	input.digest_input |= cfg->digest != NULL;
	input.parallel = cfg->parallel;
	input.may_be_empty = cfg->may_be_empty;
	if (cfg->tell && st->cfg.progress) {
		input.tick = report_progress;
		input.tick_ctx = in;
	}
	s = cfg->stream;
	if (s)
		stream_tick(s, input.tick, input.tick_ctx);
	else
		rc = stream_open(&s, &input, err);
	return rc < 0 ? rc : tarin_open(&in->tar, s, in->recipe, err);
}

/* ---- the one pass ----------------------------------------------------------------- */

/* Closes descriptors, so that many staged layers use none. */
static void rest(struct ingest *in)
{
	close_fdp(&in->unpack.tree);
	close_fdp(&in->unpack.kept);
	in->unpack.layer = -1;
	stage_suspend(&in->stage);
}

static int resume(struct ingest *in, struct ovl_err *err)
{
	int rc = stage_resume(&in->stage, err);

	if (rc < 0)
		return rc;
	in->unpack.layer = in->stage.fd;
	in->unpack.tree = fs_open_dir(in->stage.fd, in->cfg.drv->tree[OVL_IMAGE]);
	return in->unpack.tree < 0 ? err_sys(err, errno, "cannot open the staging tree") :
				     0;
}

static int check_digest(
	const char *what, const char *got, const char *want, struct ovl_err *err)
{
	if (!want || strcmp(got, want) == 0)
		return 0;
	return err_say(
		err, EBADMSG, "its %s is sha256:%s, not sha256:%s", what, got, want);
}

static int check_digests(struct ingest *in, struct ovl_err *err)
{
	const char *want = in->cfg.diff_id;
	char hex[ID_LEN + 1];
	int rc = stream_input_digest(tarin_stream(in->tar), hex, err);

	if (rc == 0 && in->cfg.digest)
		rc = check_digest("digest", hex, in->cfg.digest, err);
	if (rc == 0 && want && strcmp(hex, want) == 0 && strcmp(in->diff_id, want) != 0)
		return err_say(err, EBADMSG,
			"sha256:%s is the digest of the compressed tar; its diff id is "
			"sha256:%s",
			want, in->diff_id);
	return rc < 0 ? rc : check_digest("diff id", in->diff_id, want, err);
}

int ingest_run(struct ingest *in, struct ovl_err *err)
{
	const atomic_bool *abort = in->cfg.abort;
	struct archive_entry *e;
	int r;

	while ((r = tarin_next(in->tar, &e, err)) > 0) {
		if (in->cfg.seen)
			in->cfg.seen(in->cfg.seen_ctx, e);
		r = store_stopped(in->st) || (abort && atomic_load(abort)) ?
			err_stopped(err) :
			unpack_entry(&in->unpack, in->tar, e, err);
		if (r < 0)
			break;
		if (in->cfg.entries)
			atomic_fetch_add(in->cfg.entries, 1);
	}
	if (r == 0)
		r = tarin_finish(in->tar, in->diff_id, err);
	if (r == 0)
		r = unpack_written(&in->unpack, err);
	if (r == 0)
		r = check_digests(in, err);
	if (r == 0 && in->recipe)
		r = recipe_finish(in->recipe, in->diff_id, &in->tar_size, err);
	/* Many of these together would take too much memory, and other threads may wait
	 * for the decoder's window. */
	tarin_close(steal(in->tar));
	recipe_out_close(in->recipe);
	in->recipe = in->unpack.recipe = NULL;
	if (in->stage.within)
		rest(in);
	return r;
}

int ingest_all(struct ingest *in, struct ovl_store *st, const struct ingest_config *cfg,
	struct ovl_err *err)
{
	int rc = ingest_begin(in, st, cfg, err);

	if (rc == 0)
		rc = ingest_run(in, err);
	if (rc < 0) {
		ingest_end(in);
		*in = (struct ingest)INGEST_INIT;
	}
	return rc;
}

/* ---- after ------------------------------------------------------------------------ */

int ingest_resolve(struct ingest *in, const struct layer *parent, struct ovl_err *err)
{
	auto_view below = {.xp = &in->st->xattrs};
	int rc = parent ? layer_view(parent, true, &below, err) : 0;

	if (rc == 0 && in->stage.within)
		rc = resume(in, err);
	return rc < 0 ? rc : unpack_finish(&in->unpack, &below, err);
}

static int note_donor(struct ingest *in, struct ovl_err *err)
{
	const struct donor *d = in->cfg.donor;
	auto_buf text = {0};

	buf_addf(&text, "%s %s", d->unverified ? "unverified" : "verified", d->whose);
	if (text.failed)
		return err_nomem(err);
	if (fs_write_new(in->stage.fd, LAYER_ADOPTED, text.data, text.len) < 0)
		return err_sys(err, errno, "cannot write '%s'", LAYER_ADOPTED);
	return 0;
}

static int write_meta(struct ingest *in, const struct layer *parent, struct meta *out,
	struct ovl_err *err)
{
	bool opaque = parent && unpack_hides_all(&in->unpack);
	struct seed seed = {.parent = parent, .link = in->stage.link, .opaque = opaque};
	struct meta m = {
		.kind = OVL_IMAGE,
		.size = in->unpack.bytes,
		.entries = in->unpack.entries,
		.tar_size = in->tar_size,
		.created = meta_now(),
	};
	int rc = driver_seed(in->stage.drv, in->stage.fd, &seed, err);

	if (rc < 0)
		return rc;
	driver_place(&m, parent, opaque);
	memcpy(m.link, in->stage.link, sizeof(m.link));
	memcpy(m.diff_id, in->diff_id, sizeof(m.diff_id));
	rc = meta_write(in->stage.fd, &m, err);
	if (rc == 0 && in->cfg.donor)
		rc = note_donor(in, err);
	if (rc == 0 && out)
		*out = m;
	return rc;
}

static void count_left(const struct ingest *in)
{
	for (int i = 0; i < LEFT_KINDS; i++)
		in->st->left[i] += in->unpack.left[i];
}

void ingest_warn_left(struct ovl_store *st)
{
	static const char *const what[LEFT_KINDS][3] = {
		{"device", "devices", "left out: a user namespace cannot make devices"},
		{"xattr", "xattrs",
			"left out: not part of a layer, or not allowed on that type of "
			"file or in a user namespace"},
		{"file", "files", "imported without the flags, such as 'immutable'"},
		{"file", "files",
			"copied, not linked: owner, mode, time or xattrs differ from the tar"},
		{"file", "files", "copied, not linked: too many links, or not permitted"},
	};

	for (int i = 0; i < LEFT_KINDS; i++) {
		uint64_t n = atomic_exchange(&st->left[i], 0);

		if (n)
			store_warn(
				st, "%" PRIu64 " %s %s", n, what[i][n != 1], what[i][2]);
	}
}

int ingest_complete(struct ingest *in, const struct layer *parent,
	const struct view *below, struct meta *meta, struct ovl_err *err)
{
	int rc = resume(in, err);

	if (rc == 0)
		rc = unpack_finish(&in->unpack, below, err);
	if (rc == 0)
		rc = write_meta(in, parent, meta, err);
	if (rc == 0)
		count_left(in);
	unpack_release(&in->unpack);
	return rc;
}

int ingest_found(struct ovl_store *st, const struct layer_ref *ref, const char *name,
	bool force, struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	int rc = layer_open_ref(st, ref, LOCK_SH, ref->id.s, &l, err);

	if (rc < 0)
		return rc;
	used_now(&l);
	/* The process that made it may not have synced it (yet). */
	return name ? grants_give_name(&l, name, NULL, force, err) :
		      store_sync(st, l.fd, err);
}

/* A layer that already exists may be removed before it is opened. */
int ingest_commit_stage(struct stage *sg, const struct layer *parent,
	const struct ovl_id *id, const char *name, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = sg->drv, .id = *id};

	for (;;) {
		int rc = stage_commit(sg, id, parent, name, store_durable(sg->st), err);

		if (rc)
			return rc;
		rc = ingest_found(sg->st, &ref, name, false, err);
		if (rc == 0 || err->status != OVL_NOLAYER)
			return rc;
	}
}

int ingest_commit(struct ingest *in, const struct layer *parent, const struct ovl_id *id,
	const char *name, struct ovl_err *err)
{
	int rc = ingest_resolve(in, parent, err);

	if (rc == 0)
		rc = write_meta(in, parent, NULL, err);
	if (rc == 0)
		rc = ingest_commit_stage(&in->stage, parent, id, name, err);
	if (rc >= 0)
		count_left(in);
	return rc;
}

void ingest_end(struct ingest *in)
{
	unpack_release(&in->unpack);
	tarin_close(in->tar);
	recipe_out_close(in->recipe);
	stage_end(&in->stage);
}
