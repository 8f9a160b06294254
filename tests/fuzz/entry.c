/* SPDX-License-Identifier: ISC */
#include <inttypes.h>

#include "base/hash.h"
#include "must.h"
#include "rules/entry.h"

#define DOMAIN "example.com"

/* What was taken makes sense and can be written and read again. */
static void
check(struct sts_str in, bool is_link)
{
	static char buf[STS_ENTRY_MAX];
	struct sts_entry e, again;
	bool link;
	size_t len;

	if (!sts_entry_decode(&e, in, is_link, DOMAIN)) {
		MUST(e.kind == STS_ENTRY_ABSENT && e.body.len == 0);
		return;
	}
	MUST(!is_link || (e.kind != STS_ENTRY_POLICY && e.note[0] == '\0'));
	MUST(memchr(e.note, '\0', sizeof e.note) != NULL);
	MUST(e.note[0] == '\0' || str_all(str_of(e.note), is_print));
	MUST(e.kind != STS_ENTRY_ABSENT && e.why <= STS_WHY_LAST);
	MUST(e.fetched >= 0 && e.checked >= 0 && e.until >= 0 && e.tried >= 0);
	MUST(e.kind != STS_ENTRY_POLICY ||
	    e.until - e.fetched <= STS_MAX_AGE_MAX);
	MUST(e.kind == STS_ENTRY_POLICY || e.body.len == 0);
	MUST(memchr(e.id, '\0', sizeof e.id) != NULL);
	MUST(e.body.len <= STS_BODY_MAX);
	MUST(e.body.len == 0 ||
	    (e.body.p >= in.p && e.body.p + e.body.len == in.p + in.len));
	MUST(!sts_entry_decode(&again, in, is_link, "example.org"));

	len = sts_entry_encode(buf, &e, DOMAIN, &link);
	MUST(len > 0 && link == is_link);
	MUST(sts_entry_decode(&again, (struct sts_str){ buf, len }, link,
	    DOMAIN));
	MUST(again.kind == e.kind && again.why == e.why);
	MUST(strcmp(again.id, e.id) == 0 && again.until == e.until);
	MUST(again.since == e.since || e.since == 0);
	MUST(again.fetched == e.fetched && again.checked == e.checked);
	MUST(again.tried == e.tried && again.retry == e.retry);
	MUST(again.failed == e.failed && again.failed_id == e.failed_id);
	MUST(again.body.len == e.body.len && strcmp(again.note, e.note) == 0);
}

/*
 * First byte: 'f' or 'l' as file or link as it stands; 'F' or 'L' with a
 * right sum put around it, to get behind that.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char buf[STS_ENTRY_MAX + 100];
	struct sts_str in = { (const char *)data + 1, len - 1 };
	uint32_t sum;
	size_t n = 0;

	if (len == 0 || len > STS_ENTRY_MAX)
		return 0;
	sum = sts_hash_fold(sts_hash_more(sts_hash(str_of(DOMAIN)), in));
	if (data[0] == 'F')
		n = (size_t)snprintf(buf, sizeof buf,
		    "mtasts2 %zu %08" PRIx32 "\n", in.len, sum);
	memcpy(buf + n, in.p, in.len);
	n += in.len;
	if (data[0] == 'L')
		n += (size_t)snprintf(buf + n, sizeof buf - n, "%08" PRIx32,
		    sum);
	if (data[0] == 'F' || data[0] == 'L')
		in = (struct sts_str){ buf, n };
	check(in, data[0] == 'l' || data[0] == 'L');
	return 0;
}
