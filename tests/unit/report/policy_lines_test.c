/* SPDX-License-Identifier: ISC */
/* policy-string of RFC 8460 4.4 and 4.5 from any bytes. */
#include "policy_lines.h"
#include "row.h"

static const struct {
	const char *what;
	struct sts_str text;
	struct sts_str want; /* with the NUL of each string, but the last */
} texts[] = {
	{ "nothing", LIT(""), LIT("") },
	{ "4.5 each line a string", LIT("a\nb\n"), LIT("a\0b\0") },
	{ "4.5 in its order, errors included", LIT("b: ?\r\na\r\n"),
	    LIT("b: ?\0a\0") },
	{ "no end of line", LIT("a\nbc"), LIT("a\0bc\0") },
	{ "a CR alone", LIT("\r"), LIT("") },
	{ "empty lines are none", LIT("\n\r\n\na\n\n"), LIT("a\0") },
	{ "other control bytes stay", LIT("\t\x01\x7f\n"),
	    LIT("\t\x01\x7f\0") },
	{ "UTF-8 stays", LIT("caf\xc3\xa9 \xf0\x9f\x92\x8c"),
	    LIT("caf\xc3\xa9 \xf0\x9f\x92\x8c\0") },
	{ "Latin-1 does not", LIT("caf\xe9\nb"), LIT("(not UTF-8)\0b\0") },
	{ "half a character at the end", LIT("a\xf0\x9f\x92"),
	    LIT("(not UTF-8)\0") },
	{ "overlong, surrogate", LIT("\xc0\x80\n\xed\xa0\x80"),
	    LIT("(not UTF-8)\0(not UTF-8)\0") },
	{ "RFC 7493 2.1 noncharacters",
	    LIT("\xef\xb7\x8f\n\xef\xb7\x90\n\xef\xb7\xaf\n\xef\xbf\xbd\n"
		"\xef\xbf\xbe\n\xf0\x9f\xbf\xbf\n\xf4\x8f\xbf\xbd\n"),
	    LIT("\xef\xb7\x8f\0(not UTF-8)\0(not UTF-8)\0\xef\xbf\xbd\0"
		"(not UTF-8)\0(not UTF-8)\0\xf4\x8f\xbf\xbd\0") },
	{ "a NUL would cut it", LIT("a\0b\nc"), LIT("(not UTF-8)\0c\0") },
};

static void
test_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sts_str t = texts[i].text, want = texts[i].want;
		char *got;

		t.p = guard_copy(t.p, t.len);
		got = policy_lines_split(t);
		assert_non_null(got);
		ROW(memcmp(got, want.p, want.len + 1) == 0, "%s: %s",
		    texts[i].what, got);
		free(got);
	}
	rows_done();
}

/* Whatever it grows by, there is room: the worst is one odd byte a line. */
static void
test_room(void **state)
{
	static char text[65536];
	struct sts_str all = { text, sizeof text };
	size_t n = 0;
	char *got;

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 2 == 0 ? '\xff' : '\n';
	all.p = guard_copy(all.p, all.len);
	got = policy_lines_split(all);
	assert_non_null(got);
	for (const char *p = got; *p != '\0'; p += strlen(p) + 1)
		n++;
	ROW(n == sizeof text / 2, "%zu lines", n);
	free(got);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
