/* SPDX-License-Identifier: ISC */
/* The order of the worker's steps; what they mean is settled in decide.c. */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "dns.h"
#include "err.h"
#include "fetch.h"
#include "hash.h"
#include "http.h"
#include "lock.h"
#include "scan.h"

enum {
	LOCK_RETRY_MS = 25,
	ADDRESSES_MAX = 16, /* of a policy host; more is no help */
	WAITERS_MAX = 64,
	BUCKETS = 256
};

/* "Does any nameserver answer?"; may outlive the job that asked. */
struct probe {
	struct job *job; /* NULL: gone */
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
	bool locked;
	struct probe *probe; /* while one is under way */
	bool probed;         /* one came to its end */
	bool waits;          /* for that end; the TXT question failed */
	struct sts_facts facts;
	struct sts_slot *cached;
	struct sts_record record;
	struct sts_policy *policy;
	char note[200];
	char fault[240];
	struct engine_waiter waiter[WAITERS_MAX];
	size_t nwaiter;
};

struct engine {
	struct event_base *base;
	const struct sts_conf *conf;
	struct sts_store *store;
	int lock_fd;
	struct dns *dns;   /* NULL until first needed: after the lock */
	struct http *http; /* the same */
	struct job *bucket[BUCKETS];
	size_t jobs;
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static unsigned
left_ms(const struct job *job)
{
	int64_t left = job->deadline - now_ms();

	return left < 1 ? 1 : (unsigned)left;
}

static void
tell_stage(const struct job *job, enum sts_stage stage)
{
	for (size_t i = 0; i < job->nwaiter; i++)
		if (job->waiter[i].stage != NULL)
			job->waiter[i].stage(job->waiter[i].arg, stage);
}

/* --- The end ------------------------------------------------------------ */

static void
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
	free(job->cached);
	free(job);
}

static struct job **
find(struct engine *en, const char *domain)
{
	struct job **j = &en->bucket[sts_hash_fold(
	    sts_hash(str_of(domain))) % BUCKETS];

	while (*j != NULL && strcmp((*j)->domain, domain) != 0)
		j = &(*j)->next;
	return j;
}

/* Store before the lock goes, so that who waits for it reads the result. */
static void
store(struct job *job, const struct sts_next *next)
{
	struct sts_store *st = job->engine->store;
	struct sts_err err;
	enum sts_rc rc = STS_OK;

	if (next->keep == STS_KEEP_ENTRY)
		rc = sts_store_put(st, job->domain, &next->entry, &err);
	else if (next->keep == STS_KEEP_DROP)
		rc = sts_store_remove(st, job->domain, &err);
	if (rc != STS_OK)
		syslog(LOG_WARNING, "%s: %s", job->domain, err.text);
	else if (next->keep == STS_KEEP_ENTRY)
		sts_store_tidy(st, job->domain, job->facts.now);
}

static void
finish(struct job *job, const struct sts_next *next)
{
	struct engine_result result = { next->use, &next->entry, job->note,
		job->fault };
	struct job **j = find(job->engine, job->domain);

	store(job, next);
	*j = job->next;
	job->engine->jobs--;
	if (job->locked)
		lock_release(job->engine->lock_fd, job->domain);
	job->locked = false;
	for (size_t i = 0; i < job->nwaiter; i++)
		job->waiter[i].done(job->waiter[i].arg, job->domain, &result);
	job_free(job);
}

__attribute__((format(printf, 2, 3))) static void
note(struct job *job, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(job->note, sizeof job->note, fmt, ap);
	va_end(ap);
}

/* --- The GET ------------------------------------------------------------ */

/* 3.3 and 10.2: who runs this host should hear of it, once per attempt. */
static void
warn(const struct job *job)
{
	if (job->facts.cached->kind == STS_ENTRY_POLICY &&
	    job->facts.now < job->facts.cached->until)
		syslog(LOG_WARNING, "%s: cached MTA-STS policy stays, the new "
		    "one is not to be had: %s", job->domain, job->note);
	else
		syslog(LOG_NOTICE, "%s: MTA-STS record, but no policy to be "
		    "had: %s", job->domain, job->note);
}

static void
got_nothing(struct job *job, enum sts_reason why)
{
	struct sts_next next;

	job->facts.got = STS_GOT_NOTHING;
	job->facts.got_why = why;
	warn(job);
	next = sts_decide(&job->facts);
	finish(job, &next);
}

static void
got_local(struct job *job)
{
	struct sts_next next;

	job->facts.got = STS_GOT_LOCAL;
	syslog(LOG_ERR, "%s: %s", job->domain, job->fault);
	next = sts_decide(&job->facts);
	finish(job, &next);
}

static void
got_reply(void *arg, const struct sts_reply *reply)
{
	static const enum sts_reason why[] = {
		[STS_FETCH_ERROR] = STS_WHY_FETCH_ERROR,
		[STS_FETCH_WEBPKI] = STS_WHY_WEBPKI,
		[STS_FETCH_INVALID] = STS_WHY_BAD_POLICY,
	};
	struct job *job = arg;
	struct sts_err err = { 0 };
	struct sts_next next;
	enum sts_fetch verdict;

	job->facts.now = time(NULL);
	verdict = sts_fetch_judge(reply, &job->policy, &err);
	if (verdict == STS_FETCH_LOCAL) {
		snprintf(job->fault, sizeof job->fault, "%s", err.text);
		got_local(job);
	} else if (verdict != STS_FETCH_OK) {
		snprintf(job->note, sizeof job->note, "%.199s", err.text);
		got_nothing(job, why[verdict]);
	} else {
		job->facts.got = STS_GOT_POLICY;
		job->facts.max_age = sts_policy_max_age(job->policy);
		job->facts.body = (struct sts_str){ reply->body, reply->len };
		next = sts_decide(&job->facts);
		finish(job, &next);
	}
}

static void
get(struct job *job, const struct sts_addr *addr, size_t n)
{
	struct engine *en = job->engine;
	char host[STS_NAME_SIZE + 8];
	struct sts_err err;

	if (en->http == NULL &&
	    (en->http = http_new(en->base, en->conf, &err)) == NULL) {
		snprintf(job->fault, sizeof job->fault, "%s", err.text);
		got_local(job);
		return;
	}
	tell_stage(job, STS_STAGE_GET);
	snprintf(host, sizeof host, "mta-sts.%s", job->domain);
	http_get(en->http, host, addr, n, left_ms(job), got_reply, job);
}

/* --- The policy host's addresses ---------------------------------------- */

static void
got_addresses(void *arg, const struct dns_answer *ans)
{
	struct job *job = arg;
	const struct sts_conf *c = job->engine->conf;
	struct sts_addr good[ADDRESSES_MAX];
	char text[STS_ADDR_TEXT];
	size_t n = 0;

	if (ans->why == DNS_WHY_LOCAL) {
		snprintf(job->fault, sizeof job->fault,
		    "DNS: no memory or no sockets");
		got_local(job);
		return;
	}
	/* Any policy owner chooses where we connect: not to ourselves. */
	for (size_t i = 0; i < ans->n && n < ADDRESSES_MAX; i++)
		if (!sts_addr_in(&ans->addr[i], c->deny, c->ndeny))
			good[n++] = ans->addr[i];
	if (n > 0) {
		get(job, good, n);
		return;
	}
	if (ans->n > 0)
		note(job, "policy host has the address %s, refused by "
		    "deny_networks", sts_addr_text(&ans->addr[0], text));
	else
		note(job, "policy host mta-sts.%.100s has no address: DNS %s",
		    job->domain, dns_why_name(ans->why));
	got_nothing(job, STS_WHY_FETCH_ERROR);
}

static void
fetch(struct job *job)
{
	char host[STS_NAME_SIZE + 8];
	unsigned timeout = job->engine->conf->dns_timeout;

	tell_stage(job, STS_STAGE_FOUND);
	snprintf(host, sizeof host, "mta-sts.%s", job->domain);
	dns_ask(job->engine->dns, DNS_ADDRESS, host,
	    timeout < left_ms(job) ? timeout : left_ms(job), got_addresses,
	    job);
}

/* --- The TXT record ----------------------------------------------------- */

static void
judge_look(struct job *job)
{
	struct sts_next next = sts_decide(&job->facts);

	if (next.act == STS_ACT_FETCH)
		fetch(job);
	else
		finish(job, &next);
}

/*
 * Only when nothing at all is answered is the resolver down: a domain's own
 * nameservers may be slow, and must not switch off the look-ups of others.
 */
static void
got_probe(void *arg, const struct dns_answer *ans)
{
	struct probe *pr = arg;
	struct job *job = pr->job;

	if (ans->outcome == DNS_TEMPFAIL &&
	    (ans->why == DNS_WHY_TIMEOUT || ans->why == DNS_WHY_NETWORK))
		(void)sts_store_mark(pr->store, STS_MARK_RESOLVER_DOWN, NULL,
		    NULL);
	free(pr);
	if (job == NULL)
		return;
	job->probe = NULL;
	job->probed = true;
	if (job->waits)
		judge_look(job);
}

static void
probe(struct job *job)
{
	struct engine *en = job->engine;

	if (job->probed || job->probe != NULL ||
	    (job->probe = calloc(1, sizeof *job->probe)) == NULL)
		return;
	*job->probe = (struct probe){ job, en->store };
	dns_probe(en->dns, en->conf->dns_timeout * 2 / 5, got_probe,
	    job->probe);
}

/* Half the time is gone: is it the domain, or is the resolver down? */
static void
half_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	probe(arg);
}

/* True: the job waits for its probe. */
static bool
could_not_look(struct job *job, const struct dns_answer *ans)
{
	bool silence = ans->why == DNS_WHY_TIMEOUT ||
	    ans->why == DNS_WHY_NETWORK;

	note(job, "DNS %s for _mta-sts.%.100s", dns_why_name(ans->why),
	    job->domain);
	job->facts.look = STS_LOOK_TEMPFAIL;
	job->facts.look_why = silence ? STS_WHY_DNS_TIMEOUT
				      : STS_WHY_DNS_FAILURE;
	if (silence)
		probe(job);
	job->waits = job->probe != NULL;
	return job->waits;
}

static void
got_txt(void *arg, const struct dns_answer *ans)
{
	struct job *job = arg;
	struct sts_err err = { 0 };
	enum sts_rc rc = STS_ABSENT;

	evtimer_del(job->probe_timer);
	job->facts.now = time(NULL);
	job->facts.ttl = ans->ttl;
	if (ans->why == DNS_WHY_LOCAL) {
		snprintf(job->fault, sizeof job->fault,
		    "DNS: no memory, no sockets or no nameserver");
		job->facts.look = STS_LOOK_FOUND; /* proves nothing */
		got_local(job);
		return;
	}
	if (ans->outcome != DNS_TEMPFAIL)
		sts_store_unmark(job->engine->store, STS_MARK_RESOLVER_DOWN,
		    NULL);
	if (ans->outcome == DNS_FOUND)
		rc = sts_record_select(&job->record, ans->txt, ans->n, NULL,
		    NULL, &err);
	if (ans->outcome == DNS_TEMPFAIL) {
		if (could_not_look(job, ans))
			return;
	} else if (rc == STS_OK) {
		job->facts.look = STS_LOOK_FOUND;
		job->facts.id = job->record.id;
	} else if (rc == STS_ABSENT) {
		job->facts.look = STS_LOOK_NONE;
		job->facts.look_why = STS_WHY_NO_RECORD;
	} else {
		note(job, "%s", err.text);
		job->facts.look = STS_LOOK_INVALID;
		job->facts.look_why = STS_WHY_BAD_RECORD;
	}
	judge_look(job);
}

static void
look(struct job *job)
{
	struct engine *en = job->engine;
	unsigned timeout = en->conf->dns_timeout;
	struct timeval half;
	char name[STS_NAME_SIZE + 16];
	struct sts_err err;

	if (en->dns == NULL &&
	    (en->dns = dns_new(en->base, en->conf, &err)) == NULL) {
		snprintf(job->fault, sizeof job->fault, "%s", err.text);
		job->facts.look = STS_LOOK_FOUND;
		got_local(job);
		return;
	}
	tell_stage(job, STS_STAGE_DNS);
	if (timeout > left_ms(job))
		timeout = left_ms(job);
	half = (struct timeval){ timeout / 2000, timeout / 2 % 1000 * 1000 };
	evtimer_add(job->probe_timer, &half);
	snprintf(name, sizeof name, "_mta-sts.%s", job->domain);
	dns_ask(en->dns, DNS_TXT, name, timeout, got_txt, job);
}

/* --- The beginning ------------------------------------------------------ */

/* With the lock in hand the cache is read again: it may be fresh by now. */
static void
begin(struct job *job)
{
	struct engine *en = job->engine;
	struct sts_next next;
	struct sts_err err;

	job->facts.now = time(NULL);
	job->facts.cached = &job->cached->entry;
	job->facts.recheck = en->conf->recheck;
	job->facts.must_look = (job->flags & (STS_FRESH | STS_REFETCH)) != 0;
	job->facts.must_fetch = (job->flags & STS_REFETCH) != 0;
	if (sts_store_get(en->store, job->domain, job->cached, &err) != STS_OK)
		job->cached->entry.kind = STS_ENTRY_ABSENT;
	job->facts.marked = sts_store_marked(en->store, STS_MARK_FAILED,
	    job->domain);
	job->facts.answered = sts_store_marked(en->store, STS_MARK_ANSWERED,
	    job->domain);
	next = sts_decide(&job->facts);
	if (next.act == STS_ACT_ANSWER) {
		finish(job, &next);
		return;
	}
	if (job->facts.marked != 0)
		(void)sts_store_mark(en->store, STS_MARK_ANSWERED, job->domain,
		    NULL);
	look(job);
}

static void
try_lock(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = { 0, LOCK_RETRY_MS * 1000 };
	struct job *job = arg;
	struct sts_next next;

	(void)fd;
	(void)what;
	if (lock_try(job->engine->lock_fd, job->domain)) {
		job->locked = true;
		begin(job);
		return;
	}
	if (now_ms() < job->deadline) {
		evtimer_add(job->lock_timer, &pause);
		return;
	}
	/* Another worker has been at it all the while; it will store. */
	note(job, "another worker did not come to an end");
	job->facts.now = time(NULL);
	job->facts.cached = &job->cached->entry;
	(void)sts_store_get(job->engine->store, job->domain, job->cached,
	    NULL);
	job->facts.look = STS_LOOK_TEMPFAIL;
	job->facts.look_why = STS_WHY_DNS_TIMEOUT;
	next = sts_decide(&job->facts);
	next.keep = STS_KEEP_NOTHING;
	finish(job, &next);
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
	job->deadline = now_ms() + en->conf->fetch_timeout;
	job->facts.id = "";
	job->lock_timer = evtimer_new(en->base, try_lock, job);
	job->probe_timer = evtimer_new(en->base, half_time, job);
	job->cached = malloc(sizeof *job->cached);
	if (job->cached == NULL || job->lock_timer == NULL ||
	    job->probe_timer == NULL) {
		job_free(job);
		return NULL;
	}
	job->cached->entry = (struct sts_entry){ .kind = STS_ENTRY_ABSENT };
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
	struct job **j = find(en, domain);

	if (*j == NULL && (*j = job_new(en, domain, flags)) != NULL) {
		en->jobs++;
		evtimer_add((*j)->lock_timer, &at_once);
	}
	if (*j == NULL || (*j)->nwaiter == WAITERS_MAX) {
		w->done(w->arg, domain, &nomem);
		return;
	}
	(*j)->waiter[(*j)->nwaiter++] = *w;
}

size_t
engine_jobs(const struct engine *en)
{
	return en->jobs;
}

struct engine *
engine_new(struct event_base *base, const struct sts_conf *conf,
    struct sts_store *st, struct sts_err *err)
{
	struct engine *en = calloc(1, sizeof *en);

	if (en == NULL) {
		sts_fail(err, STS_NOMEM, 0, "out of memory");
		return NULL;
	}
	en->base = base;
	en->conf = conf;
	en->store = st;
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
