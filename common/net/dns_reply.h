/* SPDX-License-Identifier: ISC */
/* What a DNS message says in answer to a question.  Pure. */
#ifndef STS_NET_DNS_REPLY_H
#define STS_NET_DNS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns.h"
#include "dns_wire.h"

enum { DNS_CHAIN_MAX = 9 };

/* Types of records, by their numbers. */
enum {
	DNS_RR_A = 1,
	DNS_RR_CNAME = 5,
	DNS_RR_SOA = 6,
	DNS_RR_MX = 15,
	DNS_RR_TXT = 16,
	DNS_RR_AAAA = 28,
	DNS_RR_OPT = 41,
	DNS_RR_TLSA = 52
};

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
 * Judge one reply to the question name, type; that it has the id of the
 * question is known.  *out is the caller's to dns_found_clear(), whatever it
 * says.
 */
void dns_reply_read(struct dns_found *out, const uint8_t *message, size_t len,
    const struct dns_wire *name, unsigned type);
void dns_found_clear(struct dns_found *);

#endif
