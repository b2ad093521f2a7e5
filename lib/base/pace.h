/*
 * How often the caller is told how far long work is: ten times a second at the most.
 */
#ifndef OVL_PACE_H
#define OVL_PACE_H

#include <stdbool.h>
#include <time.h>

#include "ovl.h"

struct pace {
	struct timespec told; /* CLOCK_MONOTONIC_COARSE */
};

/* Is it time, and is there somebody to tell? */
bool pace_due(struct pace *p, const struct ovl_config *cfg);

#endif
