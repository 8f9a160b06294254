/* SPDX-License-Identifier: ISC */
/* MX records to an MX set, RFC 5321 5.1 and RFC 7505. */
#include "mx_records.h"

#include "base/domain_name.h"

static const struct dns_mx *
best(const struct dns_mx *mx, size_t n, const bool *taken)
{
	const struct dns_mx *out = NULL;

	for (size_t i = 0; i < n; i++)
		if (!taken[i] &&
		    (out == NULL || mx[i].preference < out->preference))
			out = &mx[i];
	return out;
}

static bool
known(const struct sts_mx_set *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++)
		if (strcmp(set->host[i].name, name) == 0)
			return true;
	return false;
}

enum { RECORDS_MAX = 256 }; /* looked at; who has more is playing */

bool
mx_records_hosts(struct sts_mx_set *set, const struct dns_mx *mx, size_t n)
{
	bool taken[RECORDS_MAX] = { false }, null = n > 0;
	const struct dns_mx *next;

	set->kind = STS_MX_HOSTS;
	set->n = 0;
	if (n > RECORDS_MAX)
		n = RECORDS_MAX;
	/* RFC 7505 3: alone it says "no mail"; beside others it is a slip. */
	for (size_t i = 0; i < n; i++)
		null = null && mx[i].name[0] == '\0';
	if (null) {
		set->kind = STS_MX_NULL;
		return false;
	}
	while (
	    set->n < STS_MX_HOSTS_MAX && (next = best(mx, n, taken)) != NULL) {
		taken[next - mx] = true;
		/* An address is no host name (RFC 5321 5.1, RFC 1035 3.3.9). */
		if (!sts_host_is_normal(str_of(next->name)) ||
		    known(set, next->name))
			continue;
		set->host[set->n] =
		    (struct sts_mx_host){ .preference = next->preference };
		memcpy(set->host[set->n++].name, next->name,
		    strlen(next->name) + 1);
	}
	if (set->n == 0) /* RFC 5321 5.1: none can be used: an error */
		set->kind = STS_MX_NOTHING;
	return set->n > 0;
}

/* The i-th address of one family; NULL: there are fewer. */
static const struct sts_addr *
nth(const struct sts_addr *addr, size_t n, bool v6, size_t i)
{
	for (size_t k = 0; k < n; k++)
		if (addr[k].v6 == v6 && i-- == 0)
			return &addr[k];
	return NULL;
}

void
mx_records_addrs(struct sts_mx_host *host, const struct sts_addr *addr,
    size_t n)
{
	const struct sts_addr *a;

	host->naddr = 0;
	for (size_t i = 0; i < n && host->naddr < STS_MX_ADDRS_MAX; i++)
		for (int v6 = 0; v6 < 2; v6++)
			if (host->naddr < STS_MX_ADDRS_MAX &&
			    (a = nth(addr, n, v6 == 1, i)) != NULL)
				host->addr[host->naddr++] = *a;
}

uint32_t
mx_records_ttl(uint32_t ttl)
{
	if (ttl < STS_MX_TTL_MIN)
		return STS_MX_TTL_MIN;
	return ttl > STS_MX_TTL_MAX ? STS_MX_TTL_MAX : ttl;
}

void
mx_records_candidates(const struct sts_mx_set *set,
    const struct sts_policy *policy, bool may[STS_MX_HOSTS_MAX])
{
	unsigned own = UINT16_MAX + 1;

	for (size_t i = 0; i < set->n; i++)
		if (set->host[i].self && set->host[i].preference < own)
			own = set->host[i].preference;
	for (size_t i = 0; i < STS_MX_HOSTS_MAX; i++) {
		const struct sts_mx_host *h = &set->host[i];

		may[i] = i < set->n && h->preference < own;
		if (may[i] && policy != NULL)
			may[i] = sts_policy_permits(policy, h->name);
	}
}

bool
mx_records_settled(const struct sts_mx_set *set,
    const enum mx_state state[STS_MX_HOSTS_MAX])
{
	unsigned open = UINT16_MAX + 1; /* best preference still open */

	for (size_t i = 0; i < set->n; i++)
		if (state[i] == MX_UP && set->host[i].preference <= open)
			return true;
		else if ((state[i] == MX_DUE || state[i] == MX_PENDING) &&
		    set->host[i].preference < open)
			open = set->host[i].preference;
	return open > UINT16_MAX;
}
