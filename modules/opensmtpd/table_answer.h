/* SPDX-License-Identifier: ISC */
/* From what smtpd asks, through sts.h, to what it is told. */
#ifndef OPENSMTPD_TABLE_ANSWER_H
#define OPENSMTPD_TABLE_ANSWER_H

#include "host_config.h"
#include "table_request.h"

/* Attempts that end before there is a session: no MX host is permitted. */
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

/* Is a table of this name the one of domains whose mail waits? */
bool table_waits(struct sts_str name);

void answer(struct table_answer *, const struct table_request *,
    struct config *, struct forbidden *, bool waits);

#endif
