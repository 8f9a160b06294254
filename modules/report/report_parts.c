/* SPDX-License-Identifier: ISC */
#include "report_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum {
	POLICIES = STS_TOTALS_POLICIES_MAX + STS_TYPES,
	ROWS = STS_TOTALS_ROWS_MAX + STS_CERTIFICATE_REFUSED,
	TEXT = STS_SESSION_TEXT_MAX + 1
};

/* Strings of a row, which JSON wants terminated. */
struct row_text {
	char sending_ip[TEXT], mx_host[TEXT], mx_helo[TEXT], receiving_ip[TEXT],
	    reason[TEXT];
};

struct report_parts {
	struct report report;
	struct report_policy policy[POLICIES];
	struct report_row row[POLICIES][ROWS];
	struct row_text text[POLICIES][ROWS];
	struct sts_loaded loaded[POLICIES]; /* their texts, from the cache */
};

struct report_parts *
report_parts_new(void)
{
	return calloc(1, sizeof(struct report_parts));
}

void
report_parts_free(struct report_parts *parts)
{
	for (size_t i = 0; parts != NULL && i < POLICIES; i++)
		sts_loaded_clear(&parts->loaded[i]);
	free(parts);
}

static void
fill_row(struct report_row *out, struct row_text *t, struct program *p,
    int64_t day, const struct sts_totals_row *row)
{
	const struct sts_session sample = {
		.time = row->time,
		.result = row->result,
		.mx_host = row->mx_host,
		.cert = row->cert,
	};
	char why[CERT_WHY];
	enum sts_session_result result = cert_result(p, day, &sample, why);

	out->result_type = sts_session_result_name(result);
	out->sending_ip = sts_escape(t->sending_ip, TEXT, row->sending_ip);
	out->mx_host = sts_escape(t->mx_host, TEXT, row->mx_host);
	out->mx_helo = sts_escape(t->mx_helo, TEXT, row->mx_helo);
	out->receiving_ip =
	    sts_escape(t->receiving_ip, TEXT, row->receiving_ip);
	out->reason = sts_escape(t->reason, TEXT, row->reason);
	if (row->other)
		out->reason = "various";
	else if (why[0] != '\0') {
		snprintf(t->reason, sizeof t->reason, "%s", why);
		out->reason = t->reason;
	}
	out->count = row->count;
}

/*
 * RFC 8460 4.4 policy-string: the policy that the sessions were under.  Where
 * the cache has it no more, none is better than the wrong one.
 */
static struct sts_str
policy_text(struct sts_loaded *loaded, struct program *p, const char *domain,
    const struct sts_totals_policy *policy)
{
	if (policy->type != STS_TYPE_STS || policy->other ||
	    sts_store_get_replaced(p->cache, domain, policy->id, loaded,
		NULL) != STS_OK ||
	    loaded->entry.kind != STS_ENTRY_POLICY)
		return (struct sts_str){ "", 0 };
	return loaded->entry.body;
}

static void
fill_policy(struct report_parts *parts, struct program *p, const char *domain,
    int64_t day, const struct sts_totals_policy *policy)
{
	size_t i = parts->report.n, n = 0;

	if (i == POLICIES)
		return;
	for (const struct sts_totals_row *r = policy->row;
	     r != NULL && n < ROWS; r = r->next, n++)
		fill_row(&parts->row[i][n], &parts->text[i][n], p, day, r);
	parts->policy[i] = (struct report_policy){
		.type = sts_policy_type_name(policy->type),
		.text = policy_text(&parts->loaded[i], p, domain, policy),
		.success = policy->success,
		.failure = policy->failure,
		.row = parts->row[i],
		.n = n,
	};
	parts->report.n++;
}

const struct report *
report_parts_fill(struct report_parts *parts, struct program *p,
    const char *domain, int64_t day, const struct sts_totals *t)
{
	const struct sts_totals_policy *policy;
	uint64_t failures = 0;

	for (policy = t->policy; policy != NULL; policy = policy->next)
		failures += policy->failure;
	if (failures == 0 && !p->conf->report.success)
		return NULL;
	report_begin(&parts->report, &p->conf->report, p->submitter, p->host,
	    domain, day);
	parts->report.policy = parts->policy;
	parts->report.n = 0;
	for (policy = t->policy; policy != NULL; policy = policy->next)
		fill_policy(parts, p, domain, day, policy);
	return &parts->report;
}
