/* SPDX-License-Identifier: ISC */
/* Reports findings of check: at once, or when it is certain that they count. */
#include <stdarg.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/quote.h"
#include "check/check.h"
#include "store/trash.h"

static int report_finding(struct checker *c, const struct ovl_finding *f)
{
	if (f->severity == OVL_ERROR)
		c->result |= f->outcome == OVL_REPAIRED ? OVL_CHECK_REPAIRED :
							  OVL_CHECK_ERRORS;
	c->ended = c->fn(c->ctx, f);
	return c->ended;
}

/* At most so many findings of one layer are held back. */
#define HELD_MAX 1000

static int hold_back(struct checker *c, const struct ovl_finding *f)
{
	if (report_add(&c->later, f) < 0)
		return err_nomem(c->err);
	if (c->later.n < HELD_MAX || !c->unlocked ||
		fs_is(c->unlocked->drv_fd, c->unlocked->id.s, c->unlocked->fd) <= 0)
		return 0;
	check_flush(c, 0);
	c->holding = true;
	return c->ended;
}

int check_found(struct checker *c, enum ovl_severity severity, const char *kind,
	const char *id, const char *path, enum ovl_outcome outcome, const char *fmt, ...)
{
	char text[600];
	struct ovl_finding f = {.severity = severity,
		.kind = kind,
		.id = id,
		.path = path,
		.outcome = outcome,
		.text = text};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return c->holding ? hold_back(c, &f) : report_finding(c, &f);
}

int check_set_aside(struct checker *c, const char *kind, const char *id, int dirfd,
	const char *name, const char *place, const char *text)
{
	char where[ASIDE_NAME_MAX];
	int rc = aside_move(c->st, dirfd, name, place, where, c->err);

	return rc < 0 ?
		rc :
		check_found(c, OVL_ERROR, kind, id, *id ? "" : name, OVL_SET_ASIDE,
			"%s; moved to %s", text, Q(P("aside/%s", where)));
}

int check_flush(struct checker *c, int r)
{
	c->holding = false;
	for (size_t i = 0; i < c->later.n && !c->ended; i++)
		report_finding(c, &c->later.row[i]);
	report_release(&c->later);
	return r ? r : c->ended;
}

void check_drop_held(struct checker *c)
{
	c->holding = false;
	report_release(&c->later);
}

int check_unreadable(struct checker *c, const char *id)
{
	return check_fault(
		c, "unreadable", id, "it cannot be examined: %s", c->err->text);
}
