/* SPDX-License-Identifier: ISC */
/*
 * filter-mtasts: a filter of OpenSMTPD, see filter-mtasts(8).
 *
 * On the listener that smtpd sends mail to whose domain is not known, it has
 * policy and MX set fetched and lets a recipient pass when the tables know, or
 * has it wait in the queue.  On an action it learns which addresses fail, and
 * records sessions for TLS reports.  smtpd ends when this process does, so
 * nothing but the end of input is an end.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>
#include <unistd.h>

#include "domain_state.h"
#include "filter_line.h"
#include "host_config.h"
#include "line_buffer.h"
#include "rcpt_prefetch.h"
#include "smtp_session.h"
#include "smtpd_io.h"
#include "smtpd_session_recorder.h"
#include "waiting_rcpts.h"
#include <mtasts/mx.h>
#include <mtasts/session.h>

struct filter {
	struct config config;
	unsigned reads; /* of it, when the worker was started */
	struct complaint said;
	bool in, out; /* attached to listeners, to an action */
	struct waiting_rcpts waiting;
	struct rcpt_prefetch prefetch;
	struct sessions sessions;
	struct record record;
	struct line_buffer lines;
	struct smtpd_out answers;
};

/* --- A listener: smtp-in -------------------------------------------------- */

static void
proceed(struct filter *f, struct sts_str session, struct sts_str token)
{
	char out[FILTER_ANSWER_MAX];

	smtpd_put(&f->answers, STDOUT_FILENO, out,
	    filter_proceed(out, session, token));
}

static void
reject(struct filter *f, struct sts_str session, struct sts_str token,
    const char *domain, const char *why)
{
	char out[FILTER_ANSWER_MAX];

	smtpd_put(&f->answers, STDOUT_FILENO, out,
	    filter_later(out, session, token, domain, why));
}

/* False: nothing that could be asked about. */
static bool
take_domain(char domain[STS_NAME_SIZE], struct sts_str address)
{
	char name[STS_NAME_SIZE];

	return filter_domain(name, address) &&
	    sts_domain_normal(domain, name, NULL) == STS_OK;
}

/* NULL: there is no configuration to go by. */
static struct sts_ctx *
get_ctx(struct filter *f)
{
	struct sts_ctx *ctx = config_get(&f->config, CONFIG_SOON);

	if (f->config.reads != f->reads) { /* the worker has the old one */
		f->reads = f->config.reads;
		rcpt_prefetch_stop(&f->prefetch);
		waiting_rcpts_done(&f->waiting, NULL, now_ms(),
		    "the configuration is another one");
	}
	return ctx;
}

/* The tables read the same cache: what they do not know yet, nobody passes. */
static enum sts_rc
is_ready(const struct filter *f, const char *domain, struct sts_err *why)
{
	if (f->config.ctx != NULL)
		return domain_ready(f->config.ctx, domain, why);
	*why = f->config.err;
	return STS_LOCAL;
}

/* Who has waited: only what is in the cache counts, whatever was said. */
static void
go_on(void *arg, struct sts_str session, struct sts_str token,
    const char *domain, const char *why)
{
	struct filter *f = arg;
	struct sts_err err = { 0 };
	char text[FILTER_TEXT_MAX];

	if (is_ready(f, domain, &err) == STS_OK) {
		proceed(f, session, token);
		return;
	}
	snprintf(text, sizeof text, "%s%s%s%s", err.text,
	    why[0] == '\0' ? "" : " (", why, why[0] == '\0' ? "" : ")");
	reject(f, session, token, domain, text);
}

/*
 * The first recipients of a message wait, as long as it may.  For the others
 * the look goes on, and the next attempt finds what it brought.
 */
static void
hear_rcpt(struct filter *f, const struct filter_line *l)
{
	char domain[STS_NAME_SIZE];
	struct sts_err err = { 0 };
	struct sts_ctx *ctx = get_ctx(f);
	const char *why;
	enum sts_rc rc;

	if (!take_domain(domain, l->rest) ||
	    (rc = is_ready(f, domain, &err)) == STS_OK) {
		proceed(f, l->session, l->token);
		return;
	}
	if (rc == STS_TEMPFAIL)
		rc = rcpt_prefetch_ask(&f->prefetch, ctx, l->session, domain,
		    &err);
	if (rc == STS_OK) {
		why =
		    waiting_rcpts_add(&f->waiting, l->session, l->token, domain,
			sts_domain_owner(
			    (struct sts_str){ domain, strlen(domain) }),
			now_ms(), sts_timeout_ms(ctx));
		if (why == NULL)
			return;
		snprintf(err.text, sizeof err.text, "%s", why);
	}
	if (rc == STS_LOCAL || rc == STS_NOMEM)
		complain(&f->said, err.text);
	reject(f, l->session, l->token, domain, err.text);
}

/* What the worker has to say, to those who wait for it. */
static void
hear_worker(struct filter *f)
{
	char domain[STS_NAME_SIZE];
	struct sts_err err;
	enum sts_rc rc;

	while ((rc = rcpt_prefetch_next(&f->prefetch, domain, &err)) == STS_OK)
		waiting_rcpts_done(&f->waiting, domain, now_ms(), err.text);
	if (rc == STS_LOCAL)
		waiting_rcpts_done(&f->waiting, NULL, now_ms(), err.text);
}

/* --- The action: smtp-out ------------------------------------------------- */

/* The end of a session with an MX host, as far as smtpd shows it. */
static void
session_ended(void *arg, const struct session *s, enum session_result result)
{
	struct filter *f = arg;
	struct sts_ctx *ctx;

	if (result == SESSION_FAILED && (ctx = get_ctx(f)) != NULL)
		record_failed(&f->record, ctx, s);
}

static void
session_counts(void *arg, const struct session_count *c)
{
	struct filter *f = arg;
	struct sts_ctx *ctx = get_ctx(f);
	struct sts_answer *a;

	if (ctx == NULL)
		return;
	record_session(&f->record, ctx, &f->prefetch, c);
	/* A look that is due begins with mail that went out, behind it. */
	if (c->domain[0] != '\0' &&
	    sts_query(ctx, c->domain, STS_NONBLOCKING, &a, NULL) == STS_OK)
		sts_answer_free(a);
}

/*
 * A line for each mail that no policy applied to although there may be one, by
 * whatever action.  What counts is what the table went by when it chose the
 * host, which may be known no more; of an action that chooses itself, what is
 * known now.  The id of the session is that of smtpd's own lines.
 */
static void
note_unprotected_mail(struct filter *f, const struct session *s,
    const char *domain)
{
	struct sts_ctx *ctx = get_ctx(f);
	struct sts_err err = f->config.err;
	enum offered offered = OFFERED_ANY;
	enum sts_rc rc = STS_LOCAL;
	char shown[300];
	bool enforced = false;

	if (ctx != NULL)
		rc = domain_policy(ctx, domain, &enforced, &err);
	if (f->record.verifies)
		offered = ctx == NULL
		    ? OFFERED_UNKNOWN
		    : record_offered(&f->record, ctx, s, domain);
	if (offered == OFFERED_POLICY ||
	    (offered == OFFERED_UNKNOWN && enforced))
		return;
	/* It was let go before; now this host cannot say why. */
	if (ctx == NULL)
		snprintf(err.text, sizeof err.text,
		    "the reason is no longer known: %.*s", 120,
		    f->config.err.text);
	else if (enforced)
		snprintf(err.text, sizeof err.text,
		    "its policy was not known in time");
	else if (rc == STS_TEMPFAIL)
		snprintf(err.text, sizeof err.text, "its cache entry is gone");
	if (err.text[0] != '\0')
		syslog(LOG_NOTICE, "%.*s %s: %ssent without MTA-STS: %s",
		    s->idlen, s->id,
		    sts_escape(shown, sizeof shown,
			(struct sts_str){ domain, strlen(domain) }),
		    offered == OFFERED_UNKNOWN ? "perhaps " : "", err.text);
}

static void
session_rcpt(void *arg, const struct session *s, const char *domain, bool first)
{
	struct filter *f = arg;

	record_reached(&f->record, domain);
	if (first)
		note_unprotected_mail(f, s, domain);
}

static bool
session_is_ours(void *arg, const char *sender)
{
	struct filter *f = arg;
	struct sts_ctx *ctx = get_ctx(f);

	return ctx != NULL && sts_report_sender(ctx, sender);
}

static void
hear_session(struct filter *f, const struct filter_line *l)
{
	const struct session_hooks hooks = { session_ended, session_rcpt,
		session_counts, session_is_ours, f };

	session_report(&f->sessions, l, wall_ms(), &hooks);
}

/* --- Lines -------------------------------------------------------------- */

static void
put(struct filter *f, const char *text)
{
	smtpd_put(&f->answers, STDOUT_FILENO, text, strlen(text));
}

static void
answer_ready(struct filter *f)
{
	if (f->in)
		put(f, FILTER_REGISTER_IN);
	if (f->out)
		put(f, FILTER_REGISTER_OUT);
	put(f, FILTER_REGISTER_END);
}

static void
take_line(struct filter *f, struct sts_str line)
{
	struct filter_line l;

	filter_parse(&l, line);
	switch (l.event) {
	case FILTER_NOTHING:
		break;
	case FILTER_HAS_IN:
		f->in = true;
		break;
	case FILTER_HAS_OUT:
		f->out = true;
		break;
	case FILTER_READY:
		answer_ready(f);
		break;
	case FILTER_RCPT:
		hear_rcpt(f, &l);
		break;
	case FILTER_ASKED:
		proceed(f, l.session, l.token);
		break;
	case FILTER_IN_MAIL:
		waiting_rcpts_renew(&f->waiting, l.session);
		break;
	case FILTER_IN_GONE:
		waiting_rcpts_forget(&f->waiting, l.session);
		break;
	case FILTER_CONNECT:
	case FILTER_TLS:
	case FILTER_CLIENT:
	case FILTER_SERVER:
	case FILTER_GONE:
		hear_session(f, &l);
		break;
	}
}

/* False: the end. */
static bool
hear_smtpd(struct filter *f)
{
	struct sts_str line;
	size_t room, n;
	char *p = line_buffer_room(&f->lines, &room);

	if ((n = smtpd_read(STDIN_FILENO, p, room)) == 0)
		return false;
	line_buffer_add(&f->lines, n);
	while (line_buffer_next(&f->lines, &line))
		take_line(f, line);
	return true;
}

/* --- The loop ----------------------------------------------------------- */

static int
time_left(const struct filter *f)
{
	int64_t deadline = waiting_rcpts_deadline(&f->waiting), now = now_ms();

	if (deadline == -1)
		return -1;
	return deadline <= now ? 0 : (int)(deadline - now);
}

static void
loop(struct filter *f)
{
	struct pollfd p[4];
	int n;

	for (;;) {
		struct sts_kept_worker *kept = f->prefetch.kept;

		p[0] = (struct pollfd){ STDIN_FILENO, POLLIN, 0 };
		p[1] = (struct pollfd){ -1, POLLIN, 0 };
		p[2] = (struct pollfd){ -1, POLLOUT, 0 };
		if (kept != NULL) {
			p[1].fd = sts_kept_worker_in(kept);
			p[2].fd = sts_kept_worker_out(kept);
		}
		p[3] = (struct pollfd){ -1, POLLOUT, 0 };
		if (!smtpd_flush(&f->answers, STDOUT_FILENO))
			p[3].fd = STDOUT_FILENO;
		n = poll(p, 4, time_left(f));
		if (n == -1) /* a signal; or no memory, which may pass */
			continue;
		if (p[0].revents != 0 && !hear_smtpd(f))
			return;
		hear_worker(f);
		waiting_rcpts_expire(&f->waiting, now_ms(),
		    "the worker is still at it");
	}
}

static void
usage(const char *name)
{
	fprintf(stderr, "usage: %s [-o] [-c file]\n", name);
	exit(2);
}

int
main(int argc, char *argv[])
{
	static struct filter f;
	int c;

	smtpd_survive();
	openlog("filter-mtasts", LOG_PID, LOG_MAIL);
	/* Before smtpd serves anybody, its end is the clearest message. */
	f.record.verifies = true;
	while ((c = getopt(argc, argv, "c:o")) != -1)
		if (c == 'c' && optarg[0] == '/')
			f.config.path = optarg;
		else if (c == 'o')
			f.record.verifies = false;
		else
			usage(argv[0]);
	if (optind != argc)
		usage(argv[0]);
	waiting_rcpts_init(&f.waiting, go_on, &f);
	rcpt_prefetch_init(&f.prefetch);
	if (getrandom(&f.record.owners.key, sizeof f.record.owners.key,
		GRND_NONBLOCK) == -1)
		f.record.owners.key = (uint64_t)now_ms() ^ (uint64_t)getpid();
	(void)config_get(&f.config, CONFIG_NOW);
	(void)fcntl(STDOUT_FILENO, F_SETFL,
	    fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
	loop(&f);
	rcpt_prefetch_stop(&f.prefetch);
	sts_close(f.config.ctx);
	return 0;
}
