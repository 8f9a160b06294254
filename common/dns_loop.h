/* SPDX-License-Identifier: ISC */
/*
 * getdns on libevent.  The glue library of getdns itself is an empty shared
 * object on Debian 12 and 13 and has another name in later versions.
 */
#ifndef STS_DNS_LOOP_H
#define STS_DNS_LOOP_H

#include <sys/socket.h>

#include <getdns/getdns.h>
#include <getdns/getdns_extra.h>

#include "conf.h"

struct event_base;

struct dns_loop {
	getdns_eventloop ext; /* first: getdns hands out its address */
	struct event_base *base;
	struct sockaddr_storage peer;
	socklen_t peer_len;
};

/*
 * A loop for contexts that talk to one server.  getdns takes a UDP answer
 * from any address and port; where the system allows it, its UDP sockets are
 * connected to the server first, so that the kernel lets no other's through.
 * The loop must outlive every context it is set on.
 */
void dns_loop_init(struct dns_loop *, struct event_base *,
    const struct sts_server *);

#endif
