/* SPDX-License-Identifier: ISC */
#include "waiting_rcpts.h"

#include <stdlib.h>
#include <string.h>

struct waiting_rcpt {
	TAILQ_ENTRY(waiting_rcpt) entry;
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
waiting_rcpts_init(struct waiting_rcpts *l, waiting_rcpt_fn *release, void *arg)
{
	TAILQ_INIT(&l->queue);
	l->n = 0;
	l->release = release;
	l->arg = arg;
}

bool
waiting_rcpts_add(struct waiting_rcpts *l, struct sts_str session,
    struct sts_str token, const char *domain, int64_t deadline)
{
	size_t len = strlen(domain) + 1;
	struct waiting_rcpt *h;

	if (l->n >= WAITING_RCPTS_MAX || session.len > 255 || token.len > 255 ||
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
waiting_rcpts_has(const struct waiting_rcpts *l, const char *domain)
{
	struct waiting_rcpt *h;

	TAILQ_FOREACH(h, &l->queue, entry)
	if (strcmp(h->text, domain) == 0)
		return true;
	return false;
}

int64_t
waiting_rcpts_deadline(const struct waiting_rcpts *l)
{
	return TAILQ_EMPTY(&l->queue) ? -1 : TAILQ_FIRST(&l->queue)->deadline;
}

static struct sts_str
session_of(const struct waiting_rcpt *h)
{
	return (struct sts_str){ h->text + strlen(h->text) + 1, h->session };
}

static void
drop(struct waiting_rcpts *l, struct waiting_rcpt *h, bool answer)
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
waiting_rcpts_done(struct waiting_rcpts *l, const char *domain)
{
	struct waiting_rcpt *h, *next;

	EACH(h, next, l)
	if (domain == NULL || strcmp(h->text, domain) == 0)
		drop(l, h, true);
}

void
waiting_rcpts_expire(struct waiting_rcpts *l, int64_t now)
{
	while (
	    !TAILQ_EMPTY(&l->queue) && TAILQ_FIRST(&l->queue)->deadline <= now)
		drop(l, TAILQ_FIRST(&l->queue), true);
}

void
waiting_rcpts_forget(struct waiting_rcpts *l, struct sts_str session)
{
	struct waiting_rcpt *h, *next;
	struct sts_str s;

	EACH(h, next, l)
	{
		s = session_of(h);
		if (s.len == session.len && memcmp(s.p, session.p, s.len) == 0)
			drop(l, h, false);
	}
}
