/* SPDX-License-Identifier: ISC */
#include "verdict.h"

/* RFC 8460 4.3.1, as modules/report/judge.c has it. */
static bool
certificate(struct sts_session *s, enum sts_cert cert)
{
	switch (cert) {
	case STS_CERT_HOST_MISMATCH:
		s->result = STS_CERTIFICATE_HOST_MISMATCH;
		s->reason = str_of("certificate does not name the host");
		return true;
	case STS_CERT_NO_DNS_ID:
		s->result = STS_CERTIFICATE_HOST_MISMATCH;
		s->reason =
		    str_of("certificate does not name the host as a DNS name");
		return true;
	case STS_CERT_EXPIRED:
		s->result = STS_CERTIFICATE_EXPIRED;
		s->reason = str_of("certificate has expired");
		return true;
	case STS_CERT_NOT_YET_VALID:
		s->result = STS_CERTIFICATE_NOT_TRUSTED;
		s->reason = str_of("certificate is not valid yet");
		return true;
	case STS_CERT_NOT_TRUSTED:
		s->result = STS_CERTIFICATE_NOT_TRUSTED;
		s->reason = str_of("certificate has no trusted issuer");
		return true;
	case STS_CERT_OK:
	case STS_CERT_OTHER:
		break;
	}
	s->result = STS_VALIDATION_FAILURE;
	s->reason = str_of("certificate refused");
	return true;
}

bool
verdict(struct sts_session *s, const struct finding *f)
{
	bool up = s->result == STS_SESSION_OK;

	switch (f->end) {
	case STS_REPLY_CERT:
		return certificate(s, f->cert);
	case STS_REPLY_COMPLETE:
		if (!up)
			s->reason = str_of("TLS failed; it works by now");
		return true;
	case STS_REPLY_TLS:
		/* TLS it was, but not such as is asked for: 7.2. */
		s->result = STS_VALIDATION_FAILURE;
		s->reason = str_of(f->why);
		return true;
	case STS_REPLY_TIMEOUT:
	case STS_REPLY_CONNECT:
	case STS_REPLY_TOO_BIG:
	case STS_REPLY_CUT:
	case STS_REPLY_PROTOCOL:
	case STS_REPLY_LOCAL:
		break;
	}
	return !up;
}
