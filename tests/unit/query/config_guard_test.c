/* SPDX-License-Identifier: ISC */
/* A configuration that protects less than the one before, by mistake or not. */
#include <time.h>

#include "cache/entry_files.h"
#include "fixture.h"
#include "query/query.h"
#include "row.h"

static struct sts_store *store;

static int
set_up(void **state)
{
	return make_top(state) != 0 || !own(in_top("cache")) ||
	    sts_store_open(&store, in_top("cache"), NULL) != STS_OK;
}

static int
tear_down(void **state)
{
	sts_store_close(store);
	return wipe_top(state);
}

/* One after the other: each finds what those before it left. */
static void
test_guard(void **state)
{
	static const struct {
		const char *what;
		uint64_t inode;
		int64_t size, age; /* of the file, s */
		bool protects;
		const char *fault; /* part of it; NULL: none */
	} t[] = {
		{ "nothing was there, nothing is", 0, 0, 0, false, NULL },
		{ "rules, for the first time", 7, 90, 0, true, NULL },
		{ "the same file", 7, 90, 0, true, NULL },
		{ "it is gone", 0, 0, 0, false, "gone or empty" },
		{ "it is empty", 7, 0, 0, false, "gone or empty" },
		{ "it is being rewritten", 7, 40, 1, false,
		    "may not be complete" },
		{ "and the rules are there already", 7, 80, 1, true,
		    "may not be complete" },
		{ "another took its place", 8, 90, 1, true, NULL },
		{ "rewritten a while ago", 8, 95, 3, true, NULL },
		{ "without the rules", 8, 30, 5, false, NULL },
		{ "then it may go", 0, 0, 0, false, NULL },
		{ "rules again", 9, 90, 100, true, NULL },
		{ "replaced by one without", 10, 90, 0, false, NULL },
		{ "which may go, too", 0, 0, 0, false, NULL },
	};

	int64_t now = time(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct sts_conf c = { .cache_dir = "/c",
			.dns_failure =
			    t[i].protects ? STS_DNS_DEFER : STS_DNS_PROCEED,
			.file = { t[i].inode, t[i].size,
			    t[i].inode == 0 ? 0 : now - t[i].age, 0 } };
		struct sts_err err = { 0 };
		enum sts_rc rc = sts_config_guard(store, &c, "/etc/x", &err);

		ROW((rc == STS_OK) == (t[i].fault == NULL) &&
			(rc == STS_OK || strstr(err.text, t[i].fault) != NULL),
		    "%s: %d (%s)", t[i].what, rc, err.text);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guard),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
