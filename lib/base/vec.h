/*
 * A growing array: a pointer and a count. The capacity is not stored: it is the power of
 * two that the count has reached. All elements must be added with VEC_ROOM.
 */
#ifndef OVL_VEC_H
#define OVL_VEC_H

#include <stddef.h>
#include <stdlib.h>

/* Capacity of the smallest array. */
#define VEC_LEAST 8

static inline void *vec_grown(void *array, size_t n, size_t size)
{
	size_t room = n < VEC_LEAST ? VEC_LEAST : 2 * n;

	if (n && (n < VEC_LEAST || (n & (n - 1))))
		return array;
	return reallocarray(array, room, size);
}

/* Makes room for array[n], with n elements added so far. May move array, which must be
 * an lvalue. False: out of memory, array is unchanged. */
#define VEC_ROOM(array, n)                                                            \
	({                                                                            \
		__typeof__(array) grown_ = vec_grown((array), (n), sizeof(*(array))); \
                                                                                      \
		if (grown_)                                                           \
			(array) = grown_;                                             \
		grown_ != NULL;                                                       \
	})

/* qsort(3), and bsearch(3) in what was sorted (NULL: not found), also of no elements. */
#define VEC_SORT(array, n, order) \
	((n) ? qsort((array), (n), sizeof(*(array)), (order)) : (void)0)
#define VEC_FIND(array, n, key, order)                                   \
	((n) ? (__typeof__(&*(array)))bsearch(                           \
		       (key), (array), (n), sizeof(*(array)), (order)) : \
	       NULL)

#endif
