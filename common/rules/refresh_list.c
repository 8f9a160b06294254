/* SPDX-License-Identifier: ISC */
#include "refresh_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "decide.h"

static int64_t
max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t
sts_refresh_failed(const struct sts_entry *e)
{
	int64_t t = max64(e->tried, e->failed);

	if (e->why != STS_WHY_NOTHING)
		t = max64(t, e->checked);
	return t > e->fetched ? t : 0;
}

/* 0 to 1023, another one after each GET. */
static unsigned
spread(const char *domain, int64_t fetched)
{
	uint64_t h = sts_hash(str_of(domain));

	return sts_hash_fold((h ^ (uint64_t)fetched) * 1099511628211u) % 1024;
}

bool
sts_refresh_due(const struct sts_entry *e, const char *domain, int64_t used,
    int64_t now)
{
	int64_t span = (e->until - e->fetched) / 2;

	if (e->kind != STS_ENTRY_POLICY || now >= e->until ||
	    now - used >= STS_REFRESH_USED ||
	    sts_within(now, sts_refresh_failed(e), STS_REFRESH_RETRY))
		return false;
	if (span > STS_REFETCH_MAX)
		span = STS_REFETCH_MAX;
	span = span / 2 + span * 3 / 8 * spread(domain, e->fetched) / 1024;
	return !sts_within(now, e->fetched, span);
}

static int
compare(const void *a, const void *b)
{
	const struct sts_refresh_item *x = a, *y = b;

	if (x->failing != y->failing)
		return x->failing - y->failing;
	return (x->until > y->until) - (x->until < y->until);
}

void
sts_refresh_list_order(struct sts_refresh_list *l)
{
	if (l->n > 0)
		qsort(l->item, l->n, sizeof *l->item, compare);
	for (; l->n > l->most; l->over++)
		free(l->item[--l->n].domain);
}

/* With twice the room only each most-th addition has to sort. */
bool
sts_refresh_list_add(struct sts_refresh_list *l, const char *domain,
    const struct sts_entry *e)
{
	size_t size = strlen(domain) + 1,
	       room = l->room == 0 ? 64 : 2 * l->room;
	struct sts_refresh_item *more;
	char *copy;

	if (l->n == 2 * l->most)
		sts_refresh_list_order(l);
	if (l->n == l->room) {
		more = reallocarray(l->item, room, sizeof *more);
		if (more == NULL)
			return false;
		l->item = more;
		l->room = room;
	}
	if ((copy = malloc(size)) == NULL)
		return false;
	memcpy(copy, domain, size);
	l->item[l->n++] = (struct sts_refresh_item){ e->until,
		sts_refresh_failed(e) != 0, copy };
	return true;
}

void
sts_refresh_list_clear(struct sts_refresh_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->item[i].domain);
	free(l->item);
	*l = (struct sts_refresh_list){ .most = l->most };
}
