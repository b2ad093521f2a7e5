/*
 * What stands in the extension headers of an entry, as raw bytes: what must be known
 * before the tar reader gets them, and what it does not pass on.
 */
#ifndef OVL_RAWHEAD_H
#define OVL_RAWHEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct pathset;

#define RAWHEAD_BLOCK 512
/* xattrs of one entry; Linux gives out no longer list than 64 KiB of names. */
#define RAWHEAD_MAX_XATTRS 4096

/* Text of an ACL; the xattr it becomes can have no more bytes. */
#define RAWHEAD_MAX_ACL     65536
#define RAWHEAD_MAX_SOLARIS 1024

struct rawhead {
	char type; /* the entry's own type flag; '\0': not seen */
	bool early; /* its mtime is -0.something: the reader drops that sign */
	struct buf link; /* the linkpath record */
	unsigned n_xattrs; /* of any spelling */
	struct pathset *names; /* of SCHILY.xattr.*: 's' as they stand, 'd' decoded */
	struct buf acl; /* SCHILY.acl.access, or Solaris tar's */
	struct buf acl_default; /* SCHILY.acl.default */
	bool acl_nfs4; /* one of a kind that Linux does not have */
	const unsigned char *base; /* of the headers, while they are read */
	struct buf acl_keys; /* size_t: where keys of ACL records begin in the headers */
};

void rawhead_clear(struct rawhead *r);
void rawhead_release(struct rawhead *r);

/* A header block: the bytes of its data, rounded up to blocks, if it is an extension header
 * (POSIX.1-2017 pax x and g, Solaris X and A, GNU L, K and V); -1 if not. */
long long rawhead_body(const unsigned char block[RAWHEAD_BLOCK]);

/* Is that the type of a pax header for one entry? */
static inline bool rawhead_is_pax(char type)
{
	return type == 'x' || type == 'X';
}

/*
 * Changes a header block where the reader would take it for something else than GNU tar
 * and Go do: a NUL before a number (AIX tar), star's times where GNU tar has the size of a
 * sparse file; a pax header that is superseded by another one of the same entry becomes one
 * that the reader makes nothing of. False: nothing was changed; a wrong checksum is left for
 * the reader to find.
 */
bool rawhead_mend(unsigned char block[RAWHEAD_BLOCK], bool superseded);

/* The header block of an entry: are the fields that are numbers numbers? */
int rawhead_check(const unsigned char block[RAWHEAD_BLOCK], struct ovl_err *err);

/*
 * Reads n bytes of whole extension headers. An error unless every pax record
 * ("LEN KEY=VALUE\n") is whole, those that say numbers and names say such, and those that
 * hold an ACL as text are one, of a size that is not absurd: the reader takes what is no
 * number for 0, which is root, and its warnings can hide behind each other.
 */
int rawhead_read(
	struct rawhead *r, const unsigned char *p, size_t n, struct ovl_err *err);

/* Is that the name of a SCHILY.xattr record, as it stands? */
bool rawhead_has_xattr(const struct rawhead *r, const char *name);
/* ... with its %XX decoded? */
bool rawhead_means_xattr(const struct rawhead *r, const char *name);

#endif
