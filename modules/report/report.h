/* SPDX-License-Identifier: ISC */
/* One report of RFC 8460 4.4 as data: a domain, a day, what was counted. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include <mtasts/sts.h>

/* One element of failure-details; NULL or "": not known, and left out. */
struct report_row {
	const char *result_type; /* RFC 8460 4.3 */
	const char *sending_ip;
	const char *mx_host;
	const char *mx_helo;
	const char *receiving_ip;
	const char *reason; /* failure-reason-code */
	uint64_t count;
};

/* One element of policies. */
struct report_policy {
	const char *type;    /* "sts", "tlsa", "no-policy-found" */
	struct sts_str text; /* the policy as it was fetched; len 0: none */
	uint64_t success, failure;
	const struct report_row *row;
	size_t n;
};

struct report {
	const char *domain; /* policy-domain, A-labels, RFC 8460 4.4 */
	int64_t begin, end; /* first and last second, UTC, RFC 8460 4.1 */
	const char *organization;
	const char *contact;   /* contact-info */
	const char *submitter; /* its domain, RFC 8460 5.3 */
	char unique[17]; /* unique-id of the file name, RFC 8460 5.1: hex */
	const struct report_policy *policy;
	size_t n;
};

enum { REPORT_ID_MAX = 600, REPORT_NAME_MAX = 640, REPORT_DAY_TEXT = 11 };

/* "2026-11-23", UTC; sts_day_of() is the way back. */
const char *report_day(char out[REPORT_DAY_TEXT], int64_t time);

/*
 * "unique.DATE.domain@submitter": an RFC 5322 id without its <>, the same in
 * the body and the Subject (RFC 8460 5.6).
 */
const char *report_id(char out[REPORT_ID_MAX], const struct report *);

/* "submitter!domain!begin!end!unique.json.gz", RFC 8460 5.1. */
const char *report_file_name(char out[REPORT_NAME_MAX], const struct report *);

/*
 * What is the same in every report of a domain and a day; host: this machine,
 * for two never send one id.  All is lent.
 */
void report_begin(struct report *, const struct sts_report_conf *,
    const char *submitter, const char *host, const char *domain, int64_t day);

/*
 * The JSON document.  Without memory the process ends: a document that was
 * built by half must not go out.
 */
struct report_doc;
struct report_doc *report_doc(const struct report *);
void report_doc_free(struct report_doc *); /* NULL is fine */

/* Has it a policy of type tlsa, whose strings are still to be told? */
bool report_doc_wants_tlsa(const struct report_doc *);
void report_doc_tlsa(struct report_doc *, const struct sts_str *rr, size_t n);

/* Its text, free() it. */
char *report_doc_text(const struct report_doc *, size_t *len);

/* gzip (RFC 1952), free() it.  NULL: no memory. */
void *report_gzip(const void *, size_t len, size_t *out_len);

#endif
