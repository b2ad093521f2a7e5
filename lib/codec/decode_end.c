/* SPDX-License-Identifier: ISC */
/* What may follow a member of compressed data. */
#include "codec/decode.h"

int decode_go_on(struct decode_end *e, struct decode_io *io, const char *format,
	int first, struct ovl_err *err)
{
	while (io->in_len && io->in[0] == 0) {
		e->padding = true;
		decode_moved(io, 1, 0);
	}
	if (!io->in_len)
		return 1;
	if (e->padding || (first >= 0 && io->in[0] != first))
		return decode_damaged(err, format, "garbage after its end");
	e->ended = false;
	return 0;
}
