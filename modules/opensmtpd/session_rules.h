/* SPDX-License-Identifier: ISC */
/*
 * Whose session was it?  smtpd tells of one that failed in TLS no domain, but
 * the table has told smtpd for which domains to use the host.  A domain waits
 * for a session if
 *
 *   the table named the host for it before the session began, and not longer
 *   before than a connection can take to come about,
 *
 *   and that request of the table has not been answered by another session: of
 *   several sessions at once, one is the answer.
 *
 * Several domains may wait for one session; it then failed for each of them,
 * as none of their mail went over it.  But hosts of several names may have one
 * address, a stranger's own among them, and the session was with one: which,
 * the worker has to find out.  Pure.
 */
#ifndef OPENSMTPD_SESSION_RULES_H
#define OPENSMTPD_SESSION_RULES_H

#include <mtasts/session.h>
#include <mtasts/sts.h>

enum {
	SESSION_OWNER_SPAN =
	    150000, /* ms; Linux gives up a connection after 127 s */
	SESSION_OWNER_MEMO = 1024 /* domains whose last answer is known */
};

struct session_owners {
	uint64_t key; /* of the hash: strangers choose the names */
	struct {
		uint64_t hash;
		int64_t answered; /* what was asked until then, ms */
	} memo[SESSION_OWNER_MEMO];
};

/* Did domain, whose mail the table gave a host at a time, wait for a session
 * that began at another? */
bool session_owner_waits(const struct session_owners *, const char *domain,
    int64_t handed, int64_t began);

/*
 * What the table was asked for the domain until then is answered: by a session
 * that began then and has failed, or by one that takes its mail now.
 */
void session_owner_answered(struct session_owners *, const char *domain,
    int64_t until);

/* --- What is recorded ---------------------------------------------------- */

/* As for Exim; RFC 8460 has no word for it. */
#define FORBIDDEN_REASON "mtasts-policy-mx-mismatch"

/* What is to be done with a session that is known as far as smtpd tells. */
enum record_plan {
	RECORD_AS_IT_IS,
	RECORD_MISMATCH, /* RFC 8461 4.1: the policy does not permit the host */
	RECORD_PROBED,   /* when the worker has had a look at the certificate */
	RECORD_VERIFIED, /* the same: smtpd has looked, but overlooks things */
	RECORD_SHARED,   /* if the worker finds that it fails with this host */
	RECORD_NOT       /* nobody can say how it went */
};

struct record_facts {
	bool verifies; /* the action asks for a certificate */
	enum sts_session_result result;
	enum sts_mode mode; /* in force; NONE: no policy */
	bool host;          /* its name is known */
	bool permitted;     /* by the policy */
	bool shared;        /* it may have been a session of another host */
};

/* Pure. */
enum record_plan record_plan(const struct record_facts *);

#endif
