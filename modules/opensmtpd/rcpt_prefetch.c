/* SPDX-License-Identifier: ISC */
#include "rcpt_prefetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line_buffer.h"
#include <mtasts/mx.h>

void
rcpt_prefetch_init(struct rcpt_prefetch *p)
{
	TAILQ_INIT(&p->asked);
}

/* --- The worker --------------------------------------------------------- */

/* After each birth that was not followed by a steady life, longer. */
static void
put_off(struct rcpt_prefetch *p, int64_t now, const char *why)
{
	if (p->backoff == 0 || now - p->born >= PREFETCH_STEADY)
		p->backoff = PREFETCH_BACKOFF_MIN;
	else if ((p->backoff *= 2) > PREFETCH_BACKOFF_MAX)
		p->backoff = PREFETCH_BACKOFF_MAX;
	p->retry = now + p->backoff;
	complain(&p->said, why);
}

static bool
have_worker(struct rcpt_prefetch *p, struct sts_ctx *ctx)
{
	int64_t now = now_ms();
	struct sts_err err = { 0 };

	if (p->kept != NULL)
		return true;
	if (now < p->retry)
		return false;
	if (sts_kept_worker_start(ctx, &p->kept, &err) == STS_OK) {
		p->born = now;
		return true;
	}
	p->kept = NULL;
	put_off(p, now, err.text);
	return false;
}

struct sts_kept_worker *
rcpt_prefetch_worker(struct rcpt_prefetch *p, struct sts_ctx *ctx)
{
	return have_worker(p, ctx) ? p->kept : NULL;
}

/* --- What it was asked ---------------------------------------------------- */

static struct prefetch *
find(const struct rcpt_prefetch *p, const char *domain)
{
	struct prefetch *a;

	TAILQ_FOREACH(a, &p->asked, entry)
	if (strcmp(a->domain, domain) == 0)
		return a;
	return NULL;
}

static void
forget(struct rcpt_prefetch *p, struct prefetch *a)
{
	if (a == NULL)
		return;
	TAILQ_REMOVE(&p->asked, a, entry);
	free(a);
}

static struct sts_str
owner_of(const char *domain)
{
	return sts_domain_owner((struct sts_str){ domain, strlen(domain) });
}

/* The rule of common/base/accountant.h, for session and owner. */
static bool
has_room(const struct rcpt_prefetch *p, struct sts_str session,
    const char *domain)
{
	struct sts_str owner = owner_of(domain), his;
	unsigned all = 0, mine = 0;
	struct prefetch *a;

	TAILQ_FOREACH(a, &p->asked, entry)
	{
		his = owner_of(a->domain);
		all++;
		mine += field_is(session, a->session) ||
		    (his.len == owner.len &&
			memcmp(his.p, owner.p, his.len) == 0);
	}
	return mine < PREFETCH_MAX - all;
}

enum sts_rc
rcpt_prefetch_ask(struct rcpt_prefetch *p, struct sts_ctx *ctx,
    struct sts_str session, const char *domain, struct sts_err *err)
{
	struct prefetch *a;
	enum sts_rc rc;

	*err = (struct sts_err){ 0 };
	if (!have_worker(p, ctx)) {
		memcpy(err->text, p->said.text, sizeof err->text);
		return STS_LOCAL;
	}
	if (find(p, domain) != NULL)
		return STS_OK;
	if (session.len > FILTER_ID_MAX || !has_room(p, session, domain)) {
		snprintf(err->text, sizeof err->text,
		    "too many domains at a time");
		return STS_TEMPFAIL;
	}
	if ((a = calloc(1, sizeof *a)) == NULL) {
		snprintf(err->text, sizeof err->text, "out of memory");
		return STS_LOCAL;
	}
	if ((rc = sts_kept_worker_ask(p->kept, domain, err)) != STS_OK) {
		free(a);
		return rc;
	}
	a->when = now_ms();
	memcpy(a->session, session.p, session.len);
	memcpy(a->domain, domain, strlen(domain) + 1);
	TAILQ_INSERT_TAIL(&p->asked, a, entry);
	return STS_OK;
}

static void
heard(struct rcpt_prefetch *p, const char *domain, int64_t now)
{
	p->heard = now;
	forget(p, find(p, domain));
}

/* One owner's domains that stall are done one after the other: that is slow,
 * and no reason to give up the worker. */
static bool
is_stuck(const struct rcpt_prefetch *p, int64_t now)
{
	int64_t since;

	if (TAILQ_EMPTY(&p->asked))
		return false;
	since = TAILQ_FIRST(&p->asked)->when;
	return now - since > PREFETCH_LOST ||
	    (now - since > PREFETCH_STUCK && now - p->heard > PREFETCH_STUCK);
}

enum sts_rc
rcpt_prefetch_next(struct rcpt_prefetch *p, char domain[STS_NAME_SIZE],
    struct sts_err *err)
{
	int64_t now = now_ms();
	enum sts_rc rc;

	*err = (struct sts_err){ 0 };
	if (p->kept == NULL)
		return STS_ABSENT;
	rc = sts_kept_worker_next(p->kept, domain, err);
	if (rc == STS_OK)
		heard(p, domain, now);
	else if (rc == STS_ABSENT && is_stuck(p, now)) {
		snprintf(err->text, sizeof err->text,
		    "the worker does not answer");
		rc = STS_LOCAL;
	}
	if (rc == STS_OK || rc == STS_ABSENT)
		return rc;
	if (TAILQ_EMPTY(&p->asked) && now - p->born >= PREFETCH_STEADY) {
		rcpt_prefetch_stop(p); /* it asks to be started anew */
		return STS_ABSENT;
	}
	rcpt_prefetch_stop(p);
	put_off(p, now, err->text);
	return STS_LOCAL;
}

void
rcpt_prefetch_stop(struct rcpt_prefetch *p)
{
	sts_kept_worker_stop(p->kept);
	p->kept = NULL;
	while (!TAILQ_EMPTY(&p->asked))
		forget(p, TAILQ_FIRST(&p->asked));
}
