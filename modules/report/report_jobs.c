/* SPDX-License-Identifier: ISC */
/* One destination of a report: noted on the disk, sent, noted again. */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/err.h"
#include "mailers.h"
#include "report_mail.h"
#include "sending.h"

/* --- A job ---------------------------------------------------------------- */

void
sending_no_memory(struct sending *run)
{
	if (!run->over)
		syslog(LOG_ERR, "report: out of memory");
	run->over = run->no_memory = true;
	run->program->failed = true;
}

bool
sending_store(struct sending *run, const struct report_state *state)
{
	struct sts_err err;

	if (outbox_update(run->program->outbox, state, &err) == STS_OK)
		return true;
	syslog(LOG_ERR, "%s", err.text);
	/* The next one would be no better off. */
	run->over = true;
	run->program->failed = true;
	return false;
}

struct report_state *
queued_report_open(struct sending *run, struct queued_report *p)
{
	if (p->state != NULL)
		return p->state;
	if ((p->state = malloc(sizeof *p->state)) == NULL)
		sending_no_memory(run);
	else if (!outbox_read(run->program->outbox, p->day, p->domain,
		     p->state)) {
		syslog(LOG_ERR,
		    "TLS report of %s for %s: cannot read its state, left for "
		    "the next run",
		    p->day, p->domain);
		run->program->failed = true;
		free(p->state);
		p->state = NULL;
	}
	return p->state;
}

void
queued_report_close(struct sending *run, struct queued_report *p)
{
	if (p->jobs > 0 || p->state == NULL)
		return;
	if (!report_state_waits(p->state))
		outbox_served(run->program->outbox, p->state);
	free(p->state);
	free(p->gz);
	p->state = NULL;
	p->gz = NULL;
}

struct job *
job_new(struct sending *run, struct queued_report *p, size_t at)
{
	struct job *job = calloc(1, sizeof *job);

	if (job == NULL)
		return NULL;
	job->run = run;
	job->report = p;
	job->at = at;
	p->users++;
	return job;
}

void
job_drop(struct job *job)
{
	if (--job->report->users == 0)
		free(job->report);
	free(job);
}

void
jobs_leave(struct jobs *jobs)
{
	struct job *job;

	while ((job = TAILQ_FIRST(jobs)) != NULL) {
		TAILQ_REMOVE(jobs, job, next);
		job->run->left++;
		job_drop(job);
	}
}

static void
log_outcome(const struct job *job, const struct destination *g,
    const char *what, const char *why)
{
	char shown[300];

	syslog(why[0] == '\0' ? LOG_INFO : LOG_WARNING,
	    "TLS report of %s for %s to %s: %s%s%s", job->report->day,
	    job->report->domain,
	    sts_escape(shown, sizeof shown, str_of(g->uri)), what,
	    why[0] == '\0' ? "" : ": ", why);
}

/* RFC 8460 5.5: what the disk cannot remember is not done. */
bool
job_begin(struct job *job)
{
	struct sending *run = job->run;
	struct queued_report *p = job->report;
	struct report_state *state = queued_report_open(run, p);
	struct destination *g;

	if (state == NULL || state->n <= job->at) {
		job_drop(job);
		return false;
	}
	p->jobs++;
	job->begun = true;
	g = &state->dest[job->at];
	if (p->gz == NULL &&
	    (p->gz = outbox_body(run->program->outbox, state, &p->len)) ==
		NULL) {
		job_end(job, JOB_AGAIN, "the report cannot be read");
		return false;
	}
	g->tries++;
	if (g->first == 0)
		g->first = run->program->now;
	g->state = DEST_SENDING;
	if (sending_store(run, state))
		return true;
	p->jobs--;
	queued_report_close(run, p);
	run->left++;
	job_drop(job);
	return false;
}

/* The state of a dest that was tried, or was not as others had failed. */
static void
set_fate(struct job *job, struct destination *g, enum job_fate fate,
    const char *why)
{
	struct sending *run = job->run;

	if (g->state != DEST_SENDING && fate != JOB_SKIPPED)
		g->tries++;
	if (g->first == 0)
		g->first = run->program->now;
	if (fate == JOB_SENT) {
		g->state = DEST_SENT;
		log_outcome(job, g, "sent", "");
	} else if (fate == JOB_UNKNOWN) {
		g->state = DEST_UNKNOWN;
		log_outcome(job, g, "it may have been sent or not", why);
	} else if (fate == JOB_FINAL) {
		g->state = DEST_GIVEN_UP;
		log_outcome(job, g, "given up", why);
	} else if (!destination_failed(g, run->program->now)) {
		run->given_up++;
		log_outcome(job, g, "given up", why);
	} else if (fate == JOB_AGAIN)
		log_outcome(job, g, "failed, tried again later", why);
	else
		run->skipped++;
}

void
job_end(struct job *job, enum job_fate fate, const char *why)
{
	struct sending *run = job->run;
	struct queued_report *p = job->report;
	struct report_state *state = queued_report_open(run, p);

	run->ended[fate]++;
	if (state != NULL && state->n > job->at) {
		set_fate(job, &state->dest[job->at], fate, why);
		(void)sending_store(run, state);
	}
	if (job->begun)
		p->jobs--;
	queued_report_close(run, p);
	job_drop(job);
}

/* --- By mail -------------------------------------------------------------- */

static void
mail_done(void *arg, enum mail_fate fate, const char *why)
{
	static const enum job_fate fates[] = {
		[MAIL_SENT] = JOB_SENT,
		[MAIL_REFUSED] = JOB_AGAIN,
		[MAIL_UNKNOWN] = JOB_UNKNOWN,
	};
	struct job *job = arg;
	struct sending *run = job->run;

	run->active--;
	if (fate == MAIL_UNKNOWN) /* or each report in turn would be lost */
		run->no_mail = true;
	job_end(job, fates[fate], why);
	run->go_on(run);
}

static char *
text_of(const struct job *job, const char *to, size_t *len)
{
	const struct program *p = job->run->program;
	const struct queued_report *q = job->report;
	struct report r;

	report_begin(&r, &p->conf->report, p->submitter, p->host, q->domain,
	    sts_day_of(q->day));
	memcpy(r.unique, q->state->unique, sizeof r.unique);
	return mail_text(&r, p->conf->report.sender, to, q->gz, q->len, p->now,
	    len);
}

void
job_mail(struct job *job)
{
	struct sending *run = job->run;
	struct rua to;
	struct sts_err err;
	char *text = NULL;
	size_t len;

	if (!job_begin(job))
		return;
	if (sts_rua_read(&to, str_of(job->report->state->dest[job->at].uri)) !=
	    NULL)
		job_end(job, JOB_FINAL, "not an address that can be sent to");
	else if ((text = text_of(job, to.address, &len)) == NULL)
		job_end(job, JOB_AGAIN, "out of memory");
	else if (mailers_send(run->mailers, to.address, text, len, mail_done,
		     job, &err) == STS_OK)
		run->active++;
	else
		job_end(job, JOB_AGAIN, err.text);
	free(text);
}
