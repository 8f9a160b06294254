/* SPDX-License-Identifier: ISC */
/* Who owns a name or an address, as keys for base/accountant.h. */
#ifndef STS_NET_OWNER_KEYS_H
#define STS_NET_OWNER_KEYS_H

#include <stdint.h>

#include "base/addr.h"

/* Of this process: nobody can predict them. */
struct owner_keys {
	uint64_t secret[2];
};

void owner_keys_init(struct owner_keys *);

/* The owner of a name: its registrable_domain().  Never 0. */
uint64_t owner_of_name(const struct owner_keys *, const char *name);

/* Of an address: its /24 or /48, of the IPv4 address that it leads to. */
uint64_t owner_of_address(const struct owner_keys *, const struct sts_addr *);

#endif
