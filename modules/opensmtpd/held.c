/* SPDX-License-Identifier: ISC */
#include "held.h"

#include <stdlib.h>
#include <string.h>

struct held {
	TAILQ_ENTRY(held) entry;
	int64_t deadline;
	unsigned char session, token; /* lengths; the bytes are in text */
	char text[];                  /* domain NUL session token */
};

/* As TAILQ_FOREACH, but *h may go meanwhile. */
#define EACH(h, next, l)                                                       \
	for ((h) = TAILQ_FIRST(&(l)->queue);                                   \
	     (h) != NULL && ((next) = TAILQ_NEXT(h, entry), true);             \
	     (h) = (next))

void
held_init(struct held_list *l, held_fn *release, void *arg)
{
	TAILQ_INIT(&l->queue);
	l->n = 0;
	l->release = release;
	l->arg = arg;
}

bool
held_add(struct held_list *l, struct sts_str session, struct sts_str token,
    const char *domain, int64_t deadline)
{
	size_t len = strlen(domain) + 1;
	struct held *h;

	if (l->n >= HELD_MAX || session.len > 255 || token.len > 255 ||
	    (h = malloc(sizeof *h + len + session.len + token.len)) == NULL)
		return false;
	h->deadline = deadline;
	h->session = (unsigned char)session.len;
	h->token = (unsigned char)token.len;
	memcpy(h->text, domain, len);
	memcpy(h->text + len, session.p, session.len);
	memcpy(h->text + len + session.len, token.p, token.len);
	TAILQ_INSERT_TAIL(&l->queue, h, entry);
	l->n++;
	return true;
}

bool
held_has(const struct held_list *l, const char *domain)
{
	struct held *h;

	TAILQ_FOREACH(h, &l->queue, entry)
	if (strcmp(h->text, domain) == 0)
		return true;
	return false;
}

int64_t
held_deadline(const struct held_list *l)
{
	return TAILQ_EMPTY(&l->queue) ? -1 : TAILQ_FIRST(&l->queue)->deadline;
}

static struct sts_str
session_of(const struct held *h)
{
	return (struct sts_str){ h->text + strlen(h->text) + 1, h->session };
}

static void
drop(struct held_list *l, struct held *h, bool answer)
{
	struct sts_str session = session_of(h);
	struct sts_str token = { session.p + session.len, h->token };

	TAILQ_REMOVE(&l->queue, h, entry);
	l->n--;
	if (answer)
		l->release(l->arg, session, token);
	free(h);
}

void
held_done(struct held_list *l, const char *domain)
{
	struct held *h, *next;

	EACH(h, next, l)
	if (domain == NULL || strcmp(h->text, domain) == 0)
		drop(l, h, true);
}

void
held_expire(struct held_list *l, int64_t now)
{
	while (
	    !TAILQ_EMPTY(&l->queue) && TAILQ_FIRST(&l->queue)->deadline <= now)
		drop(l, TAILQ_FIRST(&l->queue), true);
}

void
held_forget(struct held_list *l, struct sts_str session)
{
	struct held *h, *next;
	struct sts_str s;

	EACH(h, next, l)
	{
		s = session_of(h);
		if (s.len == session.len && memcmp(s.p, session.p, s.len) == 0)
			drop(l, h, false);
	}
}
