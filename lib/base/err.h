/*
 * Errors of the library: a function returns 0 or a negative errno and writes one line of
 * text into the caller's struct ovl_err. The function that saw the errno writes the text;
 * a caller adds a prefix only if it knows a name that the function did not.
 *
 *	return err_sys(err, errno, "cannot open %s", Q(name));
 *	-> "cannot open 'x': No such file or directory", returns -ENOENT
 */
#ifndef OVL_ERR_H
#define OVL_ERR_H

#include "ovl.h"

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* "TEXT: strerror(errnum)", with advice for some errors; returns -errnum. Status
 * OVL_FAILED. */
int err_sys(struct ovl_err *err, int errnum, const char *fmt, ...) PRINTF(3, 4);

/* The text alone; returns -errnum. Status OVL_FAILED. */
int err_say(struct ovl_err *err, int errnum, const char *fmt, ...) PRINTF(3, 4);

/* The text alone, with a given status: OVL_USAGE (-EINVAL), OVL_NOLAYER (-ENOENT),
 * OVL_BUSY (-EBUSY), OVL_TAKEN (-EEXIST). */
int err_status(struct ovl_err *err, enum ovl_status status, const char *fmt, ...)
	PRINTF(3, 4);

/* Puts "PREFIX: " before the text; returns rc, for "return err_prefix()". */
int err_prefix(struct ovl_err *err, int rc, const char *fmt, ...) PRINTF(3, 4);

/* Adds "; see 'ovlctl check'" to the text, unless rc is a system error: other errors mean
 * that the store is damaged. Returns rc. */
int err_see_check(struct ovl_err *err, int rc);

/* A signal asked the work to stop; returns -EINTR. */
int err_stopped(struct ovl_err *err);

/* True for I/O, memory and permission errors: the question could not be answered.
 * False for malformed input. */
bool err_is_system(int rc);

/* An allocation failed; returns -ENOMEM. */
int err_nomem(struct ovl_err *err);

#endif
