/*
 * The table of commands. Only main.c uses it: a command gets it in its struct run.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "cmd.h"

/* NULL-terminated. */
extern const struct cmd *const commands[];

#endif
