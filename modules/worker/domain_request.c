/* SPDX-License-Identifier: ISC */
/* Who asks for which domain, and the order of its two parts. */
#include "domain_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "base/accountant.h"
#include "base/hash.h"
#include "lookup_job.h"
#include "mx_fetch.h"
#include "mx_probe_set.h"
#include "net/owner_keys.h"
#include "query/worker_protocol.h"
#include "rules/policy.h"

enum { QUESTIONS_MAX = STS_ACCOUNT_MAX }; /* open at once, 4 KB each */

struct asker {
	STAILQ_ENTRY(asker) next;
	unsigned wish;
	bool later; /* wants a look of its own, after the present one */
	domain_request_done *done;
	void *arg;
};
STAILQ_HEAD(askers, asker);

/* What follows the policy: the MX set, and probes of its hosts. */
struct mx_part {
	struct mx_fetch fetch;
	struct mx_probe_set probes;
	struct sts_policy *policy; /* enforced; NULL: none */
	bool quiet; /* names and addresses will do, nobody is probed */
	struct lookup_result result; /* of the policy, until told */
	struct sts_entry entry;
	char note[200], fault[240];
	char body[]; /* of the entry */
};

struct task {
	LIST_ENTRY(task) next; /* in the bucket */
	struct sts_account_keys owner;
	struct domain_requests *requests;
	char domain[STS_NAME_SIZE];
	unsigned flags; /* of the look under way */
	struct askers askers;
	struct mx_part *mx_part; /* NULL: the policy is still asked for */
};

struct domain_requests {
	struct lookups *lookups;
	struct mx_prober *mx_prober;
	size_t askers;
	struct sts_accountant questions; /* by the owners of their domains */
	struct owner_keys owners;
	LIST_HEAD(, task) bucket[BUCKETS];
};

static unsigned
bucket_of(const char *domain)
{
	return sts_hash_fold(sts_hash(str_of(domain))) % BUCKETS;
}

/* --- Telling ------------------------------------------------------------- */

/* Completed requests; all: also those for the MX set. */
static void
tell(struct task *task, const struct lookup_result *r, bool all)
{
	struct askers rest, now;
	struct asker *a;

	STAILQ_INIT(&now);
	STAILQ_INIT(&rest);
	while ((a = STAILQ_FIRST(&task->askers)) != NULL) {
		STAILQ_REMOVE_HEAD(&task->askers, next);
		if (!a->later && (all || (a->wish & STS_QUESTION_MX) == 0))
			STAILQ_INSERT_TAIL(&now, a, next);
		else
			STAILQ_INSERT_TAIL(&rest, a, next);
	}
	STAILQ_CONCAT(&task->askers, &rest);
	while ((a = STAILQ_FIRST(&now)) != NULL) {
		STAILQ_REMOVE_HEAD(&now, next);
		task->requests->askers--;
		sts_accountant_give_back(&task->requests->questions,
		    &task->owner);
		a->done(a->arg, task->domain, r);
		free(a);
	}
}

static void look(struct task *);

static void
free_task(struct task *task)
{
	struct asker *a;

	while ((a = STAILQ_FIRST(&task->askers)) != NULL) {
		STAILQ_REMOVE_HEAD(&task->askers, next);
		free(a);
	}
	if (task->mx_part != NULL) {
		mx_probe_set_clear(&task->mx_part->probes);
		sts_policy_free(task->mx_part->policy);
		free(task->mx_part);
	}
	LIST_REMOVE(task, next);
	free(task);
}

/* All have been told, but for those who want another look. */
static void
end(struct task *task)
{
	struct asker *a;

	if (STAILQ_EMPTY(&task->askers)) {
		free_task(task);
		return;
	}
	task->flags = 0;
	STAILQ_FOREACH(a, &task->askers, next)
	{
		task->flags |= a->wish & LOOKUP_LOOKS;
		a->later = false;
	}
	look(task);
}

/* --- The MX set ---------------------------------------------------------- */

static void
got_probes(void *arg)
{
	struct task *task = arg;
	struct mx_part *s = task->mx_part;

	tell(task, &s->result, true);
	sts_policy_free(s->policy);
	free(s);
	task->mx_part = NULL;
	end(task);
}

static void
got_mx(void *arg)
{
	struct task *task = arg;
	struct mx_part *s = task->mx_part;
	bool may[STS_MX_HOSTS_MAX];

	if (s->quiet)
		memset(may, 0, sizeof may);
	else
		mx_records_candidates(&s->fetch.set, s->policy, may);
	s->probes.mx_prober = task->requests->mx_prober;
	s->probes.set = &s->fetch.set;
	s->probes.done = got_probes;
	s->probes.arg = task;
	mx_probe_set_begin(&s->probes, task->requests->lookups->base, may);
}

/* The result is lent for a moment only. */
static struct mx_part *
new_mx_part(const struct lookup_result *r)
{
	struct mx_part *s = calloc(1, sizeof *s + r->entry->body.len);

	if (s == NULL)
		return NULL;
	s->entry = *r->entry;
	if (r->entry->body.len > 0)
		memcpy(s->body, r->entry->body.p, r->entry->body.len);
	s->entry.body.p = s->body;
	snprintf(s->note, sizeof s->note, "%s", r->note);
	snprintf(s->fault, sizeof s->fault, "%s", r->fault);
	s->result =
	    (struct lookup_result){ r->use, &s->entry, s->note, s->fault };
	return s;
}

/* What the configuration makes of the answer; s gets whom it lets in. */
static enum sts_mode
in_force(const struct lookups *l, const char *domain,
    const struct lookup_result *r, struct mx_part *s)
{
	const struct sts_domain_conf *d = sts_conf_domain(l->conf, domain);
	enum sts_verdict verdict = STS_NO_POLICY;
	enum sts_mode mode = STS_MODE_NONE;

	if (!l->conf->enabled)
		return STS_MODE_NONE;
	if (d != NULL && d->mode != STS_DOMAIN_OFF && d->mx != NULL) {
		mode = d->mode == STS_DOMAIN_TESTING ? STS_MODE_TESTING
						     : STS_MODE_ENFORCE;
		(void)sts_policy_pin(&s->policy, mode, d->mx, NULL);
		return mode;
	}
	if (r->use == STS_USE_ENTRY &&
	    sts_policy_parse(&s->policy, r->entry->body.p, r->entry->body.len,
		NULL, NULL, NULL) == STS_OK) {
		mode = sts_policy_mode(s->policy);
		verdict = mode == STS_MODE_NONE ? STS_NO_POLICY : STS_POLICY;
	}
	return sts_override(d == NULL ? STS_DOMAIN_FOLLOW : d->mode, verdict,
		   &mode) == STS_POLICY
	    ? mode
	    : STS_MODE_NONE;
}

/*
 * Is the set of any use: does mail go by forced TLS, was some queued when it
 * would have, or are its sessions to be reported as what "enforce" would have
 * made of them (RFC 8461 5)?
 */
static bool
is_of_use(const struct lookups *l, const char *domain,
    const struct lookup_result *r, struct mx_part *s)
{
	enum sts_mode mode = in_force(l, domain, r, s);
	int64_t relayed;

	if (mode == STS_MODE_ENFORCE)
		return true;
	sts_policy_free(s->policy);
	s->policy = NULL;
	relayed = sts_store_marked(l->store, STS_MARK_RELAYED, domain);
	if (relayed != 0 && time(NULL) - relayed < STS_MX_KEEP)
		return true;
	s->quiet = true;
	return mode == STS_MODE_TESTING && l->spool != NULL;
}

static bool
wants_mx(const struct task *task)
{
	const struct asker *a;

	STAILQ_FOREACH(a, &task->askers, next)
	if (!a->later && (a->wish & STS_QUESTION_MX) != 0)
		return true;
	return false;
}

static void
got_policy(void *arg, const char *domain, const struct lookup_result *r)
{
	struct task *task = arg;
	struct lookups *l = task->requests->lookups;
	struct mx_part *s = wants_mx(task) ? new_mx_part(r) : NULL;

	if (s == NULL || !is_of_use(l, domain, r, s)) {
		free(s); /* out of memory: without the MX set */
		tell(task, r, true);
		end(task);
		return;
	}
	task->mx_part = s;
	tell(task, &s->result, false);
	s->fetch.lookups = l;
	s->fetch.domain = task->domain;
	s->fetch.done = got_mx;
	s->fetch.arg = task;
	mx_fetch_begin(&s->fetch);
}

/* --- The policy ---------------------------------------------------------- */

/* Where the configuration knows the answer nobody is asked; else NULL. */
static const char *
configured(const struct sts_conf *conf, const char *domain)
{
	const struct sts_domain_conf *d = sts_conf_domain(conf, domain);

	if (!conf->enabled)
		return "switched off by enabled = no";
	if (d != NULL && d->mode == STS_DOMAIN_OFF)
		return "switched off for the domain";
	if (d != NULL && d->mx != NULL)
		return "pinned by the configuration";
	return NULL;
}

static void
look(struct task *task)
{
	static const struct sts_entry none = { .kind = STS_ENTRY_NONE };
	struct lookup_waiter waiter = { got_policy, task };
	struct lookups *l = task->requests->lookups;
	struct lookup_result r = { STS_USE_NONE, &none, "", "" };

	if ((r.note = configured(l->conf, task->domain)) != NULL)
		got_policy(task, task->domain, &r);
	else
		lookup_add(l, task->domain, task->flags, &waiter);
}

static struct task *
find(struct domain_requests *p, const char *domain)
{
	struct task *task;

	LIST_FOREACH(task, &p->bucket[bucket_of(domain)], next)
	if (strcmp(task->domain, domain) == 0)
		return task;
	return NULL;
}

static struct task *
new_task(struct domain_requests *p, const char *domain, unsigned flags)
{
	struct task *task = calloc(1, sizeof *task);

	if (task == NULL)
		return NULL;
	task->requests = p;
	task->flags = flags;
	snprintf(task->domain, sizeof task->domain, "%s", domain);
	STAILQ_INIT(&task->askers);
	LIST_INSERT_HEAD(&p->bucket[bucket_of(domain)], task, next);
	return task;
}

void
domain_request_ask(struct domain_requests *p, const char *domain, unsigned wish,
    domain_request_done *done, void *arg)
{
	static const struct sts_entry nothing;
	struct lookup_result nomem = { STS_USE_LOCAL, &nothing, "",
		"worker: out of memory" };
	struct lookup_result full = { STS_USE_NOT_YET, &nothing,
		"too many domains of its owner are being looked up", "" };
	struct sts_account_keys owner = {
		{ owner_of_name(&p->owners, domain) }
	};
	struct task *task = find(p, domain);
	struct asker *a;
	bool fresh = task == NULL;

	if (!sts_accountant_may(&p->questions, &owner)) {
		done(arg, domain, &full);
		return;
	}
	if ((wish & STS_REFETCH) != 0)
		wish |= STS_FRESH;
	a = calloc(1, sizeof *a);
	if (a != NULL && fresh &&
	    (task = new_task(p, domain, wish & LOOKUP_LOOKS)) != NULL)
		task->owner = owner;
	if (a == NULL || task == NULL) {
		free(a);
		done(arg, domain, &nomem);
		return;
	}
	*a = (struct asker){ .wish = wish, .done = done, .arg = arg };
	a->later = (wish & LOOKUP_LOOKS & ~task->flags) != 0;
	STAILQ_INSERT_TAIL(&task->askers, a, next);
	p->askers++;
	sts_accountant_take(&p->questions, &owner);
	if (fresh)
		look(task);
	else if (task->mx_part != NULL)
		tell(task, &task->mx_part->result, false);
}

size_t
domain_request_askers(const struct domain_requests *p)
{
	return p->askers;
}

struct domain_requests *
domain_request_new(struct lookups *l)
{
	struct domain_requests *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->lookups = l;
	owner_keys_init(&p->owners);
	p->mx_prober = mx_prober_new(l->base, l->conf, l->store);
	if (p->mx_prober == NULL ||
	    !sts_accountant_init(&p->questions, QUESTIONS_MAX)) {
		domain_request_free(p);
		return NULL;
	}
	return p;
}

void
domain_request_free(struct domain_requests *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (!LIST_EMPTY(&p->bucket[i]))
			free_task(LIST_FIRST(&p->bucket[i]));
	mx_prober_free(p->mx_prober);
	sts_accountant_clear(&p->questions);
	free(p);
}
