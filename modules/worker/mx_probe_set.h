/* SPDX-License-Identifier: ISC */
/* Which MX hosts of one domain take connections; waits no longer than it must.
 */
#ifndef WORKER_MX_PROBE_SET_H
#define WORKER_MX_PROBE_SET_H

#include "mx_probe.h"
#include "mx_records.h"

struct event;

enum {
	MX_PROBE_SET_MS = 3000, /* for one domain in all */
	MX_PROBE_SET_NEXT_MS =
	    250 /* silence of the better hosts, then the next */
};

/* The caller's memory, all zero but for the first four. */
struct mx_probe_set {
	struct mx_prober *mx_prober;
	const struct sts_mx_set *set; /* lent */
	void (*done)(void *arg);
	void *arg;
	enum mx_state state[STS_MX_HOSTS_MAX];
	struct event *timer, *limit;
	int64_t next; /* when those of the next preference begin */
	struct mx_probe_set_host {
		struct mx_probe_set *reach;
		unsigned open;
		bool down; /* an address of it is */
		struct mx_probe_waiter waiter[STS_MX_ADDRS_MAX];
	} host[STS_MX_HOSTS_MAX];
};

/*
 * Probe the candidates, by preference.  done is called once, perhaps from
 * within: when the best host that can be had is known, or after
 * MX_PROBE_SET_MS.
 */
void mx_probe_set_begin(struct mx_probe_set *, struct event_base *,
    const bool may[STS_MX_HOSTS_MAX]);

/* Wait for nothing any more; done is not called. */
void mx_probe_set_clear(struct mx_probe_set *);

#endif
