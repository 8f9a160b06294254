/* SPDX-License-Identifier: ISC */
/*
 * The life of a domain in the worker: lock, cache, TXT record, addresses,
 * GET, decision, cache.  Many at once in one event loop.
 */
#ifndef WORKER_LOOKUP_H
#define WORKER_LOOKUP_H

#include "cache/cache.h"
#include "conf/conf.h"
#include "query/worker_protocol.h"
#include "rules/decide.h"

struct event_base;
struct lookups;

struct lookup_result {
	enum sts_use use;
	const struct sts_entry *entry;
	const char *note;  /* details for people; may be "" */
	const char *fault; /* where use is STS_USE_LOCAL */
};

/* Who waits for a domain.  All is lent for the time of the call. */
struct lookup_waiter {
	void (
	    *done)(void *arg, const char *domain, const struct lookup_result *);
	void *arg;
};

struct sts_spool;

/*
 * conf, store and spool are lent and must outlive the lookups.  spool: of TLS
 * reports; NULL: there are none.
 */
struct lookups *lookup_new(struct event_base *, const struct sts_conf *,
    struct sts_store *, struct sts_spool *, struct sts_err *err);
void lookup_free(struct lookups *); /* NULL is fine; nobody is called */

/* RENEW: fetch, if the daily GET is still due once the lock is ours, since
 * another process may have done it. */
enum { LOOKUP_LOOKS = STS_FRESH | STS_REFETCH | STS_QUESTION_RENEW };

/*
 * Look at a domain (sts_domain_normal() form), which must not be at work
 * already; domain_request.h shares work among askers.  flags: of
 * LOOKUP_LOOKS.  done is called once, at the latest after fetch_timeout
 * and what questions and GET have to wait for their turn among others, perhaps
 * from within this call where there is no memory.
 */
void lookup_add(struct lookups *, const char *domain, unsigned flags,
    const struct lookup_waiter *);

#endif
