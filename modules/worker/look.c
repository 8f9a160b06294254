/* SPDX-License-Identifier: ISC */
/* The question for the TXT record, RFC 8461 3.1, and its silence. */
#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void
judge_look(struct job *job)
{
	struct sts_next next = sts_decide(&job->facts);

	if (next.act == STS_ACT_FETCH)
		job_fetch(job);
	else
		job_finish(job, &next);
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

	if (ans->outcome == DNS_TEMPFAIL && !pr->cut &&
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
	unsigned timeout = en->conf->dns_timeout * 2 / 5;

	if (job->probed || job->probe != NULL ||
	    (job->probe = calloc(1, sizeof *job->probe)) == NULL)
		return;
	*job->probe = (struct probe){ .job = job, .store = en->store };
	if (timeout > job_left(job)) {
		timeout = job_left(job);
		job->probe->cut = true;
	}
	if (!dns_probe(en->dns, timeout, got_probe, job->probe)) {
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
could_not_look(struct job *job, const struct dns_answer *ans)
{
	bool silence =
	    ans->why == DNS_WHY_TIMEOUT || ans->why == DNS_WHY_NETWORK;

	job_note(job, "DNS %s for _mta-sts.%.100s", dns_why_name(ans->why),
	    job->domain);
	job->facts.look = STS_LOOK_TEMPFAIL;
	job->facts.look_why =
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
	job->deadline += ans->waited;
	if (ans->why == DNS_WHY_LOCAL) {
		snprintf(job->fault, sizeof job->fault,
		    "DNS: no memory, no sockets or no nameserver");
		job_fault(job);
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
		job_note(job, "%s", err.text);
		job->facts.look = STS_LOOK_INVALID;
		job->facts.look_why = STS_WHY_BAD_RECORD;
	}
	judge_look(job);
}

void
job_look(struct job *job)
{
	struct engine *en = job->engine;
	unsigned timeout = en->conf->dns_timeout;
	struct timeval half;
	char name[STS_NAME_SIZE + 16];
	struct sts_err err;

	if (engine_dns(en, &err) == NULL) {
		snprintf(job->fault, sizeof job->fault, "%s", err.text);
		job_fault(job);
		return;
	}
	job_stage(job, STS_STAGE_DNS);
	if (timeout > job_left(job))
		timeout = job_left(job);
	half = (struct timeval){ timeout / 2000, timeout / 2 % 1000 * 1000 };
	job->probe_timer = evtimer_new(en->base, half_time, job);
	if (job->probe_timer != NULL)
		evtimer_add(job->probe_timer, &half);
	snprintf(name, sizeof name, "_mta-sts.%s", job->domain);
	if (!dns_ask(en->dns, DNS_TXT, name, timeout, got_txt, job))
		job_nomem(job);
}
