/* SPDX-License-Identifier: ISC */
#include "resolv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sts_server server[STS_SERVERS_MAX];
	struct sts_addr again;
	char text[STS_ADDR_TEXT];
	size_t n = sts_resolv_parse(server,
	    (struct sts_str){ (const char *)data, len });

	if (n == 0 || n > STS_SERVERS_MAX)
		abort();
	for (size_t i = 0; i < n; i++) {
		/* What was taken is an address, and its text leads back. */
		sts_addr_text(&server[i].addr, text);
		if (!sts_addr_parse(&again, str_of(text)) ||
		    memcmp(&again.bytes, &server[i].addr.bytes,
			sizeof again.bytes) != 0)
			abort();
		if (server[i].scope[sizeof server[i].scope - 1] != '\0')
			abort();
	}
	return 0;
}
