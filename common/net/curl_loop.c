/* SPDX-License-Identifier: ISC */
#define CURL_DISABLE_DEPRECATION /* curl_multi_socket_all() */
#include "curl_loop.h"

#include <stdlib.h>
#include <time.h>

#include <event2/event.h>
#include <event2/event_struct.h>

enum { NUDGE_MS = 200 };

/* A descriptor that curl wants watched. */
struct watch {
	TAILQ_ENTRY(watch) next;
	struct event event;
};
TAILQ_HEAD(watches, watch);

struct curl_loop {
	struct event_base *base;
	CURLM *multi;
	struct event timer, nudge;
	struct watches watches;
	TAILQ_HEAD(, curl_run) runs;
};

static void
arm(struct event *timer, long ms)
{
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	(void)evtimer_add(timer, &tv);
}

static void
collect(struct curl_loop *loop)
{
	struct curl_run *run;
	char *private;
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(loop->multi, &left)) != NULL) {
		private = NULL;
		if (msg->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
			&private) != CURLE_OK ||
		    private == NULL)
			continue;
		run = (struct curl_run *)(void *)private;
		run->choosing = false;
		run->ended(run, msg->data.result);
	}
}

static void
ready(evutil_socket_t fd, short what, void *arg)
{
	struct curl_loop *loop = arg;
	int action = 0, running;

	if ((what & EV_READ) != 0)
		action |= CURL_CSELECT_IN;
	if ((what & EV_WRITE) != 0)
		action |= CURL_CSELECT_OUT;
	(void)curl_multi_socket_action(loop->multi, fd, action, &running);
	collect(loop);
}

static void
timed(evutil_socket_t fd, short what, void *arg)
{
	struct curl_loop *loop = arg;
	int running;

	(void)fd;
	(void)what;
	(void)curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0,
	    &running);
	collect(loop);
}

/* Is curl still choosing among several addresses? */
static bool
any_choosing(struct curl_loop *loop)
{
	struct curl_run *run;
	curl_off_t connected = 0;

	TAILQ_FOREACH(run, &loop->runs, next)
	if (run->choosing &&
	    curl_easy_getinfo(run->curl, CURLINFO_CONNECT_TIME_T, &connected) ==
		CURLE_OK &&
	    connected == 0)
		return true;
	return false;
}

/*
 * curl gives each address of a family a share of the time, but 7.88 sets no
 * timer for the next one (its own programs wake up every second), so it would
 * stay on a dead address to the end.  At that moment it has no socket that
 * curl_multi_socket_action() could name.
 */
static void
nudge(evutil_socket_t fd, short what, void *arg)
{
	struct curl_loop *loop = arg;
	int running;

	(void)fd;
	(void)what;
	if (!any_choosing(loop))
		return;
	(void)curl_multi_socket_all(loop->multi, &running);
	collect(loop);
	arm(&loop->nudge, NUDGE_MS);
}

static int
set_timer(CURLM *multi, long ms, void *arg)
{
	struct curl_loop *loop = arg;

	(void)multi;
	if (ms < 0)
		(void)evtimer_del(&loop->timer);
	else
		arm(&loop->timer, ms);
	return 0;
}

static void
drop_watch(struct curl_loop *loop, struct watch *watch)
{
	(void)event_del(&watch->event);
	TAILQ_REMOVE(&loop->watches, watch, next);
	free(watch);
}

static int
watch_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *known)
{
	struct curl_loop *loop = arg;
	struct watch *watch = known;
	short events = EV_PERSIST;

	(void)curl;
	if (what == CURL_POLL_REMOVE) {
		if (watch != NULL)
			drop_watch(loop, watch);
		return 0;
	}
	if (watch != NULL)
		(void)event_del(&watch->event);
	else if ((watch = calloc(1, sizeof *watch)) == NULL)
		return -1;
	else {
		TAILQ_INSERT_TAIL(&loop->watches, watch, next);
		(void)curl_multi_assign(loop->multi, fd, watch);
	}
	if (what != CURL_POLL_OUT)
		events |= EV_READ;
	if (what != CURL_POLL_IN)
		events |= EV_WRITE;
	event_assign(&watch->event, loop->base, fd, events, ready, loop);
	return event_add(&watch->event, NULL);
}

struct curl_loop *
curl_loop_new(struct event_base *base)
{
	struct curl_loop *loop = calloc(1, sizeof *loop);

	if (loop == NULL)
		return NULL;
	loop->base = base;
	TAILQ_INIT(&loop->watches);
	TAILQ_INIT(&loop->runs);
	evtimer_assign(&loop->timer, base, timed, loop);
	evtimer_assign(&loop->nudge, base, nudge, loop);
	if ((loop->multi = curl_multi_init()) != NULL &&
	    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION,
		watch_socket) == CURLM_OK &&
	    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop) ==
		CURLM_OK &&
	    curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, set_timer) ==
		CURLM_OK &&
	    curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop) ==
		CURLM_OK)
		return loop;
	curl_loop_free(loop);
	return NULL;
}

void
curl_loop_free(struct curl_loop *loop)
{
	if (loop == NULL)
		return;
	(void)curl_multi_cleanup(loop->multi);
	while (!TAILQ_EMPTY(&loop->watches))
		drop_watch(loop, TAILQ_FIRST(&loop->watches));
	(void)evtimer_del(&loop->timer);
	(void)evtimer_del(&loop->nudge);
	free(loop);
}

bool
curl_loop_add(struct curl_loop *loop, struct curl_run *run)
{
	run->added = false;
	if (curl_easy_setopt(run->curl, CURLOPT_PRIVATE, run) != CURLE_OK ||
	    curl_multi_add_handle(loop->multi, run->curl) != CURLM_OK)
		return false;
	run->added = true;
	TAILQ_INSERT_TAIL(&loop->runs, run, next);
	if (run->choosing && !evtimer_pending(&loop->nudge, NULL))
		arm(&loop->nudge, NUDGE_MS);
	return true;
}

void
curl_loop_remove(struct curl_loop *loop, struct curl_run *run)
{
	if (!run->added)
		return;
	run->added = false;
	TAILQ_REMOVE(&loop->runs, run, next);
	(void)curl_multi_remove_handle(loop->multi, run->curl);
	(void)curl_easy_setopt(run->curl, CURLOPT_PRIVATE, NULL);
}
