/* SPDX-License-Identifier: ISC */
/*
 * The texts of _smtp._tls records; each domain is asked once in a run.
 *
 * Nobody's DNS holds up the others: of the domains of one owner only so many
 * are asked as long as there is no answer, and the time that is waited for
 * answers is bounded, each time and in sum.
 */
#ifndef REPORT_RUA_RECORDS_H
#define REPORT_RUA_RECORDS_H

#include "program.h"

struct rua_records;

/* A domain, and whose it is; lives as long as the records. */
struct rua_record;
struct rua_owner {
	struct rua_owner *next;
	uint64_t key;
	unsigned open, failed; /* questions without an answer, in vain */
	bool slow;             /* no answer in the time that there was */
	size_t waiting;        /* the caller's: sessions that wait */
};

struct rua_records *rua_records_new(struct program *); /* NULL: no memory */
void rua_records_free(struct rua_records *);           /* NULL is fine */

/* Not asked yet, unless it was before.  NULL: no memory. */
struct rua_record *rua_records_find(struct rua_records *, const char *domain);
struct rua_owner *rua_record_owner(const struct rua_record *);

/* Sets waiting of all owners to 0. */
void rua_records_none_wait(struct rua_records *);

/*
 * Ask for those that were not asked, and wait for them; some may have to do
 * without an answer.  False: no memory.
 */
bool rua_records_ask(struct rua_records *, struct rua_record *const *,
    size_t n);

/* The same for those that nobody stands behind: there is time until then, ms.
 */
bool rua_records_ask_slow(struct rua_records *, struct rua_record *const *,
    size_t n, int64_t until);

/*
 * STS_OK: *text is the domain's record, printable ASCII, lent.  STS_ABSENT: it
 * has none of use (RFC 8460 3).  STS_TEMPFAIL: it could not be asked, or was
 * not.
 */
enum sts_rc rua_record_get(const struct rua_record *, const char **text);

#endif
