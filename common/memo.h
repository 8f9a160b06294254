/* SPDX-License-Identifier: ISC */
/*
 * Policies of the cache that a process of long life has read lately.  One is
 * good as long as its file is, by one look at the file, the same in the same
 * state: an answer is never older than the file.
 */
#ifndef STS_MEMO_H
#define STS_MEMO_H

#include "store.h"

struct sts_memo;

enum {
	/*
	 * s.  A file as young as that may change once more without a change
	 * of its times, which have the grain of a clock tick, or on some file
	 * systems of two seconds.
	 */
	STS_MEMO_SETTLED = 3,
	STS_MEMO_BODY_MAX = 1024 /* bytes; few are as large */
};

/*
 * Was it read, and is it unchanged?  Then slot has the entry, without its
 * body, and *policy is the caller's.  The caller has the owner's ids.
 */
bool sts_memo_recall(struct sts_memo *, const struct sts_store *,
    const char *path, const char *domain, struct sts_slot *,
    struct sts_policy **policy);

/* Remember, in place of another; *memo may be NULL before.  Never needed. */
void sts_memo_keep(struct sts_memo **memo, const char *domain,
    const struct sts_slot *, struct sts_policy *, int64_t now);

void sts_memo_free(struct sts_memo *); /* NULL is fine */

#endif
