/* SPDX-License-Identifier: ISC */
/* libcurl with GnuTLS. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/scan.h"
#include "ca_probe.h"
#include "tls.h"

enum {
	CAP = 8, /* each parses the whole bundle: 3.8 MB, 7 to 15 ms */
	PEM_MAX = 65536
};

const char *
tls_name(void)
{
	return "gnutls";
}

unsigned
tls_cap(void)
{
	return CAP;
}

/* NULL: not a certificate, or no memory.  The caller's to deinit. */
static gnutls_x509_crt_t
import(const void *p, size_t len, gnutls_x509_crt_fmt_t format)
{
	gnutls_datum_t datum = { NULL, (unsigned)len };
	gnutls_x509_crt_t cert = NULL;

	if (len > UINT_MAX || (datum.data = malloc(len)) == NULL)
		return NULL;
	memcpy(datum.data, p, len);
	if (gnutls_x509_crt_init(&cert) != GNUTLS_E_SUCCESS)
		cert = NULL;
	else if (gnutls_x509_crt_import(cert, &datum, format) !=
	    GNUTLS_E_SUCCESS) {
		gnutls_x509_crt_deinit(cert);
		cert = NULL;
	}
	free(datum.data);
	return cert;
}

static bool
is_cert(const char *pem, size_t len)
{
	gnutls_x509_crt_t cert = import(pem, len, GNUTLS_X509_FMT_PEM);

	if (cert == NULL)
		return false;
	gnutls_x509_crt_deinit(cert);
	return true;
}

/* From one BEGIN line to its END line at a time: the first good one will do. */
static bool
probe(FILE *fp)
{
	static const char begin[] = "-----BEGIN ", end[] = "-----END ";
	char line[128], *block = malloc(PEM_MAX);
	size_t used = 0, n;
	bool inside = false, ok = false;

	while (block != NULL && !ok && fgets(line, sizeof line, fp) != NULL) {
		n = strlen(line);
		if (strncmp(line, begin, sizeof begin - 1) == 0) {
			inside = true;
			used = 0;
		}
		if (!inside || n > PEM_MAX - used)
			continue;
		memcpy(block + used, line, n);
		used += n;
		if (strncmp(line, end, sizeof end - 1) == 0) {
			ok = is_cert(block, used);
			inside = false;
		}
	}
	free(block);
	return ok;
}

enum sts_rc
tls_find_ca(struct tls_ca *out, const struct sts_conf *conf,
    struct sts_err *err)
{
	static const char *const bundles[] = {
		"/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem",
		"/usr/local/share/certs/ca-root-nss.crt", NULL
	};
	enum sts_rc rc = STS_OK;

	*out = (struct tls_ca){ conf->ca_file, conf->ca_path };
	if (out->file == NULL && out->path == NULL)
		out->file = tls_ca_first(bundles);
	if (out->file != NULL)
		rc = tls_ca_file(out->file, probe, err);
	if (rc == STS_OK && out->path != NULL)
		rc = tls_ca_dir(out->path, false, probe, err);
	return rc;
}

/* Credentials are libcurl's own, and it fills them for each connection. */
enum sts_rc
tls_store_new(struct tls_store **out, const struct tls_ca *ca,
    struct sts_err *err)
{
	(void)ca;
	(void)err;
	*out = NULL;
	return STS_OK;
}

void
tls_store_free(struct tls_store *store)
{
	(void)store;
}

bool
tls_store_lend(struct tls_store *store, void *ssl_ctx)
{
	(void)store;
	(void)ssl_ctx;
	return false;
}

/* Bits; the most telling first, for several come together. */
enum sts_cert
tls_cert_why(long verify_result)
{
	static const struct {
		unsigned bit;
		enum sts_cert cert;
	} table[] = {
		{ GNUTLS_CERT_SIGNER_NOT_FOUND, STS_CERT_NOT_TRUSTED },
		{ GNUTLS_CERT_SIGNER_NOT_CA, STS_CERT_NOT_TRUSTED },
		{ GNUTLS_CERT_SIGNATURE_FAILURE, STS_CERT_NOT_TRUSTED },
		{ GNUTLS_CERT_EXPIRED, STS_CERT_EXPIRED },
		{ GNUTLS_CERT_NOT_ACTIVATED, STS_CERT_NOT_YET_VALID },
		{ GNUTLS_CERT_UNEXPECTED_OWNER, STS_CERT_HOST_MISMATCH },
	};

	/* The chain was fine: libcurl itself refused the name. */
	if (verify_result == 0)
		return STS_CERT_HOST_MISMATCH;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (((unsigned long)verify_result & table[i].bit) != 0)
			return table[i].cert;
	return STS_CERT_OTHER;
}

bool
tls_connection_ended(const char *text)
{
	static const int codes[] = { GNUTLS_E_PULL_ERROR, GNUTLS_E_PUSH_ERROR,
		GNUTLS_E_PREMATURE_TERMINATION };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (strstr(text, gnutls_strerror(codes[i])) != NULL)
			return true;
	return false;
}

void *
tls_leaf(void *session, size_t *len)
{
	unsigned n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
	void *der;

	if (chain == NULL || n == 0 || (der = malloc(chain[0].size)) == NULL)
		return NULL;
	*len = chain[0].size;
	return memcpy(der, chain[0].data, chain[0].size);
}

/* Before a ClientHello is sent. */
static int
refuse(gnutls_session_t session, unsigned type, unsigned when,
    unsigned incoming, const gnutls_datum_t *msg)
{
	(void)session;
	(void)type;
	(void)when;
	(void)incoming;
	(void)msg;
	return GNUTLS_E_UNIMPLEMENTED_FEATURE;
}

void
tls_one_handshake(void *session)
{
	gnutls_handshake_set_hook_function(session,
	    GNUTLS_HANDSHAKE_CLIENT_HELLO, GNUTLS_HOOK_PRE, refuse);
}

/* libcurl asks gnutls_certificate_verify_peers2(): no purpose given. */
enum sts_cert
tls_leaf_why(const void *der, size_t len)
{
	gnutls_x509_crt_t cert = import(der, len, GNUTLS_X509_FMT_DER);
	bool server;

	if (cert == NULL)
		return STS_CERT_OTHER;
	server = gnutls_x509_crt_check_key_purpose(cert,
		     GNUTLS_KP_TLS_WWW_SERVER, 0) != 0;
	gnutls_x509_crt_deinit(cert);
	return server ? STS_CERT_OK : STS_CERT_OTHER;
}
