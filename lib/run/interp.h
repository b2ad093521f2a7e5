/* What a program needs to be run. */
#ifndef OVL_INTERP_H
#define OVL_INTERP_H

#include <limits.h>
#include <stdbool.h>

/*
 * After exec says that a command does not exist, which is also what it says of a file whose
 * interpreter does not: of a script what follows "#!", else the dynamic linker. True, and the
 * name, if that is so.
 */
bool interp_missing(const char *command, char out[PATH_MAX]);

#endif
