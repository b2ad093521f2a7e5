#include <sys/stat.h>

#include "base/xattr.h"
#include "unit.h"

static const struct xattr_policy trusted = {.user = false};
static const struct xattr_policy user = {.user = true};
static char out[XATTR_MAX_NAME + 16];

START_TEST(in)
{
	ck_assert(xattr_in(&trusted, "user.x", out));
	ck_assert_str_eq(out, "user.x");
	ck_assert(xattr_in(&trusted, "trusted.overlay.opaque", out));
	ck_assert_str_eq(out, "trusted.overlay.overlay.opaque");
	ck_assert(xattr_in(&trusted, "trusted.overlay.overlay.opaque", out));
	ck_assert_str_eq(out, "trusted.overlay.overlay.overlay.opaque");
	ck_assert(xattr_in(&trusted, "user.overlay.opaque", out));
	ck_assert_str_eq(out, "user.overlay.opaque");
	ck_assert(xattr_in(&user, "user.overlay.opaque", out));
	ck_assert_str_eq(out, "user.overlay.overlay.opaque");
	ck_assert(xattr_in(&user, "trusted.overlay.opaque", out));
	ck_assert_str_eq(out, "trusted.overlay.opaque");
	ck_assert(xattr_in(&trusted, "trusted.overlayer", out));
	ck_assert_str_eq(out, "trusted.overlayer");
}
END_TEST

START_TEST(out_again)
{
	static const char *const names[] = {"user.x", "trusted.overlay.opaque",
		"trusted.overlay.overlay.redirect", "security.capability",
		"user.overlay.whiteout", "system.posix_acl_access"};
	char disk[XATTR_MAX_NAME + 16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert(xattr_in(&trusted, names[i], disk));
		ck_assert(xattr_out(&trusted, disk, out));
		ck_assert_str_eq(out, names[i]);
		ck_assert(xattr_in(&user, names[i], disk));
		ck_assert(xattr_out(&user, disk, out));
		ck_assert_str_eq(out, names[i]);
	}
}
END_TEST

START_TEST(dropped)
{
	ck_assert(!xattr_out(&trusted, "trusted.overlay.origin", out));
	ck_assert(!xattr_out(&trusted, "trusted.overlay.opaque", out));
	ck_assert(!xattr_out(&user, "user.overlay.impure", out));
	ck_assert(xattr_out(&trusted, "user.overlay.impure", out));
	ck_assert(!xattr_in(&trusted, "security.selinux", out));
	ck_assert(!xattr_in(&trusted, "security.ima", out));
	ck_assert(!xattr_in(&trusted, "security.evm", out));
	ck_assert(!xattr_out(&trusted, "security.selinux", out));
	ck_assert(xattr_in(&trusted, "security.capability", out));
}
END_TEST

START_TEST(of_layer)
{
	static const char *const yes[] = {"user.x", "user.overlay.opaque", "trusted.x",
		"trusted.overlay.origin", "trusted.SGI", "security.capability",
		"security.x", XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT};
	static const char *const no[] = {"", "user", "trusted.SGI_ACL_FILE",
		"trusted.SGI_ACL_DEFAULT", "trusted.SGI_DMI_REGION", "security.selinux",
		"security.ima", "security.evm", "btrfs.compression",
		"com.apple.provenance", "system.nfs4_acl", "bcachefs.x", "users.x",
		"system.posix_acl_accessory", "User.x"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		ck_assert_msg(xattr_is_of_layer(yes[i]), "%s", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		ck_assert_msg(!xattr_is_of_layer(no[i]), "%s", no[i]);
		ck_assert(!xattr_in(&trusted, no[i], out));
		ck_assert(!xattr_out(&trusted, no[i], out));
	}
}
END_TEST

START_TEST(fits)
{
	ck_assert(xattr_fits("user.x", S_IFREG | 0600));
	ck_assert(xattr_fits("user.x", S_IFDIR));
	ck_assert(!xattr_fits("user.x", S_IFLNK));
	ck_assert(!xattr_fits("user.x", S_IFIFO));
	ck_assert(!xattr_fits("user.x", S_IFCHR));
	ck_assert(xattr_fits("trusted.x", S_IFLNK));
	ck_assert(!xattr_fits(XATTR_ACL_ACCESS, S_IFLNK));
	ck_assert(xattr_fits(XATTR_ACL_ACCESS, S_IFIFO));
	ck_assert(!xattr_fits(XATTR_ACL_DEFAULT, S_IFREG));
}
END_TEST

START_TEST(keywords)
{
	static const char *const table[][2] = {{"user.a%3Db", "user.a=b"},
		{"user.100%25", "user.100%"}, {"user.%253D", "user.%3D"},
		{"user.%", "user.%"}, {"user.%4", "user.%4"}, {"user.%zz", "user.%zz"},
		{"user.%00", "user.%00"}, {"user.caf%C3%a9", "user.caf\303\251"},
		{"", ""}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char name[64];

		strcpy(name, table[i][0]);
		xattr_decode_keyword(name);
		ck_assert_str_eq(name, table[i][1]);
	}
}
END_TEST

UNIT("xattr", in, out_again, dropped, of_layer, fits, keywords)
