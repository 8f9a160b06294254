/* SPDX-License-Identifier: ISC */
/* Does this host get through to policy hosts at all? */
#ifndef WORKER_OUTBOUND_H
#define WORKER_OUTBOUND_H

#include "cache/cache.h"
#include "rules/http_reply.h"

/*
 * Note how a GET of the domain's policy ended.  Where the policy hosts of many
 * owners in a row could not be connected to, the log says so once an hour, and
 * mtasts(1) shows it.  Each remains a failure to fetch, RFC 8461 3.3.
 */
void outbound_note(struct sts_store *, const char *domain, enum sts_reach,
    int64_t now);

#endif
