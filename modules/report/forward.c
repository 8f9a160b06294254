/* SPDX-License-Identifier: ISC */
/*
 * Sessions from the spool to the collector of libtlsrpt: the days' files are
 * read from where the last run ended, today's too.  What the collector does not
 * take stays where it is, for the next run.  A session whose domain could not
 * be asked for its record waits apart, and holds up no other.
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
	WINDOW = 256,        /* lines whose domains are asked at once */
	WAITING_MAX = 65536, /* sessions of a day that wait for their domains */
	OLD = 48 * 3600,     /* s after which a session is no news any more */
	NEW_MAX = 40000,     /* ms for new lines, then come those that wait */
	RUN_MAX = 50000,     /* ms; the next run is a minute after this one */
	FULL_MAX = 5000,     /* ms that a collector may take nothing */
	PAUSE_MAX = 50,      /* ms between two attempts */
	TEXT = STS_SESSION_TEXT_MAX + 1
};

struct forward {
	struct program *program;
	struct sink *sink;
	struct rua_records *records;
	struct policy_lines *policy;
	int64_t until; /* ms, of this part of the run */
	bool stop;     /* the collector takes no more, or a fault */
	uint64_t sent, unwanted, waiting;
	/* The day in hand. */
	char name[REPORT_DAY_TEXT];
	struct sts_day *lines;
	struct forward_offset *reached;
	uint64_t limit; /* up to here there are whole lines */
	size_t apart;   /* sessions of the day that wait */
	uint64_t old, damaged, refused, unasked, overflow;
};

typedef void read_fn(struct forward *);

/* This host's fault: no more of this run. */
static void
fault(struct forward *f, const struct sts_err *err)
{
	syslog(LOG_ERR, "%s", err->text);
	f->program->failed = true;
	f->stop = true;
}

/* --- One session -------------------------------------------------------- */

/* While the collector takes nothing, tries again for FULL_MAX. */
static enum sts_rc
send_with_retries(struct forward *f, const struct sink_session *s,
    struct sts_err *err)
{
	int64_t full = sts_now_ms() + FULL_MAX, now;
	struct timespec pause = { 0, 1000000 };
	enum sts_rc rc;

	if (full > f->until)
		full = f->until;
	while ((rc = sink_send(f->sink, s, err)) == STS_TEMPFAIL) {
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
	char domain[STS_NAME_SIZE], why[CERT_WHY];
	char sending_ip[TEXT], mx_host[TEXT], mx_helo[TEXT], receiving_ip[TEXT],
	    reason[TEXT];
};

static void
describe(struct forward *f, struct sink_session *out, struct texts *t,
    const struct sts_session *s)
{
	t->why[0] = '\0';
	out->domain = t->domain;
	out->type = s->type;
	out->result = s->result;
	if (s->result != STS_SESSION_OK)
		out->result =
		    cert_result(f->program, sts_day_of(f->name), s, t->why);
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
forward_session(struct forward *f, const struct sts_session *s,
    const char *domain, const char *record, struct sts_err *err)
{
	struct sink_session out = { .record = record };
	struct texts t;
	enum sts_rc rc;

	memcpy(t.domain, domain, strlen(domain) + 1);
	describe(f, &out, &t, s);
	rc = send_with_retries(f, &out, err);
	if (rc == STS_INVALID && out.lines[0] != '\0') {
		/* Rather without the policy's text than not at all. */
		out.lines = "";
		out.policy = NULL;
		rc = send_with_retries(f, &out, err);
	}
	if (rc == STS_OK)
		f->sent++;
	if (rc != STS_INVALID)
		return rc;
	f->refused++;
	return STS_OK; /* the next run would fare no better */
}

/* STS_TEMPFAIL: the collector is busy; all else is a fault of this host. */
static void
stop_on_failure(struct forward *f, enum sts_rc rc, const struct sts_err *err)
{
	if (rc == STS_TEMPFAIL) {
		syslog(LOG_WARNING, "sessions wait for the next run: %s",
		    err->text);
		f->stop = true;
	} else if (rc != STS_OK)
		fault(f, err);
}

static void
no_memory(struct forward *f)
{
	struct sts_err err = { 0 };

	sts_fail(&err, STS_NOMEM, 0, "out of memory");
	fault(f, &err);
}

static struct rua_record *
find_record(struct forward *f, const char *domain)
{
	struct rua_record *r = rua_records_find(f->records, domain);

	if (r == NULL)
		no_memory(f);
	return r;
}

static void
copy_name(char out[STS_NAME_SIZE], struct sts_str name)
{
	memcpy(out, name.p, name.len);
	out[name.len] = '\0';
}

static bool
is_over(const struct forward *f)
{
	return f->stop || sts_now_ms() >= f->until;
}

/* --- New lines ---------------------------------------------------------- */

/*
 * The domain could not be asked.  An owner with as many waiting sessions as
 * there are free places loses the next, as in base/accountant.h.
 */
static enum sts_rc
wait_apart(struct forward *f, struct rua_owner *owner,
    const struct forward_waiting *w, uint64_t next, struct sts_err *err)
{
	if (f->apart >= WAITING_MAX ||
	    owner->waiting >= WAITING_MAX - f->apart) {
		f->overflow++;
		return forward_offset_pass(f->reached, next, err);
	}
	owner->waiting++;
	f->apart++;
	return forward_offset_wait(f->reached, w, next, err);
}

static void
new_session(struct forward *f, const struct sts_session *s, uint64_t offset,
    uint64_t next)
{
	struct forward_waiting w = { .offset = offset, .time = s->time };
	struct rua_record *r;
	const char *record;
	struct sts_err err = { 0 };
	enum sts_rc rc;

	copy_name(w.domain, s->domain);
	if ((r = find_record(f, w.domain)) == NULL)
		return;
	rc = rua_record_get(r, &record);
	if (f->program->now - s->time > OLD)
		f->old++;
	else if (rc == STS_TEMPFAIL) {
		stop_on_failure(f,
		    wait_apart(f, rua_record_owner(r), &w, next, &err), &err);
		return;
	} else if (rc == STS_ABSENT)
		f->unwanted++;
	else {
		rc = forward_session(f, s, w.domain, record, &err);
		stop_on_failure(f, rc, &err);
		if (rc != STS_OK)
			return;
	}
	stop_on_failure(f, forward_offset_pass(f->reached, next, &err), &err);
}

/* Ask the domains of the next lines; where the window ends. */
static uint64_t
ask_window(struct forward *f, uint64_t from)
{
	struct rua_record *r[WINDOW];
	char *line, domain[STS_NAME_SIZE];
	struct sts_str name;
	struct sts_err err = { 0 };
	uint64_t at, to = f->limit;
	size_t len, nr = 0;
	enum sts_rc rc;

	sts_day_seek(f->lines, from);
	for (unsigned n = 0; n <= WINDOW && !f->stop; n++) {
		rc = sts_day_next(f->lines, &line, &len, &at, &err);
		if (rc != STS_OK && rc != STS_ABSENT)
			fault(f, &err);
		if (rc != STS_OK || at >= f->limit)
			break;
		if (n == WINDOW) {
			to = at;
			break;
		}
		if (sts_session_domain((struct sts_str){ line, len }, &name) &&
		    name.len < sizeof domain && sts_name_valid(name)) {
			copy_name(domain, name);
			r[nr++] = find_record(f, domain);
		}
	}
	if (!f->stop && !rua_records_ask(f->records, r, nr))
		no_memory(f);
	return to;
}

static void
new_window(struct forward *f, uint64_t from, uint64_t to)
{
	struct sts_session s;
	char *line;
	uint64_t at, next;
	size_t len;

	sts_day_seek(f->lines, from);
	while (!is_over(f) &&
	    sts_day_next(f->lines, &line, &len, &at, NULL) == STS_OK &&
	    at < to) {
		next = at + len + 1 < f->limit ? at + len + 1 : f->limit;
		if (sts_session_decode(&s, line, len))
			new_session(f, &s, at, next);
		else
			f->damaged++;
	}
}

/* Whose sessions wait already. */
static void
count_apart(struct forward *f)
{
	struct forward_waiting w;
	struct rua_record *r;

	for (size_t i = 0; i < forward_offset_count(f->reached); i++)
		if (forward_offset_waiting(f->reached, i, &w) &&
		    (r = find_record(f, w.domain)) != NULL) {
			rua_record_owner(r)->waiting++;
			f->apart++;
		}
}

static void
new_lines(struct forward *f)
{
	uint64_t from = forward_offset_end(f->reached), to;
	struct sts_err err = { 0 };

	if (from < f->limit)
		count_apart(f);
	while (!is_over(f) && from < f->limit) {
		to = ask_window(f, from);
		if (!f->stop)
			new_window(f, from, to);
		from = to;
	}
	/* Empty lines at the end are no sessions. */
	if (!is_over(f) && from == f->limit)
		stop_on_failure(f,
		    forward_offset_pass(f->reached, f->limit, &err), &err);
}

/* --- Sessions that wait -------------------------------------------------- */

static enum sts_rc
forward_waiting_session(struct forward *f, const struct forward_waiting *w,
    const char *record, struct sts_err *err)
{
	struct sts_session s;
	char *line;
	uint64_t at;
	size_t len;

	sts_day_seek(f->lines, w->offset);
	if (sts_day_next(f->lines, &line, &len, &at, NULL) != STS_OK ||
	    at != w->offset || !sts_session_decode(&s, line, len) ||
	    !str_is(s.domain, w->domain)) {
		f->damaged++;
		return STS_OK;
	}
	return forward_session(f, &s, w->domain, record, err);
}

static void
waiting_session(struct forward *f, size_t i)
{
	struct forward_waiting w;
	struct rua_record *r;
	const char *record;
	struct sts_err err = { 0 };
	enum sts_rc rc;

	if (!forward_offset_waiting(f->reached, i, &w) ||
	    (r = find_record(f, w.domain)) == NULL)
		return;
	rc = rua_record_get(r, &record);
	if (f->program->now - w.time > OLD)
		f->unasked++;
	else if (rc == STS_TEMPFAIL) {
		f->waiting++;
		return;
	} else if (rc == STS_ABSENT)
		f->unwanted++;
	else {
		rc = forward_waiting_session(f, &w, record, &err);
		stop_on_failure(f, rc, &err);
		if (rc != STS_OK)
			return;
	}
	stop_on_failure(f, forward_offset_done(f->reached, i, &err), &err);
}

static void
waiting_sessions(struct forward *f)
{
	size_t n = forward_offset_count(f->reached), i, nr;
	/* From another place each time: of an owner's domains only some are
	 * asked in one run. */
	size_t start = n == 0 ? 0 : (size_t)sts_now_ms() * 7919 % n;
	struct rua_record *r[WINDOW];
	struct forward_waiting w;

	for (size_t from = 0; from < n && !is_over(f); from = i) {
		nr = 0;
		for (i = from; i < n && nr < WINDOW && !f->stop; i++)
			if (forward_offset_waiting(f->reached, (start + i) % n,
				&w) &&
			    f->program->now - w.time <= OLD)
				r[nr++] = find_record(f, w.domain);
		if (!f->stop &&
		    !rua_records_ask_slow(f->records, r, nr, f->until))
			no_memory(f);
		for (size_t k = from; k < i && !f->stop; k++)
			waiting_session(f, (start + k) % n);
	}
}

/* --- A day -------------------------------------------------------------- */

/*
 * Up to where lines are whole.  Today the last one may still be being written;
 * once the day is over, a last line without LF is as long as it will get.
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
log_lost(const struct forward *f)
{
	static const char dropped[] = "%s: %" PRIu64 " sessions dropped, %s";

	if (f->old > 0)
		syslog(LOG_WARNING, dropped, f->name, f->old,
		    "as the collector did not take them within 48 hours");
	if (f->unasked > 0)
		syslog(LOG_WARNING, dropped, f->name, f->unasked,
		    "for their domains could not be asked within 48 hours "
		    "whether they want reports");
	if (f->overflow > 0)
		syslog(LOG_WARNING, dropped, f->name, f->overflow,
		    "for too many wait of the same owners, whose domains "
		    "cannot be asked whether they want reports");
	if (f->refused > 0)
		syslog(LOG_WARNING, dropped, f->name, f->refused,
		    "as they are too large for the collector");
	if (f->damaged > 0)
		syslog(LOG_WARNING,
		    "%s: %" PRIu64 " damaged lines of the spool left out",
		    f->name, f->damaged);
}

/* As after our own reports: kept for a while, then removed; true: it is. */
static bool
expire(struct forward *f, int spool, int64_t day)
{
	struct program *p = f->program;
	struct sts_err err;

	if (p->now - (day + STS_DAY) < (int64_t)p->conf->report.keep)
		return false;
	if (sts_spool_remove(p->spool, day, &err) != STS_OK) {
		syslog(LOG_ERR, "%s", err.text);
		p->failed = true;
		return false;
	}
	forward_offset_forget(spool, f->name);
	outbox_forget(p->outbox, f->name);
	return true;
}

/* True: all of it has been dealt with. */
static bool
read_day(struct forward *f, int spool, int64_t day, bool over, read_fn *part)
{
	struct program *p = f->program;
	struct sts_err err = { 0 };
	bool done = false;
	struct stat st;

	f->old = f->damaged = f->refused = f->unasked = f->overflow = 0;
	f->apart = 0;
	if (sts_day_open(p->spool, day, &f->lines, &err) == STS_OK &&
	    find_limit(f, spool, over, &st, &err) == STS_OK &&
	    forward_offset_open(&f->reached, spool, f->name, &st, &err) ==
		STS_OK) {
		part(f);
		log_lost(f);
		done = forward_offset_end(f->reached) == f->limit &&
		    !forward_offset_waits(f->reached);
	} else { /* other days may be better */
		syslog(LOG_ERR, "%s", err.text);
		p->failed = true;
	}
	if (f->apart > 0)
		rua_records_none_wait(f->records);
	forward_offset_close(f->reached);
	sts_day_close(f->lines);
	f->reached = NULL;
	f->lines = NULL;
	return done;
}

/* All days, one after the other, until the time is over; -1: removed. */
static void
read_days(struct forward *f, int spool, int64_t *day, size_t n, read_fn *part,
    int64_t until)
{
	struct program *p = f->program;
	struct sts_err err;
	enum sts_rc rc;
	bool over;

	f->until = until;
	for (size_t i = 0; i < n && !is_over(f); i++) {
		if (day[i] == -1)
			continue;
		over = day[i] + STS_DAY + STS_SPOOL_GRACE <= p->now;
		report_day(f->name, day[i]);
		/* Not what already is in reports of our own. */
		rc = outbox_day_done(p->outbox, f->name, &err);
		if (rc == STS_LOCAL) {
			syslog(LOG_ERR, "%s", err.text);
			p->failed = true;
			continue;
		}
		if ((rc == STS_OK || read_day(f, spool, day[i], over, part)) &&
		    over && expire(f, spool, day[i]))
			day[i] = -1;
	}
}

static void
all_days(struct forward *f, int spool)
{
	struct program *p = f->program;
	/* As if it were tomorrow: today's is among those that are over. */
	int64_t day[STS_SPOOL_DAYS_MAX], t = p->now + STS_DAY + STS_SPOOL_GRACE;
	int64_t begin = sts_now_ms();
	struct sts_err err = { 0 };
	size_t n;

	if (sts_spool_days(p->spool, t, day, STS_SPOOL_DAYS_MAX, &n, &err) !=
	    STS_OK) {
		fault(f, &err);
		return;
	}
	/* New sessions first: domains that could not be asked may be slow. */
	read_days(f, spool, day, n, new_lines, begin + NEW_MAX);
	read_days(f, spool, day, n, waiting_sessions, begin + RUN_MAX);
	if (f->sent > 0 || f->waiting > 0)
		syslog(LOG_INFO,
		    "%" PRIu64 " sessions sent to the collector, %" PRIu64
		    " of domains that want no reports, %" PRIu64
		    " wait, as their domains could not be asked yet",
		    f->sent, f->unwanted, f->waiting);
}

void
forward_run(struct program *p, int spool)
{
	struct forward f = { .program = p, .until = INT64_MAX };
	struct sts_err err = { 0 };

	f.records = rua_records_new(p);
	f.policy = policy_lines_new(p->cache);
	if (f.records == NULL || f.policy == NULL)
		no_memory(&f);
	else if (sink_open(&f.sink, p->conf->report.tlsrpt_socket, &err) !=
	    STS_OK)
		fault(&f, &err);
	else
		all_days(&f, spool);
	sink_close(f.sink);
	policy_lines_free(f.policy);
	rua_records_free(f.records);
}
