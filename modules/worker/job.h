/* SPDX-License-Identifier: ISC */
/* A domain on its way, as the three files of the engine share it. */
#ifndef MTASTS_WORKER_JOB_H
#define MTASTS_WORKER_JOB_H

#include <event2/event.h>

#include "dns.h"
#include "engine.h"
#include "http.h"

enum { BUCKETS = 256 };

/* "Does any nameserver answer?"; may outlive the job that asked. */
struct probe {
	struct job *job; /* NULL: gone */
	bool cut; /* had less time than is due: its silence says little */
	struct sts_store *store;
};

struct job {
	struct engine *engine;
	struct job *next; /* in the bucket */
	char domain[STS_NAME_SIZE];
	unsigned flags;
	int64_t deadline; /* monotonic, ms */
	struct event *lock_timer;
	struct event *probe_timer;
	int64_t lock_until; /* the same clock: then it goes on without */
	bool locked;
	bool hurried; /* waited for the lock: its failures prove little */
	int level; /* of syslog(3), where job_finish() has to say something */
	struct probe *probe; /* while one is under way */
	bool probed;         /* one came to its end */
	bool waits;          /* for that end; the TXT question failed */
	struct sts_facts facts;
	struct sts_slot cached;
	struct sts_slot newer; /* the same again, before it is written over */
	struct sts_record record;
	struct sts_policy *policy;
	char note[200];
	char fault[240];
	struct engine_waiter waiter;
};

struct engine {
	struct event_base *base;
	const struct sts_conf *conf;
	struct sts_store *store;
	struct sts_spool *spool; /* of TLS reports; NULL: there are none */
	int lock_fd;
	struct dns *dns;   /* NULL until first needed: after the lock */
	struct http *http; /* the same */
	struct job *bucket[BUCKETS];
	size_t jobs;
};

/* The DNS, opened when first needed; NULL: err says why. */
struct dns *engine_dns(struct engine *, struct sts_err *err);

/* The place in the engine that holds the domain's job, or would. */
struct job **job_find(struct engine *, const char *domain);

void job_free(struct job *);

/* What is left until the deadline, at least 1 ms. */
unsigned job_left(const struct job *);

void job_stage(const struct job *, enum sts_stage);

/* Details for people. */
__attribute__((format(printf, 2, 3))) void job_note(struct job *,
    const char *fmt, ...);

/* Ask for the TXT record, then go on as sts_decide() says. */
void job_look(struct job *);

/* Ask for the policy host's addresses, then for the policy. */
void job_fetch(struct job *);

/* Our own fault, in job->fault: it proves nothing about the domain. */
void job_fault(struct job *);

void job_nomem(struct job *);

/* Store, release the lock, tell who waits; the job is gone. */
void job_finish(struct job *, const struct sts_next *);

#endif
