/* SPDX-License-Identifier: ISC */
#include "rcpt_prefetch.h"

#include <string.h>

#include "keyed_hash.h"
#include <mtasts/mx.h>

/* --- What was done just now --------------------------------------------- */

bool
rcpt_prefetch_is_fresh(const struct rcpt_prefetch *p, const char *domain)
{
	uint64_t h = hash_name(p->key, domain);
	size_t i = h % PREFETCH_MEMO;

	return p->memo[i].when != 0 && p->memo[i].hash == h &&
	    now_ms() - p->memo[i].when < PREFETCH_FRESH;
}

static void
remember(struct rcpt_prefetch *p, const char *domain)
{
	uint64_t h = hash_name(p->key, domain);

	p->memo[h % PREFETCH_MEMO].hash = h;
	p->memo[h % PREFETCH_MEMO].when = now_ms();
}

/* --- The worker --------------------------------------------------------- */

/* After each birth that was not followed by a steady life, longer. */
static void
put_off(struct rcpt_prefetch *p, int64_t now)
{
	if (p->backoff == 0 || now - p->born >= PREFETCH_STEADY)
		p->backoff = PREFETCH_BACKOFF_MIN;
	else if ((p->backoff *= 2) > PREFETCH_BACKOFF_MAX)
		p->backoff = PREFETCH_BACKOFF_MAX;
	p->retry = now + p->backoff;
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
	put_off(p, now);
	complain(&p->said, err.text);
	return false;
}

struct sts_kept_worker *
rcpt_prefetch_worker(struct rcpt_prefetch *p, struct sts_ctx *ctx)
{
	return have_worker(p, ctx) ? p->kept : NULL;
}

bool
rcpt_prefetch_ask(struct rcpt_prefetch *p, struct sts_ctx *ctx,
    const char *domain, bool asked)
{
	struct sts_err err;

	if (p->kept != NULL && asked)
		return true;
	return have_worker(p, ctx) &&
	    sts_kept_worker_ask(p->kept, domain, &err) == STS_OK;
}

enum sts_rc
rcpt_prefetch_next(struct rcpt_prefetch *p, char domain[STS_NAME_SIZE])
{
	struct sts_err err = { 0 };
	enum sts_rc rc;

	if (p->kept == NULL)
		return STS_ABSENT;
	rc = sts_kept_worker_next(p->kept, domain, &err);
	if (rc == STS_OK)
		remember(p, domain);
	if (rc == STS_OK || rc == STS_ABSENT)
		return rc;
	rcpt_prefetch_stop(p);
	put_off(p, now_ms());
	complain(&p->said,
	    err.text[0] == '\0' ? "the worker is gone" : err.text);
	return STS_LOCAL;
}

void
rcpt_prefetch_stop(struct rcpt_prefetch *p)
{
	sts_kept_worker_stop(p->kept);
	p->kept = NULL;
	memset(p->memo, 0, sizeof p->memo);
}
