/* SPDX-License-Identifier: ISC */
/* The ways a worker is run: each is a source of domains for one lookups object.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "domain_request.h"
#include "lookup.h"
#include "starttls_check.h"

struct worker {
	struct event_base *base;
	struct sts_store *store;
	struct lookups *lookups;
	struct domain_requests *requests;
	struct starttls_checks *checks; /* NULL: nobody wants reports */
	unsigned flags;                 /* STS_FRESH, STS_REFETCH */
	bool background;                /* nobody hears what is found */
	bool slot_taken;                /* slot is ours: lock_slot() */
	unsigned slot;
	bool all_asked; /* no domain comes any more */
	bool failed;    /* the exit status */
};

/* One domain for the adapter that holds the other end of the pipe. */
void run_pipe(struct worker *, const char *domain);

/* Domains on the command line, or line by line on standard input. */
void run_list(struct worker *, char *const domains[]);
void run_serve(struct worker *);

/* As run_serve(), for adapters that do not wait for the answers. */
void run_background(struct worker *);

#endif
