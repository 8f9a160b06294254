/* SPDX-License-Identifier: ISC */
/*
 * Domains fetched before they are needed: the policy, then, for hosts that
 * leave the choice of the MX host to us, the MX set and which of its hosts
 * take connections.  Many askers of one domain are one piece of work.
 */
#ifndef MTASTS_WORKER_PREFETCH_H
#define MTASTS_WORKER_PREFETCH_H

#include "engine.h"

struct prefetch;

/* Beside STS_FRESH and STS_REFETCH: the MX set too, where it is of use. */
enum { PREFETCH_MX = 1 << 8 };

/* Called once for each question, perhaps from within. */
typedef void prefetch_done(void *arg, const char *domain,
    const struct engine_result *);

/* engine is lent. */
struct prefetch *prefetch_new(struct engine *);
/* After the engine, which has questions of ours; nobody is called. */
void prefetch_free(struct prefetch *); /* NULL is fine */

/*
 * Ask for a domain (sts_domain_normal() form).  Who asks for the same while it
 * is under way shares the work; who wants more gets it, after that or beside
 * it.  done comes when all that was wished for is there: after the policy's
 * time (engine.h) at the latest, for the MX set two DNS questions and
 * REACH_MS later.
 */
void prefetch_ask(struct prefetch *, const char *domain, unsigned wish,
    prefetch_done *done, void *arg);

size_t prefetch_domains(const struct prefetch *);
size_t prefetch_askers(const struct prefetch *);

#endif
