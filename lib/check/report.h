/* SPDX-License-Identifier: ISC */
/*
 * Findings that are reported later, because other processes wait for a lock, or because
 * it is not yet certain that they are right.
 *
 *	report_add	copies a finding with its texts
 *	report_release	in any case
 */
#ifndef OVL_REPORT_H
#define OVL_REPORT_H

#include "ovl.h"

struct report {
	struct ovl_finding *row;
	size_t n;
	bool failed; /* a row was lost, out of memory */
};

/* -1: ENOMEM, and the report is unchanged. */
int report_add(struct report *r, const struct ovl_finding *f);

void report_release(struct report *r);

#endif
