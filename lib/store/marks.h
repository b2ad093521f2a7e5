/*
 * May this process see and set the marks of a store's layers, "trusted.overlay.*" where
 * the stamp says trusted? The kernel shows those to CAP_SYS_ADMIN of the initial user
 * namespace alone; for others they are not there, and what they hide would come back.
 */
#ifndef OVL_MARKS_H
#define OVL_MARKS_H

#include "base/err.h"
#include "ovl.h"

/*
 * For all that reads a layer's tree, makes layers, or mounts them: refuses if not. What
 * only looks at a layer's own files (ls, show), unmounts or removes goes without.
 */
int marks_check(struct ovl_store *st, struct ovl_err *err);

/* trusted.* of the open file or directory: 1 yes, 0 no, -1 it cannot be told. */
int marks_trusted(int fd);

#endif
