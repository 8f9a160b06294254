/* SPDX-License-Identifier: ISC */
/*
 * A getdns context that talks to one nameserver by one protocol, on libevent.
 * The glue library of getdns itself is an empty shared object on Debian 12 and
 * 13 and has another name in later versions.
 */
#ifndef STS_NET_UPSTREAM_H
#define STS_NET_UPSTREAM_H

#include <stdbool.h>
#include <sys/socket.h>

#include <getdns/getdns.h>
#include <getdns/getdns_extra.h>

#include "attempts.h"
#include "conf/conf.h"

struct event_base;

struct dns_loop {
	getdns_eventloop ext; /* first: getdns hands out its address */
	struct event_base *base;
	struct sockaddr_storage peer;
	socklen_t peer_len;
};

struct dns_upstream {
	struct dns_loop loop;
	getdns_context *ctx;
	unsigned users; /* attempts under way */
	bool retired;   /* goes with the last of them */
	int64_t heard;  /* when the last answer came, sts_now_ms() */
};

/* Is the interface of the server's scope there?  Without a scope: always. */
bool dns_upstream_here(const struct sts_server *);

/* NULL: no memory.  server and conf are read, not kept. */
struct dns_upstream *dns_upstream_new(struct event_base *,
    const struct sts_conf *, const struct sts_server *, enum dns_proto);

void dns_upstream_take(struct dns_upstream *);

/* Neither of these from inside a callback of getdns. */
void dns_upstream_drop(struct dns_upstream *);
void dns_upstream_retire(struct dns_upstream *); /* NULL is fine */

#endif
