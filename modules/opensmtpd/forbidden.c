/* SPDX-License-Identifier: ISC */
#include "forbidden.h"

#include <string.h>

#include "config.h"
#include "hash.h"
#include "permits.h"

static bool
just_done(struct forbidden *f, const char *domain)
{
	uint64_t h = hash_name(HASH_PLAIN, domain);
	int64_t now = now_ms();
	size_t i = h % FORBIDDEN_MEMO;

	if (f->memo[i].hash == h && f->memo[i].when != 0 &&
	    now - f->memo[i].when < FORBIDDEN_GAP)
		return true;
	f->memo[i].hash = h;
	f->memo[i].when = now;
	return false;
}

struct search {
	const struct sts_policy *policy;
	char host[STS_NAME_SIZE]; /* the best one that is forbidden */
	bool any;                 /* one is permitted: it was not the policy */
};

static bool
is_forbidden(void *arg, const struct sts_mx_row *row)
{
	struct search *s = arg;

	if (row->host == NULL)
		return true;
	s->any = policy_permits(s->policy, row->host);
	if (s->host[0] == '\0')
		memcpy(s->host, row->host, strlen(row->host) + 1);
	return !s->any;
}

void
forbidden_record(struct forbidden *f, struct sts_ctx *ctx, const char *name)
{
	char domain[STS_NAME_SIZE];
	struct search s = { .policy = NULL };
	struct sts_answer *a;
	struct sts_err err;
	struct sts_seen seen = { .domain = domain,
		.result = STS_VALIDATION_FAILURE,
		.mx_host = s.host,
		.reason = FORBIDDEN_REASON };

	if (!sts_records(ctx) ||
	    sts_domain_normal(domain, name, &err) != STS_OK ||
	    sts_query(ctx, domain, STS_OFFLINE, &a, &err) != STS_OK)
		return;
	s.policy = a->policy;
	if (a->policy != NULL &&
	    sts_mx_walk(ctx, domain, is_forbidden, &s, &err) == STS_OK &&
	    s.host[0] != '\0' && !s.any && !just_done(f, domain))
		(void)sts_record_session(ctx, &seen, &err);
	sts_answer_free(a);
}
