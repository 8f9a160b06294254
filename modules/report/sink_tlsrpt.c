/* SPDX-License-Identifier: ISC */
/*
 * Sessions to the collector by libtlsrpt, 0.5.0rc1 of Debian 13 or newer.
 *
 * Its switches for the whole process (tlsrpt_set_malloc_and_free,
 * tlsrpt_set_blocking) are left alone, and tlsrpt_version() is not called:
 * 0.5.0rc1 does not have it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tlsrpt.h>

#include "base/err.h"
#include "base/scan.h"
#include "sink.h"
#include <mtasts/session.h>

struct sink {
	struct tlsrpt_connection_t *to;
	const char *path; /* lent */
};

/* What an error of the library is to us. */
static enum sts_rc
fail(const struct sink *s, int code, struct sts_err *err)
{
	int number = tlsrpt_errno_from_error_code(code);
	bool internal = tlsrpt_error_code_is_internal(code) != 0;
	bool sending = !internal && code - number == TLSRPT_ERR_SENDTO;
	enum sts_rc rc = STS_LOCAL;

	if (sending && (number == EAGAIN || number == ENOBUFS))
		rc = STS_TEMPFAIL;
	else if (sending && number == EMSGSIZE)
		rc = STS_INVALID;
	else if (!internal && number == ENOMEM)
		rc = STS_NOMEM;
	if (sending)
		return sts_fail(err, rc, 0, "collector %s: %s", s->path,
		    strerror(number));
	return sts_fail(err, rc, 0, "libtlsrpt: %s%s%s (%d)",
	    tlsrpt_strerror(code), internal ? "" : ": ",
	    internal ? "" : strerror(number), code);
}

enum sts_rc
sink_open(struct sink **out, const char *path, struct sts_err *err)
{
	struct sink *s = calloc(1, sizeof *s);
	enum sts_rc rc;
	int code;

	*out = NULL;
	if (s == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	s->path = path;
	code = tlsrpt_open(&s->to, path);
	if (code == 0) {
		*out = s;
		return STS_OK;
	}
	rc = fail(s, code, err);
	free(s);
	return rc;
}

void
sink_close(struct sink *s)
{
	if (s == NULL)
		return;
	(void)tlsrpt_close(&s->to);
	free(s);
}

static tlsrpt_policy_type_t
type_of(enum sts_policy_type t)
{
	switch (t) {
	case STS_TYPE_STS:
		return TLSRPT_POLICY_STS;
	case STS_TYPE_TLSA:
		return TLSRPT_POLICY_TLSA;
	case STS_TYPE_NO_POLICY_FOUND:
	case STS_TYPES:
		break;
	}
	return TLSRPT_NO_POLICY_FOUND;
}

static const tlsrpt_failure_t failures[] = {
	[STS_STARTTLS_NOT_SUPPORTED] = TLSRPT_STARTTLS_NOT_SUPPORTED,
	[STS_CERTIFICATE_HOST_MISMATCH] = TLSRPT_CERTIFICATE_HOST_MISMATCH,
	[STS_CERTIFICATE_EXPIRED] = TLSRPT_CERTIFICATE_EXPIRED,
	[STS_CERTIFICATE_NOT_TRUSTED] = TLSRPT_CERTIFICATE_NOT_TRUSTED,
	[STS_VALIDATION_FAILURE] = TLSRPT_VALIDATION_FAILURE,
	[STS_TLSA_INVALID] = TLSRPT_TLSA_INVALID,
	[STS_DNSSEC_INVALID] = TLSRPT_DNSSEC_INVALID,
	[STS_DANE_REQUIRED] = TLSRPT_DANE_REQUIRED,
	[STS_STS_POLICY_FETCH_ERROR] = TLSRPT_STS_POLICY_FETCH_ERROR,
	[STS_STS_POLICY_INVALID] = TLSRPT_STS_POLICY_INVALID,
	[STS_STS_WEBPKI_INVALID] = TLSRPT_STS_WEBPKI_INVALID,
	[STS_CERTIFICATE_REFUSED] = TLSRPT_VALIDATION_FAILURE,
};

/* What is not known is NULL: the library then leaves it out. */
static const char *
known(const char *s)
{
	return s == NULL || s[0] == '\0' ? NULL : s;
}

/*
 * Errors stick to the request: the first one comes back from its end, and
 * nothing is sent then.
 */
static void
describe(struct tlsrpt_dr_t *dr, const struct sink_session *s)
{
	bool failed = s->result != STS_SESSION_OK;
	size_t n = s->policy == NULL ? 0 : sts_policy_mx_count(s->policy);

	if (tlsrpt_init_policy(dr, type_of(s->type), s->domain) != 0)
		return;
	for (const char *p = s->lines; *p != '\0'; p += strlen(p) + 1)
		(void)tlsrpt_add_policy_string(dr, p);
	for (size_t i = 0; i < n; i++)
		(void)tlsrpt_add_mx_host_pattern(dr,
		    sts_policy_mx(s->policy, i));
	if (failed)
		(void)tlsrpt_add_delivery_request_failure(dr,
		    failures[s->result], known(s->sending_ip),
		    known(s->mx_host), known(s->mx_helo),
		    known(s->receiving_ip), NULL, known(s->reason));
	(void)tlsrpt_finish_policy(dr,
	    failed ? TLSRPT_FINAL_FAILURE : TLSRPT_FINAL_SUCCESS);
}

enum sts_rc
sink_send(struct sink *s, const struct sink_session *session,
    struct sts_err *err)
{
	struct tlsrpt_dr_t *dr;
	int code;

	if ((unsigned)session->result >= ARRAY_LEN(failures))
		return sts_fail(err, STS_INVALID, 0, "no such result");
	code = tlsrpt_init_delivery_request(&dr, s->to, session->domain,
	    session->record);
	if (code == 0) {
		describe(dr, session);
		code = tlsrpt_finish_delivery_request(&dr);
	}
	return code == 0 ? STS_OK : fail(s, code, err);
}
