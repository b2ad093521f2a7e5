/*
 * JSON records of another program's store.
 */
#ifndef OVL_FOREIGN_JSON_H
#define OVL_FOREIGN_JSON_H

#include "base/json.h"
#include "foreign/foreign.h"

/*
 * Reads a record of at most FOREIGN_JSON_MAX bytes: 1 and *out, an object or an array; 0
 * if it does not exist; negative errno and a text.
 */
int foreign_json(const struct foreign *t, const char *path, json_t **out, struct stat *st,
	struct ovl_err *err);

/* The same; NULL if it does not exist or cannot be read, which foreign_unread()
 * records. */
json_t *foreign_json_try(struct foreign *t, const char *path);

/* A member that is a string; "" if it is not. */
const char *foreign_json_text(const json_t *o, const char *key);
/* The time of a member, RFC 3339 as Go writes it; {0, 0}: none. */
struct timespec foreign_json_time(const json_t *o, const char *key);

#endif
