/* SPDX-License-Identifier: ISC */
/* A getdns context that talks to one nameserver by one protocol. */
#ifndef STS_DNS_LINK_H
#define STS_DNS_LINK_H

#include <getdns/getdns.h>

#include "conf.h"
#include "dns_loop.h"
#include "dns_plan.h"

struct dns_link {
	struct dns_loop loop;
	getdns_context *ctx;
	unsigned users; /* attempts under way */
	bool retired;   /* goes with the last of them */
	int64_t heard;  /* when the last answer came, sts_now_ms() */
};

/* NULL: no memory.  server and conf are read, not kept. */
struct dns_link *dns_link_new(struct event_base *, const struct sts_conf *,
    const struct sts_server *, enum dns_proto);

void dns_link_take(struct dns_link *);

/* Neither of these from inside a callback of getdns. */
void dns_link_drop(struct dns_link *);
void dns_link_retire(struct dns_link *); /* NULL is fine */

#endif
