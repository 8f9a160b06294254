/* SPDX-License-Identifier: ISC */
/* Judging a recorded chain with OpenSSL. */
#include <stdlib.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "chain.h"
#include "err.h"
#include "scan.h"
#include "tls.h"

/* Debian's default for TLS: 112 bits. */
enum { SECURITY_LEVEL = 2 };

struct sts_anchors {
	X509_STORE *store;
	X509_STORE_CTX *ctx; /* used again for each chain */
};

enum sts_rc
sts_anchors_open(struct sts_anchors **out, const struct sts_conf *conf,
    struct sts_err *err)
{
	struct sts_anchors *a = NULL;
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
	sts_anchors_close(a);
	ERR_clear_error();
	return rc;
}

void
sts_anchors_close(struct sts_anchors *a)
{
	if (a == NULL)
		return;
	X509_STORE_CTX_free(a->ctx);
	X509_STORE_free(a->store);
	free(a);
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
		if (EVP_PKEY_get_bits(key) > STS_CHAIN_KEY_MAX ||
		    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) !=
			1 ||
		    BN_num_bits(e) > STS_CHAIN_EXPONENT_MAX)
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

/* Time before 1970 is 1970: GnuTLS knows no other. */
static bool
seconds(const ASN1_TIME *from, int64_t *to)
{
	struct tm tm;

	if (from == NULL || ASN1_TIME_to_tm(from, &tm) != 1)
		return false;
	if ((*to = timegm(&tm)) < 0)
		*to = 0;
	return true;
}

/* The worst that was seen; the times are looked at by the rule. */
static int
note(int ok, X509_STORE_CTX *ctx)
{
	struct sts_chain_facts *f = X509_STORE_CTX_get_app_data(ctx);
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
		f->trust = STS_CHAIN_UNKNOWN;
		break;
	case X509_V_ERR_INVALID_PURPOSE:
		if (X509_STORE_CTX_get_error_depth(ctx) == 0) {
			f->not_server = true;
			break;
		} /* else an issuer that may not vouch for servers */
		__attribute__((fallthrough));
	default:
		if (f->trust == STS_CHAIN_ANCHORED) {
			f->trust = STS_CHAIN_BROKEN;
			f->why = X509_verify_cert_error_string(code);
		}
	}
	/* Go on, there may be worse; with an error left in it, OpenSSL 3.0
	 * would not say that an issuer is missing. */
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static bool
times(struct sts_chain_facts *f, STACK_OF(X509) * path)
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

/* chain: the leaf first.  False: could not be judged. */
static bool
look(struct sts_chain_facts *f, struct sts_anchors *a, STACK_OF(X509) * chain,
    int64_t when)
{
	X509_STORE_CTX *ctx = a->ctx;
	X509_VERIFY_PARAM *param;
	int rc;

	if (X509_STORE_CTX_init(ctx, a->store, sk_X509_value(chain, 0),
		chain) != 1)
		return false;
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_time(param, when);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
	X509_STORE_CTX_set_app_data(ctx, f);
	X509_STORE_CTX_set_verify_cb(ctx, note);
	rc = X509_verify_cert(ctx);
	if (rc != 1 && f->trust == STS_CHAIN_ANCHORED) {
		f->trust = STS_CHAIN_BROKEN;
		f->why = "chain not verified";
	}
	return times(f, X509_STORE_CTX_get0_chain(ctx));
}

enum sts_rc
sts_chain_judge(struct sts_chain_verdict *out, struct sts_anchors *a,
    const struct sts_str *der, size_t n, const char *host, int64_t when)
{
	struct sts_chain_facts facts = { .trust = STS_CHAIN_ANCHORED };
	STACK_OF(X509) *chain = NULL;
	enum sts_rc rc = STS_OK;
	const char *fault;
	X509 *cert;

	if (!sts_chain_shape(out, der, n))
		return STS_OK;
	if ((chain = sk_X509_new_null()) == NULL)
		return STS_NOMEM;
	for (size_t i = 0; i < n; i++) {
		if ((cert = parse(der[i], &fault)) == NULL) {
			sts_chain_refuse(out, fault);
			goto out;
		}
		if (sk_X509_push(chain, cert) <= 0) {
			X509_free(cert);
			rc = STS_NOMEM;
			goto out;
		}
	}
	if (look(&facts, a, chain, when))
		sts_chain_weigh(out, &facts, der[0], n, host, when);
	else
		sts_chain_refuse(out, "a chain that cannot be judged");
	X509_STORE_CTX_cleanup(a->ctx);
out:
	sk_X509_pop_free(chain, X509_free);
	ERR_clear_error();
	return rc;
}
