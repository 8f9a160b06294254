/* SPDX-License-Identifier: ISC */
/* RFC 8461 3.3, 10.2: what is fetched anew, when, and in which order. */
#include <stdlib.h>

#include "row.h"
#include "rules/refresh_list.h"

#define NOW ((int64_t)1800000000)
#define HOUR 3600
#define DAY 86400
#define POLICY(ago, age)                                                       \
	.kind = STS_ENTRY_POLICY, .fetched = NOW - (ago),                      \
	.checked = NOW - (ago), .until = NOW - (ago) + (age)

static void
test_due(void **state)
{
	static const struct {
		const char *clause;
		struct sts_entry e;
		int64_t unused; /* s */
		bool due;
	} t[] = {
		{ "3.3: once a day", { POLICY(21 * HOUR, 7 * DAY) }, 0, true },
		{ "and not twice", { POLICY(12 * HOUR - 1, 7 * DAY) }, 0,
		    false },
		{ "10.2: before it expires", { POLICY(3 * HOUR, 4 * HOUR) }, 0,
		    true },
		{ "a short one, just fetched", { POLICY(600, HOUR) }, 0,
		    false },
		{ "a short one", { POLICY(1600, HOUR) }, 0, true },
		{ "expired: its next mail will ask", { POLICY(DAY, DAY) }, 0,
		    false },
		{ "mail a month ago", { POLICY(DAY, 90 * DAY) }, 31 * DAY,
		    true },
		{ "none for longer", { POLICY(DAY, 90 * DAY) },
		    STS_REFRESH_USED, false },
		{ "used in the future: a clock's fault",
		    { POLICY(DAY, 90 * DAY) }, -DAY, true },
		{ "fetched in the future", { POLICY(-DAY, 7 * DAY) }, 0, true },
		{ "a GET has just failed",
		    { POLICY(DAY, 7 * DAY), .failed = NOW - 2999 }, 0, false },
		{ "an hour ago", { POLICY(DAY, 7 * DAY), .failed = NOW - HOUR },
		    0, true },
		{ "DNS has just failed",
		    { POLICY(DAY, 7 * DAY), .tried = NOW - 10 }, 0, false },
		{ "it failed before the last GET",
		    { POLICY(21 * HOUR, 7 * DAY), .failed = NOW - 22 * HOUR },
		    0, true },
		{ "no policy", { .kind = STS_ENTRY_NO_FETCH, .until = NOW + 1 },
		    0, false },
	};
	struct sts_entry gone = { POLICY(DAY, 7 * DAY) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		ROW(sts_refresh_due(&t[i].e, "example.com", NOW - t[i].unused,
			NOW) == t[i].due,
		    "%s", t[i].clause);
	/* A record that is gone: looked at now, though no attempt failed. */
	gone.checked = NOW - 10;
	ROW(sts_refresh_due(&gone, "example.com", NOW, NOW), "record there");
	gone.why = STS_WHY_NO_RECORD;
	ROW(!sts_refresh_due(&gone, "example.com", NOW, NOW), "record gone");
	rows_done();
}

/* A million policies fetched in one hour. */
static void
test_spread(void **state)
{
	unsigned hours[24] = { 0 }, most = 0;
	struct sts_entry e;
	char name[32];

	(void)state;
	for (int i = 0; i < 24000; i++) {
		e = (struct sts_entry){ POLICY(i % HOUR, 7 * DAY) };
		snprintf(name, sizeof name, "d%d.example", i);
		for (int h = 1; h < 24; h++) {
			if (!sts_refresh_due(&e, name, NOW, NOW + h * HOUR))
				continue;
			hours[h]++;
			break;
		}
	}
	for (int h = 0; h < 24; h++) {
		ROW((h >= 12 && h <= 21) || hours[h] == 0, "%u after %d h",
		    hours[h], h);
		most = hours[h] > most ? hours[h] : most;
	}
	ROW(most < 24000 / 7, "%u in one hour", most);
	rows_done();
}

static void
test_order(void **state)
{
	static const struct {
		const char *domain;
		struct sts_entry e;
	} t[] = {
		{ "late", { POLICY(DAY, 9 * DAY) } },
		{ "failing", { POLICY(DAY, 2 * DAY), .failed = NOW - HOUR } },
		{ "failing-late",
		    { POLICY(DAY, 3 * DAY), .failed = NOW - HOUR } },
		{ "soon", { POLICY(DAY, 4 * DAY) } },
		{ "later", { POLICY(DAY, 10 * DAY) } },
	};
	static const struct {
		size_t most, over;
		const char *order;
	} want[] = {
		{ 10, 0, "soon late later failing failing-late " },
		{ 3, 2, "soon late later " },
		{ 2, 3, "soon late " },
		{ 1, 4, "soon " },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(want); k++) {
		struct sts_refresh_list l = { .most = want[k].most };
		char order[200] = "";
		size_t len = 0;

		for (size_t i = 0; i < ARRAY_LEN(t); i++)
			assert_true(
			    sts_refresh_list_add(&l, t[i].domain, &t[i].e));
		sts_refresh_list_order(&l);
		for (size_t i = 0; i < l.n; i++)
			len += (size_t)snprintf(order + len, sizeof order - len,
			    "%s ", l.item[i].domain);
		ROW(l.over == want[k].over && strcmp(order, want[k].order) == 0,
		    "most %zu: %s and %zu over", l.most, order, l.over);
		sts_refresh_list_clear(&l);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
