/* SPDX-License-Identifier: ISC */
/* libcurl with OpenSSL. */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/err.h"
#include "base/scan.h"
#include "ca_probe.h"
#include "tls.h"

enum {
	CAP = 100, /* 73 KB each */
	DH_BITS_MAX = 4096,
	/* As libcurl has it: a CA store may hold an intermediate alone. */
	STORE_FLAGS = X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN
};

const char *
tls_name(void)
{
	return "openssl";
}

unsigned
tls_cap(void)
{
	return CAP;
}

static bool
probe(FILE *fp)
{
	X509 *cert = NULL;
	bool ok;

	while (cert == NULL && !feof(fp) && !ferror(fp))
		cert = PEM_read_X509(fp, NULL, NULL, NULL);
	ok = cert != NULL;
	X509_free(cert);
	ERR_clear_error();
	return ok;
}

/*
 * A hashed directory is read certificate by certificate as needed; a bundle
 * of 145 costs 20 ms to parse.
 */
static enum sts_rc
default_ca(struct tls_ca *out, struct sts_err *err)
{
	static const char dir[] = "/etc/ssl/certs";
	static const char *const bundles[] = {
		"/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem",
		"/usr/local/share/certs/ca-root-nss.crt", NULL
	};

	*out = (struct tls_ca){ .path = dir };
	if (tls_ca_dir(dir, true, probe, NULL) == STS_OK)
		return STS_OK;
	*out = (struct tls_ca){ .file = tls_ca_first(bundles) };
	return tls_ca_file(out->file, probe, err);
}

enum sts_rc
tls_find_ca(struct tls_ca *out, const struct sts_conf *conf,
    struct sts_err *err)
{
	enum sts_rc rc = STS_OK;

	*out = (struct tls_ca){ conf->ca_file, conf->ca_path };
	if (out->file == NULL && out->path == NULL)
		return default_ca(out, err);
	if (out->file != NULL)
		rc = tls_ca_file(out->file, probe, err);
	if (rc == STS_OK && out->path != NULL)
		rc = tls_ca_dir(out->path, true, probe, err);
	return rc;
}

/* A directory is looked into as issuers turn up; what was read stays. */
static bool
fill(X509_STORE *store, const struct tls_ca *ca)
{
	return (ca->file == NULL ||
		   X509_STORE_load_file(store, ca->file) == 1) &&
	    (ca->path == NULL || X509_STORE_load_path(store, ca->path) == 1) &&
	    X509_STORE_set_flags(store, STORE_FLAGS) == 1;
}

enum sts_rc
tls_store_new(struct tls_store **out, const struct tls_ca *ca,
    struct sts_err *err)
{
	X509_STORE *store = X509_STORE_new();
	enum sts_rc rc = STS_OK;

	*out = NULL;
	if (store == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	if (fill(store, ca))
		*out = (struct tls_store *)store;
	else {
		rc = sts_fail(err, STS_LOCAL, 0, "CA file %s: cannot be used",
		    ca->file != NULL ? ca->file : ca->path);
		X509_STORE_free(store);
	}
	ERR_clear_error();
	return rc;
}

void
tls_store_free(struct tls_store *store)
{
	X509_STORE_free((X509_STORE *)store);
}

/* Its own rules, the same for every context. */
static int (*library_permits)(const SSL *, const SSL_CTX *, int, int, int,
    void *, void *);

/*
 * A server chooses the Diffie-Hellman group of TLS 1.2, of up to 10000 bits,
 * and one handshake with such takes a second of processor time.
 */
static int
permits(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid,
    void *other, void *arg)
{
	if (op == SSL_SECOP_TMP_DH && other != NULL &&
	    EVP_PKEY_get_bits(other) > DH_BITS_MAX)
		return 0;
	return library_permits(ssl, ctx, op, bits, nid, other, arg);
}

bool
tls_store_lend(struct tls_store *store, void *ssl_ctx)
{
	X509_STORE *shared = (X509_STORE *)store;

	if (X509_STORE_up_ref(shared) != 1)
		return false;
	library_permits = SSL_CTX_get_security_callback(ssl_ctx);
	SSL_CTX_set_security_callback(ssl_ctx, permits);
	SSL_CTX_set_cert_store(ssl_ctx, shared); /* takes the reference */
	return true;
}

enum sts_cert
tls_cert_why(long verify_result)
{
	static const struct {
		long code;
		enum sts_cert cert;
	} table[] = {
		/* The chain was fine: libcurl itself refused the name. */
		{ X509_V_OK, STS_CERT_HOST_MISMATCH },
		{ X509_V_ERR_UNSPECIFIED, STS_CERT_HOST_MISMATCH },
		{ X509_V_ERR_HOSTNAME_MISMATCH, STS_CERT_HOST_MISMATCH },
		{ X509_V_ERR_CERT_HAS_EXPIRED, STS_CERT_EXPIRED },
		{ X509_V_ERR_CERT_NOT_YET_VALID, STS_CERT_NOT_YET_VALID },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, STS_CERT_NOT_TRUSTED },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
		    STS_CERT_NOT_TRUSTED },
		{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
		    STS_CERT_NOT_TRUSTED },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
		    STS_CERT_NOT_TRUSTED },
		{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, STS_CERT_NOT_TRUSTED },
		{ X509_V_ERR_CERT_SIGNATURE_FAILURE, STS_CERT_NOT_TRUSTED },
		{ X509_V_ERR_CERT_CHAIN_TOO_LONG, STS_CERT_NOT_TRUSTED },
		{ X509_V_ERR_INVALID_CA, STS_CERT_NOT_TRUSTED },
		{ X509_V_ERR_CERT_UNTRUSTED, STS_CERT_NOT_TRUSTED },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].code == verify_result)
			return table[i].cert;
	return STS_CERT_OTHER;
}

bool
tls_connection_ended(const char *text)
{
	return strstr(text, "SSL_ERROR_SYSCALL") != NULL ||
	    strstr(text, "unexpected eof") != NULL;
}

void *
tls_leaf(void *session, size_t *len)
{
	X509 *cert = SSL_get1_peer_certificate(session);
	unsigned char *der = NULL, *p;
	int n;

	if (cert != NULL && (n = i2d_X509(cert, NULL)) > 0 &&
	    (p = der = malloc((size_t)n)) != NULL)
		*len = (size_t)i2d_X509(cert, &p);
	X509_free(cert);
	return der;
}

void
tls_one_handshake(void *session)
{
	SSL_set_options(session, SSL_OP_NO_RENEGOTIATION);
}

enum sts_cert
tls_leaf_why(const void *der, size_t len)
{
	(void)der;
	(void)len;
	return STS_CERT_OK; /* OpenSSL looks at the purpose itself */
}
