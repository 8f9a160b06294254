/* SPDX-License-Identifier: ISC */
/*
 * The hosts of one preference are probed at once, those of the next when all
 * of these failed or said nothing for a moment: where the best host answers,
 * nobody else is bothered.
 */
#include "mx_probe_set.h"

#include <event2/event.h>

#include "base/clock.h"

static void
finish(struct mx_probe_set *r)
{
	mx_probe_set_clear(r);
	r->done(r->arg);
}

static void
says(struct mx_probe_waiter *w, enum mx_probe_says said)
{
	struct mx_probe_set_host *h = w->arg;
	struct mx_probe_set *r = h->reach;
	enum mx_state *state = &r->state[h - r->host];

	h->open--;
	h->down = h->down || said == MX_PROBE_DOWN;
	if (said == MX_PROBE_UP)
		*state = MX_UP;
	else if (*state == MX_PENDING && h->open == 0)
		*state = h->down ? MX_DOWN : MX_LEFT_OUT;
	/* Not finish(): other waiters of the same address come next. */
	event_active(r->timer, EV_TIMEOUT, 0);
}

static void
ask(struct mx_probe_set *r, struct mx_probe_set_host *h,
    const struct sts_mx_host *mx)
{
	for (size_t i = 0; i < mx->naddr; i++) {
		if (mx_probe_known(r->mx_prober, &mx->addr[i]) !=
		    MX_PROBE_PENDING)
			continue;
		h->waiter[i].says = says;
		h->waiter[i].arg = h;
		h->open +=
		    mx_probe_ask(r->mx_prober, &mx->addr[i], &h->waiter[i]);
	}
}

/* One address that answered will do. */
static enum mx_state
begin_host(struct mx_probe_set *r, size_t i)
{
	const struct sts_mx_host *mx = &r->set->host[i];
	struct mx_probe_set_host *h = &r->host[i];

	h->reach = r;
	for (size_t k = 0; k < mx->naddr; k++)
		switch (mx_probe_known(r->mx_prober, &mx->addr[k])) {
		case MX_PROBE_UP:
			return MX_UP;
		case MX_PROBE_DOWN:
			h->down = true;
			break;
		case MX_PROBE_PENDING:
		case MX_PROBE_NOT:
			break;
		}
	ask(r, h, mx);
	if (h->open > 0)
		return MX_PENDING;
	return h->down ? MX_DOWN : MX_LEFT_OUT;
}

/* The best hosts that have not begun; false: there are none. */
static bool
begin_next(struct mx_probe_set *r)
{
	const struct sts_mx_set *set = r->set;
	size_t i = 0;
	uint16_t preference;

	while (i < set->n && r->state[i] != MX_DUE)
		i++;
	if (i == set->n)
		return false;
	preference = set->host[i].preference;
	for (; i < set->n && set->host[i].preference == preference; i++)
		if (r->state[i] == MX_DUE)
			r->state[i] = begin_host(r, i);
	return true;
}

static bool
pending(const struct mx_probe_set *r)
{
	for (size_t i = 0; i < r->set->n; i++)
		if (r->state[i] == MX_PENDING)
			return true;
	return false;
}

/* Somebody answered, or nobody did for a moment. */
static void
go_on(evutil_socket_t fd, short what, void *arg)
{
	struct mx_probe_set *r = arg;
	int64_t now = sts_now_ms();
	struct timeval wait;

	(void)fd;
	(void)what;
	while (!mx_records_settled(r->set, r->state)) {
		if (pending(r) && now < r->next) {
			wait = (struct timeval){ 0,
				(suseconds_t)(r->next - now) * 1000 };
			evtimer_add(r->timer, &wait);
			return;
		}
		r->next = now + MX_PROBE_SET_NEXT_MS;
		if (!begin_next(r))
			return; /* too_late() or an answer is the next */
	}
	finish(r);
}

static void
too_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg);
}

void
mx_probe_set_begin(struct mx_probe_set *r, struct event_base *base,
    const bool may[STS_MX_HOSTS_MAX])
{
	static const struct timeval limit = { MX_PROBE_SET_MS / 1000, 0 };

	for (size_t i = 0; i < STS_MX_HOSTS_MAX; i++)
		r->state[i] = may[i] ? MX_DUE : MX_LEFT_OUT;
	r->timer = evtimer_new(base, go_on, r);
	r->limit = evtimer_new(base, too_late, r);
	if (r->timer == NULL || r->limit == NULL) {
		finish(r); /* a probe is a help, no more */
		return;
	}
	evtimer_add(r->limit, &limit);
	go_on(-1, 0, r);
}

void
mx_probe_set_clear(struct mx_probe_set *r)
{
	for (size_t i = 0; i < STS_MX_HOSTS_MAX; i++)
		for (size_t k = 0; k < STS_MX_ADDRS_MAX; k++)
			mx_probe_leave(r->mx_prober, &r->host[i].waiter[k]);
	if (r->timer != NULL)
		event_free(r->timer);
	if (r->limit != NULL)
		event_free(r->limit);
	r->timer = r->limit = NULL;
}
