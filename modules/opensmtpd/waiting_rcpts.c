/* SPDX-License-Identifier: ISC */
#include "waiting_rcpts.h"

#include <stdlib.h>
#include <string.h>

#include "line_buffer.h"

static struct sts_str
text(const char *s)
{
	return (struct sts_str){ s, strlen(s) };
}

static void
copy(char out[FILTER_ID_MAX + 1], struct sts_str id)
{
	memcpy(out, id.p, id.len);
	out[id.len] = '\0';
}

static struct waiting_session *
find(const struct waiting_rcpts *l, struct sts_str id)
{
	struct waiting_session *s;

	TAILQ_FOREACH(s, &l->sessions, entry)
	if (field_is(id, s->id))
		return s;
	return NULL;
}

void
waiting_rcpts_init(struct waiting_rcpts *l, waiting_rcpt_fn *release, void *arg)
{
	TAILQ_INIT(&l->sessions);
	l->n = 0;
	memset(l->slow, 0, sizeof l->slow);
	l->release = release;
	l->arg = arg;
}

static struct waiting_session *
find_or_new(struct waiting_rcpts *l, struct sts_str id)
{
	struct waiting_session *s = find(l, id);

	if (s != NULL || id.len > FILTER_ID_MAX ||
	    l->n >= WAITING_SESSIONS_MAX || (s = calloc(1, sizeof *s)) == NULL)
		return s;
	copy(s->id, id);
	TAILQ_INSERT_TAIL(&l->sessions, s, entry);
	l->n++;
	return s;
}

/*
 * smtpd opens no new connection while the old ones wait.  So an owner whose
 * domain was slow to answer can make one wait in a minute; his other mail is
 * told to come again.
 */
static void
note_slow(struct waiting_rcpts *l, struct sts_str owner, int64_t now)
{
	struct waiting_owner *o = &l->slow[0];

	for (size_t i = 0; i < WAITING_SLOW_MAX; i++) {
		if (field_is(owner, l->slow[i].name))
			return;
		if (l->slow[i].until < o->until)
			o = &l->slow[i];
	}
	memcpy(o->name, owner.p, owner.len);
	o->name[owner.len] = '\0';
	o->until = now + WAITING_SLOW_SPAN;
}

static bool
is_slow(struct waiting_rcpts *l, struct sts_str owner, int64_t now)
{
	for (size_t i = 0; i < WAITING_SLOW_MAX; i++) {
		if (l->slow[i].until <= now)
			l->slow[i] = (struct waiting_owner){ .until = 0 };
		else if (field_is(owner, l->slow[i].name))
			return true;
	}
	return false;
}

/* The rule of common/base/accountant.h. */
static bool
has_place(const struct waiting_rcpts *l, struct sts_str owner)
{
	const struct waiting_session *s;
	unsigned all = 0, mine = 0;

	TAILQ_FOREACH(s, &l->sessions, entry)
	{
		if (s->token[0] == '\0')
			continue;
		all++;
		mine += s->owner.len == owner.len &&
		    memcmp(s->owner.p, owner.p, owner.len) == 0;
	}
	return all < WAITING_RCPTS_MAX && mine < WAITING_RCPTS_MAX - all;
}

const char *
waiting_rcpts_add(struct waiting_rcpts *l, struct sts_str session,
    struct sts_str token, const char *domain, struct sts_str owner, int64_t now,
    int64_t ms)
{
	struct waiting_session *s = find_or_new(l, session);

	if (s == NULL || s->token[0] != '\0' || token.len > FILTER_ID_MAX)
		return "too many sessions wait";
	if (WAITING_MESSAGE_MAX - s->waited < WAITING_MESSAGE_LEAST)
		return "the message has waited long enough";
	if (is_slow(l, owner, now))
		return "domains of its owner are slow to answer";
	if (!has_place(l, owner))
		return "too much mail to domains of its owner waits already";
	if (ms > WAITING_MESSAGE_MAX - s->waited)
		ms = WAITING_MESSAGE_MAX - s->waited;
	s->since = now;
	s->deadline = now + ms;
	copy(s->token, token);
	memcpy(s->domain, domain, strlen(domain) + 1);
	s->owner =
	    (struct sts_str){ s->domain + (owner.p - domain), owner.len };
	return NULL;
}

int64_t
waiting_rcpts_deadline(const struct waiting_rcpts *l)
{
	const struct waiting_session *s;
	int64_t first = -1;

	TAILQ_FOREACH(s, &l->sessions, entry)
	if (s->token[0] != '\0' && (first == -1 || s->deadline < first))
		first = s->deadline;
	return first;
}

static void
release(struct waiting_rcpts *l, struct waiting_session *s, int64_t now,
    const char *why)
{
	char token[FILTER_ID_MAX + 1];

	copy(token, text(s->token));
	s->token[0] = '\0';
	s->waited += now - s->since;
	if (now - s->since >= WAITING_SLOW_MS)
		note_slow(l, s->owner, now);
	l->release(l->arg, text(s->id), text(token), s->domain, why);
}

void
waiting_rcpts_done(struct waiting_rcpts *l, const char *domain, int64_t now,
    const char *why)
{
	struct waiting_session *s;

	TAILQ_FOREACH(s, &l->sessions, entry)
	if (s->token[0] != '\0' &&
	    (domain == NULL || strcmp(s->domain, domain) == 0))
		release(l, s, now, why);
}

void
waiting_rcpts_expire(struct waiting_rcpts *l, int64_t now, const char *why)
{
	struct waiting_session *s;

	TAILQ_FOREACH(s, &l->sessions, entry)
	if (s->token[0] != '\0' && s->deadline <= now)
		release(l, s, now, why);
}

void
waiting_rcpts_renew(struct waiting_rcpts *l, struct sts_str session)
{
	struct waiting_session *s = find(l, session);

	if (s != NULL)
		s->waited = 0;
}

void
waiting_rcpts_forget(struct waiting_rcpts *l, struct sts_str session)
{
	struct waiting_session *s = find(l, session);

	if (s == NULL)
		return;
	TAILQ_REMOVE(&l->sessions, s, entry);
	l->n--;
	free(s);
}
