/* SPDX-License-Identifier: ISC */
/* The engines whose stores can be read. */
#include <stddef.h>

#include "foreign/foreign.h"

static const struct foreign_engine *const engines[] = {
	&foreign_docker, &foreign_containers, &foreign_containerd, NULL};

static const struct foreign_engine *recognise(int root)
{
	for (const struct foreign_engine *const *e = engines; *e; e++) {
		if ((*e)->recognise(root))
			return *e;
	}
	return NULL;
}

const struct ovl_foreign ovl_foreign = {
	.recognise = recognise,
	.read = foreign_read,
};
