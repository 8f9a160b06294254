/* SPDX-License-Identifier: ISC */
/* The table of leaf_cert.h, by OpenSSL. */
#include "leaf_cert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "base/scan.h"
#include "net/tls.h"
#include "report.h"

/* Debian's default for TLS: 112 bits. */
enum { SECURITY_LEVEL = 2 };

struct leaf_issuers {
	X509_STORE *store;
	X509_STORE_CTX *ctx; /* used again for each leaf */
};

enum sts_rc
leaf_issuers_open(struct leaf_issuers **out, const struct sts_conf *conf,
    struct sts_err *err)
{
	struct leaf_issuers *a = NULL;
	struct tls_ca ca;
	enum sts_rc rc;

	*out = NULL;
	if ((rc = tls_find_ca(&ca, conf, err)) != STS_OK)
		return rc;
	rc = sts_fail(err, STS_NOMEM, 0, "no memory for the CA store");
	if ((a = calloc(1, sizeof *a)) == NULL ||
	    (a->store = X509_STORE_new()) == NULL ||
	    (a->ctx = X509_STORE_CTX_new()) == NULL)
		goto out;
	if (X509_STORE_load_locations(a->store, ca.file, ca.path) != 1) {
		rc = sts_fail(err, STS_LOCAL, 0, "CA store %s: cannot be read",
		    ca.file != NULL ? ca.file : ca.path);
		goto out;
	}
	*out = a;
	a = NULL;
	rc = STS_OK;
out:
	leaf_issuers_close(a);
	ERR_clear_error();
	return rc;
}

void
leaf_issuers_close(struct leaf_issuers *a)
{
	if (a == NULL)
		return;
	X509_STORE_CTX_free(a->ctx);
	X509_STORE_free(a->store);
	free(a);
}

/* --- What is seen --------------------------------------------------------- */

/* Of the path from the leaf up to a self-signed issuer or the last known. */
enum { PATH_MAX_CERTS = 16 };

struct facts {
	enum {
		ANCHORED, /* every signature up to the CA store is good */
		UNKNOWN,  /* an issuer was not found */
		BROKEN    /* otherwise not to be trusted: see why */
	} trust;
	const char *why; /* of BROKEN; constant text */
	bool not_server; /* the leaf's EKU or key usage forbids it */
	struct {
		int64_t not_before, not_after; /* RFC 5280 4.1.2.5 */
	} path[PATH_MAX_CERTS];
	size_t npath;
};

/*
 * X.690 10.1: one SEQUENCE with a length as short as can be, and nothing
 * behind it.  OpenSSL by itself takes longer lengths and ignores a tail.
 */
static bool
is_whole(struct sts_str der)
{
	const unsigned char *p = (const unsigned char *)der.p;

	if (der.len < 4 || p[0] != 0x30)
		return false;
	if (p[1] < 0x80)
		return der.len == 2 + (size_t)p[1];
	if (p[1] == 0x81)
		return p[2] >= 0x80 && der.len == 3 + (size_t)p[2];
	return p[1] == 0x82 && p[2] != 0 &&
	    der.len == 4 + ((size_t)p[2] << 8 | p[3]);
}

/* Never a key that it takes long to verify with. */
static const char *
key_fault(X509 *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	const char *fault = NULL;
	BIGNUM *e = NULL;

	if (key == NULL)
		return "a key that cannot be parsed";
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		if (EVP_PKEY_get_bits(key) > LEAF_KEY_MAX ||
		    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) !=
			1 ||
		    BN_num_bits(e) > LEAF_EXPONENT_MAX)
			fault = "a key that is too large";
		BN_free(e);
		return fault;
	case EVP_PKEY_EC:
	case EVP_PKEY_ED25519:
	case EVP_PKEY_ED448:
		return NULL;
	default:
		return "a key of a kind not used in TLS";
	}
}

/* NULL: *fault, a constant, says why. */
static X509 *
parse(struct sts_str der, const char **fault)
{
	const unsigned char *p = (const unsigned char *)der.p;
	X509 *cert = d2i_X509(NULL, &p, (long)der.len);

	*fault = NULL;
	if (cert == NULL || p != (const unsigned char *)der.p + der.len ||
	    (X509_get_extension_flags(cert) & EXFLAG_INVALID) != 0)
		*fault = "a certificate that cannot be parsed";
	else
		*fault = key_fault(cert);
	if (*fault == NULL)
		return cert;
	X509_free(cert);
	return NULL;
}

static bool
seconds(const ASN1_TIME *from, int64_t *to)
{
	struct tm tm;

	if (from == NULL || ASN1_TIME_to_tm(from, &tm) != 1)
		return false;
	*to = timegm(&tm);
	return true;
}

/* The worst that was seen; the times are looked at by weigh(). */
static int
note(int ok, X509_STORE_CTX *ctx)
{
	struct facts *f = X509_STORE_CTX_get_app_data(ctx);
	int code = X509_STORE_CTX_get_error(ctx);

	if (ok)
		return 1;
	switch (code) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		f->trust = UNKNOWN;
		break;
	case X509_V_ERR_INVALID_PURPOSE:
		if (X509_STORE_CTX_get_error_depth(ctx) == 0) {
			f->not_server = true;
			break;
		} /* else an issuer that may not vouch for servers */
		__attribute__((fallthrough));
	default:
		if (f->trust == ANCHORED) {
			f->trust = BROKEN;
			f->why = X509_verify_cert_error_string(code);
		}
	}
	/* Go on, there may be worse; with an error left in it, OpenSSL 3.0
	 * would not say that an issuer is missing. */
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static bool
times(struct facts *f, STACK_OF(X509) * path)
{
	int n = sk_X509_num(path);
	X509 *cert;

	for (int i = 0; i < n && f->npath < ARRAY_LEN(f->path); i++) {
		cert = sk_X509_value(path, i);
		if (!seconds(X509_get0_notBefore(cert),
			&f->path[f->npath].not_before) ||
		    !seconds(X509_get0_notAfter(cert),
			&f->path[f->npath].not_after))
			return false;
		f->npath++;
	}
	return f->npath > 0;
}

/* False: could not be judged. */
static bool
look(struct facts *f, X509_STORE_CTX *ctx, int64_t when)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_time(param, when);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
	X509_STORE_CTX_set_app_data(ctx, f);
	X509_STORE_CTX_set_verify_cb(ctx, note);
	if (X509_verify_cert(ctx) != 1 && f->trust == ANCHORED) {
		f->trust = BROKEN;
		f->why = "certificate not verified";
	}
	return times(f, X509_STORE_CTX_get0_chain(ctx));
}

/* --- What it comes to ----------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void
answer(struct leaf_verdict *out, enum sts_cert cert, const char *fmt, ...)
{
	va_list ap;

	out->cert = cert;
	va_start(ap, fmt);
	if (vsnprintf(out->why, sizeof out->why, fmt, ap) < 0)
		out->why[0] = '\0';
	va_end(ap);
}

/* One certificate of the path; true where it is out of its time. */
static bool
out_of_time(struct leaf_verdict *out, const struct facts *f, size_t i,
    int64_t when)
{
	const char *which = i == 0 ? "certificate" : "issuer";
	char day[REPORT_DAY_TEXT];

	if (when > f->path[i].not_after) /* RFC 5280 4.1.2.5: inclusive */
		answer(out, STS_CERT_EXPIRED, "%s not valid after %s", which,
		    report_day(day, f->path[i].not_after));
	else if (when < f->path[i].not_before)
		answer(out, STS_CERT_NOT_YET_VALID, "%s not valid before %s",
		    which, report_day(day, f->path[i].not_before));
	else
		return false;
	return true;
}

/* RFC 8461 4.2: DNS-ID only. */
static bool
wrong_name(struct leaf_verdict *out, struct sts_str der, const char *host)
{
	if (sts_cert_has_dns_id(der.p, der.len, host))
		return false;
	if (sts_cert_has_dns_id(der.p, der.len, NULL))
		answer(out, STS_CERT_HOST_MISMATCH,
		    "certificate is for other hosts");
	else
		answer(out, STS_CERT_HOST_MISMATCH,
		    "certificate has no subjectAltName of type dNSName");
	return true;
}

static void
weigh(struct leaf_verdict *out, const struct facts *f, struct sts_str der,
    const char *host, int64_t when)
{
	if (out_of_time(out, f, 0, when))
		return;
	if (f->not_server) { /* RFC 5280 4.2.1.3, 4.2.1.12 */
		answer(out, STS_CERT_NOT_TRUSTED, "not for TLS servers");
		return;
	}
	if (f->trust == BROKEN) {
		answer(out, STS_CERT_NOT_TRUSTED, "%s", f->why);
		return;
	}
	for (size_t i = 1; i < f->npath; i++)
		if (out_of_time(out, f, i, when))
			return;
	if (wrong_name(out, der, host))
		return;
	if (f->trust == UNKNOWN)
		answer(out, STS_CERT_NOT_TRUSTED,
		    "issuer not known, as far as recorded");
	else
		answer(out, STS_CERT_OK, "%s", "");
}

enum sts_rc
leaf_cert_check(struct leaf_verdict *out, struct leaf_issuers *a,
    struct sts_str der, const char *host, int64_t when)
{
	struct facts facts = { .trust = ANCHORED };
	enum sts_rc rc = STS_OK;
	const char *fault;
	X509 *cert;

	if (der.len > LEAF_DER_MAX) {
		answer(out, STS_CERT_OTHER, "certificate is over %d bytes",
		    LEAF_DER_MAX);
		return STS_OK;
	}
	if (!is_whole(der)) {
		answer(out, STS_CERT_OTHER, "certificate is no DER");
		return STS_OK;
	}
	if ((cert = parse(der, &fault)) == NULL) {
		answer(out, STS_CERT_OTHER, "%s", fault);
	} else if (X509_STORE_CTX_init(a->ctx, a->store, cert, NULL) != 1) {
		rc = STS_NOMEM;
	} else {
		if (look(&facts, a->ctx, when))
			weigh(out, &facts, der, host, when);
		else
			answer(out, STS_CERT_OTHER,
			    "a certificate that cannot be judged");
		X509_STORE_CTX_cleanup(a->ctx);
	}
	X509_free(cert);
	ERR_clear_error();
	return rc;
}
