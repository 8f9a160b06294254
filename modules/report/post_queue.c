/* SPDX-License-Identifier: ISC */
#include "post_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/err.h"
#include "https_post.h"
#include "net/gate.h"

enum {
	/* All wait for black holes at the same time, up to this number. */
	POSTS_MAX = 512,
	FD_OTHERS = 200, /* that are not for POSTs, which may need two */
	LOOKUPS_MAX = 64,
	HOST_AT_ONCE = 8,
	FAILURES_MAX = 3, /* of a host or an address, until it is left alone */
	BUCKETS = 1024
};

enum host_state {
	HOST_NEW,
	HOST_ASKED, /* for its addresses */
	HOST_KNOWN,
	HOST_NOWHERE /* it has none, or none that may be connected to */
};

struct post_host {
	struct post_host *same; /* of the bucket */
	TAILQ_ENTRY(post_host) next;
	struct post_queue *queue;
	bool listed; /* in fresh or turns */
	enum host_state state;
	char why[160];
	struct sts_addr addr[POST_ADDR_MAX];
	size_t naddr;
	unsigned running, failures;
	struct jobs jobs;
	char name[];
};

struct post_queue {
	struct sending *run;
	struct posts *posts;
	struct key_counts dead; /* connections that failed, by address */
	unsigned max, running, lookups;
	TAILQ_HEAD(host_list, post_host) fresh, turns; /* fresh: HOST_NEW */
	struct post_host *bucket[BUCKETS];
};

/* --- Hosts -------------------------------------------------------------- */

struct post_host *
post_queue_host(struct post_queue *q, const char *name)
{
	struct sts_str part = str_of(name);
	size_t size = part.len + 1;
	struct post_host **at, *h;

	at = &q->bucket[key_of(&q->dead, &part, 1) / 2 % BUCKETS];
	for (h = *at; h != NULL; h = h->same)
		if (strcmp(h->name, name) == 0)
			return h;
	if ((h = calloc(1, sizeof *h + size)) == NULL)
		return NULL;
	memcpy(h->name, name, size);
	h->queue = q;
	TAILQ_INIT(&h->jobs);
	h->same = *at;
	*at = h;
	return h;
}

static uint64_t
key_of_address(const struct post_queue *q, const struct sts_addr *a)
{
	struct sts_str part = { (const char *)a->bytes, sizeof a->bytes };

	return key_of(&q->dead, &part, 1);
}

/* After a failure one POST at a time: each may take its full timeout. */
static void
enqueue_host(struct post_host *h)
{
	unsigned most = h->failures == 0 ? HOST_AT_ONCE : 1;

	if (h->listed || TAILQ_EMPTY(&h->jobs) || h->running >= most ||
	    h->state == HOST_ASKED)
		return;
	h->listed = true;
	if (h->state == HOST_NEW)
		TAILQ_INSERT_TAIL(&h->queue->fresh, h, next);
	else
		TAILQ_INSERT_TAIL(&h->queue->turns, h, next);
}

static void
end_jobs(struct post_host *h, enum job_fate fate, const char *why)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&h->jobs)) != NULL) {
		TAILQ_REMOVE(&h->jobs, job, next);
		job_end(job, fate, why);
	}
}

/* --- Addresses ---------------------------------------------------------- */

static void
resolved(void *arg, const struct dns_answer *d)
{
	struct post_host *h = arg;
	struct sending *run = h->queue->run;
	const char *why = NULL;

	h->queue->lookups--;
	run->active--;
	for (size_t i = 0; i < d->n && h->naddr < POST_ADDR_MAX; i++)
		if ((why = gate_refuses(run->program->conf, GATE_POST,
			 &d->addr[i], 443)) == NULL)
			h->addr[h->naddr++] = d->addr[i];
	h->state = h->naddr > 0 ? HOST_KNOWN : HOST_NOWHERE;
	(void)snprintf(h->why, sizeof h->why, "no address%s%s",
	    why == NULL ? "" : " that may be connected to: ",
	    why == NULL ? "" : why);
	if (d->outcome == DNS_TEMPFAIL)
		(void)snprintf(h->why, sizeof h->why, "DNS: %s",
		    dns_why_name(d->why));
	enqueue_host(h);
	run->go_on(run);
}

static void
ask(struct post_host *h)
{
	struct sending *run = h->queue->run;

	if (dns_ask(run->program->dns, DNS_ADDRESS, h->name,
		run->program->conf->dns_timeout, resolved, h)) {
		h->state = HOST_ASKED;
		h->queue->lookups++;
		run->active++;
		return;
	}
	h->state = HOST_NOWHERE;
	(void)snprintf(h->why, sizeof h->why, "out of memory");
}

/* Its addresses but those that FAILURES_MAX connections failed to. */
static size_t
alive(const struct post_host *h, struct sts_addr out[POST_ADDR_MAX])
{
	const struct post_queue *q = h->queue;
	size_t n = 0;

	for (size_t i = 0; i < h->naddr; i++)
		if (key_counts_get(&q->dead, key_of_address(q, &h->addr[i])) <
		    FAILURES_MAX)
			out[n++] = h->addr[i];
	return n;
}

/* --- POSTs -------------------------------------------------------------- */

/*
 * A host may have the address of somebody else's collector.  So a POST
 * without an HTTP answer counts against the host, but against the address only
 * where no connection was made, which the owner of the name cannot bring about.
 */
static void
note_failures(struct post_host *h, const struct post_answer *a)
{
	struct post_queue *q = h->queue;
	uint64_t key;

	if (!a->silent) {
		h->failures = 0;
		for (size_t i = 0; i < h->naddr; i++) {
			key = key_of_address(q, &h->addr[i]);
			if (key_counts_get(&q->dead, key) > 0)
				(void)key_counts_set(&q->dead, key, 0);
		}
		return;
	}
	h->failures++;
	for (size_t i = 0; i < a->ndead; i++) {
		key = key_of_address(q, &a->dead[i]);
		(void)key_counts_set(&q->dead, key,
		    key_counts_get(&q->dead, key) + 1);
	}
}

static void
posted(void *arg, const struct post_answer *a)
{
	static const enum job_fate fates[] = {
		[POST_TAKEN] = JOB_SENT,
		[POST_AGAIN] = JOB_AGAIN,
		[POST_REFUSED] = JOB_FINAL,
		[POST_UNKNOWN] = JOB_UNKNOWN,
	};
	struct job *job = arg;
	struct post_host *h = job->host;
	struct sending *run = job->run;

	h->running--;
	h->queue->running--;
	run->active--;
	note_failures(h, a);
	job_end(job, fates[a->fate], a->why);
	enqueue_host(h);
	run->go_on(run);
}

static void
begin(struct post_host *h, const struct sts_addr *addr, size_t naddr)
{
	struct job *job = TAILQ_FIRST(&h->jobs);
	struct post_queue *q = h->queue;
	const struct destination *g;
	struct rua to;

	TAILQ_REMOVE(&h->jobs, job, next);
	if (!job_begin(job))
		return;
	g = &job->report->state->dest[job->at];
	if (sts_rua_read(&to, str_of(g->uri)) != NULL || to.kind != RUA_HTTPS ||
	    !post_start(q->posts, &to, addr, naddr, job->report->gz,
		job->report->len, posted, job)) {
		job_end(job, JOB_AGAIN,
		    "out of memory, or libcurl cannot be set up");
		return;
	}
	h->running++;
	q->running++;
	q->run->active++;
}

/* One step of the host whose turn it is. */
static void
next_step(struct post_host *h)
{
	struct sts_addr addr[POST_ADDR_MAX];
	size_t n;

	if (h->state == HOST_NOWHERE)
		end_jobs(h, JOB_AGAIN, h->why);
	else if (h->failures >= FAILURES_MAX || (n = alive(h, addr)) == 0)
		end_jobs(h, JOB_SKIPPED, "nobody answers there");
	else
		begin(h, addr, n);
	enqueue_host(h);
}

static struct post_host *
dequeue_host(struct host_list *from)
{
	struct post_host *h = TAILQ_FIRST(from);

	if (h != NULL) {
		TAILQ_REMOVE(from, h, next);
		h->listed = false;
	}
	return h;
}

void
post_queue_run(struct post_queue *q)
{
	struct post_host *h;

	while (!q->run->over && q->lookups < LOOKUPS_MAX &&
	    (h = dequeue_host(&q->fresh)) != NULL) {
		ask(h);
		enqueue_host(h);
	}
	while (!q->run->over && q->running < q->max &&
	    (h = dequeue_host(&q->turns)) != NULL)
		next_step(h);
}

void
post_queue_add(struct post_queue *q, struct job *job)
{
	(void)q;
	TAILQ_INSERT_TAIL(&job->host->jobs, job, next);
	enqueue_host(job->host);
}

/* --- All of it ---------------------------------------------------------- */

/* How many POSTs at once there are file descriptors for. */
static unsigned
posts_max(void)
{
	struct rlimit limit;
	rlim_t want = 2 * POSTS_MAX + FD_OTHERS;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return 1;
	if (limit.rlim_cur < want) {
		limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur >= want)
		return POSTS_MAX;
	return limit.rlim_cur < FD_OTHERS + 4
	    ? 1
	    : (unsigned)(limit.rlim_cur - FD_OTHERS) / 2;
}

struct post_queue *
post_queue_new(struct sending *run, struct sts_err *err)
{
	struct post_queue *q = calloc(1, sizeof *q);

	if (q == NULL) {
		(void)sts_fail(err, STS_NOMEM, 0, "out of memory");
		return NULL;
	}
	q->run = run;
	q->max = posts_max();
	memcpy(q->dead.secret, run->caps.counts.secret, sizeof q->dead.secret);
	TAILQ_INIT(&q->fresh);
	TAILQ_INIT(&q->turns);
	q->posts = posts_new(run->program->base, run->program->conf, err);
	if (q->posts != NULL)
		return q;
	free(q);
	return NULL;
}

void
post_queue_free(struct post_queue *q)
{
	struct post_host *h;

	if (q == NULL)
		return;
	posts_free(q->posts);
	for (size_t i = 0; i < BUCKETS; i++)
		while ((h = q->bucket[i]) != NULL) {
			q->bucket[i] = h->same;
			jobs_leave(&h->jobs);
			free(h);
		}
	key_counts_clear(&q->dead);
	free(q);
}
