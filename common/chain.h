/* SPDX-License-Identifier: ISC */
/*
 * Why the certificates of a recorded TLS session would be refused, as of the
 * time of that session: the four types of RFC 8460 4.3.1 that a refused
 * certificate may have.
 *
 * Where several things are wrong, the first line that fits is the answer:
 *
 *   what is seen                              answer          RFC 8460 type
 *   ----------------------------------------- --------------- ---------------
 *   no, too many, too large certificates; not OTHER           validation-
 *   DER; bytes behind it; a key too large or                  failure
 *   of a kind that TLS servers do not have
 *   the leaf is past its notAfter             EXPIRED         certificate-
 *                                                             expired
 *   the leaf is before its notBefore          NOT_YET_VALID   c-not-trusted
 *   the leaf is not for servers (extended key NOT_TRUSTED     c-not-trusted
 *   usage: anyEKU is not enough; key usage)
 *   self-signed; n > 1 and no way to a trust  NOT_TRUSTED     c-not-trusted
 *   anchor; bad or weak signature; weak key;
 *   broken constraints
 *   an issuer or the anchor past its notAfter EXPIRED         c-expired
 *   an issuer before its notBefore            NOT_YET_VALID   c-not-trusted
 *   no dNSName that names the host            HOST_MISMATCH   c-host-mismatch
 *   n == 1 and its issuer unknown             NOT_TRUSTED,    c-not-trusted
 *                                             incomplete
 *   none of these                             OK
 *
 * An expired leaf comes first: that depends neither on our trust store nor on
 * how much of the chain was recorded.  "Not yet valid" has no type of its own
 * and is not "has expired"; c-not-trusted is the one "not limited to" what it
 * lists.  A name in a certificate that nobody vouches for says nothing, so
 * trust goes before it; but with the leaf alone (all that Exim with OpenSSL
 * shows) the chain is merely unknown, and a wrong name is wrong in any case.
 *
 * Anchors are the certificates of the CA store, self-signed or not.  Strength
 * is asked for at 112 bits, as Debian's OpenSSL does: RSA of 2048 bits, no
 * MD5, no SHA-1.  Revocation is not looked at.
 */
#ifndef STS_CHAIN_H
#define STS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "reply.h"
#include "sts.h"

enum {
	STS_CHAIN_MAX = 10,        /* certificates */
	STS_CHAIN_DER_MAX = 16384, /* bytes of each */
	/* An RSA key of 16384 bits with a large exponent takes seconds. */
	STS_CHAIN_KEY_MAX = 8192,
	STS_CHAIN_EXPONENT_MAX = 64
};

struct sts_chain_verdict {
	enum sts_cert cert; /* never NO_DNS_ID: that is a HOST_MISMATCH */
	bool incomplete;    /* only the leaf is known, and not its issuer */
	char why[160];      /* one line, printable ASCII; the same every time */
};

/* --- The TLS library's part: cert_openssl.c, cert_gnutls.c ------------- */

struct sts_anchors;

/* Read the CA store (tls_find_ca) once.  STS_LOCAL: nothing usable in it. */
enum sts_rc sts_anchors_open(struct sts_anchors **out, const struct sts_conf *,
    struct sts_err *err);
void sts_anchors_close(struct sts_anchors *); /* NULL is fine */

/*
 * n certificates in DER, the leaf first and the others in any order; the MX
 * host's name in A-labels; when the session was.  STS_NOMEM: not judged.
 */
enum sts_rc sts_chain_judge(struct sts_chain_verdict *out, struct sts_anchors *,
    const struct sts_str *der, size_t n, const char *host, int64_t when);

/* --- The rule, the same for both: chain.c ------------------------------ */

enum sts_chain_trust {
	STS_CHAIN_ANCHORED, /* every signature up to an anchor is good */
	STS_CHAIN_UNKNOWN,  /* an issuer was not found */
	STS_CHAIN_BROKEN    /* otherwise not to be trusted: see why */
};

/* What the library saw; times of the path from the leaf to the anchor. */
struct sts_chain_facts {
	enum sts_chain_trust trust;
	const char *why; /* of BROKEN; constant text */
	bool not_server; /* the leaf's EKU or key usage forbids it */
	struct {
		int64_t not_before, not_after; /* RFC 5280 4.1.2.5 */
	} path[STS_CHAIN_MAX + 1];
	size_t npath;
};

/* False: *out is the answer before a library looks at it. */
bool sts_chain_shape(struct sts_chain_verdict *out, const struct sts_str *der,
    size_t n);

/* The answer OTHER. */
void sts_chain_refuse(struct sts_chain_verdict *out, const char *why);

/* n: as many certificates as were given. */
void sts_chain_weigh(struct sts_chain_verdict *out,
    const struct sts_chain_facts *, struct sts_str leaf, size_t n,
    const char *host, int64_t when);

#endif
