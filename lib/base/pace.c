/* SPDX-License-Identifier: ISC */
/* Limits progress reports. */
#include "base/pace.h"

bool pace_due(struct pace *p, const struct ovl_config *cfg)
{
	struct timespec now;

	if (!cfg->progress)
		return false;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec == p->told.tv_sec &&
		now.tv_nsec - p->told.tv_nsec < 100 * 1000 * 1000)
		return false;
	p->told = now;
	return true;
}
