/* SPDX-License-Identifier: ISC */
/*
 * The first steps of a domain: lock, then cache.  The order of steps is kept
 * here and in look.c and fetch.c; what they mean is settled in decide.c.
 */
#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "lock.h"

enum { LOCK_RETRY_MS = 25 };

/* With the lock in hand the cache is read again: it may be fresh by now. */
static void
begin(struct job *job)
{
	struct engine *en = job->engine;
	struct sts_next next;
	struct sts_err err;

	job->facts.now = time(NULL);
	job->facts.cached = &job->cached.entry;
	job->facts.recheck = en->conf->recheck;
	job->facts.must_look = (job->flags & (STS_FRESH | STS_REFETCH)) != 0;
	job->facts.must_fetch = (job->flags & STS_REFETCH) != 0;
	/* What cannot be read may be a policy: it must not be written over. */
	if (sts_store_get(en->store, job->domain, &job->cached, &err) !=
	    STS_OK) {
		snprintf(job->fault, sizeof job->fault, "%s", err.text);
		job_fault(job);
		return;
	}
	job->facts.marked =
	    sts_store_marked(en->store, STS_MARK_FAILED, job->domain);
	job->facts.answered =
	    sts_store_marked(en->store, STS_MARK_ANSWERED, job->domain);
	next = sts_decide(&job->facts);
	if (next.act == STS_ACT_ANSWER) {
		job_finish(job, &next);
		return;
	}
	if (job->facts.marked != 0)
		(void)sts_store_mark(en->store, STS_MARK_ANSWERED, job->domain,
		    NULL);
	job_look(job);
}

static void
try_lock(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = { 0, LOCK_RETRY_MS * 1000 };
	struct job *job = arg;

	(void)fd;
	(void)what;
	job->locked = lock_try(job->engine->lock_fd, job->domain);
	if (!job->locked && sts_now_ms() < job->lock_until) {
		job->hurried = true; /* there is less time left from now on */
		evtimer_add(job->lock_timer, &pause);
		return;
	}
	/*
	 * The lock saves a GET, no more.  A worker that hangs, or one for a
	 * domain that was made to share our byte, must not decide for us.
	 */
	begin(job);
}

static struct job *
job_new(struct engine *en, const char *domain, unsigned flags)
{
	struct job *job = calloc(1, sizeof *job);

	if (job == NULL)
		return NULL;
	job->engine = en;
	snprintf(job->domain, sizeof job->domain, "%s", domain);
	job->flags = flags;
	job->deadline = sts_now_ms() + en->conf->fetch_timeout;
	job->lock_until = job->deadline - en->conf->fetch_timeout / 2;
	job->facts.id = "";
	job->lock_timer = evtimer_new(en->base, try_lock, job);
	if (job->lock_timer == NULL) {
		job_free(job);
		return NULL;
	}
	return job;
}

void
engine_add(struct engine *en, const char *domain, unsigned flags,
    const struct engine_waiter *w)
{
	static const struct timeval at_once = { 0, 0 };
	static const struct sts_entry nothing;
	struct engine_result nomem = { STS_USE_LOCAL_FAULT, &nothing, "",
		"worker: out of memory" };
	struct job *job = job_new(en, domain, flags);
	struct job **j;

	if (job == NULL) {
		w->done(w->arg, domain, &nomem);
		return;
	}
	job->waiter = *w;
	j = job_find(en, domain);
	job->next = *j;
	*j = job;
	en->jobs++;
	evtimer_add(job->lock_timer, &at_once);
}

struct dns *
engine_dns(struct engine *en, struct sts_err *err)
{
	if (en->dns == NULL)
		en->dns = dns_new(en->base, en->conf, err);
	return en->dns;
}

size_t
engine_jobs(const struct engine *en)
{
	return en->jobs;
}

struct engine *
engine_new(struct event_base *base, const struct sts_conf *conf,
    struct sts_store *st, struct sts_spool *spool, struct sts_err *err)
{
	struct engine *en = calloc(1, sizeof *en);

	if (en == NULL) {
		sts_fail(err, STS_NOMEM, 0, "out of memory");
		return NULL;
	}
	en->base = base;
	en->conf = conf;
	en->store = st;
	en->spool = spool;
	en->lock_fd = sts_store_lock_file(st);
	return en;
}

void
engine_free(struct engine *en)
{
	struct job *job;

	if (en == NULL)
		return;
	http_free(en->http);
	dns_free(en->dns);
	for (size_t i = 0; i < BUCKETS; i++)
		while ((job = en->bucket[i]) != NULL) {
			en->bucket[i] = job->next;
			job_free(job);
		}
	if (en->lock_fd != -1)
		close(en->lock_fd);
	free(en);
}
