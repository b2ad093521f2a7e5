#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"

static const struct opt opts[] = {{0, NULL, NULL, NULL}};

static int run_show(struct run *run)
{
	char *json;
	int rc = ovl_show(run->st, run->operand[0], &json, run->err);

	if (rc == 0) {
		puts(json);
		free(json);
	}
	return rc;
}

const struct cmd cmd_show = {
	.name = "show",
	.synopsis = "LAYER",
	.summary = "tell all there is to know of a layer, as JSON",
	.opts = opts,
	.min_operands = 1,
	.max_operands = 1,
	.access = READ_STORE,
	.prints = true,
	.fn = run_show,
};
