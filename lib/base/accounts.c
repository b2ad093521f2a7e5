/* SPDX-License-Identifier: ISC */
/* Looks up users and groups by name in this machine's files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/accounts.h"
#include "base/cleanup.h"
#include "base/fs.h"

#define NO_ID UINT32_MAX

/* NAME:PASSWORD:ID:... */
static bool parse_line(char *line, uint32_t *id)
{
	char *colon = strchr(line, ':');
	const char *at = colon ? strchr(colon + 1, ':') : NULL;
	unsigned long n;
	char *end;

	if (!at || colon == line || at[1] < '0' || at[1] > '9')
		return false;
	errno = 0;
	n = strtoul(at + 1, &end, 10);
	if (*end != ':' || errno || n >= NO_ID)
		return false;
	*colon = '\0';
	*id = (uint32_t)n;
	return true;
}

/* A missing file counts as empty. If a name appears twice, the first line wins. */
static int read_file(struct account_list *l, const char *file)
{
	auto_file f = fopen(file, "re");
	auto_free char *line = NULL;
	size_t size = 0;
	uint32_t id;

	while (f && getline(&line, &size, f) > 0) {
		if (!parse_line(line, &id))
			continue;
		if (namelist_add(&l->names, 0, line) < 0)
			return -1;
		buf_add(&l->names.text, &id, sizeof(id));
	}
	namelist_sort(&l->names);
	l->read = true;
	return l->names.text.failed ? fs_fail(ENOMEM) : 0;
}

int accounts_find(struct accounts *a, bool group, const char *name, uint32_t *id)
{
	struct account_list *l = group ? &a->groups : &a->users;
	size_t i;

	if (!l->read && read_file(l, group ? "/etc/group" : "/etc/passwd") < 0)
		return -1;
	i = namelist_find(&l->names, name);
	if (i == l->names.n)
		return 0;
	memcpy(id, namelist_name(&l->names, i) + strlen(name) + 1, sizeof(*id));
	return 1;
}

void accounts_release(struct accounts *a)
{
	namelist_release(&a->users.names);
	namelist_release(&a->groups.names);
	*a = (struct accounts){0};
}
