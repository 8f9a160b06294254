/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "row.h"
#include "tlsrpt/session_line.h"
#include <mtasts/session.h>

#define HEAD "2\t1764000000\texample.com\tsts\tenforce\tid1\t"
#define NONE "\t\t\t\t\t"
#define CERT "0123456789abcdef0123456789abcdef"

static char line[STS_SESSION_LINE_MAX], again[STS_SESSION_LINE_MAX];

static struct sts_session
usual(void)
{
	return (struct sts_session){
		.time = 1764000000,
		.domain = LIT("example.com"),
		.type = STS_TYPE_STS,
		.mode = STS_MODE_ENFORCE,
		.id = LIT("id1"),
	};
}

static bool
same(struct sts_str a, struct sts_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* --- Writing, and what comes back ---------------------------------------- */

static const struct {
	const char *what;
	struct sts_str said; /* by the MX host: EHLO, and once more as reason */
	const char *text;    /* in the line */
} texts[] = {
	{ "nothing", LIT(""), "" },
	{ "a name", LIT("mx.example.com"), "mx.example.com" },
	{ "blanks", LIT("a b"), "a b" },
	{ "TAB and LF", LIT("a\tb\nc\r"), "a%09b%0Ac%0D" },
	{ "NUL", LIT("a\0b"), "a%00b" },
	{ "the escape itself", LIT("50%"), "50%25" },
	{ "not UTF-8", LIT("\xff\xfe"), "%FF%FE" },
	{ "UTF-8", LIT("\xc3\xa9"), "%C3%A9" },
	{ "DEL", LIT("\x7f"), "%7F" },
	{ "a forged field", LIT("x\t\t\t1\t2"), "x%09%09%091%092" },
};

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sts_session s = usual(), back;
		char want[2000];
		size_t n;

		s.mx_helo = texts[i].said;
		s.reason = texts[i].said;
		n = sts_session_encode(line, &s);
		snprintf(want, sizeof want, HEAD "ok\t\t\t%s\t\t%s\t\n",
		    texts[i].text, texts[i].text);
		ROW(n == strlen(want) && memcmp(line, want, n) == 0,
		    "%s: \"%.*s\"", texts[i].what, (int)n, line);
		ROW(sts_session_decode(&back, line, n - 1) &&
			same(back.mx_helo, texts[i].said) &&
			same(back.reason, texts[i].said),
		    "%s comes back", texts[i].what);
	}
	rows_done();
}

static void
test_limits(void **state)
{
	static char big[STS_SESSION_TEXT_MAX + 1];
	struct sts_session s = usual(), back;
	size_t n;

	(void)state;
	memset(big, 0xff, sizeof big);
	s.mx_helo = s.reason = s.mx_host = s.sending_ip = s.receiving_ip =
	    (struct sts_str){ big, sizeof big };
	s.cert = (struct sts_str)LIT(CERT);
	n = sts_session_encode(line, &s);
	ROW(n > 0 && n < sizeof line && line[n - 1] == '\n', "%zu bytes", n);
	ROW(sts_session_decode(&back, line, n - 1) &&
		back.mx_helo.len == STS_SESSION_TEXT_MAX / 3 &&
		same(back.cert, s.cert),
	    "texts are cut between bytes, the certificate is named");
	memset(big, 'x', STS_SESSION_TEXT_MAX);
	s.reason = (struct sts_str){ big, STS_SESSION_TEXT_MAX };
	n = sts_session_encode(line, &s);
	ROW(sts_session_decode(&back, line, n - 1) &&
		same(back.reason, s.reason),
	    "a text that just fits is whole");
	s.cert.len--;
	n = sts_session_encode(line, &s);
	ROW(sts_session_decode(&back, line, n - 1) && back.cert.len == 0,
	    "what names no certificate is left out");
	s = usual();
	s.id = (struct sts_str)LIT("bad id");
	n = sts_session_encode(line, &s);
	ROW(sts_session_decode(&back, line, n - 1) && back.id.len == 0,
	    "RFC 8461 3.1: not an id");
	rows_done();
}

static void
test_domains(void **state)
{
	static const struct sts_str bad[] = { LIT(""), LIT("Example.com"),
		LIT("example.com."), LIT("[192.0.2.1]"), LIT("192.0.2.1"),
		LIT("a b.example"), LIT("a\0b.example"), LIT("../etc/passwd"),
		LIT("\xc3\xa9.example") };
	struct sts_session s = usual();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		s.domain = bad[i];
		ROW(sts_session_encode(line, &s) == 0,
		    "RFC 8460 4.4: \"%.*s\" is no policy domain",
		    (int)bad[i].len, bad[i].p);
	}
	rows_done();
}

/* --- Reading what is odd ------------------------------------------------- */

static const struct {
	const char *what;
	struct sts_str line;
	bool good;
} odd[] = {
	{ "as written", LIT(HEAD "ok" NONE "\t"), true },
	{ "no policy",
	    LIT("2\t0\ta.example\tno-policy-found\tnone\t\tok" NONE "\t"),
	    true },
	{ "with a certificate", LIT(HEAD "certificate" NONE "\t" CERT), true },
	{ "empty", LIT(""), false },
	{ "another format", LIT("1\t1\ta.example\tsts\tnone\t\tok" NONE "\t"),
	    false },
	{ "a field less", LIT(HEAD "ok" NONE), false },
	{ "a field more", LIT(HEAD "ok" NONE "\t\t"), false },
	{ "time below 0", LIT("2\t-1\ta.example\tsts\tnone\t\tok" NONE "\t"),
	    false },
	{ "time of two looks",
	    LIT("2\t01\ta.example\tsts\tnone\t\tok" NONE "\t"), false },
	{ "time over 63 bits",
	    LIT("2\t9223372036854775808\ta.example\tsts\tnone\t\tok" NONE "\t"),
	    false },
	{ "RFC 8460 4.4: DANE",
	    LIT("2\t1\ta.example\ttlsa\tnone\t\tok" NONE "\t"), true },
	{ "unknown policy type",
	    LIT("2\t1\ta.example\tSTS\tnone\t\tok" NONE "\t"), false },
	{ "unknown mode", LIT("2\t1\ta.example\tsts\tx\t\tok" NONE "\t"),
	    false },
	{ "unknown result", LIT(HEAD "fine" NONE "\t"), false },
	{ "no result", LIT(HEAD NONE "\t"), false },
	{ "upper case in the domain",
	    LIT("2\t1\tA.example\tsts\tnone\t\tok" NONE "\t"), false },
	{ "id of 33",
	    LIT("2\t1\ta.example\tsts\tnone\t"
		"abcdefghijklmnopqrstuvwxyz0123456\tok" NONE "\t"),
	    false },
	{ "half an escape", LIT(HEAD "ok\t\t\t\t\t%2\t"), false },
	{ "lower-case escape", LIT(HEAD "ok\t\t\t\t\t%0a\t"), false },
	{ "escape of what needs none", LIT(HEAD "ok\t\t\t\t\t%41\t"), false },
	{ "raw byte", LIT(HEAD "ok\t\t\t\t\t\xff\t"), false },
	{ "raw NUL", LIT(HEAD "ok\t\t\t\t\ta\0b\t"), false },
	{ "half a name", LIT(HEAD "ok" NONE "\t0123456789abcdef"), false },
	{ "a name and more", LIT(HEAD "ok" NONE "\t" CERT "0"), false },
	{ "upper case in a name",
	    LIT(HEAD "ok" NONE "\t0123456789ABCDEF0123456789abcdef"), false },
	{ "a path", LIT(HEAD "ok" NONE "\t../456789abcdef0123456789abcdef0"),
	    false },
	{ "a NUL in a name",
	    LIT(HEAD "ok" NONE "\t0123456789abcdef\0"
		     "123456789abcdef"),
	    false },
};

static void
test_odd(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		struct sts_session s;

		memcpy(line, odd[i].line.p, odd[i].line.len);
		ROW(sts_session_decode(&s, line, odd[i].line.len) ==
			odd[i].good,
		    "%s", odd[i].what);
	}
	rows_done();
}

static void
test_damage(void **state)
{
	struct sts_session s = usual(), back;
	size_t n, accepted = 0;

	(void)state;
	s.result = STS_CERTIFICATE_REFUSED;
	s.mx_host = (struct sts_str)LIT("mx.example.com");
	s.mx_helo = (struct sts_str)LIT("a\tb");
	s.cert = (struct sts_str)LIT(CERT);
	n = sts_session_encode(line, &s) - 1;
	for (size_t cut = 0; cut < n; cut++) {
		char *p = guard_copy(line, cut);

		accepted += sts_session_decode(&back, p, cut);
	}
	/* One that cuts just the name off cannot be seen. */
	ROW(accepted == 1, "%zu cuts are accepted", accepted);
	for (size_t bit = 0; bit < n * 8; bit++) {
		line[bit / 8] = (char)(line[bit / 8] ^ 1 << bit % 8);
		if (sts_session_decode(&back, guard_copy(line, n), n))
			ROW(sts_session_encode(again, &back) == n + 1 &&
				memcmp(again, line, n) == 0,
			    "one text for one session: bit %zu", bit);
		line[bit / 8] = (char)(line[bit / 8] ^ 1 << bit % 8);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
