/* SPDX-License-Identifier: ISC */
/*
 *   domain      found: an enforce policy is in force; smtpd takes the action
 *               with forced TLS.  In doubt an error, and the client is told
 *               to come again: "not found" would be delivery without TLS.
 *   relayhost   one MX host as smtpd's relay URL, or an error: mail waits.
 *
 * The table of domains whose mail waits is in no doubt:
 *
 *   domain      found: it is not known yet which action is the right one.
 *   mailaddr    the same as an error, for a rule that lets nothing pass then.
 *
 * No look is begun for "domain", which smtpd asks for before it knows whether
 * a stranger may send at all.
 */
#include "table_answer.h"

#include <stdio.h>
#include <string.h>

#include "domain_state.h"
#include "filter_line.h"
#include "host_config.h"
#include "keyed_hash.h"
#include "session_rules.h"
#include <mtasts/cache_admin.h>
#include <mtasts/mx.h>
#include <mtasts/session.h>

/* --- No MX host is permitted ---------------------------------------------- */

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
	s->any = sts_policy_permits(s->policy, row->host);
	if (s->host[0] == '\0')
		memcpy(s->host, row->host, strlen(row->host) + 1);
	return !s->any;
}

/* sts_mx_next() had no host: record it if the policy is why. */
static void
forbidden_record(struct forbidden *f, struct sts_ctx *ctx, const char *name)
{
	char domain[STS_NAME_SIZE];
	struct search s = { .policy = NULL };
	struct sts_answer *a;
	struct sts_err err;
	struct sts_session_report seen = { .domain = domain,
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

/* --- Answers -------------------------------------------------------------- */

static void
fault(struct table_answer *a, const char *text)
{
	a->found = TABLE_ERROR;
	snprintf(a->text, sizeof a->text, "mta-sts: %s",
	    text[0] == '\0' ? "unknown fault" : text);
}

static void
local_fault(struct table_answer *a, const struct sts_err *err)
{
	a->local = true;
	fault(a, err->text);
}

static void
answer_domain(struct table_answer *a, struct sts_ctx *ctx, const char *domain)
{
	struct sts_err err = { 0 };
	bool enforced;
	enum sts_rc rc = domain_policy(ctx, domain, &enforced, &err);

	if (rc == STS_TEMPFAIL)
		fault(a, err.text);
	else if (rc != STS_OK)
		local_fault(a, &err);
	else if (enforced) {
		a->found = TABLE_FOUND;
		snprintf(a->text, sizeof a->text, "%s", domain);
	} else
		a->found = TABLE_NOT_FOUND;
}

/* What is no name, or one that nothing can be asked about, never waits. */
static void
answer_waiting(struct table_answer *a, const struct table_request *r,
    struct config *c, struct sts_ctx *ctx, const char *domain)
{
	char normal[STS_NAME_SIZE];
	struct sts_err err = c->err;
	enum sts_rc rc = STS_LOCAL;

	if (sts_domain_normal(normal, domain, NULL) != STS_OK ||
	    (ctx != NULL && (rc = domain_ready(ctx, domain, &err)) == STS_OK)) {
		a->found = TABLE_NOT_FOUND;
		return;
	}
	if (rc == STS_TEMPFAIL)
		fault(a, err.text);
	else
		local_fault(a, &err);
	if (r->service == TABLE_DOMAIN)
		a->found = TABLE_FOUND;
}

static void
answer_relayhost(struct table_answer *a, struct sts_ctx *ctx,
    struct forbidden *f, const char *domain)
{
	char host[STS_NAME_SIZE];
	struct sts_err err = { 0 };
	enum sts_rc rc = sts_mx_next(ctx, domain, host, &err);

	if (rc == STS_OK) {
		a->found = TABLE_FOUND;
		snprintf(a->text, sizeof a->text, "smtp+tls://%s", host);
		return;
	}
	if (rc == STS_INVALID)
		forbidden_record(f, ctx, domain);
	a->local = rc == STS_LOCAL || rc == STS_NOMEM;
	fault(a, err.text);
}

/* A name with a NUL or of such a length is none that has a policy. */
static bool
take_name(char name[STS_NAME_SIZE + 16], const struct table_request *r)
{
	struct sts_str key = r->key;

	if (r->service == TABLE_MAILADDR)
		return filter_domain(name, key);
	if (key.len == 0 || key.len >= STS_NAME_SIZE + 16 ||
	    memchr(key.p, '\0', key.len) != NULL)
		return false;
	memcpy(name, key.p, key.len);
	name[key.len] = '\0';
	return true;
}

static void
answer_name(struct table_answer *a, const struct table_request *r,
    struct config *c, struct sts_ctx *ctx, struct forbidden *f, bool waits)
{
	enum table_service other = waits ? TABLE_MAILADDR : TABLE_RELAYHOST;
	char name[STS_NAME_SIZE + 16];

	if (r->broken) {
		fault(a, "a request that cannot be read");
		return;
	}
	if (r->service != TABLE_DOMAIN && r->service != other) {
		fault(a,
		    waits ? "serves domain and mailaddr alone"
			  : "serves domain and relayhost alone");
		return;
	}
	if (!take_name(name, r)) {
		if (r->service == TABLE_RELAYHOST)
			fault(a, "not a domain name");
		else
			a->found = TABLE_NOT_FOUND;
		return;
	}
	if (waits)
		answer_waiting(a, r, c, ctx, name);
	else if (ctx == NULL)
		local_fault(a, &c->err);
	else if (r->service == TABLE_RELAYHOST)
		answer_relayhost(a, ctx, f, name);
	else
		answer_domain(a, ctx, name);
}

bool
table_waits(struct sts_str name)
{
	static const char end[] = "-wait";
	size_t len = sizeof end - 1;

	return name.len >= len &&
	    memcmp(name.p + name.len - len, end, len) == 0;
}

void
answer(struct table_answer *a, const struct table_request *r, struct config *c,
    struct forbidden *f, bool waits)
{
	struct sts_ctx *ctx;

	*a = (struct table_answer){ .found = TABLE_ERROR };
	ctx = config_get(c, r->op == TABLE_UPDATE ? CONFIG_AGAIN : CONFIG_SOON);
	if (r->op == TABLE_CHECK || r->op == TABLE_LOOKUP)
		answer_name(a, r, c, ctx, f, waits);
	else if (ctx == NULL)
		local_fault(a, &c->err);
	else if (r->op == TABLE_UPDATE)
		a->found = TABLE_FOUND;
	else /* Nothing to fetch: names come with the mail. */
		a->found = TABLE_NOT_FOUND;
}
