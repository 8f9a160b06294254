/* SPDX-License-Identifier: ISC */
/* An adapter's dealings with the worker: which, with what words, how long. */
#include <errno.h>
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
#include "rules/decide.h"
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

/* What the words after the worker's own name begin with: its configuration. */
struct words {
	char path[WORKER_PATH];
	const char *argv[8];
	unsigned n;
};

static struct sts_spawn
worker_of(const struct sts_ctx *ctx, struct words *w)
{
	worker_path(ctx->conf, w->path);
	memset(w->argv, 0, sizeof w->argv);
	w->argv[0] = w->path;
	w->n = 1;
	if (ctx->path != NULL) {
		w->argv[w->n++] = "-c";
		w->argv[w->n++] = ctx->path;
	}
	return (struct sts_spawn){ w->argv, ctx->store->uid, ctx->store->gid };
}

static enum sts_rc
start(struct sts_ctx *ctx, const char *domain, unsigned flags, int *fd,
    struct sts_err *err)
{
	struct words w;
	struct sts_spawn sp = worker_of(ctx, &w);

	w.argv[w.n++] = "--pipe";
	if ((flags & STS_REFETCH) != 0)
		w.argv[w.n++] = "--refetch";
	else if ((flags & STS_FRESH) != 0)
		w.argv[w.n++] = "--fresh";
	w.argv[w.n++] = domain;
	return sts_spawn_start(&sp, fd, err);
}

enum sts_rc
sts_ask_serve(struct sts_ctx *ctx, int *fd, struct sts_err *err)
{
	struct words w;
	struct sts_spawn sp = worker_of(ctx, &w);

	w.argv[w.n++] = "--serve";
	return sts_spawn_serve(&sp, fd, err);
}

/* The answer of a worker that gave one; false: it gave none. */
static bool
take_entry(struct sts_worker_answer *h, const char *domain, int64_t now,
    struct sts_next *next)
{
	static const enum sts_use use[] = {
		[STS_ENTRY_ABSENT] = STS_USE_LOCAL,
		[STS_ENTRY_POLICY] = STS_USE_ENTRY,
		[STS_ENTRY_NONE] = STS_USE_NONE,
		[STS_ENTRY_NO_FETCH] = STS_USE_NONE,
		[STS_ENTRY_UNASKED] = STS_USE_REMOTE,
	};

	*next = (struct sts_next){ .act = STS_ACT_ANSWER };
	if ((h->frame != STS_FRAME_FILE && h->frame != STS_FRAME_LINK) ||
	    !sts_entry_decode(&next->entry, h->bytes,
		h->frame == STS_FRAME_LINK, domain))
		return false;
	next->use = use[next->entry.kind];
	/* RFC 8461 3.2: max_age 0 is good for this delivery, but not what is
	 * over. */
	if (next->use == STS_USE_ENTRY && now >= next->entry.until &&
	    next->entry.until > next->entry.fetched)
		next->use = STS_USE_NOT_YET;
	return true;
}

/*
 * The worker knows itself when a policy host was given time enough: silence
 * proves nothing about the domain.  It is at work, or it is our own fault.
 */
static bool
at_work(const struct sts_worker_answer *h)
{
	return h->frame == 0 && !h->ended && h->stage != STS_STAGE_NONE;
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
local_fault(const struct sts_worker_answer *h, const char *path,
    struct sts_err *err)
{
	char shown[160];

	if (h->frame == STS_FRAME_FAULT)
		return sts_fail(err, STS_LOCAL, 0, "%s",
		    sts_escape(shown, sizeof shown, h->bytes));
	return sts_fail(err, STS_LOCAL, 0, "worker %s %s", path,
	    h->frame != 0 ? "gave an answer that cannot be read"
		: h->stage == STS_STAGE_NONE ? "did not start"
					     : "ended without an answer");
}

enum sts_rc
sts_ask(struct sts_ctx *ctx, const char *domain, unsigned flags,
    const struct sts_facts *f, struct sts_next *next, struct sts_err *err)
{
	unsigned timeout = ctx->conf->fetch_timeout + STS_WAIT_GRACE;
	char path[WORKER_PATH];
	int64_t began = sts_now_ms();
	enum sts_rc rc;
	int fd = -1;

	/* A person who asked for it may wait; mail may not for ever. */
	if (flags == 0 && timeout > STS_WAIT_MAX - ctx->waited)
		timeout = STS_WAIT_MAX - ctx->waited;
	if (ctx->worker == NULL &&
	    (ctx->worker = malloc(sizeof *ctx->worker)) == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	ctx->worker->frame = 0;
	ctx->worker->ended = true;
	ctx->worker->stage = STS_STAGE_NONE;
	ctx->worker->note[0] = '\0';
	rc = start(ctx, domain, flags, &fd, err);
	if (rc == STS_OK)
		sts_spawn_read_answer(fd, timeout, ctx->worker);
	ctx->waited += (unsigned)(sts_now_ms() - began);
	if (rc == STS_OK && take_entry(ctx->worker, domain, f->now, next)) {
		keep_live(next, f->cached, f->now);
		return STS_OK;
	}
	*next = (struct sts_next){ .use = STS_USE_LOCAL };
	if (rc == STS_OK && at_work(ctx->worker))
		*next = sts_decide_unanswered(f);
	keep_live(next, f->cached, f->now);
	if (next->use != STS_USE_LOCAL)
		return STS_OK;
	if (rc != STS_OK)
		return rc;
	worker_path(ctx->conf, path);
	return local_fault(ctx->worker, path, err);
}

/* --- While nobody waits ----------------------------------------------------
 */

/* Is it still ours?  A host may close what it does not know. */
static bool
background_open(const struct sts_ctx *ctx)
{
	struct stat st;

	return ctx->background.fd != -1 &&
	    fstat(ctx->background.fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    st.st_ino == ctx->background.inode;
}

void
sts_background_close(struct sts_ctx *ctx)
{
	if (background_open(ctx))
		close(ctx->background.fd);
	ctx->background.fd = -1;
}

static bool
background_start(struct sts_ctx *ctx)
{
	struct words w;
	struct sts_spawn sp = worker_of(ctx, &w);
	int64_t now = sts_now_ms();
	struct stat st;

	if (ctx->background.started != 0 &&
	    now - ctx->background.started < STS_START_GAP)
		return false;
	ctx->background.started = now;
	w.argv[w.n++] = "--background";
	if (sts_spawn_serve(&sp, &ctx->background.fd, NULL) != STS_OK) {
		ctx->background.fd = -1;
		return false;
	}
	if (fstat(ctx->background.fd, &st) == 0)
		ctx->background.inode = st.st_ino;
	return true;
}

/* False: not now. */
static bool
background_tell(struct sts_ctx *ctx, const char *line, size_t len)
{
	if (background_open(ctx)) {
		if (send(ctx->background.fd, line, len, MSG_NOSIGNAL) ==
		    (ssize_t)len)
			return true;
		if (errno == EAGAIN) /* it has enough to do */
			return false;
	}
	sts_background_close(ctx);
	return background_start(ctx) &&
	    send(ctx->background.fd, line, len, MSG_NOSIGNAL) == (ssize_t)len;
}

void
sts_request_refresh(struct sts_ctx *ctx, enum sts_mark mark, const char *domain,
    int64_t now)
{
	char line[STS_NAME_SIZE + 8];
	int len;

	if (sts_store_resolver_down(ctx->store, now) ||
	    !sts_store_claim(ctx->store, mark, domain, now, STS_REFRESH_STALE))
		return; /* nobody can look, or somebody does */
	len = snprintf(line, sizeof line, "%s%s\n", domain,
	    mark == STS_MARK_REFRESH_MX ? " mx" : "");
	/* The next call, perhaps another process's, tries again. */
	if (!background_tell(ctx, line, (size_t)len))
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
