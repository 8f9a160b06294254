/* SPDX-License-Identifier: ISC */
/* Domains to the kept worker, and word from it that they are done. */
#ifndef OPENSMTPD_PREFETCH_H
#define OPENSMTPD_PREFETCH_H

#include "host_config.h"
#include <mtasts/mx.h>
#include <mtasts/sts.h>

enum {
	PREFETCH_MEMO = 1024, /* domains remembered as done */
	/* ms; within the shortest time after which the worker would have asked
	 * the network for a domain again, its word is as good as new. */
	PREFETCH_FRESH = 20000,
	PREFETCH_BACKOFF_MIN = 1000,
	PREFETCH_BACKOFF_MAX = 60000,
	PREFETCH_STEADY = 60000 /* one that lived as long was no failure */
};

struct rcpt_prefetch {
	struct sts_kept_worker *kept; /* NULL: none now */
	int64_t born, retry;          /* ms */
	unsigned backoff;
	struct complaint said;
	struct {
		uint64_t hash;
		int64_t when; /* 0: never */
	} memo[PREFETCH_MEMO];
	uint64_t key; /* of the hash: strangers choose the names */
};

/* Was it done just now? */
bool rcpt_prefetch_is_fresh(const struct rcpt_prefetch *, const char *domain);

/* True: wait for the domain (in normal form).  False: no use in waiting. */
bool rcpt_prefetch_ask(struct rcpt_prefetch *, struct sts_ctx *,
    const char *domain, bool asked);

/* For other work; NULL: there is none now. */
struct sts_kept_worker *rcpt_prefetch_worker(struct rcpt_prefetch *,
    struct sts_ctx *);

/*
 * STS_OK: domain is done.  STS_ABSENT: none for now.  STS_LOCAL: nobody is
 * there to answer what was asked.
 */
enum sts_rc rcpt_prefetch_next(struct rcpt_prefetch *,
    char domain[STS_NAME_SIZE]);

/* The configuration is another one: so must the worker be. */
void rcpt_prefetch_stop(struct rcpt_prefetch *);

#endif
