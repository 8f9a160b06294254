/* SPDX-License-Identifier: ISC */
/*
 * From Exim's events to the sessions of a TLS report, RFC 8460: one for each
 * SMTP session in which TLS was up, or should have been.
 */
#ifndef EXIM_EXIM_SESSION_RECORDER_H
#define EXIM_EXIM_SESSION_RECORDER_H

#include "event_args.h"
#include <mtasts/sts.h>

struct exim_event {
	const char *name, *data, *domain, *host; /* NULL: not said */
	bool said_cert;           /* a certificate was handed over */
	const unsigned char *der; /* and is one, perhaps; NULL: is not */
	size_t der_len;
	struct exim_event_args args;
};

/* What is known of the process's sessions; NULL at first, never freed. */
struct exim_sessions;

/*
 * Lends ctx until the process ends or the next call: a session whose STARTTLS
 * was refused shows as such only by what does not follow.
 */
void exim_record(struct exim_sessions **, struct sts_ctx *,
    const struct exim_event *);

/* The router found no MX host: data has those of DNS, colons between. */
void exim_record_no_host(struct exim_sessions **, struct sts_ctx *,
    const struct exim_event *);

/* Nothing follows any more. */
void exim_record_end(struct exim_sessions *, struct sts_ctx *);

#endif
