/* SPDX-License-Identifier: ISC */
/* IP addresses and networks as text and as bytes. */
#ifndef STS_BASE_ADDR_H
#define STS_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan.h"

enum { STS_ADDR_TEXT = 48 };

struct sts_addr {
	bool v6;
	uint8_t bytes[16]; /* network order; the first 4 where v6 is false */
};

struct sts_net {
	struct sts_addr addr;
	unsigned bits; /* of addr that count: 0 to 32 or 128 */
};

/* Is the whole of s an address (no brackets, no scope, no port)? */
bool sts_addr_parse(struct sts_addr *out, struct sts_str s);

/* "198.51.100.0/24", "2001:db8::/32", or an address alone. */
bool sts_net_parse(struct sts_net *out, struct sts_str s);

/*
 * The IPv4 address that an IPv6 address leads to: ::ffff:0:0/96, the
 * translations 64:ff9b::/96 and 64:ff9b:1::/48, and 6to4.
 */
bool sts_addr_inner(const struct sts_addr *, struct sts_addr *v4);

/*
 * Is addr inside one of the networks, or the IPv4 address that it leads to?
 */
bool sts_addr_in(const struct sts_addr *addr, const struct sts_net *, size_t n);

/* Writes at most STS_ADDR_TEXT bytes with the NUL; returns buf. */
const char *sts_addr_text(const struct sts_addr *, char buf[STS_ADDR_TEXT]);

/* Loopback by any of its names ("this host" 0.0.0.0 and :: included). */
bool sts_addr_loopback(const struct sts_addr *);

#endif
