/* SPDX-License-Identifier: ISC */
#include <inttypes.h>

#include "base/domain_name.h"
#include "base/hash.h"
#include "must.h"
#include "rules/mx_set.h"

#define DOMAIN "example.com"
#define NOW ((int64_t)1800000000)

/* What was taken makes sense, and the same comes back of what is written. */
static void
check(struct sts_str in)
{
	static char buf[STS_MX_BYTES_MAX];
	static struct sts_mx_set m, again;
	static struct sts_mx_seen seen[STS_MX_HOSTS_MAX];
	bool known = sts_mx_decode(&m, in, DOMAIN);
	size_t len;
	int i;

	MUST(known == (m.kind != STS_MX_UNKNOWN));
	i = sts_mx_select(&m, seen, NOW, (uint32_t)in.len, NULL);
	MUST(i >= -1 && i < (int)m.n && (i == -1 || !m.host[i].self));
	if (!known) {
		MUST(m.n == 0 && i == -1 && sts_mx_stale(&m, NOW));
		return;
	}
	MUST(m.n <= STS_MX_HOSTS_MAX && m.asked >= 0 && m.until >= m.asked);
	MUST(m.until - m.asked <= STS_MX_TTL_MAX);
	for (size_t k = 0; k < m.n; k++) {
		MUST(sts_host_is_normal(str_of(m.host[k].name)));
		MUST(!sts_name_numeric(str_of(m.host[k].name)));
		MUST(strpbrk(m.host[k].name, "ABCXYZ/: \n") == NULL);
		MUST(m.host[k].naddr <= STS_MX_ADDRS_MAX);
		MUST(
		    k == 0 || m.host[k].preference >= m.host[k - 1].preference);
	}
	MUST(!sts_mx_decode(&again, in, "example.org"));
	len = sts_mx_encode(buf, &m, DOMAIN);
	MUST(len > 0 && len <= sizeof buf);
	MUST(sts_mx_decode(&again, (struct sts_str){ buf, len }, DOMAIN));
	MUST(again.kind == m.kind && again.n == m.n);
	MUST(again.asked == m.asked && again.until == m.until);
	for (size_t k = 0; k < m.n; k++) {
		MUST(strcmp(m.host[k].name, again.host[k].name) == 0);
		MUST(m.host[k].self == again.host[k].self);
		MUST(m.host[k].naddr == again.host[k].naddr);
		MUST(memcmp(m.host[k].addr, again.host[k].addr,
			 m.host[k].naddr * sizeof m.host[k].addr[0]) == 0);
	}
}

/* First byte 'm': as it stands; 'M': with a right first line before it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char buf[STS_MX_BYTES_MAX + 100];
	struct sts_str in = { (const char *)data + 1, len - 1 };
	size_t n;

	if (len == 0 || len > STS_MX_BYTES_MAX)
		return 0;
	if (data[0] == 'M') {
		n = (size_t)snprintf(buf, sizeof buf,
		    "mtasts-mx1 %zu %08" PRIx32 "\n", in.len,
		    sts_hash_fold(sts_hash_more(sts_hash(str_of(DOMAIN)), in)));
		memcpy(buf + n, in.p, in.len);
		in = (struct sts_str){ buf, n + in.len };
	}
	check(in);
	return 0;
}
