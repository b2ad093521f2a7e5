/*
 * Output of commands: names, JSON, tables, files that appear complete.
 */
#ifndef OUT_H
#define OUT_H

#include <jansson.h>
#include <stddef.h>

#include "cmd.h"

/* The name, escaped; the caller's to free, NULL: out of memory. */
char *out_escaped(const char *name);
/* Prints that. */
void out_name(const char *name);
/* "K NAME\n", the name escaped. */
void out_name_line(char kind, const char *name);

/* Cuts the id shown to 12 digits, which are enough on a terminal, if standard output is
 * one. Returns it. */
char *out_shorten(char *shown);

/* o[key] = name, as text; if it is not UTF-8, escaped, and exactly in o[key_raw] as
 * base64. NULL: null. */
void out_json_path(json_t *o, const char *key, const char *name);

/* o[key] = an array of names; if one is not UTF-8, all are exactly in o[key_raw]. NULL:
 * null. */
void out_json_paths(json_t *o, const char *key, char *const *names);

/* In RFC 3339, in UTC. */
json_t *out_json_time(int64_t seconds);

/* Prints it, and releases it. */
void out_json(json_t *o);

/* Prints an element of an array on a line of its own and releases it. n: the number of
 * elements before it. */
void out_json_item(json_t *o, size_t n);
/* The end of it, after so many. */
void out_json_end(size_t n);

/* Prints {KEY: list}, and releases it. */
void out_json_list(const char *key, json_t *list);

/*
 * Calls fn with an open file that appears as path when it is complete; "-" is standard
 * output, unless that is a terminal. The previous file stays until then and passes on its
 * owner and mode. Symlinks are followed, even to a file that does not exist yet. A
 * device, FIFO or the like, and an open file (/dev/stdout), are written to directly.
 */
int out_to(struct run *run, const char *path,
	int (*fn)(struct run *run, int fd, void *ctx), void *ctx);

/* Writes the tar of the layer that the first operand names to such a file. compress:
 * NULL: as its suffix says. */
int out_tar(struct run *run, const char *path, const char *compress);

/* The place of a new directory: a name in an open directory. */
struct out_place {
	int dirfd;
	char *name;
};

int out_place_open(struct out_place *at, const char *path, struct ovl_err *err);
/* Always called. */
void out_place_close(struct out_place *at);

#endif
