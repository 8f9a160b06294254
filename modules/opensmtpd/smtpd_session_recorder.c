/* SPDX-License-Identifier: ISC */
/*
 * From what smtpd tells of a session to a line in the spool.  The domain is
 * that of a recipient or, where TLS failed before there was one, each that
 * waited for the session; the host's name is that of the MX set, or the one
 * that the table gave.  What smtpd does not tell of certificates, the worker
 * finds out.  Nothing here is ever a reason to hold mail up.
 *
 * A stranger may give his MX host the address of somebody else's, whose
 * certificate then has the wrong name.  That counts against his host alone.
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
	bool shared; /* it may have been with another host */
	unsigned n;  /* domains that waited for it */
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

/* Without a worker, failures and verified successes are recorded all the same;
 * of others it is not known how they went. */
static enum sts_rc
have_probed(const struct work *w, enum record_plan plan,
    struct sts_session_report *seen, struct sts_err *err)
{
	struct sts_kept_worker *kept =
	    rcpt_prefetch_worker(w->prefetch, w->ctx);
	enum sts_rc rc = STS_OK;

	if (plan == RECORD_VERIFIED)
		seen->reason = STS_REASON_VERIFIED;
	if (plan == RECORD_SHARED)
		seen->reason = STS_REASON_SHARED;
	if (kept != NULL &&
	    (rc = sts_kept_worker_judge(kept, w->ctx, seen, err)) == STS_OK)
		return STS_OK;
	if (plan == RECORD_SHARED ||
	    (plan == RECORD_PROBED && seen->result == STS_SESSION_OK))
		return rc;
	seen->reason = w->count->reason;
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
	case RECORD_SHARED:
		return have_probed(w, plan, seen, err);
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
		.shared = w->shared,
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
waited(void *arg, const struct sts_mx_offer *o)
{
	struct work *w = arg;
	uint64_t h = hash_name(HASH_PLAIN, o->domain);

	if (!session_owner_waits(&w->record->owners, o->domain, o->when,
		w->count->session->began))
		return true;
	for (unsigned i = 0; i < w->n; i++)
		if (w->done[i] == h)
			return true;
	w->done[w->n++] = h;
	record_domain(w, o->domain, o->host);
	return w->n < WAITERS_MAX;
}

/* The table chooses the hosts of actions that verify, of no others. */
static void
each_offer(const struct record *r, struct sts_ctx *ctx, const struct session *s,
    sts_mx_offer_fn *fn, void *arg)
{
	struct sts_err err;

	if (r->verifies)
		(void)sts_mx_offers(ctx, s->address,
		    s->began - SESSION_OWNER_SPAN, fn, arg, &err);
}

/* --- The host of a session without mail ----------------------------------- */

struct peer {
	const struct record *record;
	const struct session *session;
	char host[STS_NAME_SIZE]; /* that somebody waits for; "": none */
	bool several;
};

static bool
is_peer(void *arg, const struct sts_mx_offer *o)
{
	struct peer *p = arg;

	if (!session_owner_waits(&p->record->owners, o->domain, o->when,
		p->session->began))
		return true;
	if (p->host[0] == '\0')
		memcpy(p->host, o->host, sizeof p->host);
	p->several = strcmp(p->host, o->host) != 0;
	return !p->several;
}

static struct peer
peer_of(const struct record *r, struct sts_ctx *ctx, const struct session *s)
{
	struct peer p = { .record = r, .session = s };

	each_offer(r, ctx, s, is_peer, &p);
	return p;
}

/* --- What is learnt for the next choice ----------------------------------- */

struct lesson {
	struct record *record;
	struct sts_ctx *ctx;
	const struct session *session;
	bool failed;
};

static void
learn(const struct lesson *l, const char *host)
{
	struct sts_err err;
	enum sts_rc rc =
	    sts_mx_learnt(l->ctx, host, l->session->address, l->failed, &err);

	if (rc != STS_OK && rc != STS_USAGE)
		complain(&l->record->said, err.text);
}

static bool
has_answer(void *arg, const struct sts_mx_offer *o)
{
	struct lesson *l = arg;

	if (!session_owner_waits(&l->record->owners, o->domain, o->when,
		l->session->began))
		return true;
	if (l->failed)
		learn(l, o->host);
	session_owner_answered(&l->record->owners, o->domain,
	    l->session->began);
	return true;
}

/* In TLS the name matters: if it is not known whose it was, no host is blamed.
 */
void
record_failed(struct record *r, struct sts_ctx *ctx, const struct session *s)
{
	struct lesson l = { .record = r, .ctx = ctx, .session = s };

	l.failed = !session_tls_began(s) || !peer_of(r, ctx, s).several;
	each_offer(r, ctx, s, has_answer, &l);
}

void
record_reached(struct record *r, const char *name)
{
	char domain[STS_NAME_SIZE];

	if (sts_domain_normal(domain, name, NULL) == STS_OK)
		session_owner_answered(&r->owners, domain, wall_ms());
}

struct last {
	const char *domain;
	struct sts_mx_offer offer; /* when 0: none */
};

static bool
is_last(void *arg, const struct sts_mx_offer *o)
{
	struct last *l = arg;

	if (strcmp(o->domain, l->domain) == 0)
		l->offer = *o;
	return true;
}

/* What the table named last for the domain whose mail the session takes. */
static struct sts_mx_offer
last_offer(const struct record *r, struct sts_ctx *ctx, const struct session *s,
    const char *domain)
{
	struct last l = { .domain = domain };

	each_offer(r, ctx, s, is_last, &l);
	return l.offer;
}

enum offered
record_offered(const struct record *r, struct sts_ctx *ctx,
    const struct session *s, const char *name)
{
	char domain[STS_NAME_SIZE];
	struct sts_mx_offer o = { .when = 0 };

	if (sts_domain_normal(domain, name, NULL) == STS_OK)
		o = last_offer(r, ctx, s, domain);
	return o.when == 0 ? OFFERED_UNKNOWN
	    : o.policy     ? OFFERED_POLICY
			   : OFFERED_ANY;
}

/* The host that the table named last for the domain is the one that works. */
static void
learn_worked(struct record *r, struct sts_ctx *ctx, const struct session *s,
    const char *domain)
{
	struct lesson l = { .record = r, .ctx = ctx, .session = s };
	struct sts_mx_offer o = last_offer(r, ctx, s, domain);

	if (o.when != 0)
		learn(&l, o.host);
}

/* --- A session ------------------------------------------------------------ */

void
record_session(struct record *r, struct sts_ctx *ctx, struct rcpt_prefetch *p,
    const struct session_count *c)
{
	struct work w = { .record = r, .ctx = ctx, .prefetch = p, .count = c };
	char domain[STS_NAME_SIZE];

	if (c->domain[0] == '\0') {
		if (!sts_records(ctx))
			return;
		w.shared = peer_of(r, ctx, c->session).several;
		each_offer(r, ctx, c->session, waited, &w);
		return;
	}
	if (sts_domain_normal(domain, c->domain, NULL) != STS_OK)
		return;
	if (c->result == STS_SESSION_OK)
		learn_worked(r, ctx, c->session, domain);
	if (sts_records(ctx))
		record_domain(&w, domain, NULL);
}
