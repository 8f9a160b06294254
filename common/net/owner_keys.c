/* SPDX-License-Identifier: ISC */
#include "owner_keys.h"

#include <sys/random.h>
#include <time.h>

#include "base/siphash.h"
#include "registrable_domain.h"

void
owner_keys_init(struct owner_keys *k)
{
	struct timespec ts;

	if (getrandom(k->secret, sizeof k->secret, GRND_NONBLOCK) ==
	    sizeof k->secret)
		return;
	/* Early in a boot; the limits hold for all who do not guess this. */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	k->secret[0] = (uint64_t)ts.tv_nsec;
	k->secret[1] = (uint64_t)ts.tv_sec;
}

static uint64_t
hash(const struct owner_keys *k, const void *p, size_t len)
{
	return sts_siphash(k->secret, (struct sts_str){ p, len }) | 1;
}

uint64_t
owner_of_name(const struct owner_keys *k, const char *name)
{
	const char *owner = registrable_domain(name);

	return hash(k, owner, strlen(owner));
}

uint64_t
owner_of_address(const struct owner_keys *k, const struct sts_addr *addr)
{
	struct sts_addr v4;

	if (sts_addr_inner(addr, &v4))
		addr = &v4;
	return hash(k, addr->bytes, addr->v6 ? 6 : 3);
}
