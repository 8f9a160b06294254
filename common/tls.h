/* SPDX-License-Identifier: ISC */
/*
 * What differs between the TLS libraries under libcurl.  One file for each
 * (tls_openssl.c, tls_gnutls.c); everything else is compiled once and linked
 * with either.
 */
#ifndef STS_TLS_H
#define STS_TLS_H

#include <stddef.h>

#include "conf.h"
#include "reply.h"
#include "sts.h"

/* "openssl", "gnutls". */
const char *tls_name(void);

/* How many GETs may be under way: each holds the CA store in memory. */
unsigned tls_cap(void);

/* The CA store; at least one is set.  Lent by conf, or constant. */
struct tls_ca {
	const char *file, *path;
};

/*
 * Which CA store to use.  STS_LOCAL: it cannot be read or holds no usable
 * certificate.  Then every policy host would look untrustworthy, and that
 * would be a lie.
 */
enum sts_rc tls_find_ca(struct tls_ca *out, const struct sts_conf *,
    struct sts_err *err);

/* CURLINFO_SSL_VERIFYRESULT after a refused certificate. */
enum sts_cert tls_cert_why(long verify_result);

/*
 * The peer's own certificate in DER, out of the CURLINFO_TLS_SSL_PTR of an
 * open connection; free() it.  NULL: none, or no memory.
 */
void *tls_leaf(void *session, size_t *len);

/*
 * What libcurl with this library lets pass although it must not: a leaf (DER)
 * that is not for servers.
 */
enum sts_cert tls_leaf_why(const void *der, size_t len);

#endif
