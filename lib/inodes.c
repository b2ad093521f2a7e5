#include <stdlib.h>
#include <string.h>

#include "inodes.h"

struct inode {
	struct inode *next;
	dev_t dev;
	ino_t ino;
	char path[];
};

static size_t bucket(const struct stat *st)
{
	return (st->st_ino ^ (st->st_ino >> 12) ^ st->st_dev) % INODE_BUCKETS;
}

const char *inodes_path(const struct inodes *in, const struct stat *st)
{
	for (struct inode *i = in->bucket[bucket(st)]; i; i = i->next) {
		if (i->ino == st->st_ino && i->dev == st->st_dev)
			return i->path;
	}
	return NULL;
}

int inodes_add(struct inodes *in, const struct stat *st, const char *path)
{
	struct inode **at = &in->bucket[bucket(st)];
	struct inode *i = malloc(sizeof(*i) + strlen(path) + 1);

	if (!i)
		return -1;
	i->ino = st->st_ino;
	i->dev = st->st_dev;
	strcpy(i->path, path);
	i->next = *at;
	*at = i;
	return 0;
}

void inodes_release(struct inodes *in)
{
	for (size_t b = 0; b < INODE_BUCKETS; b++) {
		while (in->bucket[b]) {
			struct inode *next = in->bucket[b]->next;

			free(in->bucket[b]);
			in->bucket[b] = next;
		}
	}
}
