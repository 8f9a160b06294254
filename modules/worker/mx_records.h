/* SPDX-License-Identifier: ISC */
/*
 * What makes an MX set of the DNS's answers, and which of its hosts are worth
 * a probe.  Pure.
 */
#ifndef WORKER_MX_RECORDS_H
#define WORKER_MX_RECORDS_H

#include "net/dns.h"
#include "rules/mx_set.h"

/*
 * The hosts of the MX records, without addresses, best first; of two records
 * for one host the better counts.  False: there are none; set->kind says
 * NULL (RFC 7505) or NOTHING.
 */
bool mx_records_hosts(struct sts_mx_set *, const struct dns_mx *, size_t n);

/* Some of the addresses, both families where there are both. */
void mx_records_addrs(struct sts_mx_host *, const struct sts_addr *, size_t n);

/* A time to live within the bounds of mx_set.h. */
uint32_t mx_records_ttl(uint32_t ttl);

/*
 * Which hosts may mail go to?  Those in front of this machine's own preference
 * (RFC 5321 5.1) that match the policy (RFC 8461 4.1); NULL:
 * all.
 */
void mx_records_candidates(const struct sts_mx_set *, const struct sts_policy *,
    bool may[STS_MX_HOSTS_MAX]);

/* What is known of a host while it is probed. */
enum mx_state {
	MX_LEFT_OUT, /* no candidate, or nothing there to probe */
	MX_DUE,      /* not begun */
	MX_PENDING,
	MX_UP,
	MX_DOWN
};

/* Would the rest change what is tried next?  Then it is waited for. */
bool mx_records_settled(const struct sts_mx_set *,
    const enum mx_state state[STS_MX_HOSTS_MAX]);

#endif
