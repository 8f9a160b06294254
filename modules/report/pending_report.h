/* SPDX-License-Identifier: ISC */
/* A report that waits for its domain to say whether, and where, it wants it. */
#ifndef REPORT_PENDING_REPORT_H
#define REPORT_PENDING_REPORT_H

#include "key_counts.h"
#include "program.h"
#include "report.h"

/* The domains of a day that are asked at once. */
struct pending_reports {
	struct program *program;
	int64_t day;
	char name[REPORT_DAY_TEXT];
	size_t n;          /* without an answer yet */
	bool failed;       /* one could not be stored */
	uint64_t too_many; /* left out, as the owner has that many */
	struct key_counts owners;
};

/* Before the first, with program, day and name set. */
void pending_reports_begin(struct pending_reports *);

/*
 * Ask the domain for its _smtp._tls record.  The report, lent for the call,
 * goes to the outbox if there is one.  Where many domains are being asked,
 * waits for the answer of another.  False: no memory, or no event loop.
 */
bool pending_report_ask(struct pending_reports *, const struct report *);

/* Until each domain has answered, or its time was up; there is no more then. */
void pending_reports_end(struct pending_reports *);

#endif
