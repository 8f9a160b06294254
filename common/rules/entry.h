/* SPDX-License-Identifier: ISC */
/*
 * A cache entry as a struct and as bytes.  The bytes are as hostile as any
 * from the network: whatever is odd in them counts as absent.
 *
 * A policy is a text of header lines, an empty line and the policy body as it
 * was received; so is, without a body, what has a sentence to tell.  All else
 * is one short line, kept as the target of a dangling symbolic link:
 * STS_LINK_MAX bytes fit into the inode.
 */
#ifndef STS_RULES_ENTRY_H
#define STS_RULES_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scan.h"
#include "http_reply.h"

enum {
	STS_LINK_MAX = 59,
	STS_NOTE_SIZE = 200, /* printable ASCII and a NUL */
	STS_ENTRY_HEAD_MAX = 1024,
	STS_ENTRY_MAX = STS_ENTRY_HEAD_MAX + STS_BODY_MAX
};
#define STS_MAX_AGE_MAX 31557600 /* RFC 8461 3.2: one year */

enum sts_entry_kind {
	STS_ENTRY_ABSENT,
	STS_ENTRY_POLICY,
	STS_ENTRY_NONE,     /* asked: no usable TXT record, RFC 8461 3.1 */
	STS_ENTRY_NO_FETCH, /* a record, but no policy: RFC 8461 3.3 */
	STS_ENTRY_UNASKED   /* the TXT record could not be asked for */
};

/* Why the last look or fetch ended as it did: a word for files and logs. */
enum sts_reason {
	STS_WHY_NOTHING,
	STS_WHY_NO_RECORD,
	STS_WHY_BAD_RECORD,
	STS_WHY_DNS_TIMEOUT,
	STS_WHY_DNS_FAILURE, /* SERVFAIL, REFUSED, bogus, truncated ... */
	STS_WHY_FETCH_ERROR, /* sts-policy-fetch-error, RFC 8460 4.3.2.2 */
	STS_WHY_WEBPKI,      /* sts-webpki-invalid */
	STS_WHY_BAD_POLICY,  /* sts-policy-invalid */
	STS_WHY_LAST = STS_WHY_BAD_POLICY
};

struct sts_entry {
	enum sts_entry_kind kind;
	enum sts_reason why;
	char id[STS_ID_SIZE]; /* POLICY: of the TXT record it came with */
	int64_t since;        /* POLICY: there has been one; 0: fetched */
	int64_t fetched;      /* POLICY: when the body was received */
	int64_t checked;      /* the TXT record was asked for and answered */
	int64_t until; /* POLICY: expiry; NONE: ask again; others: tried */
	/* The last attempt that failed, and when the next may be made. */
	int64_t tried, retry; /* POLICY and UNASKED; 0: none */
	/* The id whose policy could not be had, hashed, and since when. */
	uint32_t failed_id;
	int64_t failed;           /* POLICY and NO_FETCH; 0: none */
	struct sts_str body;      /* POLICY: borrowed from the decoded bytes */
	char note[STS_NOTE_SIZE]; /* why, for people: "HTTP status 404" */
};

/*
 * Write the entry of a domain; buf of STS_ENTRY_MAX bytes.  Returns the
 * length; 0: the entry cannot be written (body or id over their limits).
 * is_link tells which of the two forms it is.
 */
size_t sts_entry_encode(char *buf, const struct sts_entry *, const char *domain,
    bool *is_link);

/* False, and kind ABSENT, for anything odd. out->body points into in. */
bool sts_entry_decode(struct sts_entry *out, struct sts_str in, bool is_link,
    const char *domain);

/* An id as it stands in failed_id. */
uint32_t sts_id_hash(const char *id);

const char *sts_reason_name(enum sts_reason);

#endif
