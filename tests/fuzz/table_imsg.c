/* SPDX-License-Identifier: ISC */
#include "table_imsg.h"

#include "must.h"

/* Each message that is whole gets one answer, whose length is as it says. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const texts[] = { "smtp+tls://mx.example", "" };
	struct sts_str s = { (const char *)data, len };
	struct table_answer a = { .found = TABLE_FOUND };
	struct table_request r;
	char out[IMSG_ANSWER_MAX];
	uint32_t type, peerid;
	uint16_t told;
	size_t n, took;
	int found;

	for (; (took = table_imsg_parse(&r, s)) > 0;
	     s.p += took, s.len -= took) {
		MUST(took <= s.len);
		MUST(r.op >= TABLE_CHECK && r.op <= TABLE_BAD);
		MUST(r.key.p == NULL ||
		    (r.key.p > s.p && r.key.p + r.key.len < s.p + took &&
			r.key.p[r.key.len] == '\0' && r.key.len <= KEY_MAX &&
			memchr(r.key.p, '\0', r.key.len) == NULL));
		MUST(r.key.p == NULL || !r.broken);
		memcpy(&peerid, s.p + 8, sizeof peerid);
		MUST(r.peerid == peerid);
		snprintf(a.text, sizeof a.text, "%s", texts[took % 2]);
		n = table_imsg_answer(out, &r, &a);
		memcpy(&type, out, sizeof type);
		memcpy(&told, out + 4, sizeof told);
		MUST(n >= IMSG_HEAD && n <= sizeof out && told == n);
		MUST(type == (r.op == TABLE_BAD));
		MUST(memcmp(out + 8, &peerid, sizeof peerid) == 0);
		if (r.op != TABLE_LOOKUP)
			continue;
		memcpy(&found, out + IMSG_HEAD, sizeof found);
		MUST((found == 1) == (n > IMSG_HEAD + sizeof found + 1));
	}
	MUST(s.len < IMSG_MAX);
	return 0;
}
