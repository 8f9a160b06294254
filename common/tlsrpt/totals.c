/* SPDX-License-Identifier: ISC */
#include "totals.h"

#include <stdlib.h>

#include "base/hash.h"
#include <mtasts/session.h>

static bool
same(struct sts_str a, struct sts_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* --- Policies ------------------------------------------------------------- */

static struct sts_totals_policy *
new_policy(struct sts_totals *t, const struct sts_session *s, bool other)
{
	struct sts_totals_policy *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->type = s->type;
	p->other = other;
	p->mode = s->mode;
	if (!other && s->id.len < sizeof p->id)
		memcpy(p->id, s->id.p, s->id.len);
	if (t->last == NULL)
		t->policy = p;
	else
		t->last->next = p;
	t->last = p;
	t->npolicy += !other;
	return p;
}

static struct sts_totals_policy *
find_policy(struct sts_totals *t, const struct sts_session *s)
{
	struct sts_totals_policy *other = NULL;

	for (struct sts_totals_policy *p = t->policy; p != NULL; p = p->next) {
		if (p->type != s->type)
			continue;
		if (p->other)
			other = p;
		else if (str_is(s->id, p->id))
			return p;
	}
	if (t->npolicy < STS_TOTALS_POLICIES_MAX)
		return new_policy(t, s, false);
	return other != NULL ? other : new_policy(t, s, true);
}

/* --- Rows of a policy ------------------------------------------------------
 */

/* Only to pass over most rows: a stranger who made them alike saves nothing. */
static uint64_t
row_hash(const struct sts_totals_row *r)
{
	uint64_t h = sts_hash_more(sts_hash(r->cert) + r->result, r->mx_helo);

	h = sts_hash_more(h, r->mx_host);
	h = sts_hash_more(h, r->receiving_ip);
	h = sts_hash_more(h, r->sending_ip);
	return sts_hash_more(h + r->other, r->reason);
}

static bool
row_same(const struct sts_totals_row *a, const struct sts_totals_row *b)
{
	return a->hash == b->hash && a->result == b->result &&
	    a->other == b->other && same(a->sending_ip, b->sending_ip) &&
	    same(a->mx_host, b->mx_host) && same(a->mx_helo, b->mx_helo) &&
	    same(a->receiving_ip, b->receiving_ip) &&
	    same(a->reason, b->reason) && same(a->cert, b->cert);
}

/* One of its strings, into the row's own bytes. */
static char *
copy_text(char *to, struct sts_str *s)
{
	if (s->len > 0)
		memcpy(to, s->p, s->len);
	s->p = to;
	return to + s->len;
}

static struct sts_totals_row *
new_row(struct sts_totals_policy *p, const struct sts_totals_row *like)
{
	struct sts_totals_row *r = malloc(sizeof *r + like->sending_ip.len +
	    like->mx_host.len + like->mx_helo.len + like->receiving_ip.len +
	    like->reason.len + like->cert.len);
	char *to;

	if (r == NULL)
		return NULL;
	*r = *like;
	to = copy_text(r->text, &r->sending_ip);
	to = copy_text(to, &r->mx_host);
	to = copy_text(to, &r->mx_helo);
	to = copy_text(to, &r->receiving_ip);
	to = copy_text(to, &r->reason);
	copy_text(to, &r->cert);
	if (p->last_row == NULL)
		p->row = r;
	else
		p->last_row->next = r;
	p->last_row = r;
	p->nrow += !like->other;
	return r;
}

/* The row that is like it; NULL: there is none. */
static struct sts_totals_row *
find_like(const struct sts_totals_policy *p, struct sts_totals_row *like)
{
	struct sts_totals_row *r;

	like->hash = row_hash(like);
	for (r = p->row; r != NULL && !row_same(r, like); r = r->next)
		;
	return r;
}

static struct sts_totals_row *
find_row(struct sts_totals_policy *p, const struct sts_session *s)
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
	struct sts_totals_row *r = find_like(p, &like);

	if (r != NULL)
		return r;
	if (p->nrow < STS_TOTALS_ROWS_MAX)
		return new_row(p, &like);
	/* Nothing of what a stranger may vary. */
	like = (struct sts_totals_row){ .result = s->result, .other = true };
	r = find_like(p, &like);
	return r != NULL ? r : new_row(p, &like);
}

/* --- From outside ----------------------------------------------------------
 */

bool
sts_totals_add(struct sts_totals *t, const struct sts_session *s)
{
	struct sts_totals_policy *p = find_policy(t, s);
	struct sts_totals_row *r;

	if (p == NULL)
		return false;
	if (s->result == STS_SESSION_OK)
		p->success++; /* RFC 8460 4.2.1 */
	else {                /* RFC 8460 4.2.2 */
		if ((r = find_row(p, s)) == NULL)
			return false;
		r->count++;
		p->failure++;
	}
	if (s->time > p->last)
		p->last = s->time;
	return true;
}

void
sts_totals_clear(struct sts_totals *t)
{
	struct sts_totals_policy *p, *next_policy;
	struct sts_totals_row *r, *next_row;

	for (p = t->policy; p != NULL; p = next_policy) {
		next_policy = p->next;
		for (r = p->row; r != NULL; r = next_row) {
			next_row = r->next;
			free(r);
		}
		free(p);
	}
	*t = (struct sts_totals){ 0 };
}
