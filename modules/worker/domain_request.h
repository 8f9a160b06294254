/* SPDX-License-Identifier: ISC */
/*
 * Domains fetched before they are needed: the policy, then, for hosts that
 * leave the choice of the MX host to us, the MX set and which of its hosts
 * take connections.  Many askers of one domain are one piece of work.
 */
#ifndef WORKER_DOMAIN_REQUEST_H
#define WORKER_DOMAIN_REQUEST_H

#include "lookup.h"

struct domain_requests;

/* Called once for each question, perhaps from within. */
typedef void domain_request_done(void *arg, const char *domain,
    const struct lookup_result *);

/* lookups is lent. */
struct domain_requests *domain_request_new(struct lookups *);
/* After the lookups, which has questions of ours; nobody is called. */
void domain_request_free(struct domain_requests *); /* NULL is fine */

/*
 * Ask for a domain (sts_domain_normal() form).  wish: STS_FRESH, STS_REFETCH,
 * and STS_QUESTION_MX: the MX set too, where it is of use.  Who asks for the
 * same while it is under way shares the work; who wants more gets it, after
 * that or beside it.  Too many open questions about domains of one owner
 * (base/accountant.h): NOT YET, at once.  done comes when all is there:
 * after the policy's time (lookup.h) at the latest, for the MX set two DNS
 * questions and MX_PROBE_SET_MS later.
 */
void domain_request_ask(struct domain_requests *, const char *domain,
    unsigned wish, domain_request_done *done, void *arg);

size_t domain_request_askers(const struct domain_requests *);

#endif
