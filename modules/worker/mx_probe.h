/* SPDX-License-Identifier: ISC */
/*
 * Does an address of an MX host take connections?  A connection to port 25
 * that is closed at once; what came of it is a mark that all processes of the
 * machine read, so that a thousand domains of one provider cost few.
 */
#ifndef WORKER_MX_PROBE_H
#define WORKER_MX_PROBE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "cache/cache.h"
#include "conf/conf.h"

struct event_base;
struct mx_prober;
struct mx_probe_target;

enum {
	MX_PROBE_MS =
	    2800, /* an address that says nothing so long is down; under
		   * MX_PROBE_SET_MS, so that who waits hears of it */
	MX_PROBES_MAX = 64 /* connections at once; the rest queues */
};

enum mx_probe_says {
	MX_PROBE_PENDING,
	MX_PROBE_UP,
	MX_PROBE_DOWN,
	MX_PROBE_NOT /* may not, or cannot, be told */
};

/* The caller's memory; says is called from the loop, once. */
struct mx_probe_waiter {
	LIST_ENTRY(mx_probe_waiter) next;
	struct mx_probe_target *target; /* NULL: does not wait */
	void (*says)(struct mx_probe_waiter *, enum mx_probe_says);
	void *arg;
};

/* conf and store are lent and must outlive the mx_prober. */
struct mx_prober *mx_prober_new(struct event_base *, const struct sts_conf *,
    struct sts_store *);
void mx_prober_free(struct mx_prober *); /* NULL is fine; nobody is called */

/* What is known without a connection; MX_PROBE_PENDING: it would take one. */
enum mx_probe_says mx_probe_known(struct mx_prober *, const struct sts_addr *);

/* Make it; false: no memory, says will not be called. */
bool mx_probe_ask(struct mx_prober *, const struct sts_addr *,
    struct mx_probe_waiter *);

/*
 * Wait no longer.  A connection under way still comes to its end, and to its
 * mark; one that has not begun is dropped with the last who waits.
 */
void mx_probe_leave(struct mx_prober *, struct mx_probe_waiter *);

#endif
