/* SPDX-License-Identifier: ISC */
/* Domains at the kept worker, and its word that it is done with one. */
#ifndef OPENSMTPD_RCPT_PREFETCH_H
#define OPENSMTPD_RCPT_PREFETCH_H

#include <sys/queue.h>

#include "filter_line.h"
#include "host_config.h"
#include <mtasts/mx.h>
#include <mtasts/sts.h>

enum {
	PREFETCH_MAX = 1024,     /* domains at a time; the worker takes 4096 */
	PREFETCH_STUCK = 180000, /* ms; a worker as silent is of no use */
	PREFETCH_LOST = 3600000, /* ms; a domain that it has forgotten */
	PREFETCH_BACKOFF_MIN = 1000,
	PREFETCH_BACKOFF_MAX = 60000,
	PREFETCH_STEADY = 60000 /* one that lived as long was no failure */
};

/* A domain at the worker, and the SMTP session that is why. */
struct prefetch {
	TAILQ_ENTRY(prefetch) entry;
	int64_t when; /* ms */
	char session[FILTER_ID_MAX + 1];
	char domain[STS_NAME_SIZE];
};
TAILQ_HEAD(prefetches, prefetch);

struct rcpt_prefetch {
	struct sts_kept_worker *kept; /* NULL: none now */
	int64_t born, retry, heard;   /* ms */
	unsigned backoff;
	struct complaint said;   /* also why there is none */
	struct prefetches asked; /* the oldest first */
};

void rcpt_prefetch_init(struct rcpt_prefetch *);

/*
 * Have the domain (in normal form) looked at.  STS_TEMPFAIL: session and owner
 * of the domain have their share of what the worker can do.  STS_LOCAL: there
 * is no worker.
 */
enum sts_rc rcpt_prefetch_ask(struct rcpt_prefetch *, struct sts_ctx *,
    struct sts_str session, const char *domain, struct sts_err *err);

/* For other work; NULL: there is none now. */
struct sts_kept_worker *rcpt_prefetch_worker(struct rcpt_prefetch *,
    struct sts_ctx *);

/*
 * STS_OK: the worker is done with domain; what it learnt is in the cache,
 * unless err->text has why not.  STS_ABSENT: none for now.  STS_LOCAL: nobody
 * is there to answer what was asked.
 */
enum sts_rc rcpt_prefetch_next(struct rcpt_prefetch *,
    char domain[STS_NAME_SIZE], struct sts_err *err);

/* The configuration is another one: so must the worker be. */
void rcpt_prefetch_stop(struct rcpt_prefetch *);

#endif
