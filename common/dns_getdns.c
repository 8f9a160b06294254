/* SPDX-License-Identifier: ISC */
/*
 * Questions to the DNS by getdns in stub mode, asynchronous on libevent.
 *
 * Each question has one timer: the end of the attempt under way, or "now"
 * when an answer is there to be judged.  So nothing but the timer starts an
 * attempt or calls back, and never from inside getdns.
 */
#include "dns.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "dns_link.h"
#include "dns_loop.h"
#include "dns_plan.h"
#include "dns_reply.h"
#include "err.h"
#include "resolv.h"

enum {
	BUSY_MAX = 64,         /* more at once and UDP packets get lost */
	OTHER_FAMILY_MS = 500, /* a AAAA that never comes does not hold up A */
	RESOLV_MAX = 65536
};

struct question {
	TAILQ_ENTRY(question) next;
	struct ask *ask;
	struct dns_wire name;
	uint32_t type;
	int64_t deadline;
	enum { WAITING, BUSY, HOPELESS, DONE } state;
	bool hurried; /* cut short by us: says nothing of the server */
	bool open;    /* getdns has it and will call answered() */
	getdns_transaction_t id;
	struct event timer;
	struct dns_plan plan;
	struct dns_step step;
	struct dns_found found;
};

struct ask {
	TAILQ_ENTRY(ask) next;
	struct dns *dns;
	char name[STS_NAME_SIZE];
	dns_done *done;
	void *arg;
	bool soa; /* dns_probe(): no records to hand out */
	size_t n, left;
	struct question q[2];
};
TAILQ_HEAD(questions, question);
TAILQ_HEAD(asks, ask);

struct dns {
	struct event_base *base;
	const struct sts_conf *conf;
	struct dns_loop loop;
	getdns_dict *plain; /* extensions of a query without EDNS */
	size_t n;
	struct sts_server server[STS_SERVERS_MAX];
	struct dns_peer peer[STS_SERVERS_MAX];
	getdns_context *link[STS_SERVERS_MAX][3];
	size_t busy;
	struct questions waiting;
	struct asks asks;
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
arm(struct question *q, int64_t ms)
{
	struct timeval tv = { 0, 0 };

	if (ms > 0) {
		tv.tv_sec = (time_t)(ms / 1000);
		tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	}
	(void)evtimer_add(&q->timer, &tv);
}

static unsigned
time_left(const struct question *q)
{
	int64_t left = q->deadline - now_ms();

	return left > 0 ? (unsigned)left : 0;
}

/* --- One attempt ------------------------------------------------------- */

static getdns_context *
get_link(struct dns *dns, const struct dns_step *step)
{
	getdns_context **link = &dns->link[step->server][step->proto];

	if (*link == NULL)
		*link = dns_link_new(&dns->loop, dns->conf,
		    &dns->server[step->server], step->proto);
	return *link;
}

static void
answered(getdns_context *ctx, getdns_callback_type_t how, getdns_dict *response,
    void *arg, getdns_transaction_t id)
{
	struct question *q = arg;

	(void)ctx;
	(void)id;
	if (!q->open || how == GETDNS_CALLBACK_CANCEL) {
		getdns_dict_destroy(response);
		return;
	}
	q->open = false;
	dns_reply_read(&q->found, response, &q->name, q->type);
	getdns_dict_destroy(response);
	arm(q, 0);
}

/* Hand the question to getdns; what comes of it, the timer brings. */
static void
attempt(struct question *q)
{
	struct dns *dns = q->ask->dns;
	getdns_context *ctx = get_link(dns, &q->step);
	getdns_dict *extensions = q->step.plain ? dns->plain : NULL;
	getdns_return_t rc;

	q->found = (struct dns_found){ .why = DNS_WHY_LOCAL };
	if (ctx == NULL) {
		arm(q, 0);
		return;
	}
	q->open = true;
	arm(q, dns_plan_timeout(&q->plan, time_left(q)));
	rc = getdns_general(ctx, q->ask->name, (uint16_t)q->type, extensions, q,
	    &q->id, answered);
	if (rc == GETDNS_RETURN_GOOD)
		return;
	q->open = false;
	if (rc == GETDNS_RETURN_BAD_DOMAIN_NAME)
		q->found.why = DNS_WHY_NAME;
	else if (rc != GETDNS_RETURN_MEMORY_ERROR)
		q->found.why = DNS_WHY_NETWORK;
	arm(q, 0);
}

/* The attempt is over: by its timer, or because an answer is there. */
static void
conclude(struct question *q)
{
	struct dns *dns = q->ask->dns;
	getdns_context *ctx = dns->link[q->step.server][q->step.proto];
	enum dns_why why = q->found.why;

	if (q->open) {
		q->open = false;
		(void)getdns_cancel_callback(ctx, q->id);
		q->found.why = why = DNS_WHY_TIMEOUT;
	}
	if (!q->hurried)
		dns_peer_note(&dns->peer[q->step.server], q->step.proto, why,
		    now_ms());
	if (q->step.proto != DNS_BY_UDP && ctx != NULL &&
	    (why == DNS_WHY_TIMEOUT || why == DNS_WHY_NETWORK) &&
	    dns_link_reset(ctx, &dns->server[q->step.server], q->step.proto) !=
		0)
		q->found.why = DNS_WHY_LOCAL;
}

/* --- One question ------------------------------------------------------ */

static bool
is_none(enum dns_why why)
{
	return why == DNS_WHY_NXDOMAIN || why == DNS_WHY_NODATA;
}

/* Is there anything to be gained by another attempt? */
static bool
is_final(enum dns_why why)
{
	return why == DNS_WHY_OK || is_none(why) || why == DNS_WHY_NAME ||
	    why == DNS_WHY_LOCAL;
}

static void deliver(struct ask *);
static void start_waiting(struct dns *);

/*
 * One address family is there: the other gets a little time.  Nameservers that
 * never answer AAAA are common enough.
 */
static void
hurry(struct ask *ask)
{
	int64_t end = now_ms() + OTHER_FAMILY_MS;

	for (size_t i = 0; i < ask->n; i++) {
		struct question *q = &ask->q[i];

		if (q->state == DONE || q->deadline <= end)
			continue;
		q->deadline = end;
		q->hurried = true;
		if (q->state == WAITING || q->open)
			arm(q, OTHER_FAMILY_MS);
	}
}

static void
finish(struct question *q, enum dns_why why)
{
	struct dns *dns = q->ask->dns;

	if (q->state == WAITING)
		TAILQ_REMOVE(&dns->waiting, q, next);
	else if (q->state == BUSY)
		dns->busy--;
	q->found.why = why;
	q->state = DONE;
	evtimer_del(&q->timer);
	start_waiting(dns);
	if (--q->ask->left == 0)
		deliver(q->ask);
	else if (why == DNS_WHY_OK)
		hurry(q->ask);
}

static void
next_attempt(struct question *q)
{
	dns_found_clear(&q->found);
	if (time_left(q) > 0 && dns_plan_next(&q->plan, &q->step))
		attempt(q);
	else
		finish(q,
		    q->plan.why != DNS_WHY_OK ? q->plan.why : DNS_WHY_TIMEOUT);
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct question *q = arg;

	(void)fd;
	(void)what;
	if (q->state != BUSY) {
		finish(q, q->found.why);
		return;
	}
	conclude(q);
	if (is_final(q->found.why)) {
		finish(q, q->found.why);
		return;
	}
	dns_plan_note(&q->plan, &q->step, q->found.why, q->found.no_edns);
	next_attempt(q);
}

static void
start_waiting(struct dns *dns)
{
	struct question *q;

	while (
	    dns->busy < BUSY_MAX && (q = TAILQ_FIRST(&dns->waiting)) != NULL) {
		TAILQ_REMOVE(&dns->waiting, q, next);
		q->state = BUSY;
		dns->busy++;
		dns_plan_init(&q->plan, dns->peer, dns->n, dns->conf->transport,
		    now_ms());
		(void)dns_plan_next(&q->plan, &q->step);
		attempt(q);
	}
}

/* --- A question as the caller sees it ---------------------------------- */

static enum dns_outcome
outcome(enum dns_why why)
{
	if (why == DNS_WHY_OK)
		return DNS_FOUND;
	return is_none(why) ? DNS_NONE : DNS_TEMPFAIL;
}

/*
 * A and AAAA as one: found if either is, none only if both say so.  b->why is
 * the failure to tell where a has none.
 */
static enum dns_why
both(const struct dns_found *a, const struct dns_found *b)
{
	if (a->why == DNS_WHY_OK || b->why == DNS_WHY_OK)
		return DNS_WHY_OK;
	if (!is_none(a->why))
		return a->why;
	if (!is_none(b->why) || a->why == b->why)
		return b->why;
	return DNS_WHY_NODATA;
}

/* The addresses of both into the first; false: no memory. */
static bool
join(struct dns_found *a, struct dns_found *b)
{
	struct sts_addr *all = NULL;
	enum dns_why why = both(a, b);

	if (a->n + b->n > 0) {
		if ((all = calloc(a->n + b->n, sizeof *all)) == NULL)
			return false;
		for (size_t i = 0; i < a->n; i++)
			all[i] = a->addr[i];
		for (size_t i = 0; i < b->n; i++)
			all[a->n + i] = b->addr[i];
	}
	/* Each counts only if it says what both together say. */
	if (outcome(a->why) != outcome(why) ||
	    (outcome(b->why) == outcome(why) && b->ttl < a->ttl))
		a->ttl = b->ttl;
	free(a->addr);
	a->addr = all;
	a->n += b->n;
	a->why = why;
	return true;
}

static void
free_ask(struct ask *ask)
{
	TAILQ_REMOVE(&ask->dns->asks, ask, next);
	for (size_t i = 0; i < ask->n; i++) {
		evtimer_del(&ask->q[i].timer);
		dns_found_clear(&ask->q[i].found);
	}
	free(ask);
}

static void
deliver(struct ask *ask)
{
	struct dns_found *found = &ask->q[0].found;
	struct dns_answer answer;

	if (ask->n == 2 && !join(found, &ask->q[1].found))
		found->why = DNS_WHY_LOCAL;
	answer = (struct dns_answer){ .outcome = outcome(found->why),
		.why = found->why };
	if (answer.outcome != DNS_TEMPFAIL)
		answer.ttl = found->ttl;
	if (answer.outcome == DNS_FOUND && !ask->soa) {
		answer.n = found->n;
		answer.txt = found->txt;
		answer.addr = found->addr;
		answer.mx = found->mx;
	}
	ask->done(ask->arg, &answer);
	free_ask(ask);
}

static void
add_question(struct ask *ask, uint32_t type, unsigned timeout_ms)
{
	struct question *q = &ask->q[ask->n++];

	ask->left++;
	q->ask = ask;
	q->type = type;
	q->deadline = now_ms() + timeout_ms;
	q->found.why = DNS_WHY_TIMEOUT; /* should it never leave the queue */
	evtimer_assign(&q->timer, ask->dns->base, tick, q);
	if (dns_wire_parse(&q->name, ask->name)) {
		TAILQ_INSERT_TAIL(&ask->dns->waiting, q, next);
		arm(q, timeout_ms);
	} else {
		q->state = HOPELESS;
		q->found.why = DNS_WHY_NAME;
		arm(q, 0);
	}
}

static struct ask *
new_ask(struct dns *dns, const char *name, dns_done *done, void *arg)
{
	struct ask *ask = calloc(1, sizeof *ask);
	size_t len = strlen(name);

	if (ask == NULL)
		return NULL;
	ask->dns = dns;
	ask->done = done;
	ask->arg = arg;
	/* A name that does not fit stays empty, and that cannot be asked. */
	if (len < sizeof ask->name)
		memcpy(ask->name, name, len + 1);
	TAILQ_INSERT_TAIL(&dns->asks, ask, next);
	return ask;
}

bool
dns_ask(struct dns *dns, enum dns_type type, const char *name,
    unsigned timeout_ms, dns_done *done, void *arg)
{
	struct ask *ask = new_ask(dns, name, done, arg);

	if (ask == NULL)
		return false;
	switch (type) {
	case DNS_TXT:
		add_question(ask, GETDNS_RRTYPE_TXT, timeout_ms);
		break;
	case DNS_MX:
		add_question(ask, GETDNS_RRTYPE_MX, timeout_ms);
		break;
	case DNS_ADDRESS:
		add_question(ask, GETDNS_RRTYPE_A, timeout_ms);
		add_question(ask, GETDNS_RRTYPE_AAAA, timeout_ms);
		break;
	}
	start_waiting(dns);
	return true;
}

bool
dns_probe(struct dns *dns, unsigned timeout_ms, dns_done *done, void *arg)
{
	struct ask *ask = new_ask(dns, ".", done, arg);

	if (ask == NULL)
		return false;
	ask->soa = true;
	add_question(ask, GETDNS_RRTYPE_SOA, timeout_ms);
	start_waiting(dns);
	return true;
}

/* --- All of it --------------------------------------------------------- */

/* The system's nameservers; a missing file means the local one, as in libc. */
static enum sts_rc
read_resolv_conf(struct dns *dns, struct sts_err *err)
{
	static const char path[] = "/etc/resolv.conf";
	char *text = malloc(RESOLV_MAX);
	ssize_t n = 0;
	size_t len = 0;
	int fd;

	if (text == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 && errno != ENOENT) {
		free(text);
		return sts_fail(err, STS_LOCAL, 0, "%s: %s", path,
		    strerror(errno));
	}
	while (fd != -1 && len < RESOLV_MAX &&
	    (n = read(fd, text + len, RESOLV_MAX - len)) > 0)
		len += (size_t)n;
	dns->n = sts_resolv_parse(dns->server, (struct sts_str){ text, len });
	if (fd != -1)
		close(fd);
	free(text);
	if (n == -1)
		return sts_fail(err, STS_LOCAL, 0, "%s: cannot be read", path);
	return STS_OK;
}

static enum sts_rc
find_servers(struct dns *dns, struct sts_err *err)
{
	enum sts_rc rc = STS_OK;

	if (dns->conf->nserver > 0) {
		dns->n = dns->conf->nserver;
		memcpy(dns->server, dns->conf->server,
		    dns->n * sizeof dns->server[0]);
	} else
		rc = read_resolv_conf(dns, err);
	for (size_t i = 0; i < dns->n; i++) {
		dns->peer[i].loopback = sts_addr_loopback(&dns->server[i].addr);
		dns->peer[i].tls = dns->server[i].tls_name != NULL;
	}
	return rc;
}

/* 512 is what a query without EDNS means; getdns then adds no OPT record. */
static getdns_dict *
without_edns(void)
{
	getdns_dict *out = getdns_dict_create();

	if (out != NULL &&
	    getdns_dict_set_int(out,
		"/add_opt_parameters/maximum_udp_payload_size", 512) != 0) {
		getdns_dict_destroy(out);
		return NULL;
	}
	return out;
}

struct dns *
dns_new(struct event_base *base, const struct sts_conf *conf,
    struct sts_err *err)
{
	struct dns *dns = calloc(1, sizeof *dns);

	if (dns == NULL || (dns->plain = without_edns()) == NULL) {
		free(dns);
		(void)sts_fail(err, STS_NOMEM, 0, "out of memory");
		return NULL;
	}
	dns->base = base;
	dns->conf = conf;
	TAILQ_INIT(&dns->waiting);
	TAILQ_INIT(&dns->asks);
	dns_loop_init(&dns->loop, base);
	if (find_servers(dns, err) != STS_OK) {
		dns_free(dns);
		return NULL;
	}
	/* getdns sends without MSG_NOSIGNAL. */
	(void)signal(SIGPIPE, SIG_IGN);
	return dns;
}

void
dns_free(struct dns *dns)
{
	struct ask *ask;

	if (dns == NULL)
		return;
	TAILQ_FOREACH(ask, &dns->asks, next)
	for (size_t i = 0; i < ask->n; i++)
		ask->q[i].open = false;
	for (size_t i = 0; i < dns->n; i++)
		for (size_t k = 0; k < ARRAY_LEN(dns->link[i]); k++)
			getdns_context_destroy(dns->link[i][k]);
	while ((ask = TAILQ_FIRST(&dns->asks)) != NULL)
		free_ask(ask);
	getdns_dict_destroy(dns->plain);
	free(dns);
}
