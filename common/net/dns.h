/* SPDX-License-Identifier: ISC */
/*
 * Questions to the DNS: the edge brings records or says why it could not.
 * What knows the library (resolver.c and its like) only the worker links.
 *
 * "Asked, and there is none" (DNS_NONE) and "could not ask" (DNS_TEMPFAIL)
 * never share a value: on that difference a downgrade stands or falls
 * (RFC 8461 3.3, 10.2).
 */
#ifndef STS_NET_DNS_H
#define STS_NET_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/scan.h"
#include "conf/conf.h"

struct event_base;
struct dns;

enum dns_type {
	DNS_TXT,
	DNS_ADDRESS, /* A and AAAA together */
	DNS_MX,
	DNS_TLSA
};

enum dns_outcome { DNS_FOUND, DNS_NONE, DNS_TEMPFAIL };

enum dns_why {
	DNS_WHY_OK,
	DNS_WHY_NXDOMAIN, /* DNS_NONE */
	DNS_WHY_NODATA,   /* DNS_NONE */
	DNS_WHY_TIMEOUT,  /* from here on DNS_TEMPFAIL */
	DNS_WHY_SERVFAIL,
	DNS_WHY_REFUSED,
	DNS_WHY_RCODE,   /* any other rcode */
	DNS_WHY_NETWORK, /* refused, reset, unreachable */
	DNS_WHY_BOGUS,
	DNS_WHY_TRUNCATED, /* and the whole was not to be had */
	DNS_WHY_MALFORMED, /* an answer to another question included */
	DNS_WHY_NAME,      /* the name cannot be asked for */
	DNS_WHY_LOCAL      /* no memory, no sockets, no nameserver known */
};

struct dns_mx {
	uint16_t preference;
	char name[256]; /* lower case, no trailing dot; "" is the null MX */
};

struct dns_answer {
	enum dns_outcome outcome;
	enum dns_why why;
	/*
	 * Seconds the answer may be kept: the least TTL along the way, for
	 * DNS_NONE the negative TTL (RFC 2308 5); 0 where unknown.
	 */
	uint32_t ttl;
	bool no_soa;     /* DNS_NONE, and not to be kept at all, RFC 2308 5 */
	unsigned waited; /* ms for its turn, which its timeout does not count */
	size_t n; /* of the array that fits the type; 0 unless DNS_FOUND */
	/* Each RR with its strings joined, RFC 8461 3.1; a TLSA RR as
	 * "3 1 1 AB12", RFC 6698 2.2. */
	const struct sts_str *txt;
	const struct sts_addr *addr;
	const struct dns_mx *mx;
};

/* The answer and all it points to are lent for the time of the call. */
typedef void dns_done(void *arg, const struct dns_answer *);

/* One printable line for a log: a nameserver that cannot be used. */
typedef void dns_remark(const char *text);

/*
 * Nameservers and transport come from conf (lent; must outlive the dns).
 * Ignores SIGPIPE for the process.  NULL: no memory, or no nameserver known;
 * err says which.
 */
struct dns *dns_new(struct event_base *, const struct sts_conf *, dns_remark *,
    struct sts_err *err);
void dns_free(struct dns *); /* NULL is fine; open questions never call back */

/*
 * Ask; done is called exactly once, from the event loop, never from within
 * dns_ask, at the latest after timeout_ms; questions over a number wait for
 * their turn, and timeout_ms counts from its coming unless nobody is answered
 * for that long.  done may ask again, but not free the dns.  name: A-label, LDH
 * and '_', no trailing dot; copied.  False: no memory, done will not be called.
 */
bool dns_ask(struct dns *, enum dns_type, const char *name, unsigned timeout_ms,
    dns_done *done, void *arg);

/*
 * Does any nameserver answer at all?  Asks for the root's SOA.  A domain may
 * have slow nameservers of its own; only when this fails too is the resolver
 * down.
 */
bool dns_probe(struct dns *, unsigned timeout_ms, dns_done *done, void *arg);

const char *dns_why_name(enum dns_why);

#endif
