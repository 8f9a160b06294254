/* SPDX-License-Identifier: ISC */
/* The ways a worker is run: each is a source of domains for one engine. */
#ifndef MTASTS_WORKER_WORKER_H
#define MTASTS_WORKER_WORKER_H

#include "engine.h"
#include "judge.h"
#include "prefetch.h"

struct worker {
	struct event_base *base;
	struct sts_store *store;
	struct engine *engine;
	struct prefetch *prefetch;
	struct judges *judges; /* NULL: nobody wants reports */
	unsigned flags;        /* STS_FRESH, STS_REFETCH */
	bool all_asked;        /* no domain comes any more */
	bool failed;           /* the exit status */
};

/* sts_domain_normal(), and U-labels in UTF-8 become A-labels. */
enum sts_rc worker_name(char out[STS_NAME_SIZE], const char *name,
    struct sts_err *err);

/* One domain for the adapter that holds the other end of the pipe. */
void run_pipe(struct worker *, const char *domain);

/* Domains that adapters want looked at, until there are none. */
void run_background(struct worker *);

/* Domains on the command line, or line by line on standard input. */
void run_list(struct worker *, char *const domains[]);
void run_serve(struct worker *);

#endif
