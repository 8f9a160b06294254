/* SPDX-License-Identifier: ISC */
/* The texts of _smtp._tls records; each domain is asked once in a run. */
#ifndef MTASTS_REPORT_RECORDS_H
#define MTASTS_REPORT_RECORDS_H

#include "program.h"

struct records;

struct records *records_new(struct program *); /* NULL: no memory */
void records_free(struct records *);           /* NULL is fine */

/* Ask in the background, unless it was before.  False: no memory. */
bool records_ask(struct records *, const char *domain);
/* Until all that were asked have answered. */
void records_wait(struct records *);

/*
 * STS_OK: *text is the domain's record, printable ASCII, lent.  STS_ABSENT: it
 * has none of use (RFC 8460 3).  STS_TEMPFAIL: it could not be asked, or was
 * not.
 */
enum sts_rc records_get(struct records *, const char *domain,
    const char **text);

#endif
