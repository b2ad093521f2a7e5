/*
 * The table of commands. Only main.c looks at it: a command gets it in its struct run.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "cmd.h"

/* NULL at the end. */
extern const struct cmd *const commands[];

#endif
