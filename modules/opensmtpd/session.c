/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <string.h>
#include <strings.h>

static struct session *
find(struct sessions *all, struct sts_str id)
{
	struct session *s;

	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		s = &all->of[i];
		if (s->used != 0 && s->idlen == id.len &&
		    memcmp(s->id, id.p, id.len) == 0)
			return s;
	}
	return NULL;
}

static struct session *
oldest(struct sessions *all)
{
	struct session *s = &all->of[0];

	for (size_t i = 1; i < SESSIONS_MAX; i++)
		if (all->of[i].used < s->used)
			s = &all->of[i];
	return s;
}

static bool
tls_up(const struct session *s)
{
	return s->tls && s->greeted;
}

static enum session_result
result(const struct session *s)
{
	if (s->began)
		return tls_up(s) ? SESSION_WORKED : SESSION_CLEAR;
	return tls_up(s) && s->quit ? SESSION_IDLE : SESSION_FAILED;
}

static void
tell(const struct session *s, session_end_fn *fn, void *arg)
{
	if (s->address[0] != '\0')
		fn(arg, s->address, tls_up(s), result(s));
}

static void
connected(struct sessions *all, struct session *s, const struct filter_line *f,
    session_end_fn *fn, void *arg)
{
	/* The same once more: smtpd tries again in clear. */
	if (s != NULL && !s->began)
		tell(s, fn, arg);
	if (s == NULL)
		s = oldest(all);
	memset(s, 0, sizeof *s);
	s->used = ++all->clock;
	s->idlen = (unsigned char)f->session.len;
	memcpy(s->id, f->session.p, f->session.len);
	if (!filter_address(s->address, f->rest))
		s->address[0] = '\0';
}

/* The command's first word; a parameter or nothing follows. */
static bool
says(struct sts_str line, const char *verb)
{
	size_t len = strlen(verb);

	return line.len >= len && strncasecmp(line.p, verb, len) == 0 &&
	    (line.len == len || line.p[len] == ' ');
}

static void
client(struct session *s, struct sts_str line)
{
	if (says(line, "STARTTLS"))
		s->wanted = true;
	else if (says(line, "EHLO") || says(line, "HELO"))
		s->greeted = s->wanted;
	else if (says(line, "MAIL"))
		s->began = true;
	else if (says(line, "QUIT"))
		s->quit = true;
}

void
session_report(struct sessions *all, const struct filter_line *f,
    session_end_fn *fn, void *arg)
{
	struct session *s = find(all, f->session);
	bool began;

	if (f->event == FILTER_CONNECT)
		connected(all, s, f, fn, arg);
	if (s == NULL || f->event == FILTER_CONNECT)
		return; /* a failed connect is not announced */
	began = s->began;
	if (f->event == FILTER_TLS)
		s->tls = true;
	else if (f->event == FILTER_CLIENT)
		client(s, f->rest);
	if (!began && (s->began || f->event == FILTER_GONE))
		tell(s, fn, arg);
	if (f->event == FILTER_GONE)
		s->used = 0;
}
