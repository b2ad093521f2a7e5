#include <fcntl.h>

#include "base/idmap.h"
#include "unit.h"

static void put(const char *text)
{
	int fd = open("map", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

START_TEST(ranges)
{
	static struct idmap m;
	struct ovl_err err;

	scratch();
	put("         0     100000       1000\n      5000       7000         10\n");
	ck_assert_int_eq(idmap_read(&m, "map", &err), 0);
	ck_assert_uint_eq(m.n, 2);
	ck_assert(idmap_has(&m, 0));
	ck_assert(idmap_has(&m, 999));
	ck_assert(!idmap_has(&m, 1000));
	ck_assert(idmap_has(&m, 5009));
	ck_assert(!idmap_has(&m, 5010));
	ck_assert(!idmap_has(&m, -1));
	put("         0          0 4294967295\n");
	ck_assert_int_eq(idmap_read(&m, "map", &err), 0);
	ck_assert(idmap_has(&m, 4294967294));
	ck_assert(!idmap_has(&m, 4294967295));
	ck_assert(!idmap_has(&m, 4294967296));
	put("");
	ck_assert_int_eq(idmap_read(&m, "map", &err), 0);
	ck_assert(!idmap_has(&m, 0));
	idmap_release(&m);
	scratch_end();
}
END_TEST

UNIT("idmap", ranges)
