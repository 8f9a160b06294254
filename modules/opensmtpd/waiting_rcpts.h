/* SPDX-License-Identifier: ISC */
/* Requests of smtpd that wait for a domain, oldest first. */
#ifndef OPENSMTPD_HELD_H
#define OPENSMTPD_HELD_H

#include <sys/queue.h>

#include <mtasts/sts.h>

enum { WAITING_RCPTS_MAX = 10000 }; /* more proceed at once */

typedef void waiting_rcpt_fn(void *arg, struct sts_str session,
    struct sts_str token);

TAILQ_HEAD(waiting_rcpt_queue, waiting_rcpt);

struct waiting_rcpts {
	struct waiting_rcpt_queue queue;
	size_t n;
	waiting_rcpt_fn *release;
	void *arg;
};

void waiting_rcpts_init(struct waiting_rcpts *, waiting_rcpt_fn *release,
    void *arg);

/* False: no room.  Deadlines never fall from one call to the next. */
bool waiting_rcpts_add(struct waiting_rcpts *, struct sts_str session,
    struct sts_str token, const char *domain, int64_t deadline);

bool waiting_rcpts_has(const struct waiting_rcpts *, const char *domain);
int64_t waiting_rcpts_deadline(
    const struct waiting_rcpts *); /* of the first; -1: none */

/* Release what waits for the domain; NULL: all. */
void waiting_rcpts_done(struct waiting_rcpts *, const char *domain);
void waiting_rcpts_expire(struct waiting_rcpts *, int64_t now);
/* The session has ended: nobody wants its answers. */
void waiting_rcpts_forget(struct waiting_rcpts *, struct sts_str session);

#endif
