/*
 * The details of a layer, for ovl_show and ovl_list.
 */
#ifndef OVL_SHOW_H
#define OVL_SHOW_H

#include "ovl.h"
#include "store/layer.h"

/*
 * Fills *d, which is all zero, with what there is to know about the open layer; what is
 * there on failure is show_free's all the same. what: how the layer was called, which may
 * say which of its configs is meant. own: bytes of the layer itself. parent: its parent
 * (NULL: not known); the layers below are not read again if that has details.
 */
int show_details(const struct layer *l, const char *what, uint64_t own,
	const struct ovl_layer *parent, struct ovl_details *d, struct ovl_err *err);
void show_free(struct ovl_details *d);

#endif
