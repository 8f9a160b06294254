/* SPDX-License-Identifier: ISC */
#include "rua_records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/scan.h"
#include "net/owner_keys.h"
#include <mtasts/session.h>

enum {
	BUCKETS = 4096,
	/* Fewer than the resolver asks at once: in its queue a question may
	 * time out behind those of others. */
	OPEN_MAX = 40,
	UNANSWERED_MAX = 16,    /* questions of one owner, open or in vain */
	PATIENCE = 2000,        /* ms that are waited for answers at a time */
	PATIENCE_LEAST = 50,    /* ms, when the sum is used up */
	PATIENCE_IN_SUM = 15000 /* ms, in a run */
};

struct rua_record {
	struct rua_record *next;
	struct rua_records *all;
	struct rua_owner *owner;
	enum { NEW, ASKED, ANSWERED } state;
	enum sts_rc rc;
	char *text; /* of STS_OK */
	char domain[];
};

struct rua_records {
	struct program *program;
	struct owner_keys keys;
	int64_t patience; /* ms that are left */
	unsigned open;    /* questions without an answer */
	struct rua_record *bucket[BUCKETS];
	struct rua_owner *owner[BUCKETS];
};

struct rua_records *
rua_records_new(struct program *p)
{
	struct rua_records *all = calloc(1, sizeof *all);

	if (all == NULL)
		return NULL;
	all->program = p;
	all->patience = PATIENCE_IN_SUM;
	owner_keys_init(&all->keys);
	return all;
}

void
rua_records_free(struct rua_records *all)
{
	struct rua_record *r, *next;
	struct rua_owner *o, *other;

	if (all == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (r = all->bucket[i]; r != NULL; r = next) {
			next = r->next;
			free(r->text);
			free(r);
		}
		for (o = all->owner[i]; o != NULL; o = other) {
			other = o->next;
			free(o);
		}
	}
	free(all);
}

/* --- Finding ----------------------------------------------------------------
 */

static struct rua_owner *
find_owner(struct rua_records *all, const char *domain)
{
	uint64_t key = owner_of_name(&all->keys, domain);
	struct rua_owner **p = &all->owner[key / 2 % BUCKETS]; /* it is odd */

	while (*p != NULL && (*p)->key != key)
		p = &(*p)->next;
	if (*p == NULL && (*p = calloc(1, sizeof **p)) != NULL)
		(*p)->key = key;
	return *p;
}

struct rua_record *
rua_records_find(struct rua_records *all, const char *domain)
{
	uint64_t h = sts_hash(str_of(domain));
	struct rua_record **p = &all->bucket[h % BUCKETS], *r;
	size_t size = strlen(domain) + 1;

	while (*p != NULL && strcmp((*p)->domain, domain) != 0)
		p = &(*p)->next;
	if (*p != NULL)
		return *p;
	r = calloc(1, sizeof *r + size);
	if (r == NULL)
		return NULL;
	r->all = all;
	r->rc = STS_TEMPFAIL;
	memcpy(r->domain, domain, size);
	if ((r->owner = find_owner(all, domain)) == NULL) {
		free(r);
		return NULL;
	}
	*p = r;
	return r;
}

struct rua_owner *
rua_record_owner(const struct rua_record *r)
{
	return r->owner;
}

void
rua_records_none_wait(struct rua_records *all)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct rua_owner *o = all->owner[i]; o != NULL;
		     o = o->next)
			o->waiting = 0;
}

enum sts_rc
rua_record_get(const struct rua_record *r, const char **text)
{
	*text = r->text;
	return r->rc;
}

/* --- Asking -----------------------------------------------------------------
 */

static bool
in_record(char c)
{
	return is_print(c) || c == '\t';
}

/* The record that the URIs were found in. */
static char *
text_of(const struct dns_answer *a, const struct sts_tlsrpt *found)
{
	for (size_t i = 0; i < a->n; i++) {
		struct sts_str txt = a->txt[i];

		if (found->rua[0].p >= txt.p &&
		    found->rua[0].p < txt.p + txt.len &&
		    str_all(txt, in_record))
			return strndup(txt.p, txt.len);
	}
	return NULL;
}

static void
answered(void *arg, const struct dns_answer *a)
{
	struct rua_record *r = arg;
	struct sts_tlsrpt found;

	r->state = ANSWERED;
	r->owner->open--;
	r->all->open--;
	if (a->outcome == DNS_TEMPFAIL) {
		r->owner->failed++;
		return; /* as it was before it was asked */
	}
	r->owner->slow = false;
	if (a->outcome != DNS_FOUND ||
	    sts_tlsrpt_select(&found, a->txt, a->n, NULL, NULL, NULL) != STS_OK)
		r->rc = STS_ABSENT;
	else if ((r->text = text_of(a, &found)) != NULL)
		r->rc = STS_OK;
}

static bool
ask(struct rua_record *r)
{
	const struct program *p = r->all->program;
	char name[STS_NAME_SIZE + 12];

	snprintf(name, sizeof name, "_smtp._tls.%s", r->domain);
	if (!dns_ask(p->dns, DNS_TXT, name, p->conf->dns_timeout, answered, r))
		return false;
	r->state = ASKED;
	r->owner->open++;
	r->all->open++;
	return true;
}

/* May an answer still come, or a place for the question? */
static bool
may_be_answered(const struct rua_record *r, bool slow)
{
	const struct rua_owner *o = r->owner;

	if (r->state == NEW && o->open + o->failed < UNANSWERED_MAX)
		return r->all->open > 0;
	return r->state != ANSWERED && o->open > 0 && (slow || !o->slow);
}

/* Ask what may be asked now.  *n: how many there is some hope for. */
static bool
ask_some(struct rua_record *const *r, size_t nr, bool slow, size_t *n)
{
	for (size_t i = 0; i < nr; i++)
		if (r[i]->state == NEW && r[i]->all->open < OPEN_MAX &&
		    r[i]->owner->open + r[i]->owner->failed < UNANSWERED_MAX &&
		    !ask(r[i]))
			return false;
	*n = 0;
	for (size_t i = 0; i < nr; i++)
		*n += may_be_answered(r[i], slow);
	return true;
}

/* Until so many ms later, at most. */
static bool
ask_and_wait(struct rua_records *all, struct rua_record *const *r, size_t n,
    int64_t ms, bool slow)
{
	int64_t until = sts_now_ms() + ms;
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	size_t left;

	if (!ask_some(r, n, slow, &left))
		return false;
	/* Where this comes too late, another loop ends once for nothing. */
	if (left > 0 && event_base_loopexit(all->program->base, &tv) != 0)
		return false;
	while (left > 0 && sts_now_ms() < until)
		if (event_base_loop(all->program->base, EVLOOP_ONCE) != 0 ||
		    !ask_some(r, n, slow, &left))
			return false;
	return true;
}

bool
rua_records_ask(struct rua_records *all, struct rua_record *const *r, size_t n)
{
	int64_t begin = sts_now_ms(), ms = all->patience;
	bool good;

	if (ms > PATIENCE)
		ms = PATIENCE;
	if (ms < PATIENCE_LEAST)
		ms = PATIENCE_LEAST;
	good = ask_and_wait(all, r, n, ms, false);
	all->patience -= sts_now_ms() - begin;
	for (size_t i = 0; i < n && good; i++)
		if (r[i]->state == ASKED)
			r[i]->owner->slow = true;
	return good;
}

bool
rua_records_ask_slow(struct rua_records *all, struct rua_record *const *r,
    size_t n, int64_t until)
{
	int64_t ms = until - sts_now_ms();

	return ask_and_wait(all, r, n, ms > 0 ? ms : 0, true);
}
