/* SPDX-License-Identifier: ISC */
/*
 * sts_mx_next() and what it learns from: policy, MX set and experience, all
 * from files.  Which host is next is settled in rules/mx_set.c; for whom one
 * was offered is noted, for sts_mx_offers().
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "cache/entry_files.h"
#include "query.h"
#include "rules/decide.h"
#include "rules/mx_offers.h"
#include <mtasts/mx.h>

/* --- The offers, in a file ------------------------------------------------ */

/* At most twice STS_MX_OFFER_MAX: one that grows, and the one before it. */
static const char file[] = "~mx-offers", before[] = "~mx-offers-before";

static int64_t
wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Each envelope of a message asks anew, and one line will do for them. */
static bool
just_noted(struct sts_ctx *ctx, const char *domain, const char *host,
    bool policy, int64_t now)
{
	uint64_t h = sts_hash_more(sts_hash(str_of(domain)), str_of(host)) ^
	    (uint64_t)policy;
	struct sts_recent_offer *n =
	    &ctx->recent_offer[h % ARRAY_LEN(ctx->recent_offer)];

	if (n->hash == h && now >= n->when && now - n->when < STS_MX_OFFER_GAP)
		return true;
	*n = (struct sts_recent_offer){ h, now };
	return false;
}

/* One write: lines of several tables do not mix.  Lost where it fails. */
static void
append(struct sts_store *s, const char *line, size_t len)
{
	struct sts_ids ids;
	struct stat st, now;
	int fd;

	if (!sts_store_enter(s, &ids))
		return;
	fd = sts_store_create(s, file, O_APPEND, 0600);
	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == s->uid && st.st_nlink == 1) {
		(void)!write(fd, line, len);
		/* Not what another table has begun meanwhile. */
		if (st.st_size + (off_t)len > STS_MX_OFFER_MAX &&
		    flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		    fstatat(s->fd, file, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
		    now.st_ino == st.st_ino)
			(void)renameat(s->fd, file, s->fd, before);
	}
	if (fd != -1)
		close(fd);
	sts_store_leave(&ids);
}

static void
note_mx_offer(struct sts_ctx *ctx, const char *domain, bool policy,
    const struct sts_mx_host *host)
{
	int64_t now = wall_ms();
	char line[STS_MX_OFFER_LINE];
	size_t len;

	if (just_noted(ctx, domain, host->name, policy, now) ||
	    (len = sts_mx_offer_line(line, now, policy, domain, host)) == 0)
		return;
	append(ctx->store, line, len);
}

/* False: fn wants no more. */
static bool
each_offer(struct sts_store *s, const char *name, const char *address,
    int64_t since, sts_mx_offer_fn *fn, void *arg)
{
	struct sts_file f = { .size = STS_MX_OFFER_MAX + STS_MX_OFFER_LINE };
	struct sts_mx_offer h;
	struct sts_ids ids;
	struct scan scan;
	bool more = true;

	if (!sts_store_enter(s, &ids))
		return false;
	(void)sts_store_read_file(s, name, &f, NULL);
	sts_store_leave(&ids);
	if (f.good) {
		scan = scan_bytes(f.buf, f.len);
		while (more && sts_mx_offer_next(&scan, address, &h))
			if (h.when >= since)
				more = fn(arg, &h);
	}
	free(f.buf);
	return more;
}

enum sts_rc
sts_mx_offers(struct sts_ctx *ctx, const char *address, int64_t since,
    sts_mx_offer_fn *fn, void *arg, struct sts_err *err)
{
	char text[STS_ADDR_TEXT];
	struct sts_addr addr;
	enum sts_rc rc;

	if (!sts_addr_parse(&addr, str_of(address)))
		return sts_fail(err, STS_USAGE, 0, "%s is not an IP address",
		    sts_show(str_of(address)).text);
	if ((rc = sts_ctx_store(ctx, err)) != STS_OK)
		return rc;
	sts_addr_text(&addr, text);
	if (each_offer(ctx->store, before, text, since, fn, arg))
		(void)each_offer(ctx->store, file, text, since, fn, arg);
	return STS_OK;
}

/* --- The choice ----------------------------------------------------------- */

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
	char text[STS_ADDR_TEXT], both[STS_MX_NAME];
	bool fine = false;

	for (size_t a = 0; a < h->naddr; a++) {
		sts_addr_text(&h->addr[a], text);
		seen->failed[a] =
		    sts_store_marked(ctx->store, STS_MARK_MX_FAILED,
			sts_store_mx_name(ctx->store, both, h->name, text));
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
 * newer one is looked for; how often is settled in rules/decide.c.
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
	sts_request_refresh(ctx, STS_MARK_REFRESH, c->domain, c->now);
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
random_order(struct sts_ctx *ctx, int64_t now)
{
	if (ctx->random == 0)
		ctx->random =
		    ((uint32_t)wall_ms() ^ (uint32_t)getpid() * 0x9e3779b9u) |
		    1;
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
	uint32_t random = random_order(ctx, c->now);
	int i;

	memset(c->seen, 0, c->set.n * sizeof c->seen[0]);
	/* Once: a policy may have 8000 patterns. */
	sts_mx_forbid(&c->set, policy, c->seen);
	for (;;) {
		i = sts_mx_select(&c->set, c->seen, c->now, random, why);
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

	/* RFC 8461 5: that no host is left is a failure under the policy. */
	if (enforce && i == -1 &&
	    !sts_within(c->now,
		sts_store_marked(ctx->store, STS_MARK_FAILED, c->domain),
		STS_MARK_GAP))
		c->failed = c->now;
	if (enforce)
		look_for_newer(ctx, c, a);
	if (sts_mx_stale(&c->set, c->now) || (i >= 0 && probe_due(ctx, c, i)))
		sts_request_refresh(ctx, STS_MARK_REFRESH_MX, c->domain,
		    c->now);
	if (a->verdict == STS_MUST_WAIT) /* whatever is known: it waits */
		return sts_fail(err, STS_TEMPFAIL, 0, "%.100s: %.120s",
		    c->domain, a->why);
	if (i == -1)
		return sts_fail(err, why.rc, 0, "%.100s: %.120s", c->domain,
		    why.text);
	memcpy(host, c->set.host[i].name, STS_NAME_SIZE);
	note_mx_offer(ctx, c->domain, enforce, &c->set.host[i]);
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
	    (rc = sts_query(ctx, c->domain, STS_NONBLOCKING, &a, err)) !=
		STS_OK)
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
sts_mx_learnt(struct sts_ctx *ctx, const char *host, const char *address,
    bool failed, struct sts_err *err)
{
	char text[STS_ADDR_TEXT], both[STS_MX_NAME];
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
	sts_store_mx_name(ctx->store, both, host, text);
	if (failed)
		return sts_store_mark(ctx->store, STS_MARK_MX_FAILED, both,
		    err);
	sts_store_unmark(ctx->store, STS_MARK_MX_FAILED, both);
	sts_store_unmark(ctx->store, STS_MARK_MX_DOWN, text);
	/* No probe could say more than a session that worked. */
	t = sts_store_marked(ctx->store, STS_MARK_MX_PROBED, text);
	if (sts_within(sts_now(), t, STS_MX_PROBE_SPAN / 2))
		return STS_OK;
	return sts_store_mark(ctx->store, STS_MARK_MX_PROBED, text, err);
}
