/* SPDX-License-Identifier: ISC */
/*
 * getdns on libevent.  The glue library of getdns itself is an empty shared
 * object on Debian 12 and 13 and has another name in later versions.
 */
#ifndef STS_DNS_LOOP_H
#define STS_DNS_LOOP_H

#include <getdns/getdns.h>
#include <getdns/getdns_extra.h>

struct event_base;

struct dns_loop {
	getdns_eventloop ext; /* first: getdns hands out its address */
	struct event_base *base;
};

/* The loop must outlive every context it is set on. */
void dns_loop_init(struct dns_loop *, struct event_base *);

#endif
