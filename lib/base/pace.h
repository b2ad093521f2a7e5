/*
 * Limits progress reports to ten a second.
 */
#ifndef OVL_PACE_H
#define OVL_PACE_H

#include <stdbool.h>
#include <time.h>

#include "ovl.h"

struct pace {
	struct timespec told; /* CLOCK_MONOTONIC_COARSE */
};

/* True if a report is due and the caller wants reports. */
bool pace_due(struct pace *p, const struct ovl_config *cfg);

#endif
