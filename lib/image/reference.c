/* SPDX-License-Identifier: ISC */
/* Recognises image names that docker and podman accept. */
#include <regex.h>
#include <string.h>

#include "base/id.h"
#include "image/reference.h"

/* The first component is a host if it is "localhost", or contains a dot or a port. */
#define LABEL     "[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
#define PORT      ":[0-9]+"
#define HOST      "(localhost|" LABEL "(\\." LABEL ")+)(" PORT ")?|" LABEL PORT
#define COMPONENT "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*"
#define TAG       ":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"

/* distribution/reference, regexp.go */
static bool is_reference(const char *name)
{
	regex_t re;
	bool is;

	if (regcomp(&re, "^((" HOST ")/)?" COMPONENT "(/" COMPONENT ")*(" TAG ")?$",
		    REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	is = regexec(&re, name, 0, NULL, 0) == 0;
	regfree(&re);
	return is;
}

bool reference_split(const char *name, struct buf *repository, struct buf *tag)
{
	const char *slash = strrchr(name, '/');
	const char *colon = strchr(slash ? slash : name, ':');
	size_t n = colon ? (size_t)(colon - name) : strlen(name);

	if (n > 255 || !is_reference(name))
		return false;
	if (n == ID_LEN && strspn(name, "0123456789abcdef") == n)
		return false; /* would be taken for an id */
	buf_clear(repository);
	buf_add(repository, name, n);
	buf_clear(tag);
	buf_adds(tag, colon ? colon + 1 : "latest");
	return !repository->failed && !tag->failed;
}
