/* SPDX-License-Identifier: ISC */
#include "must.h"
#include "query/worker_protocol.h"

/* The first byte chooses the size of the pieces in which the rest arrives. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct sts_worker_lines t;
	char domain[STS_NAME_SIZE], again[STS_NAME_SIZE];
	size_t room, n;
	char *p;

	if (len == 0)
		return 0;
	memset(&t, 0, sizeof t);
	for (size_t at = 1; at < len; at += n) {
		p = sts_worker_lines_room(&t, &room);
		n = len - at < data[0] + 1u ? len - at : data[0] + 1u;
		n = n < room ? n : room;
		MUST(n > 0);
		memcpy(p, data + at, n);
		sts_worker_lines_add(&t, n);
		while (sts_worker_lines_next(&t, domain)) {
			MUST(sts_domain_normal(again, domain, NULL) == STS_OK);
			MUST(strcmp(domain, again) == 0);
			MUST(memmem(data, len, domain, strlen(domain)) != NULL);
		}
		MUST(t.taken <= t.used && t.used <= sizeof t.buf);
	}
	MUST(t.why[0] == '\0' || str_all(str_of(t.why), is_print));
	MUST(t.fault[0] == '\0' || str_all(str_of(t.fault), is_print));
	return 0;
}
