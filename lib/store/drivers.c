/* SPDX-License-Identifier: ISC */
/* The list of drivers. */
#include <string.h>

#include "store/driver.h"
#include "store/driver_overlay.h"
#include "store/driver_overlay2.h"

const struct driver *const driver_list[] = {&driver_overlay2, &driver_overlay, NULL};

const struct driver *driver_in(const struct driver *const *list, const char *name)
{
	while (*list && strcmp((*list)->name, name) != 0)
		list++;
	return *list;
}
