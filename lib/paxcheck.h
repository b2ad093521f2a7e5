/*
 * Are the extended headers among these raw tar blocks well-formed? See tarin.c for why
 * that is asked again of a reader that has parsed them.
 */
#ifndef OVL_PAXCHECK_H
#define OVL_PAXCHECK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * p: the blocks of one entry, its extension headers first. True: every pax record
 * ("LEN KEY=VALUE\n", POSIX.1-2017 pax, "pax Header Block") is whole, and those that
 * hold an ACL as text are one.
 */
bool paxcheck(const unsigned char *p, size_t n);

#endif
