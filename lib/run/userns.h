/*
 * A user namespace for an ordinary user (user_namespaces(7)), who becomes root in it and
 * may mount. Further ids are those that /etc/subuid and /etc/subgid assign to the user,
 * if newuidmap(1) and newgidmap(1) can map them.
 */
#ifndef OVL_USERNS_H
#define OVL_USERNS_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Moves this process, which must have one thread, to a new user namespace and a mount
 * namespace that belongs to it. It has all capabilities there until it runs another
 * program: as root, or with its own id, which is then the only one. *alone: no other ids
 * are mapped.
 */
int userns_enter(bool root, bool *alone, struct ovl_err *err);

/* For use after something was not permitted in it: if a system setting forbids it, adds
 * that to err. Returns rc. */
int userns_explain(int rc, struct ovl_err *err);

#endif
