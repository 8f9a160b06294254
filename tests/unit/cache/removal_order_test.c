/* SPDX-License-Identifier: ISC */
#include "cache/removal_order.h"
#include "row.h"

/* In the order in which they should go. */
static void
test_order(void **state)
{
	static const struct {
		const char *name;
		enum sts_worth worth;
		int64_t used;
	} t[] = {
		{ "n3.evil.test", STS_WORTH_NO_POLICY, 900 },
		{ "a.test", STS_WORTH_NO_POLICY, 100 },
		{ "b.test", STS_WORTH_NO_POLICY, 200 },
		{ "c.test", STS_WORTH_EXPIRED, 300 },
		/* Most of one owner, and the less used of these. */
		{ "x1.evil.test", STS_WORTH_NEW, 910 },
		{ "x2.evil.test", STS_WORTH_NEW, 920 },
		{ "d.test", STS_WORTH_NEW, 10 },
		{ "e.test", STS_WORTH_NEW, 20 },
		{ "u1.evil.test", STS_WORTH_IN_USE, 800 },
		{ "u2.evil.test", STS_WORTH_IN_USE, 810 },
		{ "f.test", STS_WORTH_IN_USE, 1 },
		{ "g.test", STS_WORTH_IN_USE, 2 },
		{ "u3.evil.test", STS_WORTH_IN_USE, 820 },
	};
	static char names[ARRAY_LEN(t)][40];
	struct sts_removable row[ARRAY_LEN(t)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		size_t k = (i * 5 + 3) % ARRAY_LEN(t); /* in no order */

		snprintf(names[i], sizeof names[i], "%s", t[i].name);
		row[k] = (struct sts_removable){ t[i].worth, 1, 0, t[i].used,
			names[i] };
	}
	sts_removal_order(row, ARRAY_LEN(row));
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		ROW(strcmp(row[i].name, t[i].name) == 0, "%s before %s",
		    row[i].name, t[i].name);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
