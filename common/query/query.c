/* SPDX-License-Identifier: ISC */
/*
 * The order of the steps: configuration, cache, decision, worker, answer.
 * What each outcome means is settled in rules/decide.c.
 */
#include "query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "cache/entry_files.h"
#include "cache/recent.h"
#include "rules/decide.h"
#include "rules/policy.h"
#include <mtasts/session.h>

/* --- Opening ------------------------------------------------------------ */

enum sts_rc
sts_open(struct sts_ctx **out, const char *conf, struct sts_err *err)
{
	struct sts_ctx *ctx;
	enum sts_rc rc;
	char *copy = NULL;

	*out = NULL;
	if (conf != NULL && conf[0] != '/')
		return sts_fail(err, STS_USAGE, 0,
		    "the configuration file needs an absolute path");
	if ((ctx = calloc(1, sizeof *ctx)) == NULL ||
	    (conf != NULL && (copy = strdup(conf)) == NULL)) {
		free(ctx);
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	}
	ctx->path = copy;
	ctx->worker.fd = -1;
	rc = sts_conf_load(&ctx->conf, conf, err);
	/* A cache that cannot be opened is told of when it is needed. */
	if (rc == STS_OK && sts_ctx_store(ctx, NULL) == STS_OK)
		rc = sts_config_guard(ctx->store, ctx->conf,
		    sts_conf_name(conf), err);
	if (rc != STS_OK) {
		sts_close(ctx);
		return rc;
	}
	*out = ctx;
	return STS_OK;
}

void
sts_close(struct sts_ctx *ctx)
{
	union { /* ours since sts_open() */
		const char *in;
		char *out;
	} path;

	if (ctx == NULL)
		return;
	path.in = ctx->path;
	sts_worker_close(ctx);
	sts_store_close(ctx->store);
	sts_spool_close(ctx->spool);
	sts_conf_free(ctx->conf);
	sts_recent_free(ctx->recent);
	sts_loaded_clear(&ctx->loaded);
	free(path.out);
	free(ctx->worker.reader);
	free(ctx);
}

enum sts_rc
sts_reopen(struct sts_ctx **ctx, const char *conf, struct sts_err *err)
{
	unsigned waited = *ctx == NULL ? 0 : (*ctx)->waited;
	enum sts_rc rc;

	sts_close(*ctx);
	if ((rc = sts_open(ctx, conf, err)) == STS_OK)
		(*ctx)->waited = waited;
	return rc;
}

bool
sts_stale(const struct sts_ctx *ctx)
{
	return ctx->other_spool || sts_conf_stale(ctx->conf, ctx->path) ||
	    (ctx->store != NULL &&
		sts_store_moved(ctx->store, ctx->conf->cache_dir));
}

void
sts_new_message(struct sts_ctx *ctx, unsigned waited)
{
	ctx->waited = waited;
}

unsigned
sts_timeout_ms(const struct sts_ctx *ctx)
{
	return ctx->conf->fetch_timeout + STS_WAIT_GRACE;
}

enum sts_rc
sts_ctx_store(struct sts_ctx *ctx, struct sts_err *err)
{
	if (ctx->store != NULL)
		return STS_OK;
	return sts_store_open(&ctx->store, ctx->conf->cache_dir, err);
}

/* --- Answers ------------------------------------------------------------ */

struct full_answer {
	struct sts_answer answer; /* first: what the caller sees */
	struct sts_policy *policy;
};

static struct sts_answer *
new_answer(struct sts_err *err)
{
	struct full_answer *full = calloc(1, sizeof *full);

	if (full == NULL) {
		sts_fail(err, STS_NOMEM, 0, "out of memory");
		return NULL;
	}
	return &full->answer;
}

void
sts_answer_free(struct sts_answer *answer)
{
	struct full_answer *full = (struct full_answer *)answer;

	if (full == NULL)
		return;
	sts_policy_free(full->policy);
	free(full);
}

static enum sts_rc
answer_config(struct sts_answer **out, enum sts_verdict verdict,
    const char *why, struct sts_err *err)
{
	if ((*out = new_answer(err)) == NULL)
		return STS_NOMEM;
	(*out)->verdict = verdict;
	(*out)->source = STS_FROM_CONFIG;
	snprintf((*out)->why, sizeof(*out)->why, "%s", why);
	return STS_OK;
}

static enum sts_rc
answer_pinned(struct sts_answer **out, const struct sts_domain_conf *d,
    struct sts_err *err)
{
	struct sts_policy *policy;
	enum sts_rc rc;

	rc = sts_policy_pin(&policy,
	    d->mode == STS_DOMAIN_TESTING ? STS_MODE_TESTING : STS_MODE_ENFORCE,
	    d->mx, err);
	if (rc == STS_OK)
		rc = answer_config(out, STS_POLICY,
		    "pinned by the configuration", err);
	if (rc != STS_OK) {
		sts_policy_free(policy);
		return rc;
	}
	((struct full_answer *)*out)->policy = policy;
	(*out)->policy = policy;
	(*out)->mode = sts_policy_mode(policy);
	return STS_OK;
}

/* Why there is no policy, or what is noteworthy about the one there is. */
static void
explain(struct sts_answer *a, const struct sts_next *next, const char *note,
    const struct sts_domain_conf *d)
{
	const char *why = next->entry.why == STS_WHY_NO_RECORD
	    ? "no TXT record"
	    : sts_reason_name(next->entry.why);
	const char *fact = "no policy";

	if (note[0] != '\0')
		why = note;
	if (a->policy != NULL)
		fact = a->source == STS_FROM_NETWORK ? "policy fetched"
						     : "policy in the cache";
	else if (next->use == STS_USE_REMOTE)
		fact = a->verdict == STS_MUST_WAIT
		    ? "could not ask for a policy, dns_failure = defer"
		    : "could not ask for a policy, dns_failure = proceed";
	else if (next->use == STS_USE_NOT_YET)
		fact = a->verdict == STS_MUST_WAIT
		    ? "not known yet, cold = wait"
		    : "not known yet, cold = proceed";
	else if (next->entry.kind == STS_ENTRY_NO_FETCH)
		fact = "TXT record, but no policy to be had";
	if (d != NULL && d->mode == STS_DOMAIN_ENFORCE &&
	    a->verdict == STS_MUST_WAIT)
		fact = "enforce is configured, but there is no policy";
	if (strcmp(why, "-") == 0)
		memcpy(a->why, fact, strlen(fact) + 1);
	else
		snprintf(a->why, sizeof a->why, "%s: %.150s", fact, why);
}

/* The two settings are all that lets mail go for want of knowledge. */
static enum sts_verdict
verdict(const struct sts_conf *conf, enum sts_use use)
{
	switch (use) {
	case STS_USE_NONE:
		return STS_NO_POLICY;
	case STS_USE_ENTRY:
		return STS_POLICY;
	case STS_USE_REMOTE:
		return conf->dns_failure == STS_DNS_PROCEED ? STS_NO_POLICY
							    : STS_MUST_WAIT;
	case STS_USE_NOT_YET:
		return conf->cold == STS_COLD_PROCEED ? STS_NO_POLICY
						      : STS_MUST_WAIT;
	case STS_USE_LOCAL:
		break;
	}
	return STS_MUST_WAIT;
}

static enum sts_rc
answer_next(struct sts_answer **out, const struct sts_ctx *ctx,
    const struct sts_next *next, struct sts_policy **policy, bool network,
    const struct sts_domain_conf *d, struct sts_err *err)
{
	struct sts_answer *a = new_answer(err);

	*out = a;
	if (a == NULL)
		return STS_NOMEM;
	a->verdict = verdict(ctx->conf, next->use);
	a->source = network ? STS_FROM_NETWORK : STS_FROM_CACHE;
	a->unknown = next->use == STS_USE_REMOTE ? STS_REMOTE
	    : next->use == STS_USE_NOT_YET       ? STS_NOT_YET
						 : STS_KNOWN;
	a->checked = next->entry.checked;
	if (next->use == STS_USE_ENTRY) {
		((struct full_answer *)a)->policy = *policy;
		a->policy = *policy;
		*policy = NULL;
		a->mode = sts_policy_mode(a->policy);
		memcpy(a->id, next->entry.id, sizeof a->id);
		a->fetched = next->entry.fetched;
		a->expires = next->entry.until;
		/* We may have asked, but the cached policy still applies. */
		if (a->fetched < ctx->began)
			a->source = STS_FROM_CACHE;
		/* RFC 8461 8.3: mode none opts out, in so many words. */
		if (a->mode == STS_MODE_NONE)
			a->verdict = STS_NO_POLICY;
	}
	a->verdict = sts_override(d == NULL ? STS_DOMAIN_FOLLOW : d->mode,
	    a->verdict, &a->mode);
	a->unprotected = a->verdict == STS_NO_POLICY &&
	    (a->unknown != STS_KNOWN || next->entry.kind == STS_ENTRY_NO_FETCH);
	explain(a, next,
	    network && ctx->said[0] != '\0' ? ctx->said : next->entry.note, d);
	return STS_OK;
}

/* --- The query ---------------------------------------------------------- */

/* The entry and, where it is one, its policy; both must be good. */
static enum sts_rc
read_entry(struct sts_ctx *ctx, const char *path, const char *domain,
    const struct sts_facts *f, struct sts_policy **policy, struct sts_err *err)
{
	struct sts_entry *e = &ctx->loaded.entry;
	enum sts_rc rc =
	    sts_store_read(ctx->store, path, domain, &ctx->loaded, err);

	if (rc != STS_OK)
		return rc;
	/* One that has just expired can still be needed. */
	if (e->kind != STS_ENTRY_POLICY ||
	    (f->now >= e->until &&
		!sts_within(f->now, e->fetched, STS_OUTCOME_MAX)))
		return STS_OK;
	rc = sts_policy_parse(policy, e->body.p, e->body.len, NULL, NULL, err);
	if (rc == STS_NOMEM)
		return rc;
	if (rc != STS_OK)
		e->kind = STS_ENTRY_ABSENT;
	else if (f->nonblocking)
		sts_recent_keep(&ctx->recent, domain, &ctx->loaded, *policy,
		    f->now);
	return STS_OK;
}

/* Who asks again and again does not read again what has not changed. */
static enum sts_rc
read_cache(struct sts_ctx *ctx, const char *domain, struct sts_facts *f,
    struct sts_policy **policy, struct sts_err *err)
{
	char path[STS_STORE_NAME];
	enum sts_rc rc;

	*policy = NULL;
	sts_store_path(ctx->store, path, domain, "");
	if (!f->nonblocking ||
	    !sts_recent_recall(ctx->recent, ctx->store, path, domain,
		&ctx->loaded, policy)) {
		rc = read_entry(ctx, path, domain, f, policy, err);
		if (rc != STS_OK)
			return rc;
	}
	if (*policy == NULL)
		return STS_OK;
	rc = sts_store_look(ctx->store, STS_MARK_FAILED, domain, &f->marked,
	    err);
	if (rc == STS_OK && f->marked != 0)
		rc = sts_store_look(ctx->store, STS_MARK_ANSWERED, domain,
		    &f->answered, err);
	return rc;
}

/* One change of identity for all cache work of a query. */
static enum sts_rc
read_as_owner(struct sts_ctx *ctx, const char *domain, struct sts_facts *f,
    struct sts_policy **policy, struct sts_err *err)
{
	struct sts_ids ids;
	enum sts_rc rc;

	if (!sts_store_enter(ctx->store, &ids))
		return sts_fail(err, STS_LOCAL, 0,
		    "cannot become the owner of %s: %s", ctx->conf->cache_dir,
		    strerror(errno));
	rc = read_cache(ctx, domain, f, policy, err);
	sts_store_leave(&ids);
	return rc;
}

/* The network's answer may bring a policy of its own. */
static enum sts_rc
ask(struct sts_ctx *ctx, const char *domain, unsigned flags,
    const struct sts_facts *f, struct sts_next *next,
    struct sts_policy **policy, struct sts_err *err)
{
	struct sts_policy *fresh;
	enum sts_rc rc;

	rc = sts_ask(ctx, domain, flags, f, next, err);
	if (rc != STS_OK || next->use != STS_USE_ENTRY)
		return rc;
	rc = sts_policy_parse(&fresh, next->entry.body.p, next->entry.body.len,
	    NULL, NULL, err);
	if (rc != STS_OK)
		return rc == STS_NOMEM
		    ? rc
		    : sts_fail(err, STS_LOCAL, 0,
			  "the worker handed out a broken policy");
	sts_policy_free(*policy);
	*policy = fresh;
	return STS_OK;
}

void
sts_last_take(struct sts_last *last, const struct sts_answer *a)
{
	memcpy(last->id, a->id, sizeof last->id);
	last->applies = a->verdict == STS_POLICY;
	last->mode = a->mode;
}

/* Remember an answer for sts_record_session(). */
static void
answered(struct sts_ctx *ctx, const char *domain, const struct sts_answer *a)
{
	memcpy(ctx->last.domain, domain, strlen(domain) + 1);
	ctx->last.when = ctx->began;
	sts_last_take(&ctx->last, a);
}

static enum sts_rc
query_store(struct sts_ctx *ctx, const char *domain, unsigned flags,
    const struct sts_domain_conf *d, struct sts_answer **out,
    struct sts_err *err)
{
	struct sts_facts f = {
		.now = sts_now(),
		.cached = &ctx->loaded.entry,
		.recheck = ctx->conf->recheck,
		.nonblocking = (flags & STS_NONBLOCKING) != 0,
		.offline = (flags & STS_OFFLINE) != 0,
	};
	struct sts_policy *policy = NULL;
	struct sts_next next;
	bool network = false;
	enum sts_rc rc;

	ctx->began = f.now;
	if (!f.nonblocking) { /* who never waits cannot be told to look */
		f.must_look = (flags & (STS_FRESH | STS_REFETCH)) != 0;
		f.must_fetch = (flags & STS_REFETCH) != 0;
	}
	if ((rc = sts_ctx_store(ctx, err)) != STS_OK ||
	    (rc = read_as_owner(ctx, domain, &f, &policy, err)) != STS_OK)
		goto out;
	next = sts_decide(&f);
	if ((next.act == STS_ACT_ASK_TXT && !f.must_look) ||
	    next.use == STS_USE_NOT_YET) {
		f.no_time = sts_wait_left(ctx, &f) < STS_WAIT_LEAST;
		f.resolver_down = sts_store_resolver_down(ctx->store, f.now);
		next = sts_decide(&f);
	}
	if (next.act == STS_ACT_ASK_TXT) {
		network = true;
		rc = ask(ctx, domain, flags, &f, &next, &policy, err);
		if (rc != STS_OK)
			goto out;
	} else if (next.act == STS_ACT_ANSWER_THEN_ASK &&
	    (flags & STS_OFFLINE) == 0)
		sts_request_refresh(ctx, STS_MARK_REFRESH, domain, f.now);
	rc = answer_next(out, ctx, &next, &policy, network, d, err);
	if (rc == STS_OK)
		answered(ctx, domain, *out);
out:
	sts_policy_free(policy);
	return rc;
}

enum sts_rc
sts_query(struct sts_ctx *ctx, const char *domain, unsigned flags,
    struct sts_answer **out, struct sts_err *err)
{
	const struct sts_domain_conf *d;
	char name[STS_NAME_SIZE];
	enum sts_rc rc;

	*out = NULL;
	if (!ctx->conf->enabled)
		return answer_config(out, STS_NO_POLICY,
		    "switched off by enabled = no", err);
	rc = sts_domain_normal(name, domain, err);
	if (rc ==
	    STS_ABSENT) /* RFC 8461 3.4: nothing is looked up for literals */
		return answer_config(out, STS_NO_POLICY,
		    "not a domain name that can have a policy", err);
	if (rc != STS_OK)
		return STS_LOCAL;
	d = sts_conf_domain(ctx->conf, name);
	if (d != NULL && d->mode == STS_DOMAIN_OFF)
		return answer_config(out, STS_NO_POLICY,
		    "switched off for the domain", err);
	if (d != NULL && d->mx != NULL)
		return answer_pinned(out, d, err);
	return query_store(ctx, name, flags, d, out, err);
}

enum sts_rc
sts_failed(struct sts_ctx *ctx, const char *domain, struct sts_err *err)
{
	char name[STS_NAME_SIZE];
	enum sts_rc rc;

	if ((rc = sts_domain_normal(name, domain, err)) != STS_OK ||
	    (rc = sts_ctx_store(ctx, err)) != STS_OK)
		return rc;
	return sts_store_mark(ctx->store, STS_MARK_FAILED, name, err);
}
