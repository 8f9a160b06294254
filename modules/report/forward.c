/* SPDX-License-Identifier: ISC */
/*
 * Sessions from the spool to the collector of libtlsrpt, in their order: the
 * days' files are read from where the last run ended, today's too.  What the
 * collector does not take stays where it is, for the next run.
 */
#include "forward.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/domain_name.h"
#include "base/err.h"
#include "forward_offset.h"
#include "policy_lines.h"
#include "rua_records.h"
#include "sink.h"
#include <mtasts/session.h>

enum {
	WINDOW = 256,    /* lines whose domains are asked at once */
	OLD = 48 * 3600, /* s after which a session is no news any more */
	RUN_MAX = 50000, /* ms; the next run is a minute after this one */
	FULL_MAX = 5000, /* ms that a collector may take nothing */
	PAUSE_MAX = 50,  /* ms between two attempts */
	TEXT = STS_SESSION_TEXT_MAX + 1
};

struct forward {
	struct program *program;
	struct sink *sink;
	struct rua_records *records;
	struct policy_lines *policy;
	int64_t until; /* ms, of this run */
	bool stop;     /* the collector takes no more */
	uint64_t given, unwanted, waiting;
	/* The day in hand. */
	char name[REPORT_DAY_TEXT];
	struct sts_day *lines, *again; /* again: for certificates */
	struct forward_offset *reached;
	uint64_t limit; /* up to here there are whole lines */
	uint64_t old, odd, refused;
};

/* This host's fault: no more of this run. */
static void
fault(struct forward *f, const struct sts_err *err)
{
	syslog(LOG_ERR, "%s", err->text);
	f->program->failed = true;
	f->stop = true;
}

/* --- One session -------------------------------------------------------- */

/* It waits for room, but not for ever. */
static enum sts_rc
give(struct forward *f, const struct sink_session *s, struct sts_err *err)
{
	int64_t full = sts_now_ms() + FULL_MAX, now;
	struct timespec pause = { 0, 1000000 };
	enum sts_rc rc;

	if (full > f->until)
		full = f->until;
	while ((rc = sink_give(f->sink, s, err)) == STS_TEMPFAIL) {
		now = sts_now_ms();
		if (now >= full)
			break;
		(void)nanosleep(&pause, NULL);
		if (pause.tv_nsec < PAUSE_MAX * 1000000)
			pause.tv_nsec *= 2;
	}
	return rc;
}

/* Strings as in our own reports: what strangers said is shown, not repeated. */
struct texts {
	char domain[STS_NAME_SIZE], why[160];
	char sending_ip[TEXT], mx_host[TEXT], mx_helo[TEXT], receiving_ip[TEXT],
	    reason[TEXT];
};

static void
describe(struct forward *f, struct sink_session *out, struct texts *t,
    const struct sts_session *s, uint64_t offset)
{
	const struct sts_totals_row row = {
		.result = s->result,
		.cert = s->der.len > 0,
		.sample = offset,
	};

	t->why[0] = '\0';
	out->domain = t->domain;
	out->type = s->type;
	out->result = s->result;
	if (s->result != STS_SESSION_OK && row.cert != 0)
		out->result = judge_sample(f->program, f->again, &row, t->why);
	out->sending_ip = sts_escape(t->sending_ip, TEXT, s->sending_ip);
	out->mx_host = sts_escape(t->mx_host, TEXT, s->mx_host);
	out->mx_helo = sts_escape(t->mx_helo, TEXT, s->mx_helo);
	out->receiving_ip = sts_escape(t->receiving_ip, TEXT, s->receiving_ip);
	out->reason = sts_escape(t->reason, TEXT, s->reason);
	if (t->why[0] != '\0')
		out->reason = t->why;
	out->lines = "";
	out->policy = NULL;
	if (s->type == STS_TYPE_STS)
		policy_lines_find(f->policy, t->domain, s->id, &out->lines,
		    &out->policy);
}

static enum sts_rc
hand_over(struct forward *f, const struct sts_session *s, const char *domain,
    const char *record, uint64_t offset, struct sts_err *err)
{
	struct sink_session out = { .record = record };
	struct texts t;
	enum sts_rc rc;

	memcpy(t.domain, domain, strlen(domain) + 1);
	describe(f, &out, &t, s, offset);
	rc = give(f, &out, err);
	if (rc == STS_INVALID && out.lines[0] != '\0') {
		/* Rather without the policy's text than not at all. */
		out.lines = "";
		out.policy = NULL;
		rc = give(f, &out, err);
	}
	if (rc == STS_OK)
		f->given++;
	if (rc != STS_INVALID)
		return rc;
	f->refused++;
	return STS_OK; /* it will not be taken next time either */
}

static void
session(struct forward *f, const struct sts_session *s, uint64_t offset,
    uint64_t next)
{
	char domain[STS_NAME_SIZE];
	const char *record;
	struct sts_err err = { 0 };
	enum sts_rc rc = STS_OK;

	memcpy(domain, s->domain.p, s->domain.len);
	domain[s->domain.len] = '\0';
	if (forward_offset_has(f->reached, domain, offset))
		return;
	if (f->program->now - s->time > OLD)
		f->old++;
	else if ((rc = rua_records_get(f->records, domain, &record)) == STS_OK)
		rc = hand_over(f, s, domain, record, offset, &err);
	else if (rc == STS_ABSENT) {
		f->unwanted++;
		rc = STS_OK;
	} else {
		rc =
		    forward_offset_wait(f->reached, domain, offset, next, &err);
		f->waiting++;
		if (rc == STS_ABSENT) {
			syslog(LOG_WARNING,
			    "sessions wait: too many domains cannot be asked "
			    "for their TLS report record");
			f->stop = true;
		} else if (rc != STS_OK)
			fault(f, &err);
		return;
	}
	if (rc == STS_OK)
		rc =
		    forward_offset_pass(f->reached, domain, offset, next, &err);
	if (rc == STS_TEMPFAIL) {
		syslog(LOG_WARNING, "sessions wait: %s", err.text);
		f->stop = true;
	} else if (rc != STS_OK)
		fault(f, &err);
}

/* --- The lines of a day ------------------------------------------------- */

/* Ask the domains of the next lines; where the window ends. */
static uint64_t
ask(struct forward *f, uint64_t from, struct sts_err *err)
{
	char *line, domain[STS_NAME_SIZE];
	struct sts_str name;
	uint64_t at;
	size_t len;

	sts_day_seek(f->lines, from);
	for (unsigned n = 0; n <= WINDOW; n++) {
		if (sts_day_next(f->lines, &line, &len, &at, err) != STS_OK ||
		    at >= f->limit)
			return f->limit;
		if (n == WINDOW)
			return at;
		if (!sts_session_domain((struct sts_str){ line, len }, &name) ||
		    name.len >= sizeof domain || !sts_name_valid(name))
			continue;
		memcpy(domain, name.p, name.len);
		domain[name.len] = '\0';
		if (!forward_offset_has(f->reached, domain, at) &&
		    !rua_records_ask(f->records, domain))
			break;
	}
	sts_fail(err, STS_NOMEM, 0, "out of memory");
	fault(f, err);
	return from;
}

static void
hand_over_window(struct forward *f, uint64_t from, uint64_t to)
{
	struct sts_session s;
	char *line;
	uint64_t at, next;
	size_t len;

	sts_day_seek(f->lines, from);
	while (!f->stop &&
	    sts_day_next(f->lines, &line, &len, &at, NULL) == STS_OK &&
	    at < to) {
		next = at + len + 1 < f->limit ? at + len + 1 : f->limit;
		if (!sts_session_decode(&s, line, len))
			f->odd += at >= forward_offset_end(f->reached);
		else
			session(f, &s, at, next);
		if (sts_now_ms() >= f->until)
			f->stop = true;
	}
}

static void
lines(struct forward *f)
{
	struct sts_err err = { 0 };
	uint64_t from = forward_offset_from(f->reached), to;

	while (!f->stop && from < f->limit) {
		to = ask(f, from, &err);
		if (f->stop)
			return;
		rua_records_wait(f->records);
		hand_over_window(f, from, to);
		from = to;
	}
	if (!f->stop &&
	    forward_offset_settle(f->reached, f->limit, &err) != STS_OK)
		fault(f, &err);
}

/* --- A day -------------------------------------------------------------- */

/*
 * Up to where lines are whole.  Somebody may just be writing the last one, as
 * long as the day is not over; then what has no end never gets one.
 */
static enum sts_rc
find_limit(struct forward *f, int spool, bool over, struct stat *st,
    struct sts_err *err)
{
	char tail[STS_SESSION_LINE_MAX];
	const char *lf;
	ssize_t n = -1;
	off_t from = 0;
	int fd = openat(spool, f->name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd != -1 && fstat(fd, st) == 0) {
		if (st->st_size > (off_t)sizeof tail)
			from = st->st_size - (off_t)sizeof tail;
		n = pread(fd, tail, (size_t)(st->st_size - from), from);
	}
	if (n == -1)
		sts_fail(err, STS_LOCAL, 0, "cannot read %s of the spool: %s",
		    f->name, strerror(errno));
	else if (over)
		f->limit = (uint64_t)st->st_size;
	else {
		lf = memrchr(tail, '\n', (size_t)n);
		f->limit = (uint64_t)from +
		    (lf == NULL ? 0 : (uint64_t)(lf - tail) + 1);
	}
	if (fd != -1)
		close(fd);
	return n == -1 ? STS_LOCAL : STS_OK;
}

static void
say(const struct forward *f)
{
	if (f->old > 0)
		syslog(LOG_WARNING,
		    "%s: %" PRIu64 " sessions dropped, for the collector did "
		    "not take them within 48 hours",
		    f->name, f->old);
	if (f->refused > 0)
		syslog(LOG_WARNING,
		    "%s: %" PRIu64 " sessions dropped, too large for the "
		    "collector",
		    f->name, f->refused);
	if (f->odd > 0)
		syslog(LOG_WARNING, "%s: %" PRIu64 " damaged lines left out",
		    f->name, f->odd);
}

/* As after our own reports: kept for a while, then removed. */
static void
expire(struct forward *f, int spool, int64_t day)
{
	struct program *p = f->program;
	struct sts_err err;

	if (p->now - (day + STS_DAY) < (int64_t)p->conf->report.keep)
		return;
	if (sts_spool_remove(p->spool, day, &err) != STS_OK) {
		syslog(LOG_ERR, "%s", err.text);
		p->failed = true;
		return;
	}
	forward_offset_forget(spool, f->name);
	outbox_forget(p->outbox, f->name);
}

/* True: all of it has been dealt with. */
static bool
read_day(struct forward *f, int spool, int64_t day, bool over)
{
	struct program *p = f->program;
	struct sts_err err = { 0 };
	bool done = false;
	struct stat st;

	f->old = f->odd = f->refused = 0;
	if (sts_day_open(p->spool, day, &f->lines, &err) == STS_OK &&
	    sts_day_open(p->spool, day, &f->again, &err) == STS_OK &&
	    find_limit(f, spool, over, &st, &err) == STS_OK &&
	    forward_offset_open(&f->reached, spool, f->name, &st, &err) ==
		STS_OK) {
		lines(f);
		say(f);
		done = forward_offset_end(f->reached) == f->limit &&
		    !forward_offset_waits(f->reached);
	} else { /* other days may be better */
		syslog(LOG_ERR, "%s", err.text);
		p->failed = true;
	}
	forward_offset_close(f->reached);
	sts_day_close(f->again);
	sts_day_close(f->lines);
	f->reached = NULL;
	f->again = f->lines = NULL;
	return done;
}

static void
forward_day(struct forward *f, int spool, int64_t day)
{
	const struct program *p = f->program;
	bool over = day + STS_DAY + STS_SPOOL_GRACE <= p->now;

	report_day(f->name, day);
	/* What went into reports of our own is not told twice. */
	if ((outbox_day_done(p->outbox, f->name) ||
		read_day(f, spool, day, over)) &&
	    over)
		expire(f, spool, day);
}

static void
all_days(struct forward *f, int spool)
{
	struct program *p = f->program;
	/* As if it were tomorrow: today's is among those that are over. */
	int64_t day[STS_SPOOL_DAYS_MAX], t = p->now + STS_DAY + STS_SPOOL_GRACE;
	struct sts_err err = { 0 };
	size_t n;

	if (sts_spool_days(p->spool, t, day, STS_SPOOL_DAYS_MAX, &n, &err) !=
	    STS_OK) {
		fault(f, &err);
		return;
	}
	for (size_t i = 0; i < n && !f->stop; i++)
		forward_day(f, spool, day[i]);
	if (f->given > 0 || f->waiting > 0)
		syslog(LOG_INFO,
		    "%" PRIu64 " sessions handed to the collector; %" PRIu64
		    " of domains that want no reports, %" PRIu64
		    " of domains that could not be asked yet",
		    f->given, f->unwanted, f->waiting);
}

void
forward_run(struct program *p, int spool)
{
	struct forward f = { .program = p, .until = sts_now_ms() + RUN_MAX };
	struct sts_err err = { 0 };

	f.records = rua_records_new(p);
	f.policy = policy_lines_new(p->cache);
	if (f.records == NULL || f.policy == NULL) {
		sts_fail(&err, STS_NOMEM, 0, "out of memory");
		fault(&f, &err);
	} else if (sink_open(&f.sink, p->conf->report.tlsrpt_socket, &err) !=
	    STS_OK)
		fault(&f, &err);
	else
		all_days(&f, spool);
	sink_close(f.sink);
	policy_lines_free(f.policy);
	rua_records_free(f.records);
}
