/* SPDX-License-Identifier: ISC */
/* ovlctl show: prints everything known about layers, as JSON. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "layerjson.h"
#include "out.h"

/* Prints all layers or none. */
static int add_layer(struct run *run, const char *what, json_t *layers)
{
	struct ovl_list list = {0};
	int rc = ovl_show(run->st, what, &list, run->err);

	if (rc < 0)
		return rc;
	json_array_append_new(layers, layer_json(run->st, &list.layer[0]));
	ovl_list_free(&list);
	return 0;
}

static int run_show(struct run *run)
{
	json_t *layers = json_array();
	int rc = 0;

	for (int i = 0; i < run->n_operands && rc == 0; i++)
		rc = add_layer(run, run->operand[i], layers);
	if (rc < 0)
		json_decref(layers);
	else
		out_json_list("layers", layers);
	return rc;
}

static const struct opt opts[] = {{0, NULL, NULL, NULL}};

const struct cmd cmd_show = {
	.name = "show",
	.synopsis = "LAYER...",
	.summary = "show details of layers as JSON",
	.completes = "layer",
	.others = "inspect info history stat",
	.opts = opts,
	.min_operands = 1,
	.max_operands = UNLIMITED,
	.access = READ_STORE,
	.prints = true,
	.fn = run_show,
};
