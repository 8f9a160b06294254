/* SPDX-License-Identifier: ISC */
#include "rules/mx_offers.h"
#include "must.h"

/* What comes out of a file of anybody's is two names and a time. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct scan s = scan_bytes(data, len);
	char name[STS_NAME_SIZE];
	struct sts_mx_offer h;

	while (sts_mx_offer_next(&s, "192.0.2.1", &h)) {
		MUST(h.when >= 0);
		MUST(sts_domain_normal(name, h.domain, NULL) == STS_OK);
		MUST(strcmp(name, h.domain) == 0);
		MUST(sts_domain_normal(name, h.host, NULL) == STS_OK);
		MUST(strcmp(name, h.host) == 0);
	}
	return 0;
}
