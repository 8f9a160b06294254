/* SPDX-License-Identifier: ISC */
/* The policy host's addresses and the GET, RFC 8461 3.3. */
#include "job.h"

#include <stdio.h>
#include <syslog.h>
#include <time.h>

#include "fetch.h"

enum { ADDRESSES_MAX = 16 }; /* of a policy host; more is no help */

static void
got_nothing(struct job *job, enum sts_reason why)
{
	struct sts_next next;

	job->facts.got = STS_GOT_NOTHING;
	job->facts.got_why = why;
	job->level = LOG_NOTICE;
	if (job->hurried && why == STS_WHY_FETCH_ERROR) {
		/* Not the five minutes' silence of 3.3, nor "no policy". */
		job->facts.look = STS_LOOK_TEMPFAIL;
		job->facts.look_why = STS_WHY_DNS_TIMEOUT;
	}
	next = sts_decide(&job->facts);
	job_finish(job, &next);
}

void
job_fault(struct job *job)
{
	struct sts_next next;

	job->facts.look = STS_LOOK_FOUND; /* or not: it proves nothing */
	job->facts.got = STS_GOT_LOCAL;
	job->level = LOG_ERR;
	next = sts_decide(&job->facts);
	job_finish(job, &next);
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
		job_fault(job);
	} else if (verdict != STS_FETCH_OK) {
		snprintf(job->note, sizeof job->note, "%.199s", err.text);
		got_nothing(job, why[verdict]);
	} else {
		job->facts.got = STS_GOT_POLICY;
		job->facts.max_age = sts_policy_max_age(job->policy);
		job->facts.body = (struct sts_str){ reply->body, reply->len };
		next = sts_decide(&job->facts);
		job_finish(job, &next);
	}
}

void
job_nomem(struct job *job)
{
	snprintf(job->fault, sizeof job->fault, "worker: out of memory");
	job_fault(job);
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
		job_fault(job);
		return;
	}
	job_stage(job, STS_STAGE_GET);
	snprintf(host, sizeof host, "mta-sts.%s", job->domain);
	if (!http_get(en->http, host, addr, n, job_left(job), got_reply, job))
		job_nomem(job);
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

	job->deadline += ans->waited;
	if (ans->why == DNS_WHY_LOCAL) {
		snprintf(job->fault, sizeof job->fault,
		    "DNS: no memory or no sockets");
		job_fault(job);
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
		job_note(job,
		    "policy host has the address %s, refused by "
		    "deny_networks",
		    sts_addr_text(&ans->addr[0], text));
	else
		job_note(job,
		    "policy host mta-sts.%.100s has no address: DNS %s",
		    job->domain, dns_why_name(ans->why));
	got_nothing(job, STS_WHY_FETCH_ERROR);
}

void
job_fetch(struct job *job)
{
	char host[STS_NAME_SIZE + 8];
	unsigned timeout = job->engine->conf->dns_timeout;

	job_stage(job, STS_STAGE_FOUND);
	snprintf(host, sizeof host, "mta-sts.%s", job->domain);
	if (timeout > job_left(job))
		timeout = job_left(job);
	if (!dns_ask(job->engine->dns, DNS_ADDRESS, host, timeout,
		got_addresses, job))
		job_nomem(job);
}
