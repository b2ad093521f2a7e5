/*
 * A JSON value of libjansson with a cleanup attribute.
 */
#ifndef OVL_JSON_H
#define OVL_JSON_H

#include <jansson.h>

static inline void json_decref_p(json_t **o)
{
	json_decref(*o);
}
#define auto_json __attribute__((cleanup(json_decref_p))) json_t *

#endif
