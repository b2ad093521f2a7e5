/*
 * A user namespace for an ordinary user (user_namespaces(7)), in which he is root and may
 * mount. His other ids are those that /etc/subuid and /etc/subgid give him, if newuidmap(1)
 * and newgidmap(1) can map them.
 */
#ifndef OVL_USERNS_H
#define OVL_USERNS_H

#include <stdbool.h>

#include "base/err.h"

/* This process, which has one thread, becomes root in a user namespace of its own, and in
 * a mount namespace that belongs to it. *alone: no other ids are mapped. */
int userns_enter(bool *alone, struct ovl_err *err);

/* After something was not permitted in it: adds to err which switch of the system forbids
 * it, if one does; returns rc. */
int userns_explain(int rc, struct ovl_err *err);

#endif
