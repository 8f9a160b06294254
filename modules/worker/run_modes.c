/* SPDX-License-Identifier: ISC */
/* One domain over the pipe, a list, a stream, or a stream in the background. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <event2/event.h>
#include <idn2.h>

#include "base/err.h"
#include "lookup_job.h"
#include "query/worker_protocol.h"
#include "worker.h"
#include "write_answer.h"

/* U-labels come in by a list or a stream (RFC 8461 3.2, RFC 5891). */
static enum sts_rc
worker_name(char out[STS_NAME_SIZE], const char *name, struct sts_err *err)
{
	enum sts_rc rc = sts_domain_normal(out, name, err);
	char *ascii = NULL;
	int bad;

	if (rc != STS_INVALID)
		return rc;
	bad = idn2_to_ascii_8z(name, &ascii,
	    IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	if (bad != IDN2_OK)
		return sts_fail(err, STS_INVALID, 0, "%s", idn2_strerror(bad));
	rc = sts_domain_normal(out, ascii, err);
	idn2_free(ascii);
	return rc;
}

/* --- The pipe ----------------------------------------------------------- */

static void
pipe_stage(void *arg, enum sts_stage stage)
{
	(void)arg;
	write_stage(stage);
}

static void
pipe_done(void *arg, const char *domain, const struct lookup_result *r)
{
	struct worker *w = arg;

	write_entry(domain, r);
	event_base_loopbreak(w->base);
}

void
run_pipe(struct worker *w, const char *domain)
{
	struct lookup_waiter waiter = { pipe_stage, pipe_done, w };

	lookup_add(w->lookups, domain, w->flags, &waiter);
	event_base_dispatch(w->base);
}

/* --- A list ------------------------------------------------------------- */

/* Nobody reads what we say: nobody wants the rest. */
static void
deaf(struct worker *w)
{
	w->failed = true;
	event_base_loopbreak(w->base);
}

/* Probes and idle connections may be left: nobody waits for those. */
static void
end_if_done(struct worker *w)
{
	if (w->all_asked && domain_request_askers(w->requests) == 0)
		event_base_loopbreak(w->base);
}

static void
list_done(void *arg, const char *domain, const struct lookup_result *r)
{
	struct worker *w = arg;

	if (!write_line(domain, r))
		deaf(w);
	else if (r->use == STS_USE_LOCAL)
		w->failed = true;
	end_if_done(w);
}

/* Whoever comes next may have it looked at again. */
static void
background_done(void *arg, const char *domain, const struct lookup_result *r)
{
	struct worker *w = arg;

	(void)r;
	sts_store_unmark(w->store, STS_MARK_REFRESH, domain);
	sts_store_unmark(w->store, STS_MARK_REFRESH_MX, domain);
	if (w->slot_taken && domain_request_askers(w->requests) == 0) {
		lock_slot_release(w->lookups->lock_fd, w->slot);
		w->slot_taken = false;
	}
	end_if_done(w);
}

/* Who has nothing to do keeps no place from others. */
static void
background_add(struct worker *w, const char *domain, unsigned flags)
{
	if (!w->slot_taken)
		w->slot_taken = lock_slot(w->lookups->lock_fd, &w->slot);
	if (w->slot_taken)
		domain_request_ask(w->requests, domain, flags, background_done,
		    w);
	else {
		syslog(LOG_NOTICE,
		    "%s: not looked at, %d background workers are at work",
		    domain, LOCK_SLOTS);
		background_done(w, domain, NULL);
	}
}

/* A name that cannot have a policy gets its line too. */
static void
refuse(struct worker *w, const char *name, const struct sts_err *err)
{
	/* 3.4: an address literal has none, and that is an answer. */
	const char *kind = err->rc == STS_ABSENT ? "none" : "fault";
	char shown[80];

	printf("%s %s - - 0 %s\n",
	    sts_escape(shown, sizeof shown, str_of(name)), kind,
	    err->text[0] == '\0' ? "not a domain name" : err->text);
	if (fflush(stdout) != 0)
		deaf(w);
}

static void
list_add(struct worker *w, const char *name, unsigned flags)
{
	char domain[STS_NAME_SIZE];
	struct sts_err err = { 0 };

	if (w->background) {
		if (sts_domain_normal(domain, name, NULL) == STS_OK)
			background_add(w, domain, flags);
	} else if (worker_name(domain, name, &err) != STS_OK)
		refuse(w, name, &err);
	else
		domain_request_ask(w->requests, domain, flags, list_done, w);
}

void
run_list(struct worker *w, char *const domains[])
{
	for (size_t i = 0; domains[i] != NULL; i++)
		list_add(w, domains[i], w->flags);
	w->all_asked = true;
	if (domain_request_askers(w->requests) > 0)
		event_base_dispatch(w->base);
}

/* --- A stream ----------------------------------------------------------- */

/* Sessions come without certificates, so they are short. */
enum { LINE_MAX_LEN = 4096, DOMAINS_MAX = 256, ASKERS_MAX = 4096 };

struct stream {
	struct worker *w;
	struct event *readable;
	struct event *retry; /* while there is too much at work */
	char buf[LINE_MAX_LEN];
	size_t used;
	bool overlong; /* the rest of a line that was too long is to come */
};

static unsigned
wish(struct sts_str word)
{
	static const struct {
		const char *word;
		unsigned flag;
	} wishes[] = {
		{ "fresh", STS_FRESH },
		{ "refetch", STS_REFETCH },
		{ "mx", DOMAIN_REQUEST_MX },
	};

	for (size_t i = 0; i < ARRAY_LEN(wishes); i++)
		if (str_is(word, wishes[i].word))
			return wishes[i].flag;
	return 0;
}

static bool
is_word(char c)
{
	return c != ' ';
}

/* "DOMAIN [fresh | refetch] [mx]", or STS_KEPT_WORKER_JUDGE and a session. */
static void
stream_line(struct stream *st, char *line)
{
	unsigned flags = st->w->flags;
	char *rest = strchr(line, ' ');
	struct scan s = scan_str(str_of(""));

	if (line[0] == STS_KEPT_WORKER_JUDGE[0]) {
		if (st->w->checks != NULL)
			starttls_checks_add(st->w->checks, line + 1,
			    strlen(line + 1));
		return;
	}
	if (line[0] == '\0')
		return;
	if (rest != NULL) {
		*rest++ = '\0';
		s = scan_str(str_of(rest));
	}
	while (s.p < s.end) {
		flags |= wish(scan_while(&s, is_word));
		(void)scan_char(&s, ' ');
	}
	list_add(st->w, line, flags);
}

static void
stream_lines(struct stream *st)
{
	char *line = st->buf, *nl;
	size_t left = st->used;

	while ((nl = memchr(line, '\n', left)) != NULL) {
		*nl = '\0';
		if (!st->overlong)
			stream_line(st, line);
		st->overlong = false;
		left -= (size_t)(nl + 1 - line);
		line = nl + 1;
	}
	if (left == sizeof st->buf || st->overlong) {
		st->overlong = true; /* no name is that long */
		left = 0;
	}
	memmove(st->buf, line, left);
	st->used = left;
}

static bool
full(const struct worker *w)
{
	return domain_request_domains(w->requests) >= DOMAINS_MAX ||
	    domain_request_askers(w->requests) >= ASKERS_MAX;
}

static void
stream_read(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = { 0, 2000 };
	struct stream *st = arg;
	ssize_t n;

	(void)what;
	/* More than can be held stays with who sends it. */
	if (full(st->w)) {
		event_del(st->readable);
		evtimer_add(st->retry, &soon);
		return;
	}
	n = read(fd, st->buf + st->used, sizeof st->buf - st->used);
	if (n > 0) {
		st->used += (size_t)n;
		stream_lines(st);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		event_del(st->readable);
		st->w->all_asked = true;
		end_if_done(st->w);
	}
}

static void
stream_retry(evutil_socket_t fd, short what, void *arg)
{
	struct stream *st = arg;

	(void)fd;
	(void)what;
	event_add(st->readable, NULL);
}

void
run_serve(struct worker *w)
{
	struct stream st = { .w = w };

	st.readable =
	    event_new(w->base, 0, EV_READ | EV_PERSIST, stream_read, &st);
	st.retry = evtimer_new(w->base, stream_retry, &st);
	if (st.readable == NULL || st.retry == NULL ||
	    event_add(st.readable, NULL) == -1)
		w->failed = true;
	else
		event_base_dispatch(w->base);
	if (st.readable != NULL)
		event_free(st.readable);
	if (st.retry != NULL)
		event_free(st.retry);
}

void
run_background(struct worker *w)
{
	w->background = true;
	run_serve(w);
}
