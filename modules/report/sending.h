/* SPDX-License-Identifier: ISC */
/* What send_reports.c and post_queue.c share: one run, and its jobs. */
#ifndef REPORT_SENDING_H
#define REPORT_SENDING_H

#include <sys/queue.h>

#include "program.h"
#include "report_caps.h"

/* A report of the outbox; its state and text are in memory while jobs > 0. */
struct queued_report {
	char day[REPORT_DAY_TEXT];
	struct report_state *state;
	void *gz; /* NULL until needed */
	size_t len;
	unsigned users; /* its jobs, and find_jobs() while it adds them */
	unsigned jobs;  /* of these, those at work */
	char domain[];
};

/* One destination of a report. */
struct job {
	TAILQ_ENTRY(job) next;
	struct sending *run;
	struct queued_report *report;
	size_t at;              /* in its state's dest */
	struct post_host *host; /* NULL: by mail, or not known yet where to */
	bool due, begun;
	struct caps_keys keys;
};
TAILQ_HEAD(jobs, job);

enum job_fate {
	JOB_SENT,
	JOB_AGAIN,   /* it failed */
	JOB_SKIPPED, /* not tried, as others just failed there */
	JOB_FINAL,   /* it failed for good */
	JOB_UNKNOWN
};

struct sending {
	struct program *program;
	void (*go_on)(struct sending *); /* begin whatever may be */
	struct report_caps caps;
	struct post_queue *posts;
	struct mailers *mailers;
	struct jobs mail, ask; /* that wait for their turn */
	unsigned asking;
	unsigned active; /* whatever will call back */
	bool over;       /* nothing is begun any more */
	bool no_mail;    /* the same, for mail alone */
	bool no_memory;  /* a cause of over */
	/* Of this run, for the log. */
	unsigned long ended[JOB_UNKNOWN + 1], left;
	unsigned long given_up; /* after a day, of JOB_AGAIN and JOB_SKIPPED */
	unsigned long skipped;  /* JOB_SKIPPED without those */
	unsigned long withheld[DEST_STATES];
};

/* Log it, and end the run. */
void sending_no_memory(struct sending *);
/* False: it cannot be written, which was logged, and the run ends. */
bool sending_store(struct sending *, const struct report_state *);

/* Its state, in p->state; NULL: it cannot be read, which was logged. */
struct report_state *queued_report_open(struct sending *,
    struct queued_report *p);
/*
 * Free state and text, unless a job is at work.  Where no destination waits any
 * more, the text goes from the disk, too.
 */
void queued_report_close(struct sending *, struct queued_report *);

struct job *job_new(struct sending *, struct queued_report *, size_t at);
void job_drop(struct job *);
/* Drop all of them: they wait for the next run. */
void jobs_leave(struct jobs *);

/*
 * Note on the disk that it is being sent, and load its text into report->gz.
 * False: that failed, and the job is gone.
 */
bool job_begin(struct job *);
/* Note what came of it; the job is gone then. */
void job_end(struct job *, enum job_fate, const char *why);

/* By mail: mailers_idle(). */
void job_mail(struct job *);

#endif
