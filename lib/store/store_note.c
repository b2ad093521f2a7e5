/* SPDX-License-Identifier: ISC */
/* Passes messages during work to the caller's functions, and reads its stop flag. */
#include <stdarg.h>
#include <stdio.h>

#include "store/store.h"

void store_note(const struct ovl_store *st, enum ovl_note kind, const char *fmt, ...)
{
	char line[sizeof(((struct ovl_err *)NULL)->text)];
	va_list ap;

	if (!st->cfg.note)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	st->cfg.note(st->cfg.ctx, kind, line);
}

bool store_stopped(const struct ovl_store *st)
{
	return st->cfg.stop && *st->cfg.stop;
}
