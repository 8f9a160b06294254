/* SPDX-License-Identifier: ISC */
/* Requests of smtpd that wait for a domain, oldest first. */
#ifndef OPENSMTPD_HELD_H
#define OPENSMTPD_HELD_H

#include <sys/queue.h>

#include "sts.h"

enum { HELD_MAX = 10000 }; /* more proceed at once */

typedef void held_fn(void *arg, struct sts_str session, struct sts_str token);

TAILQ_HEAD(held_queue, held);

struct held_list {
	struct held_queue queue;
	size_t n;
	held_fn *release;
	void *arg;
};

void held_init(struct held_list *, held_fn *release, void *arg);

/* False: no room.  Deadlines never fall from one call to the next. */
bool held_add(struct held_list *, struct sts_str session, struct sts_str token,
    const char *domain, int64_t deadline);

bool held_has(const struct held_list *, const char *domain);
int64_t held_deadline(const struct held_list *); /* of the first; -1: none */

/* Release what waits for the domain; NULL: all. */
void held_done(struct held_list *, const char *domain);
void held_expire(struct held_list *, int64_t now);
/* The session has ended: nobody wants its answers. */
void held_forget(struct held_list *, struct sts_str session);

#endif
