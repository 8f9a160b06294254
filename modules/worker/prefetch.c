/* SPDX-License-Identifier: ISC */
/* Who asks for which domain, and the order of its two parts. */
#include "prefetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "hash.h"
#include "job.h"
#include "mxfetch.h"
#include "reach.h"

enum { LOOKS = STS_FRESH | STS_REFETCH };

struct asker {
	STAILQ_ENTRY(asker) next;
	unsigned wish;
	bool later; /* wants a look of its own, after the present one */
	prefetch_done *done;
	void *arg;
};
STAILQ_HEAD(askers, asker);

/* The second part. */
struct second {
	struct mxfetch fetch;
	struct reach reach;
	struct sts_policy *policy; /* enforced; NULL: none */
	const char *pinned;        /* patterns; NULL: none */
	bool quiet; /* names and addresses will do, nobody is probed */
	struct engine_result result; /* of the first part, until told */
	struct sts_entry entry;
	char note[200], fault[240];
	char body[]; /* of the entry */
};

struct task {
	LIST_ENTRY(task) next; /* in the bucket */
	struct prefetch *prefetch;
	char domain[STS_NAME_SIZE];
	unsigned flags; /* of the look under way */
	struct askers askers;
	struct second *second; /* NULL: the policy is still asked for */
};

struct prefetch {
	struct engine *engine;
	struct prober *prober;
	size_t domains, askers;
	LIST_HEAD(, task) bucket[BUCKETS];
};

static unsigned
bucket_of(const char *domain)
{
	return sts_hash_fold(sts_hash(str_of(domain))) % BUCKETS;
}

/* --- Telling ------------------------------------------------------------- */

/* Those whose wish is fulfilled; all: the MX set is there, too. */
static void
tell(struct task *task, const struct engine_result *r, bool all)
{
	struct askers rest, now;
	struct asker *a;

	STAILQ_INIT(&now);
	STAILQ_INIT(&rest);
	while ((a = STAILQ_FIRST(&task->askers)) != NULL) {
		STAILQ_REMOVE_HEAD(&task->askers, next);
		if (!a->later && (all || (a->wish & PREFETCH_MX) == 0))
			STAILQ_INSERT_TAIL(&now, a, next);
		else
			STAILQ_INSERT_TAIL(&rest, a, next);
	}
	STAILQ_CONCAT(&task->askers, &rest);
	while ((a = STAILQ_FIRST(&now)) != NULL) {
		STAILQ_REMOVE_HEAD(&now, next);
		task->prefetch->askers--;
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
	if (task->second != NULL) {
		reach_clear(&task->second->reach);
		sts_policy_free(task->second->policy);
		free(task->second);
	}
	LIST_REMOVE(task, next);
	task->prefetch->domains--;
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
		task->flags |= a->wish & LOOKS;
		a->later = false;
	}
	look(task);
}

/* --- The MX set ---------------------------------------------------------- */

static void
got_reach(void *arg)
{
	struct task *task = arg;
	struct second *s = task->second;

	tell(task, &s->result, true);
	sts_policy_free(s->policy);
	free(s);
	task->second = NULL;
	end(task);
}

static void
got_mx(void *arg)
{
	struct task *task = arg;
	struct second *s = task->second;
	bool may[STS_MX_HOSTS_MAX];

	if (s->quiet)
		memset(may, 0, sizeof may);
	else
		mxset_candidates(&s->fetch.set, s->policy, s->pinned, may);
	s->reach.prober = task->prefetch->prober;
	s->reach.set = &s->fetch.set;
	s->reach.done = got_reach;
	s->reach.arg = task;
	reach_begin(&s->reach, task->prefetch->engine->base, may);
}

/* The result is lent for a moment only. */
static struct second *
new_second(const struct engine_result *r)
{
	struct second *s = calloc(1, sizeof *s + r->entry->body.len);

	if (s == NULL)
		return NULL;
	s->entry = *r->entry;
	if (r->entry->body.len > 0)
		memcpy(s->body, r->entry->body.p, r->entry->body.len);
	s->entry.body.p = s->body;
	snprintf(s->note, sizeof s->note, "%s", r->note);
	snprintf(s->fault, sizeof s->fault, "%s", r->fault);
	s->result =
	    (struct engine_result){ r->use, &s->entry, s->note, s->fault };
	return s;
}

/* What the configuration makes of the answer; s gets whom it lets in. */
static enum sts_mode
in_force(const struct engine *en, const char *domain,
    const struct engine_result *r, struct second *s)
{
	const struct sts_domain_conf *d = sts_conf_domain(en->conf, domain);
	enum sts_verdict verdict = STS_NO_POLICY;
	enum sts_mode mode = STS_MODE_NONE;

	if (!en->conf->enabled)
		return STS_MODE_NONE;
	if (d != NULL && d->mode != STS_DOMAIN_OFF && d->mx != NULL) {
		s->pinned = d->mx;
		return d->mode == STS_DOMAIN_TESTING ? STS_MODE_TESTING
						     : STS_MODE_ENFORCE;
	}
	if (r->use == STS_USE_ENTRY &&
	    sts_policy_parse(&s->policy, r->entry->body.p, r->entry->body.len,
		NULL, NULL, NULL) == STS_OK) {
		mode = sts_policy_mode(s->policy);
		verdict = mode == STS_MODE_NONE ? STS_NO_POLICY : STS_POLICY;
	}
	return sts_override(d, verdict, &mode) == STS_POLICY ? mode
							     : STS_MODE_NONE;
}

/*
 * Is the set of any use: does mail go by forced TLS, was some queued when it
 * would have, or are its sessions to be reported as what "enforce" would have
 * made of them (RFC 8461 5)?
 */
static bool
is_of_use(const struct engine *en, const char *domain,
    const struct engine_result *r, struct second *s)
{
	enum sts_mode mode = in_force(en, domain, r, s);
	int64_t relayed;

	if (mode == STS_MODE_ENFORCE)
		return true;
	sts_policy_free(s->policy);
	s->policy = NULL;
	s->pinned = NULL;
	relayed = sts_store_marked(en->store, STS_MARK_RELAYED, domain);
	if (relayed != 0 && time(NULL) - relayed < STS_MX_KEEP)
		return true;
	s->quiet = true;
	return mode == STS_MODE_TESTING && en->spool != NULL;
}

static bool
wants_mx(const struct task *task)
{
	const struct asker *a;

	STAILQ_FOREACH(a, &task->askers, next)
	if (!a->later && (a->wish & PREFETCH_MX) != 0)
		return true;
	return false;
}

static void
got_policy(void *arg, const char *domain, const struct engine_result *r)
{
	struct task *task = arg;
	struct engine *en = task->prefetch->engine;
	struct second *s = wants_mx(task) ? new_second(r) : NULL;

	if (s == NULL || !is_of_use(en, domain, r, s)) {
		free(s); /* without memory a set is done without, too */
		tell(task, r, true);
		end(task);
		return;
	}
	task->second = s;
	tell(task, &s->result, false);
	s->fetch.engine = en;
	s->fetch.domain = task->domain;
	s->fetch.done = got_mx;
	s->fetch.arg = task;
	mxfetch_begin(&s->fetch);
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
	struct engine_waiter waiter = { NULL, got_policy, task };
	struct engine *en = task->prefetch->engine;
	struct engine_result r = { STS_USE_NOTHING, &none, "", "" };

	if ((r.note = configured(en->conf, task->domain)) != NULL)
		got_policy(task, task->domain, &r);
	else
		engine_add(en, task->domain, task->flags, &waiter);
}

static struct task *
find(struct prefetch *p, const char *domain)
{
	struct task *task;

	LIST_FOREACH(task, &p->bucket[bucket_of(domain)], next)
	if (strcmp(task->domain, domain) == 0)
		return task;
	return NULL;
}

static struct task *
new_task(struct prefetch *p, const char *domain, unsigned flags)
{
	struct task *task = calloc(1, sizeof *task);

	if (task == NULL)
		return NULL;
	task->prefetch = p;
	task->flags = flags;
	snprintf(task->domain, sizeof task->domain, "%s", domain);
	STAILQ_INIT(&task->askers);
	LIST_INSERT_HEAD(&p->bucket[bucket_of(domain)], task, next);
	p->domains++;
	return task;
}

void
prefetch_ask(struct prefetch *p, const char *domain, unsigned wish,
    prefetch_done *done, void *arg)
{
	static const struct sts_entry nothing;
	struct engine_result nomem = { STS_USE_LOCAL_FAULT, &nothing, "",
		"worker: out of memory" };
	struct task *task = find(p, domain);
	struct asker *a = calloc(1, sizeof *a);
	bool fresh = task == NULL;

	if ((wish & STS_REFETCH) != 0)
		wish |= STS_FRESH;
	if (a != NULL && fresh)
		task = new_task(p, domain, wish & LOOKS);
	if (a == NULL || task == NULL) {
		free(a);
		done(arg, domain, &nomem);
		return;
	}
	*a = (struct asker){ .wish = wish, .done = done, .arg = arg };
	a->later = (wish & LOOKS & ~task->flags) != 0;
	STAILQ_INSERT_TAIL(&task->askers, a, next);
	p->askers++;
	if (fresh)
		look(task);
	else if (task->second != NULL)
		tell(task, &task->second->result, false);
}

size_t
prefetch_domains(const struct prefetch *p)
{
	return p->domains;
}

size_t
prefetch_askers(const struct prefetch *p)
{
	return p->askers;
}

struct prefetch *
prefetch_new(struct engine *en)
{
	struct prefetch *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->engine = en;
	p->prober = prober_new(en->base, en->conf, en->store);
	if (p->prober == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

void
prefetch_free(struct prefetch *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (!LIST_EMPTY(&p->bucket[i]))
			free_task(LIST_FIRST(&p->bucket[i]));
	prober_free(p->prober);
	free(p);
}
