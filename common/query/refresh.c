/* SPDX-License-Identifier: ISC */
/*
 * The daily refresh: the policies in use are fetched before they expire, though
 * no mail asks for them, RFC 8461 3.3 and 10.2.
 *
 * What is due is told by the times in the entries alone, so a run that ended
 * anywhere, or that met its limit, is continued by the next one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "query.h"
#include "rules/refresh_list.h"
#include <mtasts/cache_admin.h>

enum {
	RUN_MOST = 50000,   /* policies in one run: a million in a day */
	RUN_TIME = 3000000, /* ms, less than the hour between two runs */
	AT_ONCE = 64,       /* policies that the worker is asked for */
	STUCK = 60000 /* ms beyond fetch_timeout: no live worker is so slow */
};

/* One that the worker was asked for. */
struct asked {
	char domain[STS_NAME_SIZE]; /* "": a free place */
	int64_t fetched, used;      /* as it was */
	int64_t when;
};

struct refresh {
	struct sts_ctx *ctx;
	sts_refreshed_fn *fn;
	void *arg;
	struct sts_refresh_sum *sum;
	struct sts_refresh_list list;
	size_t next; /* of the list */
	struct sts_kept_worker *worker;
	bool answered;        /* by the worker since it was started */
	bool stopped;         /* by fn */
	int64_t began, heard; /* monotonic, ms */
	size_t nasked;
	size_t put_off; /* by the worker, for want of places */
	struct asked asked[AT_ONCE];
	struct sts_err *err;
	struct sts_err local; /* a fault of this host that others survive */
};

/* --- What is due ---------------------------------------------------------- */

/* False: the configuration says itself what is in force. */
static bool
published(const struct sts_ctx *ctx, const char *domain)
{
	const struct sts_domain_conf *d = sts_conf_domain(ctx->conf, domain);

	return d == NULL || (d->mode != STS_DOMAIN_OFF && d->mx == NULL);
}

static bool
list_entry(void *arg, const char *domain, const struct sts_loaded *loaded)
{
	struct refresh *r = arg;

	if (!sts_refresh_due(&loaded->entry, domain, loaded->used, sts_now()) ||
	    !published(r->ctx, domain) ||
	    sts_refresh_list_add(&r->list, domain, &loaded->entry))
		return true;
	(void)sts_fail(&r->local, STS_NOMEM, 0, "out of memory");
	return false;
}

/*
 * False: another process is at it.  Without the file, *fd being -1, it may be
 * done twice, which is better than not at all.
 */
static bool
take_lock(struct sts_ctx *ctx, int *fd)
{
	struct flock fl = { .l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)STS_LOCK_REFRESH,
		.l_len = 1 };

	*fd = sts_store_lock_file(ctx->store);
	if (*fd == -1 || fcntl(*fd, F_SETLK, &fl) == 0 ||
	    (errno != EAGAIN && errno != EACCES))
		return true;
	close(*fd);
	return false;
}

/* --- One policy ----------------------------------------------------------- */

/* Ask for the next of the list that is still due; false: there is none. */
static bool
ask_next(struct refresh *r)
{
	struct sts_loaded *l = &r->ctx->loaded;
	struct asked *a = r->asked;
	const char *domain;

	while (a->domain[0] != '\0')
		a++;
	while (r->next < r->list.n) {
		domain = r->list.item[r->next++].domain;
		if (sts_store_get(r->ctx->store, domain, l, &r->local) !=
			STS_OK ||
		    !sts_refresh_due(&l->entry, domain, l->used, sts_now()))
			continue; /* mail has had it fetched meanwhile */
		if (sts_kept_worker_refresh(r->worker, domain, &r->local) !=
		    STS_OK)
			continue;
		snprintf(a->domain, sizeof a->domain, "%s", domain);
		a->fetched = l->entry.fetched;
		a->used = l->used;
		a->when = sts_now();
		r->nasked++;
		return true;
	}
	return false;
}

/*
 * A failure of the other side leaves its reason and its time in the entry; a
 * fault of this host, a full disk for one, does not.
 */
static bool
was_local(const struct sts_entry *e, int64_t asked)
{
	return e->checked < asked && e->why != STS_WHY_DNS_TIMEOUT &&
	    e->why != STS_WHY_DNS_FAILURE;
}

static void
take_answer(struct refresh *r, const char *domain, const struct sts_err *said)
{
	struct sts_loaded *l = &r->ctx->loaded;
	struct sts_refreshed news = { .domain = domain, .why = said->text };
	struct asked *a = r->asked, *end = r->asked + AT_ONCE;

	while (a < end && strcmp(a->domain, domain) != 0)
		a++;
	if (a == end)
		return; /* nobody asked for it */
	r->answered = true;
	if (sts_store_get(r->ctx->store, domain, l, &r->local) == STS_OK &&
	    l->entry.kind == STS_ENTRY_POLICY) {
		news.fetched = l->entry.fetched != a->fetched;
		news.expires = l->entry.until;
		if (said->text[0] == '\0' && !news.fetched)
			news.why = sts_reason_name(l->entry.why);
	}
	a->domain[0] = '\0';
	r->nasked--;
	if (!news.fetched && said->rc == STS_TEMPFAIL) {
		r->put_off++;
		return;
	}
	if (!news.fetched && was_local(&l->entry, a->when))
		(void)sts_fail(&r->local, STS_LOCAL, 0, "%s", said->text);
	/* No mail was the reason; what nobody uses must grow old. */
	if (a->used < l->used)
		sts_store_set_used(r->ctx->store, domain, a->used);
	*(news.fetched ? &r->sum->fetched : &r->sum->failed) += 1;
	news.n = r->sum->fetched + r->sum->failed;
	news.of = r->list.n;
	r->stopped |= !r->fn(r->arg, &news);
}

/* --- A run ---------------------------------------------------------------- */

/* A worker that ends is replaced, unless it has answered nothing. */
static enum sts_rc
start_worker(struct refresh *r)
{
	enum sts_rc rc;

	sts_kept_worker_stop(r->worker);
	r->answered = false;
	r->heard = sts_now_ms();
	rc = sts_kept_worker_start(r->ctx, &r->worker, r->err);
	for (size_t i = 0; rc == STS_OK && i < AT_ONCE; i++)
		if (r->asked[i].domain[0] != '\0')
			rc = sts_kept_worker_refresh(r->worker,
			    r->asked[i].domain, r->err);
	return rc;
}

static bool
may_ask(const struct refresh *r)
{
	return !r->stopped && sts_now_ms() - r->began < RUN_TIME &&
	    !sts_store_resolver_down(r->ctx->store, sts_now());
}

static enum sts_rc
read_answers(struct refresh *r)
{
	struct pollfd p = { .fd = sts_kept_worker_in(r->worker),
		.events = POLLIN };
	char domain[STS_NAME_SIZE];
	struct sts_err said = { 0 };
	enum sts_rc rc;

	if (sts_kept_worker_out(r->worker) != -1)
		p.events |= POLLOUT;
	if (poll(&p, 1, 1000) == -1 && errno != EINTR)
		return sts_fail(r->err, STS_LOCAL, 0, "poll: %s",
		    strerror(errno));
	while (
	    (rc = sts_kept_worker_next(r->worker, domain, &said)) == STS_OK) {
		r->heard = sts_now_ms();
		take_answer(r, domain, &said);
	}
	if (rc != STS_ABSENT)
		return r->answered ? start_worker(r)
				   : sts_fail(r->err, rc, 0, "%s", said.text);
	if (sts_now_ms() - r->heard > sts_timeout_ms(r->ctx) + STUCK)
		return sts_fail(r->err, STS_LOCAL, 0,
		    "the worker does not answer");
	return STS_OK;
}

static enum sts_rc
fetch_all(struct refresh *r)
{
	enum sts_rc rc;

	if (r->list.n == 0)
		return STS_OK;
	if ((rc = start_worker(r)) != STS_OK)
		return rc;
	do {
		while (r->nasked < AT_ONCE && may_ask(r) && ask_next(r))
			continue;
		if (r->nasked == 0)
			break;
		rc = read_answers(r);
	} while (rc == STS_OK);
	return rc;
}

enum sts_rc
sts_cache_refresh(struct sts_ctx *ctx, sts_refreshed_fn *fn, void *arg,
    struct sts_refresh_sum *sum, struct sts_err *err)
{
	struct refresh r = { .ctx = ctx,
		.fn = fn,
		.arg = arg,
		.sum = sum,
		.list = { .most = RUN_MOST },
		.began = sts_now_ms(),
		.err = err };
	enum sts_rc rc, pruned;
	int lock;

	*sum = (struct sts_refresh_sum){ 0 };
	if ((rc = sts_ctx_store(ctx, err)) != STS_OK)
		return rc;
	if (!take_lock(ctx, &lock))
		return sts_fail(err, STS_ABSENT, 0,
		    "another refresh is under way");
	if (ctx->conf->enabled)
		(void)sts_store_walk(ctx->store, list_entry, &r, &r.local);
	sts_refresh_list_order(&r.list);
	rc = fetch_all(&r);
	sts_kept_worker_stop(r.worker);
	sum->left = r.list.over + r.list.n - r.next + r.nasked + r.put_off;
	sts_refresh_list_clear(&r.list);
	pruned = sts_store_prune(ctx->store, sts_now(), ctx->conf->cache_max,
	    &sum->removed, rc == STS_OK ? err : NULL);
	if (lock != -1) /* and with it goes the lock */
		close(lock);
	if (rc == STS_OK)
		rc = pruned;
	if (rc == STS_OK && r.local.rc != STS_OK)
		rc = sts_fail(err, r.local.rc, 0, "%s", r.local.text);
	return rc;
}
