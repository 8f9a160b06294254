/* SPDX-License-Identifier: ISC */
/* What an answer to a POST means: RFC 8460 5.4, RFC 9110 15. */
#include "post_status.h"
#include "row.h"

static const struct {
	const char *clause;
	long status;
	bool whole, complete;
	enum post_fate fate;
} t[] = {
	{ "8460 5.4 2xx", 200, true, true, POST_TAKEN },
	{ "8460 5.4 201", 201, true, true, POST_TAKEN },
	{ "8460 5.4 202", 202, true, true, POST_TAKEN },
	{ "8460 5.4 204", 204, true, true, POST_TAKEN },
	{ "2xx to half of it", 200, false, true, POST_AGAIN },
	{ "2xx, and then cut off", 200, true, false, POST_UNKNOWN },
	{ "all went out, no answer", 0, true, false, POST_UNKNOWN },
	{ "all went out, an end without an answer", 0, true, true,
	    POST_UNKNOWN },
	{ "not all went out, no answer", 0, false, false, POST_AGAIN },
	{ "9110 15.2 100 and no more", 100, true, false, POST_UNKNOWN },
	{ "9110 15.4.1", 300, true, true, POST_AGAIN },
	{ "9110 15.4.2 for good", 301, true, true, POST_REFUSED },
	{ "9110 15.4.3", 302, true, true, POST_AGAIN },
	{ "9110 15.4.4", 303, true, true, POST_AGAIN },
	{ "9110 15.4.8", 307, true, true, POST_AGAIN },
	{ "9110 15.4.9 for good", 308, true, true, POST_REFUSED },
	{ "9110 15.5.1", 400, true, true, POST_REFUSED },
	{ "the same to half of it", 400, false, false, POST_REFUSED },
	{ "9110 15.5.2 no credentials", 401, true, true, POST_REFUSED },
	{ "9110 15.5.4", 403, true, true, POST_REFUSED },
	{ "9110 15.5.5 perhaps for now", 404, true, true, POST_AGAIN },
	{ "9110 15.5.6", 405, true, true, POST_REFUSED },
	{ "9110 15.5.9", 408, true, true, POST_AGAIN },
	{ "9110 15.5.10", 409, true, true, POST_AGAIN },
	{ "9110 15.5.11", 410, true, true, POST_REFUSED },
	{ "9110 15.5.14", 413, false, true, POST_REFUSED },
	{ "9110 15.5.16", 415, true, true, POST_REFUSED },
	{ "9110 15.5.20", 421, true, true, POST_AGAIN },
	{ "9110 15.5.21", 422, true, true, POST_REFUSED },
	{ "6585 4", 429, true, true, POST_AGAIN },
	{ "9110 15 unknown: as 400", 499, true, true, POST_REFUSED },
	{ "9110 15.6.1", 500, true, true, POST_AGAIN },
	{ "9110 15.6.2", 501, true, true, POST_REFUSED },
	{ "9110 15.6.3", 502, true, true, POST_AGAIN },
	{ "9110 15.6.4", 503, true, true, POST_AGAIN },
	{ "9110 15.6.6", 505, true, true, POST_REFUSED },
	{ "9110 15 unknown: as 500", 599, true, true, POST_AGAIN },
	{ "9110 15 no class", 600, true, true, POST_AGAIN },
};

static void
test_fates(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		ROW(post_fate(t[i].status, t[i].whole, t[i].complete) ==
			t[i].fate,
		    "%s: %ld", t[i].clause, t[i].status);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
