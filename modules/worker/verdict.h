/* SPDX-License-Identifier: ISC */
/*
 * What becomes of a session whose MX host was asked for its certificate once
 * more.  Pure.
 */
#ifndef MTASTS_WORKER_VERDICT_H
#define MTASTS_WORKER_VERDICT_H

#include "reply.h"
#include "session.h"

/* What came of STARTTLS with the host; why is a line for the report. */
struct finding {
	enum sts_reply_end end;
	enum sts_cert cert;
	char why[160];
};

/*
 * STS_SESSION_OK says that TLS is up, VALIDATION_FAILURE that it failed.  Sets
 * result and reason, which may point into the finding; false: it is not known
 * how the session went, and it is not to be counted.
 */
bool verdict(struct sts_session *, const struct finding *);

#endif
