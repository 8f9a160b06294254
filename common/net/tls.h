/* SPDX-License-Identifier: ISC */
/*
 * What differs between the TLS libraries under libcurl.  One file for each
 * (tls_openssl.c, tls_gnutls.c); everything else is compiled once and linked
 * with either.
 */
#ifndef STS_NET_TLS_H
#define STS_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "rules/http_reply.h"
#include <mtasts/sts.h>

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

/*
 * The same store in memory, for many connections.  *out is NULL where libcurl
 * with this library has no use for one.  STS_LOCAL: it cannot be read.
 */
struct tls_store;
enum sts_rc tls_store_new(struct tls_store **out, const struct tls_ca *,
    struct sts_err *err);
void tls_store_free(struct tls_store *); /* NULL is fine */

/*
 * In CURLOPT_SSL_CTX_FUNCTION: what the connection trusts is the store and
 * nothing else.  It may be freed before the connection.  False: no memory.
 */
bool tls_store_lend(struct tls_store *, void *ssl_ctx);

/* CURLINFO_SSL_VERIFYRESULT after a refused certificate. */
enum sts_cert tls_cert_why(long verify_result);

/* Of a handshake, in the words of this library: the connection ended. */
bool tls_connection_ended(const char *text);

/*
 * The peer's own certificate in DER, out of the CURLINFO_TLS_SSL_PTR of an
 * open connection; free() it.  NULL: none, or no memory.
 */
void *tls_leaf(void *session, size_t *len);

/*
 * No other handshake on this connection, also a CURLINFO_TLS_SSL_PTR: libcurl
 * before 8 waits for one that the server asks for, and the whole process with
 * it (TLS 1.2 HelloRequest, RFC 5246 7.4.1.1).
 */
void tls_one_handshake(void *session);

/*
 * What libcurl with this library lets pass although it must not: a leaf (DER)
 * that is not for servers.
 */
enum sts_cert tls_leaf_why(const void *der, size_t len);

#endif
