/*
 * User and group ids, looked up by name.
 *
 * Only /etc/passwd and /etc/group are read: other sources of NSS describe this machine,
 * not the one that the layer is for. Each file is read once, at the first lookup. A
 * struct of zeros is ready for use.
 */
#ifndef OVL_ACCOUNTS_H
#define OVL_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/namelist.h"

struct accounts {
	struct account_list {
		bool read;
		struct namelist names; /* sorted; the id of each follows its NUL */
	} users, groups;
};

/* 1 and the id, 0 if unknown, -1 with errno. */
int accounts_find(struct accounts *a, bool group, const char *name, uint32_t *id);
void accounts_release(struct accounts *a);

#endif
