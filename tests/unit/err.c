#include <errno.h>

#include "unit.h"

static struct ovl_err err;

START_TEST(texts)
{
	ck_assert_int_eq(err_sys(&err, ENOENT, "cannot open '%s'", "x"), -ENOENT);
	ck_assert_str_eq(err.text, "cannot open 'x': No such file or directory");
	ck_assert_int_eq(err.status, OVL_FAILED);
	ck_assert_int_eq(err_say(&err, EINVAL, "so"), -EINVAL);
	ck_assert_str_eq(err.text, "so");
	ck_assert_int_eq(err_prefix(&err, -EINVAL, "layer '%s'", "y"), -EINVAL);
	ck_assert_str_eq(err.text, "layer 'y': so");
}
END_TEST

START_TEST(statuses)
{
	ck_assert_int_eq(err_status(&err, OVL_BUSY, "b"), -EBUSY);
	ck_assert_int_eq(err.status, OVL_BUSY);
	err_prefix(&err, -1, "p");
	ck_assert_int_eq(err.status, OVL_BUSY);
	ck_assert_int_eq(err_status(&err, OVL_NOLAYER, "n"), -ENOENT);
	ck_assert_int_eq(err_status(&err, OVL_USAGE, "u"), -EINVAL);
	ck_assert_int_eq(err_stopped(&err), -EINTR);
	ck_assert_int_eq(err_nomem(&err), -ENOMEM);
}
END_TEST

START_TEST(nobody_listens)
{
	ck_assert_int_eq(err_sys(NULL, EIO, "x"), -EIO);
	ck_assert_int_eq(err_say(NULL, EIO, "x"), -EIO);
	ck_assert_int_eq(err_status(NULL, OVL_BUSY, "x"), -EBUSY);
	ck_assert_int_eq(err_prefix(NULL, -5, "x"), -5);
}
END_TEST

START_TEST(too_long)
{
	char text[3000];

	memset(text, 'x', sizeof(text));
	text[2999] = '\0';
	err_sys(&err, ENOENT, "%s", text);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	err_prefix(&err, -1, "%s", text);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
}
END_TEST

UNIT("err", texts, statuses, nobody_listens, too_long)
