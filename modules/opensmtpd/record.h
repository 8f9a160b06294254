/* SPDX-License-Identifier: ISC */
/* Sessions with MX hosts for TLS reports, RFC 8460: whose, and how they went.
 */
#ifndef OPENSMTPD_RECORD_H
#define OPENSMTPD_RECORD_H

#include "prefetch.h"
#include "session.h"
#include "waiting.h"

/* What is to be done with a session that is known as far as smtpd tells. */
enum record_plan {
	RECORD_AS_IT_IS,
	RECORD_MISMATCH, /* RFC 8461 4.1: the policy does not permit the host */
	RECORD_PROBED,   /* when the worker has had a look at the certificate */
	RECORD_NOT       /* nobody can say how it went */
};

struct record_facts {
	bool verifies; /* the action asks for a certificate */
	enum sts_session_result result;
	enum sts_mode mode; /* in force; NONE: no policy */
	bool host;          /* its name is known */
	bool permitted;     /* by the policy */
};

/* Pure. */
enum record_plan record_plan(const struct record_facts *);

struct record {
	bool verifies;
	struct waiting waiting;
	struct complaint said;
};

void record_session(struct record *, struct sts_ctx *, struct prefetch *,
    const struct session_count *);

#endif
