/* SPDX-License-Identifier: ISC */
/*
 * What the sessions of one domain on one day come to, RFC 8460 4.4.  Pure.
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
	struct sts_totals_row *next;
	enum sts_session_result result;
	bool other; /* what is over the limit: no strings, no certificate */
	struct sts_str sending_ip, mx_host, mx_helo, receiving_ip, reason;
	struct sts_str cert; /* the name of the leaf's file */
	int64_t time;        /* of the first of them */
	uint64_t count;      /* failed-session-count */
	uint64_t hash;
	char text[];
};

/* policy and summary, RFC 8460 4.4 */
struct sts_totals_policy {
	struct sts_totals_policy *next;
	enum sts_policy_type type;
	bool other; /* what is over the limit: whatever id */
	char id[STS_ID_SIZE];
	enum sts_mode mode; /* in force at the first session */
	int64_t last;       /* time of the latest session */
	uint64_t success;   /* total-successful-session-count */
	uint64_t failure;   /* total-failure-session-count */
	struct sts_totals_row *row, *last_row; /* in the order of the day */
	unsigned nrow;                         /* without "other" */
};

struct sts_totals {
	struct sts_totals_policy *policy, *last; /* in the order of the day */
	unsigned npolicy;                        /* without "other" */
};

/* One session more, of the same domain.  False: no memory. */
bool sts_totals_add(struct sts_totals *, const struct sts_session *);

/* Begin anew. */
void sts_totals_clear(struct sts_totals *);

#endif
