/* SPDX-License-Identifier: ISC */
/* The cache as its administrator sees it: rows to read, remove and prune. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "query.h"
#include "rules/decide.h"
#include <mtasts/cache_admin.h>

struct walk {
	sts_row_fn *fn;
	void *arg;
};

static void
fill_policy(struct sts_row *row, const struct sts_entry *e,
    struct sts_policy **policy)
{
	struct sts_answer *a = &row->answer;

	row->body = e->body;
	row->until = e->until;
	a->fetched = e->fetched;
	a->expires = e->until;
	memcpy(a->id, e->id, sizeof a->id);
	if (sts_policy_parse(policy, e->body.p, e->body.len, NULL, NULL,
		NULL) != STS_OK) {
		row->kind = STS_ROW_BROKEN;
		return;
	}
	a->policy = *policy;
	a->verdict = STS_POLICY;
	a->mode = sts_policy_mode(*policy);
}

static bool
show(void *arg, const char *domain, const struct sts_loaded *loaded)
{
	static const enum sts_row_kind kinds[] = {
		[STS_ENTRY_ABSENT] = STS_ROW_BROKEN,
		[STS_ENTRY_POLICY] = STS_ROW_POLICY,
		[STS_ENTRY_NONE] = STS_ROW_NONE,
		[STS_ENTRY_NO_FETCH] = STS_ROW_NO_FETCH,
		[STS_ENTRY_UNASKED] = STS_ROW_UNASKED,
	};
	const struct sts_entry *e = &loaded->entry;
	struct sts_policy *policy = NULL;
	struct walk *w = arg;
	struct sts_row row = {
		.domain = domain,
		.kind = kinds[e->kind],
		.used = loaded->used,
		.until = e->until,
	};
	bool more;

	row.answer.checked = e->checked;
	row.answer.source = STS_FROM_CACHE;
	if (e->kind == STS_ENTRY_POLICY)
		fill_policy(&row, e, &policy);
	else if (e->kind == STS_ENTRY_UNASKED) {
		row.answer.checked = e->tried;
		row.until = e->retry;
	} else if (e->kind == STS_ENTRY_NO_FETCH)
		row.until = e->failed + STS_FETCH_RETRY_MIN;
	if (e->why != STS_WHY_NOTHING)
		snprintf(row.answer.why, sizeof row.answer.why, "%s%s%.150s",
		    sts_reason_name(e->why), e->note[0] == '\0' ? "" : ": ",
		    e->note);
	more = w->fn(w->arg, &row);
	sts_policy_free(policy);
	return more;
}

enum sts_rc
sts_cache_walk(struct sts_ctx *ctx, sts_row_fn *fn, void *arg,
    struct sts_err *err)
{
	struct walk w = { fn, arg };
	enum sts_rc rc;

	if ((rc = sts_ctx_store(ctx, err)) != STS_OK)
		return rc;
	return sts_store_walk(ctx->store, show, &w, err);
}

/* The name as the cache has it, and the cache. */
static enum sts_rc
find(struct sts_ctx *ctx, const char *domain, char name[STS_NAME_SIZE],
    struct sts_err *err)
{
	enum sts_rc rc = sts_domain_normal(name, domain, err);

	return rc == STS_OK ? sts_ctx_store(ctx, err) : rc;
}

enum sts_rc
sts_cache_get(struct sts_ctx *ctx, const char *domain, sts_row_fn *fn,
    void *arg, struct sts_err *err)
{
	struct walk w = { fn, arg };
	char name[STS_NAME_SIZE];
	enum sts_rc rc;

	if ((rc = find(ctx, domain, name, err)) != STS_OK ||
	    (rc = sts_store_get(ctx->store, name, &ctx->loaded, err)) != STS_OK)
		return rc;
	if (ctx->loaded.entry.kind == STS_ENTRY_ABSENT && !ctx->loaded.broken)
		return sts_fail(err, STS_ABSENT, 0, "%.100s: not in the cache",
		    name);
	show(&w, name, &ctx->loaded);
	return STS_OK;
}

enum sts_rc
sts_cache_remove(struct sts_ctx *ctx, const char *domain, struct sts_err *err)
{
	char name[STS_NAME_SIZE];
	enum sts_rc rc;

	if ((rc = find(ctx, domain, name, err)) != STS_OK)
		return rc;
	/* What cannot be read can be removed, and often should be. */
	rc = sts_store_get(ctx->store, name, &ctx->loaded, err);
	if (rc == STS_OK && ctx->loaded.entry.kind == STS_ENTRY_ABSENT &&
	    !ctx->loaded.broken)
		return sts_fail(err, STS_ABSENT, 0, "%.100s: not in the cache",
		    name);
	sts_store_unmark(ctx->store, STS_MARK_FAILED, name);
	return sts_store_remove(ctx->store, name, err);
}

enum sts_rc
sts_cache_prune(struct sts_ctx *ctx, size_t *n, struct sts_err *err)
{
	enum sts_rc rc;

	if ((rc = sts_ctx_store(ctx, err)) != STS_OK)
		return rc;
	return sts_store_prune(ctx->store, sts_now(), ctx->conf->cache_max, n,
	    err);
}

enum sts_rc
sts_outbound_blocked(struct sts_ctx *ctx, struct sts_outbound *out,
    struct sts_err *err)
{
	enum sts_rc rc;

	if ((rc = sts_ctx_store(ctx, err)) != STS_OK)
		return rc;
	out->owners = sts_store_unreached(ctx->store, sts_now(), &out->since);
	if (out->owners < STS_UNREACHED_OWNERS)
		return sts_fail(err, STS_ABSENT, 0, "nothing is known of it");
	return STS_OK;
}

/* --- MX sets ------------------------------------------------------------- */

static bool
show_host(struct sts_store *st, const struct sts_mx_host *h,
    struct sts_mx_row *row, sts_mx_row_fn *fn, void *arg)
{
	char text[STS_MX_ADDRS_MAX][STS_ADDR_TEXT], both[STS_MX_NAME];
	struct sts_mx_address addr[STS_MX_ADDRS_MAX];

	for (size_t i = 0; i < h->naddr; i++) {
		sts_addr_text(&h->addr[i], text[i]);
		addr[i] = (struct sts_mx_address){
			.text = text[i],
			.failed = sts_store_marked(st, STS_MARK_MX_FAILED,
			    sts_store_mx_name(st, both, h->name, text[i])),
			.probed =
			    sts_store_marked(st, STS_MARK_MX_PROBED, text[i]),
			.down = sts_store_marked(st, STS_MARK_MX_DOWN, text[i]),
		};
	}
	row->host = h->name;
	row->preference = h->preference;
	row->self = h->self;
	row->naddr = h->naddr;
	row->addr = addr;
	return fn(arg, row);
}

static void
show_set(struct sts_store *st, const struct sts_mx_set *set, sts_mx_row_fn *fn,
    void *arg)
{
	struct sts_mx_row row = { .kind = sts_mx_kind_name(set->kind),
		.asked = set->asked,
		.until = set->until };

	if (set->n == 0)
		(void)fn(arg, &row);
	for (size_t i = 0; i < set->n; i++)
		if (!show_host(st, &set->host[i], &row, fn, arg))
			break;
}

enum sts_rc
sts_mx_walk(struct sts_ctx *ctx, const char *domain, sts_mx_row_fn *fn,
    void *arg, struct sts_err *err)
{
	char name[STS_NAME_SIZE];
	struct sts_mx_set *set;
	enum sts_rc rc;

	if ((rc = find(ctx, domain, name, err)) != STS_OK)
		return rc;
	if ((set = malloc(sizeof *set)) == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	rc = sts_store_get_mx(ctx->store, name, set, err);
	if (rc == STS_OK && set->kind == STS_MX_UNKNOWN)
		rc = sts_fail(err, STS_ABSENT, 0,
		    "%.100s: no MX set in the cache", name);
	else if (rc == STS_OK)
		show_set(ctx->store, set, fn, arg);
	free(set);
	return rc;
}
