/* SPDX-License-Identifier: ISC */
/*
 * The one judge of connections to an address that a stranger chose, in the DNS
 * or in a URL.  The name servers are the administrator's own.
 */
#ifndef STS_NET_GATE_H
#define STS_NET_GATE_H

#include "base/addr.h"
#include "conf/conf.h"

enum gate_use {
	GATE_POLICY, /* GET of a policy: one path, nothing of ours is in it */
	GATE_PROBE,  /* is an MX host there, and how is its TLS? */
	GATE_POST    /* a report, to wherever a URL says */
};

/* NULL: it may be connected to; else why not, in a few words. */
const char *gate_refuses(const struct sts_conf *, enum gate_use,
    const struct sts_addr *, unsigned port);

/*
 * NULL: the kernel would send to one of the addresses; else why it would not,
 * in a few words.  What the other side chose badly is no reason: addresses of
 * private networks, or all of a family that this host has no way out by, while
 * it has one by the other.  Sends nothing.
 */
const char *gate_no_route(const struct sts_addr *, size_t n);

/*
 * Is it an address of this machine?  Asks the kernel and sends nothing.  True
 * where that cannot be found out.
 */
bool gate_is_own(const struct sts_addr *);

#endif
