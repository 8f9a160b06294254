/* SPDX-License-Identifier: ISC */
#include "tlsrpt/totals.h"
#include "must.h"
#include <mtasts/session.h>

static uint64_t
sum_of(const struct sts_totals_policy *p)
{
	unsigned rows = 0, others = 0;
	uint64_t failures = 0;

	for (const struct sts_totals_row *r = p->row; r != NULL; r = r->next) {
		MUST(r->count > 0 && r->result != STS_SESSION_OK);
		MUST(!r->other || (r->mx_helo.len == 0 && r->cert.len == 0));
		failures += r->count;
		others += r->other;
		rows++;
	}
	MUST(rows - others <= STS_TOTALS_ROWS_MAX);
	MUST(others < STS_CERTIFICATE_REFUSED + 1);
	MUST(failures == p->failure && p->failure + p->success > 0);
	return p->failure + p->success;
}

/* Nothing is lost, whatever the sessions of a domain say. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char line[STS_SESSION_LINE_MAX];
	struct scan in = scan_bytes((const char *)data, len);
	struct sts_totals t = { 0 };
	unsigned policies = 0, others = 0;
	uint64_t sessions = 0, sum = 0;
	struct sts_session s;
	struct sts_str w;

	if (len > 100000)
		return 0;
	while (in.p < in.end) {
		if (!scan_word(&in, '\n', &w))
			w = scan_rest(&in);
		if (w.len > sizeof line)
			continue;
		memcpy(line, w.p, w.len);
		if (!sts_session_decode(&s, line, w.len))
			continue;
		MUST(sts_totals_add(&t, &s));
		sessions++;
	}
	for (struct sts_totals_policy *p = t.policy; p != NULL; p = p->next) {
		sum += sum_of(p);
		others += p->other;
		policies++;
	}
	MUST(sum == sessions);
	MUST(policies - others <= STS_TOTALS_POLICIES_MAX &&
	    others <= STS_TYPES);
	sts_totals_clear(&t);
	MUST(t.policy == NULL && t.npolicy == 0);
	return 0;
}
