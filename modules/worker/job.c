/* SPDX-License-Identifier: ISC */
/* A domain on its way: its time, who waits for it, and its end. */
#include "job.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "clock.h"
#include "hash.h"
#include "lock.h"
#include "report.h"

unsigned
job_left(const struct job *job)
{
	int64_t left = job->deadline - sts_now_ms();

	return left < 1 ? 1 : (unsigned)left;
}

void
job_stage(const struct job *job, enum sts_stage stage)
{
	if (job->waiter.stage != NULL)
		job->waiter.stage(job->waiter.arg, stage);
}

void
job_free(struct job *job)
{
	if (job->lock_timer != NULL)
		event_free(job->lock_timer);
	if (job->probe_timer != NULL)
		event_free(job->probe_timer);
	if (job->probe != NULL)
		job->probe->job = NULL;
	if (job->locked)
		lock_release(job->engine->lock_fd, job->domain);
	sts_policy_free(job->policy);
	sts_slot_clear(&job->cached);
	sts_slot_clear(&job->newer);
	free(job);
}

struct job **
job_find(struct engine *en, const char *domain)
{
	struct job **j =
	    &en->bucket[sts_hash_fold(sts_hash(str_of(domain))) % BUCKETS];

	while (*j != NULL && strcmp((*j)->domain, domain) != 0)
		j = &(*j)->next;
	return j;
}

/*
 * Another worker, with or without the lock, may have fetched a policy since
 * we read the cache: then that is the answer, and stays (RFC 8461 3.3).
 * False: it may be written over.
 */
static bool
overtaken(struct job *job, struct sts_next *next)
{
	const struct sts_entry *c = job->facts.cached;
	int64_t known = c->kind == STS_ENTRY_POLICY ? c->fetched : 0;
	struct sts_err err;

	if (job->facts.got == STS_GOT_POLICY)
		return false;
	if (sts_store_get(job->engine->store, job->domain, &job->newer, &err) !=
	    STS_OK)
		return true; /* what cannot be seen is left alone */
	if (job->newer.entry.kind != STS_ENTRY_POLICY ||
	    job->newer.entry.fetched <= known ||
	    job->newer.entry.until <= job->facts.now)
		return false;
	next->use = STS_USE_ENTRY;
	next->entry = job->newer.entry;
	return true;
}

/* Sessions of today were held to it, and their report will want its text. */
static void
keep_was(const struct job *job, const struct sts_next *next)
{
	const struct sts_entry *was = job->facts.cached;
	bool stays = next->keep == STS_KEEP_ENTRY &&
	    next->entry.kind == STS_ENTRY_POLICY &&
	    strcmp(next->entry.id, was->id) == 0;

	if (job->engine->spool != NULL && was->kind == STS_ENTRY_POLICY &&
	    !stays)
		(void)sts_store_put_was(job->engine->store, job->domain, was,
		    NULL);
}

/*
 * Store before the lock goes, so that who waits for it reads the result, and
 * say so first: a slow disk of ours is no failure of the policy host.
 */
static void
store(struct job *job, struct sts_next *next)
{
	struct sts_store *st = job->engine->store;
	struct sts_err err;
	enum sts_rc rc = STS_OK;

	if (next->keep == STS_KEEP_NOTHING ||
	    (job->hurried &&
		(next->use == STS_USE_UNKNOWN ||
		    next->entry.kind == STS_ENTRY_NO_FETCH)))
		return;
	job_stage(job, STS_STAGE_STORE);
	if (overtaken(job, next))
		return;
	keep_was(job, next);
	if (next->keep == STS_KEEP_ENTRY)
		rc = sts_store_put(st, job->domain, &next->entry, &err);
	else
		rc = sts_store_remove(st, job->domain, &err);
	if (rc != STS_OK && job->fault[0] == '\0') {
		snprintf(job->fault, sizeof job->fault, "%s", err.text);
		job->level = LOG_WARNING;
	}
}

/* 3.3 and 10.2: who runs this host should hear of it, once per attempt. */
static void
log_end(const struct job *job)
{
	const struct sts_entry *c = job->facts.cached;

	if (job->fault[0] != '\0')
		syslog(job->level, "%s: %s", job->domain, job->fault);
	else if (c->kind == STS_ENTRY_POLICY && job->facts.now < c->until)
		syslog(LOG_WARNING,
		    "%s: cached MTA-STS policy stays, the new "
		    "one is not to be had: %s",
		    job->domain, job->note);
	else
		syslog(job->level,
		    "%s: MTA-STS record, but no policy to be "
		    "had: %s",
		    job->domain, job->note);
}

void
job_finish(struct job *job, const struct sts_next *decided)
{
	struct sts_next next = *decided;
	struct engine_result result = { .entry = &next.entry,
		.note = job->note,
		.fault = job->fault };
	struct job **j = job_find(job->engine, job->domain);

	store(job, &next);
	result.use = next.use;
	*j = job->next;
	job->engine->jobs--;
	if (job->locked)
		lock_release(job->engine->lock_fd, job->domain);
	job->locked = false;
	job->waiter.done(job->waiter.arg, job->domain, &result);
	/* Whatever may take its time comes after the answer. */
	if (job->level != 0)
		log_end(job);
	report_fetch(job);
	if (next.keep == STS_KEEP_ENTRY)
		sts_store_tidy(job->engine->store, job->domain, job->facts.now);
	job_free(job);
}

void
job_note(struct job *job, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(job->note, sizeof job->note, fmt, ap);
	va_end(ap);
}
