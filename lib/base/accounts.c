/* SPDX-License-Identifier: ISC */
/* Looks up users and groups by name in this machine's files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/accounts.h"
#include "base/cleanup.h"
#include "base/vec.h"

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

static int add_account(struct account_list *l, const char *name, uint32_t id)
{
	struct account *a;

	if (!VEC_ROOM(l->item, l->n))
		return -1;
	a = &l->item[l->n];
	*a = (struct account){.name = strdup(name), .id = id, .line = l->n};
	if (!a->name)
		return -1;
	l->n++;
	return 0;
}

static int in_order(const void *a, const void *b)
{
	const struct account *x = a;
	const struct account *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : x->line < y->line ? -1 : x->line > y->line;
}

/* A missing file counts as empty. */
static int read_file(struct account_list *l, const char *file)
{
	auto_file f = fopen(file, "re");
	auto_free char *line = NULL;
	size_t size = 0;
	uint32_t id;

	while (f && getline(&line, &size, f) > 0) {
		if (parse_line(line, &id) && add_account(l, line, id) < 0)
			return -1;
	}
	if (l->n)
		qsort(l->item, l->n, sizeof(*l->item), in_order);
	l->read = true;
	return 0;
}

static int find(struct account_list *l, const char *file, const char *name, uint32_t *id)
{
	size_t low = 0;
	size_t high;

	if (!l->read && read_file(l, file) < 0)
		return -1;
	high = l->n;
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcmp(l->item[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == l->n || strcmp(l->item[low].name, name) != 0)
		return 0;
	*id = l->item[low].id;
	return 1;
}

int accounts_user(struct accounts *a, const char *name, uint32_t *id)
{
	return find(&a->users, "/etc/passwd", name, id);
}

int accounts_group(struct accounts *a, const char *name, uint32_t *id)
{
	return find(&a->groups, "/etc/group", name, id);
}

static void release_list(struct account_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->item[i].name);
	free(l->item);
}

void accounts_release(struct accounts *a)
{
	release_list(&a->users);
	release_list(&a->groups);
	*a = (struct accounts){0};
}
