/* SPDX-License-Identifier: ISC */
/*
 * One question to the nameservers.
 *
 * A question has one timer: the end of the last attempt's share of the time,
 * or "now" when an answer is there to be looked at.  So nothing but the timer
 * starts an attempt or calls back, and never from inside getdns.  An attempt
 * whose time is up stays open: a slow answer is an answer.
 */
#include "question.h"

#include <stdio.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/err.h"

enum {
	BUSY_MAX = 64, /* more at once and UDP packets get lost */
	/* Of our own beside them: whether the resolver is down is not for those
	 * to say who have taken all the places. */
	OWN_MAX = 8,
	LINGER_MS = 1500
};

static void
arm(struct dns_question *q, int64_t ms)
{
	struct timeval tv = { 0, 0 };

	if (ms > 0) {
		tv.tv_sec = (time_t)(ms / 1000);
		tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	}
	(void)evtimer_add(&q->timer, &tv);
}

static unsigned
left_until(int64_t when)
{
	int64_t left = when - sts_now_ms();

	return left > 0 ? (unsigned)left : 0;
}

/* --- One attempt ------------------------------------------------------- */

static struct dns_upstream *
get_link(struct dns_pool *pool, const struct dns_attempt *step)
{
	struct dns_upstream **link = &pool->link[step->server][step->proto];

	if (*link == NULL)
		*link = dns_upstream_new(pool->base, pool->conf,
		    &pool->server[step->server], step->proto);
	return *link;
}

/* Without a reply, and only then, the status of getdns tells something. */
static void
read_response(struct dns_found *out, const getdns_dict *response,
    const struct dns_question *q)
{
	getdns_bindata *reply;
	uint32_t status = 0;

	*out = (struct dns_found){ .why = DNS_WHY_NETWORK };
	if (response == NULL)
		return;
	if (getdns_dict_get_bindata(response, "/replies_full/0", &reply) == 0)
		dns_reply_read(out, reply->data, reply->size, &q->name,
		    q->type);
	else if (getdns_dict_get_int(response, "status", &status) == 0 &&
	    status == GETDNS_RESPSTATUS_ALL_TIMEOUT)
		out->why = DNS_WHY_TIMEOUT;
}

static void
answered(getdns_context *ctx, getdns_callback_type_t how, getdns_dict *response,
    void *arg, getdns_transaction_t id)
{
	struct dns_try *try = arg;

	(void)ctx;
	(void)id;
	if (try->open && how != GETDNS_CALLBACK_CANCEL) {
		try->open = false;
		try->ready = true;
		read_response(&try->found, response, try->q);
		arm(try->q, 0);
	}
	getdns_dict_destroy(response);
}

/* The slot is free again. */
static void
release(struct dns_try *try)
{
	if (try->open) {
		try->open = false;
		(void)getdns_cancel_callback(try->link->ctx, try->id);
	}
	if (try->link != NULL)
		dns_upstream_drop(try->link);
	try->link = NULL;
	try->ready = false;
	dns_found_clear(&try->found);
}

static enum dns_why
submit(struct dns_try *try)
{
	const struct dns_question *q = try->q;
	getdns_return_t rc;

	if ((try->link = get_link(q->pool, &try->step)) == NULL)
		return DNS_WHY_LOCAL;
	dns_upstream_take(try->link);
	try->open = true;
	rc = getdns_general(try->link->ctx, q->text, (uint16_t)q->type,
	    try->step.plain ? q->pool->plain : NULL, try, &try->id, answered);
	if (rc == GETDNS_RETURN_GOOD)
		return DNS_WHY_OK;
	try->open = false;
	if (rc == GETDNS_RETURN_MEMORY_ERROR)
		return DNS_WHY_LOCAL;
	return rc == GETDNS_RETURN_BAD_DOMAIN_NAME ? DNS_WHY_NAME
						   : DNS_WHY_NETWORK;
}

/* Hand the question to getdns; what comes of it, the timer brings. */
static void
attempt(struct dns_question *q, const struct dns_attempt *step)
{
	struct dns_try *try = &q->try[q->ntry++ % DNS_OPEN_MAX];
	unsigned share =
	    dns_attempts_timeout(&q->plan, left_until(q->deadline));
	enum dns_why why;

	release(try); /* an older attempt */
	*try = (struct dns_try){ .q = q, .step = *step, .began = sts_now_ms() };
	q->last = try;
	q->slice = try->began + share;
	arm(q, share);
	if ((why = submit(try)) == DNS_WHY_OK)
		return;
	try->ready = true;
	try->found.why = why;
	arm(q, 0);
}

/* What an attempt's outcome says of its server, and of the connection. */
static void
note_outcome(const struct dns_try *try, enum dns_why why)
{
	struct dns_pool *pool = try->q->pool;
	const struct dns_attempt *step = &try->step;
	struct dns_upstream **link = &pool->link[step->server][step->proto];

	if (!try->q->hurried)
		dns_peer_note(&pool->peer[step->server], step->proto, why,
		    sts_now_ms());
	if (try->link == NULL)
		return;
	if (why != DNS_WHY_TIMEOUT && why != DNS_WHY_NETWORK)
		pool->heard = try->link->heard = sts_now_ms();
	else if (step->proto != DNS_BY_UDP && *link == try->link &&
	    try->link->heard < try->began) {
		/* Nobody else heard anything on this connection either. */
		*link = NULL;
		dns_upstream_retire(try->link);
	}
}

/* --- One question ------------------------------------------------------ */

/* Is there nothing to be gained by another attempt? */
static bool
is_final(enum dns_why why)
{
	return why == DNS_WHY_OK || why == DNS_WHY_NXDOMAIN ||
	    why == DNS_WHY_NODATA || why == DNS_WHY_NAME ||
	    why == DNS_WHY_LOCAL;
}

/* It ends without an attempt, but not from inside dns_ask(). */
static void
hopeless(struct dns_question *q, enum dns_why why)
{
	q->state = DNS_HOPELESS;
	q->found.why = why;
	arm(q, 0);
}

/* The timeout starts when the question leaves the queue; not while no server
 * answers. */
static void
leave_queue(struct dns_question *q)
{
	int64_t now = sts_now_ms();

	TAILQ_REMOVE(&q->pool->waiting, q, next);
	if (q->hurried || q->pool->heard < q->asked)
		return;
	q->waited = (unsigned)(now - q->asked);
	q->deadline = now + q->timeout;
}

/* Interfaces come and go, and the other servers answer meanwhile. */
static void
look_for_interfaces(struct dns_pool *pool)
{
	char addr[STS_ADDR_TEXT], text[128];

	for (size_t i = 0; i < pool->n; i++) {
		const struct sts_server *server = &pool->server[i];
		bool missing = !dns_upstream_here(server);

		if (missing && !pool->peer[i].missing && pool->remark != NULL) {
			snprintf(text, sizeof text,
			    "nameserver %s%%%s: no such interface on this "
			    "host, not asked",
			    sts_addr_text(&server->addr, addr), server->scope);
			pool->remark(text);
		}
		pool->peer[i].missing = missing;
	}
}

static bool
is_own(const struct dns_question *q)
{
	return q->owner.key[0] == 0;
}

static bool
may_start(const struct dns_question *q)
{
	return is_own(q) ? q->pool->own < OWN_MAX
			 : sts_accountant_may(&q->pool->busy, &q->owner);
}

/* The oldest whose owner has not taken his share. */
static struct dns_question *
next_in_turn(const struct dns_pool *pool)
{
	struct dns_question *q;

	TAILQ_FOREACH(q, &pool->waiting, next)
	if (may_start(q))
		return q;
	return NULL;
}

static void
take_place(struct dns_question *q)
{
	if (is_own(q))
		q->pool->own++;
	else
		sts_accountant_take(&q->pool->busy, &q->owner);
}

static void
give_place_back(struct dns_question *q)
{
	if (is_own(q))
		q->pool->own--;
	else
		sts_accountant_give_back(&q->pool->busy, &q->owner);
}

static void
start_waiting(struct dns_pool *pool)
{
	struct dns_question *q;
	struct dns_attempt step;

	while ((q = next_in_turn(pool)) != NULL) {
		leave_queue(q);
		look_for_interfaces(pool);
		dns_attempts_init(&q->plan, pool->peer, pool->n,
		    pool->conf->transport, sts_now_ms());
		if (!dns_attempts_next(&q->plan, &step)) {
			hopeless(q, DNS_WHY_LOCAL); /* no server is left */
			continue;
		}
		q->state = DNS_BUSY;
		take_place(q);
		attempt(q, &step);
	}
}

static void
stop(struct dns_question *q)
{
	for (size_t i = 0; i < DNS_OPEN_MAX; i++)
		release(&q->try[i]);
	if (q->state == DNS_WAITING)
		TAILQ_REMOVE(&q->pool->waiting, q, next);
	else if (q->state == DNS_BUSY)
		give_place_back(q);
	q->state = DNS_DONE;
	evtimer_del(&q->timer);
}

static void
finish(struct dns_question *q, enum dns_why why)
{
	stop(q);
	q->found.why = why;
	start_waiting(q->pool);
	q->done(q);
}

/* The last attempt is over, or its time is up. */
static void
go_on(struct dns_question *q)
{
	unsigned left = left_until(q->deadline);
	struct dns_attempt step;
	bool open = false;

	for (size_t i = 0; i < DNS_OPEN_MAX; i++)
		open = open || q->try[i].open;
	if (left > 0 && dns_attempts_next(&q->plan, &step))
		attempt(q, &step);
	else if (left > 0 && open && q->last != NULL) {
		q->last = NULL;
		arm(q, left < LINGER_MS ? left : LINGER_MS);
	} else
		finish(q, q->plan.why);
}

/* The attempt is over; true: its answer, now that of the question, is final. */
static bool
accept_answer(struct dns_question *q, struct dns_try *try)
{
	enum dns_why why = try->found.why;

	note_outcome(try, why);
	if (is_final(why)) {
		q->found = try->found;
		try->found = (struct dns_found){ .why = DNS_WHY_OK };
	} else
		dns_attempts_note(&q->plan, &try->step, why,
		    try->found.no_edns);
	release(try);
	return is_final(why);
}

/*
 * On a busy machine the queue alone can take seconds, and says nothing of the
 * server; but where nobody was answered in all that time, it does.
 */
static bool
may_wait(struct dns_question *q)
{
	int64_t now = sts_now_ms();

	if (q->state != DNS_WAITING || q->hurried ||
	    q->pool->heard <= q->deadline - q->timeout)
		return false;
	q->deadline = now + q->timeout;
	arm(q, q->timeout);
	return true;
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct dns_question *q = arg;
	struct dns_try *last = q->last;
	bool any = false, again = false;

	(void)fd;
	(void)what;
	if (may_wait(q))
		return;
	if (q->state != DNS_BUSY) {
		finish(q, q->found.why);
		return;
	}
	for (size_t i = 0; i < DNS_OPEN_MAX; i++)
		if (q->try[i].ready) {
			any = true;
			again = again || &q->try[i] == last;
			if (accept_answer(q, &q->try[i])) {
				finish(q, q->found.why);
				return;
			}
		}
	if (any && !again && last != NULL && left_until(q->slice) > 0) {
		arm(q, left_until(q->slice)); /* only an older one failed */
		return;
	}
	if (!again && last != NULL) {
		note_outcome(last, DNS_WHY_TIMEOUT);
		dns_attempts_note(&q->plan, &last->step, DNS_WHY_TIMEOUT,
		    false);
	}
	go_on(q);
}

void
dns_question_ask(struct dns_question *q, struct dns_pool *pool,
    unsigned timeout_ms)
{
	q->pool = pool;
	q->timeout = timeout_ms;
	q->asked = sts_now_ms();
	q->deadline = q->asked + timeout_ms;
	evtimer_assign(&q->timer, pool->base, tick, q);
	if (!dns_wire_parse(&q->name, q->text)) {
		hopeless(q, DNS_WHY_NAME);
		return;
	}
	if (q->text[0] != '.') /* those of the root are our own */
		q->owner.key[0] = owner_of_name(&pool->owners, q->text);
	q->state = DNS_WAITING;
	q->found.why = DNS_WHY_TIMEOUT; /* should it never leave the queue */
	TAILQ_INSERT_TAIL(&pool->waiting, q, next);
	arm(q, timeout_ms);
	start_waiting(pool);
}

void
dns_question_hurry(struct dns_question *q, unsigned ms)
{
	int64_t end = sts_now_ms() + ms;
	bool ready = q->state == DNS_HOPELESS;

	if (q->state == DNS_DONE || q->deadline <= end)
		return;
	q->deadline = end;
	q->hurried = true;
	/* An attempt that is due sooner is still made. */
	if (q->state != DNS_BUSY || q->last == NULL || q->slice > end)
		q->slice = end;
	for (size_t i = 0; i < DNS_OPEN_MAX; i++)
		ready = ready || q->try[i].ready;
	if (!ready)
		arm(q, left_until(q->slice));
}

void
dns_question_clear(struct dns_question *q)
{
	if (q->pool == NULL)
		return;
	stop(q);
	dns_found_clear(&q->found);
}

/* --- What they share --------------------------------------------------- */

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

enum sts_rc
dns_pool_init(struct dns_pool *pool, struct event_base *base,
    const struct sts_conf *conf, dns_remark *remark, struct sts_err *err)
{
	pool->conf = conf;
	pool->remark = remark;
	TAILQ_INIT(&pool->waiting);
	pool->base = base;
	owner_keys_init(&pool->owners);
	if ((pool->plain = without_edns()) == NULL ||
	    !sts_accountant_init(&pool->busy, BUSY_MAX))
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	return STS_OK;
}

static void
retire_links(struct dns_pool *pool)
{
	for (size_t i = 0; i < STS_SERVERS_MAX; i++)
		for (size_t k = 0; k < ARRAY_LEN(pool->link[i]); k++) {
			dns_upstream_retire(pool->link[i][k]);
			pool->link[i][k] = NULL;
		}
}

void
dns_pool_servers(struct dns_pool *pool, const struct sts_server *server,
    size_t n)
{
	retire_links(pool);
	pool->n = n;
	memcpy(pool->server, server, n * sizeof *server);
	memset(pool->peer, 0, sizeof pool->peer);
	for (size_t i = 0; i < n; i++) {
		pool->peer[i].loopback = sts_addr_loopback(&server[i].addr);
		pool->peer[i].tls = server[i].tls_name != NULL;
	}
}

void
dns_pool_clear(struct dns_pool *pool)
{
	retire_links(pool);
	getdns_dict_destroy(pool->plain);
	sts_accountant_clear(&pool->busy);
}
