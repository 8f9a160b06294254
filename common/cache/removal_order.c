/* SPDX-License-Identifier: ISC */
#include "removal_order.h"

#include <stdlib.h>
#include <string.h>

/* Where the label begins that ends before end. */
static const char *
label_before(const char *name, const char *end)
{
	while (end > name && end[-1] != '.')
		end--;
	return end;
}

struct sts_str
sts_owner_of(const char *name)
{
	const char *end = name + strcspn(name, "~");
	const char *top = label_before(name, end), *p = top;

	if (p > name)
		p = label_before(name, p - 1);
	if (p > name && end - top == 2 && top - 1 - p <= 3)
		p = label_before(name, p - 1);
	return (struct sts_str){ p, (size_t)(end - p) };
}

static int
by_owner(const struct sts_removable *x, const struct sts_removable *y)
{
	struct sts_str a = sts_owner_of(x->name), b = sts_owner_of(y->name);

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
