/* SPDX-License-Identifier: ISC */
/* A getdns context that talks to one nameserver by one protocol. */
#ifndef STS_DNS_LINK_H
#define STS_DNS_LINK_H

#include <getdns/getdns.h>

#include "conf.h"
#include "dns_loop.h"
#include "dns_plan.h"

/* NULL: no memory.  server and conf are read, not kept. */
getdns_context *dns_link_new(struct dns_loop *, const struct sts_conf *,
    const struct sts_server *, enum dns_proto);

/*
 * Forget the connection: the next query makes a new one, those under way keep
 * the old.  getdns backs off from a server that failed for up to an hour.
 */
getdns_return_t dns_link_reset(getdns_context *, const struct sts_server *,
    enum dns_proto);

#endif
