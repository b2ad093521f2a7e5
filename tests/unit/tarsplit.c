#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "tar/tarsplit.h"
#include "unit.h"

/* The records of this tar-split, as text; "bad": the reader reports that it is
 * damaged. */
static const char *read_text(const char *text, size_t n)
{
	static char out[4096];
	struct tarsplit *t = NULL;
	struct recipe_rec rec = {.type = RECIPE_RAW};
	struct ovl_err err = {0};
	auto_fd fd = memfd_create("split", MFD_CLOEXEC);
	size_t at = 0;
	int rc;

	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	lseek(fd, 0, SEEK_SET);
	ck_assert_int_eq(tarsplit_open(&t, fd, NULL, &err), 0);
	do {
		rc = tarsplit_next(t, &rec, &err);
		if (rc == 0 && at < sizeof(out) - 200)
			at += (size_t)snprintf(out + at, 200, "%c %.*s %llu %llx;",
				rec.type, rec.p ? (int)rec.n : 0, rec.p ? rec.p : "",
				(unsigned long long)rec.size,
				(unsigned long long)rec.sum);
	} while (rc == 0 && rec.type != RECIPE_END);
	tarsplit_close(t);
	ck_assert_int_eq(rc < 0, *err.text != '\0');
	if (rc < 0) {
		ck_assert_int_eq(rc, -EUCLEAN);
		return "bad";
	}
	return out;
}

#define READ(text)     read_text(text, sizeof(text) - 1)
#define IS(text, want) ck_assert_str_eq(READ(text), want)
#define BAD(text)      IS(text, "bad")
#define FILE_OF(member) \
	"{\"type\":1," member ",\"payload\":\"AAAAAAAAAQI=\",\"position\":1}\n"

START_TEST(records)
{
	IS("{\"type\":2,\"payload\":\"aGVhZA==\",\"position\":0}\n"
	   "{\"type\":1,\"name\":\"./d/\",\"payload\":null,\"position\":1}\n"
	   "{\"type\":2,\"payload\":\"\",\"position\":2}\n",
		"R head 0 0;Z  0 0;");
	IS(FILE_OF("\"name\":\"./a//b\",\"size\":7"),
		"F a/b 7 102;D a/b 7 102;E a/b 7 102;Z  0 0;");
	IS(FILE_OF("\"name_raw\":\"YS//\",\"size\":1"),
		"F a/\xff 1 102;D a/\xff 1 102;E a/\xff 1 102;Z  0 0;");
	IS(FILE_OF("\"name\":\"a\\u0026\\u003cb\\\"\\\\\",\"size\":1"),
		"F a&<b\"\\ 1 102;D a&<b\"\\ 1 102;E a&<b\"\\ 1 102;Z  0 0;");
	IS(" { \"type\" : 2 , \"payload\" : \"aGVhZA==\" } \n", "R head 0 0;Z  0 0;");
	IS("{\"other\":\"\\\"}\",\"x\":true,\"type\":2,\"payload\":\"eA==\"}\n",
		"R x 0 0;Z  0 0;");
}
END_TEST

START_TEST(damage)
{
	BAD("{\"type\":2,\"payload\":\"aGVhZA==\"}"); /* no newline at the end */
	BAD("\n");
	BAD("x\n");
	BAD("{}\n");
	BAD("[]\n");
	BAD("{\"type\":2\n");
	BAD("{\"type\":2}x\n");
	BAD("{\"type\":2,}\n");
	BAD("{\"type\":2,\"payload\":\"a\n");
	BAD("{\"type\":2,\"payload\":\"a\\\n");
	BAD("{\"type\":2,\"payload\":\"aGV*\"}\n");
	BAD("{\"type\":2,\"payload\":\"aGV\"}\n");
	BAD("{\"type\":2,\"payload\":\"a===\"}\n");
	BAD("{\"type\":2,\"payload\":{}}\n");
	BAD("{\"type\":3,\"payload\":\"\"}\n");
	BAD("{\"type\":22,\"payload\":\"\"}\n");
	BAD("{\"type\":2,\"payload\":\"\"}\0\n");
	BAD(FILE_OF("\"name\":\"../a\",\"size\":1"));
	BAD(FILE_OF("\"name\":\"/\",\"size\":1"));
	BAD(FILE_OF("\"name\":\"\",\"size\":1"));
	BAD(FILE_OF("\"size\":1"));
	BAD(FILE_OF("\"name\":\"a\\u0000b\",\"size\":1"));
	BAD(FILE_OF("\"name\":\"a\\ud800\",\"size\":1"));
	BAD(FILE_OF("\"name\":\"a\\\",\"size\":1"));
	BAD(FILE_OF("\"name_raw\":\"YQBi\",\"size\":1"));
	BAD(FILE_OF("\"name\":\"a\",\"size\":-1"));
	BAD(FILE_OF("\"name\":\"a\",\"size\":1.5"));
	BAD(FILE_OF("\"name\":\"a\",\"size\":9223372036854775808"));
	BAD("{\"type\":1,\"name\":\"a\",\"size\":1,\"payload\":null}\n");
	BAD("{\"type\":1,\"name\":\"a\",\"size\":1,\"payload\":\"AAAA\"}\n");
}
END_TEST

/* Lines in several blocks, and one that is too long. */
START_TEST(long_lines)
{
	size_t n = 20u << 20;
	auto_free char *text = malloc(n);
	static const char head[] = "{\"type\":2,\"payload\":\"";
	size_t most = 1u << 20;

	memset(text, 'A', n);
	memcpy(text, head, sizeof(head) - 1);
	strcpy(text + sizeof(head) - 1 + most, "\"}\n");
	ck_assert_str_ne(read_text(text, strlen(text)), "bad");
	text[sizeof(head) - 1 + most] = 'A';
	memset(text + sizeof(head) - 1, 'A', n - sizeof(head));
	ck_assert_str_eq(read_text(text, n), "bad");
}
END_TEST

/* The check value of CRC-64/GO-ISO, in pieces of any size. */
START_TEST(sum)
{
	static const char digits[] = "123456789";
	char bytes[100];

	for (size_t cut = 0; cut <= 9; cut++) {
		uint64_t s = tarsplit_sum(0, digits, cut);

		s = tarsplit_sum(s, digits + cut, 9 - cut);
		ck_assert_uint_eq(s, UINT64_C(0xb90956c775a41001));
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * i * 7 + 255);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		uint64_t s = 0;

		for (size_t i = 0; i < n; i++)
			s = tarsplit_sum(s, bytes + i, 1);
		ck_assert_uint_eq(tarsplit_sum(0, bytes, n), s);
	}
}
END_TEST

UNIT("tarsplit", records, damage, long_lines, sum)
