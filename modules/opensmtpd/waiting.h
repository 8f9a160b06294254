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
#ifndef OPENSMTPD_WAITING_H
#define OPENSMTPD_WAITING_H

#include "sts.h"

enum {
	WAITING_SPAN = 150000, /* ms; Linux gives up a connection after 127 s */
	WAITING_MEMO = 1024    /* domains whose last session is known */
};

struct waiting {
	uint64_t key; /* of the hash: strangers choose the names */
	struct {
		uint64_t hash;
		int64_t ended; /* ms; 0: never */
	} memo[WAITING_MEMO];
};

/* Did domain, whose mail the table gave a host at a time, wait for a session
 * that began at another? */
bool waiting_for(const struct waiting *, const char *domain, int64_t handed,
    int64_t began);

/* A session for the domain has come to its result. */
void waiting_ended(struct waiting *, const char *domain, int64_t now);

#endif
