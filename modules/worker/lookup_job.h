/* SPDX-License-Identifier: ISC */
/* A domain on its way, as the three files of the lookups share it. */
#ifndef WORKER_LOOKUP_JOB_H
#define WORKER_LOOKUP_JOB_H

#include <stdbool.h>

#include <event2/event.h>

#include "lookup.h"
#include "machine_locks.h"
#include "net/dns.h"
#include "net/http.h"

enum { BUCKETS = 256 };

/* "Does any nameserver answer?"; may outlive the job that asked. */
struct probe {
	struct job *job; /* NULL: gone */
	bool cut; /* had less time than is due: its silence says little */
	struct sts_store *store;
};

struct job {
	struct lookups *lookups;
	struct job *next; /* in the bucket */
	char domain[STS_NAME_SIZE];
	unsigned flags;
	int64_t deadline; /* monotonic, ms */
	struct event *lock_timer;
	struct event *probe_timer;
	int64_t lock_until; /* the same clock: then it goes on without */
	uint64_t hash;      /* of the domain, keyed */
	bool locked;        /* lock_domain() */
	bool at_work;       /* counted in lookups->at_work */
	int level; /* of syslog(3), where job_finish() has to say something */
	struct probe *probe; /* while one is under way */
	bool probed;         /* one came to its end */
	bool silent;         /* without an answer: the resolver is down */
	bool waits;          /* for that end; a question failed */
	bool repeated;       /* the question for addresses was */
	bool no_soa;         /* "none" counts for this look alone */
	struct sts_facts facts;
	struct sts_loaded cached;
	struct sts_loaded newer; /* the same again, before it is written over */
	struct sts_txt record;
	struct sts_policy *policy;
	char note[200];
	char fault[240];
	struct lookup_waiter waiter;
};

struct sts_session;

struct lookups {
	struct event_base *base;
	const struct sts_conf *conf;
	struct sts_store *store;
	struct sts_spool *spool; /* of TLS reports; NULL: there are none */
	int lock_fd;
	size_t at_work; /* jobs; while there are any, place is ours */
	struct work_place place;
	int64_t full_until; /* monotonic, ms: no place before that */
	struct dns *dns;    /* NULL until first needed: after the lock */
	struct http *http;  /* the same */
	struct job *bucket[BUCKETS];
	size_t jobs;
};

/* The DNS, opened when first needed; NULL: err says why. */
struct dns *lookup_dns(struct lookups *, struct sts_err *err);

/* The place in the lookups that holds the domain's job, or would. */
struct job **job_find(struct lookups *, const char *domain);

void job_free(struct job *);

/* What is left until the deadline, at least 1 ms. */
unsigned job_left(const struct job *);

/* Details for people. */
__attribute__((format(printf, 2, 3))) void job_note(struct job *,
    const char *fmt, ...);

/* Store, release the lock, tell who waits; the job is gone. */
void job_finish(struct job *, const struct sts_next *);

/* Record a session, and say where that cannot be. */
void lookup_record(const struct lookups *, const struct sts_session *);

/* Record for TLS reports that the policy was not to be had. */
void report_fetch(const struct job *);

#endif
