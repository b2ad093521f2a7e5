/*
 * What libarchive's pax writer cannot say, put right in the header it has made
 * (pax(1), "pax Extended Header": records of "LENGTH KEY=VALUE\n").
 *
 *	mtime			it puts seconds and nanoseconds together with a '.', which
 *				before 1970 is another time: -1 and 500000000, half a second
 *				before, becomes -1.5 and should be -0.5
 *	SCHILY.xattr.NAME	it writes all but plain ASCII as %XX; GNU tar, which does
 *				that to '%' and '=' alone, would restore "user.a%20b"
 *	GNU.sparse.name		it cuts those off that are not UTF-8 and over 98 bytes
 */
#ifndef OVL_PAXFIX_H
#define OVL_PAXFIX_H

#include <stdint.h>

#include "base/buf.h"

/*
 * head: the bytes of an entry's headers, the extended one first if there is one. path and
 * mtime are what was meant. head->failed when memory is short.
 */
void paxfix(struct buf *head, const char *path, int64_t sec, long nsec);

#endif
