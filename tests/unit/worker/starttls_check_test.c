/* SPDX-License-Identifier: ISC */
#include "row.h"
#include "starttls_check.h"
#include <mtasts/mx.h>
#include <mtasts/session.h>

static const struct {
	const char *clause;
	enum { FAILED, UP, VERIFIED, SHARED } tls; /* in the session */
	struct finding found;
	bool counts;
	enum sts_session_result result;
	const char *reason; /* part of it */
} t[] = {
	{ "4.2.1 testing, and nothing is wrong", UP,
	    { STS_REPLY_COMPLETE, STS_CERT_OK, "" }, true, STS_SESSION_OK, "" },
	{ "4.3.1 testing, expired", UP,
	    { STS_REPLY_CERT, STS_CERT_EXPIRED, "" }, true,
	    STS_CERTIFICATE_EXPIRED, "expired" },
	{ "4.3.1 testing, another name", UP,
	    { STS_REPLY_CERT, STS_CERT_HOST_MISMATCH, "" }, true,
	    STS_CERTIFICATE_HOST_MISMATCH, "name" },
	{ "8461 4.2 testing, no DNS-ID", UP,
	    { STS_REPLY_CERT, STS_CERT_NO_DNS_ID, "" }, true,
	    STS_CERTIFICATE_HOST_MISMATCH, "DNS name" },
	{ "4.3.1 testing, unknown issuer", UP,
	    { STS_REPLY_CERT, STS_CERT_NOT_TRUSTED, "" }, true,
	    STS_CERTIFICATE_NOT_TRUSTED, "issuer" },
	{ "not yet valid is not expired", UP,
	    { STS_REPLY_CERT, STS_CERT_NOT_YET_VALID, "" }, true,
	    STS_CERTIFICATE_NOT_TRUSTED, "not valid yet" },
	{ "4.3.1 testing, refused for something else", UP,
	    { STS_REPLY_CERT, STS_CERT_OTHER, "" }, true,
	    STS_VALIDATION_FAILURE, "refused" },
	{ "8461 7.2 testing, TLS 1.1", UP,
	    { STS_REPLY_TLS, STS_CERT_OK, "wrong version" }, true,
	    STS_VALIDATION_FAILURE, "wrong version" },
	{ "testing, nobody there any more", UP,
	    { STS_REPLY_CONNECT, STS_CERT_OK, "" }, false, STS_SESSION_OK, "" },
	{ "testing, too slow", UP, { STS_REPLY_TIMEOUT, STS_CERT_OK, "" },
	    false, STS_SESSION_OK, "" },
	{ "testing, no STARTTLS any more", UP,
	    { STS_REPLY_PROTOCOL, STS_CERT_OK, "" }, false, STS_SESSION_OK,
	    "" },
	{ "testing, a fault of ours", UP, { STS_REPLY_LOCAL, STS_CERT_OK, "" },
	    false, STS_SESSION_OK, "" },
	{ "4.3.1 failed, expired", FAILED,
	    { STS_REPLY_CERT, STS_CERT_EXPIRED, "" }, true,
	    STS_CERTIFICATE_EXPIRED, "expired" },
	{ "failed, the handshake", FAILED,
	    { STS_REPLY_TLS, STS_CERT_OK, "wrong version" }, true,
	    STS_VALIDATION_FAILURE, "wrong version" },
	{ "failed, and is fine now", FAILED,
	    { STS_REPLY_COMPLETE, STS_CERT_OK, "" }, true,
	    STS_VALIDATION_FAILURE, "works by now" },
	{ "failed, and nobody can say why", FAILED,
	    { STS_REPLY_LOCAL, STS_CERT_OK, "" }, true, STS_VALIDATION_FAILURE,
	    "as smtpd said" },
	{ "failed, and cut off again", FAILED,
	    { STS_REPLY_CUT, STS_CERT_OK, "x" }, true, STS_VALIDATION_FAILURE,
	    "as smtpd said" },
	{ "8461 4.2 verified, and so it is", VERIFIED,
	    { STS_REPLY_COMPLETE, STS_CERT_OK, "" }, true, STS_SESSION_OK, "" },
	{ "8461 4.2 verified by the common name", VERIFIED,
	    { STS_REPLY_CERT, STS_CERT_NO_DNS_ID, "" }, true,
	    STS_CERTIFICATE_HOST_MISMATCH, "DNS name" },
	{ "verified, but for TLS clients", VERIFIED,
	    { STS_REPLY_CERT, STS_CERT_OTHER, "" }, true,
	    STS_VALIDATION_FAILURE, "refused" },
	{ "verified, expired since: two moments", VERIFIED,
	    { STS_REPLY_CERT, STS_CERT_EXPIRED, "" }, true, STS_SESSION_OK,
	    "" },
	{ "verified, another server at the address", VERIFIED,
	    { STS_REPLY_CERT, STS_CERT_HOST_MISMATCH, "" }, true,
	    STS_SESSION_OK, "" },
	{ "verified, TLS fails since", VERIFIED,
	    { STS_REPLY_TLS, STS_CERT_OK, "x" }, true, STS_SESSION_OK, "" },
	{ "verified, nobody there any more", VERIFIED,
	    { STS_REPLY_CONNECT, STS_CERT_OK, "" }, true, STS_SESSION_OK, "" },
	{ "verified, a fault of ours", VERIFIED,
	    { STS_REPLY_LOCAL, STS_CERT_OK, "" }, true, STS_SESSION_OK, "" },
	{ "shared, and its certificate has expired", SHARED,
	    { STS_REPLY_CERT, STS_CERT_EXPIRED, "" }, true,
	    STS_CERTIFICATE_EXPIRED, "expired" },
	{ "shared, the handshake", SHARED,
	    { STS_REPLY_TLS, STS_CERT_OK, "wrong version" }, true,
	    STS_VALIDATION_FAILURE, "wrong version" },
	{ "shared, and fine with this host", SHARED,
	    { STS_REPLY_COMPLETE, STS_CERT_OK, "" }, false,
	    STS_VALIDATION_FAILURE, "" },
	{ "shared, and nobody can say", SHARED,
	    { STS_REPLY_CONNECT, STS_CERT_OK, "" }, false,
	    STS_VALIDATION_FAILURE, "" },
};

static void
test_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		static const char *const said[] = { "as smtpd said", "",
			STS_REASON_VERIFIED, STS_REASON_SHARED };
		struct sts_session s = { .result = t[i].tls == FAILED ||
				t[i].tls == SHARED
			    ? STS_VALIDATION_FAILURE
			    : STS_SESSION_OK,
			.reason = str_of(said[t[i].tls]) };
		char reason[200];
		bool counts = verdict(&s, &t[i].found);

		snprintf(reason, sizeof reason, "%.*s", (int)s.reason.len,
		    s.reason.p);
		ROW(counts == t[i].counts && s.result == t[i].result &&
			strstr(reason, t[i].reason) != NULL,
		    "%s: counts %d as %s, %s", t[i].clause, counts,
		    sts_session_result_name(s.result), reason);
		ROW(s.result != STS_SESSION_OK || reason[0] == '\0',
		    "%s: a success with a reason", t[i].clause);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_verdict) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
