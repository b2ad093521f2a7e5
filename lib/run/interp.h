/* What a program needs to be run. */
#ifndef OVL_INTERP_H
#define OVL_INTERP_H

#include <limits.h>
#include <stdbool.h>

/*
 * For use after exec has failed with ENOENT, which may also mean that the interpreter of
 * the file does not exist: what follows "#!" in a script, or the dynamic linker. True,
 * and its name, if that is the case.
 */
bool interp_missing(const char *command, char out[PATH_MAX]);

#endif
