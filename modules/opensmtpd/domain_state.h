/* SPDX-License-Identifier: ISC */
/* What the cache says of a domain, to tables and filter in the same words. */
#ifndef OPENSMTPD_DOMAIN_STATE_H
#define OPENSMTPD_DOMAIN_STATE_H

#include <mtasts/sts.h>

/*
 * STS_OK: it is known whether a policy is enforced.  why->text is for the log
 * if mail goes without one although there may be one, else empty. STS_TEMPFAIL:
 * it is not known, and mail must wait.  Others: a fault of this host.  Files
 * are read, nothing is looked up or begun.
 */
enum sts_rc domain_policy(struct sts_ctx *, const char *domain, bool *enforced,
    struct sts_err *why);

/* The same; if it is enforced, STS_OK also takes that MX hosts are known. */
enum sts_rc domain_ready(struct sts_ctx *, const char *domain,
    struct sts_err *why);

#endif
