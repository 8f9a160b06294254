/* SPDX-License-Identifier: ISC */
/* Which of the files of a full directory go first.  Pure: rows in, order out.
 */
#ifndef STS_CACHE_REMOVAL_ORDER_H
#define STS_CACHE_REMOVAL_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/scan.h"

/* What a file is worth, least first. */
enum sts_worth {
	STS_WORTH_NOTHING,   /* past its use */
	STS_WORTH_NO_POLICY, /* or one that was replaced */
	STS_WORTH_EXPIRED,   /* or an MX set */
	STS_WORTH_NEW,       /* a policy that came since the last look */
	STS_WORTH_IN_USE
};

struct sts_removable {
	enum sts_worth worth;
	unsigned units; /* of disk */
	unsigned rank;  /* among those of its owner, the best is 0 */
	int64_t used;
	char *name; /* a domain, and perhaps "~" and more */
};

/*
 * Sort them: the first goes first.  Of one worth, whoever has most loses first,
 * until all have the same number; then the least used.
 */
void sts_removal_order(struct sts_removable *, size_t n);

#endif
