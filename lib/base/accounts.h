/*
 * The numbers of users and groups by name.
 *
 * By /etc/passwd and /etc/group alone: what NSS would add is not the machine the layer is
 * for. Each is read once, when a name is asked for first. A struct of zeros is ready.
 */
#ifndef OVL_ACCOUNTS_H
#define OVL_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account {
	char *name;
	uint32_t id;
	size_t line; /* of two of one name the first counts */
};

struct accounts {
	struct account_list {
		bool read;
		struct account *item; /* sorted */
		size_t n;
		size_t size;
	} users, groups;
};

/* 1 and the id, 0 unknown, -1 with errno. */
int accounts_user(struct accounts *a, const char *name, uint32_t *id);
int accounts_group(struct accounts *a, const char *name, uint32_t *id);
void accounts_release(struct accounts *a);

#endif
