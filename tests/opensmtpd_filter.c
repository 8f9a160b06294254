/* SPDX-License-Identifier: ISC */
/* Filter protocol 0.6 and 0.7; sessions as 6.8, 7.6 and 7.9 report them. */
#include "row.h"

#include <stdlib.h>

#include "filter_line.h"
#include "held.h"
#include "session.h"

#define ID33 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct sts_str
guarded(const char *s, size_t len)
{
	return (struct sts_str){ guard_copy(s, len), len };
}

static void
test_parse(void **state)
{
	static const struct {
		const char *fact;
		struct sts_str line;
		enum filter_event event;
		const char *session, *token, *rest;
	} t[] = {
#define NOTHING FILTER_NOTHING, "", "", ""
		{ "0.7", LIT("filter|0.7|1.2|smtp-in|rcpt-to|abc|def|u@a.b"),
		    FILTER_RCPT, "abc", "def", "u@a.b" },
		{ "0.6", LIT("filter|0.6|1.2|smtp-in|rcpt-to|abc|def|u@a.b"),
		    FILTER_RCPT, "abc", "def", "u@a.b" },
		{ "'|' in the address",
		    LIT("filter|0.7|1|smtp-in|rcpt-to|a|b|x|y@a.b"),
		    FILTER_RCPT, "a", "b", "x|y@a.b" },
		{ "no address", LIT("filter|0.7|1|smtp-in|rcpt-to|a|b"),
		    FILTER_RCPT, "a", "b", "" },
		{ "another phase", LIT("filter|0.7|1|smtp-in|ehlo|a|b|x"),
		    FILTER_ASKED, "a", "b", "x" },
		{ "an unknown phase", LIT("filter|0.7|1|smtp-in|zzz|a|b"),
		    FILTER_ASKED, "a", "b", "" },
		{ "data wants another answer",
		    LIT("filter|0.7|1|smtp-in|data-line|a|b|x"), NOTHING },
		{ "no token", LIT("filter|0.7|1|smtp-in|rcpt-to|a"), NOTHING },
		{ "empty token", LIT("filter|0.7|1|smtp-in|rcpt-to|a||x"),
		    NOTHING },
		{ "long session",
		    LIT("filter|0.7|1|smtp-in|rcpt-to|" ID33 "|b|x"), NOTHING },
		{ "unprintable token",
		    LIT("filter|0.7|1|smtp-in|rcpt-to|a|b\r|x"), NOTHING },
		{ "subsystem", LIT("config|subsystem|smtp-in"), FILTER_HAS_IN,
		    "", "", "" },
		{ "the other", LIT("config|subsystem|smtp-out"), FILTER_HAS_OUT,
		    "", "", "" },
		{ "a third", LIT("config|subsystem|lmtp"), NOTHING },
		{ "ready", LIT("config|ready"), FILTER_READY, "", "", "" },
		{ "in: gone", LIT("report|0.7|1|smtp-in|link-disconnect|abc"),
		    FILTER_IN_GONE, "abc", "", "" },
		{ "out: gone", LIT("report|0.7|1|smtp-out|link-disconnect|abc"),
		    FILTER_GONE, "abc", "", "" },
		{ "in: not ours", LIT("report|0.7|1|smtp-in|link-connect|a|x"),
		    NOTHING },
		{ "out: connect",
		    LIT("report|0.7|1|smtp-out|link-connect|a|x|pass|s|d"),
		    FILTER_CONNECT, "a", "", "x|pass|s|d" },
		{ "out: tls", LIT("report|0.7|1|smtp-out|link-tls|a|TLSv1.3"),
		    FILTER_TLS, "a", "", "TLSv1.3" },
		{ "out: client",
		    LIT("report|0.7|1|smtp-out|protocol-client|a|EHLO x|y"),
		    FILTER_CLIENT, "a", "", "EHLO x|y" },
		{ "another way", LIT("report|0.7|1|lmtp|link-tls|a|x"),
		    NOTHING },
		{ "empty", LIT(""), NOTHING },
		{ "bars", LIT("|||||||||"), NOTHING },
		{ "report alone", LIT("report"), NOTHING },
		{ "cut", LIT("filter|0.7|1|smtp-in"), NOTHING },
#undef NOTHING
	};
	struct filter_line f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		filter_parse(&f, guarded(t[i].line.p, t[i].line.len));
		ROW(f.event == t[i].event &&
			(f.event == FILTER_NOTHING ||
			    (str_is(f.session, t[i].session) &&
				str_is(f.token, t[i].token) &&
				f.rest.len == strlen(t[i].rest) &&
				(f.rest.len == 0 ||
				    str_is(f.rest, t[i].rest)))),
		    "%s: event %d", t[i].fact, (int)f.event);
	}
	rows_done();
}

static void
test_domain(void **state)
{
	static const struct {
		const char *clause;
		struct sts_str address;
		const char *want; /* NULL: none */
	} t[] = {
		{ "as smtpd has it", LIT("u@a.b"), "a.b" },
		{ "in brackets", LIT("<u@a.b>"), "a.b" },
		{ "5321 4.1.2 quoted", LIT("\"x@y\"@a.b"), "a.b" },
		{ "5321 4.1.1.3 postmaster", LIT("<postmaster>"), NULL },
		{ "null", LIT("<>"), NULL },
		{ "empty", LIT(""), NULL },
		{ "no domain", LIT("u@"), NULL },
		{ "no domain, brackets", LIT("<u@>"), NULL },
		{ "3.4 address literal", LIT("u@[192.0.2.1]"), NULL },
		{ "NUL", LIT("u@a\0b"), NULL },
		{ "U-label: as it is", LIT("u@m\xc3\xbc.b"), "m\xc3\xbc.b" },
		{ "at alone", LIT("@"), NULL },
	};
	char out[STS_NAME_SIZE], long_one[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		bool got = filter_domain(out,
		    guarded(t[i].address.p, t[i].address.len));

		ROW(got == (t[i].want != NULL) &&
			(!got || strcmp(out, t[i].want) == 0),
		    "%s: %s", t[i].clause, got ? out : "none");
	}
	memset(long_one, 'a', sizeof long_one);
	long_one[0] = '@';
	ROW(filter_domain(out, guarded(long_one, STS_NAME_SIZE)) &&
		!filter_domain(out, guarded(long_one, STS_NAME_SIZE + 1)),
	    "the longest name");
	rows_done();
}

static void
test_address(void **state)
{
	static const struct {
		const char *rest, *want; /* NULL: none */
	} t[] = {
		{ "ptr.test|pass|10.9.0.1:48890|10.9.0.11:25", "10.9.0.11" },
		{ "p|pass|[2001:db8::9]:1|[2001:db8::1]:25", "2001:db8::1" },
		{ "evil|192.0.2.1:25|pass|1.1.1.1:1|10.0.0.1:25", "10.0.0.1" },
		{ "p|pass|unix:/x|unix:/y", "unix" },
		{ "p|pass|10.9.0.1:1|10.9.0.11", NULL },
		{ "p|pass|10.9.0.1:1|", NULL },
		{ "p|pass|10.9.0.1:1|:25", NULL },
		{ "p|pass|10.9.0.1:1|[]:25", NULL },
		{ "p|pass|10.9.0.1:1|a b:25", NULL },
		{ "p|pass|x|0123456789012345678901234567890123456789012345678",
		    NULL },
		{ "10.9.0.1:25", NULL },
		{ "", NULL },
	};
	char out[FILTER_ADDRESS];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		bool got =
		    filter_address(out, guarded(t[i].rest, strlen(t[i].rest)));

		ROW(got == (t[i].want != NULL) &&
			(!got || strcmp(out, t[i].want) == 0),
		    "%s: %s", t[i].rest, got ? out : "none");
	}
	rows_done();
}

/* --- Sessions with MX hosts ------------------------------------------------
 */

static char told[200];

static void
tell(void *arg, const char *address, bool tls, enum session_result result)
{
	static const char *const names[] = { "failed", "worked", "clear",
		"idle" };
	size_t n = strlen(told);

	(void)arg;
	snprintf(told + n, sizeof told - n, "%s%s %s%s", n > 0 ? ", " : "",
	    address, names[result], tls ? " tls" : "");
}

/* c: connect, t: link-tls, d: disconnect; other letters: commands. */
static void
play(struct sessions *all, const char *id, const char *acts)
{
	static const struct {
		char act;
		const char *event, *rest;
	} t[] = {
		{ 'c', "link-connect", "p|pass|10.9.0.1:48890|10.9.0.11:25" },
		{ 'x', "link-connect", "p|pass|10.9.0.1:48890|nonsense" },
		{ 't', "link-tls", "TLSv1.3:TLS_AES_256_GCM_SHA384:256" },
		{ 'd', "link-disconnect", "" },
		{ 'E', "protocol-client", "EHLO sender.test" },
		{ 'S', "protocol-client", "STARTTLS" },
		{ 'M', "protocol-client", "MAIL FROM:<a@b.test>" },
		{ 'R', "protocol-client", "RSET" },
		{ 'Q', "protocol-client", "QUIT" },
	};
	struct filter_line f;
	char line[300];

	for (; *acts != '\0'; acts++)
		for (size_t i = 0; i < ARRAY_LEN(t); i++) {
			if (t[i].act != *acts)
				continue;
			snprintf(line, sizeof line,
			    "report|0.7|1.2|smtp-out|%s|%s|%s", t[i].event, id,
			    t[i].rest);
			filter_parse(&f, guarded(line, strlen(line)));
			session_report(all, &f, tell, NULL);
		}
}

static void
test_session(void **state)
{
#define A "10.9.0.11 "
	static const struct {
		const char *fact, *acts, *want;
	} t[] = {
		{ "verified, 7.x: EHLO before link-tls", "cESEtMQd",
		    A "worked tls" },
		{ "verified, 6.8: EHLO behind it", "cEStEMQd", A "worked tls" },
		{ "several messages", "cESEtMRMQd", A "worked tls" },
		{ "certificate refused, 7.x", "cESd", A "failed" },
		{ "certificate refused, 6.8", "cEStd", A "failed" },
		{ "no STARTTLS offered", "cEd", A "failed" },
		{ "no greeting", "cd", A "failed" },
		{ "sent away behind TLS", "cESEtd", A "failed tls" },
		{ "nothing left to send", "cESEtQd", A "idle tls" },
		{ "in clear", "cEMQd", A "clear" },
		{ "opportunistic, second try in clear", "cEScEMQd",
		    A "failed, " A "clear" },
		{ "a failed connect is not announced", "d", "" },
		{ "no address", "xEd", "" },
		{ "gone twice", "cESdd", A "failed" },
		{ "tls without a connect", "tEd", "" },
#undef A
	};
	struct sessions *all = calloc(1, sizeof *all);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		told[0] = '\0';
		play(all, "fefc72eea8fbd20f", t[i].acts);
		ROW(strcmp(told, t[i].want) == 0, "%s: '%s'", t[i].fact, told);
	}
	free(all);
	rows_done();
}

/* A stranger opens more than fit: the oldest goes, silently. */
static void
test_sessions(void **state)
{
	struct sessions *all = calloc(1, sizeof *all);
	char id[20];

	(void)state;
	told[0] = '\0';
	for (unsigned i = 0; i < SESSIONS_MAX + 1; i++) {
		snprintf(id, sizeof id, "%016x", i);
		play(all, id, "cES");
	}
	play(all, "0000000000000000", "d");
	ROW(told[0] == '\0', "the oldest is still there: %s", told);
	play(all, "0000000000000001", "d");
	ROW(strcmp(told, "10.9.0.11 failed") == 0, "the second: %s", told);
	free(all);
	rows_done();
}

/* --- Requests that wait ------------------------------------------------------
 */

static void
released(void *arg, struct sts_str session, struct sts_str token)
{
	size_t n = strlen(told);

	(void)arg;
	snprintf(told + n, sizeof told - n, "%.*s/%.*s ", (int)session.len,
	    session.p, (int)token.len, token.p);
}

static bool
add(struct held_list *l, const char *session, const char *token,
    const char *domain, int64_t deadline)
{
	return held_add(l, guarded(session, strlen(session)),
	    guarded(token, strlen(token)), domain, deadline);
}

static void
test_held(void **state)
{
	struct held_list l;
	char token[20];
	unsigned n = 0;

	(void)state;
	held_init(&l, released, NULL);
	told[0] = '\0';
	ROW(held_deadline(&l) == -1 && !held_has(&l, "a.b"), "empty");
	ROW(add(&l, "s1", "t", "a.b", 10) && add(&l, "s2", "t", "c.d", 20) &&
		add(&l, "s1", "t", "a.b", 30) && add(&l, "s3", "u", "a.b", 40),
	    "add");
	ROW(held_has(&l, "a.b") && held_has(&l, "c.d") && !held_has(&l, "a"),
	    "has");
	held_expire(&l, 9);
	ROW(told[0] == '\0' && held_deadline(&l) == 10, "early: %s", told);
	held_expire(&l, 10);
	ROW(strcmp(told, "s1/t ") == 0, "one is due: %s", told);
	told[0] = '\0';
	held_forget(&l, (struct sts_str)LIT("s3"));
	held_done(&l, "a.b");
	ROW(strcmp(told, "s1/t ") == 0 && l.n == 1,
	    "the duplicate, not who is gone: %s", told);
	told[0] = '\0';
	held_done(&l, NULL);
	ROW(strcmp(told, "s2/t ") == 0 && l.n == 0, "all: %s", told);
	for (; n <= HELD_MAX; n++) {
		snprintf(token, sizeof token, "%u", n);
		if (!add(&l, "s", token, "x.y", 1))
			break;
	}
	ROW(n == HELD_MAX, "%u fit", n);
	held_forget(&l, (struct sts_str)LIT("s"));
	ROW(l.n == 0 && held_deadline(&l) == -1, "left: %zu", l.n);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
