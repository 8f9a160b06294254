/* SPDX-License-Identifier: ISC */
/* Filter protocol 0.6 and 0.7; sessions as 6.8, 7.6 and 7.9 report them. */
#include <stdlib.h>

#include "filter_line.h"
#include "row.h"
#include "session_rules.h"
#include "smtp_session.h"
#include "smtpd_session_recorder.h"
#include "waiting_rcpts.h"
#include <mtasts/session.h>

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
		{ "in: a message", LIT("report|0.7|1|smtp-in|tx-begin|abc|6f"),
		    FILTER_IN_MAIL, "abc", "", "6f" },
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
		{ "out: server",
		    LIT("report|0.7|1|smtp-out|protocol-server|a|250 x|y"),
		    FILTER_SERVER, "a", "", "250 x|y" },
		{ "in: a sender is not ours",
		    LIT("report|0.7|1|smtp-in|tx-mail|a|6f|ok|u@a.b"),
		    NOTHING },
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
		const char *rest, *from, *to;
	} t[] = {
		{ "ptr.test|pass|10.9.0.1:48890|10.9.0.11:25", "10.9.0.1",
		    "10.9.0.11" },
		{ "p|pass|[2001:db8::9]:1|[2001:db8::1]:25", "2001:db8::9",
		    "2001:db8::1" },
		{ "evil|192.0.2.1:25|pass|1.1.1.1:1|10.0.0.1:25", "1.1.1.1",
		    "10.0.0.1" },
		{ "p|pass|unix:/x|unix:/y", "unix", "unix" },
		{ "p|pass|10.9.0.1:1|10.9.0.11", "10.9.0.1", "" },
		{ "p|pass|10.9.0.1:1|", "10.9.0.1", "" },
		{ "p|pass|10.9.0.1:1|:25", "10.9.0.1", "" },
		{ "p|pass|10.9.0.1:1|[]:25", "10.9.0.1", "" },
		{ "p|pass|10.9.0.1:1|a b:25", "10.9.0.1", "" },
		{ "p|pass|x|0123456789012345678901234567890123456789012345678",
		    "", "" },
		{ "|||", "", "" },
		{ "10.9.0.1:25", "", "" },
		{ "", "", "" },
	};
	char from[FILTER_ADDRESS], to[FILTER_ADDRESS];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		filter_addresses(from, to,
		    guarded(t[i].rest, strlen(t[i].rest)));
		ROW(strcmp(from, t[i].from) == 0 && strcmp(to, t[i].to) == 0,
		    "%s: '%s' '%s'", t[i].rest, from, to);
	}
	rows_done();
}

/* --- Sessions with MX hosts ---------------------------------------------- */

static char told[400], reached[400], counted[400], mailed[400];

static void
tell(void *arg, const struct session *s, enum session_result result)
{
	static const char *const names[] = { "failed", "worked", "clear",
		"idle" };
	size_t n = strlen(told);

	(void)arg;
	snprintf(told + n, sizeof told - n, "%s%s %s%s", n > 0 ? ", " : "",
	    s->address, names[result], session_tls_up(s) ? " tls" : "");
}

static void
note_count(void *arg, const struct session_count *c)
{
	size_t n = strlen(counted);

	(void)arg;
	snprintf(counted + n, sizeof counted - n, "%s%s%s%s%s",
	    n > 0 ? ", " : "", c->domain[0] == '\0' ? "?" : c->domain,
	    c->result == STS_SESSION_OK               ? " ok"
		: c->result == STS_VALIDATION_FAILURE ? " failed"
						      : " no-starttls",
	    c->session->helo[0] == '\0' ? "" : "/", c->session->helo);
}

static bool
is_ours(void *arg, const char *sender)
{
	(void)arg;
	return strcmp(sender, "tls@sender.test") == 0;
}

static void
note_rcpt(void *arg, const struct session *s, const char *domain, bool first)
{
	size_t r = strlen(reached), n = strlen(mailed);

	(void)arg;
	snprintf(reached + r, sizeof reached - r, "%s ", domain);
	if (!first)
		return;
	snprintf(mailed + n, sizeof mailed - n, "%s%.*s %s", n > 0 ? ", " : "",
	    s->idlen, s->id, domain);
}

static const struct session_hooks hooks = { tell, note_rcpt, note_count,
	is_ours, NULL };

/* c: connect, t: link-tls, d: disconnect; digits: answers; letters: commands
 * and what goes with them. */
static void
play(struct sessions *all, const char *id, const char *acts)
{
	static const struct {
		char act;
		const char *event, *rest;
	} t[] = {
		{ 'c', "link-connect", "p|pass|10.9.0.1:48890|10.9.0.11:25" },
		{ 'o', "link-connect", "p|pass|10.9.0.1:48890|10.9.0.12:25" },
		{ 'x', "link-connect", "p|pass|10.9.0.1:48890|nonsense" },
		{ 't', "link-tls", "TLSv1.3:TLS_AES_256_GCM_SHA384:256" },
		{ 'd', "link-disconnect", "" },
		{ 'E', "protocol-client", "EHLO sender.test" },
		{ 'H', "protocol-client", "HELO sender.test" },
		{ 'S', "protocol-client", "STARTTLS" },
		{ 'R', "protocol-client", "RSET" },
		{ 'Q', "protocol-client", "QUIT" },
		{ 'M', "protocol-client", "MAIL FROM:<a@b.test>" },
		{ 'm', "protocol-client", "MAIL FROM:<>" },
		{ 'T', "protocol-client",
		    "MAIL FROM:<tls@sender.test> SIZE=5" },
		{ 'A', "protocol-client", "RCPT TO:<u@a.test>" },
		{ 'a', "protocol-client",
		    "rcpt to:<\"x|@>\"@a.test> NOTIFY=FAILURE" },
		{ 'B', "protocol-client", "RCPT TO: <u@b.test> ORCPT=a+40b" },
		{ 'O', "protocol-client",
		    "RCPT TO:<u@a.test> ORCPT=rfc822;x>@evil.test>" },
		{ 'L', "protocol-client", "RCPT TO:<u@[192.0.2.1]>" },
		{ 'l', "protocol-client", "RCPT TO:>u@a.test<" },
		{ 'l', "protocol-client", "RCPT TO:<u@a.test" },
		{ 'l', "protocol-client", "RCPT TO:<>" },
		{ '0', "protocol-server", "220 mx ESMTP" },
		{ '1', "protocol-server", "250-mx.test at your service" },
		{ '1', "protocol-server", "250-STARTTLS" },
		{ '1', "protocol-server", "250 8BITMIME" },
		{ '2', "protocol-server", "250-STARTTLS.test" },
		{ '2', "protocol-server", "250-STARTTLSX" },
		{ '2', "protocol-server", "250 8BITMIME STARTTLS" },
		{ '3', "protocol-server", "250-mx.test" },
		{ '3', "protocol-server", "250 starttls\r" },
		{ '4', "protocol-server", "454 TLS not available" },
		{ '5', "protocol-server", "502 no such command" },
		{ '6', "protocol-server", "250" },
		{ '7', "protocol-server", "" },
		{ '8', "protocol-server", "550 5.7.1 not you" },
		{ '9', "protocol-server", "500 what?" },
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
			session_report(all, &f, 1000, &hooks);
		}
}

static void
test_session(void **state)
{
#define A "10.9.0.11 "
#define UP "c0E1S0Et1"
	static const struct {
		const char *fact, *acts, *want, *counts;
	} t[] = {
		{ "verified, 7.x: EHLO before link-tls", "c0E1S0Et1MAQd",
		    A "worked tls", "a.test ok/mx.test" },
		{ "verified, 6.8: EHLO behind it", "c0E1S0tE1MAQd",
		    A "worked tls", "a.test ok/mx.test" },
		{ "4.1 several messages: one session", UP "MAaRMAQd",
		    A "worked tls", "a.test ok/mx.test" },
		{ "4.1 and one for each domain", UP "MABRMBAQd", A "worked tls",
		    "a.test ok/mx.test, b.test ok/mx.test" },
		{ "RFC 3461 4.2 a > in ORCPT", UP "MOQd", A "worked tls",
		    "a.test ok/mx.test" },
		{ "RFC 5321 4.1.2 a > in a quoted local part", UP "MaQd",
		    A "worked tls", "a.test ok/mx.test" },
		{ "no domain to be had", UP "MLlQd", A "worked tls", "" },
		{ "MAIL refused", UP "mQd", A "worked tls", "" },
		{ "5.3.1 a report", UP "TAQd", A "worked tls", "" },
		{ "5.3.1 a report, then other mail", UP "TARMBQd",
		    A "worked tls", "b.test ok/mx.test" },
		{ "5.3.1 other mail, then a report", UP "MBRTAQd",
		    A "worked tls", "b.test ok/mx.test" },
		{ "certificate refused, 7.x", "c0E1S0d", A "failed",
		    "? failed/mx.test" },
		{ "certificate refused, 6.8", "c0E1S0td", A "failed",
		    "? failed/mx.test" },
		{ "dropped at STARTTLS", "c0E1Sd", A "failed",
		    "? failed/mx.test" },
		{ "4.3.1 no STARTTLS offered", "c0E2d", A "failed",
		    "? no-starttls/STARTTLS.test" },
		{ "RFC 3207 4 in lower case", "c0E3S0Et1MAQd", A "worked tls",
		    "a.test ok/mx.test" },
		{ "4.3.1 STARTTLS refused", "c0E1S4d", A "failed",
		    "? no-starttls/mx.test" },
		{ "4.3.1 and for good", "c0E1S5d", A "failed",
		    "? no-starttls/mx.test" },
		{ "offered and not wanted, gone", "c0E1d", A "failed", "" },
		{ "no greeting", "cd", A "failed", "" },
		{ "4.3.1 EHLO is not known there", "c0E5d", A "failed",
		    "? no-starttls" },
		{ "4.3.1 nor in other words", "c0E9d", A "failed",
		    "? no-starttls" },
		{ "4.3.1 EHLO is not known, HELO is", "c0E5H6MAQd", A "clear",
		    "a.test no-starttls" },
		{ "EHLO refused to this client", "c0E8d", A "failed", "" },
		{ "EHLO refused for now", "c0E4d", A "failed", "" },
		{ "EHLO not known any more behind TLS", "c0E1S0tE5d",
		    A "failed tls", "" },
		{ "odd answers", "c7E7S7d", A "failed", "" },
		{ "sent away behind TLS, and for whom is not known",
		    "c0E1S0Etd", A "failed tls", "" },
		{ "nothing left to send", UP "Qd", A "idle tls", "" },
		{ "4.3.1 in clear", "c0E2MAQd", A "clear",
		    "a.test no-starttls/STARTTLS.test" },
		{ "in clear, STARTTLS refused", "c0E1S4MAQd", A "clear",
		    "a.test no-starttls/mx.test" },
		{ "smtp+notls://", "c0E1MAQd", A "clear", "" },
		{ "opportunistic, second try in clear", "c0E1S0c0E1MABQd",
		    A "failed, " A "clear",
		    "a.test failed/mx.test, b.test failed/mx.test" },
		{ "at another address", "c0E1S0o0E2MAQd",
		    A "failed, 10.9.0.12 clear",
		    "a.test no-starttls/STARTTLS.test" },
		{ "and no mail in it", "c0E1S0c0Ed", A "failed, " A "failed",
		    "? failed" },
		{ "a failed connect is not announced", "d", "", "" },
		{ "no address", "x0E2d", "", "" },
		{ "gone twice", "c0E1S0dd", A "failed", "? failed/mx.test" },
		{ "tls without a connect", "tEMAd", "", "" },
#undef A
#undef UP
	};
	struct sessions *all = calloc(1, sizeof *all);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		told[0] = counted[0] = '\0';
		play(all, "fefc72eea8fbd20f", t[i].acts);
		ROW(strcmp(told, t[i].want) == 0, "%s: '%s'", t[i].fact, told);
		ROW(strcmp(counted, t[i].counts) == 0, "%s: counted '%s'",
		    t[i].fact, counted);
	}
	reached[0] = '\0';
	play(all, "fefc72eea8fbd20f", "c0E1S0Et1MABRMBAQd");
	ROW(strcmp(reached, "a.test b.test b.test a.test ") == 0,
	    "each recipient's mail goes out: '%s'", reached);
	reached[0] = '\0';
	play(all, "fefc72eea8fbd20f", "c0E1S0Et1TAQd");
	ROW(reached[0] == '\0', "reports are not asked for: '%s'", reached);
	free(all);
	rows_done();
}

/* Who mail is for is said once for each message, whatever becomes of TLS. */
static void
test_mails(void **state)
{
	static const struct {
		const char *fact, *acts, *want;
	} t[] = {
		{ "over TLS", "c0E1S0Et1MAQd", "7f a.test" },
		{ "in clear", "c0E2MAQd", "7f a.test" },
		{ "smtp+notls://", "c0E1MAQd", "7f a.test" },
		{ "each domain once", "c0E2MABaQd", "7f a.test, 7f b.test" },
		{ "and in each message", "c0E2MABaRMBBRMABQd",
		    "7f a.test, 7f b.test, 7f b.test, 7f a.test, 7f b.test" },
		{ "a bounce", "c0E2mAQd", "7f a.test" },
		{ "a report, then other mail", "c0E2TARMBQd", "7f b.test" },
		{ "no domain", "c0E2MLlQd", "" },
		{ "no recipient", "c0E1S0d", "" },
	};
	struct sessions *all = calloc(1, sizeof *all);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		mailed[0] = '\0';
		play(all, "7f", t[i].acts);
		ROW(strcmp(mailed, t[i].want) == 0, "%s: '%s'", t[i].fact,
		    mailed);
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
	told[0] = counted[0] = '\0';
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

/* One session, and more domains than are told apart. */
static void
test_domains(void **state)
{
	struct sessions *all = calloc(1, sizeof *all);
	struct filter_line f;
	unsigned n = 0;
	char line[300];

	(void)state;
	told[0] = '\0';
	play(all, "a", "c0E1S0Et1M");
	for (unsigned i = 0; i < 3 * SESSION_DOMAINS; i++) {
		counted[0] = '\0';
		snprintf(line, sizeof line,
		    "report|0.7|1.2|smtp-out|protocol-client|a|RCPT "
		    "TO:<u@d%u.test>",
		    i);
		filter_parse(&f, guarded(line, strlen(line)));
		session_report(all, &f, 1000, &hooks);
		session_report(all, &f, 1000, &hooks);
		n += strchr(counted, ',') == NULL && counted[0] != '\0';
	}
	ROW(n == 3 * SESSION_DOMAINS, "%u counted once", n);
	free(all);
	rows_done();
}

/* --- Whose session was it? ----------------------------------------------- */

static void
test_waiting(void **state)
{
	static const struct {
		const char *rule;
		int64_t handed, answered, began; /* answered 0: never */
		bool waits;
	} t[] = {
		{ "asked before it began", 1000, 0, 1200, true },
		{ "at once", 1000, 0, 1000, true },
		{ "asked when it had begun", 1300, 0, 1200, false },
		{ "asked too long ago", 1000, 0, 1001 + SESSION_OWNER_SPAN,
		    false },
		{ "as long as can be", 1000, 0, 1000 + SESSION_OWNER_SPAN,
		    true },
		{ "a session since then has failed", 1000, 1100, 1200, false },
		{ "and asked again", 1150, 1100, 1200, true },
		{ "one that began later has failed first", 1000, 1500, 1200,
		    false },
		{ "asked as the last one began", 1000, 1000, 1200, false },
		{ "from the future", INT64_MAX, 0, 1200, false },
		{ "from long ago", 0, 0, INT64_MAX, false },
	};
	struct session_owners *w = calloc(1, sizeof *w);
	unsigned lost = 0;
	char name[40];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		snprintf(name, sizeof name, "d%zu.test", i);
		if (t[i].answered != 0)
			session_owner_answered(w, name, t[i].answered);
		/* One that began before it is no news. */
		session_owner_answered(w, name, 1);
		ROW(session_owner_waits(w, name, t[i].handed, t[i].began) ==
			t[i].waits,
		    "%s", t[i].rule);
	}
	ROW(session_owner_waits(w, "other.test", 1000, 1200),
	    "a domain of its own");
	/* A thousand others push out few, and never the wrong way. */
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "x%u.test", i);
		session_owner_answered(w, name, 1100);
	}
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "x%u.test", i);
		lost += session_owner_waits(w, name, 1000, 1200);
	}
	ROW(lost < 20, "%u of 100 forgotten", lost);
	free(w);
	rows_done();
}

static void
test_plan(void **state)
{
#define OK STS_SESSION_OK
#define NO STS_STARTTLS_NOT_SUPPORTED
#define BAD STS_VALIDATION_FAILURE
#define NONE STS_MODE_NONE
#define TEST STS_MODE_TESTING
#define ENF STS_MODE_ENFORCE
	static const struct {
		const char *clause;
		struct record_facts facts;
		enum record_plan plan;
	} t[] = {
		/* verifies, result, mode, host, permitted, shared */
		{ "8460 4.4 no policy: any TLS", { 0, OK, NONE, 0, 0, 0 },
		    RECORD_AS_IT_IS },
		{ "8460 4.4 no policy, a failure", { 0, BAD, NONE, 1, 1, 0 },
		    RECORD_AS_IT_IS },
		{ "8460 4.3.1 no STARTTLS", { 0, NO, TEST, 1, 1, 0 },
		    RECORD_AS_IT_IS },
		{ "8460 4.3.1 at a strange host", { 0, NO, TEST, 1, 0, 0 },
		    RECORD_AS_IT_IS },
		{ "8461 4.2 enforce, verified by smtpd",
		    { 1, OK, ENF, 1, 1, 0 }, RECORD_VERIFIED },
		{ "enforce, by a policy since changed", { 1, OK, ENF, 1, 0, 0 },
		    RECORD_AS_IT_IS },
		{ "enforce, host not known", { 1, OK, ENF, 0, 0, 0 },
		    RECORD_AS_IT_IS },
		{ "enforce, failed: why?", { 1, BAD, ENF, 1, 1, 0 },
		    RECORD_PROBED },
		{ "enforce, failed, host not known", { 1, BAD, ENF, 0, 0, 0 },
		    RECORD_AS_IT_IS },
		{ "8461 5 testing: nobody looked", { 0, OK, TEST, 1, 1, 0 },
		    RECORD_PROBED },
		{ "8461 4.1 testing, a strange host", { 0, OK, TEST, 1, 0, 0 },
		    RECORD_MISMATCH },
		{ "testing, host not known", { 0, OK, TEST, 0, 0, 0 },
		    RECORD_NOT },
		{ "testing, failed: why?", { 0, BAD, TEST, 1, 1, 0 },
		    RECORD_PROBED },
		{ "testing, failed, host not known", { 0, BAD, TEST, 0, 0, 0 },
		    RECORD_AS_IT_IS },
		{ "enforce, queued before: not verified",
		    { 0, OK, ENF, 1, 1, 0 }, RECORD_PROBED },
		{ "testing at the action that verifies",
		    { 1, OK, TEST, 1, 1, 0 }, RECORD_PROBED },
		/* Of one of several hosts at the address. */
		{ "shared, failed: with this one?", { 1, BAD, ENF, 1, 1, 1 },
		    RECORD_SHARED },
		{ "shared, failed, the policy is gone",
		    { 1, BAD, NONE, 1, 1, 1 }, RECORD_NOT },
		{ "8460 4.3.1 shared, no STARTTLS", { 1, NO, ENF, 1, 1, 1 },
		    RECORD_AS_IT_IS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		ROW(record_plan(&t[i].facts) == t[i].plan, "%s: %d",
		    t[i].clause, (int)record_plan(&t[i].facts));
	rows_done();
#undef OK
#undef NO
#undef BAD
#undef NONE
#undef TEST
#undef ENF
}

/* --- Requests that wait -------------------------------------------------- */

static void
released(void *arg, struct sts_str session, struct sts_str token,
    const char *domain, const char *why)
{
	size_t n = strlen(told);

	(void)arg;
	snprintf(told + n, sizeof told - n, "%.*s/%.*s/%s/%s ",
	    (int)session.len, session.p, (int)token.len, token.p, domain, why);
}

static bool
add(struct waiting_rcpts *l, const char *session, const char *token,
    const char *domain, int64_t now, int64_t ms)
{
	return waiting_rcpts_add(l, guarded(session, strlen(session)),
		   guarded(token, strlen(token)), domain,
		   (struct sts_str){ domain + 2, strlen(domain) - 2 }, now,
		   ms) == NULL;
}

static void
test_held(void **state)
{
	static const struct sts_str s1 = LIT("s1"), s3 = LIT("s3");
	struct waiting_rcpts l;
	char id[20];
	unsigned n = 0;

	(void)state;
	waiting_rcpts_init(&l, released, NULL);
	told[0] = '\0';
	ROW(waiting_rcpts_deadline(&l) == -1, "empty");
	ROW(add(&l, "s1", "t", "a.b", 0, 20) &&
		add(&l, "s2", "t", "c.d", 0, 10) &&
		add(&l, "s3", "u", "a.b", 5, 40),
	    "add");
	ROW(!add(&l, "s1", "v", "e.f", 6, 10), "one at a time");
	ROW(waiting_rcpts_deadline(&l) == 10, "the first deadline");
	waiting_rcpts_expire(&l, 9, "late");
	ROW(told[0] == '\0', "early: %s", told);
	waiting_rcpts_expire(&l, 10, "late");
	ROW(strcmp(told, "s2/t/c.d/late ") == 0, "one is due: %s", told);
	ROW(waiting_rcpts_deadline(&l) == 20, "the next deadline");
	told[0] = '\0';
	waiting_rcpts_forget(&l, s3);
	waiting_rcpts_done(&l, "a.b", 15, "said");
	ROW(strcmp(told, "s1/t/a.b/said ") == 0, "not who is gone: %s", told);
	ROW(add(&l, "s1", "t", "c.d", 100, 29999) &&
		waiting_rcpts_deadline(&l) == 100 + 29985,
	    "30 s a message");
	told[0] = '\0';
	waiting_rcpts_done(&l, NULL, 100 + 29900, "gone");
	ROW(strcmp(told, "s1/t/c.d/gone ") == 0, "all: %s", told);
	ROW(!add(&l, "s1", "t", "e.f", 40000, 100), "no time is left");
	waiting_rcpts_renew(&l, s1);
	ROW(add(&l, "s1", "t", "e.f", 40000, 100), "the next message");
	waiting_rcpts_forget(&l, s1);
	waiting_rcpts_forget(&l, (struct sts_str)LIT("s2"));
	ROW(l.n == 0 && waiting_rcpts_deadline(&l) == -1, "left: %zu", l.n);
	/* Who made one wait for 3 s makes no other wait for a minute. */
	ROW(add(&l, "s1", "t", "x.s", 50000, 9000), "a slow one");
	waiting_rcpts_done(&l, "x.s", 53000, "slow");
	waiting_rcpts_forget(&l, s1);
	ROW(!add(&l, "s1", "t", "y.s", 53001, 9000), "another of its owner");
	ROW(add(&l, "s2", "t", "x.o", 53001, 9000), "one of another owner");
	waiting_rcpts_forget(&l, (struct sts_str)LIT("s2"));
	waiting_rcpts_forget(&l, s1);
	ROW(add(&l, "s1", "t", "y.s", 113000, 9000), "a minute later");
	waiting_rcpts_forget(&l, s1);
	/* Half of the places for one owner, half of the rest for the next. */
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "%d", i);
		n += add(&l, id, "t", i < 50 ? "x.y" : "x.z", 0, 1);
	}
	ROW(n == 10 + 5, "%u of two owners wait", n);
	ROW(add(&l, "s1", "t", "x.a", 0, 1), "one of a third");
	while (!TAILQ_EMPTY(&l.sessions)) {
		const char *s = TAILQ_FIRST(&l.sessions)->id;

		waiting_rcpts_forget(&l, guarded(s, strlen(s)));
	}
	ROW(l.n == 0, "left: %zu", l.n);
	rows_done();
}

static void
test_later(void **state)
{
	static const struct {
		const char *what, *domain, *why, *want;
	} t[] = {
		{ "why", "a.b", "not known", "a.b: not known" },
		{ "no reason", "a.b", "", "a.b: unknown fault" },
		{ "a line and a field of its own", "a.b", "x\ny|z\177",
		    "a.b: x?y?z?" },
	};
	char out[FILTER_ANSWER_MAX], want[200], name[STS_NAME_SIZE], why[600];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		n = filter_later(out, guarded("s", 1), guarded("t", 1),
		    t[i].domain, t[i].why);
		snprintf(want, sizeof want,
		    "filter-result|s|t|reject|451 4.7.0 mta-sts: %s; "
		    "to try again at once: smtpctl schedule all\n",
		    t[i].want);
		ROW(n == strlen(want) && memcmp(out, want, n) == 0, "%s: %.*s",
		    t[i].what, (int)n, out);
	}
	memset(name, 'd', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	memset(why, 'w', sizeof why - 1);
	why[sizeof why - 1] = '\0';
	n = filter_later(out, guarded(ID33, 32), guarded(ID33, 32), name, why);
	out[n] = '\0';
	ROW(n < sizeof out && n < 512 &&
		strstr(out,
		    "www; to try again at once: smtpctl schedule all\n") !=
		    NULL,
	    "%zu bytes: %s", n, out);
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
		cmocka_unit_test(test_mails),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
