/* SPDX-License-Identifier: ISC */
/*
 * Whose session was it?  smtpd tells of one that failed in TLS no domain, but
 * the table has told smtpd for which domains to use the host.  A domain waits
 * for a session if
 *
 *   the table named the host for it before the session began, and not longer
 *   before than a connection can take to come about,
 *
 *   and no session for it has ended between the two: then that one was the
 *   answer, and smtpd would have had to ask again.
 *
 * Several domains may wait for one session; it then failed for each of them,
 * as none of their mail went over it.  Pure.
 */
#ifndef OPENSMTPD_SESSION_RULES_H
#define OPENSMTPD_SESSION_RULES_H

#include <mtasts/session.h>
#include <mtasts/sts.h>

enum {
	SESSION_OWNER_SPAN =
	    150000, /* ms; Linux gives up a connection after 127 s */
	SESSION_OWNER_MEMO = 1024 /* domains whose last session is known */
};

struct session_owners {
	uint64_t key; /* of the hash: strangers choose the names */
	struct {
		uint64_t hash;
		int64_t ended; /* ms; 0: never */
	} memo[SESSION_OWNER_MEMO];
};

/* Did domain, whose mail the table gave a host at a time, wait for a session
 * that began at another? */
bool session_owner_waits(const struct session_owners *, const char *domain,
    int64_t handed, int64_t began);

/* A session for the domain has come to its result. */
void session_owner_ended(struct session_owners *, const char *domain,
    int64_t now);

/* --- What is recorded ---------------------------------------------------- */

/* As for Exim; RFC 8460 has no word for it. */
#define FORBIDDEN_REASON "mtasts-policy-mx-mismatch"

/* What is to be done with a session that is known as far as smtpd tells. */
enum record_plan {
	RECORD_AS_IT_IS,
	RECORD_MISMATCH, /* RFC 8461 4.1: the policy does not permit the host */
	RECORD_PROBED,   /* when the worker has had a look at the certificate */
	RECORD_VERIFIED, /* the same: smtpd has looked, but overlooks things */
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

#endif
