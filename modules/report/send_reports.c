/* SPDX-License-Identifier: ISC */
/*
 * Sending what is due, RFC 8460 5: by mail, by HTTPS, again and again.
 *
 * Each destination of a report is a job of its own, with a deadline; many are
 * at work at once, and none waits for another.  First it is decided what may be
 * sent at all (report_caps.h).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

#include "base/err.h"
#include "mailers.h"
#include "net/registrable_domain.h"
#include "post_queue.h"
#include <mtasts/session.h>

enum {
	RUN_SECONDS = 900, /* then nothing is begun any more */
	/* Later than jitter and pauses have it: the clock was ahead. */
	CLOCK_AHEAD = 12 * 3600,
	ASKS_MAX = 64
};

/* --- What may be sent, and where ------------------------------------------ */

/* Which place is it, for the caps, and which host?  False: not a URI that can
 * be sent to. */
static bool
set_place(struct job *job, const char *uri)
{
	struct sending *run = job->run;
	struct rua to;

	if (sts_rua_read(&to, str_of(uri)) != NULL)
		return false;
	caps_keys(&run->caps, &job->keys, job->report->day,
	    registrable_domain(job->report->domain), &to,
	    registrable_domain(to.host));
	if (to.kind == RUA_HTTPS &&
	    (job->host = post_queue_host(run->posts, to.host)) == NULL)
		sending_no_memory(run);
	return to.kind == RUA_MAIL || job->host != NULL;
}

static void
enqueue(struct job *job)
{
	struct sending *run = job->run;
	const char *only = run->program->only;

	if (!job->due ||
	    (only != NULL && strcmp(only, job->report->domain) != 0))
		job_drop(job);
	else if (job->host != NULL)
		post_queue_add(run->posts, job);
	else
		TAILQ_INSERT_TAIL(&run->mail, job, next);
}

static void
withhold(struct sending *run, struct destination *g, enum destination_state why)
{
	g->state = why;
	run->withheld[why]++;
}

/* --- Asking a domain that could not be asked when the report was made ----- */

static void
add_dest(struct job *job, struct report_state *state, struct sts_str uri)
{
	struct sending *run = job->run;
	struct destination *g = &state->dest[state->n];
	struct job *new;
	enum destination_state may;

	if (uri.len >= sizeof g->uri)
		return;
	if ((new = job_new(run, job->report, state->n)) == NULL) {
		sending_no_memory(run);
		return;
	}
	memset(g, 0, sizeof *g);
	memcpy(g->uri, uri.p, uri.len);
	if (!set_place(new, g->uri)) {
		job_drop(new);
		return;
	}
	state->n++;
	new->due = true;
	if ((may = caps_take(&run->caps, &new->keys)) == DEST_WAITS)
		enqueue(new);
	else {
		withhold(run, g, may);
		job_drop(new);
	}
}

static void
rua_answered(void *arg, enum sts_rc rc, const struct sts_tlsrpt *found)
{
	struct job *job = arg;
	struct sending *run = job->run;
	struct queued_report *p = job->report;
	struct report_state *state;

	run->asking--;
	run->active--;
	if (rc == STS_TEMPFAIL)
		job_end(job, JOB_AGAIN, "the domain could not be asked");
	else {
		if ((state = queued_report_open(run, p)) != NULL) {
			state->n = 0;
			for (size_t i = 0; rc == STS_OK && i < found->n; i++)
				add_dest(job, state, found->rua[i]);
			/* Without memory, not of some: asked once more. */
			if (!run->no_memory)
				(void)sending_store(run, state);
		}
		queued_report_close(run, p);
		job_drop(job);
	}
	run->go_on(run);
}

static void
ask(struct job *job)
{
	struct sending *run = job->run;

	if (!rua_lookup(run->program, job->report->domain, rua_answered, job)) {
		sending_no_memory(run);
		job_drop(job);
		return;
	}
	run->asking++;
	run->active++;
}

static void
go_on(struct sending *run)
{
	struct job *job;

	while (!run->over && run->asking < ASKS_MAX &&
	    (job = TAILQ_FIRST(&run->ask)) != NULL) {
		TAILQ_REMOVE(&run->ask, job, next);
		ask(job);
	}
	while (!run->over && !run->no_mail && mailers_idle(run->mailers) &&
	    (job = TAILQ_FIRST(&run->mail)) != NULL) {
		TAILQ_REMOVE(&run->mail, job, next);
		job_mail(job);
	}
	post_queue_run(run->posts);
}

/* --- What there is -------------------------------------------------------- */

/* New ones are sent before those that failed already. */
struct found {
	struct sending *run;
	struct job **new, **again;
	size_t nnew, nagain, room_new, room_again;
};

static bool
append_job(struct job ***list, size_t *n, size_t *room, struct job *job)
{
	struct job **more;

	if (*n == *room) {
		*room = *room == 0 ? 256 : *room * 2;
		more = reallocarray(*list, *room, sizeof *more);
		if (more == NULL)
			return false;
		*list = more;
	}
	(*list)[(*n)++] = job;
	return true;
}

/* False: no memory. */
static bool
find_job(struct found *f, struct queued_report *p, const struct destination *g,
    size_t at)
{
	struct sending *run = f->run;
	bool waits = g->state == DEST_WAITS;
	int64_t now = run->program->now;
	struct job *job = job_new(run, p, at);

	if (job == NULL)
		return false;
	job->due = waits && (g->next <= now || g->next - now > CLOCK_AHEAD);
	if (strcmp(g->uri, "?") == 0 && job->due)
		return append_job(&f->again, &f->nagain, &f->room_again, job);
	if (g->state >= DEST_WITHHELD_PLACE || !set_place(job, g->uri)) {
		job_drop(job);
		return true;
	}
	if (waits && g->first == 0)
		return append_job(&f->new, &f->nnew, &f->room_new, job);
	caps_count(&run->caps, &job->keys);
	if (job->due)
		return append_job(&f->again, &f->nagain, &f->room_again, job);
	job_drop(job);
	return true;
}

/* "sending" is of a run that was killed: nobody knows whether it went out. */
static void
note_interrupted(struct sending *run, struct report_state *state)
{
	bool any = false;

	for (size_t i = 0; i < state->n; i++) {
		if (state->dest[i].state != DEST_SENDING)
			continue;
		state->dest[i].state = DEST_UNKNOWN;
		run->ended[JOB_UNKNOWN]++;
		any = true;
		syslog(LOG_WARNING,
		    "TLS report of %s for %s: interrupted, it may have been "
		    "sent or not",
		    state->day, state->domain);
	}
	if (!any)
		return;
	(void)sending_store(run, state);
	if (!report_state_waits(state))
		outbox_served(run->program->outbox, state);
}

static void
find_jobs(void *arg, struct report_state *state)
{
	struct found *f = arg;
	size_t size = strlen(state->domain) + 1;
	struct queued_report *p = calloc(1, sizeof *p + size);

	note_interrupted(f->run, state);
	if (p == NULL) {
		sending_no_memory(f->run);
		return;
	}
	p->users = 1;
	memcpy(p->day, state->day, sizeof p->day);
	memcpy(p->domain, state->domain, size);
	for (size_t i = 0; i < state->n; i++)
		if (!find_job(f, p, &state->dest[i], i))
			sending_no_memory(f->run);
	if (--p->users == 0)
		free(p);
}

static void
shuffle(struct job **list, size_t n)
{
	uint32_t random = 0;
	struct job *job;
	size_t at;

	for (size_t i = n; i > 1; i--) {
		(void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
		at = random % i;
		job = list[i - 1];
		list[i - 1] = list[at];
		list[at] = job;
	}
}

static bool
is_owner(const struct job *job)
{
	return registrable_domain(job->report->domain) == job->report->domain;
}

static void
apply_caps(struct job *job)
{
	struct sending *run = job->run;
	enum destination_state may = caps_take(&run->caps, &job->keys);
	struct report_state *state;

	if (may == DEST_WAITS) {
		enqueue(job);
		return;
	}
	if ((state = queued_report_open(run, job->report)) != NULL) {
		withhold(run, &state->dest[job->at], may);
		(void)sending_store(run, state);
		queued_report_close(run, job->report);
	}
	job_drop(job);
}

/*
 * Of an owner's reports the one for the registrable domain comes before those
 * for names below it; else the order is random, so each has its chance some
 * day.
 */
static void
queue_jobs(struct found *f)
{
	struct sending *run = f->run;

	shuffle(f->new, f->nnew);
	shuffle(f->again, f->nagain);
	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < f->nnew; i++)
			if (f->new[i] != NULL &&
			    (pass == 1 || is_owner(f->new[i]))) {
				apply_caps(f->new[i]);
				f->new[i] = NULL;
			}
	for (size_t i = 0; i < f->nagain; i++)
		if (f->again[i]->host == NULL && f->again[i]->keys.place == 0)
			TAILQ_INSERT_TAIL(&run->ask, f->again[i], next);
		else
			enqueue(f->again[i]);
}

/* --- The run -------------------------------------------------------------- */

static void
stop_beginning(evutil_socket_t fd, short what, void *arg)
{
	struct sending *run = arg;

	(void)fd;
	(void)what;
	run->over = true;
}

/* One line for the run, which may have sent thousands. */
static void
sum_up(const struct sending *run)
{
	const unsigned long *n = run->ended, *w = run->withheld;
	unsigned long withheld = w[DEST_WITHHELD_PLACE] +
	    w[DEST_WITHHELD_OUTSIDE] + w[DEST_WITHHELD_OWNER] +
	    w[DEST_WITHHELD_FULL];
	unsigned long again = n[JOB_AGAIN] + n[JOB_SKIPPED] - run->given_up;

	if (n[JOB_SENT] + again + run->given_up + n[JOB_FINAL] +
		n[JOB_UNKNOWN] + withheld + run->left ==
	    0)
		return;
	syslog(LOG_INFO,
	    "TLS reports: %lu sent, %lu perhaps sent, %lu to be tried again "
	    "(%lu of them not tried now, as nobody answers there), %lu given "
	    "up, %lu left for the next run, %lu withheld (place %lu, outside "
	    "%lu, owner %lu, full %lu; see mtasts-report(8))",
	    n[JOB_SENT], n[JOB_UNKNOWN], again, run->skipped,
	    run->given_up + n[JOB_FINAL], run->left, withheld,
	    w[DEST_WITHHELD_PLACE], w[DEST_WITHHELD_OUTSIDE],
	    w[DEST_WITHHELD_OWNER], w[DEST_WITHHELD_FULL]);
}

static bool
set_up(struct sending *run, struct sts_err *err)
{
	struct program *p = run->program;

	TAILQ_INIT(&run->mail);
	TAILQ_INIT(&run->ask);
	run->caps.max = p->conf->report.destination_max;
	(void)!getrandom(run->caps.counts.secret,
	    sizeof run->caps.counts.secret, GRND_NONBLOCK);
	run->mailers = p->mailers;
	return (run->posts = post_queue_new(run, err)) != NULL;
}

static void
send_due(struct sending *run)
{
	const struct timeval most = { RUN_SECONDS, 0 };
	struct found f = { .run = run };
	struct event *end =
	    evtimer_new(run->program->base, stop_beginning, run);
	struct sts_err err;

	if (end == NULL || evtimer_add(end, &most) == -1)
		sending_no_memory(run);
	if (outbox_each(run->program->outbox, find_jobs, &f, &err) != STS_OK) {
		syslog(LOG_ERR, "%s; those reports wait", err.text);
		run->program->failed = true;
	}
	queue_jobs(&f);
	free(f.new);
	free(f.again);
	go_on(run);
	while (run->active > 0 &&
	    event_base_loop(run->program->base, EVLOOP_ONCE) == 0)
		;
	if (end != NULL)
		event_free(end);
}

void
send_reports(struct program *p)
{
	struct sending run = { .program = p, .go_on = go_on };
	struct sts_err err = { 0 };

	if (set_up(&run, &err))
		send_due(&run);
	else {
		syslog(LOG_ERR, "%s", err.text);
		p->failed = true;
	}
	jobs_leave(&run.mail);
	jobs_leave(&run.ask);
	post_queue_free(run.posts);
	key_counts_clear(&run.caps.counts);
	sum_up(&run);
}
