/* SPDX-License-Identifier: ISC */
/*
 * Sessions of a day, added up for RFC 8460 4.4.
 *
 * A table of domains, which are sorted when they are handed out, or when they
 * are too many: then those with the last names are dropped and left to another
 * pass.  Each pass ends with at least one domain done.
 */
#include "totals.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include <mtasts/session.h>

enum {
	OVERHEAD = 16,   /* of malloc(3) for each block */
	BUCKETS_MIN = 64 /* a power of 2 */
};

struct row {
	struct sts_totals_row pub;
	struct row *next;
	uint64_t hash;
	char text[];
};

struct policy {
	struct sts_totals_policy pub;
	struct policy *next;
	struct row *row, *last;
	unsigned nrow;
	char id[STS_ID_SIZE];
};

struct domain {
	struct sts_totals_domain pub;
	struct domain *next; /* in its bucket */
	struct policy *policy, *last;
	unsigned npolicy;
	uint64_t hash;
	char name[];
};

struct bound {
	size_t len; /* 0: none */
	char name[STS_NAME_SIZE];
};

struct sts_totals {
	size_t memory, used;
	uint64_t seed;
	struct domain **bucket;
	struct domain **sorted; /* as many as there are buckets */
	size_t nbucket, n;
	size_t next;           /* of sorted, when they are handed out */
	bool handing;          /* they are */
	struct bound from, to; /* of this pass: from <= name < to */
	struct sts_totals_sums sums;
};

/* --- Names ---------------------------------------------------------------- */

static struct sts_str
bound_str(const struct bound *b)
{
	return (struct sts_str){ b->name, b->len };
}

static int
compare(struct sts_str a, struct sts_str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int c = len == 0 ? 0 : memcmp(a.p, b.p, len);

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static bool
same(struct sts_str a, struct sts_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static bool
in_range(const struct sts_totals *t, struct sts_str name)
{
	return compare(name, bound_str(&t->from)) >= 0 &&
	    (t->to.len == 0 || compare(name, bound_str(&t->to)) < 0);
}

static int
by_name(const void *a, const void *b)
{
	const struct domain *const *x = a, *const *y = b;

	return compare((*x)->pub.name, (*y)->pub.name);
}

/* --- Memory --------------------------------------------------------------- */

/* Zeroed; NULL where there is none. */
static void *
take(struct sts_totals *t, size_t size)
{
	void *p = calloc(1, size);

	if (p != NULL)
		t->used += size + OVERHEAD;
	return p;
}

static void
give(struct sts_totals *t, void *p, size_t size)
{
	t->used -= size + OVERHEAD;
	free(p);
}

static size_t
text_len(const struct sts_totals_row *r)
{
	return r->sending_ip.len + r->mx_host.len + r->mx_helo.len +
	    r->receiving_ip.len + r->reason.len + r->cert.len;
}

static void
free_domain(struct sts_totals *t, struct domain *d)
{
	struct policy *p, *next_policy;
	struct row *r, *next_row;

	for (p = d->policy; p != NULL; p = next_policy) {
		next_policy = p->next;
		for (r = p->row; r != NULL; r = next_row) {
			next_row = r->next;
			give(t, r, sizeof *r + text_len(&r->pub));
		}
		give(t, p, sizeof *p);
	}
	give(t, d, sizeof *d + d->pub.name.len);
}

static void
free_all(struct sts_totals *t)
{
	struct domain *d, *next;

	for (size_t i = 0; i < t->nbucket; i++) {
		for (d = t->bucket[i]; d != NULL; d = next) {
			next = d->next;
			free_domain(t, d);
		}
		t->bucket[i] = NULL;
	}
	t->n = 0;
}

enum sts_rc
sts_totals_new(struct sts_totals **out, size_t memory, uint64_t seed,
    struct sts_err *err)
{
	struct sts_totals *t = calloc(1, sizeof *t);

	*out = t;
	if (t == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	t->memory = memory;
	t->seed = STS_HASH_START ^ seed;
	t->sums.passes = 1;
	return STS_OK;
}

void
sts_totals_free(struct sts_totals *t)
{
	if (t == NULL)
		return;
	free_all(t);
	free(t->bucket);
	free(t->sorted);
	free(t);
}

/* --- The table ------------------------------------------------------------ */

static struct domain **
bucket_of(const struct sts_totals *t, uint64_t hash)
{
	return &t->bucket[(hash ^ hash >> 32) & (t->nbucket - 1)];
}

static void
put_domain(struct sts_totals *t, struct domain *d)
{
	struct domain **b = bucket_of(t, d->hash);

	d->next = *b;
	*b = d;
}

/* All of them in t->sorted, in the order of their names. */
static void
sort(struct sts_totals *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->nbucket; i++)
		for (struct domain *d = t->bucket[i]; d != NULL; d = d->next)
			t->sorted[n++] = d;
	if (n > 1)
		qsort(t->sorted, n, sizeof t->sorted[0], by_name);
}

/* Room for one domain more. */
static bool
grow(struct sts_totals *t)
{
	size_t nbucket = t->nbucket == 0 ? BUCKETS_MIN : 2 * t->nbucket;
	struct domain **bucket, **sorted, **old = t->bucket, *d, *next;
	size_t nold = t->nbucket;

	if (t->n < t->nbucket)
		return true;
	/* Before the table, so that failing changes nothing. */
	sorted = reallocarray(t->sorted, nbucket, sizeof *sorted);
	if (sorted == NULL)
		return false;
	t->sorted = sorted;
	bucket = calloc(nbucket, sizeof *bucket);
	if (bucket == NULL)
		return false;
	/* Sorting takes as much as t->sorted once more. */
	t->used += (nbucket - nold) * 3 * sizeof *bucket;
	t->bucket = bucket;
	t->nbucket = nbucket;
	for (size_t i = 0; i < nold; i++)
		for (d = old[i]; d != NULL; d = next) {
			next = d->next;
			put_domain(t, d);
		}
	free(old);
	return true;
}

/*
 * Too much memory: the last names are left to another pass.  What the table
 * itself takes cannot be given back, so it does not count.
 */
static void
drop(struct sts_totals *t)
{
	size_t table = t->nbucket * 3 * sizeof *t->bucket;
	size_t aim = table + (t->memory > table ? t->memory - table : 0) / 2;
	size_t n = t->n;
	struct domain *d;

	sort(t);
	for (; n > 1 && t->used > aim; n--) {
		d = t->sorted[n - 1];
		t->to.len = d->pub.name.len;
		memcpy(t->to.name, d->name, t->to.len);
		free_domain(t, d);
	}
	t->n = n;
	memset(t->bucket, 0, t->nbucket * sizeof *t->bucket);
	for (size_t i = 0; i < n; i++)
		put_domain(t, t->sorted[i]);
}

/* --- Counting ------------------------------------------------------------- */

static struct domain *
find_domain(struct sts_totals *t, struct sts_str name)
{
	uint64_t hash = sts_hash_more(t->seed, name);
	struct domain *d;

	if (t->nbucket > 0)
		for (d = *bucket_of(t, hash); d != NULL; d = d->next)
			if (d->hash == hash && same(d->pub.name, name))
				return d;
	if (!grow(t) || (d = take(t, sizeof *d + name.len)) == NULL)
		return NULL;
	memcpy(d->name, name.p, name.len);
	d->pub.name = (struct sts_str){ d->name, name.len };
	d->hash = hash;
	put_domain(t, d);
	t->n++;
	return d;
}

static struct policy *
new_policy(struct sts_totals *t, struct domain *d, const struct sts_session *s,
    bool other)
{
	struct policy *p = take(t, sizeof *p);

	if (p == NULL)
		return NULL;
	p->pub.type = s->type;
	p->pub.other = other;
	p->pub.mode = s->mode;
	if (!other && s->id.len < sizeof p->id) {
		memcpy(p->id, s->id.p, s->id.len);
		p->pub.id = (struct sts_str){ p->id, s->id.len };
	} else
		p->pub.id = str_of("");
	if (d->last == NULL) {
		d->policy = p;
		d->pub.policy = &p->pub;
	} else {
		d->last->next = p;
		d->last->pub.next = &p->pub;
	}
	d->last = p;
	d->npolicy += !other;
	return p;
}

static struct policy *
find_policy(struct sts_totals *t, struct domain *d, const struct sts_session *s)
{
	struct policy *other = NULL;

	for (struct policy *p = d->policy; p != NULL; p = p->next) {
		if (p->pub.type != s->type)
			continue;
		if (p->pub.other)
			other = p;
		else if (same(p->pub.id, s->id))
			return p;
	}
	if (d->npolicy < STS_TOTALS_POLICIES_MAX)
		return new_policy(t, d, s, false);
	return other != NULL ? other : new_policy(t, d, s, true);
}

/* One of its strings, into the row's own bytes. */
static char *
keep(char *to, struct sts_str *s)
{
	if (s->len > 0)
		memcpy(to, s->p, s->len);
	s->p = to;
	return to + s->len;
}

static struct row *
new_row(struct sts_totals *t, struct policy *p,
    const struct sts_totals_row *like, uint64_t hash)
{
	struct row *r = take(t, sizeof *r + text_len(like));
	char *to;

	if (r == NULL)
		return NULL;
	r->pub = *like;
	r->hash = hash;
	to = keep(r->text, &r->pub.sending_ip);
	to = keep(to, &r->pub.mx_host);
	to = keep(to, &r->pub.mx_helo);
	to = keep(to, &r->pub.receiving_ip);
	to = keep(to, &r->pub.reason);
	keep(to, &r->pub.cert);
	if (p->last == NULL) {
		p->row = r;
		p->pub.row = &r->pub;
	} else {
		p->last->next = r;
		p->last->pub.next = &r->pub;
	}
	p->last = r;
	p->nrow += !like->other;
	return r;
}

static bool
row_same(const struct sts_totals_row *a, const struct sts_totals_row *b)
{
	return a->result == b->result && a->other == b->other &&
	    same(a->cert, b->cert) && same(a->sending_ip, b->sending_ip) &&
	    same(a->mx_host, b->mx_host) && same(a->mx_helo, b->mx_helo) &&
	    same(a->receiving_ip, b->receiving_ip) &&
	    same(a->reason, b->reason);
}

static uint64_t
row_hash(const struct sts_totals *t, const struct sts_totals_row *r)
{
	uint64_t h = sts_hash_more(sts_hash_more(t->seed, r->cert), r->mx_helo);

	h = sts_hash_more(h + r->result, r->mx_host);
	h = sts_hash_more(h, r->receiving_ip);
	h = sts_hash_more(h, r->sending_ip);
	return sts_hash_more(h + r->other, r->reason);
}

static struct row *
look_up(const struct policy *p, const struct sts_totals_row *like,
    uint64_t hash)
{
	for (struct row *r = p->row; r != NULL; r = r->next)
		if (r->hash == hash && row_same(&r->pub, like))
			return r;
	return NULL;
}

static struct row *
find_row(struct sts_totals *t, struct policy *p, const struct sts_session *s)
{
	struct sts_totals_row like = {
		.result = s->result,
		.sending_ip = s->sending_ip,
		.mx_host = s->mx_host,
		.mx_helo = s->mx_helo,
		.receiving_ip = s->receiving_ip,
		.reason = s->reason,
		.cert = s->cert,
		.time = s->time,
	};
	uint64_t hash = row_hash(t, &like);
	struct row *r = look_up(p, &like, hash);

	if (r != NULL)
		return r;
	if (p->nrow < STS_TOTALS_ROWS_MAX)
		return new_row(t, p, &like, hash);
	/* Nothing of what a stranger may vary. */
	like = (struct sts_totals_row){ .result = s->result, .other = true };
	hash = row_hash(t, &like);
	r = look_up(p, &like, hash);
	return r != NULL ? r : new_row(t, p, &like, hash);
}

static enum sts_rc
count(struct sts_totals *t, const struct sts_session *s)
{
	struct domain *d = find_domain(t, s->domain);
	struct policy *p = d == NULL ? NULL : find_policy(t, d, s);
	struct row *r;

	if (p == NULL)
		return STS_NOMEM;
	if (s->result == STS_SESSION_OK)
		p->pub.success++; /* RFC 8460 4.2.1 */
	else {                    /* RFC 8460 4.2.2 */
		if ((r = find_row(t, p, s)) == NULL)
			return STS_NOMEM;
		r->pub.count++;
		p->pub.failure++;
	}
	if (s->time > p->pub.last)
		p->pub.last = s->time;
	return STS_OK;
}

enum sts_rc
sts_totals_line(struct sts_totals *t, char *line, size_t len)
{
	bool first = t->sums.passes == 1;
	struct sts_session s;
	struct sts_str name;
	enum sts_rc rc = STS_OK;

	if (!first &&
	    sts_session_domain((struct sts_str){ line, len }, &name) &&
	    !in_range(t, name))
		return STS_OK;
	if (!sts_session_decode(&s, line, len)) {
		t->sums.odd += first;
		return STS_INVALID;
	}
	t->sums.sessions += first;
	if (in_range(t, s.domain))
		rc = count(t, &s);
	if (t->used > t->memory && t->n > 1)
		drop(t);
	return rc;
}

/* --- Handing out ---------------------------------------------------------- */

const struct sts_totals_domain *
sts_totals_next(struct sts_totals *t)
{
	if (!t->handing) {
		sort(t);
		t->handing = true;
		t->next = 0;
	}
	return t->next < t->n ? &t->sorted[t->next++]->pub : NULL;
}

bool
sts_totals_again(struct sts_totals *t)
{
	if (t->to.len == 0)
		return false;
	free_all(t);
	t->from = t->to;
	t->to.len = 0;
	t->handing = false;
	t->sums.passes++;
	return true;
}

struct sts_totals_sums
sts_totals_sums(const struct sts_totals *t)
{
	return t->sums;
}
