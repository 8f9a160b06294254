/* SPDX-License-Identifier: ISC */
#include "net/resolv_conf.h"
#include "must.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sts_server server[STS_SERVERS_MAX];
	struct sts_addr again;
	char text[STS_ADDR_TEXT];
	size_t n = sts_resolv_parse(server,
	    (struct sts_str){ (const char *)data, len });

	MUST(n > 0 && n <= STS_SERVERS_MAX);
	for (size_t i = 0; i < n; i++) {
		/* What was taken is an address, and its text leads back. */
		sts_addr_text(&server[i].addr, text);
		MUST(sts_addr_parse(&again, str_of(text)));
		MUST(memcmp(again.bytes, server[i].addr.bytes,
			 sizeof again.bytes) == 0);
		MUST(server[i].scope[sizeof server[i].scope - 1] == '\0');
		MUST(server[i].tls_name == NULL && server[i].port == 0);
	}
	return 0;
}
