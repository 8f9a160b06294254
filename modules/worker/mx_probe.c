/* SPDX-License-Identifier: ISC */
/* Connections to port 25 on libevent, one an address, a few at once. */
#include "mx_probe.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/accountant.h"
#include "base/hash.h"
#include "net/gate.h"
#include "net/owner_keys.h"
#include "net/sockaddr.h"
#include "rules/decide.h"

enum { PORT_SMTP = 25, TARGET_BUCKETS = 64 };

struct mx_probe_target {
	LIST_ENTRY(mx_probe_target) next;   /* in the bucket */
	TAILQ_ENTRY(mx_probe_target) queue; /* while it has not begun */
	struct mx_prober *mx_prober;
	struct sts_addr addr;
	struct sts_account_keys owner;
	char text[STS_ADDR_TEXT];
	struct event *event; /* NULL: not begun */
	int fd;
	int error; /* of connect(2) itself */
	LIST_HEAD(, mx_probe_waiter) waiters;
};

struct mx_prober {
	struct event_base *base;
	const struct sts_conf *conf;
	struct sts_store *store;
	struct sts_accountant busy; /* by the owner of the address */
	struct owner_keys owners;
	TAILQ_HEAD(, mx_probe_target) queue;
	LIST_HEAD(, mx_probe_target) bucket[TARGET_BUCKETS];
};

static unsigned
bucket_of(const char *text)
{
	return sts_hash_fold(sts_hash(str_of(text))) % TARGET_BUCKETS;
}

static void
free_target(struct mx_probe_target *t)
{
	if (t->event != NULL)
		event_free(t->event);
	if (t->fd != -1)
		close(t->fd);
	LIST_REMOVE(t, next);
	free(t);
}

/* --- The connection ------------------------------------------------------ */

/* A fault of ours tells nothing about the host. */
static enum mx_probe_says
judge(int error)
{
	static const int ours[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES,
		EPERM, EAGAIN, EADDRNOTAVAIL, EINVAL };

	if (error == 0)
		return MX_PROBE_UP;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (error == ours[i])
			return MX_PROBE_NOT;
	return MX_PROBE_DOWN;
}

static void
note(const struct mx_probe_target *t, enum mx_probe_says says)
{
	struct sts_store *st = t->mx_prober->store;

	if (says == MX_PROBE_NOT)
		return;
	/* The outcome first: who sees "probed" believes what is there. */
	if (says == MX_PROBE_UP)
		sts_store_unmark(st, STS_MARK_MX_DOWN, t->text);
	else
		(void)sts_store_mark(st, STS_MARK_MX_DOWN, t->text, NULL);
	(void)sts_store_mark(st, STS_MARK_MX_PROBED, t->text, NULL);
}

static void start_queued(struct mx_prober *);

static void
ended(evutil_socket_t fd, short what, void *arg)
{
	struct mx_probe_target *t = arg;
	struct mx_prober *p = t->mx_prober;
	struct mx_probe_waiter *w;
	enum mx_probe_says says;
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
	sts_accountant_give_back(&p->busy, &t->owner);
	free_target(t);
	start_queued(p);
}

/* Whatever comes of it, the loop brings. */
static bool
start(struct mx_probe_target *t)
{
	static const struct timeval limit = { MX_PROBE_MS / 1000,
		MX_PROBE_MS % 1000 * 1000 };
	static const struct timeval at_once = { 0, 0 };
	struct sockaddr_storage to;
	socklen_t len = sockaddr_of(&to, &t->addr, PORT_SMTP);
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
	t->event = event_new(t->mx_prober->base, waits ? t->fd : -1,
	    waits ? EV_WRITE : 0, ended, t);
	return t->event != NULL &&
	    event_add(t->event, waits ? &limit : &at_once) == 0;
}

/* The oldest whose owner has not taken his share. */
static struct mx_probe_target *
next_in_turn(const struct mx_prober *p)
{
	struct mx_probe_target *t;

	TAILQ_FOREACH(t, &p->queue, queue)
	if (sts_accountant_may(&p->busy, &t->owner))
		return t;
	return NULL;
}

static void
start_queued(struct mx_prober *p)
{
	struct mx_probe_waiter *w;
	struct mx_probe_target *t;

	while ((t = next_in_turn(p)) != NULL) {
		TAILQ_REMOVE(&p->queue, t, queue);
		if (start(t)) {
			sts_accountant_take(&p->busy, &t->owner);
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

enum mx_probe_says
mx_probe_known(struct mx_prober *p, const struct sts_addr *addr)
{
	char text[STS_ADDR_TEXT];
	int64_t now = time(NULL);

	if (gate_refuses(p->conf, GATE_PROBE, addr, PORT_SMTP) != NULL)
		return MX_PROBE_NOT;
	sts_addr_text(addr, text);
	if (!sts_within(now,
		sts_store_marked(p->store, STS_MARK_MX_PROBED, text),
		STS_MX_PROBE_SPAN))
		return MX_PROBE_PENDING;
	return sts_store_marked(p->store, STS_MARK_MX_DOWN, text) != 0
	    ? MX_PROBE_DOWN
	    : MX_PROBE_UP;
}

static struct mx_probe_target *
target_for(struct mx_prober *p, const struct sts_addr *addr)
{
	struct mx_probe_target *t;
	char text[STS_ADDR_TEXT];
	unsigned b = bucket_of(sts_addr_text(addr, text));

	LIST_FOREACH(t, &p->bucket[b], next)
	if (strcmp(t->text, text) == 0)
		return t;
	if ((t = calloc(1, sizeof *t)) == NULL)
		return NULL;
	t->mx_prober = p;
	t->addr = *addr;
	t->owner.key[0] = owner_of_address(&p->owners, addr);
	t->fd = -1;
	memcpy(t->text, text, sizeof text);
	LIST_INSERT_HEAD(&p->bucket[b], t, next);
	TAILQ_INSERT_TAIL(&p->queue, t, queue);
	return t;
}

bool
mx_probe_ask(struct mx_prober *p, const struct sts_addr *addr,
    struct mx_probe_waiter *w)
{
	struct mx_probe_target *t = target_for(p, addr);

	if (t == NULL)
		return false;
	w->target = t;
	LIST_INSERT_HEAD(&t->waiters, w, next);
	start_queued(p);
	return w->target != NULL;
}

void
mx_probe_leave(struct mx_prober *p, struct mx_probe_waiter *w)
{
	struct mx_probe_target *t = w->target;

	if (t == NULL)
		return;
	LIST_REMOVE(w, next);
	w->target = NULL;
	if (t->event == NULL && LIST_EMPTY(&t->waiters)) {
		TAILQ_REMOVE(&p->queue, t, queue);
		free_target(t);
	}
}

struct mx_prober *
mx_prober_new(struct event_base *base, const struct sts_conf *conf,
    struct sts_store *store)
{
	struct mx_prober *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	if (!sts_accountant_init(&p->busy, MX_PROBES_MAX)) {
		free(p);
		return NULL;
	}
	owner_keys_init(&p->owners);
	p->base = base;
	p->conf = conf;
	p->store = store;
	TAILQ_INIT(&p->queue);
	return p;
}

void
mx_prober_free(struct mx_prober *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < TARGET_BUCKETS; i++)
		while (!LIST_EMPTY(&p->bucket[i]))
			free_target(LIST_FIRST(&p->bucket[i]));
	sts_accountant_clear(&p->busy);
	free(p);
}
