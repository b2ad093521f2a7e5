/* SPDX-License-Identifier: ISC */
/* Error texts: one line for each error. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

PRINTF(3, 0)
static void put(struct ovl_err *err, enum ovl_status status, const char *fmt, va_list ap)
{
	if (!err)
		return;
	err->status = status;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

static void append(struct ovl_err *err, const char *before, const char *text)
{
	size_t len;

	if (!err)
		return;
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, "%s%s", before, text);
}

int err_sys(struct ovl_err *err, int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(err, OVL_FAILED, fmt, ap);
	va_end(ap);
	append(err, ": ", strerror(errnum));
	if (errnum == EMFILE)
		append(err, "; ", "raise the limit with 'ulimit -n'");
	return -errnum;
}

int err_say(struct ovl_err *err, int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(err, OVL_FAILED, fmt, ap);
	va_end(ap);
	return -errnum;
}

int err_status(struct ovl_err *err, enum ovl_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(err, status, fmt, ap);
	va_end(ap);
	switch (status) {
	case OVL_USAGE: return -EINVAL;
	case OVL_NOLAYER: return -ENOENT;
	case OVL_BUSY: return -EBUSY;
	case OVL_TAKEN: return -EEXIST;
	default: return -EIO;
	}
}

int err_prefix(struct ovl_err *err, int rc, const char *fmt, ...)
{
	struct ovl_err old;
	va_list ap;

	if (!err)
		return rc;
	old = *err;
	va_start(ap, fmt);
	put(err, old.status, fmt, ap);
	va_end(ap);
	append(err, ": ", old.text);
	return rc;
}

int err_see_check(struct ovl_err *err, int rc)
{
	/* check would run into a system error as well. */
	if (!err_is_system(rc))
		append(err, "; ", "see 'ovlctl check'");
	return rc;
}

int err_stopped(struct ovl_err *err)
{
	return err_say(err, EINTR, "stopped by a signal");
}

bool err_is_system(int rc)
{
	switch (-rc) {
	case EIO:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case EACCES:
	case EINTR:
	case EAGAIN:
	case ENOSPC:
	case EDQUOT:
	case ENOLCK: return true;
	default: return false;
	}
}

int err_nomem(struct ovl_err *err)
{
	return err_say(err, ENOMEM, "out of memory");
}
