/* SPDX-License-Identifier: ISC */
/* The engines whose stores can be read. */
#include <stddef.h>

#include "foreign/foreign.h"

static const struct foreign_engine *const engines[] = {
	&foreign_docker, &foreign_containers, &foreign_containerd, NULL};

static int recognise(int root, const struct foreign_engine **out)
{
	int r = 0;

	for (size_t i = 0; engines[i] && r == 0; i++) {
		*out = engines[i];
		r = engines[i]->recognise(root);
	}
	return r;
}

const struct ovl_foreign ovl_foreign = {
	.recognise = recognise,
	.read = foreign_read,
};
