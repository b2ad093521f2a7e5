/*
 * Parses the extension headers of an entry, as raw bytes, before libarchive's reader gets
 * them: to reject or correct what it would misread, and to find what it does not pass on.
 */
#ifndef OVL_RAWHEAD_H
#define OVL_RAWHEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct pathset;

#define RAWHEAD_BLOCK 512
/* xattrs of one entry; Linux lists at most 64 KiB of names. */
#define RAWHEAD_MAX_XATTRS 4096

/* Text of an ACL; the resulting xattr cannot be longer either. */
#define RAWHEAD_MAX_ACL     65536
#define RAWHEAD_MAX_SOLARIS 1024

struct rawhead {
	char type; /* the entry's own type flag; '\0': not seen */
	bool early; /* its mtime is between -1 and 0: the reader drops the sign */
	struct buf link; /* the linkpath record */
	unsigned n_xattrs; /* in any spelling */
	struct pathset *names; /* of SCHILY.xattr.*: 's' as written, 'd' decoded */
	struct buf acl; /* SCHILY.acl.access, or Solaris tar's */
	struct buf acl_default; /* SCHILY.acl.default */
	bool acl_nfs4; /* an NFSv4 ACL, which Linux does not have */
	const unsigned char *base; /* start of the headers, while they are read */
	/* A copy of the headers in which records that the reader must not see have
	 * unknown keys: ACLs, for which it needs quadratic time, and the size of an entry
	 * without data. NULL: no copy */
	unsigned char *patched;
};

void rawhead_clear(struct rawhead *r);
void rawhead_release(struct rawhead *r);

/* If the block is an extension header (POSIX.1-2017 pax x and g, Solaris X and A, GNU
 * L, K and V): the size of its data, rounded up to blocks; else -1. */
long long rawhead_body(const unsigned char block[RAWHEAD_BLOCK]);

/* Is that the type of a pax header for one entry? */
static inline bool rawhead_is_pax(char type)
{
	return type == 'x' || type == 'X';
}

/*
 * Changes a header block that the reader would understand differently from GNU tar and
 * Go: a NUL before a number (AIX tar), and star's times where GNU tar has the size of a
 * sparse file. A pax header that is superseded by another one of the same entry becomes
 * one that the reader ignores; the size of a hard link without data becomes 0. False:
 * nothing was changed; a wrong checksum is left for the reader to find.
 */
bool rawhead_mend(unsigned char block[RAWHEAD_BLOCK], bool superseded, bool no_data);

/* True for a hard link with a size. */
bool rawhead_is_sized_link(const unsigned char block[RAWHEAD_BLOCK]);

/* True if the checksum is right. */
bool rawhead_is_summed(const unsigned char block[RAWHEAD_BLOCK]);

/* Sets the checksum of a header; the byte after its digits stays. */
void rawhead_set_sum(unsigned char block[RAWHEAD_BLOCK]);

/* A record of a pax header: "LENGTH KEY=VALUE\n". */
struct rawhead_record {
	const char *key;
	size_t key_len;
	const char *value;
	size_t len;
};

/* Parses the record at p: its length, 0 if it is invalid. */
size_t rawhead_record(const char *p, size_t n, struct rawhead_record *rec);
bool rawhead_key_is(const struct rawhead_record *rec, const char *key);
bool rawhead_key_starts(const struct rawhead_record *rec, const char *prefix);

/* Checks that the numeric fields of an entry's header block are numbers. */
int rawhead_check(const unsigned char block[RAWHEAD_BLOCK], struct ovl_err *err);

/*
 * Reads n bytes of complete extension headers. Fails unless every pax record ("LEN
 * KEY=VALUE\n") is complete, numbers and names are valid, and ACL texts are valid and
 * within the limits: libarchive's reader takes an invalid number for 0, which is root,
 * and one of its warnings can hide another.
 */
int rawhead_read(
	struct rawhead *r, const unsigned char *p, size_t n, struct ovl_err *err);

/* True if there is a SCHILY.xattr record with this name, as written. */
bool rawhead_has_xattr(const struct rawhead *r, const char *name);
/* The same with its %XX decoded. */
bool rawhead_means_xattr(const struct rawhead *r, const char *name);

#endif
