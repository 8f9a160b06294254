/* SPDX-License-Identifier: ISC */
/*
 * The life of a domain in the worker: lock, cache, TXT record, addresses,
 * GET, decision, cache.  Many at once in one event loop.
 */
#ifndef MTASTS_WORKER_ENGINE_H
#define MTASTS_WORKER_ENGINE_H

#include "conf.h"
#include "decide.h"
#include "pipe.h"
#include "store.h"

struct event_base;
struct engine;

struct engine_result {
	enum sts_use use;
	const struct sts_entry *entry;
	const char *note;  /* details for people; may be "" */
	const char *fault; /* where use is STS_USE_LOCAL_FAULT */
};

/* Who waits for a domain.  All is lent for the time of the call. */
struct engine_waiter {
	void (*stage)(void *arg, enum sts_stage); /* NULL: not of interest */
	void (
	    *done)(void *arg, const char *domain, const struct engine_result *);
	void *arg;
};

struct sts_spool;

/*
 * conf, store and spool are lent and must outlive the engine.  spool: of TLS
 * reports; NULL: there are none.
 */
struct engine *engine_new(struct event_base *, const struct sts_conf *,
    struct sts_store *, struct sts_spool *, struct sts_err *err);
void engine_free(struct engine *); /* NULL is fine; nobody is called */

/*
 * Look at a domain (sts_domain_normal() form), which must not be at work
 * already; prefetch.h shares work among askers.  flags: STS_FRESH and
 * STS_REFETCH.  done is called once, at the latest after fetch_timeout
 * and what questions and GET have to wait for their turn among others, perhaps
 * from within this call where there is no memory.
 */
void engine_add(struct engine *, const char *domain, unsigned flags,
    const struct engine_waiter *);

size_t engine_jobs(const struct engine *);

#endif
