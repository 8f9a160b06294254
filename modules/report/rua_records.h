/* SPDX-License-Identifier: ISC */
/* The texts of _smtp._tls records; each domain is asked once in a run. */
#ifndef REPORT_RUA_RECORDS_H
#define REPORT_RUA_RECORDS_H

#include "program.h"

struct rua_records;

struct rua_records *rua_records_new(struct program *); /* NULL: no memory */
void rua_records_free(struct rua_records *);           /* NULL is fine */

/* Ask in the background, unless it was before.  False: no memory. */
bool rua_records_ask(struct rua_records *, const char *domain);
/* Until all that were asked have answered. */
void rua_records_wait(struct rua_records *);

/*
 * STS_OK: *text is the domain's record, printable ASCII, lent.  STS_ABSENT: it
 * has none of use (RFC 8460 3).  STS_TEMPFAIL: it could not be asked, or was
 * not.
 */
enum sts_rc rua_records_get(struct rua_records *, const char *domain,
    const char **text);

#endif
