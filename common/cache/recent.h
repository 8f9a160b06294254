/* SPDX-License-Identifier: ISC */
/*
 * Policies of the cache that a process of long life has read lately.  One is
 * good as long as its file is, by one look at the file, the same in the same
 * state: an answer is never older than the file.
 */
#ifndef STS_CACHE_RECENT_H
#define STS_CACHE_RECENT_H

#include "cache.h"

struct sts_recent;

enum {
	/*
	 * s.  A file as young as that may change once more without a change
	 * of its times, which have the grain of a clock tick, or on some file
	 * systems of two seconds.
	 */
	STS_RECENT_SETTLED = 3,
	STS_RECENT_BODY_MAX = 1024 /* bytes; few are as large */
};

/*
 * Was it read, and is it unchanged?  Then loaded has the entry, without its
 * body, and *policy is the caller's.  The caller has the owner's ids.
 */
bool sts_recent_recall(struct sts_recent *, const struct sts_store *,
    const char *path, const char *domain, struct sts_loaded *,
    struct sts_policy **policy);

/* Remember, in place of another; *memo may be NULL before.  Never needed. */
void sts_recent_keep(struct sts_recent **memo, const char *domain,
    const struct sts_loaded *, struct sts_policy *, int64_t now);

void sts_recent_free(struct sts_recent *); /* NULL is fine */

#endif
