/* SPDX-License-Identifier: ISC */
/* Reads .layer while a commit may be at work. See becoming.h. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/becoming.h"

int becoming_meta(int fd, const char *id, struct meta *m, struct ovl_err *err)
{
	for (;;) {
		auto_fd image = -1;
		struct ovl_id was;
		int rc = meta_read(fd, m, err);

		if (rc < 0 || strcmp(m->becomes.s, id) != 0)
			return rc;
		was = m->was;
		image = fs_open_dir(fd, BECOMING_IMAGE);
		rc = image < 0 ? err_sys(err, errno, "cannot open '%s'", BECOMING_IMAGE) :
				 meta_read(image, m, err);
		if (rc == 0)
			m->was = was;
		/* Another process has just put it in its place. */
		if (rc != -ENOENT)
			return rc;
	}
}

bool becoming_unfinished(const struct meta *m)
{
	return m->kind == OVL_IMAGE && m->was.s[0];
}
