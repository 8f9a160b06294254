/* SPDX-License-Identifier: ISC */
#include "must.h"
#include "outbox.h"

/* What is read is written so that the same is read again. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct parcel p, q;
	static char text[PARCEL_TEXT_MAX];
	size_t n;

	memset(&p, 0xa5, sizeof p);
	if (!parcel_read(&p, (struct sts_str){ (const char *)data, len }))
		return 0;
	MUST(p.n <= STS_RUA_MAX);
	MUST(str_all(str_of(p.unique), is_alnum));
	n = parcel_write(text, &p);
	MUST(n < sizeof text);
	MUST(parcel_read(&q, (struct sts_str){ text, n }));
	MUST(q.n == p.n && strcmp(q.unique, p.unique) == 0);
	for (size_t i = 0; i < p.n; i++) {
		MUST(strcmp(p.goal[i].uri, q.goal[i].uri) == 0);
		MUST(p.goal[i].uri[0] != '\0' &&
		    p.goal[i].state <= GOAL_GIVEN_UP);
		MUST(p.goal[i].state == q.goal[i].state &&
		    p.goal[i].tries == q.goal[i].tries &&
		    p.goal[i].first == q.goal[i].first &&
		    p.goal[i].next == q.goal[i].next);
		MUST(p.goal[i].first >= 0 && p.goal[i].next >= 0);
	}
	return 0;
}
