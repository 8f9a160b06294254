/* SPDX-License-Identifier: ISC */
/* Sessions with a RCPT that waits for what is learnt of its domain.  Pure. */
#ifndef OPENSMTPD_WAITING_RCPTS_H
#define OPENSMTPD_WAITING_RCPTS_H

#include <stdint.h>
#include <sys/queue.h>

#include "filter_line.h"

enum {
	WAITING_SESSIONS_MAX = 1000, /* RCPTs of more do not wait */
	/* As many connections smtpd makes to the listener, packaging/opensmtpd:
	 * one that is held cannot take other mail. */
	WAITING_RCPTS_MAX = 20,
	/* After a wait of SLOW_MS no domain of its owner waits for SLOW_SPAN;
	 * of more than SLOW_MAX owners the oldest is forgotten. */
	WAITING_SLOW_MS = 3000,
	WAITING_SLOW_SPAN = 60000,
	WAITING_SLOW_MAX = 16,
	WAITING_MESSAGE_MAX = 30000, /* ms, all recipients of a message */
	WAITING_MESSAGE_LEAST = 500  /* ms, with less it is not tried */
};

/* The RCPT goes on.  why: what was said of the domain or its wait; or "". */
typedef void waiting_rcpt_fn(void *arg, struct sts_str session,
    struct sts_str token, const char *domain, const char *why);

struct waiting_session {
	TAILQ_ENTRY(waiting_session) entry;
	int64_t since, deadline; /* ms, of the RCPT */
	int64_t waited;          /* ms, of the same message before it */
	char id[FILTER_ID_MAX + 1];
	char token[FILTER_ID_MAX + 1]; /* "": none waits */
	char domain[STS_NAME_SIZE];
	struct sts_str owner; /* part of domain */
};
TAILQ_HEAD(waiting_sessions, waiting_session);

struct waiting_rcpts {
	struct waiting_sessions sessions;
	size_t n;
	struct waiting_owner {
		char name[STS_NAME_SIZE];
		int64_t until; /* ms; 0: free */
	} slow[WAITING_SLOW_MAX];
	waiting_rcpt_fn *release;
	void *arg;
};

void waiting_rcpts_init(struct waiting_rcpts *, waiting_rcpt_fn *release,
    void *arg);

/*
 * Wait ms for the domain, or what the message has left.  A session has one
 * RCPT at a time; the owner of the domain gets another place while he has fewer
 * than are free.  owner: points into domain.  NULL: it waits; else why it
 * cannot.
 */
const char *waiting_rcpts_add(struct waiting_rcpts *, struct sts_str session,
    struct sts_str token, const char *domain, struct sts_str owner, int64_t now,
    int64_t ms);

int64_t waiting_rcpts_deadline(const struct waiting_rcpts *); /* -1: none */

/* Release what waits for the domain; NULL: all. */
void waiting_rcpts_done(struct waiting_rcpts *, const char *domain, int64_t now,
    const char *why);
void waiting_rcpts_expire(struct waiting_rcpts *, int64_t now, const char *why);

/* Another message of the session begins. */
void waiting_rcpts_renew(struct waiting_rcpts *, struct sts_str session);
/* The session has ended: nobody wants its answers. */
void waiting_rcpts_forget(struct waiting_rcpts *, struct sts_str session);

#endif
