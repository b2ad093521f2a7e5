/*
 * A list that grows by one: an array and a count, for who allocates nothing but by this.
 * The room is not kept: it is the power of two that the count has reached.
 */
#ifndef OVL_VEC_H
#define OVL_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* Elements of the smallest array. */
#define VEC_LEAST 8

static inline void *vec_grown(void *array, size_t n, size_t size)
{
	size_t room = n < VEC_LEAST ? VEC_LEAST : 2 * n;

	if (n && (n < VEC_LEAST || (n & (n - 1))))
		return array;
	return reallocarray(array, room, size);
}

/* Makes room for array[n], where n elements were added so far; array may be moved by that
 * and must be one that can be assigned to. False: no memory, array is as it was. */
#define VEC_ROOM(array, n)                                                            \
	({                                                                            \
		__typeof__(array) grown_ = vec_grown((array), (n), sizeof(*(array))); \
                                                                                      \
		if (grown_)                                                           \
			(array) = grown_;                                             \
		grown_ != NULL;                                                       \
	})

#endif
