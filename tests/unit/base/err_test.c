/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "row.h"

static void
codes(void **state)
{
	static const char *const names[] = {
		[STS_OK] = "ok",
		[STS_ABSENT] = "absent",
		[STS_TEMPFAIL] = "tempfail",
		[STS_INVALID] = "invalid",
		[STS_LOCAL] = "local",
		[STS_NOMEM] = "nomem",
		[STS_USAGE] = "usage",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		ROW(strcmp(sts_rc_name((enum sts_rc)i), names[i]) == 0,
		    "rc %zu is %s, wanted %s", i, sts_rc_name((enum sts_rc)i),
		    names[i]);
	ROW(strcmp(sts_rc_name((enum sts_rc)ARRAY_LEN(names)), "?") == 0,
	    "a code without a name");
	ROW(is_digit(sts_version()[0]) && strchr(sts_version(), '.') != NULL,
	    "version %s", sts_version());
	rows_done();
}

static void
fail_line(void **state)
{
	static const struct {
		const char *what, *in, *out;
	} cases[] = {
		{ "plain text stays", "no mx field", "no mx field" },
		{ "a newline cannot forge a log line", "a\nb\r\nc", "a?b??c" },
		{ "no terminal sequences", "\033[31m", "?[31m" },
		{ "no bytes over 0x7e", "\x7f\x80\xff", "???" },
		{ "percent is text", "100%s", "100%s" },
		{ "empty", "", "" },
	};
	struct sts_err err;
	char longer[1000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum sts_rc rc =
		    sts_fail(&err, STS_INVALID, 7, "%s", cases[i].in);

		ROW(rc == STS_INVALID && err.rc == rc && err.line == 7 &&
			strcmp(err.text, cases[i].out) == 0,
		    "%s: %s", cases[i].what, err.text);
	}
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	sts_fail(&err, STS_LOCAL, 0, "%s", longer);
	ROW(strlen(err.text) == sizeof err.text - 1, "cut to the field");
	ROW(sts_fail(NULL, STS_NOMEM, 0, "%s", longer) == STS_NOMEM,
	    "nobody wants to know");
	rows_done();
}

static void
escape(void **state)
{
	static const struct {
		const char *what;
		struct sts_str in;
		size_t size;
		const char *out;
	} cases[] = {
		{ "plain", LIT("mx: a"), 80, "mx: a" },
		{ "NUL inside", LIT("a\0b"), 80, "a\\x00b" },
		{ "newline", LIT("a\n"), 80, "a\\x0a" },
		{ "high bytes", LIT("\xc3\xbc\x7f"), 80, "\\xc3\\xbc\\x7f" },
		{ "backslash", LIT("\\x00"), 80, "\\\\x00" },
		{ "empty", LIT(""), 80, "" },
		{ "fits to the byte", LIT("abcdef"), 7, "abcdef" },
		{ "one too many", LIT("abcdefg"), 7, "abc..." },
		{ "never half an escape", LIT("ab\n\n"), 8, "ab..." },
		{ "escape fits to the byte", LIT("a\n"), 6, "a\\x0a" },
		{ "escape and cut", LIT("a\nbbbb"), 9, "a\\x0a..." },
		{ "room for the cut mark only", LIT("abcdef"), 4, "..." },
		{ "not even that", LIT("abcdef"), 3, ".." },
		{ "the NUL alone", LIT("abcdef"), 1, "" },
	};
	char *out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *in = guard_copy(cases[i].in.p, cases[i].in.len);
		char fill[80];

		memset(fill, 'Z', sizeof fill);
		out = guard_copy(fill, cases[i].size);
		sts_escape(out, cases[i].size,
		    (struct sts_str){ in, cases[i].in.len });
		ROW(strcmp(out, cases[i].out) == 0, "%s: %s", cases[i].what,
		    out);
	}
	out = guard_copy("", 0);
	sts_escape(out, 0, str_of("no room"));
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes),
		cmocka_unit_test(fail_line),
		cmocka_unit_test(escape),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
