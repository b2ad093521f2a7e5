/*
 * The overlay2 driver: one directory for each layer, up to 500 lowers found through short
 * links, the layout of Docker's driver of that name.
 *
 *	l/<26>		symlink -> ../<id>/diff
 *	<id>/diff/	the layer's tree
 *	<id>/link	<26>, no newline
 *	<id>/lower	"l/<26>:l/<26>...", nearest first, no newline; absent at the bottom
 *	<id>/work/	overlayfs's; absent in a bottom image layer
 *	<id>/merged/	default mount point; absent in a bottom image layer
 */
#ifndef OVL_DRIVER_OVERLAY2_H
#define OVL_DRIVER_OVERLAY2_H

#include "store/driver.h"

extern const struct driver driver_overlay2;

/* Parses a lower file; -EUCLEAN if it is invalid. */
int overlay2_parse_lower(const char *text, size_t len, struct stack *out);

#endif
