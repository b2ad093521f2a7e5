/* SPDX-License-Identifier: ISC */
/* The list of drivers. */
#include <string.h>

#include "store/driver.h"
#include "store/driver_overlay.h"
#include "store/driver_overlay2.h"

const struct driver *const driver_list[] = {&driver_overlay2, &driver_overlay, NULL};

const struct driver *driver_find(const char *name)
{
	for (const struct driver *const *d = driver_list; *d; d++) {
		if (strcmp((*d)->name, name) == 0)
			return *d;
	}
	return NULL;
}
