/* SPDX-License-Identifier: ISC */
/*
 *   config|subsystem|smtp-in                               or smtp-out
 *   config|ready
 *   filter|0.7|TIME|smtp-in|rcpt-to|SESSION|TOKEN|ADDRESS
 *   report|0.7|TIME|smtp-out|EVENT|SESSION|...
 *
 * What smtpd reports may hold what strangers said: PTR names, replies.
 */
#include "filter_line.h"

#include <stdio.h>
#include <string.h>

#include "line_buffer.h"

static void
parse_config(struct filter_line *f, struct sts_str rest)
{
	if (field_is(rest, "ready"))
		f->event = FILTER_READY;
	else if (field_is(rest, "subsystem|smtp-in"))
		f->event = FILTER_HAS_IN;
	else if (field_is(rest, "subsystem|smtp-out"))
		f->event = FILTER_HAS_OUT;
}

static enum filter_event
report_of(bool in, struct sts_str name)
{
	static const struct {
		const char *name;
		enum filter_event event;
	} out[] = {
		{ "link-connect", FILTER_CONNECT },
		{ "link-tls", FILTER_TLS },
		{ "link-disconnect", FILTER_GONE },
		{ "protocol-client", FILTER_CLIENT },
		{ "protocol-server", FILTER_SERVER },
	};

	if (in)
		return field_is(name, "link-disconnect") ? FILTER_IN_GONE
		    : field_is(name, "tx-begin")         ? FILTER_IN_MAIL
							 : FILTER_NOTHING;
	for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
		if (field_is(name, out[i].name))
			return out[i].event;
	return FILTER_NOTHING;
}

static void
parse_event(struct filter_line *f, struct sts_str rest, bool asks)
{
	struct sts_str version, when, way, name;
	bool in;

	if (!field_next(&rest, &version) || !field_next(&rest, &when) ||
	    !field_next(&rest, &way) || !field_next(&rest, &name) ||
	    !field_next(&rest, &f->session) ||
	    !field_is_id(f->session, FILTER_ID_MAX))
		return;
	in = field_is(way, "smtp-in");
	if (!in && !field_is(way, "smtp-out"))
		return;
	if (!asks)
		f->event = report_of(in, name);
	/* A line of data wants another answer, and nobody registered for it. */
	else if (!field_next(&rest, &f->token) ||
	    !field_is_id(f->token, FILTER_ID_MAX) ||
	    field_is(name, "data-line"))
		return;
	else
		f->event = in && field_is(name, "rcpt-to") ? FILTER_RCPT
							   : FILTER_ASKED;
	f->rest = rest;
}

void
filter_parse(struct filter_line *f, struct sts_str line)
{
	struct sts_str word;

	*f = (struct filter_line){ .event = FILTER_NOTHING };
	if (!field_next(&line, &word) || line.p == NULL)
		return;
	if (field_is(word, "config"))
		parse_config(f, line);
	else if (field_is(word, "report"))
		parse_event(f, line, false);
	else if (field_is(word, "filter"))
		parse_event(f, line, true);
}

size_t
filter_proceed(char out[FILTER_ANSWER_MAX], struct sts_str session,
    struct sts_str token)
{
	return (size_t)snprintf(out, FILTER_ANSWER_MAX,
	    "filter-result|%.*s|%.*s|proceed\n", (int)session.len, session.p,
	    (int)token.len, token.p);
}

size_t
filter_later(char out[FILTER_ANSWER_MAX], struct sts_str session,
    struct sts_str token, const char *domain, const char *why)
{
	int head = snprintf(out, FILTER_ANSWER_MAX, "filter-result|%.*s|%.*s|",
	    (int)session.len, session.p, (int)token.len, token.p);
	char *p = out + head;
	/* The client is smtpd, and its log where this is read. */
	static const char end[] =
	    "; to try again at once: smtpctl schedule all";
	const int room = FILTER_TEXT_MAX - sizeof end;
	int n = snprintf(p, (size_t)room, "reject|451 4.7.0 mta-sts: %s: %s",
	    domain, why[0] == '\0' ? "unknown fault" : why);

	memcpy(p + (n < room ? n : room - 1), end, sizeof end);
	for (p += sizeof "reject"; *p != '\0'; p++)
		if (*p < ' ' || *p > '~' || *p == '|')
			*p = '?';
	*p++ = '\n';
	return (size_t)(p - out);
}

bool
filter_domain(char out[STS_NAME_SIZE], struct sts_str a)
{
	const char *at;
	size_t len;

	if (a.len > 0 && a.p[a.len - 1] == '>')
		a.len--;
	/* RFC 5321 4.1.2: a quoted local part may hold '@', a domain not. */
	at = a.len == 0 ? NULL : memrchr(a.p, '@', a.len);
	if (at == NULL)
		return false;
	len = a.len - (size_t)(at + 1 - a.p);
	/* RFC 8461 3.4: no policy for an address literal. */
	if (len == 0 || len >= STS_NAME_SIZE || at[1] == '[' ||
	    memchr(at, '\0', len + 1) != NULL)
		return false;
	memcpy(out, at + 1, len);
	out[len] = '\0';
	return true;
}

/* "192.0.2.1:25", "[2001:db8::1]:25" */
static void
take_address(char out[FILTER_ADDRESS], struct sts_str a)
{
	const char *end = a.len == 0 ? NULL : memrchr(a.p, ':', a.len);

	out[0] = '\0';
	if (end == NULL)
		return;
	a.len = (size_t)(end - a.p);
	if (a.len >= 2 && a.p[0] == '[' && a.p[a.len - 1] == ']') {
		a.p++;
		a.len -= 2;
	}
	if (!field_is_id(a, FILTER_ADDRESS - 1))
		return;
	memcpy(out, a.p, a.len);
	out[a.len] = '\0';
}

/* Names before them may hold anything, so from the end. */
static bool
last_field(struct sts_str *rest, struct sts_str *field)
{
	const char *bar =
	    rest->len == 0 ? NULL : memrchr(rest->p, '|', rest->len);

	if (bar == NULL)
		return false;
	field->p = bar + 1;
	field->len = rest->len - (size_t)(field->p - rest->p);
	rest->len = (size_t)(bar - rest->p);
	return true;
}

void
filter_addresses(char from[FILTER_ADDRESS], char to[FILTER_ADDRESS],
    struct sts_str rest)
{
	struct sts_str field;

	from[0] = to[0] = '\0';
	if (last_field(&rest, &field))
		take_address(to, field);
	if (last_field(&rest, &field))
		take_address(from, field);
}
