/* SPDX-License-Identifier: ISC */
/*
 * Sessions for TLS reports whose certificate the mail server did not look at,
 * or of which it does not tell what was wrong: the MX host is asked for it,
 * once in a while, and the sessions are recorded as that says.
 */
#ifndef WORKER_STARTTLS_CHECK_H
#define WORKER_STARTTLS_CHECK_H

#include "lookup.h"
#include "rules/http_reply.h"
#include "tlsrpt/session_line.h"
#include <mtasts/session.h>

enum {
	STARTTLS_CHECK_SPAN = 3600, /* s that what was found stands for sessions
				     * in which TLS is up */
	STARTTLS_CHECK_SOON = 300,  /* s, for a session that failed, or nothing
				     * found; but that all was well before it
				     * failed does not say why */
	STARTTLS_CHECK_MS =
	    20000, /* for one host; some greet late on purpose */
	STARTTLS_CHECK_AT_ONCE = 4,
	STARTTLS_CHECK_MEMO = 512, /* hosts of which something is known */
	STARTTLS_CHECK_WAIT =
	    4096 /* sessions that wait; more are as if not asked */
};

struct starttls_checks;

/* lookups is lent, and must have a spool. */
struct starttls_checks *starttls_checks_new(struct lookups *);
/* Before the lookups.  Failures that wait are recorded as they are. */
void starttls_checks_free(struct starttls_checks *); /* NULL is fine */

/* A line of session_line.h, which is changed; anything odd is passed over. */
void starttls_checks_add(struct starttls_checks *, char *line, size_t len);

/* --- What becomes of a session whose MX host was asked.  Pure ------------- */

/* What came of STARTTLS with the host; why is a line for the report. */
struct finding {
	enum sts_reply_end end;
	enum sts_cert cert;
	char why[160];
};

/*
 * STS_SESSION_OK says that TLS is up, with a reason of mx.h perhaps, and
 * VALIDATION_FAILURE that it failed.  Sets result and reason, which may point
 * into the finding; false: it is not known how the session went, and it is not
 * to be counted.
 */
bool verdict(struct sts_session *, const struct finding *);

#endif
