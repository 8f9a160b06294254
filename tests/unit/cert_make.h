/* SPDX-License-Identifier: ISC */
/*
 * A cast of certificates, made with new keys at each run.  All times are days
 * from NOON, a session far from today.
 */
#ifndef TESTS_UNIT_CERT_MAKE_H
#define TESTS_UNIT_CERT_MAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum { DAY = 86400 };
static const int64_t NOON = 1577880000; /* 2020-01-01 12:00 UTC */

/* What a certificate is made of; NULL and 0 are the usual. */
struct make {
	const char *cn;
	int from, until; /* days; both 0: -100 to 100 */
	const char *san, *constraints, *eku, *usage, *name_constraints;
	const char *odd; /* an extension nobody knows: "critical" or not */
	const EVP_MD *(*md)(void);
	EVP_PKEY *key;
	bool bare; /* no key identifiers */
};

static void
made(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "cannot make %s\n", what);
	exit(99);
}

/* n and e as they come: nobody has the private key. */
static inline EVP_PKEY *
make_rsa_public(int bits, int exponent_bits)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *n = BN_new(), *e = BN_new();
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = NULL;

	made(BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) == 1 &&
		BN_rand(e, exponent_bits, BN_RAND_TOP_ONE,
		    BN_RAND_BOTTOM_ODD) == 1 &&
		OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
		OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1 &&
		(params = OSSL_PARAM_BLD_to_param(bld)) != NULL &&
		EVP_PKEY_fromdata_init(ctx) == 1 &&
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1,
	    "an RSA key");
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	BN_free(e);
	return key;
}

static void
extend(X509 *cert, X509 *by, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	if (value == NULL)
		return;
	X509V3_set_ctx(&ctx, by, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	made(ext != NULL && X509_add_ext(cert, ext, -1) == 1, value);
	X509_EXTENSION_free(ext);
}

/* 1.3.6.1.4.1.1 */
static void
extend_odd(X509 *cert, const char *odd)
{
	ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.1.9", 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext;

	if (odd != NULL) {
		ASN1_OCTET_STRING_set(value, (const unsigned char *)"\5\0", 2);
		ext = X509_EXTENSION_create_by_OBJ(NULL, oid,
		    strcmp(odd, "critical") == 0, value);
		made(X509_add_ext(cert, ext, -1) == 1, odd);
		X509_EXTENSION_free(ext);
	}
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(oid);
}

/* by NULL: self-signed, by_key then being its own. */
static inline X509 *
make_cert(const struct make *m, X509 *by, EVP_PKEY *by_key)
{
	static long serial;
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	int from = m->from, until = m->until;

	if (from == 0 && until == 0) {
		from = -100;
		until = 100;
	}
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)m->cn, -1, -1, 0);
	X509_set_issuer_name(cert,
	    by == NULL ? name : X509_get_subject_name(by));
	ASN1_TIME_set(X509_getm_notBefore(cert), NOON + (int64_t)from * DAY);
	ASN1_TIME_set(X509_getm_notAfter(cert), NOON + (int64_t)until * DAY);
	X509_set_pubkey(cert, m->key);
	extend(cert, by, NID_basic_constraints, m->constraints);
	extend(cert, by, NID_key_usage, m->usage);
	extend(cert, by, NID_ext_key_usage, m->eku);
	extend(cert, by, NID_subject_alt_name, m->san);
	extend(cert, by, NID_name_constraints, m->name_constraints);
	if (!m->bare) {
		extend(cert, by, NID_subject_key_identifier, "hash");
		extend(cert, by == NULL ? cert : by,
		    NID_authority_key_identifier, "keyid");
	}
	extend_odd(cert, m->odd);
	made(X509_sign(cert, by_key, m->md == NULL ? EVP_sha256() : m->md()) >
		0,
	    m->cn);
	return cert;
}

#endif
