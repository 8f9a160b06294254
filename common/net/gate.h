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
 * Is it an address of this machine?  Asks the kernel and sends nothing.  True
 * where that cannot be found out.
 */
bool gate_is_own(const struct sts_addr *);

#endif
