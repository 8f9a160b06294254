/* SPDX-License-Identifier: ISC */
/* Attempts that end before there is a session: no MX host is permitted. */
#ifndef OPENSMTPD_FORBIDDEN_H
#define OPENSMTPD_FORBIDDEN_H

#include "sts.h"

/* As for Exim; RFC 8460 has no word for it. */
#define FORBIDDEN_REASON "mtasts-policy-mx-mismatch"

enum {
	FORBIDDEN_GAP = 10000, /* ms: one for the envelopes of a message */
	FORBIDDEN_MEMO = 64
};

struct forbidden {
	struct {
		uint64_t hash; /* of the domain */
		int64_t when;  /* ms; 0: never */
	} memo[FORBIDDEN_MEMO];
};

/* sts_mx_next() had no host: record it if the policy is why. */
void forbidden_record(struct forbidden *, struct sts_ctx *, const char *domain);

#endif
