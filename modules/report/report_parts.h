/* SPDX-License-Identifier: ISC */
/* The totals of a domain as a report of RFC 8460 4.4. */
#ifndef REPORT_REPORT_PARTS_H
#define REPORT_REPORT_PARTS_H

#include "program.h"
#include "report.h"
#include "tlsrpt/totals.h"

/* What a report lends from; one is used for all reports of a day. */
struct report_parts;

struct report_parts *report_parts_new(void);   /* NULL: no memory */
void report_parts_free(struct report_parts *); /* NULL is fine */

/*
 * Lent until the next call, as domain is.  NULL: nothing that would be told
 * (a day without failures, and the configuration wants no such reports).
 */
const struct report *report_parts_fill(struct report_parts *, struct program *,
    const char *domain, int64_t day, const struct sts_totals *);

#endif
