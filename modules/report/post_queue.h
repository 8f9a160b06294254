/* SPDX-License-Identifier: ISC */
/*
 * The POSTs of a run, by the host that they go to: its addresses are looked up
 * once, hosts take turns, and where nobody answers the rest is left for
 * another run.
 */
#ifndef REPORT_POST_QUEUE_H
#define REPORT_POST_QUEUE_H

#include "sending.h"

struct post_queue;

/* NULL: err says why. */
struct post_queue *post_queue_new(struct sending *, struct sts_err *err);
void post_queue_free(struct post_queue *); /* leaves what waits; NULL is fine */

struct post_host *post_queue_host(struct post_queue *, const char *host);
/* job->host is set. */
void post_queue_add(struct post_queue *, struct job *);
/* Begin what may be. */
void post_queue_run(struct post_queue *);

#endif
