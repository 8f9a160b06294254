/* SPDX-License-Identifier: ISC */
/*
 * sts_mx_next() and what it learns from: policy, MX set and experience, all
 * from files.  Which host is next is settled in mx.c.
 */
#include "ctx.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "decide.h"
#include "err.h"

/* What is at hand for one choice. */
struct choice {
	const char *domain;
	int64_t now;
	int64_t failed; /* the latest session that failed; 0: none */
	struct sts_mx_set set;
	struct sts_mx_seen seen[STS_MX_HOSTS_MAX];
};

/* Marks of a host: all failures, but who is down only until one is not. */
static void
recall(struct sts_ctx *ctx, struct choice *c, size_t i)
{
	const struct sts_mx_host *h = &c->set.host[i];
	struct sts_mx_seen *seen = &c->seen[i];
	char text[STS_ADDR_TEXT];
	bool fine = false;

	for (size_t a = 0; a < h->naddr; a++) {
		sts_addr_text(&h->addr[a], text);
		seen->failed[a] =
		    sts_store_marked(ctx->store, STS_MARK_MX_FAILED, text);
		if (!fine)
			seen->down[a] = sts_store_marked(ctx->store,
			    STS_MARK_MX_DOWN, text);
		fine |= seen->failed[a] == 0 && seen->down[a] == 0;
		if (seen->failed[a] > c->failed &&
		    sts_within(c->now, seen->failed[a], STS_MX_FAILED_SPAN))
			c->failed = seen->failed[a];
	}
}

/* Keep and refresh the set for mail that may lie in a queue from now on. */
static void
note_relayed(struct sts_ctx *ctx, const struct choice *c)
{
	int64_t t = sts_store_marked(ctx->store, STS_MARK_RELAYED, c->domain);

	if (!sts_within(c->now, t, STS_MX_RELAYED_GAP))
		(void)sts_store_mark(ctx->store, STS_MARK_RELAYED, c->domain,
		    NULL);
}

/*
 * RFC 8461 5: a session failed since the policy was last looked at, so a
 * newer one is looked for; how often is settled in decide.c.
 */
static void
look_for_newer(struct sts_ctx *ctx, const struct choice *c,
    const struct sts_answer *a)
{
	if (a->source == STS_FROM_CONFIG || c->failed <= a->checked ||
	    sts_store_marked(ctx->store, STS_MARK_FAILED, c->domain) >=
		c->failed)
		return;
	(void)sts_store_mark(ctx->store, STS_MARK_FAILED, c->domain, NULL);
	sts_look_behind(ctx, STS_MARK_WANT, c->domain, c->now);
}

/* Nobody tried of late whether the host answers, and there are others. */
static bool
probe_due(struct sts_ctx *ctx, const struct choice *c, int i)
{
	const struct sts_mx_host *h = &c->set.host[i];
	char text[STS_ADDR_TEXT];
	int64_t t;

	if (c->set.n < 2 || h->naddr == 0)
		return false;
	for (size_t a = 0; a < h->naddr; a++) {
		t = sts_store_marked(ctx->store, STS_MARK_MX_PROBED,
		    sts_addr_text(&h->addr[a], text));
		if (sts_within(c->now, t, STS_MX_PROBE_SPAN))
			return false;
	}
	return true;
}

/* Hosts of one preference keep their order for a while, then change it. */
static uint32_t
turn(struct sts_ctx *ctx, int64_t now)
{
	struct timespec ts;

	if (ctx->random == 0) {
		clock_gettime(CLOCK_REALTIME, &ts);
		ctx->random =
		    ((uint32_t)ts.tv_nsec ^ (uint32_t)getpid() * 0x9e3779b9u) |
		    1;
	}
	return ctx->random ^ (uint32_t)(now / STS_MX_TURN) * 0x85ebca6bu;
}

/*
 * The next host by all that is known of it.  Of a host not yet looked at the
 * best is believed, so that one chosen twice is better than all others, and
 * the marks of most need not be read.
 */
static int
best(struct sts_ctx *ctx, struct choice *c, const struct sts_policy *policy,
    struct sts_err *why)
{
	bool seen[STS_MX_HOSTS_MAX] = { false };
	uint32_t random = turn(ctx, c->now);
	int i;

	memset(c->seen, 0, c->set.n * sizeof c->seen[0]);
	for (;;) {
		i = sts_mx_select(&c->set, policy, c->seen, c->now, random,
		    why);
		if (i == -1 || seen[i])
			return i;
		seen[i] = true;
		recall(ctx, c, (size_t)i);
	}
}

static enum sts_rc
choose(struct sts_ctx *ctx, struct choice *c, const struct sts_answer *a,
    char host[STS_NAME_SIZE], struct sts_err *err)
{
	bool enforce = a->verdict == STS_POLICY && a->mode == STS_MODE_ENFORCE;
	struct sts_err why;
	int i = best(ctx, c, enforce ? a->policy : NULL, &why);

	if (enforce)
		look_for_newer(ctx, c, a);
	if (sts_mx_stale(&c->set, c->now) || (i >= 0 && probe_due(ctx, c, i)))
		sts_look_behind(ctx, STS_MARK_WANT_MX, c->domain, c->now);
	if (a->verdict == STS_CANNOT_TELL) /* whatever is known: it waits */
		return sts_fail(err, STS_TEMPFAIL, 0, "%.100s: %.120s",
		    c->domain, a->why);
	if (i == -1)
		return sts_fail(err, why.rc, 0, "%.100s: %.120s", c->domain,
		    why.text);
	memcpy(host, c->set.host[i].name, STS_NAME_SIZE);
	sts_note_handed(ctx, c->domain, &c->set.host[i]);
	return STS_OK;
}

static enum sts_rc
next_host(struct sts_ctx *ctx, struct choice *c, char host[STS_NAME_SIZE],
    struct sts_err *err)
{
	struct sts_answer *a = NULL;
	enum sts_rc rc;

	if ((rc = sts_ctx_store(ctx, err)) != STS_OK)
		return rc;
	note_relayed(ctx, c);
	rc = sts_store_get_mx(ctx->store, c->domain, &c->set, err);
	if (rc != STS_OK ||
	    (rc = sts_query(ctx, c->domain, STS_BEHIND, &a, err)) != STS_OK)
		return rc;
	rc = choose(ctx, c, a, host, err);
	sts_answer_free(a);
	return rc;
}

enum sts_rc
sts_mx_next(struct sts_ctx *ctx, const char *domain, char host[STS_NAME_SIZE],
    struct sts_err *err)
{
	char name[STS_NAME_SIZE];
	struct choice c;
	enum sts_rc rc = sts_domain_normal(name, domain, err);

	host[0] = '\0';
	if (rc == STS_ABSENT)
		return sts_fail(err, STS_INVALID, 0,
		    "%s is no domain that has MX hosts",
		    sts_show(str_of(domain)).text);
	if (rc != STS_OK)
		return STS_LOCAL;
	c.domain = name;
	c.now = sts_now();
	c.failed = 0;
	return next_host(ctx, &c, host, err);
}

enum sts_rc
sts_mx_learnt(struct sts_ctx *ctx, const char *address, bool failed,
    struct sts_err *err)
{
	char text[STS_ADDR_TEXT];
	struct sts_addr addr;
	enum sts_rc rc;
	int64_t t;

	/* The name of a file is made of our own text, never of theirs. */
	if (!sts_addr_parse(&addr, str_of(address)))
		return sts_fail(err, STS_USAGE, 0, "%s is not an IP address",
		    sts_show(str_of(address)).text);
	sts_addr_text(&addr, text);
	if ((rc = sts_ctx_store(ctx, err)) != STS_OK)
		return rc;
	if (failed)
		return sts_store_mark(ctx->store, STS_MARK_MX_FAILED, text,
		    err);
	sts_store_unmark(ctx->store, STS_MARK_MX_FAILED, text);
	sts_store_unmark(ctx->store, STS_MARK_MX_DOWN, text);
	/* No probe could say more than a session that worked. */
	t = sts_store_marked(ctx->store, STS_MARK_MX_PROBED, text);
	if (sts_within(sts_now(), t, STS_MX_PROBE_SPAN / 2))
		return STS_OK;
	return sts_store_mark(ctx->store, STS_MARK_MX_PROBED, text, err);
}
