/* SPDX-License-Identifier: ISC */
/* Messages of the library while it works, and the stop flag: through the caller's
 * config. */
#include <stdarg.h>
#include <stdio.h>

#include "store/store.h"

PRINTF(3, 0)
static void send_note(
	const struct ovl_store *st, enum ovl_note kind, const char *fmt, va_list ap)
{
	char line[sizeof(((struct ovl_err *)NULL)->text)];

	if (!st->cfg.note)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	st->cfg.note(st->cfg.ctx, kind, line);
}

void store_problem(const struct ovl_store *st, const struct ovl_err *err)
{
	if (st->cfg.note)
		st->cfg.note(st->cfg.ctx, OVL_PROBLEM, err->text);
}

void store_warn(const struct ovl_store *st, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	send_note(st, OVL_WARNING, fmt, ap);
	va_end(ap);
}

void store_detail(const struct ovl_store *st, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	send_note(st, OVL_DETAIL, fmt, ap);
	va_end(ap);
}

void store_waiting(const struct ovl_store *st, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	send_note(st, OVL_WAITING, fmt, ap);
	va_end(ap);
}

bool store_stopped(const struct ovl_store *st)
{
	return st->cfg.stop && *st->cfg.stop;
}
