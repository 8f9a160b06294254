/* SPDX-License-Identifier: ISC */
/* Connections to port 25 on libevent, one an address, a few at once. */
#include "probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "hash.h"

enum { PORT_SMTP = 25, TARGET_BUCKETS = 64 };

struct probe_target {
	LIST_ENTRY(probe_target) next;   /* in the bucket */
	TAILQ_ENTRY(probe_target) queue; /* while it has not begun */
	struct prober *prober;
	struct sts_addr addr;
	char text[STS_ADDR_TEXT];
	struct event *event; /* NULL: not begun */
	int fd;
	int error; /* of connect(2) itself */
	LIST_HEAD(, probe_waiter) waiters;
};

struct prober {
	struct event_base *base;
	const struct sts_conf *conf;
	struct sts_store *store;
	size_t busy;
	TAILQ_HEAD(, probe_target) queue;
	LIST_HEAD(, probe_target) bucket[TARGET_BUCKETS];
};

static unsigned
bucket_of(const char *text)
{
	return sts_hash_fold(sts_hash(str_of(text))) % TARGET_BUCKETS;
}

static void
free_target(struct probe_target *t)
{
	if (t->event != NULL)
		event_free(t->event);
	if (t->fd != -1)
		close(t->fd);
	LIST_REMOVE(t, next);
	free(t);
}

/* --- The connection ------------------------------------------------------ */

static socklen_t
set_sockaddr(struct sockaddr_storage *out, const struct sts_addr *addr)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(PORT_SMTP) };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(PORT_SMTP) };

	if (addr->v6) {
		memcpy(&sin6.sin6_addr, addr->bytes, 16);
		memcpy(out, &sin6, sizeof sin6);
		return sizeof sin6;
	}
	memcpy(&sin.sin_addr, addr->bytes, 4);
	memcpy(out, &sin, sizeof sin);
	return sizeof sin;
}

/* A fault of ours tells nothing about the host. */
static enum probe_says
judge(int error)
{
	static const int ours[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES,
		EPERM, EAGAIN, EADDRNOTAVAIL, EINVAL };

	if (error == 0)
		return PROBE_UP;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (error == ours[i])
			return PROBE_NOT;
	return PROBE_DOWN;
}

static void
note(const struct probe_target *t, enum probe_says says)
{
	struct sts_store *st = t->prober->store;

	if (says == PROBE_NOT)
		return;
	/* The outcome first: who sees "probed" believes what is there. */
	if (says == PROBE_UP)
		sts_store_unmark(st, STS_MARK_MX_DOWN, t->text);
	else
		(void)sts_store_mark(st, STS_MARK_MX_DOWN, t->text, NULL);
	(void)sts_store_mark(st, STS_MARK_MX_PROBED, t->text, NULL);
}

static void start_queued(struct prober *);

static void
ended(evutil_socket_t fd, short what, void *arg)
{
	struct probe_target *t = arg;
	struct prober *p = t->prober;
	struct probe_waiter *w;
	enum probe_says says;
	socklen_t len = sizeof t->error;

	if ((what & EV_WRITE) != 0) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &t->error, &len) == -1)
			t->error = errno;
	} else if (t->error == 0)
		t->error = ETIMEDOUT;
	says = judge(t->error);
	note(t, says);
	while ((w = LIST_FIRST(&t->waiters)) != NULL) {
		LIST_REMOVE(w, next);
		w->target = NULL;
		w->says(w, says);
	}
	free_target(t);
	p->busy--;
	start_queued(p);
}

/* Whatever comes of it, the loop brings. */
static bool
start(struct probe_target *t)
{
	static const struct timeval limit = { PROBE_MS / 1000,
		PROBE_MS % 1000 * 1000 };
	static const struct timeval at_once = { 0, 0 };
	struct sockaddr_storage to;
	socklen_t len = set_sockaddr(&to, &t->addr);
	bool waits = false;

	t->fd = socket(t->addr.v6 ? AF_INET6 : AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd == -1)
		t->error = errno == EAFNOSUPPORT ? EHOSTUNREACH : errno;
	else if (connect(t->fd, (struct sockaddr *)&to, len) == -1) {
		waits = errno == EINPROGRESS;
		t->error = waits ? 0 : errno;
	} else
		waits = true; /* to this very machine, perhaps */
	t->event = event_new(t->prober->base, waits ? t->fd : -1,
	    waits ? EV_WRITE : 0, ended, t);
	return t->event != NULL &&
	    event_add(t->event, waits ? &limit : &at_once) == 0;
}

static void
start_queued(struct prober *p)
{
	struct probe_waiter *w;
	struct probe_target *t;

	while (p->busy < PROBES_MAX && (t = TAILQ_FIRST(&p->queue)) != NULL) {
		TAILQ_REMOVE(&p->queue, t, queue);
		if (start(t)) {
			p->busy++;
			continue;
		}
		while ((w = LIST_FIRST(&t->waiters)) != NULL) {
			LIST_REMOVE(w, next);
			w->target = NULL; /* its own time limit ends it */
		}
		free_target(t);
	}
}

/* --- Who asks ------------------------------------------------------------ */

static bool
recent(int64_t marked, int64_t now)
{
	return marked != 0 && marked <= now && now - marked < STS_MX_PROBE_SPAN;
}

enum probe_says
probe_known(struct prober *p, const struct sts_addr *addr)
{
	char text[STS_ADDR_TEXT];
	int64_t now = time(NULL);

	if (sts_addr_in(addr, p->conf->deny, p->conf->ndeny))
		return PROBE_NOT;
	sts_addr_text(addr, text);
	if (!recent(sts_store_marked(p->store, STS_MARK_MX_PROBED, text), now))
		return PROBE_PENDING;
	return sts_store_marked(p->store, STS_MARK_MX_DOWN, text) != 0
	    ? PROBE_DOWN
	    : PROBE_UP;
}

static struct probe_target *
target_for(struct prober *p, const struct sts_addr *addr)
{
	struct probe_target *t;
	char text[STS_ADDR_TEXT];
	unsigned b = bucket_of(sts_addr_text(addr, text));

	LIST_FOREACH(t, &p->bucket[b], next)
	if (strcmp(t->text, text) == 0)
		return t;
	if ((t = calloc(1, sizeof *t)) == NULL)
		return NULL;
	t->prober = p;
	t->addr = *addr;
	t->fd = -1;
	memcpy(t->text, text, sizeof text);
	LIST_INSERT_HEAD(&p->bucket[b], t, next);
	TAILQ_INSERT_TAIL(&p->queue, t, queue);
	return t;
}

bool
probe_ask(struct prober *p, const struct sts_addr *addr, struct probe_waiter *w)
{
	struct probe_target *t = target_for(p, addr);

	if (t == NULL)
		return false;
	w->target = t;
	LIST_INSERT_HEAD(&t->waiters, w, next);
	start_queued(p);
	return w->target != NULL;
}

void
probe_leave(struct prober *p, struct probe_waiter *w)
{
	struct probe_target *t = w->target;

	if (t == NULL)
		return;
	LIST_REMOVE(w, next);
	w->target = NULL;
	if (t->event == NULL && LIST_EMPTY(&t->waiters)) {
		TAILQ_REMOVE(&p->queue, t, queue);
		free_target(t);
	}
}

struct prober *
prober_new(struct event_base *base, const struct sts_conf *conf,
    struct sts_store *store)
{
	struct prober *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->base = base;
	p->conf = conf;
	p->store = store;
	TAILQ_INIT(&p->queue);
	return p;
}

void
prober_free(struct prober *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < TARGET_BUCKETS; i++)
		while (!LIST_EMPTY(&p->bucket[i]))
			free_target(LIST_FIRST(&p->bucket[i]));
	free(p);
}
