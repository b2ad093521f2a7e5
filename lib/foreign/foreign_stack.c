/* SPDX-License-Identifier: ISC */
/* The layers in an image config. */
#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "foreign/foreign_scan.h"
#include "foreign/foreign_stack.h"

/* Adds the next layer, or keeps it if the previous config has the same layers up to it. */
static int add_step(struct foreign_stack *s, const char *hex, struct ovl_err *err)
{
	struct foreign_step *at = &s->step[s->n];
	bool same = s->n == s->same && strcmp(at->diff_id, hex) == 0;
	int rc;

	if (s->n > OVL_MAX_LOWERS)
		return err_say(err, EUCLEAN, "it lists too many layers");
	if (!same) {
		at[0].diff_id[0] = at[1].diff_id[0] = '\0';
		rc = digest_chain(s->n ? at[-1].chain.s : NULL, hex, &at->chain, err);
		if (rc < 0)
			return rc;
		memcpy(at->diff_id, hex, sizeof(at->diff_id));
	}
	s->n++;
	s->same += same;
	return 0;
}

/* ids is at the array. */
static int add_steps(struct foreign_stack *s, const char *ids, struct ovl_err *err)
{
	char text[sizeof("sha256:") + ID_LEN];
	const char *p = scan_blanks(ids + 1);
	const char *hex;
	int rc;

	if (*p == ']')
		return 0;
	do {
		p = scan_string(p, text, sizeof(text));
		hex = p ? id_digest_hex(text) : NULL;
		if (!hex)
			return err_say(err, EUCLEAN, "a diff id is not a digest");
		rc = add_step(s, hex, err);
		if (rc < 0)
			return rc;
		p = scan_blanks(p);
	} while (*p == ',' && (p = scan_blanks(p + 1)));
	return *p == ']' ? 1 : err_say(err, EUCLEAN, "it is damaged");
}

int foreign_stack_read(
	struct foreign_stack *s, const struct buf *config, struct ovl_err *err)
{
	const char *rootfs = "";
	const char *ids = "";

	s->n = s->same = 0;
	if (!scan_find_in(config, "rootfs", &rootfs) ||
		(*rootfs == '{' && !scan_find(rootfs, "diff_ids", &ids)))
		return err_say(err, EUCLEAN, "it is damaged");
	return *ids == '[' ? add_steps(s, ids, err) : 0;
}
