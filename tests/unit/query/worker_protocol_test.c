/* SPDX-License-Identifier: ISC */
#include "query/spawn.h"
#include "row.h"

static const struct {
	const char *what;
	struct sts_str in;
	enum sts_stage stage;
	int frame;
	const char *bytes;
	const char *note;
	bool ended;
} cases[] = {
	{ "nothing", LIT(""), STS_STAGE_NONE, 0, "", "", false },
	{ "started", LIT("s"), STS_STAGE_STARTED, 0, "", "", false },
	{ "the last stage counts", LIT("sdtg"), STS_STAGE_GET, 0, "", "",
	    false },
	{ "storing", LIT("sdtgk"), STS_STAGE_STORE, 0, "", "", false },
	{ "a frame", LIT("sdL00000003abc"), STS_STAGE_DNS, 'L', "abc", "",
	    false },
	{ "an empty frame", LIT("F00000000"), STS_STAGE_NONE, 'F', "", "",
	    false },
	{ "half a frame", LIT("sF00000004abc"), STS_STAGE_STARTED, 0, "", "",
	    false },
	{ "half a head", LIT("sF0000"), STS_STAGE_STARTED, 0, "", "", false },
	{ "a note before it", LIT("sg#00000002hiF00000001x"), STS_STAGE_GET,
	    'F', "x", "hi", false },
	{ "a note is escaped", LIT("#00000003a\n\xffL00000001x"),
	    STS_STAGE_NONE, 'L', "x", "a\\x0a\\xff", false },
	{ "a fault", LIT("s!00000004oops"), STS_STAGE_STARTED, '!', "oops", "",
	    false },
	{ "garbage ends it", LIT("szzzzzzzzzzz"), STS_STAGE_STARTED, 0, "", "",
	    true },
	{ "a NUL is garbage", LIT("s\0\0\0\0\0\0\0\0\0\0"), STS_STAGE_STARTED,
	    0, "", "", true },
	{ "a length over the limit", LIT("F0fffffff"), STS_STAGE_NONE, 0, "",
	    "", true },
	{ "a length that is none", LIT("F-0000001x"), STS_STAGE_NONE, 0, "", "",
	    true },
	{ "upper case is none", LIT("F0000000A"), STS_STAGE_NONE, 0, "", "",
	    true },
};

/* The same whatever the size of the pieces that read(2) brings. */
static void
test_pieces(void **state)
{
	static struct sts_worker_answer h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t piece = 1; piece < 12; piece++) {
			struct sts_str in = cases[i].in;
			bool whole = false;

			memset(&h, 0, sizeof h);
			for (size_t at = 0; at < in.len && !whole && !h.ended;
			     at += piece) {
				size_t n =
				    in.len - at < piece ? in.len - at : piece;

				memcpy(h.buf + h.used, in.p + at, n);
				whole = sts_worker_answer_add(&h, n);
			}
			ROW(h.stage == cases[i].stage &&
				(int)h.frame == cases[i].frame &&
				whole == (h.frame != 0) &&
				str_is(h.frame == 0 ? str_of("") : h.bytes,
				    cases[i].bytes) &&
				strcmp(h.note, cases[i].note) == 0 &&
				h.ended == cases[i].ended,
			    "%s, by %zu: stage %d frame %d note '%s'",
			    cases[i].what, piece, h.stage, h.frame, h.note);
		}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pieces) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
