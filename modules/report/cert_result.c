/* SPDX-License-Identifier: ISC */
/* The result that a report gives for a failed session with a certificate. */
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "program.h"
#include <mtasts/session.h>

/* RFC 8460 4.3.1; leaf_cert.h tells why "not yet valid" is not "expired". */
static enum sts_session_result
result_of(const struct leaf_verdict *v, enum sts_session_result recorded)
{
	switch (v->cert) {
	case STS_CERT_HOST_MISMATCH:
	case STS_CERT_NO_DNS_ID:
		return STS_CERTIFICATE_HOST_MISMATCH;
	case STS_CERT_EXPIRED:
		return STS_CERTIFICATE_EXPIRED;
	case STS_CERT_NOT_YET_VALID:
	case STS_CERT_NOT_TRUSTED:
		return STS_CERTIFICATE_NOT_TRUSTED;
	case STS_CERT_OK:
	case STS_CERT_OTHER:
		break;
	}
	/* We see nothing wrong with it, so the MTA refused it for another
	 * reason. */
	return recorded == STS_CERTIFICATE_REFUSED ? STS_VALIDATION_FAILURE
						   : recorded;
}

static bool
open_issuers(struct program *p)
{
	struct sts_err err;

	if (p->issuers != NULL || p->no_issuers)
		return p->issuers != NULL;
	if (leaf_issuers_open(&p->issuers, p->conf, &err) == STS_OK)
		return true;
	p->issuers = NULL;
	p->no_issuers = true; /* once for a run, not for each session */
	syslog(LOG_ERR,
	    "%s; so certificates of failed sessions are not examined, and "
	    "reports say only what the mail server said",
	    err.text);
	return false;
}

enum sts_session_result
cert_result(struct program *p, int64_t day, const struct sts_session *s,
    char why[CERT_WHY])
{
	char host[STS_NAME_SIZE], der[STS_SESSION_DER_MAX];
	struct leaf_verdict v;
	struct sts_str cert = { der, 0 };

	why[0] = '\0';
	if (s->cert.len == 0 || s->mx_host.len == 0 ||
	    s->mx_host.len >= sizeof host || !open_issuers(p) ||
	    !sts_spool_cert(p->spool, day, s->cert, der, &cert.len))
		return s->result;
	memcpy(host, s->mx_host.p, s->mx_host.len);
	host[s->mx_host.len] = '\0';
	if (leaf_cert_check(&v, p->issuers, cert, host, s->time) != STS_OK)
		return s->result;
	snprintf(why, CERT_WHY, "%s", v.why);
	return result_of(&v, s->result);
}
