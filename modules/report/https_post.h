/* SPDX-License-Identifier: ISC */
/* A report over HTTPS, RFC 8460 5.4. */
#ifndef REPORT_HTTPS_POST_H
#define REPORT_HTTPS_POST_H

#include "base/addr.h"
#include "conf/conf.h"
#include "net/tls.h"
#include "rules/rua.h"

/*
 * POST the compressed report to one of the addresses, and to none that
 * gate_refuses().  Waits.  STS_OK: it was taken (2xx).
 * STS_TEMPFAIL: it was not, err says why.  STS_LOCAL: we could not try.
 */
enum sts_rc post_send(const struct rua *, const struct tls_ca *,
    const struct sts_conf *, const struct sts_addr *, size_t naddr,
    const void *body, size_t len, struct sts_err *err);

#endif
