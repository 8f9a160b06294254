/* SPDX-License-Identifier: ISC */
/*
 * The collector of libtlsrpt, which gets sessions one by one and makes the
 * reports itself.  One file knows the library: sink_tlsrpt.c, or, where it is
 * built without, sink_none.c.
 */
#ifndef REPORT_SINK_H
#define REPORT_SINK_H

#include "tlsrpt/session_line.h"
#include <mtasts/session.h>
#include <mtasts/sts.h>

/* What the collector is told; all text is printable ASCII or UTF-8. */
struct sink_session {
	const char *domain; /* of the policy, A-labels */
	const char *record; /* its TXT record at _smtp._tls, as it is */
	enum sts_policy_type type;
	/* policy-string, RFC 8460 4.4; an empty string ends it */
	const char *lines;
	const struct sts_policy *policy; /* for its mx; NULL: none known */
	enum sts_session_result result;
	/* NULL or "": not known */
	const char *sending_ip, *mx_host, *mx_helo, *receiving_ip, *reason;
};

struct sink;

/* Nobody has to listen there yet. */
enum sts_rc sink_open(struct sink **, const char *path, struct sts_err *err);
void sink_close(struct sink *); /* NULL is fine */

/*
 * One datagram; never waits.  STS_OK: the system has taken it for the
 * collector.  STS_TEMPFAIL: no room there now.  STS_LOCAL: no collector.
 * STS_INVALID: this session can never be taken, it is too large.  STS_NOMEM.
 */
enum sts_rc sink_send(struct sink *, const struct sink_session *,
    struct sts_err *err);

#endif
