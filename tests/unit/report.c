#include "check/report.h"
#include "unit.h"

static int add(struct report *r, unsigned outcome, const char *kind, const char *id)
{
	return report_add(r,
		&(struct ovl_finding){.outcome = outcome,
			.kind = kind,
			.id = id,
			.path = "",
			.text = "text"});
}

/* Rows are copies: the originals may change. */
START_TEST(keeps)
{
	struct report r = {0};
	char text[16];

	for (unsigned i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "row %u", i);
		ck_assert_int_eq(add(&r, i % 3, "kind", text), 0);
	}
	ck_assert_uint_eq(r.n, 100);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "row %u", i);
		ck_assert_uint_eq(r.row[i].outcome, i % 3);
		ck_assert_str_eq(r.row[i].kind, "kind");
		ck_assert_str_eq(r.row[i].id, text);
		ck_assert_str_eq(r.row[i].path, "");
		ck_assert_str_eq(r.row[i].text, "text");
	}
	report_release(&r);
}
END_TEST

/* The first text may be empty; a released report can be used again. */
START_TEST(begins_anew)
{
	struct report r = {0};

	report_release(&r);
	ck_assert_int_eq(add(&r, 0, "", "id"), 0);
	ck_assert_str_eq(r.row[0].kind, "");
	ck_assert_str_eq(r.row[0].id, "id");
	report_release(&r);
	ck_assert_uint_eq(r.n, 0);
	ck_assert(!r.failed);
	ck_assert_int_eq(add(&r, 0, "a", ""), 0);
	ck_assert_str_eq(r.row[0].kind, "a");
	report_release(&r);
}
END_TEST

UNIT("report", keeps, begins_anew)
