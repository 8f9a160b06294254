/* SPDX-License-Identifier: ISC */
/*
 * What the sessions of a day come to, domain by domain (RFC 8460 4.4), in
 * bounded memory.  Pure.
 *
 * Domains come out in the order of their names.  Where not all of them fit in
 * the memory, the day is read more than once: each pass keeps the first names
 * that are not done yet and drops the others, so nothing is lost however many
 * domains there are:
 *
 *	do {
 *		each line of the day: sts_totals_line()
 *		while ((d = sts_totals_next(t)) != NULL)
 *			report d
 *	} while (sts_totals_again(t));
 *
 * A stranger's words are in the rows of failures (EHLO, reason), so there is a
 * limit on how many a policy may have; what is over it goes to one row for
 * each type of result.
 */
#ifndef STS_TLSRPT_TOTALS_H
#define STS_TLSRPT_TOTALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session_line.h"
#include <mtasts/session.h>
#include <mtasts/sts.h>

enum {
	STS_TOTALS_ROWS_MAX = 100,   /* of a policy, besides "other" */
	STS_TOTALS_POLICIES_MAX = 16 /* of a domain, besides "other" */
};

/* failure-details, RFC 8460 4.4: sessions that failed in the same way. */
struct sts_totals_row {
	const struct sts_totals_row *next;
	enum sts_session_result result;
	bool other; /* what is over the limit: no strings, no certificate */
	struct sts_str sending_ip, mx_host, mx_helo, receiving_ip, reason;
	struct sts_str cert; /* the name of the leaf's file */
	int64_t time;        /* of the first of them */
	uint64_t count;      /* failed-session-count */
};

/* policy and summary, RFC 8460 4.4 */
struct sts_totals_policy {
	const struct sts_totals_policy *next;
	enum sts_policy_type type;
	bool other; /* what is over the limit: whatever id it had */
	struct sts_str id;
	enum sts_mode mode;               /* in force at the first session */
	int64_t last;                     /* time of the latest session */
	uint64_t success;                 /* total-successful-session-count */
	uint64_t failure;                 /* total-failure-session-count */
	const struct sts_totals_row *row; /* in the order of the day */
};

struct sts_totals_domain {
	struct sts_str name;
	const struct sts_totals_policy *policy; /* in the order of the day */
};

struct sts_totals;

/*
 * memory: bytes for domains and what hangs on them; a single domain may pass
 * it, by its limits.  seed: anything that strangers cannot guess.
 */
enum sts_rc sts_totals_new(struct sts_totals **out, size_t memory,
    uint64_t seed, struct sts_err *err);
void sts_totals_free(struct sts_totals *); /* NULL is fine */

/*
 * One line of the day, which is changed.  STS_INVALID: it is none, and is
 * passed over.  STS_NOMEM.
 */
enum sts_rc sts_totals_line(struct sts_totals *, char *line, size_t len);

/* After the last line: each domain once, lent until the next call. */
const struct sts_totals_domain *sts_totals_next(struct sts_totals *);

/* After the last domain: is the day to be read once more? */
bool sts_totals_again(struct sts_totals *);

/* Over the whole day, known after the first pass. */
struct sts_totals_sums {
	uint64_t sessions; /* lines that were sessions */
	uint64_t odd;      /* lines that were none */
	unsigned passes;
};
struct sts_totals_sums sts_totals_sums(const struct sts_totals *);

#endif
