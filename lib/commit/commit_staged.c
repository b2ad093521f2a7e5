/* SPDX-License-Identifier: ISC */
/*
 * Keeps a staged layer. Nothing refers to it before it appears, so it becomes an image
 * layer in staging/, with the steps that other commits leave for after the rename.
 */
#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "commit/commit.h"
#include "store/names.h"

/* rc: the result of making it a layer with that name. */
static int keep_nameless(struct stage *sg, const struct layer *parent, const char *name,
	int rc, struct ovl_ran *ran, struct ovl_err *err)
{
	const struct ovl_err taken = *err;
	struct ovl_err why;
	char file[256];

	/* It may exist even if it could not be synced. */
	ran->kept = rc >= 0 || sg->appeared;
	if ((rc != -EEXIST && rc != -EBUSY) || !name)
		return rc < 0 ? rc : 0;
	name_encode(name, file);
	names_unnote(sg->fd, file);
	ran->kept = ingest_commit_stage(sg, parent, &ran->id, NULL, &why) >= 0;
	return ran->kept ?
		err_say(err, -rc,
			"%s; the changes are kept as layer %.12s, without a name",
			taken.text, ran->id.s) :
		rc;
}

int commit_keep(struct stage *sg, const struct layer *parent, const char *name,
	struct ovl_ran *ran, struct ovl_err *err)
{
	int rc = 0;

	if (!parent && id_random(&ran->id) < 0)
		rc = err_sys(err, errno, "cannot make an id");
	if (rc == 0)
		rc = ingest_commit_stage(sg, parent, &ran->id, name, err);
	return keep_nameless(sg, parent, name, rc, ran, err);
}

static int keep_tree(struct commit *c, struct stage *sg, const char *name,
	struct ovl_ran *ran, struct ovl_err *err)
{
	int rc = digest_chain(c->parent.id.s, c->c.diff_id, &ran->id, err);

	if (rc == 0)
		rc = commit_complete(c, err);
	if (rc < 0)
		return rc;
	memcpy(sg->link, c->stage.link, sizeof(sg->link));
	stage_end(&c->stage);
	return commit_keep(sg, &c->parent, name, ran, err);
}

static int keep_copy(
	struct commit *c, const char *name, struct ovl_ran *ran, struct ovl_err *err)
{
	int rc = commit_unpack(&c->l, NULL, &c->in, &c->c.lost, err);

	if (rc == 0)
		rc = digest_chain(c->parent.id.s, c->in.diff_id, &ran->id, err);
	if (rc == 0)
		rc = ingest_commit(&c->in, &c->parent, &ran->id, name, err);
	return keep_nameless(&c->in.stage, &c->parent, name, rc, ran, err);
}

int commit_staged(const struct layer *l, struct stage *sg, const struct layer *parent,
	bool copy, const char *name, struct ovl_ran *ran, struct ovl_err *err)
{
	const struct ovl_commit req = {.layer = l->id.s};
	struct commit c = {
		.st = l->st,
		.req = &req,
		.l = *l,
		.parent = *parent,
		.has_parent = true,
		.c.unpack = copy,
		.stage = STAGE_INIT,
		.in = INGEST_INIT,
	};
	int rc = copy ? 0 : commit_pack(&c, err);

	if (rc == 0)
		rc = c.c.unpack ? keep_copy(&c, name, ran, err) :
				  keep_tree(&c, sg, name, ran, err);
	if (ran->kept)
		pack_warn(l->st, &c.c.lost);
	committed_release(&c.c);
	ingest_end(&c.in);
	stage_end(&c.stage);
	return rc;
}
