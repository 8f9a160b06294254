/* SPDX-License-Identifier: ISC */
/*
 * Does an address of an MX host take connections?  A connection to port 25
 * that is closed at once; what came of it is a mark that all processes of the
 * machine read, so that a thousand domains of one provider cost few.
 */
#ifndef MTASTS_WORKER_PROBE_H
#define MTASTS_WORKER_PROBE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "addr.h"
#include "conf.h"
#include "store.h"

struct event_base;
struct prober;
struct probe_target;

enum {
	PROBE_MS = 2800, /* an address that says nothing so long is down; under
			  * REACH_MS, so that who waits hears of it */
	PROBES_MAX = 64  /* connections at once; the rest queues */
};

enum probe_says {
	PROBE_PENDING,
	PROBE_UP,
	PROBE_DOWN,
	PROBE_NOT /* may not, or cannot, be told */
};

/* The caller's memory; says is called from the loop, once. */
struct probe_waiter {
	LIST_ENTRY(probe_waiter) next;
	struct probe_target *target; /* NULL: does not wait */
	void (*says)(struct probe_waiter *, enum probe_says);
	void *arg;
};

/* conf and store are lent and must outlive the prober. */
struct prober *prober_new(struct event_base *, const struct sts_conf *,
    struct sts_store *);
void prober_free(struct prober *); /* NULL is fine; nobody is called */

/* What is known without a connection; PROBE_PENDING: it would take one. */
enum probe_says probe_known(struct prober *, const struct sts_addr *);

/* Make it; false: no memory, says will not be called. */
bool probe_ask(struct prober *, const struct sts_addr *, struct probe_waiter *);

/*
 * Wait no longer.  A connection under way still comes to its end, and to its
 * mark; one that has not begun is dropped with the last who waits.
 */
void probe_leave(struct prober *, struct probe_waiter *);

#endif
