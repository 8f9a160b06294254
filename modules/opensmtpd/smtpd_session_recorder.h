/* SPDX-License-Identifier: ISC */
/* Sessions with MX hosts for TLS reports, RFC 8460: whose, and how they went.
 */
#ifndef OPENSMTPD_SMTPD_SESSION_RECORDER_H
#define OPENSMTPD_SMTPD_SESSION_RECORDER_H

#include "rcpt_prefetch.h"
#include "session_rules.h"
#include "smtp_session.h"

struct record {
	bool verifies;
	struct session_owners owners;
	struct complaint said;
};

void record_session(struct record *, struct sts_ctx *, struct rcpt_prefetch *,
    const struct session_count *);

#endif
