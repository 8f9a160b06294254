/* SPDX-License-Identifier: ISC */
#include "removal_order.h"

#include <stdlib.h>
#include <string.h>

#include "base/domain_name.h"

static struct sts_str
owner_of(const char *file)
{
	return sts_domain_owner((struct sts_str){ file, strcspn(file, "~") });
}

static int
by_owner(const struct sts_removable *x, const struct sts_removable *y)
{
	struct sts_str a = owner_of(x->name), b = owner_of(y->name);

	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return memcmp(a.p, b.p, a.len);
}

/* An owner's together, the best first. */
static int
by_owner_and_worth(const void *a, const void *b)
{
	const struct sts_removable *x = a, *y = b;
	int c = by_owner(x, y);

	if (c != 0)
		return c;
	if (x->worth != y->worth)
		return x->worth > y->worth ? -1 : 1;
	return (x->used < y->used) - (x->used > y->used);
}

static int
by_loss(const void *a, const void *b)
{
	const struct sts_removable *x = a, *y = b;

	if (x->worth != y->worth)
		return x->worth < y->worth ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return (x->used > y->used) - (x->used < y->used);
}

void
sts_removal_order(struct sts_removable *row, size_t n)
{
	qsort(row, n, sizeof *row, by_owner_and_worth);
	for (size_t i = 0; i < n; i++)
		row[i].rank = i > 0 && by_owner(&row[i - 1], &row[i]) == 0
		    ? row[i - 1].rank + 1
		    : 0;
	qsort(row, n, sizeof *row, by_loss);
}
