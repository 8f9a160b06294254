/* SPDX-License-Identifier: ISC */
/* What a response of getdns says, read by hand. */
#ifndef STS_NET_DNS_REPLY_H
#define STS_NET_DNS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <getdns/getdns.h>

#include "dns.h"
#include "dns_wire.h"

enum { DNS_CHAIN_MAX = 9 };

/* The records of one answer, or why there are none. */
struct dns_found {
	enum dns_why why;
	bool no_edns; /* FORMERR, NOTIMP or BADVERS */
	bool no_soa;
	uint32_t ttl;
	size_t n;
	struct sts_str *txt; /* into text */
	char *text;
	struct sts_addr *addr;
	struct dns_mx *mx;
};

/*
 * Judge one response to the question name, type (an RR type number).  *out is
 * the caller's to dns_found_clear(), whatever it says.
 */
void dns_reply_read(struct dns_found *out, const getdns_dict *response,
    const struct dns_wire *name, uint32_t type);
void dns_found_clear(struct dns_found *);

#endif
