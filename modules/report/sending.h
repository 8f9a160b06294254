/* SPDX-License-Identifier: ISC */
/* What send_reports.c and post_queue.c share: one run, and its jobs. */
#ifndef REPORT_SENDING_H
#define REPORT_SENDING_H

#include <sys/queue.h>

#include "program.h"
#include "report_caps.h"

/* A report; its state and text are in memory while .jobs are at work. */
struct parcel {
	char day[REPORT_DAY_TEXT];
	struct report_state *state;
	void *gz; /* NULL until needed */
	size_t len;
	unsigned users; /* jobs, in all */
	unsigned jobs;  /* of these, those at work */
	char domain[];
};

/* One destination of a report. */
struct job {
	TAILQ_ENTRY(job) next;
	struct sending *run;
	struct parcel *parcel;
	size_t at;              /* in its state's dest */
	struct post_host *host; /* NULL: by mail, or not known yet where to */
	bool due, begun;
	struct caps_keys keys;
};
TAILQ_HEAD(jobs, job);

enum job_fate {
	JOB_SENT,
	JOB_AGAIN,   /* it failed */
	JOB_SKIPPED, /* it was not tried, as others failed there */
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
	bool over;       /* so nothing is begun any more */
	bool no_mail;    /* the same of mail */
	/* Of this run, for the log. */
	unsigned long ended[JOB_UNKNOWN + 1], given_up, left;
	unsigned long withheld[DEST_STATES];
};

/* The run can begin nothing any more. */
void sending_no_memory(struct sending *);
/* False: it cannot be noted on the disk. */
bool sending_store(struct sending *, const struct report_state *);

/* Its state, in p->state; NULL: it cannot be had. */
struct report_state *parcel_open(struct sending *, struct parcel *p);
/* Forget it, unless a job is at work; the text, too, once it is served. */
void parcel_close(struct sending *, struct parcel *);

struct job *job_new(struct sending *, struct parcel *, size_t at);
void job_drop(struct job *);
/* All for another run. */
void jobs_leave(struct jobs *);

/*
 * Note on the disk that it is being sent, and have its text in parcel->gz.
 * False: it cannot be; it has been ended then.
 */
bool job_begin(struct job *);
/* With what came of it; it is gone then. */
void job_end(struct job *, enum job_fate, const char *why);

/* By mail: mailers_idle(). */
void job_mail(struct job *);

#endif
