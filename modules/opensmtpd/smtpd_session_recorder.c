/* SPDX-License-Identifier: ISC */
/*
 * From what smtpd tells of a session to a line in the spool.  The domain is
 * that of a recipient or, where TLS failed before there was one, each that
 * waited for the session; the host's name is that of the MX set, or the one
 * that the table gave.  What smtpd does not tell of certificates, the worker
 * finds out.  Nothing here is ever a reason to hold mail up.
 */
#include "smtpd_session_recorder.h"

#include <string.h>

#include "keyed_hash.h"
#include <mtasts/cache_admin.h>
#include <mtasts/mx.h>
#include <mtasts/session.h>

/* Domains of one failed session; more are not counted. */
enum { WAITERS_MAX = 256 };

/* One session on its way to the spool. */
struct work {
	struct record *record;
	struct sts_ctx *ctx;
	struct rcpt_prefetch *prefetch;
	const struct session_count *count;
	unsigned n; /* domains that waited for it */
	uint64_t done[WAITERS_MAX];
};

static const char *
or_null(const char *s)
{
	return s[0] == '\0' ? NULL : s;
}

/* --- The host ------------------------------------------------------------ */

struct search {
	const char *address;
	const struct sts_policy *policy;
	char host[STS_NAME_SIZE];
};

/* NULL: no policy is known, and nothing forbidden. */
static bool
permits(const struct sts_policy *policy, const char *host)
{
	return policy == NULL || sts_policy_permits(policy, host);
}

/* Where hosts share the address, one that the policy permits. */
static bool
is_host(void *arg, const struct sts_mx_row *row)
{
	struct search *s = arg;

	for (size_t i = 0; row->host != NULL && i < row->naddr; i++) {
		if (strcmp(row->addr[i].text, s->address) != 0)
			continue;
		if (s->host[0] == '\0' || permits(s->policy, row->host))
			memcpy(s->host, row->host, strlen(row->host) + 1);
		return !permits(s->policy, row->host);
	}
	return true;
}

/* --- One domain ---------------------------------------------------------- */

static void
complain_of(struct record *r, enum sts_rc rc, const struct sts_err *err)
{
	if (rc != STS_OK && rc != STS_ABSENT && rc != STS_INVALID)
		complain(&r->said, err->text);
}

/* Without a worker a failure is still a failure, and a verified success one;
 * of any other it is not known. */
static enum sts_rc
have_probed(const struct work *w, bool verified,
    struct sts_session_report *seen, struct sts_err *err)
{
	struct sts_kept_worker *kept =
	    rcpt_prefetch_worker(w->prefetch, w->ctx);
	enum sts_rc rc = STS_OK;

	if (verified)
		seen->reason = STS_REASON_VERIFIED;
	if (kept != NULL &&
	    (rc = sts_kept_worker_judge(kept, w->ctx, seen, err)) == STS_OK)
		return STS_OK;
	if (seen->result == STS_SESSION_OK && !verified)
		return rc;
	if (verified)
		seen->reason = NULL;
	return sts_record_session(w->ctx, seen, err);
}

static enum sts_rc
follow(const struct work *w, enum record_plan plan,
    struct sts_session_report *seen, struct sts_err *err)
{
	switch (plan) {
	case RECORD_NOT:
		return STS_OK;
	case RECORD_PROBED:
	case RECORD_VERIFIED:
		return have_probed(w, plan == RECORD_VERIFIED, seen, err);
	case RECORD_MISMATCH:
		seen->result = STS_VALIDATION_FAILURE;
		seen->reason = FORBIDDEN_REASON;
		break;
	case RECORD_AS_IT_IS:
		break;
	}
	return sts_record_session(w->ctx, seen, err);
}

/* host NULL: to be looked up. */
static void
record_domain(const struct work *w, const char *domain, const char *host)
{
	const struct session *s = w->count->session;
	struct search search = { .address = s->address };
	struct sts_err err = { 0 };
	struct sts_answer *a;
	struct record_facts f = { .verifies = w->record->verifies,
		.result = w->count->result };
	struct sts_session_report seen = { .domain = domain,
		.result = w->count->result,
		.sending_ip = or_null(s->from),
		.mx_helo = or_null(s->helo),
		.receiving_ip = s->address,
		.reason = w->count->reason };
	enum sts_rc rc = sts_query(w->ctx, domain, STS_OFFLINE, &a, &err);

	if (rc != STS_OK) {
		complain_of(w->record, rc, &err);
		return;
	}
	search.policy = a->policy;
	if (host == NULL) {
		(void)sts_mx_walk(w->ctx, domain, is_host, &search, &err);
		host = or_null(search.host);
	}
	seen.mx_host = host;
	f.mode = a->verdict == STS_POLICY ? a->mode : STS_MODE_NONE;
	f.host = host != NULL;
	f.permitted = f.host && permits(a->policy, host);
	complain_of(w->record, follow(w, record_plan(&f), &seen, &err), &err);
	sts_answer_free(a);
}

/* --- Those who waited ---------------------------------------------------- */

static bool
waited(void *arg, int64_t when, const char *domain, const char *host)
{
	struct work *w = arg;
	uint64_t h = hash_name(HASH_PLAIN, domain);

	if (!session_owner_waits(&w->record->owners, domain, when,
		w->count->session->began))
		return true;
	for (unsigned i = 0; i < w->n; i++)
		if (w->done[i] == h)
			return true;
	w->done[w->n++] = h;
	record_domain(w, domain, host);
	session_owner_ended(&w->record->owners, domain, wall_ms());
	return w->n < WAITERS_MAX;
}

static void
record_waiters(struct work *w)
{
	const struct session *s = w->count->session;
	struct sts_err err;

	/* The table chooses the hosts of actions that verify, of no others. */
	if (w->record->verifies)
		(void)sts_mx_offers(w->ctx, s->address,
		    s->began - SESSION_OWNER_SPAN, waited, w, &err);
}

void
record_session(struct record *r, struct sts_ctx *ctx, struct rcpt_prefetch *p,
    const struct session_count *c)
{
	struct work w = { .record = r, .ctx = ctx, .prefetch = p, .count = c };
	char domain[STS_NAME_SIZE];

	if (!sts_records(ctx))
		return;
	if (c->domain[0] == '\0') {
		record_waiters(&w);
		return;
	}
	if (sts_domain_normal(domain, c->domain, NULL) != STS_OK)
		return;
	record_domain(&w, domain, NULL);
	session_owner_ended(&r->owners, domain, wall_ms());
}
