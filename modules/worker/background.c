/* SPDX-License-Identifier: ISC */
/*
 * The one background worker of the machine.  Adapters leave a mark for each
 * domain they want looked at and start a worker only if none runs, so that a
 * thousand hits on old entries cost one process.
 */
#include "worker.h"

#include <time.h>

#include <event2/event.h>

#include "ctx.h"

enum { AT_ONCE = 64, ROUNDS_MAX = 1000 };

struct background {
	struct worker *w;
	struct event *alive;
};

static void
done(struct background *bg, enum sts_mark mark, const char *domain)
{
	sts_store_unmark(bg->w->store, mark, domain);
	if (prefetch_askers(bg->w->prefetch) == 0)
		event_base_loopbreak(bg->w->base);
}

static void
done_policy(void *arg, const char *domain, const struct engine_result *r)
{
	(void)r;
	done(arg, STS_MARK_WANT, domain);
}

static void
done_mx(void *arg, const char *domain, const struct engine_result *r)
{
	(void)r;
	done(arg, STS_MARK_WANT_MX, domain);
}

static bool
add_policy(void *arg, const char *domain)
{
	struct background *bg = arg;

	prefetch_ask(bg->w->prefetch, domain, bg->w->flags, done_policy, bg);
	return prefetch_domains(bg->w->prefetch) < AT_ONCE;
}

static bool
add_mx(void *arg, const char *domain)
{
	struct background *bg = arg;

	prefetch_ask(bg->w->prefetch, domain, bg->w->flags | PREFETCH_MX,
	    done_mx, bg);
	return prefetch_domains(bg->w->prefetch) < AT_ONCE;
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
		sts_store_wanted(bg->w->store, STS_MARK_WANT_MX, add_mx, bg);
		sts_store_wanted(bg->w->store, STS_MARK_WANT, add_policy, bg);
		if (prefetch_askers(bg->w->prefetch) == 0)
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
		sts_store_wanted(w->store, STS_MARK_WANT, any, &more);
		sts_store_wanted(w->store, STS_MARK_WANT_MX, any, &more);
	} while (more &&
	    sts_store_claim(w->store, STS_MARK_RUNNING, NULL, time(NULL),
		STS_RUNNING_STALE));
	event_free(bg.alive);
}
