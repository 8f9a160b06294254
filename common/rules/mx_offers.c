/* SPDX-License-Identifier: ISC */
#include "mx_offers.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/domain_name.h"

size_t
sts_mx_offer_line(char out[STS_MX_OFFER_LINE], int64_t when, bool policy,
    const char *domain, const struct sts_mx_host *h)
{
	char text[STS_ADDR_TEXT];
	int n = snprintf(out, STS_MX_OFFER_LINE, "%" PRId64 " %s %s %s", when,
	    policy ? "policy" : "any", domain, h->name);

	if (h->naddr == 0 || when < 0)
		return 0;
	for (size_t i = 0; i < h->naddr && i < STS_MX_ADDRS_MAX; i++)
		n += snprintf(out + n, STS_MX_OFFER_LINE - (size_t)n, "%c%s",
		    i == 0 ? ' ' : ',', sts_addr_text(&h->addr[i], text));
	out[n++] = '\n';
	return (size_t)n;
}

static bool
has_address(struct sts_str list, const char *address)
{
	struct scan s = scan_str(list);
	struct sts_str one;

	/* A line that a full disk has torn goes on with the next one. */
	if (list.len > 0 && memchr(list.p, ' ', list.len) != NULL)
		return false;
	while (scan_left(&s) > 0) {
		if (!scan_word(&s, ',', &one))
			one = scan_rest(&s);
		if (str_is(one, address))
			return true;
	}
	return false;
}

/* The address first: most lines are about others. */
static bool
parse_offer(struct sts_str line, const char *address, struct sts_mx_offer *out)
{
	struct scan s = scan_str(line);
	struct sts_str when, how, domain, host;
	uint64_t ms;

	if (!scan_word(&s, ' ', &when) || !scan_word(&s, ' ', &how) ||
	    !scan_word(&s, ' ', &domain) || !scan_word(&s, ' ', &host) ||
	    !has_address(scan_rest(&s), address) ||
	    !str_u64(when, INT64_MAX, &ms))
		return false;
	out->when = (int64_t)ms;
	out->policy = str_is(how, "policy");
	if (!out->policy && !str_is(how, "any"))
		return false;
	return sts_domain_is_normal(out->domain, domain) &&
	    sts_host_is_normal(host) && sts_host_normal(out->host, host);
}

bool
sts_mx_offer_next(struct scan *s, const char *address, struct sts_mx_offer *out)
{
	struct sts_str line;

	while (scan_word(s, '\n', &line))
		if (parse_offer(line, address, out))
			return true;
	return false;
}
