/* SPDX-License-Identifier: ISC */
/* A hash table of inodes, for hard links. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/inodes.h"

struct inode {
	struct inode *next;
	dev_t dev;
	ino_t ino;
	uint64_t data[];
};

static struct inode **bucket(const struct inodes *in, ino_t ino, dev_t dev)
{
	uint64_t hash = (ino ^ (ino >> 12) ^ dev) * UINT64_C(0x9e3779b97f4a7c15) >> 20;

	return &in->bucket[hash & (in->buckets - 1)];
}

void *inodes_find(const struct inodes *in, const struct stat *st)
{
	if (!in->n)
		return NULL;
	for (struct inode *i = *bucket(in, st->st_ino, st->st_dev); i; i = i->next) {
		if (i->ino == st->st_ino && i->dev == st->st_dev)
			return i->data;
	}
	return NULL;
}

static void insert_inode(struct inodes *in, struct inode *i)
{
	struct inode **at = bucket(in, i->ino, i->dev);

	i->next = *at;
	*at = i;
}

static int grow_buckets(struct inodes *in)
{
	struct inodes more = {.buckets = in->buckets ? 2 * in->buckets : 256, .n = in->n};

	more.bucket = calloc(more.buckets, sizeof(struct inode *));
	if (!more.bucket)
		return -1;
	for (size_t b = 0; b < in->buckets; b++) {
		struct inode *next;

		for (struct inode *i = in->bucket[b]; i; i = next) {
			next = i->next;
			insert_inode(&more, i);
		}
	}
	free(in->bucket);
	*in = more;
	return 0;
}

static void remove_inode(struct inodes *in, const struct stat *st)
{
	struct inode **at = in->n ? bucket(in, st->st_ino, st->st_dev) : NULL;

	while (at && *at && !((*at)->ino == st->st_ino && (*at)->dev == st->st_dev))
		at = &(*at)->next;
	if (at && *at) {
		struct inode *old = *at;

		*at = old->next;
		free(old);
		in->n--;
	}
}

void *inodes_put(struct inodes *in, const struct stat *st, const void *data, size_t n)
{
	struct inode *i = malloc(sizeof(*i) + n);

	if (!i || (in->n >= in->buckets && grow_buckets(in) < 0)) {
		free(i);
		return NULL;
	}
	remove_inode(in, st);
	i->ino = st->st_ino;
	i->dev = st->st_dev;
	memcpy(i->data, data, n);
	insert_inode(in, i);
	in->n++;
	return i->data;
}

void inodes_release(struct inodes *in)
{
	for (size_t b = 0; b < in->buckets; b++) {
		while (in->bucket[b]) {
			struct inode *next = in->bucket[b]->next;

			free(in->bucket[b]);
			in->bucket[b] = next;
		}
	}
	free(in->bucket);
	*in = (struct inodes){0};
}
