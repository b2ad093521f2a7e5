/* SPDX-License-Identifier: ISC */
/* Which xattrs belong to a layer, and how overlayfs's are escaped. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "base/xattr.h"

static const char escape[] = "overlay.";

bool xattr_is_of_layer(const char *name)
{
	static const char *const of_machine[] = {
		"security.selinux", "security.ima", "security.evm"};

	for (size_t i = 0; i < sizeof(of_machine) / sizeof(of_machine[0]); i++) {
		if (strcmp(name, of_machine[i]) == 0)
			return false;
	}
	if (text_after(name, "trusted."))
		return !text_after(name, "trusted.SGI_");
	return text_after(name, "user.") || text_after(name, "security.") ||
		xattr_is_acl(name);
}

bool xattr_is_acl(const char *name)
{
	return strcmp(name, XATTR_ACL_ACCESS) == 0 ||
		strcmp(name, XATTR_ACL_DEFAULT) == 0;
}

bool xattr_fits(const char *name, mode_t mode)
{
	if (strcmp(name, XATTR_ACL_DEFAULT) == 0)
		return S_ISDIR(mode);
	if (strcmp(name, XATTR_ACL_ACCESS) == 0)
		return !S_ISLNK(mode);
	return S_ISREG(mode) || S_ISDIR(mode) || !text_after(name, "user.");
}

bool xattr_wants_root(const char *name)
{
	return text_after(name, "trusted.") ||
		(text_after(name, "security.") &&
			strcmp(name, "security.capability") != 0);
}

const char *xattr_live_prefix(const struct xattr_policy *p)
{
	return p->user ? "user.overlay." : "trusted.overlay.";
}

bool xattr_in(
	const struct xattr_policy *p, const char *name, char out[XATTR_MAX_NAME + 16])
{
	const char *live = xattr_live_prefix(p);

	if (!xattr_is_of_layer(name))
		return false;
	if (text_after(name, live))
		snprintf(out, XATTR_MAX_NAME + 16, "%s%s%s", live, escape,
			name + strlen(live));
	else
		snprintf(out, XATTR_MAX_NAME + 16, "%s", name);
	return true;
}

bool xattr_out(
	const struct xattr_policy *p, const char *name, char out[XATTR_MAX_NAME + 16])
{
	const char *live = xattr_live_prefix(p);

	if (!xattr_is_of_layer(name))
		return false;
	if (!text_after(name, live)) {
		snprintf(out, XATTR_MAX_NAME + 16, "%s", name);
		return true;
	}
	name += strlen(live);
	if (p->bare || !text_after(name, escape))
		return false;
	snprintf(out, XATTR_MAX_NAME + 16, "%s%s", live, name + strlen(escape));
	return true;
}

bool xattr_inherits(const void *policy, const char *name)
{
	char ignored[XATTR_MAX_NAME + 16];

	return xattr_out(policy, name, ignored);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

void xattr_decode_keyword(char *name)
{
	char *out = name;

	for (const char *in = name; *in; in++) {
		int hi = *in == '%' ? hex_digit(in[1]) : -1;
		int lo = hi >= 0 ? hex_digit(in[2]) : -1;

		if (lo >= 0 && (hi || lo)) {
			*out++ = (char)(hi << 4 | lo);
			in += 2;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
}
