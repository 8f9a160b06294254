/* SPDX-License-Identifier: ISC */
/* The MX set of a domain: from the store while it is young, else the DNS. */
#ifndef WORKER_MX_FETCH_H
#define WORKER_MX_FETCH_H

#include "lookup.h"
#include "rules/mx_set.h"

/* The caller's memory, all zero but for the first four. */
struct mx_fetch {
	struct lookups *lookups;
	const char *domain;
	void (*done)(void *arg);
	void *arg;
	struct sts_mx_set set; /* the answer; kind UNKNOWN: none to be had */
	struct sts_mx_set old; /* what was stored */
	struct dns *dns;
	uint32_t ttl;
	bool partial; /* an address question got no answer */
	size_t open;
	struct mx_fetch_host {
		struct mx_fetch *fetch;
		struct sts_mx_host *host;
	} host[STS_MX_HOSTS_MAX];
};

/*
 * done is called once, perhaps from within.  Where the DNS gives no answer
 * the old set stays, however old it is.  The memory must stay until then, or
 * until the lookups is gone.
 */
void mx_fetch_begin(struct mx_fetch *);

#endif
