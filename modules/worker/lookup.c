/* SPDX-License-Identifier: ISC */
/*
 * The life of a domain in the worker, from top to bottom: lock, cache, TXT
 * record, the policy host's addresses, GET.  What each outcome means is settled
 * in rules/decide.c; the end is in lookup_job.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "lookup_job.h"
#include "net/gate.h"
#include "net/registrable_domain.h"
#include "outbound.h"
#include "rules/policy_reply.h"
#include "rules/refresh_list.h"

/* --- Lock and cache ------------------------------------------------------- */

static void ask_txt(struct job *), ask_policy_host(struct job *);

/* Our own fault, in job->fault: it proves nothing about the domain. */
static void
job_fault(struct job *job)
{
	struct sts_next next;

	job->facts.txt = STS_TXT_FOUND; /* or not: it proves nothing */
	job->facts.fetch = STS_FETCH_LOCAL;
	job->level = LOG_ERR;
	next = sts_decide(&job->facts);
	job_finish(job, &next);
}

static void
job_nomem(struct job *job)
{
	snprintf(job->fault, sizeof job->fault, "worker: out of memory");
	job_fault(job);
}

enum { LOCK_RETRY_MS = 25, PLACE_RETRY_MS = 250 };

/* One place for the whole process, in the name of the domain that comes first.
 */
static enum work_place_got
take_place(struct job *job)
{
	struct lookups *l = job->lookups;
	const char *owner = registrable_domain(job->domain);
	enum work_place_got got = WORK_PLACE_TAKEN;
	int64_t now = sts_now_ms();

	if (l->at_work == 0 && now < l->full_until)
		got = WORK_PLACE_SOON; /* many wait: one tries for all */
	else if (l->at_work == 0)
		got = take_work_place(l->lock_fd,
		    sts_store_hash(l->store, owner), &l->place);
	if (got == WORK_PLACE_SOON && now >= l->full_until)
		l->full_until = now + PLACE_RETRY_MS;
	if (got != WORK_PLACE_TAKEN) {
		job_note(job, "no worker is free for domains of %.100s", owner);
		return got;
	}
	job->note[0] = '\0';
	l->at_work++;
	job->at_work = true;
	return got;
}

/* With the lock in hand the cache is read again: it may be fresh by now. */
static void
begin(struct job *job)
{
	struct lookups *l = job->lookups;
	struct sts_next next;
	struct sts_err err;

	/* Time spent on the lock is not the domain's. */
	job->deadline = sts_now_ms() + l->conf->fetch_timeout;
	job->facts.now = time(NULL);
	job->facts.cached = &job->cached.entry;
	job->facts.recheck = l->conf->recheck;
	job->facts.must_look = (job->flags & LOOKUP_LOOKS) != 0;
	job->facts.must_fetch = (job->flags & STS_REFETCH) != 0;
	if (!job->at_work) {
		next = (struct sts_next){ .use = STS_USE_NOT_YET };
		job_finish(job, &next);
		return;
	}
	/* While the resolver is known to be down, nobody waits for it. */
	job->facts.resolver_down =
	    sts_store_resolver_down(l->store, job->facts.now);
	/* What cannot be read may be a policy: it must not be written over. */
	if (sts_store_key(l->store, &err) != STS_OK ||
	    sts_store_get(l->store, job->domain, &job->cached, &err) !=
		STS_OK ||
	    sts_store_look(l->store, STS_MARK_FAILED, job->domain,
		&job->facts.marked, &err) != STS_OK ||
	    sts_store_look(l->store, STS_MARK_ANSWERED, job->domain,
		&job->facts.answered, &err) != STS_OK) {
		snprintf(job->fault, sizeof job->fault, "%s", err.text);
		job_fault(job);
		return;
	}
	if ((job->flags & STS_QUESTION_RENEW) != 0)
		job->facts.must_fetch |= sts_refresh_due(&job->cached.entry,
		    job->domain, job->facts.now, job->facts.now);
	next = sts_decide(&job->facts);
	if (next.act == STS_ACT_ANSWER) {
		job_finish(job, &next);
		return;
	}
	if (job->facts.marked != 0)
		(void)sts_store_mark(l->store, STS_MARK_ANSWERED, job->domain,
		    NULL);
	ask_txt(job);
}

static void
try_again(struct job *job, unsigned ms)
{
	struct timeval pause = { 0, (suseconds_t)ms * 1000 };

	evtimer_add(job->lock_timer, &pause);
}

static void
try_lock(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;
	bool may_wait = sts_now_ms() < job->lock_until;

	(void)fd;
	(void)what;
	/*
	 * The lock saves a GET, no more.  A worker that hangs, or one for a
	 * domain that was made to share our byte, must not decide for us.
	 */
	if (!job->locked)
		job->locked = lock_domain(job->lookups->lock_fd, job->hash);
	if (!job->locked && may_wait)
		try_again(job, LOCK_RETRY_MS);
	else if (take_place(job) == WORK_PLACE_SOON && may_wait)
		try_again(job, PLACE_RETRY_MS);
	else
		begin(job);
}

static struct job *
job_new(struct lookups *l, const char *domain, unsigned flags)
{
	struct job *job = calloc(1, sizeof *job);

	if (job == NULL)
		return NULL;
	job->lookups = l;
	snprintf(job->domain, sizeof job->domain, "%s", domain);
	job->flags = flags;
	job->deadline = sts_now_ms() + l->conf->fetch_timeout;
	job->lock_until = job->deadline;
	job->hash = sts_store_hash(l->store, domain);
	job->facts.id = "";
	job->lock_timer = evtimer_new(l->base, try_lock, job);
	if (job->lock_timer == NULL) {
		job_free(job);
		return NULL;
	}
	return job;
}

void
lookup_add(struct lookups *l, const char *domain, unsigned flags,
    const struct lookup_waiter *w)
{
	static const struct timeval at_once = { 0, 0 };
	static const struct sts_entry nothing;
	struct lookup_result nomem = { STS_USE_LOCAL, &nothing, "",
		"worker: out of memory" };
	struct job *job = job_new(l, domain, flags);
	struct job **j;

	if (job == NULL) {
		w->done(w->arg, domain, &nomem);
		return;
	}
	job->waiter = *w;
	j = job_find(l, domain);
	job->next = *j;
	*j = job;
	l->jobs++;
	evtimer_add(job->lock_timer, &at_once);
}

/* --- The TXT record, RFC 8461 3.1, and its silence ------------------------ */

static void
after_txt(struct job *job)
{
	struct sts_next next = sts_decide(&job->facts);

	/* It still tells those who cannot wait what was seen, and when. */
	if (job->no_soa && next.entry.kind == STS_ENTRY_NONE)
		next.entry.until = next.entry.checked;
	if (next.act == STS_ACT_FETCH)
		ask_policy_host(job);
	else
		job_finish(job, &next);
}

static bool
is_silence(const struct dns_answer *ans)
{
	return ans->outcome == DNS_TEMPFAIL &&
	    (ans->why == DNS_WHY_TIMEOUT || ans->why == DNS_WHY_NETWORK);
}

static void addresses_unanswered(struct job *);

/*
 * Only when nothing at all is answered is the resolver down: a domain's own
 * nameservers may be slow, and must not switch off the look-ups of others.
 */
static void
got_probe(void *arg, const struct dns_answer *ans)
{
	struct probe *pr = arg;
	struct job *job = pr->job;
	bool silent = is_silence(ans) && !pr->cut;

	if (silent)
		(void)sts_store_mark(pr->store, STS_MARK_RESOLVER_DOWN, NULL,
		    NULL);
	free(pr);
	if (job == NULL)
		return;
	job->probe = NULL;
	job->probed = true;
	job->silent = silent;
	if (!job->waits)
		return;
	job->waits = false;
	if (job->facts.txt == STS_TXT_FOUND)
		addresses_unanswered(job);
	else
		after_txt(job);
}

static void
probe(struct job *job)
{
	struct lookups *l = job->lookups;
	unsigned timeout = l->conf->dns_timeout * 2 / 5;

	if (job->probed || job->probe != NULL ||
	    (job->probe = calloc(1, sizeof *job->probe)) == NULL)
		return;
	*job->probe = (struct probe){ .job = job, .store = l->store };
	if (timeout > job_left(job)) {
		timeout = job_left(job);
		job->probe->cut = true;
	}
	if (!dns_probe(l->dns, timeout, got_probe, job->probe)) {
		free(job->probe);
		job->probe = NULL;
		job->probed = true;
	}
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
txt_failed(struct job *job, const struct dns_answer *ans)
{
	bool silence = is_silence(ans);

	job_note(job, "DNS %s for _mta-sts.%.100s", dns_why_name(ans->why),
	    job->domain);
	job->facts.txt = STS_TXT_TEMPFAIL;
	job->facts.txt_why =
	    silence ? STS_WHY_DNS_TIMEOUT : STS_WHY_DNS_FAILURE;
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

	if (job->probe_timer != NULL)
		evtimer_del(job->probe_timer);
	job->facts.now = time(NULL);
	job->facts.ttl = ans->ttl;
	job->no_soa = ans->no_soa; /* not to be remembered, RFC 2308 5 */
	job->deadline += ans->waited;
	if (ans->why == DNS_WHY_LOCAL) {
		snprintf(job->fault, sizeof job->fault,
		    "DNS: no memory, no sockets or no nameserver");
		job_fault(job);
		return;
	}
	if (ans->outcome != DNS_TEMPFAIL)
		sts_store_unmark(job->lookups->store, STS_MARK_RESOLVER_DOWN,
		    NULL);
	if (ans->outcome == DNS_FOUND)
		rc = sts_txt_select(&job->record, ans->txt, ans->n, NULL, NULL,
		    &err);
	if (ans->outcome == DNS_TEMPFAIL) {
		if (txt_failed(job, ans))
			return;
	} else if (rc == STS_OK) {
		job->facts.txt = STS_TXT_FOUND;
		job->facts.id = job->record.id;
	} else if (rc == STS_ABSENT) {
		job->facts.txt = STS_TXT_NONE;
		job->facts.txt_why = STS_WHY_NO_RECORD;
	} else {
		job_note(job, "%s", err.text);
		job->facts.txt = STS_TXT_INVALID;
		job->facts.txt_why = STS_WHY_BAD_RECORD;
	}
	after_txt(job);
}

static void
ask_txt(struct job *job)
{
	struct lookups *l = job->lookups;
	unsigned timeout = l->conf->dns_timeout;
	struct timeval half;
	char name[STS_NAME_SIZE + 16];
	struct sts_err err;

	if (lookup_dns(l, &err) == NULL) {
		snprintf(job->fault, sizeof job->fault, "%s", err.text);
		job_fault(job);
		return;
	}
	if (timeout > job_left(job))
		timeout = job_left(job);
	half = (struct timeval){ timeout / 2000, timeout / 2 % 1000 * 1000 };
	job->probe_timer = evtimer_new(l->base, half_time, job);
	if (job->probe_timer != NULL)
		evtimer_add(job->probe_timer, &half);
	snprintf(name, sizeof name, "_mta-sts.%s", job->domain);
	if (!dns_ask(l->dns, DNS_TXT, name, timeout, got_txt, job))
		job_nomem(job);
}

/* --- The GET, RFC 8461 3.3 --------------------------------------------------
 */

enum { ADDRESSES_MAX = 16 }; /* of a policy host; more is no help */

static void
got_nothing(struct job *job, enum sts_reason why)
{
	struct sts_next next;

	/* Seen too late by a process that stood still: it proves nothing. */
	if (why == STS_WHY_FETCH_ERROR && sts_now_ms() > job->deadline + 1000) {
		snprintf(job->fault, sizeof job->fault,
		    "worker: stood still for longer than fetch_timeout");
		job_fault(job);
		return;
	}
	job->facts.fetch = STS_FETCH_FAILED;
	job->facts.fetch_why = why;
	job->level = LOG_NOTICE;
	next = sts_decide(&job->facts);
	job_finish(job, &next);
}

static void
got_reply(void *arg, const struct sts_reply *reply)
{
	static const enum sts_reason why[] = {
		[STS_POLICY_REPLY_ERROR] = STS_WHY_FETCH_ERROR,
		[STS_POLICY_REPLY_WEBPKI] = STS_WHY_WEBPKI,
		[STS_POLICY_REPLY_INVALID] = STS_WHY_BAD_POLICY,
	};
	struct job *job = arg;
	struct sts_err err = { 0 };
	struct sts_next next;
	enum sts_policy_reply verdict;

	job->facts.now = time(NULL);
	job->deadline += reply->waited;
	outbound_note(job->lookups->store, job->domain, reply->reach,
	    job->facts.now);
	verdict = sts_policy_reply_judge(reply, &job->policy, &err);
	if (verdict == STS_POLICY_REPLY_LOCAL) {
		snprintf(job->fault, sizeof job->fault, "%s", err.text);
		job_fault(job);
	} else if (verdict != STS_POLICY_REPLY_OK) {
		snprintf(job->note, sizeof job->note, "%.199s", err.text);
		got_nothing(job, why[verdict]);
	} else {
		job->facts.fetch = STS_FETCH_POLICY;
		job->facts.max_age = sts_policy_max_age(job->policy);
		job->facts.body = (struct sts_str){ reply->body, reply->len };
		next = sts_decide(&job->facts);
		job_finish(job, &next);
	}
}

static void
get(struct job *job, const struct sts_addr *addr, size_t n)
{
	struct lookups *l = job->lookups;
	char host[STS_NAME_SIZE + 8];
	struct sts_err err;
	const char *why;

	if ((why = gate_no_route(addr, n)) != NULL) {
		outbound_note(l->store, job->domain, STS_REACH_NONE,
		    job->facts.now);
		snprintf(job->fault, sizeof job->fault,
		    "this host has no route to the policy host: %s", why);
		job_fault(job);
		return;
	}
	if (l->http == NULL &&
	    (l->http = http_new(l->base, l->conf, &err)) == NULL) {
		snprintf(job->fault, sizeof job->fault, "%s", err.text);
		job_fault(job);
		return;
	}
	snprintf(host, sizeof host, "mta-sts.%s", job->domain);
	if (!http_get(l->http, host, addr, n, job_left(job), got_reply, job))
		job_nomem(job);
}

/* --- The policy host's addresses ---------------------------------------- */

static void
got_addresses(void *arg, const struct dns_answer *ans)
{
	struct job *job = arg;
	const struct sts_conf *c = job->lookups->conf;
	struct sts_addr good[ADDRESSES_MAX];
	char text[STS_ADDR_TEXT];
	size_t n = 0;

	job->deadline += ans->waited;
	if (ans->why == DNS_WHY_LOCAL) {
		snprintf(job->fault, sizeof job->fault,
		    "DNS: no memory or no sockets");
		job_fault(job);
		return;
	}
	for (size_t i = 0; i < ans->n && n < ADDRESSES_MAX; i++)
		if (gate_refuses(c, GATE_POLICY, &ans->addr[i], 443) == NULL)
			good[n++] = ans->addr[i];
	if (n > 0) {
		get(job, good, n);
		return;
	}
	if (ans->n > 0)
		job_note(job,
		    "policy host has the address %s, refused by "
		    "deny_networks",
		    sts_addr_text(&ans->addr[0], text));
	else
		job_note(job,
		    "policy host mta-sts.%.100s has no address: DNS %s",
		    job->domain, dns_why_name(ans->why));
	if (is_silence(ans)) {
		job->probed = false; /* it was well for the TXT record */
		probe(job);
		if ((job->waits = job->probe != NULL))
			return;
	}
	got_nothing(job, STS_WHY_FETCH_ERROR);
}

static void
ask_policy_host(struct job *job)
{
	char host[STS_NAME_SIZE + 8];
	unsigned timeout = job->lookups->conf->dns_timeout;

	snprintf(host, sizeof host, "mta-sts.%s", job->domain);
	if (timeout > job_left(job))
		timeout = job_left(job);
	if (!dns_ask(job->lookups->dns, DNS_ADDRESS, host, timeout,
		got_addresses, job))
		job_nomem(job);
}

/*
 * No address of the policy host means no policy, RFC 8461 3.3.  But if our
 * resolver went down after the record was found, that is not known; and if it
 * answers now, it may have been down a moment ago: ask once more.
 */
static void
addresses_unanswered(struct job *job)
{
	if (job->silent) {
		job->facts.txt = STS_TXT_TEMPFAIL;
		job->facts.txt_why = STS_WHY_DNS_TIMEOUT;
		after_txt(job);
	} else if (!job->repeated) {
		job->repeated = true;
		job->note[0] = '\0';
		ask_policy_host(job);
	} else
		got_nothing(job, STS_WHY_FETCH_ERROR);
}
