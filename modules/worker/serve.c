/* SPDX-License-Identifier: ISC */
/*
 * The worker's side of worker_protocol.h: which domains are at work for whom,
 * and when the worker ends.
 */
#include "serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/err.h"
#include "base/fd_io.h"
#include "lookup_job.h"
#include "query/worker_protocol.h"

enum { IDLE_S = 1, OUTDATED_S = 10 };

struct serve {
	struct lookups *lookups;
	struct domain_requests *requests;
	struct starttls_checks *checks;
	struct sandbox *sandbox;
	struct event *readable;
	struct event *idle; /* NULL: not brief */
	struct event *outdated;
	bool greeted;   /* the version of the adapter has come */
	bool all_asked; /* standard input has ended */
	bool unread;    /* the adapter has closed its end */
	bool failed;
	size_t used;
	char buf[STS_QUESTION_MAX];
};

/* --- Answers ---------------------------------------------------------------
 */

static bool
put_answer(const char *p, size_t len)
{
	return sts_write_all(STDOUT_FILENO, p, len);
}

static bool
put_version(void)
{
	return put_answer(STS_WORKER_VERSION, strlen(STS_WORKER_VERSION));
}

/* Why there is no answer: to the log and, if it still reads, the adapter. */
static void
put_fault(const char *why)
{
	char line[STS_ANSWER_HEAD_MAX];

	syslog(LOG_ERR, "%s", why);
	(void)put_answer(line, sts_fault_encode(line, why));
}

void
serve_refuse(const char *why)
{
	(void)put_version();
	put_fault(why);
}

/*
 * As an entry: what was decided, not what is kept, which may be an old policy,
 * and whether or not it was stored.
 */
static size_t
encode_entry(char *buf, const char *domain, const struct lookup_result *r)
{
	struct sts_entry e = *r->entry;
	bool is_link;

	if (r->use == STS_USE_LOCAL || r->use == STS_USE_NOT_YET)
		return 0;
	if (r->use == STS_USE_REMOTE)
		e.kind = STS_ENTRY_UNASKED;
	else if (r->use == STS_USE_NONE && e.kind == STS_ENTRY_ABSENT)
		e.kind = STS_ENTRY_NONE;
	return sts_entry_encode(buf, &e, domain, &is_link);
}

static void
answer(struct serve *s, const char *domain, const struct lookup_result *r)
{
	const char *sentence = r->fault[0] != '\0' ? r->fault : r->note;
	char line[STS_ANSWER_HEAD_MAX], *entry;
	enum sts_use use = r->use;
	size_t len = 0;

	if (s->unread)
		return;
	entry = malloc(STS_ENTRY_MAX + 1);
	if (entry != NULL)
		len = encode_entry(entry, domain, r);
	if (len == 0 && use != STS_USE_LOCAL && use != STS_USE_NOT_YET) {
		use = STS_USE_LOCAL;
		sentence = entry == NULL
		    ? "worker: out of memory"
		    : "worker: cannot encode the entry of its answer";
	}
	s->unread = !put_answer(line,
			sts_answer_encode(line, domain, use, len, sentence)) ||
	    !put_answer(entry, len);
	free(entry);
}

/* --- Work ------------------------------------------------------------------
 */

/*
 * Only while nothing is at work.  A question that is just coming stays unread;
 * the adapter finds this worker gone and asks a new one, which can read the new
 * files.
 */
static bool
is_outdated(struct serve *s)
{
	if (domain_request_askers(s->requests) > 0 ||
	    !sandbox_outdated(s->sandbox))
		return false;
	syslog(LOG_INFO,
	    "worker: resolv.conf, the CA store or the log's socket was "
	    "replaced: this worker ends, and a new one is started");
	event_base_loopbreak(s->lookups->base);
	return true;
}

/* Probes may still be under way, but nobody waits for them. */
static void
work_is_done(struct serve *s)
{
	static const struct timeval soon = { IDLE_S, 0 };

	sandbox_more_cpu();
	if (domain_request_askers(s->requests) > 0)
		return;
	if (s->all_asked)
		event_base_loopbreak(s->lookups->base);
	else if (s->idle != NULL)
		evtimer_add(s->idle, &soon);
}

static void
asked(void *arg, const char *domain, const struct lookup_result *r)
{
	struct serve *s = arg;

	answer(s, domain, r);
	work_is_done(s);
}

/* Whoever comes next may have it looked at again. */
static void
refreshed(void *arg, const char *domain, const struct lookup_result *r)
{
	struct serve *s = arg;

	if (r->use == STS_USE_NOT_YET)
		syslog(LOG_NOTICE, "%s: not looked up: %s", domain, r->note);
	sts_store_unmark(s->lookups->store, STS_MARK_REFRESH, domain);
	sts_store_unmark(s->lookups->store, STS_MARK_REFRESH_MX, domain);
	work_is_done(s);
}

static void
begin(struct serve *s, const struct sts_question *q)
{
	if (s->idle != NULL)
		evtimer_del(s->idle);
	domain_request_ask(s->requests, q->domain, q->flags,
	    q->kind == STS_QUESTION_ASK ? asked : refreshed, s);
}

/* --- Questions -------------------------------------------------------------
 */

/* The adapter is of another version, or none of ours: mail waits. */
static void
refuse(struct serve *s, const char *why)
{
	put_fault(why);
	s->failed = true;
	event_base_loopbreak(s->lookups->base);
}

static void
handle_line(struct serve *s, char *text, size_t len)
{
	struct sts_str line = { text, len };
	struct sts_question q;

	if (!s->greeted) {
		s->greeted = line.len + 1 == strlen(STS_WORKER_VERSION) &&
		    memcmp(line.p, STS_WORKER_VERSION, line.len) == 0;
		if (!s->greeted)
			refuse(s,
			    "worker: asked by another version of mtasts; "
			    "restart the mail server after an upgrade");
	} else if (!sts_question_decode(&q, line))
		refuse(s, "worker: cannot parse a question of the adapter");
	else if (q.kind != STS_QUESTION_SESSION)
		begin(s, &q);
	else if (s->checks != NULL)
		starttls_checks_add(s->checks, text + (q.session.p - text),
		    q.session.len);
}

static void
handle_lines(struct serve *s)
{
	struct scan in = scan_bytes(s->buf, s->used);
	struct sts_str line;

	while (!s->failed && scan_word(&in, '\n', &line))
		handle_line(s, s->buf + (line.p - s->buf), line.len);
	s->used = scan_left(&in);
	memmove(s->buf, in.p, s->used);
	if (s->used == sizeof s->buf)
		refuse(s, "worker: cannot parse a question of the adapter");
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	struct serve *s = arg;
	ssize_t n;

	(void)what;
	if (is_outdated(s))
		return;
	sandbox_more_cpu(); /* there may be sessions alone */
	n = read(fd, s->buf + s->used, sizeof s->buf - s->used);
	if (n > 0) {
		s->used += (size_t)n;
		handle_lines(s);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		event_del(s->readable);
		s->all_asked = true;
		work_is_done(s);
	}
}

static void
idle(evutil_socket_t fd, short what, void *arg)
{
	struct serve *s = arg;

	(void)fd;
	(void)what;
	if (domain_request_askers(s->requests) == 0)
		event_base_loopbreak(s->lookups->base);
}

static void
check_outdated(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)is_outdated(arg);
}

struct serve *
serve_new(struct lookups *l, struct domain_requests *requests,
    struct starttls_checks *checks, struct sandbox *sandbox, bool brief)
{
	struct serve *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->lookups = l;
	s->requests = requests;
	s->checks = checks;
	s->sandbox = sandbox;
	s->readable =
	    event_new(l->base, STDIN_FILENO, EV_READ | EV_PERSIST, readable, s);
	if (brief)
		s->idle = evtimer_new(l->base, idle, s);
	s->outdated =
	    event_new(l->base, -1, EV_TIMEOUT | EV_PERSIST, check_outdated, s);
	if (s->readable == NULL || s->outdated == NULL ||
	    (brief && s->idle == NULL)) {
		serve_free(s);
		return NULL;
	}
	return s;
}

void
serve_free(struct serve *s)
{
	if (s == NULL)
		return;
	if (s->readable != NULL)
		event_free(s->readable);
	if (s->idle != NULL)
		event_free(s->idle);
	if (s->outdated != NULL)
		event_free(s->outdated);
	free(s);
}

bool
serve_run(struct serve *s)
{
	static const struct timeval now_and_then = { OUTDATED_S, 0 };

	s->unread = !put_version();
	if (event_add(s->readable, NULL) == -1 ||
	    event_add(s->outdated, &now_and_then) == -1)
		return false;
	work_is_done(s); /* there may never be any */
	event_base_dispatch(s->lookups->base);
	return !s->failed;
}
