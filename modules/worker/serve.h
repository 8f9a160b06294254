/* SPDX-License-Identifier: ISC */
/* What an adapter asks on standard input, and the answers to it. */
#ifndef WORKER_SERVE_H
#define WORKER_SERVE_H

#include "domain_request.h"
#include "lookup.h"
#include "sandbox/sandbox.h"
#include "starttls_check.h"

struct serve;

/*
 * All is lent and must outlive it.  checks: NULL: nobody wants reports.
 * It ends, to be started anew, where the sandbox is outdated and nothing is at
 * work.  brief: end also after a second without work.  NULL: no memory.
 */
struct serve *serve_new(struct lookups *, struct domain_requests *,
    struct starttls_checks *checks, struct sandbox *, bool brief);
void serve_free(struct serve *); /* NULL is fine */

/*
 * Answer until standard input ends and what was asked is done.  False: it ended
 * because the adapter is not one of ours, which it has been told.
 */
bool serve_run(struct serve *);

/* Say why there is no worker, to the adapter and to the log. */
void serve_refuse(const char *why);

#endif
