/*
 * Corrects what libarchive's pax writer gets wrong, in the header that it has made
 * (pax(1), "pax Extended Header": records of "LENGTH KEY=VALUE\n").
 *
 *	mtime			it joins seconds and nanoseconds with a '.', which is
 *				wrong before 1970: -1 and 500000000, half a second before,
 *				becomes -1.5 and should be -0.5
 *	SCHILY.xattr.NAME	it writes all but plain ASCII as %XX; GNU tar, which does
 *				that to '%' and '=' only, would restore "user.a%20b"
 *	GNU.sparse.name		it truncates names that are not UTF-8 and over 98 bytes
 */
#ifndef OVL_PAXFIX_H
#define OVL_PAXFIX_H

#include <stdint.h>

#include "base/buf.h"

/*
 * head: the bytes of an entry's headers, starting with the extended header if there is
 * one. path and mtime are the intended values. Sets head->failed if out of memory.
 */
void paxfix_apply(struct buf *head, const char *path, int64_t sec, long nsec);

#endif
