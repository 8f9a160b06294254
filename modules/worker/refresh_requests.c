/* SPDX-License-Identifier: ISC */
/*
 * The one background worker of the machine.  Adapters leave a mark for each
 * domain they want looked at and start a worker only if none runs, so that a
 * thousand hits on old entries cost one process.
 */
#include <time.h>

#include <event2/event.h>

#include "query/query.h"
#include "worker.h"

enum { AT_ONCE = 64, ROUNDS_MAX = 1000 };

struct background {
	struct worker *w;
	struct event *alive;
};

static void
done(struct background *bg, enum sts_mark mark, const char *domain)
{
	sts_store_unmark(bg->w->store, mark, domain);
	if (domain_request_askers(bg->w->requests) == 0)
		event_base_loopbreak(bg->w->base);
}

static void
done_policy(void *arg, const char *domain, const struct lookup_result *r)
{
	(void)r;
	done(arg, STS_MARK_REFRESH, domain);
}

static void
done_mx(void *arg, const char *domain, const struct lookup_result *r)
{
	(void)r;
	done(arg, STS_MARK_REFRESH_MX, domain);
}

static bool
add_policy(void *arg, const char *domain)
{
	struct background *bg = arg;

	domain_request_ask(bg->w->requests, domain, bg->w->flags, done_policy,
	    bg);
	return domain_request_domains(bg->w->requests) < AT_ONCE;
}

static bool
add_mx(void *arg, const char *domain)
{
	struct background *bg = arg;

	domain_request_ask(bg->w->requests, domain,
	    bg->w->flags | DOMAIN_REQUEST_MX, done_mx, bg);
	return domain_request_domains(bg->w->requests) < AT_ONCE;
}

/* A mark that grows old is taken for that of a dead worker. */
static void
still_alive(evutil_socket_t fd, short what, void *arg)
{
	struct background *bg = arg;

	(void)fd;
	(void)what;
	(void)sts_store_mark(bg->w->store, STS_MARK_RUNNING, NULL, NULL);
}

static void
serve_wants(struct background *bg)
{
	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		sts_store_refresh_requests(bg->w->store, STS_MARK_REFRESH_MX,
		    add_mx, bg);
		sts_store_refresh_requests(bg->w->store, STS_MARK_REFRESH,
		    add_policy, bg);
		if (domain_request_askers(bg->w->requests) == 0)
			return;
		event_base_dispatch(bg->w->base);
	}
}

static bool
any(void *arg, const char *domain)
{
	(void)domain;
	*(bool *)arg = true;
	return false;
}

void
run_background(struct worker *w)
{
	static const struct timeval touch = { STS_RUNNING_TOUCH, 0 };
	struct background bg = { .w = w };
	bool more;

	bg.alive = event_new(w->base, -1, EV_PERSIST, still_alive, &bg);
	if (bg.alive == NULL) {
		w->failed = true;
		return;
	}
	event_add(bg.alive, &touch);
	do {
		serve_wants(&bg);
		sts_store_unmark(w->store, STS_MARK_RUNNING, NULL);
		/* Who came between the last look and the unmarking saw a
		 * running worker and left it to us. */
		more = false;
		sts_store_refresh_requests(w->store, STS_MARK_REFRESH, any,
		    &more);
		sts_store_refresh_requests(w->store, STS_MARK_REFRESH_MX, any,
		    &more);
	} while (more &&
	    sts_store_claim(w->store, STS_MARK_RUNNING, NULL, time(NULL),
		STS_RUNNING_STALE));
	event_free(bg.alive);
}
