#include <archive.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "cleanup.h"
#include "quote.h"

#define ACL_VERSION 2
#define NO_ID       UINT32_MAX

/* The kernel's tags, in the order of entries. */
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

struct acl_entry {
	unsigned tag;
	unsigned perm;
	uint32_t id;
};

static unsigned kernel_tag(int tag)
{
	switch (tag) {
	case ARCHIVE_ENTRY_ACL_USER_OBJ: return USER_OBJ;
	case ARCHIVE_ENTRY_ACL_USER: return USER;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ: return GROUP_OBJ;
	case ARCHIVE_ENTRY_ACL_GROUP: return GROUP;
	case ARCHIVE_ENTRY_ACL_MASK: return MASK;
	case ARCHIVE_ENTRY_ACL_OTHER: return OTHER;
	default: return 0;
	}
}

static bool is_number(const char *name, uint32_t *id)
{
	char *end;
	unsigned long v;

	if (!name || *name < '0' || *name > '9')
		return false;
	errno = 0;
	v = strtoul(name, &end, 10);
	*id = (uint32_t)v;
	return !*end && errno == 0 && v < NO_ID;
}

/* By the files alone: what NSS would add is not the machine the layer is for. */
static bool id_of(const char *name, bool group, uint32_t *id)
{
	auto_file f = fopen(group ? "/etc/group" : "/etc/passwd", "re");

	while (f && name) {
		const struct passwd *pw = group ? NULL : fgetpwent(f);
		const struct group *gr = group ? fgetgrent(f) : NULL;

		if (!pw && !gr)
			break;
		if (strcmp(pw ? pw->pw_name : gr->gr_name, name) == 0) {
			*id = pw ? pw->pw_uid : gr->gr_gid;
			return true;
		}
	}
	return false;
}

static int one(int tag, int perm, int qualifier, const char *name, struct acl_entry *out,
	struct ovl_err *err)
{
	out->tag = kernel_tag(tag);
	out->perm = (unsigned)perm & 7;
	out->id = NO_ID;
	if (!out->tag)
		return err_say(err, EINVAL, "an ACL of a kind that Linux does not have");
	if (out->tag != USER && out->tag != GROUP)
		return 0;
	/* The reader's number is an int, and INT_MAX where it does not fit. */
	if (qualifier >= 0 && qualifier < INT_MAX)
		out->id = (uint32_t)qualifier;
	else if (!is_number(name, &out->id) && !id_of(name, out->tag == GROUP, &out->id))
		return err_say(err, EINVAL, "its ACL names the unknown %s %s",
			out->tag == GROUP ? "group" : "user", Q(name ? name : ""));
	return 0;
}

static int in_order(const void *a, const void *b)
{
	const struct acl_entry *x = a;
	const struct acl_entry *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void put_le(struct buf *out, uint32_t v, unsigned bytes)
{
	while (bytes--) {
		unsigned char c = v & 0xff;

		buf_add(out, &c, 1);
		v >>= 8;
	}
}

int acl_value(struct archive_entry *e, int type, struct buf *out, struct ovl_err *err)
{
	auto_free struct acl_entry *list = NULL;
	int have = archive_entry_acl_types(e);
	const char *name;
	int t, perm, tag, id;
	int n;
	int used = 0;

	if (have & ARCHIVE_ENTRY_ACL_TYPE_NFS4)
		return err_say(err, EINVAL, "an ACL of a kind that Linux does not have");
	if (!(have & type))
		return 0;
	n = archive_entry_acl_reset(e, type);
	list = calloc((size_t)n + 1, sizeof(*list));
	if (!list)
		return err_nomem(err);
	while (used < n &&
		archive_entry_acl_next(e, type, &t, &perm, &tag, &id, &name) ==
			ARCHIVE_OK) {
		int rc = one(tag, perm, id, name, &list[used], err);

		if (rc < 0)
			return rc;
		used++;
	}
	qsort(list, (size_t)used, sizeof(*list), in_order);
	buf_clear(out);
	put_le(out, ACL_VERSION, 4);
	for (int i = 0; i < used; i++) {
		put_le(out, list[i].tag, 2);
		put_le(out, list[i].perm, 2);
		put_le(out, list[i].id, 4);
	}
	return out->failed ? err_nomem(err) : 1;
}
