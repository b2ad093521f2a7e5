/* SPDX-License-Identifier: ISC */
/*
 * libsmartcols, loaded for the first table: only ls prints one, and create, mount, umount
 * and rm should not wait for it. The functions here forward to the library; a build with
 * shared libraries (OVL_SHARED) is linked with the library itself.
 */
#ifndef OVL_SHARED

#include <dlfcn.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>

#define LIBSMARTCOLS "libsmartcols.so.1"

/* If it fails, a file installed with the program is missing, and the command cannot go
 * on. */
static void *find(const char *name)
{
	static void *lib;
	void *f;

	if (!lib)
		lib = dlopen(LIBSMARTCOLS, RTLD_NOW);
	f = lib ? dlsym(lib, name) : NULL;
	if (!f) {
		fprintf(stderr, "ovlctl: ls: cannot load " LIBSMARTCOLS "\n");
		exit(EXIT_FAILURE);
	}
	return f;
}

/* Defines the function NAME with PARAMETERS, which calls the library's with ARGUMENTS. */
#define FORWARD(type, name, parameters, arguments)                   \
	type name parameters                                         \
	{                                                            \
		static __typeof__(name) *f;                          \
                                                                     \
		if (!f)                                              \
			f = (__typeof__(name) *)(size_t)find(#name); \
		return f arguments;                                  \
	}

FORWARD(struct libscols_table *, scols_new_table, (void), ())
FORWARD(void, scols_unref_table, (struct libscols_table * t), (t))
FORWARD(int, scols_table_enable_raw, (struct libscols_table * t, int on), (t, on))
FORWARD(int, scols_table_enable_noheadings, (struct libscols_table * t, int on), (t, on))
FORWARD(struct libscols_column *, scols_table_new_column,
	(struct libscols_table * t, const char *name, double width, int flags),
	(t, name, width, flags))
FORWARD(struct libscols_line *, scols_table_new_line,
	(struct libscols_table * t, struct libscols_line *parent), (t, parent))
FORWARD(int, scols_column_set_safechars, (struct libscols_column * c, const char *safe),
	(c, safe))
FORWARD(int, scols_column_set_wrapfunc,
	(struct libscols_column * c,
		size_t (*size)(const struct libscols_column *, const char *, void *),
		char *(*next)(const struct libscols_column *, char *, void *),
		void *data),
	(c, size, next, data))
FORWARD(int, scols_line_refer_data, (struct libscols_line * l, size_t n, char *data),
	(l, n, data))
FORWARD(int, scols_print_table, (struct libscols_table * t), (t))
FORWARD(size_t, scols_wrapnl_chunksize,
	(const struct libscols_column *c, const char *data, void *user), (c, data, user))
FORWARD(char *, scols_wrapnl_nextchunk,
	(const struct libscols_column *c, char *data, void *user), (c, data, user))

#endif
