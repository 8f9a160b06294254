/* SPDX-License-Identifier: ISC */
/*
 * mtasts-report: one run of "mtasts report".
 * Makes the reports of the days that are over and sends what is due; meant to
 * be started every hour.  Or hands sessions to a collector that does so, every
 * minute.  Never runs as root.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "day_sort.h"
#include "forward.h"
#include "forward_offset.h"
#include "net/http.h"
#include "program.h"
#include "sandbox/sandbox.h"
#include "sandbox/self_test.h"

/* The totals of one domain and 64 reports that wait; 60 MB are libraries. */
#define MEMORY_MAX (UINT64_C(2) << 30)

enum {
	DAYS_MAX = STS_SPOOL_DAYS_MAX,
	SORTS_MAX = 31, /* each has descriptors; the next run makes more */
	MAILERS = 2
};

/* The days to be made, each with a sort(1); and all that are over. */
struct days {
	int64_t day[DAYS_MAX];
	struct day_sort *sorted[DAYS_MAX]; /* NULL: nothing is to be made */
	size_t n;
};

static int
fault(const char *text)
{
	fprintf(stderr, "mtasts report: %s\n", text);
	syslog(LOG_ERR, "report: %s", text);
	return 3;
}

/* --- Days --------------------------------------------------------------- */

/* --day named a day that has none. */
static int
no_sessions(int64_t day, const char *or_else)
{
	char name[REPORT_DAY_TEXT];

	fprintf(stderr, "mtasts report: no sessions of %s (UTC)%s\n",
	    report_day(name, day), or_else);
	return 1;
}

struct day_waits {
	const char *day;
	bool waits;
};

static void
find_waiting(void *arg, struct report_state *state)
{
	struct day_waits *d = arg;

	d->waits |=
	    strcmp(state->day, d->day) == 0 && report_state_waits(state);
}

/*
 * RFC 8460 5.5: for a day, too, after a machine was down for weeks.  True where
 * that is not known.
 */
static bool
waits(const struct program *p, const char *day)
{
	struct day_waits d = { .day = day };
	struct sts_err err;

	return outbox_each(p->outbox, find_waiting, &d, &err) != STS_OK ||
	    d.waits;
}

static void
expire(struct program *p, int64_t day)
{
	char name[REPORT_DAY_TEXT];
	struct sts_err err;

	if (p->now - (day + STS_DAY) < (int64_t)p->conf->report.keep ||
	    outbox_day_done(p->outbox, report_day(name, day), NULL) != STS_OK ||
	    waits(p, name))
		return;
	/* While the sessions are there, so must be what was done with them. */
	if (sts_spool_remove(p->spool, day, &err) != STS_OK) {
		syslog(LOG_ERR, "%s", err.text);
		p->failed = true;
		return;
	}
	outbox_forget(p->outbox, name);
}

/* Nothing is made while it is not known what was told before. */
static bool
not_known(struct program *p, enum sts_rc rc, const struct sts_err *err)
{
	if (rc == STS_OK || rc == STS_ABSENT)
		return false;
	syslog(LOG_ERR, "%s", err->text);
	p->failed = true;
	return true;
}

/*
 * A day whose first sessions the collector was told of, before the
 * configuration said otherwise, gets no report: it would tell them twice.
 * False: that is not known.
 */
static bool
leave_to_collector(struct program *p, int spool, const char *name)
{
	struct sts_err err;
	enum sts_rc rc = forward_offset_begun(spool, name, &err);

	if (rc != STS_OK)
		return !not_known(p, rc, &err);
	syslog(LOG_WARNING,
	    "%s: no report, sessions of that day went to the collector", name);
	if (outbox_end_day(p->outbox, name, &err) != STS_OK) {
		syslog(LOG_ERR, "%s", err.text);
		p->failed = true;
	} else
		forward_offset_forget(spool, name);
	return true;
}

/* No line is read here: that is done in the sandbox. */
static enum sts_rc
start_sort(struct program *p, struct days *days, size_t i, struct sts_err *err)
{
	struct sts_day *lines;
	enum sts_rc rc = sts_day_open(p->spool, days->day[i], &lines, err);

	if (rc == STS_OK)
		rc = day_sort_start(&days->sorted[i], p->conf->report.spool_dir,
		    sts_day_size(lines), err);
	sts_day_close(lines);
	return rc;
}

/* Of which reports can be made and sent: days that are over. */
static int
find_days(struct program *p, struct days *days, int spool, int64_t only,
    struct sts_err *err)
{
	char name[REPORT_DAY_TEXT];
	bool found = false;
	size_t sorts = 0;
	enum sts_rc rc;

	if (sts_spool_days(p->spool, p->now, days->day, DAYS_MAX, &days->n,
		err) != STS_OK)
		return fault(err->text);
	for (size_t i = 0; i < days->n; i++) {
		if (only != -1 && days->day[i] != only)
			continue;
		found = true;
		report_day(name, days->day[i]);
		if (spool != -1 && !leave_to_collector(p, spool, name))
			continue;
		rc = stores(p) ? outbox_day_done(p->outbox, name, err)
			       : STS_ABSENT;
		if (rc == STS_OK || not_known(p, rc, err))
			continue;
		if (sorts++ < SORTS_MAX &&
		    start_sort(p, days, i, err) != STS_OK) {
			syslog(LOG_ERR, "%s: %s", name, err->text);
			p->failed = true;
		}
	}
	return only != -1 && !found ? no_sessions(only, ", or it is not over")
				    : 0;
}

/* Only to be looked at: any day, today's as far as it has come. */
static int
find_day(struct program *p, struct days *days, int64_t day, struct sts_err *err)
{
	enum sts_rc rc;

	days->day[0] = day;
	rc = start_sort(p, days, 0, err);
	if (rc == STS_ABSENT)
		return no_sessions(day, "");
	if (rc != STS_OK)
		return fault(err->text);
	days->n = 1;
	return 0;
}

/* In the sandbox. */
static int
run_days(struct program *p, struct days *days)
{
	for (size_t i = 0; i < days->n; i++)
		if (days->sorted[i] != NULL)
			make_reports(p, days->day[i], days->sorted[i]);
	if (stores(p)) {
		send_reports(p);
		for (size_t i = 0; i < days->n; i++)
			expire(p, days->day[i]);
	}
	return p->failed ? 3 : 0;
}

/* --- Setting up ---------------------------------------------------------- */

/*
 * One run at a time; the lock ends with the process.  *dirfd: the directory.
 * STS_ABSENT: another run has the lock.
 */
static enum sts_rc
lock_spool(int *dirfd, const char *dir, struct sts_err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = -1, error;

	*dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*dirfd != -1)
		fd = openat(*dirfd, "~report",
		    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		    0600);
	if (fd != -1 && fcntl(fd, F_SETLK, &lock) == 0)
		return STS_OK;
	error = errno;
	if (fd != -1)
		close(fd);
	if (*dirfd != -1)
		close(*dirfd);
	*dirfd = -1;
	if (fd != -1 && (error == EAGAIN || error == EACCES))
		return sts_fail(err, STS_ABSENT, 0,
		    "another run is at work in the spool directory");
	return sts_fail(err, STS_LOCAL, 0,
	    "cannot lock ~report in the spool directory %s: %s", dir,
	    strerror(error));
}

/* Changes nothing, and waits for no other run. */
static int
show_status(struct program *p, bool json, struct sts_err *err)
{
	int fd =
	    open(p->conf->report.spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return fault("cannot open the spool directory");
	if (outbox_open(&p->outbox, fd, err) != STS_OK)
		return fault(err->text);
	return print_status(p->outbox, json) ? 0 : 3;
}

/* Before the first line of a session, certificate or answer is read. */
static void
enter_sandbox(struct program *p, struct sandbox *box, int abi)
{
	const struct sandbox_plan plan = {
		.conf = p->conf,
		.cache_dir = p->conf->cache_dir,
		.cache_read = true,
		.spool_dir = p->conf->report.spool_dir,
		.spool = SANDBOX_SPOOL_ALL,
		.memory = MEMORY_MAX,
		.abi = abi,
	};

	(void)http_init();
	sandbox_enter(box, &plan);
	/* Where landlock is, the cache takes no mark: each run says so then. */
	if (box->why[0] != '\0' &&
	    (box->abi > 0 ||
		sts_store_claim(p->cache, STS_MARK_SANDBOX_SAID, NULL, p->now,
		    STS_DAY)))
		syslog(LOG_WARNING,
		    "the reports run without a part of their sandbox: %s",
		    box->why);
}

static int
run(struct program *p, const struct sts_report_options *o, struct sts_err *err)
{
	bool preview = o->dry_run || o->print;
	enum sts_rc locked;
	struct days days = { .n = 0 };
	struct sandbox box;
	int dirfd = -1, rc;

	if (sts_spool_open(&p->spool, p->conf->report.spool_dir,
		STS_SPOOL_DAY_MAX, err) != STS_OK ||
	    sts_store_open(&p->cache, p->conf->cache_dir, err) != STS_OK)
		return fault(err->text);
	if (!preview) {
		locked = lock_spool(&dirfd, p->conf->report.spool_dir, err);
		if (locked == STS_ABSENT && o->forward)
			return 0; /* that run forwards all there is */
		if (locked != STS_OK)
			return fault(err->text);
		if (outbox_open(&p->outbox, dirfd, err) != STS_OK)
			return fault(err->text);
	}
	p->base = event_base_new();
	if (p->base == NULL ||
	    (p->dns = dns_new(p->base, p->conf, NULL, err)) == NULL)
		return fault(p->base == NULL ? "no event loop" : err->text);
	if (o->forward) {
		forward_run(p, dirfd);
		return p->failed ? 3 : 0;
	}
	rc = preview && o->day != -1 ? find_day(p, &days, o->day, err)
				     : find_days(p, &days, dirfd, o->day, err);
	if (rc == 0 && stores(p) &&
	    (p->mailers = mailers_start(p->base, p->conf, MAILERS, err)) ==
		NULL)
		rc = fault(err->text);
	if (rc == 0) {
		enter_sandbox(p, &box, (int)o->abi);
		rc = run_days(p, &days);
	}
	for (size_t i = 0; i < days.n; i++)
		day_sort_close(days.sorted[i]);
	return rc;
}

struct test {
	struct program *program;
	const struct sts_report_options *options;
};

static const char *
try_sandbox(void *arg, struct self_test *test, bool first)
{
	static struct sts_err err;
	struct test *t = arg;
	struct program *p = t->program;
	struct sandbox box;

	(void)first;
	if (sts_store_open(&p->cache, p->conf->cache_dir, &err) != STS_OK)
		return err.text;
	enter_sandbox(p, &box, (int)t->options->abi);
	self_test_try(test, &box, p->conf->report.spool_dir);
}

static void
close_all(struct program *p)
{
	mailers_stop(p->mailers);
	dns_free(p->dns);
	if (p->base != NULL)
		event_base_free(p->base);
	outbox_close(p->outbox);
	leaf_issuers_close(p->issuers);
	sts_store_close(p->cache);
	sts_spool_close(p->spool);
}

/* The caller may have ignored or blocked what we wait for. */
static void
reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
}

int
main(int argc, char *argv[])
{
	struct program p = { .now = (int64_t)time(NULL) };
	struct sts_report_options o;
	struct sts_conf *conf;
	struct sts_err err = { 0 };
	enum sts_rc rc;
	int status;

	umask(077);
	reset_signals();
	openlog("mtasts-report", LOG_PID | LOG_NDELAY, LOG_MAIL);
	rc = sts_report_options_parse(&o, argc, argv, p.now, &err);
	if (rc == STS_ABSENT) {
		puts("usage: mtasts report " STS_REPORT_USAGE);
		return 0;
	}
	if (rc != STS_OK) {
		fprintf(stderr, "mtasts report: %s; usage: mtasts report %s\n",
		    err.text, STS_REPORT_USAGE);
		return 2;
	}
	if (geteuid() == 0 || getuid() == 0)
		return fault("refusing to run as root; the owner of the spool "
			     "directory runs it");
	if (sts_conf_load(&conf, o.conf, &err) != STS_OK)
		return fault(err.text);
	if (conf->report.contact == NULL) {
		sts_conf_free(conf);
		return fault("there is no contact in [report], so there are no "
			     "reports");
	}
	if (!o.status && !o.sandbox_test &&
	    o.forward != (conf->report.sink == STS_SINK_TLSRPT)) {
		sts_conf_free(conf);
		return fault(o.forward
			? "without sink = tlsrpt in [report] nothing is "
			  "forwarded; reports are made and sent from here"
			: "with sink = tlsrpt in [report] no reports are sent "
			  "from here; \"mtasts report --forward\" hands the "
			  "sessions over");
	}
	p.conf = conf;
	p.only = o.domain[0] == '\0' ? NULL : o.domain;
	p.dry_run = o.dry_run;
	p.print = o.print;
	p.submitter = strchr(conf->report.contact, '@') + 1;
	if (gethostname(p.host, sizeof p.host - 1) == -1)
		p.host[0] = '\0';
	if (o.sandbox_test)
		status = self_test(try_sandbox, &(struct test){ &p, &o });
	else if (o.status)
		status = show_status(&p, o.json, &err);
	else
		status = run(&p, &o, &err);
	close_all(&p);
	sts_conf_free(conf);
	return fflush(stdout) == 0 ? status : 3;
}
