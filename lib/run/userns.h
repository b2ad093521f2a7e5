/*
 * A user namespace for an ordinary user (user_namespaces(7)), in which he is root and may
 * mount. His other ids are those that /etc/subuid and /etc/subgid give him, if newuidmap(1)
 * and newgidmap(1) can map them.
 */
#ifndef OVL_USERNS_H
#define OVL_USERNS_H

#include <stdbool.h>

#include "base/err.h"

/*
 * This process, which has one thread, gets a user namespace of its own and a mount namespace
 * that belongs to it. It has all capabilities there until it runs another program: as root,
 * or with its own id, which then is the only one. *alone: no other ids are mapped.
 */
int userns_enter(bool root, bool *alone, struct ovl_err *err);

/* After something was not permitted in it: adds to err which switch of the system forbids
 * it, if one does; returns rc. */
int userns_explain(int rc, struct ovl_err *err);

#endif
