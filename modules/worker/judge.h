/* SPDX-License-Identifier: ISC */
/*
 * Sessions for TLS reports whose certificate the mail server did not look at,
 * or of which it does not tell what was wrong: the MX host is asked for it,
 * once in a while, and the sessions are recorded as that says.
 */
#ifndef MTASTS_WORKER_JUDGE_H
#define MTASTS_WORKER_JUDGE_H

#include "engine.h"

enum {
	JUDGE_SPAN = 3600, /* s that what was found stands for sessions in which
			    * TLS is up */
	JUDGE_SOON = 300,  /* s, for a session that failed, or nothing found */
	JUDGE_MS = 20000,  /* for one host; some greet late on purpose */
	JUDGE_AT_ONCE = 4,
	JUDGE_MEMO = 512, /* hosts of which something is known */
	JUDGE_WAIT = 4096 /* sessions that wait; more are as if not asked */
};

struct judges;

/* engine is lent, and must have a spool. */
struct judges *judges_new(struct engine *);
/* Before the engine.  Failures that wait are recorded as they are. */
void judges_free(struct judges *); /* NULL is fine */

/* A line of session.h, which is changed; anything odd is passed over. */
void judges_add(struct judges *, char *line, size_t len);

#endif
