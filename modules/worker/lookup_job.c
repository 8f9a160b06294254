/* SPDX-License-Identifier: ISC */
/*
 * What the domains on their way share; and of each its time, its lock, who
 * waits for it, and its end.
 */
#include "lookup_job.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "tlsrpt/spool.h"
#include <mtasts/session.h>

enum { WARN_EVERY = 86400 }; /* s */

/* --- The report ----------------------------------------------------------- */

static enum sts_session_result
result_of(enum sts_reason why)
{
	switch (why) {
	case STS_WHY_FETCH_ERROR:
		return STS_STS_POLICY_FETCH_ERROR;
	case STS_WHY_WEBPKI:
		return STS_STS_WEBPKI_INVALID;
	case STS_WHY_BAD_POLICY:
		return STS_STS_POLICY_INVALID;
	case STS_WHY_NOTHING:
	case STS_WHY_NO_RECORD:
	case STS_WHY_BAD_RECORD:
	case STS_WHY_DNS_TIMEOUT:
	case STS_WHY_DNS_FAILURE:
		break; /* nobody tried to get a policy */
	}
	return STS_SESSION_OK;
}

/* What stays in force; NONE: nothing does. */
static enum sts_mode
mode_of(const struct sts_entry *e)
{
	struct sts_policy *policy;
	enum sts_mode mode = STS_MODE_NONE;

	if (sts_policy_parse(&policy, e->body.p, e->body.len, NULL, NULL,
		NULL) == STS_OK)
		mode = sts_policy_mode(policy);
	sts_policy_free(policy);
	return mode;
}

void
lookup_record(const struct lookups *l, const struct sts_session *s)
{
	struct sts_err err;
	enum sts_rc rc = sts_spool_add(l->spool, s, s->time, &err);

	if (rc == STS_LOCAL || rc == STS_NOMEM)
		syslog(LOG_ERR, "%s", err.text);
}

/*
 * Record for TLS reports that the policy was not to be had, if that is how the
 * attempt ended: RFC 8461 6, RFC 8460 4.3.2.2.
 */
void
report_fetch(const struct job *job)
{
	const struct sts_facts *f = &job->facts;
	const struct sts_entry *c = f->cached;
	bool live = c->kind == STS_ENTRY_POLICY && f->now < c->until;
	struct sts_session s = {
		.time = time(NULL),
		.domain = str_of(job->domain),
		.type = STS_TYPE_STS,
		.mode = live ? mode_of(c) : STS_MODE_NONE,
		.id = str_of(live ? c->id : ""),
		.result = result_of(f->fetch_why),
		.reason = str_of(job->note),
	};

	/* What is cached may say "none". */
	if (job->lookups->spool == NULL || f->fetch != STS_FETCH_FAILED ||
	    s.result == STS_SESSION_OK || (live && s.mode == STS_MODE_NONE))
		return;
	lookup_record(job->lookups, &s);
}

/* --- The job -------------------------------------------------------------- */

unsigned
job_left(const struct job *job)
{
	int64_t left = job->deadline - sts_now_ms();

	return left < 1 ? 1 : (unsigned)left;
}

/* The place goes with the last job, so that others can have it. */
static void
job_leave(struct job *job)
{
	struct lookups *l = job->lookups;

	if (job->locked)
		unlock_domain(l->lock_fd, job->hash);
	if (job->at_work && --l->at_work == 0)
		leave_work_place(l->lock_fd, &l->place);
	job->locked = job->at_work = false;
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
	job_leave(job);
	sts_policy_free(job->policy);
	sts_loaded_clear(&job->cached);
	sts_loaded_clear(&job->newer);
	free(job);
}

struct job **
job_find(struct lookups *l, const char *domain)
{
	struct job **j =
	    &l->bucket[sts_hash_fold(sts_hash(str_of(domain))) % BUCKETS];

	while (*j != NULL && strcmp((*j)->domain, domain) != 0)
		j = &(*j)->next;
	return j;
}

/* --- All of them -------------------------------------------------------- */

static void
dns_remarks(const char *text)
{
	syslog(LOG_WARNING, "%s", text);
}

struct dns *
lookup_dns(struct lookups *l, struct sts_err *err)
{
	if (l->dns == NULL)
		l->dns = dns_new(l->base, l->conf, dns_remarks, err);
	return l->dns;
}

struct lookups *
lookup_new(struct event_base *base, const struct sts_conf *conf,
    struct sts_store *st, struct sts_spool *spool, struct sts_err *err)
{
	struct lookups *l = calloc(1, sizeof *l);

	if (l == NULL) {
		sts_fail(err, STS_NOMEM, 0, "out of memory");
		return NULL;
	}
	l->base = base;
	l->conf = conf;
	l->store = st;
	l->spool = spool;
	l->lock_fd = sts_store_lock_file(st);
	return l;
}

void
lookup_free(struct lookups *l)
{
	struct job *job;

	if (l == NULL)
		return;
	http_free(l->http);
	dns_free(l->dns);
	for (size_t i = 0; i < BUCKETS; i++)
		while ((job = l->bucket[i]) != NULL) {
			l->bucket[i] = job->next;
			job_free(job);
		}
	if (l->lock_fd != -1)
		close(l->lock_fd);
	free(l);
}

/* --- The end ------------------------------------------------------------- */

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

	if (job->facts.fetch == STS_FETCH_POLICY)
		return false;
	if (sts_store_get(job->lookups->store, job->domain, &job->newer,
		&err) != STS_OK)
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

	if (job->lookups->spool != NULL && was->kind == STS_ENTRY_POLICY &&
	    !stays)
		(void)sts_store_put_replaced(job->lookups->store, job->domain,
		    was, NULL);
}

/*
 * The sentence of a failure is kept with it, and stays while nobody tried
 * again: within five minutes there is no second GET, RFC 8461 3.3.
 */
static void
keep_note(struct job *job, struct sts_entry *e)
{
	const struct sts_entry *was = job->facts.cached;

	if (job->note[0] == '\0' && e->why == was->why &&
	    e->failed == was->failed)
		snprintf(job->note, sizeof job->note, "%s", was->note);
	snprintf(e->note, sizeof e->note, "%s",
	    e->why == STS_WHY_NOTHING ? "" : job->note);
}

/* A policy in use is one, however often it is fetched anew. */
static void
keep_since(const struct job *job, struct sts_entry *e)
{
	const struct sts_entry *was = job->facts.cached;

	if (e->kind == STS_ENTRY_POLICY)
		e->since = was->kind == STS_ENTRY_POLICY ? was->since : 0;
}

/* Store before the lock goes, so that who waits for it reads the result. */
static void
store(struct job *job, struct sts_next *next)
{
	struct sts_store *st = job->lookups->store;
	struct sts_err err;
	enum sts_rc rc;

	if (next->keep == STS_KEEP_NOTHING)
		return;
	if (overtaken(job, next))
		return;
	keep_was(job, next);
	keep_since(job, &next->entry);
	rc = sts_store_put(st, job->domain, &next->entry, &err);
	if (rc != STS_OK && job->fault[0] == '\0') {
		snprintf(job->fault, sizeof job->fault, "%s", err.text);
		job->level = LOG_WARNING;
	}
}

/*
 * Is there a live policy that could not be renewed?  A TXT record that could
 * not be had counts only where a GET was due.
 */
static bool
not_renewed(const struct job *job)
{
	const struct sts_facts *f = &job->facts;
	const struct sts_entry *c = f->cached;

	if (c->kind != STS_ENTRY_POLICY || f->now >= c->until ||
	    job->newer.entry.fetched > c->fetched)
		return false;
	if (f->txt == STS_TXT_FOUND)
		return f->fetch == STS_FETCH_FAILED;
	return f->txt != STS_TXT_NOT_ASKED && sts_decide_fetch_due(f);
}

/*
 * RFC 8461 3.3 and 10.2: the administrator should learn of it before the policy
 * expires, once a day for each domain; but not where its mode is none.
 */
static void
warn(const struct job *job)
{
	const struct sts_entry *c = job->facts.cached;
	struct sts_store *st = job->lookups->store;
	int64_t now = job->facts.now;

	if (mode_of(c) == STS_MODE_NONE || sts_store_resolver_down(st, now) ||
	    !sts_store_claim(st, STS_MARK_WARNED, job->domain, now, WARN_EVERY))
		return;
	syslog(LOG_WARNING,
	    "%s: cached MTA-STS policy stays for another %ld h, the new one "
	    "is not to be had: %s",
	    job->domain, (long)((c->until - now) / 3600),
	    job->note[0] != '\0' ? job->note
				 : sts_reason_name(job->facts.txt_why));
}

static void
log_end(const struct job *job)
{
	if (job->fault[0] != '\0')
		syslog(job->level, "%s: %s", job->domain, job->fault);
	else if (not_renewed(job))
		warn(job);
	else if (job->level != 0)
		syslog(job->level,
		    "%s: MTA-STS record, but no policy to be "
		    "had: %s",
		    job->domain, job->note);
}

void
job_finish(struct job *job, const struct sts_next *decided)
{
	struct sts_next next = *decided;
	struct lookup_result result = { .entry = &next.entry,
		.note = job->note,
		.fault = job->fault };
	struct job **j = job_find(job->lookups, job->domain);

	keep_note(job, &next.entry);
	store(job, &next);
	result.use = next.use;
	*j = job->next;
	job->lookups->jobs--;
	job_leave(job);
	job->waiter.done(job->waiter.arg, job->domain, &result);
	/* Whatever may take its time comes after the answer. */
	log_end(job);
	report_fetch(job);
	if (next.keep == STS_KEEP_ENTRY)
		sts_store_tidy(job->lookups->store, job->domain, job->facts.now,
		    job->lookups->conf->cache_max);
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
