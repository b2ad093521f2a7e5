/* SPDX-License-Identifier: ISC */
/* A list of mounts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/quote.h"
#include "base/vec.h"
#include "mount/mounts.h"
#include "mount/namespaces.h"

void mounts_release(struct mounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->mnt[i].where);
	free(m->mnt);
	m->mnt = NULL;
	m->n = 0;
}

bool mounts_has(const struct mounts *m, const struct mnt *mnt)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->mnt[i].mnt_id == mnt->mnt_id &&
			layer_ref_same(&m->mnt[i].layer, &mnt->layer))
			return true;
	}
	return false;
}

int mounts_add(struct mounts *m, const struct mi_line *l, const struct layer_ref *ref)
{
	struct mnt *mnt;
	unsigned major;
	unsigned minor;

	if (!VEC_ROOM(m->mnt, m->n))
		return -ENOMEM;
	mnt = &m->mnt[m->n];
	*mnt = (struct mnt){.mnt_id = l->id};
	if (sscanf(l->dev, "%u:%u", &major, &minor) == 2)
		mnt->dev = makedev(major, minor);
	if (ref)
		mnt->layer = *ref;
	mnt->where = strdup(l->where);
	if (!mnt->where)
		return -ENOMEM;
	m->n++;
	return 0;
}

void mounts_say(const struct mi_table *t, const struct mi_line *line, struct buf *where)
{
	buf_clear(where);
	buf_adds(where, Q(line->where));
	namespaces_say(t, where);
}
