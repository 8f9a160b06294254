/* SPDX-License-Identifier: ISC */
#include <time.h>

#include "row.h"
#include "rules/http_reply.h"
#include "rules/policy.h"

#define V "version: STSv1\n"
#define E V "mode: enforce\n"
#define GOOD E "mx: a.example\nmax_age: 86400\n"
#define LABEL63                                                                \
	"abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-012345678"
#define A32 "abcdefghijklmnopqrstuvwxyz012345"

/* What a good body must give, and what is heard of a bad one. */
static const struct {
	const char *clause;
	struct sts_str body;
	const char *want; /* mode, max_age and mx; NULL: refused */
	const char *heard;
} cases[] = {
	/* Lines */
	{ "3.2 LF ends a field", LIT(GOOD), "enforce 86400 a.example", "" },
	{ "3.2 CRLF ends a field",
	    LIT("version: STSv1\r\nmode: testing\r\nmx: a.example\r\n"
		"max_age: 1\r\n"),
	    "testing 1 a.example", "" },
	{ "3.2 both may be mixed",
	    LIT("version: STSv1\r\nmode: none\nmax_age: 1\r\n"), "none 1", "" },
	{ "3.2 the last end may be missing", LIT(E "max_age: 1\nmx: a.example"),
	    "enforce 1 a.example", "" },
	{ "3.2 a bare CR ends nothing",
	    LIT("version: STSv1\rmode: none\rmax_age: 1\r"), NULL,
	    "!version-syntax:1 !mode-missing:0 !max-age-missing:0" },
	{ "3.2 CR at the very end", LIT(E "mx: a.example\nmax_age: 1\r"), NULL,
	    "!max-age-syntax:4" },
	{ "3.2 CR before CRLF", LIT(E "mx: a.example\r\r\nmax_age: 1\n"), NULL,
	    "!mx-syntax:3" },
	{ "3.2 blanks after a field",
	    LIT("version: STSv1 \nmode: enforce\t\nmx: a.example \t \r\n"
		"max_age: 1  "),
	    "enforce 1 a.example", "" },
	{ "3.2 no blank after the colon",
	    LIT("version:STSv1\nmode:none\nmax_age:7\n"), "none 7", "" },
	{ "3.2 blanks and tabs after the colon",
	    LIT("version: \t STSv1\nmode:\tnone\nmax_age:   7\n"), "none 7",
	    "" },
	{ "3.2 no blank before the colon", LIT(GOOD "x : y\n"), NULL,
	    "!line-syntax:5" },
	{ "3.2 no blank before a name", LIT(GOOD " x: y\n"), NULL,
	    "!leading-blank:5" },
	{ "3.2 nor a tab", LIT("\tversion: STSv1\n" GOOD), NULL,
	    "!leading-blank:1" },
	{ "3.2 a line needs a colon", LIT(GOOD "hello\n"), NULL,
	    "!line-syntax:5" },
	{ "3.2 other separator", LIT(GOOD "x=y\n"), NULL, "!line-syntax:5" },
	{ "3.2 a line needs a name", LIT(GOOD ": y\n"), NULL,
	    "!line-syntax:5" },
	{ "3.2 no comments", LIT("# ours\n" GOOD), NULL, "!line-syntax:1" },
	{ "3.2 byte order mark", LIT("\xef\xbb\xbf" GOOD), NULL,
	    "!line-syntax:1 !version-missing:0" },
	{ "3.2 empty body", LIT(""), NULL,
	    "!version-missing:0 !mode-missing:0 !max-age-missing:0" },
	{ "3.2 a page of HTML", LIT("<html>\n</html>\n"), NULL,
	    "!line-syntax:1 !line-syntax:2 !version-missing:0 !mode-missing:0 "
	    "!max-age-missing:0" },
	{ "3.2 one empty line at the end", LIT(GOOD "\n"),
	    "enforce 86400 a.example", "empty-end:5" },
	{ "3.2 several, LF and CRLF", LIT(GOOD "\r\n\n\r\n"),
	    "enforce 86400 a.example", "empty-end:5" },
	{ "3.2 empty line inside", LIT(V "\nmode: none\nmax_age: 1\n"), NULL,
	    "!empty-line:2" },
	{ "3.2 empty lines first", LIT("\n\n" GOOD), NULL, "!empty-line:1" },
	{ "3.2 only empty lines", LIT("\n\n"), NULL,
	    "empty-end:1 !version-missing:0 !mode-missing:0 "
	    "!max-age-missing:0" },
	{ "3.2 a line of blanks at the end", LIT(GOOD "  \n"), NULL,
	    "!leading-blank:5" },
	{ "3.2 NUL is not an end", LIT(GOOD "\0"), NULL, "!line-syntax:5" },
	/* version */
	{ "3.2 version is required",
	    LIT("mode: enforce\nmx: a.example\nmax_age: 1\n"), NULL,
	    "!version-missing:0" },
	{ "3.2 version need not come first",
	    LIT("max_age: 1\nmode: none\nversion: STSv1\n"), "none 1", "" },
	{ "3.2 version, exact case",
	    LIT("version: stsv1\nmode: none\nmax_age: 1\n"), NULL,
	    "!version-syntax:1" },
	{ "3.2 another version",
	    LIT("version: STSv2\nmode: none\nmax_age: 1\n"), NULL,
	    "!version-syntax:1" },
	{ "3.2 version compared whole",
	    LIT("version: STSv11\nmode: none\nmax_age: 1\n"), NULL,
	    "!version-syntax:1" },
	{ "3.2 version as in TXT", LIT("v: STSv1\nmode: none\nmax_age: 1\n"),
	    NULL, "unknown-field:1 !version-missing:0" },
	/* mode */
	{ "3.2 enforce", LIT(GOOD), "enforce 86400 a.example", "" },
	{ "3.2 testing", LIT(V "mode: testing\nmx: a.example\nmax_age: 1\n"),
	    "testing 1 a.example", "" },
	{ "3.2 none", LIT(V "mode: none\nmax_age: 1\n"), "none 1", "" },
	{ "3.2 mode is required", LIT(V "mx: a.example\nmax_age: 1\n"), NULL,
	    "!mode-missing:0" },
	{ "3.2 mode, exact case", LIT(V "mode: Enforce\nmx: a\nmax_age: 1\n"),
	    NULL, "!mode-syntax:2" },
	{ "3.2 no other mode", LIT(V "mode: report\nmx: a\nmax_age: 1\n"), NULL,
	    "!mode-syntax:2" },
	{ "3.2 mode compared whole", LIT(V "mode: nonesuch\nmax_age: 1\n"),
	    NULL, "!mode-syntax:2" },
	{ "3.2 two words", LIT(V "mode: none testing\nmax_age: 1\n"), NULL,
	    "!mode-syntax:2" },
	{ "3.2 empty mode", LIT(V "mode:\nmax_age: 1\n"), NULL,
	    "!mode-syntax:2" },
	{ "3.2 names are case-sensitive",
	    LIT(V "Mode: enforce\nmode: none\nmax_age: 1\n"), "none 1",
	    "unknown-field:2" },
	/* max_age */
	{ "3.2 max_age is required", LIT(E "mx: a.example\n"), NULL,
	    "!max-age-missing:0" },
	{ "3.2 max_age 0", LIT(V "mode: none\nmax_age: 0\n"), "none 0", "" },
	{ "3.2 one year", LIT(V "mode: none\nmax_age: 31557600\n"),
	    "none 31557600", "" },
	{ "3.2 more than one year", LIT(V "mode: none\nmax_age: 31557601\n"),
	    "none 31557600", "max-age-clamped:3" },
	{ "3.2 over 32 bits", LIT(V "mode: none\nmax_age: 4294967297\n"),
	    "none 31557600", "max-age-clamped:3" },
	{ "3.2 ten digits", LIT(V "mode: none\nmax_age: 9999999999\n"),
	    "none 31557600", "max-age-clamped:3" },
	{ "3.2 eleven digits", LIT(V "mode: none\nmax_age: 10000000000\n"),
	    NULL, "!max-age-syntax:3" },
	{ "3.2 over 64 bits",
	    LIT(V "mode: none\nmax_age: 18446744073709551617\n"), NULL,
	    "!max-age-syntax:3" },
	{ "3.2 leading zeros", LIT(V "mode: none\nmax_age: 0000000001\n"),
	    "none 1", "" },
	{ "3.2 eleven with zeros", LIT(V "mode: none\nmax_age: 00000000001\n"),
	    NULL, "!max-age-syntax:3" },
	{ "3.2 minus", LIT(V "mode: none\nmax_age: -1\n"), NULL,
	    "!max-age-syntax:3" },
	{ "3.2 plus", LIT(V "mode: none\nmax_age: +1\n"), NULL,
	    "!max-age-syntax:3" },
	{ "3.2 point", LIT(V "mode: none\nmax_age: 1.0\n"), NULL,
	    "!max-age-syntax:3" },
	{ "3.2 hexadecimal", LIT(V "mode: none\nmax_age: 0x10\n"), NULL,
	    "!max-age-syntax:3" },
	{ "3.2 unit", LIT(V "mode: none\nmax_age: 1d\n"), NULL,
	    "!max-age-syntax:3" },
	{ "3.2 two numbers", LIT(V "mode: none\nmax_age: 1 2\n"), NULL,
	    "!max-age-syntax:3" },
	{ "3.2 empty max_age", LIT(V "mode: none\nmax_age: \n"), NULL,
	    "!max-age-syntax:3" },
	{ "3.2 NUL in max_age", LIT(V "mode: none\nmax_age: 1\0\n"), NULL,
	    "!max-age-syntax:3" },
	{ "3.2 max-age is another field", LIT(V "mode: none\nmax-age: 1\n"),
	    NULL, "unknown-field:3 !max-age-missing:0" },
	/* mx */
	{ "3.2 enforce needs mx", LIT(E "max_age: 1\n"), NULL,
	    "!mx-missing:0" },
	{ "3.2 testing needs mx", LIT(V "mode: testing\nmax_age: 1\n"), NULL,
	    "!mx-missing:0" },
	{ "3.2 none may have mx",
	    LIT(V "mode: none\nmax_age: 1\nmx: a.example\n"),
	    "none 1 a.example", "" },
	{ "3.2 mx repeats, order and doubles stay",
	    LIT(GOOD "mx: *.b.example\nmx: a.example\n"),
	    "enforce 86400 a.example *.b.example a.example", "" },
	{ "4.1 mx in lower case", LIT(E "mx: MX.Example\nmax_age: 1\n"),
	    "enforce 1 mx.example", "" },
	{ "3.2 one bad mx among good ones",
	    LIT(GOOD "mx: a_b.example\nmx: c.example\n"), NULL,
	    "!mx-syntax:5" },
	{ "3.2 a bad mx with mode none",
	    LIT(V "mode: none\nmax_age: 1\nmx: -\n"), NULL, "!mx-syntax:4" },
	{ "3.2 two names in one mx", LIT(GOOD "mx: a.example b.example\n"),
	    NULL, "!mx-syntax:5" },
	{ "3.2 names with comma", LIT(GOOD "mx: a.example,b.example\n"), NULL,
	    "!mx-syntax:5" },
	{ "3.2 empty mx", LIT(GOOD "mx:\n"), NULL, "!mx-syntax:5" },
	{ "3.2 trailing dot", LIT(GOOD "mx: a.example.\n"), NULL,
	    "!mx-syntax:5" },
	{ "3.2 old wildcard", LIT(GOOD "mx: .example\n"), NULL,
	    "!mx-syntax:5" },
	{ "3.2 wildcard alone", LIT(GOOD "mx: *\n"), NULL, "!mx-syntax:5" },
	{ "3.2 U-label", LIT(GOOD "mx: \xc3\xbc.example\n"), NULL,
	    "!mx-syntax:5" },
	{ "3.2 NUL in mx", LIT(GOOD "mx: a.example\0.evil\n"), NULL,
	    "!mx-syntax:5" },
	{ "3.2 address literal", LIT(GOOD "mx: [192.0.2.1]\n"), NULL,
	    "!mx-syntax:5" },
	{ "3.2 IPv4 is a Domain", LIT(GOOD "mx: 192.0.2.1\n"),
	    "enforce 86400 a.example 192.0.2.1", "mx-address:5" },
	{ "1035 2.3.4 label of 63", LIT(GOOD "mx: " LABEL63 "\n"),
	    "enforce 86400 a.example " LABEL63, "" },
	{ "1035 2.3.4 label of 64", LIT(GOOD "mx: " LABEL63 "x\n"), NULL,
	    "!mx-syntax:5" },
	/* Extensions */
	{ "3.2 unknown fields are ignored", LIT(GOOD "x: y\nmx_: z\n"),
	    "enforce 86400 a.example", "unknown-field:5 unknown-field:6" },
	{ "3.2 all bytes of a name", LIT(GOOD "0aZ_-.: y\n"),
	    "enforce 86400 a.example", "unknown-field:5" },
	{ "3.2 name of 32", LIT(GOOD A32 ": y\n"), "enforce 86400 a.example",
	    "unknown-field:5" },
	{ "3.2 name of 33", LIT(GOOD A32 "x: y\n"), NULL, "!line-syntax:5" },
	{ "3.2 name begins with _", LIT(GOOD "_x: y\n"), NULL,
	    "!line-syntax:5" },
	{ "3.2 U-label as name", LIT(GOOD "\xc3\xbc: y\n"), NULL,
	    "!line-syntax:5" },
	{ "3.2 colons and blanks in a value", LIT(GOOD "x: a: b  c;=~!\n"),
	    "enforce 86400 a.example", "unknown-field:5" },
	{ "3.2 an empty value", LIT(GOOD "x: \n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3.2 tab in a value", LIT(GOOD "x: a\tb\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3.2 tab after a value", LIT(GOOD "x: a\t\n"),
	    "enforce 86400 a.example", "unknown-field:5" },
	{ "3.2 control byte in a value", LIT(GOOD "x: a\033b\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3.2 DEL in a value", LIT(GOOD "x: a\x7f\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3.2 NUL in a value", LIT(GOOD "x: a\0b\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3.2 UTF-8 of 2, 3 and 4 bytes",
	    LIT(GOOD "x: \xc3\xbc \xe2\x82\xac \xf0\x9f\x93\xa7\n"),
	    "enforce 86400 a.example", "unknown-field:5" },
	{ "3.2 its least and last",
	    LIT(GOOD "x: \xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"
		     "\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\n"),
	    "enforce 86400 a.example", "unknown-field:5" },
	{ "3629 3 lone continuation", LIT(GOOD "x: \x80\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3629 3 overlong of 2", LIT(GOOD "x: \xc1\xbf\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3629 3 overlong of 3", LIT(GOOD "x: \xe0\x9f\xbf\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3629 3 overlong of 4", LIT(GOOD "x: \xf0\x8f\xbf\xbf\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3629 3 surrogate", LIT(GOOD "x: \xed\xa0\x80\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3629 3 over 10ffff", LIT(GOOD "x: \xf4\x90\x80\x80\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3629 3 five bytes", LIT(GOOD "x: \xf8\x88\x80\x80\x80\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3629 3 bad third byte", LIT(GOOD "x: \xe2\x82z\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3629 3 bad fourth byte", LIT(GOOD "x: \xf0\x9f\x93z\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	{ "3629 3 cut at the end of the body", LIT(GOOD "x: \xf0\x9f\x93"),
	    NULL, "unknown-field:5 !extension-syntax:5" },
	{ "3629 3 Latin-1", LIT(GOOD "x: \xfc\n"), NULL,
	    "unknown-field:5 !extension-syntax:5" },
	/* Duplicates */
	{ "3.2 the first mode counts", LIT(GOOD "mode: none\n"),
	    "enforce 86400 a.example", "duplicate-field:5" },
	{ "3.2 the first max_age counts", LIT(GOOD "max_age: 1\n"),
	    "enforce 86400 a.example", "duplicate-field:5" },
	{ "3.2 the first version counts", LIT(GOOD "version: STSv2\n"),
	    "enforce 86400 a.example", "duplicate-field:5" },
	{ "3.2 a later one may be bad", LIT(GOOD "max_age: soon\n"),
	    "enforce 86400 a.example", "duplicate-field:5" },
	{ "3.2 the first one may not", LIT(E "max_age: soon\n" GOOD), NULL,
	    "!max-age-syntax:3 duplicate-field:4 duplicate-field:5 "
	    "duplicate-field:7" },
	{ "3.2 a later one is a field still", LIT(GOOD "mode: a\0b\n"), NULL,
	    "duplicate-field:5 !extension-syntax:5" },
	/* All problems are told, the first fatal one is the reason. */
	{ "3.2 several problems",
	    LIT("version: x\nmode: y\nz\nmx: -\nmax_age: 99999999\n\nmx: 1\n"
		"\n"),
	    NULL,
	    "!version-syntax:1 !mode-syntax:2 !line-syntax:3 !mx-syntax:4 "
	    "max-age-clamped:5 !empty-line:6 mx-address:7 empty-end:8" },
};

static const char *
show(const struct sts_policy *pol)
{
	static char out[1000];
	size_t n;

	if (pol == NULL)
		return NULL;
	n = (size_t)snprintf(out, sizeof out, "%s %u",
	    sts_mode_name(sts_policy_mode(pol)), sts_policy_max_age(pol));
	for (size_t i = 0; i < sts_policy_mx_count(pol); i++)
		n += (size_t)snprintf(out + n, sizeof out - n, " %s",
		    sts_policy_mx(pol, i));
	return out;
}

static bool
equal(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_str b = cases[i].body;
		struct sts_policy *pol, *again;
		struct sts_err err = { 0 };
		struct heard h = { 0 };
		char first[40];
		const char *in = guard_copy(b.p, b.len);
		enum sts_rc rc =
		    sts_policy_parse(&pol, in, b.len, hear, &h, &err);
		const char *fatal = strchr(h.all, '!');

		ROW((rc == STS_OK) == (pol != NULL) &&
			(rc == STS_OK || rc == STS_INVALID) &&
			equal(show(pol), cases[i].want) &&
			strcmp(h.all, cases[i].heard) == 0 && !h.odd,
		    "%s: %s, heard \"%s\"", cases[i].clause,
		    pol == NULL ? sts_rc_name(rc) : show(pol), h.all);
		snprintf(first, sizeof first, ":%u", err.line);
		ROW(rc == STS_OK ? err.rc == STS_OK && fatal == NULL
				 : err.rc == rc && err.text[0] != '\0' &&
			    fatal != NULL &&
			    strncmp(strchr(fatal, ':'), first, strlen(first)) ==
				0,
		    "%s: err is the first fatal problem, got line %u (%s)",
		    cases[i].clause, err.line, err.text);
		ROW(sts_policy_parse(&again, in, b.len, NULL, NULL, NULL) == rc,
		    "%s: the same where nobody listens", cases[i].clause);
		sts_policy_free(pol);
		sts_policy_free(again);
	}
	rows_done();
}

static void
mode_names(void **state)
{
	enum sts_mode back;

	(void)state;
	for (int m = STS_MODE_NONE; m <= STS_MODE_ENFORCE; m++)
		ROW(sts_mode_of(str_of(sts_mode_name((enum sts_mode)m)),
			&back) &&
			back == (enum sts_mode)m,
		    "mode %d", m);
	ROW(!sts_mode_of(str_of("None"), &back), "exact case");
	ROW(strcmp(sts_mode_name((enum sts_mode)3), "?") == 0, "no fourth");
	rows_done();
}

/* len bytes that begin with head and go on with unit */
static char *
body_of(const char *head, const char *unit, size_t len)
{
	static char body[STS_BODY_MAX + 1];
	size_t n = strlen(head), u = strlen(unit);

	memcpy(body, head, n);
	for (; n < len; n++)
		body[n] = unit[(n - strlen(head)) % u];
	return guard_copy(body, len);
}

static void
size(void **state)
{
	struct sts_policy *pol;
	struct sts_err err;
	struct heard h = { 0 };
	size_t head = strlen(GOOD);
	/* Whole lines of 8 bytes up to the limit. */
	size_t n = (STS_BODY_MAX - head) / 8;

	(void)state;
	ROW(sts_policy_parse(&pol, body_of(GOOD, "x: yyyyy", STS_BODY_MAX),
		STS_BODY_MAX, NULL, NULL, &err) == STS_OK,
	    "3.3 65536 bytes: %s", err.text);
	sts_policy_free(pol);
	ROW(sts_policy_parse(&pol, body_of(GOOD, "x: yyyyy", STS_BODY_MAX + 1),
		STS_BODY_MAX + 1, hear, &h, &err) == STS_INVALID &&
		pol == NULL && strcmp(h.all, "!body-size:0") == 0,
	    "3.3 one byte more: %s", h.all);
	ROW(sts_policy_parse(&pol, body_of(GOOD, "mx: a.b\n", head + n * 8),
		head + n * 8, NULL, NULL, &err) == STS_OK,
	    "3.2 mx without a limit: %s", err.text);
	ROW(sts_policy_mx_count(pol) == n + 1 &&
		strcmp(sts_policy_mx(pol, n), "a.b") == 0 &&
		sts_policy_mx(pol, n + 1) == NULL,
	    "all %zu of them", n + 1);
	sts_policy_free(pol);
	sts_policy_free(NULL);
	ROW(sts_policy_parse(&pol, NULL, 0, NULL, NULL, NULL) == STS_INVALID &&
		pol == NULL,
	    "no bytes at all");
	rows_done();
}

/* 64 kilobytes of the worst: time must follow the size, not its square. */
static void
hostile(void **state)
{
	static const char *const units[] = { "\n", ":", "mx:\n", "a:\n",
		"mx: ", "mode: x\n", "a", " ", "\r", "\r\n", "x: \xff\n", "\\",
		"mx: 1\n", "." };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		char *in = body_of("", units[i], STS_BODY_MAX);
		struct sts_policy *pol;
		clock_t t = clock();

		ROW(sts_policy_parse(&pol, in, STS_BODY_MAX, NULL, NULL,
			NULL) == STS_INVALID,
		    "unit %zu", i);
		t = clock() - t;
		ROW(t < CLOCKS_PER_SEC / 2, "unit %zu took %ld us", i,
		    (long)(t * 1000000 / CLOCKS_PER_SEC));
	}
	rows_done();
}

/* What a configuration states itself. */
static void
test_pin(void **state)
{
	static const struct {
		const char *patterns;
		enum sts_rc rc;
		const char *host;
		bool permitted;
	} t[] = {
		{ "a.example", STS_OK, "A.example.", true },
		{ "a.example", STS_OK, "b.example", false },
		{ "  b.test\t*.example ", STS_OK, "b.test", true },
		{ "  b.test\t*.example ", STS_OK, "a.example", true },
		{ "  b.test\t*.example ", STS_OK, "a.b.example", false },
		{ "", STS_INVALID, "", false },
		{ "a_b.example", STS_INVALID, "", false },
	};
	struct sts_policy *pol;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		ROW(sts_policy_pin(&pol, STS_MODE_TESTING, t[i].patterns,
			NULL) == t[i].rc,
		    "\"%s\"", t[i].patterns);
		ROW(t[i].rc != STS_OK ||
			(sts_policy_mode(pol) == STS_MODE_TESTING &&
			    sts_policy_permits(pol, t[i].host) ==
				t[i].permitted),
		    "\"%s\": %s", t[i].patterns, t[i].host);
		sts_policy_free(pol);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(mode_names),
		cmocka_unit_test(size),
		cmocka_unit_test(hostile),
		cmocka_unit_test(test_pin),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
