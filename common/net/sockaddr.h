/* SPDX-License-Identifier: ISC */
/* An address and a port as connect(2) wants them. */
#ifndef STS_NET_SOCKADDR_H
#define STS_NET_SOCKADDR_H

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"

/* Returns the length. */
static inline socklen_t
sockaddr_of(struct sockaddr_storage *out, const struct sts_addr *addr,
    uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port) };

	if (addr->v6) {
		memcpy(&sin6.sin6_addr, addr->bytes, 16);
		memcpy(out, &sin6, sizeof sin6);
		return sizeof sin6;
	}
	memcpy(&sin.sin_addr, addr->bytes, 4);
	memcpy(out, &sin, sizeof sin);
	return sizeof sin;
}

/* False: neither IPv4 nor IPv6. */
static inline bool
sockaddr_addr(struct sts_addr *out, const struct sockaddr *from)
{
	const union {
		const struct sockaddr *any;
		const struct sockaddr_in *v4;
		const struct sockaddr_in6 *v6;
	} u = { from };

	*out = (struct sts_addr){ .v6 = from->sa_family == AF_INET6 };
	if (from->sa_family == AF_INET)
		memcpy(out->bytes, &u.v4->sin_addr, 4);
	else if (out->v6)
		memcpy(out->bytes, &u.v6->sin6_addr, 16);
	return out->v6 || from->sa_family == AF_INET;
}

/* 0: neither IPv4 nor IPv6. */
static inline unsigned
sockaddr_port(const struct sockaddr *from)
{
	const union {
		const struct sockaddr *any;
		const struct sockaddr_in *v4;
		const struct sockaddr_in6 *v6;
	} u = { from };

	if (from->sa_family == AF_INET)
		return ntohs(u.v4->sin_port);
	return from->sa_family == AF_INET6 ? ntohs(u.v6->sin6_port) : 0;
}

#endif
