#include "check/report.h"
#include "unit.h"

/* Rows are copies: what they were made of may change. */
START_TEST(keeps)
{
	struct report r = {0};
	char text[16];

	for (unsigned i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "row %u", i);
		ck_assert_int_eq(
			report_add(&r,
				&(struct report_row){.how = i, .text = {"kind", text}}),
			0);
	}
	ck_assert_uint_eq(r.n, 100);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "row %u", i);
		ck_assert_uint_eq(r.row[i].how, i);
		ck_assert_str_eq(r.row[i].text[0], "kind");
		ck_assert_str_eq(r.row[i].text[1], text);
		ck_assert_str_eq(r.row[i].text[2], "");
		ck_assert_str_eq(r.row[i].text[3], "");
	}
	report_release(&r);
}
END_TEST

/* A column may be missing, the first as well; a released report can be used again. */
START_TEST(begins_anew)
{
	struct report r = {0};

	report_release(&r);
	ck_assert_int_eq(report_add(&r, &(struct report_row){.text = {[3] = "last"}}), 0);
	ck_assert_str_eq(r.row[0].text[0], "");
	ck_assert_str_eq(r.row[0].text[3], "last");
	report_release(&r);
	ck_assert_uint_eq(r.n, 0);
	ck_assert(!r.failed);
	ck_assert_int_eq(report_add(&r, &(struct report_row){.text = {"a"}}), 0);
	ck_assert_str_eq(r.row[0].text[0], "a");
	report_release(&r);
}
END_TEST

UNIT("report", keeps, begins_anew)
