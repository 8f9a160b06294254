/* SPDX-License-Identifier: ISC */
#include "tlsrpt/totals.h"
#include "must.h"
#include <mtasts/session.h>

struct seen {
	uint64_t sessions, domains, text;
};

static void
look_at(const struct sts_totals_policy *p, struct seen *seen)
{
	unsigned rows = 0, others = 0;
	uint64_t failures = 0;

	for (const struct sts_totals_row *r = p->row; r != NULL; r = r->next) {
		MUST(r->count > 0 && r->result != STS_SESSION_OK);
		MUST(!r->other || (r->mx_helo.len == 0 && r->cert.len == 0));
		failures += r->count;
		others += r->other;
		rows++;
		seen->text = seen->text * 31 + r->count + r->mx_helo.len +
		    (uint64_t)r->time;
	}
	MUST(rows - others <= STS_TOTALS_ROWS_MAX);
	MUST(others <= STS_CERTIFICATE_REFUSED);
	MUST(failures == p->failure && p->failure + p->success > 0);
	seen->sessions += p->failure + p->success;
	seen->text = seen->text * 31 + p->success + p->id.len;
}

static struct seen
run(struct sts_str day, size_t memory)
{
	static char line[STS_SESSION_LINE_MAX], last[STS_NAME_SIZE],
	    name[STS_NAME_SIZE];
	const struct sts_totals_domain *d;
	const struct sts_totals_policy *p;
	struct seen seen = { 0 };
	struct sts_totals *t;
	struct sts_str w;

	last[0] = '\0';
	MUST(sts_totals_new(&t, memory, memory, NULL) == STS_OK);
	do {
		struct scan s = scan_str(day);

		while (s.p < s.end) {
			if (!scan_word(&s, '\n', &w))
				w = scan_rest(&s);
			if (w.len > sizeof line)
				continue;
			memcpy(line, w.p, w.len);
			(void)sts_totals_line(t, line, w.len);
		}
		/* Each name once, in order, over all passes. */
		while ((d = sts_totals_next(t)) != NULL) {
			MUST(d->name.len < sizeof name && d->policy != NULL);
			memcpy(name, d->name.p, d->name.len);
			name[d->name.len] = '\0';
			MUST(strcmp(last, name) < 0);
			memcpy(last, name, sizeof last);
			seen.domains++;
			for (p = d->policy; p != NULL; p = p->next)
				look_at(p, &seen);
		}
	} while (sts_totals_again(t));
	/* Nothing is lost and nothing counted twice. */
	MUST(seen.sessions == sts_totals_sums(t).sessions);
	MUST(sts_totals_sums(t).passes <= seen.domains + 1);
	sts_totals_free(t);
	return seen;
}

/* First byte: how much memory there is, the rest a day. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct seen little, enough;
	struct sts_str day = { (const char *)data + 1, len - 1 };

	if (len == 0 || len > 100000)
		return 0;
	little = run(day, (size_t)data[0] * 64);
	enough = run(day, SIZE_MAX);
	MUST(little.domains == enough.domains && little.text == enough.text);
	return 0;
}
