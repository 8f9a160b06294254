/* SPDX-License-Identifier: ISC */
/*
 * Sessions with MX hosts: whose, and how they went.  For TLS reports, RFC 8460,
 * and for the choice of the next host.
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

/*
 * Note which hosts a failed session counts against, and that the domains that
 * waited for it have their answer.  To be called after record_session().
 */
void record_failed(struct record *, struct sts_ctx *, const struct session *);

/* How the table chose the host of a session that takes mail for the domain. */
enum offered {
	OFFERED_UNKNOWN, /* not noted, or not by the table */
	OFFERED_POLICY,
	OFFERED_ANY /* no policy was known */
};
enum offered record_offered(const struct record *, struct sts_ctx *,
    const struct session *, const char *domain);

/* Mail for the domain is on its way. */
void record_reached(struct record *, const char *domain);

#endif
