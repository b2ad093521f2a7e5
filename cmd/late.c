/* SPDX-License-Identifier: ISC */
/*
 * Shared libraries that are loaded when they are needed.
 *
 * To load libarchive, libcrypto and what they bring along takes several times as long as
 * a whole create, mount, umount or rm, and these need nothing of it. A program that is
 * linked with shared libraries (STATIC=0) is therefore linked twice. The first one, with
 * all of them, says which functions it takes from which libraries; the Makefile writes
 * that to a header, OVL_LATE. In the second one each of these functions is a jump through
 * a table, which late_load() fills.
 */
#include "cmd.h"

#ifndef OVL_LATE

int late_load(struct ovl_err *err)
{
	(void)err;
	return 0;
}

#else

#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#define LIBRARY(name) name,
#define FUNCTION(n, name)
static const char *const libraries[] = {
#include OVL_LATE
};

#undef LIBRARY
#undef FUNCTION
#define LIBRARY(name)
#define FUNCTION(n, name) #name,
static const char *const functions[] = {
#include OVL_LATE
};

#define N_LIBRARIES (sizeof(libraries) / sizeof(libraries[0]))
#define N_FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

/* Called if a command that is marked as quick calls a library after all, which is a bug;
 * the Makefile checks for it. */
static void not_loaded(void)
{
	static const char text[] = "ovlctl: a library was not loaded\n";

	_exit(write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ? OVL_FAILED : OVL_FAILED);
}

__attribute__((used, visibility("hidden"))) void *late_table[N_FUNCTIONS] = {
	[0 ... N_FUNCTIONS - 1] = (void *)not_loaded,
};

#if defined(__x86_64__)
#define JUMP(n) "jmp *late_table+8*" #n "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(n)                           \
	"adrp x16, late_table+8*" #n "\n" \
	"ldr x16, [x16, #:lo12:late_table+8*" #n "]\nbr x16\n"
#endif

#undef FUNCTION
#define FUNCTION(n, name)                                                       \
	__asm__(".pushsection .text\n.globl " #name "\n.type " #name            \
		", %function\n" #name ":\n" JUMP(n) ".size " #name ", .-" #name \
						    "\n.popsection\n");
#include OVL_LATE

int late_load(struct ovl_err *err)
{
	for (size_t i = 0; i < N_LIBRARIES; i++) {
		if (!dlopen(libraries[i], RTLD_LAZY | RTLD_GLOBAL))
			goto failed;
	}
	for (size_t i = 0; i < N_FUNCTIONS; i++) {
		late_table[i] = dlsym(RTLD_DEFAULT, functions[i]);
		if (!late_table[i])
			goto failed;
	}
	return 0;
failed:
	err->status = OVL_FAILED;
	snprintf(err->text, sizeof(err->text), "cannot load %s", dlerror());
	return -1;
}

#endif
