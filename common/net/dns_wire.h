/* SPDX-License-Identifier: ISC */
/* Domain names in wire format. */
#ifndef STS_NET_DNS_WIRE_H
#define STS_NET_DNS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_WIRE_MAX = 255 };

struct dns_wire {
	size_t len;
	uint8_t bytes[DNS_WIRE_MAX];
};

/* "a.b", LDH and '_' only, or "." for the root; false: cannot be asked. */
bool dns_wire_parse(struct dns_wire *out, const char *name);

/*
 * The name at an offset of a message, its pointers (RFC 1035 4.1.4) followed.
 * Returns where it ends there; 0: it is none.
 */
size_t dns_wire_read(struct dns_wire *out, const uint8_t *message, size_t size,
    size_t at);

/* The same as a name with the NUL label at its end. */
bool dns_wire_is(const struct dns_wire *, const uint8_t *name, size_t len);

/*
 * As a host name in lower case without the last dot; the root is "".  False
 * where a label holds anything but LDH and '_'.
 */
bool dns_wire_host(char out[256], const uint8_t *name, size_t len);

#endif
