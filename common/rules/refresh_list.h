/* SPDX-License-Identifier: ISC */
/*
 * The daily refresh, RFC 8461 3.3 and 10.2: which policies are due, and in
 * which order they are fetched.  Pure.
 */
#ifndef STS_RULES_REFRESH_LIST_H
#define STS_RULES_REFRESH_LIST_H

#include "entry.h"

enum {
	/* Mail that goes out once a month is protected too; what has had none
	 * for longer is fetched anew when it has. */
	STS_REFRESH_USED = 35 * 86400,
	/* s between two attempts that fail; less than the hour between runs */
	STS_REFRESH_RETRY = 3000
};

/*
 * Is the policy in use and its next GET due?  Each is due at another time, from
 * half of a day to seven eighths after the last GET, so that policies fetched
 * together do not stay together, and an hourly run keeps within the day.
 * Half the policy's life counts for a day where that is shorter.
 */
bool sts_refresh_due(const struct sts_entry *, const char *domain, int64_t used,
    int64_t now);

/* When the last attempt to renew the policy failed; 0: it did not. */
int64_t sts_refresh_failed(const struct sts_entry *);

struct sts_refresh_item {
	int64_t until;
	bool failing;
	char *domain; /* the list's */
};

/* Zeroed but for most; what is over most is counted, and is not there. */
struct sts_refresh_list {
	size_t most, n, over, room;
	struct sts_refresh_item *item;
};

/* False: out of memory. */
bool sts_refresh_list_add(struct sts_refresh_list *, const char *domain,
    const struct sts_entry *);

/*
 * First those that expire first.  Behind them, in the same order, those whose
 * last attempt failed: policy hosts that stall must not keep others waiting.
 */
void sts_refresh_list_order(struct sts_refresh_list *);
void sts_refresh_list_clear(struct sts_refresh_list *);

#endif
