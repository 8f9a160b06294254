/* SPDX-License-Identifier: ISC */
/*
 * The decision as one function; tests/unit/rules/decide_test.c is its truth
 * table.
 *
 * The rule above all others (RFC 8461 3.3): an unexpired policy applies
 * whatever fails.  Only a newer valid policy or its own expiry ends it.
 */
#include "decide.h"

static int64_t
min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Is there a policy that has not expired?  RFC 8461 3.2: max_age counts from
 * fetch. */
static bool
live(const struct sts_facts *f)
{
	return f->cached->kind == STS_ENTRY_POLICY && f->now < f->cached->until;
}

bool
sts_within(int64_t now, int64_t t, int64_t span)
{
	return t != 0 && t <= now + STS_CLOCK_SLACK && now - t < span;
}

static bool
within(const struct sts_facts *f, int64_t t, int64_t span)
{
	return sts_within(f->now, t, span);
}

static struct sts_next
answer(enum sts_use use)
{
	return (struct sts_next){ .act = STS_ACT_ANSWER, .use = use };
}

static struct sts_next
answer_cached(const struct sts_facts *f)
{
	struct sts_next next = answer(STS_USE_ENTRY);

	next.entry = *f->cached;
	return next;
}

/* The next attempt after a failed one: twice the last pause of this row. */
static void
back_off(const struct sts_facts *f, struct sts_entry *e)
{
	int64_t pause = STS_BACKOFF_MIN;

	if (within(f, f->cached->tried, STS_BACKOFF_FORGET) &&
	    f->cached->retry > f->cached->tried)
		pause = 2 * (f->cached->retry - f->cached->tried);
	e->tried = f->now;
	e->retry = f->now + min64(pause, STS_BACKOFF_MAX);
}

static bool
backing_off(const struct sts_facts *f)
{
	return within(f, f->cached->tried, STS_BACKOFF_MAX + 1) &&
	    f->now < f->cached->retry;
}

/*
 * RFC 8461 5: nothing may fail for good before a new policy was looked for.
 * One look answers all failures before it, and those of the next minutes.
 */
static bool
failed_since_look(const struct sts_facts *f)
{
	return f->marked != 0 && f->marked >= f->cached->checked &&
	    !within(f, f->answered, STS_MARK_GAP) &&
	    !within(f, f->cached->tried, STS_MARK_GAP);
}

/* RFC 8461 3.3, 10.2: the body may change, and must be seen to be had, daily.
 */
bool
sts_decide_fetch_due(const struct sts_facts *f)
{
	int64_t half = (f->cached->until - f->cached->fetched) / 2;

	return !within(f, f->cached->fetched, min64(half, STS_REFETCH_MAX) + 1);
}

/* RFC 8461 3.3: no second GET for an id that failed less than five minutes ago.
 */
static bool
silent(const struct sts_facts *f)
{
	return !f->must_fetch &&
	    within(f, f->cached->failed, STS_FETCH_RETRY_MIN) &&
	    f->cached->failed_id == sts_id_hash(f->id);
}

/* --- With the cache alone ----------------------------------------------- */

/*
 * No live policy, and nobody waits for one.  What was seen within the hour is
 * believed a little longer while somebody looks again: a domain with a short
 * TTL, or with a record and no policy, would be cold for ever otherwise.  So
 * would one whose max_age is over when its mail comes: RFC 8461 3.2, a policy
 * is good for the delivery that it was fetched for.
 */
static struct sts_next
known_nonblocking(const struct sts_facts *f)
{
	const struct sts_entry *c = f->cached;
	bool none = c->kind == STS_ENTRY_NONE, due = true;
	struct sts_next next = answer(STS_USE_NOT_YET);

	if (c->kind == STS_ENTRY_POLICY && f->nonblocking &&
	    within(f, c->fetched,
		f->offline ? STS_DELIVERY_MAX : STS_OUTCOME_MAX)) {
		next = answer_cached(f);
		due = !backing_off(f);
	} else if ((none || c->kind == STS_ENTRY_NO_FETCH) &&
	    within(f, c->checked, STS_NONE_MAX + 1)) {
		next.use = STS_USE_NONE;
		next.entry = *c;
		due = none ? f->now >= c->until
			   : !within(f, c->checked, STS_FETCH_RETRY_MIN);
	} else if (f->resolver_down ||
	    within(f, c->tried, STS_BACKOFF_FORGET)) {
		next.use = STS_USE_REMOTE;
		next.entry.why = c->why;
		due = !backing_off(f);
	}
	if (due && !f->resolver_down)
		next.act = STS_ACT_ANSWER_THEN_ASK;
	return next;
}

struct sts_next
sts_decide_unanswered(const struct sts_facts *f)
{
	const struct sts_entry *c = f->cached;
	struct sts_next next = answer(STS_USE_NOT_YET);

	if (c->kind == STS_ENTRY_POLICY &&
	    (live(f) || within(f, c->fetched, STS_OUTCOME_MAX)))
		return answer_cached(f);
	if ((c->kind == STS_ENTRY_NONE || c->kind == STS_ENTRY_NO_FETCH) &&
	    within(f, c->checked, STS_OUTCOME_MAX))
		next.use = STS_USE_NONE;
	else if (within(f, c->tried, STS_OUTCOME_MAX))
		next.use = STS_USE_REMOTE;
	else
		return next;
	next.entry = *c;
	return next;
}

static struct sts_next
before_look(const struct sts_facts *f)
{
	const struct sts_entry *c = f->cached;
	struct sts_next next;

	if (live(f)) {
		next = answer_cached(f);
		if (f->resolver_down && !f->must_look)
			return next;
		if (f->must_look || failed_since_look(f))
			next.act = f->nonblocking || f->offline ||
				(f->no_time && !f->must_look)
			    ? STS_ACT_ANSWER_THEN_ASK
			    : STS_ACT_ASK_TXT;
		else if (!within(f, c->checked, f->recheck) && !backing_off(f))
			next.act = STS_ACT_ANSWER_THEN_ASK;
		return next;
	}
	if (f->nonblocking || f->offline)
		return known_nonblocking(f);
	if (!f->must_look) {
		if (c->kind == STS_ENTRY_NONE &&
		    within(f, c->checked, STS_NONE_MAX + 1) &&
		    f->now < c->until) {
			next = answer(STS_USE_NONE);
			next.entry = *c;
			return next;
		}
		if (f->resolver_down || backing_off(f))
			return answer(STS_USE_REMOTE);
		if (f->no_time) {
			next = sts_decide_unanswered(f);
			next.act = STS_ACT_ANSWER_THEN_ASK;
			return next;
		}
	}
	return (struct sts_next){ .act = STS_ACT_ASK_TXT };
}

/* --- With the answer to the TXT question -------------------------------- */

static struct sts_next
could_not_look(const struct sts_facts *f)
{
	struct sts_next next;

	if (live(f)) { /* RFC 8461 3.3: the policy outlives DNS trouble */
		next = answer_cached(f);
		next.entry.why = f->txt_why;
	} else {
		/* Never stored as "none": RFC 8461 10.2, a downgrade by
		 * silence.  An expired policy stays on the disk: the clock may
		 * be wrong. */
		next = answer(STS_USE_REMOTE);
		if (f->cached->kind == STS_ENTRY_POLICY)
			next.entry = *f->cached;
		else
			next.entry.kind = STS_ENTRY_UNASKED;
		next.entry.why = f->txt_why;
	}
	back_off(f, &next.entry);
	next.keep = STS_KEEP_ENTRY;
	return next;
}

/* The policy stays, and the record was seen or seen to be missing now. */
static struct sts_next
keep_policy(const struct sts_facts *f, enum sts_reason why)
{
	struct sts_next next = answer_cached(f);

	next.entry.checked = f->now;
	next.entry.tried = next.entry.retry = 0;
	next.entry.why = why;
	next.keep = STS_KEEP_ENTRY;
	return next;
}

static struct sts_next
no_record(const struct sts_facts *f)
{
	int64_t ttl = f->ttl;
	struct sts_next next;

	if (live(f)) /* RFC 8461 3.3: a missing record does not remove a policy
		      */
		return keep_policy(f, f->txt_why);
	if (ttl < STS_NONE_MIN)
		ttl = STS_NONE_MIN;
	next = answer(STS_USE_NONE);
	next.entry.kind = STS_ENTRY_NONE;
	next.entry.why = f->txt_why;
	next.entry.checked = f->now;
	next.entry.until = f->now + min64(ttl, STS_NONE_MAX);
	next.keep = STS_KEEP_ENTRY;
	return next;
}

/* No policy to be had for a record that is there: RFC 8461 3.3, as without STS.
 */
static struct sts_next
no_policy(const struct sts_facts *f, int64_t failed, uint32_t id,
    enum sts_reason why)
{
	struct sts_next next = answer(STS_USE_NONE);

	next.entry.kind = STS_ENTRY_NO_FETCH;
	next.entry.why = why;
	next.entry.checked = f->now;
	next.entry.failed = failed;
	next.entry.failed_id = id;
	next.keep = STS_KEEP_ENTRY;
	return next;
}

static struct sts_next
found(const struct sts_facts *f)
{
	const struct sts_entry *c = f->cached;

	if (live(f)) {
		if (silent(f))
			return keep_policy(f, c->why);
		if (strcmp(f->id, c->id) == 0 && !f->must_fetch &&
		    !sts_decide_fetch_due(f))
			return keep_policy(f, STS_WHY_NOTHING);
	} else if (silent(f))
		return no_policy(f, c->failed, c->failed_id, c->why);
	return (struct sts_next){ .act = STS_ACT_FETCH };
}

/* --- With the outcome of the GET ---------------------------------------- */

static struct sts_next
got_policy(const struct sts_facts *f)
{
	struct sts_next next = answer(STS_USE_ENTRY);

	next.entry.kind = STS_ENTRY_POLICY;
	memcpy(next.entry.id, f->id, strlen(f->id) + 1);
	next.entry.fetched = next.entry.checked = f->now;
	next.entry.until = f->now + min64(f->max_age, STS_MAX_AGE_MAX);
	next.entry.body = f->body;
	next.keep = STS_KEEP_ENTRY;
	return next;
}

static struct sts_next
got_nothing(const struct sts_facts *f)
{
	struct sts_next next;

	if (!live(f))
		return no_policy(f, f->now, sts_id_hash(f->id), f->fetch_why);
	next =
	    keep_policy(f, f->fetch_why); /* RFC 8461 3.3: the old one stays */
	next.entry.failed = f->now;
	next.entry.failed_id = sts_id_hash(f->id);
	/* A clock set back must not stretch what it cannot renew. */
	if (next.entry.fetched > f->now + STS_CLOCK_SLACK) {
		next.entry.until -= next.entry.fetched - f->now;
		next.entry.fetched = f->now;
	}
	return next;
}

static struct sts_next
got_local(const struct sts_facts *f)
{
	struct sts_next next;

	if (!live(f))
		return answer(STS_USE_LOCAL);
	next = answer_cached(f);
	back_off(f, &next.entry); /* a fault of ours may last */
	next.keep = STS_KEEP_ENTRY;
	return next;
}

struct sts_next
sts_decide(const struct sts_facts *f)
{
	switch (f->txt) {
	case STS_TXT_NOT_ASKED:
		return before_look(f);
	case STS_TXT_TEMPFAIL:
		return could_not_look(f);
	case STS_TXT_NONE:
	case STS_TXT_INVALID:
		return no_record(f);
	case STS_TXT_FOUND:
		break;
	}
	switch (f->fetch) {
	case STS_FETCH_NOT_TRIED:
		return found(f);
	case STS_FETCH_POLICY:
		return got_policy(f);
	case STS_FETCH_FAILED:
		return got_nothing(f);
	case STS_FETCH_LOCAL:
		break;
	}
	return got_local(f);
}

enum sts_verdict
sts_override(enum sts_domain_mode conf, enum sts_verdict published,
    enum sts_mode *mode)
{
	if (published != STS_POLICY)
		*mode = STS_MODE_NONE;
	switch (conf) {
	case STS_DOMAIN_FOLLOW:
		break;
	case STS_DOMAIN_OFF:
		*mode = STS_MODE_NONE;
		return STS_NO_POLICY;
	case STS_DOMAIN_TESTING:
		if (*mode == STS_MODE_ENFORCE)
			*mode = STS_MODE_TESTING;
		break;
	case STS_DOMAIN_ENFORCE:
		if (published != STS_POLICY || *mode == STS_MODE_NONE) {
			*mode = STS_MODE_NONE;
			return STS_MUST_WAIT;
		}
		*mode = STS_MODE_ENFORCE;
		break;
	}
	return published;
}
