/* SPDX-License-Identifier: ISC */
#include "leaf_cert.h"

#include <gnutls/x509.h>
#include <openssl/err.h>
#include <unistd.h>

#include "cert_make.h"
#include "must.h"
#include "net/tls.h"

#define HOST "mx1.example.com"

enum { SIGNED_MAX = LEAF_DER_MAX };

static X509 *root;
static EVP_PKEY *root_key;

/* A CA store of one certificate, whose key is new in each run. */
static struct leaf_issuers *
make_issuers(void)
{
	static char path[] = "/tmp/fuzz-leaf.XXXXXX";
	struct make make = { .cn = "root",
		.from = -1000,
		.until = 1000,
		.constraints = "critical,CA:TRUE",
		.usage = "keyCertSign" };
	const struct sts_conf conf = { .ca_file = path };
	struct leaf_issuers *issuers;
	FILE *fp = fdopen(mkstemp(path), "w");

	MUST(fp != NULL && (root_key = EVP_EC_gen("P-256")) != NULL);
	make.key = root_key;
	root = make_cert(&make, NULL, root_key);
	MUST(PEM_write_X509(fp, root) == 1 && fclose(fp) == 0);
	MUST(leaf_issuers_open(&issuers, &conf, NULL) == STS_OK);
	unlink(path);
	return issuers;
}

/* The same certificate by our CA; 0: it cannot be parsed. */
static size_t
sign(uint8_t *out, const uint8_t *data, size_t len)
{
	X509 *cert = d2i_X509(NULL, &data, (long)len);
	size_t n = 0;
	int loc;

	if (cert != NULL) {
		/* A key identifier of another one is no use */
		if ((loc = X509_get_ext_by_NID(cert,
			 NID_authority_key_identifier, -1)) >= 0)
			X509_EXTENSION_free(X509_delete_ext(cert, loc));
		if (X509_set_issuer_name(cert, X509_get_subject_name(root)) &&
		    X509_sign(cert, root_key, EVP_sha256()) > 0 &&
		    i2d_X509(cert, NULL) <= SIGNED_MAX)
			n = (size_t)i2d_X509(cert, &out);
	}
	X509_free(cert);
	ERR_clear_error();
	return n;
}

/* What the other TLS library thinks of a leaf that is fine. */
static void
ask_gnutls(const uint8_t *der, size_t len)
{
	gnutls_datum_t datum = { (unsigned char *)(uintptr_t)der,
		(unsigned)len };
	gnutls_x509_crt_t cert;

	MUST(tls_leaf_why(der, len) == STS_CERT_OK);
	MUST(gnutls_x509_crt_init(&cert) == 0);
	MUST(gnutls_x509_crt_import(cert, &datum, GNUTLS_X509_FMT_DER) == 0);
	MUST(gnutls_x509_crt_check_hostname(cert, HOST) != 0);
	MUST(gnutls_x509_crt_get_expiration_time(cert) >= NOON);
	MUST(gnutls_x509_crt_get_activation_time(cert) <= NOON);
	gnutls_x509_crt_deinit(cert);
}

static struct leaf_verdict
judge(struct leaf_issuers *issuers, struct sts_str der, int64_t when)
{
	struct leaf_verdict v, again;

	memset(&v, 0xff, sizeof v);
	MUST(leaf_cert_check(&v, issuers, der, HOST, when) == STS_OK);
	MUST(leaf_cert_check(&again, issuers, der, HOST, when) == STS_OK);
	MUST(v.cert == again.cert && strcmp(v.why, again.why) == 0);
	MUST(v.cert != STS_CERT_NO_DNS_ID);
	MUST((v.cert == STS_CERT_OK) == (v.why[0] == '\0'));
	MUST(v.cert == STS_CERT_OK || str_all(str_of(v.why), is_print));
	return v;
}

/* First byte 's': the certificate behind it is signed by our CA before. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int64_t end = INT64_C(253402300800); /* year 10000 */
	static struct leaf_issuers *issuers;
	static uint8_t signed_der[SIGNED_MAX];
	struct sts_str der = { (const char *)data + 1, len - 1 };
	bool is_signed = len > 0 && data[0] == 's';
	struct leaf_verdict v;

	if (issuers == NULL)
		issuers = make_issuers();
	if (len == 0)
		return 0;
	if (is_signed) {
		der.len = sign(signed_der, data + 1, len - 1);
		der.p = (const char *)signed_der;
	}
	v = judge(issuers, der, NOON);
	MUST(v.cert != STS_CERT_OK || is_signed);
	if (v.cert == STS_CERT_OK) {
		MUST(sts_cert_has_dns_id(der.p, der.len, HOST));
		MUST(sts_cert_for_server(der.p, der.len));
		ask_gnutls((const uint8_t *)der.p, der.len);
	}
	if (v.cert == STS_CERT_HOST_MISMATCH)
		MUST(!sts_cert_has_dns_id(der.p, der.len, HOST));
	/* OTHER does not depend on the time, and all else expires. */
	MUST(judge(issuers, der, end).cert ==
	    (v.cert == STS_CERT_OTHER ? STS_CERT_OTHER : STS_CERT_EXPIRED));
	return 0;
}
