/* SPDX-License-Identifier: ISC */
#include "row.h"
#include "rules/policy_reply.h"

#define GOOD "version: STSv1\nmode: none\nmax_age: 86400\n"

static struct sts_reply
good_reply(void)
{
	struct sts_reply r = { .end = STS_REPLY_COMPLETE,
		.cert = STS_CERT_OK,
		.status = 200,
		.delimited = true,
		.content_type = "text/plain",
		.len = sizeof GOOD - 1 };

	r.body = guard_copy(GOOD, r.len);
	return r;
}

/* Judge, and see that out, err and answer agree. */
static enum sts_policy_reply
judge(const struct sts_reply *r, const char *clause, struct sts_err *err)
{
	struct sts_policy *pol;
	enum sts_policy_reply f;

	memset(err, 0, sizeof *err);
	f = sts_policy_reply_judge(r, &pol, err);
	ROW((pol != NULL) == (f == STS_POLICY_REPLY_OK) &&
		(err->text[0] == '\0') == (f == STS_POLICY_REPLY_OK) &&
		(err->rc == STS_OK) == (f == STS_POLICY_REPLY_OK),
	    "%s: %s, err %s \"%s\"", clause, sts_policy_reply_name(f),
	    sts_rc_name(err->rc), err->text);
	sts_policy_free(pol);
	ROW(sts_policy_reply_judge(r, &pol, NULL) == f, "%s: without err",
	    clause);
	sts_policy_free(pol);
	return f;
}

static void
ends(void **state)
{
	static const struct {
		const char *clause;
		enum sts_reply_end end;
		enum sts_policy_reply want;
		enum sts_rc rc;
		const char *text;
	} cases[] = {
		{ "3.3 complete", STS_REPLY_COMPLETE, STS_POLICY_REPLY_OK,
		    STS_OK, "" },
		{ "3.3 timeout", STS_REPLY_TIMEOUT, STS_POLICY_REPLY_ERROR,
		    STS_TEMPFAIL, "no whole reply in time: because" },
		{ "3.3 no connection", STS_REPLY_CONNECT,
		    STS_POLICY_REPLY_ERROR, STS_TEMPFAIL,
		    "no connection: because" },
		{ "3.3 TLS", STS_REPLY_TLS, STS_POLICY_REPLY_ERROR,
		    STS_TEMPFAIL, "TLS handshake failed: because" },
		{ "3.3 certificate", STS_REPLY_CERT, STS_POLICY_REPLY_WEBPKI,
		    STS_TEMPFAIL, "certificate refused (ok): because" },
		{ "3.3 size limit", STS_REPLY_TOO_BIG, STS_POLICY_REPLY_ERROR,
		    STS_TEMPFAIL, "reply over the size limit: because" },
		{ "3.3 cut", STS_REPLY_CUT, STS_POLICY_REPLY_ERROR,
		    STS_TEMPFAIL, "reply ended too early: because" },
		{ "3.3 not HTTP", STS_REPLY_PROTOCOL, STS_POLICY_REPLY_ERROR,
		    STS_TEMPFAIL, "reply is not HTTP: because" },
		{ "5 a local fault proves nothing", STS_REPLY_LOCAL,
		    STS_POLICY_REPLY_LOCAL, STS_LOCAL,
		    "trouble on this host: because" },
		{ "an end that is not known is our fault",
		    (enum sts_reply_end)(STS_REPLY_LOCAL + 1),
		    STS_POLICY_REPLY_LOCAL, STS_LOCAL,
		    "unknown end of reply: because" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_reply r = good_reply();
		struct sts_err err;
		enum sts_policy_reply f;

		r.end = cases[i].end;
		snprintf(r.why, sizeof r.why, "because");
		f = judge(&r, cases[i].clause, &err);
		ROW(f == cases[i].want && err.rc == cases[i].rc &&
			strcmp(err.text, cases[i].text) == 0,
		    "%s: %s \"%s\"", cases[i].clause, sts_policy_reply_name(f),
		    err.text);
	}
	rows_done();
}

static void
heads(void **state)
{
	static const struct {
		const char *clause;
		long status;
		bool delimited;
		const char *type;
		enum sts_policy_reply want;
	} cases[] = {
		{ "3.3 200", 200, true, "text/plain", STS_POLICY_REPLY_OK },
		{ "3.3 no status", 0, true, "text/plain",
		    STS_POLICY_REPLY_ERROR },
		{ "3.3 other 2xx", 201, true, "text/plain",
		    STS_POLICY_REPLY_ERROR },
		{ "3.3 204", 204, true, "text/plain", STS_POLICY_REPLY_ERROR },
		{ "3.3 206", 206, true, "text/plain", STS_POLICY_REPLY_ERROR },
		{ "3.3 no redirect", 301, true, "text/plain",
		    STS_POLICY_REPLY_ERROR },
		{ "3.3 no caching", 304, true, "text/plain",
		    STS_POLICY_REPLY_ERROR },
		{ "3.3 308", 308, true, "text/plain", STS_POLICY_REPLY_ERROR },
		{ "3.3 404", 404, true, "text/plain", STS_POLICY_REPLY_ERROR },
		{ "3.3 500", 500, true, "text/plain", STS_POLICY_REPLY_ERROR },
		{ "3.2 case does not matter", 200, true, "Text/PLAIN",
		    STS_POLICY_REPLY_OK },
		{ "3.2 charset", 200, true, "text/plain; charset=utf-8",
		    STS_POLICY_REPLY_OK },
		{ "3.2 other charset is ignored", 200, true,
		    "text/plain;charset=\"iso-8859-1\"", STS_POLICY_REPLY_OK },
		{ "3.2 other parameters are ignored", 200, true,
		    "text/plain ; x=y; z", STS_POLICY_REPLY_OK },
		{ "3.2 ; without parameter", 200, true, "text/plain;",
		    STS_POLICY_REPLY_OK },
		{ "9110 5.5 blanks around", 200, true, " \ttext/plain \t",
		    STS_POLICY_REPLY_OK },
		{ "3.2 missing", 200, true, "", STS_POLICY_REPLY_ERROR },
		{ "3.2 blank", 200, true, " ", STS_POLICY_REPLY_ERROR },
		{ "3.2 parameter alone", 200, true, "; charset=utf-8",
		    STS_POLICY_REPLY_ERROR },
		{ "3.2 HTML", 200, true, "text/html", STS_POLICY_REPLY_ERROR },
		{ "3.2 octets", 200, true, "application/octet-stream",
		    STS_POLICY_REPLY_ERROR },
		{ "3.2 compared whole", 200, true, "text/plainx",
		    STS_POLICY_REPLY_ERROR },
		{ "3.2 not a prefix", 200, true, "text/plai",
		    STS_POLICY_REPLY_ERROR },
		{ "3.2 type alone", 200, true, "text", STS_POLICY_REPLY_ERROR },
		{ "3.2 wildcard", 200, true, "text/*", STS_POLICY_REPLY_ERROR },
		{ "9110 5.3 sent twice", 200, true, "text/plain, text/plain",
		    STS_POLICY_REPLY_OK },
		{ "9110 5.3 each with its parameters", 200, true,
		    "text/plain;charset=utf-8 ,Text/Plain; x=y",
		    STS_POLICY_REPLY_OK },
		{ "9110 5.6.4 a comma that is quoted", 200, true,
		    "text/plain; x=\"a\\\", text/html\", text/plain",
		    STS_POLICY_REPLY_OK },
		{ "9110 5.6.4 quotes that are not closed", 200, true,
		    "text/plain; x=\", text/html", STS_POLICY_REPLY_ERROR },
		{ "3.2 another one after it", 200, true,
		    "text/plain, text/html", STS_POLICY_REPLY_ERROR },
		{ "3.2 another one before it", 200, true,
		    "application/octet-stream, text/plain",
		    STS_POLICY_REPLY_ERROR },
		{ "3.2 another one between", 200, true,
		    "text/plain, text/html;, text/plain",
		    STS_POLICY_REPLY_ERROR },
		{ "3.2 nothing after it", 200, true, "text/plain,",
		    STS_POLICY_REPLY_ERROR },
		{ "3.2 nothing before it", 200, true, ", text/plain",
		    STS_POLICY_REPLY_ERROR },
		{ "3.2 in a parameter", 200, true, "text/html; x=text/plain",
		    STS_POLICY_REPLY_ERROR },
		{ "9110 8.3.1 no blanks at the slash", 200, true, "text /plain",
		    STS_POLICY_REPLY_ERROR },
		{ "3.2 other byte", 200, true, "text/plain\n",
		    STS_POLICY_REPLY_ERROR },
		{ "10.2 end of body not announced", 200, false, "text/plain",
		    STS_POLICY_REPLY_ERROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_reply r = good_reply();
		struct sts_err err;
		enum sts_policy_reply f;

		r.status = cases[i].status;
		r.delimited = cases[i].delimited;
		snprintf(r.content_type, sizeof r.content_type, "%s",
		    cases[i].type);
		f = judge(&r, cases[i].clause, &err);
		ROW(f == cases[i].want &&
			err.rc ==
			    (f == STS_POLICY_REPLY_OK ? STS_OK : STS_TEMPFAIL),
		    "%s: %s \"%s\"", cases[i].clause, sts_policy_reply_name(f),
		    err.text);
	}
	rows_done();
}

static void
bodies(void **state)
{
	static char big[STS_BODY_MAX + 1];
	struct sts_reply r = good_reply(), *at_fence;
	struct sts_err err;

	(void)state;
	r.body = guard_copy("hello\n", 6);
	r.len = 6;
	ROW(judge(&r, "3.2 body is no policy", &err) ==
		    STS_POLICY_REPLY_INVALID &&
		err.rc == STS_INVALID && err.line == 1,
	    "3.2 body is no policy: line %u %s", err.line, err.text);
	r.len = 0;
	r.body = NULL;
	ROW(judge(&r, "3.2 no body", &err) == STS_POLICY_REPLY_INVALID,
	    "3.2 no body: %s", err.text);
	r.body = big;
	r.len = sizeof big;
	ROW(judge(&r, "3.3 size", &err) == STS_POLICY_REPLY_ERROR,
	    "3.3 size: %s", err.text);

	/* What was cut off might have been another type. */
	r = good_reply();
	memset(r.content_type, ';', sizeof r.content_type - 1);
	memcpy(r.content_type, "text/plain", 10);
	ROW(judge(&r, "type cut", &err) == STS_POLICY_REPLY_ERROR,
	    "type cut: %s", err.text);

	/* Fields without a NUL, though none should come. */
	r = good_reply();
	memset(r.content_type, 'x', sizeof r.content_type);
	ROW(judge(&r, "unterminated type", &err) == STS_POLICY_REPLY_ERROR,
	    "unterminated type: %s", err.text);
	r = good_reply();
	r.end = STS_REPLY_TLS;
	memset(r.why, '\n', sizeof r.why);
	/* why comes last in the struct, so that the page is behind it */
	at_fence = (struct sts_reply *)guard_copy(&r, sizeof r);
	ROW(judge(at_fence, "unterminated reason", &err) ==
		    STS_POLICY_REPLY_ERROR &&
		str_all(str_of(err.text), is_print),
	    "unterminated reason: %s", err.text);
	rows_done();
}

static void
names(void **state)
{
	static const char *const fetch[] = {
		[STS_POLICY_REPLY_OK] = "ok",
		[STS_POLICY_REPLY_ERROR] = "sts-policy-fetch-error",
		[STS_POLICY_REPLY_WEBPKI] = "sts-webpki-invalid",
		[STS_POLICY_REPLY_INVALID] = "sts-policy-invalid",
		[STS_POLICY_REPLY_LOCAL] = "local",
	};
	static const char *const cert[] = {
		[STS_CERT_OK] = "ok",
		[STS_CERT_HOST_MISMATCH] = "host-mismatch",
		[STS_CERT_EXPIRED] = "expired",
		[STS_CERT_NOT_YET_VALID] = "not-yet-valid",
		[STS_CERT_NOT_TRUSTED] = "not-trusted",
		[STS_CERT_NO_DNS_ID] = "no-dns-id",
		[STS_CERT_OTHER] = "other",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fetch); i++)
		ROW(strcmp(sts_policy_reply_name((enum sts_policy_reply)i),
			fetch[i]) == 0,
		    "8460 4.3.2.2 %s", fetch[i]);
	ROW(strcmp(sts_policy_reply_name((enum sts_policy_reply)99), "?") == 0,
	    "no name");
	for (size_t i = 0; i < ARRAY_LEN(cert); i++) {
		struct sts_reply r = good_reply();
		struct sts_err err;
		char want[80];

		ROW(strcmp(sts_cert_name((enum sts_cert)i), cert[i]) == 0, "%s",
		    cert[i]);
		/* 3.3: never a policy from a refused certificate */
		r.cert = (enum sts_cert)i;
		r.why[0] = '\0';
		snprintf(want, sizeof want, "certificate refused (%s)",
		    cert[i]);
		ROW(judge(&r, cert[i], &err) ==
			    (i == STS_CERT_OK ? STS_POLICY_REPLY_OK
					      : STS_POLICY_REPLY_WEBPKI) &&
			strcmp(err.text, i == STS_CERT_OK ? "" : want) == 0,
		    "3.3 %s: %s", cert[i], err.text);
	}
	ROW(strcmp(sts_cert_name((enum sts_cert)99), "?") == 0, "no name");
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends),
		cmocka_unit_test(heads),
		cmocka_unit_test(bodies),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
