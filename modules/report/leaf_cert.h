/* SPDX-License-Identifier: ISC */
/*
 * Why the leaf certificate of a recorded TLS session would be refused, as of
 * the time of that session: the four types of RFC 8460 4.3.1 that a refused
 * certificate may have.
 *
 * Where several things are wrong, the first line that fits is the answer:
 *
 *   what is seen                              answer          RFC 8460 type
 *   ----------------------------------------- --------------- ---------------
 *   too large; not DER; bytes behind it; a    OTHER           validation-
 *   key too large or of a kind that TLS                       failure
 *   servers do not have
 *   past its notAfter                         EXPIRED         certificate-
 *                                                             expired
 *   before its notBefore                      NOT_YET_VALID   c-not-trusted
 *   not for servers (extended key usage:      NOT_TRUSTED     c-not-trusted
 *   anyEKU is not enough; key usage)
 *   self-signed; bad or weak signature; weak  NOT_TRUSTED     c-not-trusted
 *   key; broken constraints
 *   its issuer past its notAfter              EXPIRED         c-expired
 *   its issuer before its notBefore           NOT_YET_VALID   c-not-trusted
 *   no dNSName that names the host            HOST_MISMATCH   c-host-mismatch
 *   its issuer is not in the CA store         NOT_TRUSTED     c-not-trusted
 *   none of these                             OK
 *
 * An expired leaf comes first: that does not depend on our CA store.  "Not yet
 * valid" has no type of its own and is not "has expired"; c-not-trusted is the
 * one "not limited to" what it lists.  A name in a certificate that nobody
 * vouches for says nothing, so trust goes before it; but the intermediate CAs
 * are not recorded, so an issuer that is not in the CA store is merely unknown,
 * and a wrong name is wrong in any case.
 *
 * Issuers are the certificates of the CA store, self-signed or not.  Strength
 * is asked for at 112 bits, as Debian's OpenSSL does: RSA of 2048 bits, no
 * MD5, no SHA-1.  Revocation is not looked at.
 */
#ifndef REPORT_LEAF_CERT_H
#define REPORT_LEAF_CERT_H

#include "conf/conf.h"
#include "rules/http_reply.h"
#include <mtasts/sts.h>

enum {
	LEAF_DER_MAX = 16384, /* bytes */
	/* An RSA key of 16384 bits with a large exponent takes seconds. */
	LEAF_KEY_MAX = 8192,
	LEAF_EXPONENT_MAX = 64
};

struct leaf_verdict {
	enum sts_cert cert; /* never NO_DNS_ID: that is a HOST_MISMATCH */
	char why[160];      /* one line, printable ASCII; the same every time */
};

/* The CA store. */
struct leaf_issuers;

/* Read it (tls_find_ca) once.  STS_LOCAL: nothing usable in it. */
enum sts_rc leaf_issuers_open(struct leaf_issuers **out,
    const struct sts_conf *, struct sts_err *err);
void leaf_issuers_close(struct leaf_issuers *); /* NULL is fine */

/*
 * A certificate in DER, the MX host's name in A-labels, when the session was.
 * STS_NOMEM: not judged.
 */
enum sts_rc leaf_cert_check(struct leaf_verdict *out, struct leaf_issuers *,
    struct sts_str der, const char *host, int64_t when);

#endif
