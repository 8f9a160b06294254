/* SPDX-License-Identifier: ISC */
#include "must.h"
#include "outbox.h"
#include <mtasts/session.h>

/* What is read is written so that the same is read again. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct report_state p, q;
	static char text[REPORT_STATE_TEXT_MAX];
	size_t n;

	memset(&p, 0xa5, sizeof p);
	if (!report_state_read(&p, (struct sts_str){ (const char *)data, len }))
		return 0;
	MUST(p.n <= STS_RUA_MAX);
	MUST(str_all(str_of(p.unique), is_alnum));
	n = report_state_write(text, &p);
	MUST(n < sizeof text);
	MUST(report_state_read(&q, (struct sts_str){ text, n }));
	MUST(q.n == p.n && strcmp(q.unique, p.unique) == 0);
	for (size_t i = 0; i < p.n; i++) {
		MUST(strcmp(p.dest[i].uri, q.dest[i].uri) == 0);
		MUST(p.dest[i].uri[0] != '\0' && p.dest[i].state < DEST_STATES);
		MUST(p.dest[i].state == q.dest[i].state &&
		    p.dest[i].tries == q.dest[i].tries &&
		    p.dest[i].first == q.dest[i].first &&
		    p.dest[i].next == q.dest[i].next);
		MUST(p.dest[i].first >= 0 && p.dest[i].next >= 0);
	}
	return 0;
}
