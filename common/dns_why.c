/* SPDX-License-Identifier: ISC */
/* Outcomes of a question as words. */
#include "dns.h"

const char *
dns_why_name(enum dns_why why)
{
	static const char *const names[] = {
		[DNS_WHY_OK] = "ok",
		[DNS_WHY_NXDOMAIN] = "nxdomain",
		[DNS_WHY_NODATA] = "nodata",
		[DNS_WHY_TIMEOUT] = "timeout",
		[DNS_WHY_SERVFAIL] = "servfail",
		[DNS_WHY_REFUSED] = "refused",
		[DNS_WHY_RCODE] = "rcode",
		[DNS_WHY_NETWORK] = "network",
		[DNS_WHY_BOGUS] = "bogus",
		[DNS_WHY_TRUNCATED] = "truncated",
		[DNS_WHY_MALFORMED] = "malformed",
		[DNS_WHY_NAME] = "name",
		[DNS_WHY_LOCAL] = "local",
	};

	return (size_t)why < ARRAY_LEN(names) ? names[why] : "?";
}
