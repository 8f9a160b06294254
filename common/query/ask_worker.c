/* SPDX-License-Identifier: ISC */
/* An adapter's dealings with the worker: which, with what words, how long. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cache/entry_files.h"
#include "host_tls.h"
#include "query.h"
#include "spawn.h"
#include "worker_protocol.h"
#include <mtasts/session.h>

enum { WORKER_PATH = STS_PROGRAM_PATH };

static const char *
flavour_name(enum sts_flavour f)
{
	return f == STS_FLAVOUR_GNUTLS ? "gnutls" : "openssl";
}

/*
 * The worker that speaks the host's TLS.  Where it was left to us and that
 * one is not installed, the other is as good: both obey the same rules.
 */
static void
worker_path(const struct sts_conf *c, char path[WORKER_PATH])
{
	enum sts_flavour f = c->flavour;
	char other[WORKER_PATH];

	if (f == STS_FLAVOUR_AUTO)
		f = sts_flavour_of_host();
	snprintf(path, WORKER_PATH, "%s/mtasts-fetch-%s", c->worker_dir,
	    flavour_name(f));
	if (c->flavour != STS_FLAVOUR_AUTO || access(path, X_OK) == 0)
		return;
	f = f == STS_FLAVOUR_GNUTLS ? STS_FLAVOUR_OPENSSL : STS_FLAVOUR_GNUTLS;
	snprintf(other, sizeof other, "%s/mtasts-fetch-%s", c->worker_dir,
	    flavour_name(f));
	if (access(other, X_OK) == 0)
		memcpy(path, other, sizeof other);
}

enum sts_rc
sts_worker_start(struct sts_ctx *ctx, const char *how, int *fd,
    struct sts_err *err)
{
	char path[WORKER_PATH];
	const char *argv[5] = { path, how };
	struct sts_spawn sp = { argv, ctx->store->uid, ctx->store->gid };

	worker_path(ctx->conf, path);
	if (ctx->path != NULL) {
		argv[2] = "-c";
		argv[3] = ctx->path;
	}
	return sts_spawn_start(&sp, fd, err);
}

/* --- The worker of a context -----------------------------------------------
 */

/*
 * Is it still ours?  The mail server may close a descriptor that it does not
 * know, and its children must not read each other's answers.
 */
static bool
is_open(const struct sts_ctx *ctx)
{
	struct stat st;

	return ctx->worker.fd != -1 && fstat(ctx->worker.fd, &st) == 0 &&
	    S_ISSOCK(st.st_mode) && st.st_ino == ctx->worker.inode &&
	    ctx->worker.pid == getpid();
}

void
sts_worker_close(struct sts_ctx *ctx)
{
	struct stat st;

	if (ctx->worker.fd != -1 && fstat(ctx->worker.fd, &st) == 0 &&
	    S_ISSOCK(st.st_mode) && st.st_ino == ctx->worker.inode)
		close(ctx->worker.fd);
	ctx->worker.fd = -1;
}

/* A line is short and goes whole or not at all. */
static bool
say(const struct sts_ctx *ctx, const char *line, size_t len)
{
	return send(ctx->worker.fd, line, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static enum sts_rc
start(struct sts_ctx *ctx, struct sts_err *err)
{
	struct stat st;
	enum sts_rc rc;

	sts_worker_close(ctx);
	if (ctx->worker.reader == NULL &&
	    (ctx->worker.reader = malloc(sizeof *ctx->worker.reader)) == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	sts_worker_reader_init(ctx->worker.reader);
	rc = sts_worker_start(ctx, "--brief", &ctx->worker.fd, err);
	if (rc != STS_OK) {
		ctx->worker.fd = -1;
		return rc;
	}
	if (fstat(ctx->worker.fd, &st) == 0)
		ctx->worker.inode = st.st_ino;
	ctx->worker.pid = getpid();
	(void)say(ctx, STS_WORKER_VERSION, strlen(STS_WORKER_VERSION));
	return STS_OK;
}

/* The answer about the domain; false: there is none, or not in time. */
static bool
read_answer(const struct sts_ctx *ctx, const char *domain, int64_t end,
    struct sts_worker_answer *a)
{
	struct sts_worker_reader *r = ctx->worker.reader;
	struct pollfd pfd = { .fd = ctx->worker.fd, .events = POLLIN };
	int64_t left;
	size_t room;
	ssize_t n;
	char *p;

	for (;;) {
		while (sts_worker_reader_next(r, a))
			if (strcmp(a->domain, domain) == 0)
				return true;
		/* Signals of the host may interrupt; the deadline holds. */
		if (r->ended || (left = end - sts_now_ms()) <= 0)
			return false;
		if (poll(&pfd, 1, (int)left) <= 0)
			continue;
		p = sts_worker_reader_room(r, &room);
		n = read(pfd.fd, p, room);
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			r->ended = true;
		else
			sts_worker_reader_add(r, (size_t)n);
	}
}

/*
 * Ask and read.  A worker that was there may just have ended for lack of work,
 * and is replaced once.  STS_ABSENT: no answer in time.
 */
static enum sts_rc
converse(struct sts_ctx *ctx, const struct sts_question *q, unsigned timeout,
    struct sts_worker_answer *a, struct sts_err *err)
{
	int64_t end = sts_now_ms() + timeout;
	char line[STS_QUESTION_MAX];
	size_t len = sts_question_encode(line, q);
	bool reused = is_open(ctx);
	enum sts_rc rc;

	if (reused && say(ctx, line, len)) {
		if (read_answer(ctx, q->domain, end, a))
			return STS_OK;
		if (!ctx->worker.reader->ended)
			return STS_ABSENT;
	}
	if ((rc = start(ctx, err)) != STS_OK)
		return rc;
	(void)say(ctx, line, len); /* if it has ended, it said why */
	return read_answer(ctx, q->domain, end, a) ? STS_OK : STS_ABSENT;
}

/* --- What its answer is worth ----------------------------------------------
 */

/*
 * False: it cannot be read, or its entry does not say what it says.  Without
 * an entry the worker had no room for the domain, or this host is at fault.
 */
static bool
take_answer(const struct sts_worker_answer *a, const struct sts_facts *f,
    struct sts_next *next)
{
	static const enum sts_use use[] = {
		[STS_ENTRY_ABSENT] = STS_USE_LOCAL,
		[STS_ENTRY_POLICY] = STS_USE_ENTRY,
		[STS_ENTRY_NONE] = STS_USE_NONE,
		[STS_ENTRY_NO_FETCH] = STS_USE_NONE,
		[STS_ENTRY_UNASKED] = STS_USE_REMOTE,
	};

	*next = (struct sts_next){ .use = STS_USE_LOCAL };
	if (a->use == STS_USE_LOCAL)
		return true;
	if (a->use == STS_USE_NOT_YET) {
		*next = sts_decide_unanswered(f);
		return true;
	}
	if (!sts_entry_decode(&next->entry, a->entry,
		a->entry.len > 0 && a->entry.p[0] == '1', a->domain) ||
	    use[next->entry.kind] != a->use)
		return false;
	next->use = a->use;
	/* RFC 8461 3.2: max_age 0 is good for this delivery, but not what is
	 * over. */
	if (next->use == STS_USE_ENTRY && f->now >= next->entry.until &&
	    next->entry.until > next->entry.fetched)
		next->use = STS_USE_NOT_YET;
	return true;
}

/*
 * RFC 8461 3.3: an unexpired policy of ours outlives whatever the worker
 * believes; a newer one, of mode none too, comes as a policy.
 */
static void
keep_live(struct sts_next *next, const struct sts_entry *cached, int64_t now)
{
	if (next->use == STS_USE_ENTRY || cached->kind != STS_ENTRY_POLICY ||
	    now >= cached->until)
		return;
	next->use = STS_USE_ENTRY;
	next->entry = *cached;
}

static enum sts_rc
local_fault(const struct sts_ctx *ctx, const char *said, struct sts_err *err)
{
	const struct sts_worker_reader *r = ctx->worker.reader;
	char path[WORKER_PATH];

	if (said[0] != '\0')
		return sts_fail(err, STS_LOCAL, 0, "%s", said);
	worker_path(ctx->conf, path);
	return sts_fail(err, STS_LOCAL, 0, "worker %s %s", path,
	    r->greeted ? "ended without an answer" : "did not start");
}

/*
 * A domain whose last outcome may still be used leaves half of the time to
 * those about which nothing is known.
 */
unsigned
sts_wait_left(const struct sts_ctx *ctx, const struct sts_facts *f)
{
	bool known = sts_decide_unanswered(f).use != STS_USE_NOT_YET;
	unsigned max = known ? STS_WAIT_KNOWN : STS_WAIT_MAX;

	return ctx->waited < max ? max - ctx->waited : 0;
}

enum sts_rc
sts_ask(struct sts_ctx *ctx, const char *domain, unsigned flags,
    const struct sts_facts *f, struct sts_next *next, struct sts_err *err)
{
	struct sts_question q = { .kind = STS_QUESTION_ASK, .flags = flags };
	unsigned timeout = ctx->conf->fetch_timeout + STS_WAIT_GRACE;
	struct sts_worker_answer a = { .use = STS_USE_LOCAL };
	int64_t began = sts_now_ms();
	enum sts_rc rc;

	memcpy(q.domain, domain, strlen(domain) + 1);
	/* A person who asked for it may wait; mail may not for ever. */
	if (flags == 0 && timeout > sts_wait_left(ctx, f))
		timeout = sts_wait_left(ctx, f);
	ctx->said[0] = '\0';
	rc = converse(ctx, &q, timeout, &a, err);
	ctx->waited += (unsigned)(sts_now_ms() - began);
	*next = (struct sts_next){ .use = STS_USE_LOCAL };
	if (rc == STS_OK && !take_answer(&a, f, next))
		snprintf(a.sentence, sizeof a.sentence,
		    "the worker gave an answer that cannot be read");
	/*
	 * The worker knows itself when a policy host was given time enough:
	 * its silence proves nothing about the domain.  It is at work, or it
	 * is our own fault.
	 */
	if (rc == STS_ABSENT && ctx->worker.reader->greeted &&
	    !ctx->worker.reader->ended)
		*next = sts_decide_unanswered(f);
	else if (rc == STS_ABSENT)
		snprintf(a.sentence, sizeof a.sentence, "%s",
		    ctx->worker.reader->fault);
	/* An answer that comes too late must not fill the socket. */
	if (rc != STS_OK || ctx->worker.reader->ended)
		sts_worker_close(ctx);
	keep_live(next, f->cached, f->now);
	if (next->use != STS_USE_LOCAL) {
		memcpy(ctx->said, a.sentence, sizeof ctx->said);
		return STS_OK;
	}
	return rc == STS_OK || rc == STS_ABSENT
	    ? local_fault(ctx, a.sentence, err)
	    : rc;
}

/* --- While nobody waits ----------------------------------------------------
 */

/* False: not now. */
static bool
request(struct sts_ctx *ctx, const struct sts_question *q)
{
	char line[STS_QUESTION_MAX];
	size_t len = sts_question_encode(line, q);
	int64_t now = sts_now_ms();

	if (is_open(ctx)) {
		if (say(ctx, line, len))
			return true;
		if (errno == EAGAIN) /* it has enough to do */
			return false;
	}
	if (ctx->worker.started != 0 &&
	    now - ctx->worker.started < STS_START_GAP)
		return false;
	ctx->worker.started = now;
	return start(ctx, NULL) == STS_OK && say(ctx, line, len);
}

void
sts_request_refresh(struct sts_ctx *ctx, enum sts_mark mark, const char *domain,
    int64_t now)
{
	struct sts_question q = { .kind = STS_QUESTION_REFRESH };

	if (sts_store_resolver_down(ctx->store, now) ||
	    !sts_store_claim(ctx->store, mark, domain, now, STS_REFRESH_STALE))
		return; /* nobody can look, or somebody does */
	memcpy(q.domain, domain, strlen(domain) + 1);
	if (mark == STS_MARK_REFRESH_MX)
		q.flags = STS_QUESTION_MX;
	/* The next call, perhaps another process's, tries again. */
	if (!request(ctx, &q))
		sts_store_unmark(ctx->store, mark, domain);
}

enum sts_rc
sts_report_program(struct sts_ctx *ctx, char path[STS_PROGRAM_PATH],
    unsigned *uid, unsigned *gid, struct sts_err *err)
{
	struct sts_store *spool;
	enum sts_rc rc;

	if (ctx->conf->report.contact == NULL)
		return sts_fail(err, STS_ABSENT, 0,
		    "there is no contact in [report], so there are no reports");
	rc = sts_store_open_as(&spool, "spool directory",
	    ctx->conf->report.spool_dir, err);
	if (rc != STS_OK)
		return rc;
	*uid = spool->uid;
	*gid = spool->gid;
	sts_store_close(spool);
	snprintf(path, STS_PROGRAM_PATH, "%s/mtasts-report",
	    ctx->conf->worker_dir);
	return STS_OK;
}
