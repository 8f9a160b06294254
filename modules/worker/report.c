/* SPDX-License-Identifier: ISC */
#include "report.h"

#include <time.h>

#include "spool.h"

static enum sts_session_result
result_of(enum sts_reason why)
{
	switch (why) {
	case STS_WHY_FETCH_ERROR:
		return STS_STS_POLICY_FETCH_ERROR;
	case STS_WHY_WEBPKI:
		return STS_STS_WEBPKI_INVALID;
	case STS_WHY_BAD_POLICY:
		return STS_STS_POLICY_INVALID;
	case STS_WHY_NOTHING:
	case STS_WHY_NO_RECORD:
	case STS_WHY_BAD_RECORD:
	case STS_WHY_DNS_TIMEOUT:
	case STS_WHY_DNS_FAILURE:
		break; /* nobody tried to get a policy */
	}
	return STS_SESSION_OK;
}

/* What stays in force; NONE: nothing does. */
static enum sts_mode
mode_of(const struct sts_entry *e)
{
	struct sts_policy *policy;
	enum sts_mode mode = STS_MODE_NONE;

	if (sts_policy_parse(&policy, e->body.p, e->body.len, NULL, NULL,
		NULL) == STS_OK)
		mode = sts_policy_mode(policy);
	sts_policy_free(policy);
	return mode;
}

void
report_fetch(const struct job *job)
{
	const struct sts_facts *f = &job->facts;
	const struct sts_entry *c = f->cached;
	bool live = c->kind == STS_ENTRY_POLICY && f->now < c->until;
	struct sts_session s = {
		.time = time(NULL),
		.domain = str_of(job->domain),
		.type = STS_TYPE_STS,
		.mode = live ? mode_of(c) : STS_MODE_NONE,
		.id = str_of(live ? c->id : ""),
		.result = result_of(f->got_why),
		.reason = str_of(job->note),
	};

	/* Little time is our fault, and what is cached may say "none". */
	if (job->engine->spool == NULL || f->got != STS_GOT_NOTHING ||
	    s.result == STS_SESSION_OK ||
	    (job->hurried && f->got_why == STS_WHY_FETCH_ERROR) ||
	    (live && s.mode == STS_MODE_NONE))
		return;
	(void)sts_spool_add(job->engine->spool, &s, s.time, NULL);
}
