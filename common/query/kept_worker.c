/* SPDX-License-Identifier: ISC */
/*
 * A worker that is kept, for programs with an event loop: names go in, names
 * come out when all there is to know of them is in the cache.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/scan.h"
#include "query.h"
#include "tlsrpt/session_line.h"
#include "worker_protocol.h"
#include <mtasts/mx.h>
#include <mtasts/session.h>

#define SESSION "session "

/* More questions than any client would wait for. */
enum { QUEUE_MAX = 256 * 1024 };

/* Reads in one call: a worker that only chatters must not keep us. */
enum { FILLS = 16 };

struct sts_kept_worker {
	int fd;
	size_t head, tail; /* of what is in the queue */
	struct sts_worker_reader reader;
	char queue[QUEUE_MAX];
};

static enum sts_rc
put(struct sts_kept_worker *k, struct sts_str line, struct sts_err *err)
{
	if (k->head > 0 && k->tail + line.len > sizeof k->queue) {
		memmove(k->queue, k->queue + k->head, k->tail - k->head);
		k->tail -= k->head;
		k->head = 0;
	}
	if (k->tail + line.len > sizeof k->queue)
		return sts_fail(err, STS_NOMEM, 0,
		    "the worker's queue is full");
	memcpy(k->queue + k->tail, line.p, line.len);
	k->tail += line.len;
	return STS_OK;
}

enum sts_rc
sts_kept_worker_start(struct sts_ctx *ctx, struct sts_kept_worker **out,
    struct sts_err *err)
{
	struct sts_kept_worker *k;
	enum sts_rc rc;

	*out = NULL;
	if ((rc = sts_ctx_store(ctx, err)) != STS_OK)
		return rc;
	if (sts_records(ctx)) /* whether the worker will have it, too */
		(void)sts_ctx_spool(ctx, NULL);
	if ((k = malloc(sizeof *k)) == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	/* Not the buffers: that would touch their pages. */
	k->head = k->tail = 0;
	sts_worker_reader_init(&k->reader);
	if ((rc = sts_worker_start(ctx, "--serve", &k->fd, err)) != STS_OK) {
		free(k);
		return rc;
	}
	(void)put(k, str_of(STS_WORKER_VERSION), err);
	*out = k;
	return STS_OK;
}

void
sts_kept_worker_stop(struct sts_kept_worker *k)
{
	if (k == NULL)
		return;
	close(k->fd);
	free(k);
}

int
sts_kept_worker_in(const struct sts_kept_worker *k)
{
	return k->fd;
}

int
sts_kept_worker_out(const struct sts_kept_worker *k)
{
	return k->head == k->tail ? -1 : k->fd;
}

static enum sts_rc
ask(struct sts_kept_worker *k, const char *domain, unsigned flags,
    struct sts_err *err)
{
	struct sts_question q = { .kind = STS_QUESTION_ASK, .flags = flags };
	char line[STS_QUESTION_MAX];

	if (sts_domain_normal(q.domain, domain, err) != STS_OK)
		return sts_fail(err, STS_USAGE, 0, "not a policy domain");
	return put(k, (struct sts_str){ line, sts_question_encode(line, &q) },
	    err);
}

enum sts_rc
sts_kept_worker_ask(struct sts_kept_worker *k, const char *domain,
    struct sts_err *err)
{
	return ask(k, domain, STS_QUESTION_MX, err);
}

enum sts_rc
sts_kept_worker_refresh(struct sts_kept_worker *k, const char *domain,
    struct sts_err *err)
{
	return ask(k, domain, STS_QUESTION_RENEW, err);
}

/* False: nobody reads. */
static bool
flush(struct sts_kept_worker *k)
{
	ssize_t n;

	while (k->head < k->tail) {
		n = send(k->fd, k->queue + k->head, k->tail - k->head,
		    MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN;
		k->head += (size_t)n;
	}
	k->head = k->tail = 0;
	return true;
}

/* False: the worker has closed its end. */
static bool
fill(struct sts_kept_worker *k)
{
	size_t room;
	char *p = sts_worker_reader_room(&k->reader, &room);
	ssize_t n;

	do
		n = read(k->fd, p, room);
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		return n == -1 && errno == EAGAIN;
	sts_worker_reader_add(&k->reader, (size_t)n);
	return true;
}

enum sts_rc
sts_kept_worker_next(struct sts_kept_worker *k, char domain[STS_NAME_SIZE],
    struct sts_err *err)
{
	struct sts_worker_reader *r = &k->reader;
	struct sts_worker_answer a;
	bool alive = flush(k);
	size_t before;

	/* What it said before it went is still true. */
	for (unsigned i = 0; i <= FILLS; i++) {
		if (sts_worker_reader_next(r, &a)) {
			memcpy(domain, a.domain, sizeof a.domain);
			(void)sts_fail(err,
			    a.use == STS_USE_NOT_YET ? STS_TEMPFAIL : STS_OK, 0,
			    "%s", a.sentence);
			return STS_OK;
		}
		before = r->used - r->taken;
		if (r->ended || (i < FILLS && !fill(k))) {
			alive = false;
			break;
		}
		if (r->used - r->taken == before)
			break;
	}
	if (alive)
		return STS_ABSENT;
	return sts_fail(err, STS_LOCAL, 0, "%s",
	    r->fault[0] != '\0' ? r->fault : "the kept worker has ended");
}

enum sts_rc
sts_kept_worker_judge(struct sts_kept_worker *k, struct sts_ctx *ctx,
    const struct sts_session_report *seen, struct sts_err *err)
{
	char line[sizeof SESSION + STS_SESSION_LINE_MAX], name[STS_NAME_SIZE];
	struct sts_last policy;
	struct sts_session s;
	enum sts_rc rc;
	size_t len;

	if (!sts_records(ctx))
		return STS_OK;
	if (seen->mx_host == NULL || seen->receiving_ip == NULL)
		return sts_fail(err, STS_USAGE, 0,
		    "session without MX host or address");
	/* It would have nowhere to write either, and could not say so. */
	if ((rc = sts_ctx_spool(ctx, err)) != STS_OK)
		return rc;
	if (ctx->other_spool)
		return sts_fail(err, STS_LOCAL, 0,
		    "the worker writes to a directory that is gone");
	if ((rc = sts_ctx_session(ctx, seen, name, &policy, &s, err)) != STS_OK)
		return rc;
	s.der.len = 0; /* the worker looks for itself */
	memcpy(line, SESSION, strlen(SESSION));
	len = sts_session_encode(line + strlen(SESSION), &s);
	if (len == 0 || strlen(SESSION) + len > STS_QUESTION_MAX)
		return sts_fail(err, STS_USAGE, 0,
		    "a session that does not fit into a line");
	return put(k, (struct sts_str){ line, strlen(SESSION) + len }, err);
}
