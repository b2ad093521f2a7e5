#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "driver_overlay2.h"

const struct driver *const driver_list[] = {&driver_overlay2, NULL};

int driver_index(const char *name)
{
	for (int i = 0; driver_list[i]; i++) {
		if (strcmp(driver_list[i]->name, name) == 0)
			return i;
	}
	return -1;
}

void stack_release(struct stack *s)
{
	free(s->text);
	s->text = NULL;
	s->n = 0;
}

int driver_check_depth(
	const struct layer *parent, enum ovl_kind kind, struct ovl_err *err)
{
	/* An image layer is itself a lower of its mounts. */
	unsigned n = parent->meta.lowers + (kind == OVL_IMAGE ? 2 : 1);

	if (n <= parent->drv->max_lowers)
		return 0;
	return err_say(err, E2BIG,
		"that would be a stack of %u layers: a mount has at most %u", n,
		parent->drv->max_lowers);
}
