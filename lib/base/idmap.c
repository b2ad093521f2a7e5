/* SPDX-License-Identifier: ISC */
/* The user and group ids that are mapped in this user namespace. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/idmap.h"
#include "base/vec.h"

int idmap_read(struct idmap *m, const char *file, struct ovl_err *err)
{
	auto_buf text = {0};
	char *rest;
	char *line;

	idmap_release(m);
	if (fs_read_file(AT_FDCWD, file, 65536, &text) < 0)
		return err_sys(err, errno, "cannot read '%s'", file);
	rest = text.data;
	while ((line = strsep(&rest, "\n")) && m->n < IDMAP_MAX) {
		struct idmap_range r;
		uint32_t outside;

		if (sscanf(line, "%u %u %u", &r.first, &outside, &r.count) != 3)
			continue;
		if (!VEC_ROOM(m->range, m->n))
			return err_nomem(err);
		m->range[m->n++] = r;
	}
	return 0;
}

void idmap_release(struct idmap *m)
{
	free(m->range);
	m->range = NULL;
	m->n = 0;
}

int idmaps_read(struct idmaps *m, struct ovl_err *err)
{
	int rc = idmap_read(&m->uids, "/proc/self/uid_map", err);

	return rc < 0 ? rc : idmap_read(&m->gids, "/proc/self/gid_map", err);
}

void idmaps_release(struct idmaps *m)
{
	idmap_release(&m->uids);
	idmap_release(&m->gids);
}

bool idmap_has(const struct idmap *m, int64_t id)
{
	if (id < 0 || id >= UINT32_MAX)
		return false;
	for (unsigned i = 0; i < m->n; i++) {
		if (id >= m->range[i].first && id - m->range[i].first < m->range[i].count)
			return true;
	}
	return false;
}

/* The initial user namespace maps every id to itself (user_namespaces(7)). */
bool idmap_unprivileged(void)
{
	auto_buf map = {0};
	unsigned inside;
	unsigned outside;
	unsigned count;

	if (geteuid() != 0)
		return true;
	if (fs_read_file(AT_FDCWD, "/proc/self/uid_map", 65536, &map) < 0)
		return false;
	return sscanf(map.data, "%u %u %u", &inside, &outside, &count) != 3 || inside ||
		outside || count != UINT32_MAX;
}
