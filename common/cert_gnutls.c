/* SPDX-License-Identifier: ISC */
/*
 * Judging a recorded chain with GnuTLS, which looks at the time of day or at
 * none: so the path is found here, and its times are the rule's to judge.
 */
#include <limits.h>
#include <stdlib.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "chain.h"
#include "err.h"
#include "scan.h"
#include "tls.h"

enum { SAME_NAME_MAX = 16 };

/* MEDIUM: 112 bits, as OpenSSL's security level 2. */
static const unsigned flags = GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM) |
    GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
    GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS;

struct sts_anchors {
	gnutls_x509_trust_list_t list;
	gnutls_x509_crt_t *cert;
	gnutls_datum_t *name; /* of its subject: a look at all is 5 ms */
	unsigned n;
};

/* The list's certificates one by one: it can be asked for one issuer only. */
static bool
take_all(struct sts_anchors *a, int at_most)
{
	gnutls_x509_trust_list_iter_t iter = NULL;
	gnutls_x509_crt_t cert;

	a->cert = calloc((size_t)at_most, sizeof *a->cert);
	a->name = calloc((size_t)at_most, sizeof *a->name);
	if (a->cert == NULL || a->name == NULL)
		return false;
	while (gnutls_x509_trust_list_iter_get_ca(a->list, &iter, &cert) ==
	    GNUTLS_E_SUCCESS)
		if (a->n < (unsigned)at_most &&
		    gnutls_x509_crt_get_raw_dn(cert, &a->name[a->n]) ==
			GNUTLS_E_SUCCESS)
			a->cert[a->n++] = cert;
		else
			gnutls_x509_crt_deinit(cert);
	gnutls_x509_trust_list_iter_deinit(iter);
	return a->n > 0;
}

enum sts_rc
sts_anchors_open(struct sts_anchors **out, const struct sts_conf *conf,
    struct sts_err *err)
{
	int in_file = 0, in_dir = 0;
	struct sts_anchors *a;
	struct tls_ca ca;
	enum sts_rc rc;

	*out = NULL;
	if ((rc = tls_find_ca(&ca, conf, err)) != STS_OK)
		return rc;
	rc = sts_fail(err, STS_NOMEM, 0, "no memory for the CA store");
	if ((a = calloc(1, sizeof *a)) == NULL ||
	    gnutls_x509_trust_list_init(&a->list, 0) != GNUTLS_E_SUCCESS)
		goto out;
	if (ca.file != NULL)
		in_file = gnutls_x509_trust_list_add_trust_file(a->list,
		    ca.file, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
	if (ca.path != NULL)
		in_dir = gnutls_x509_trust_list_add_trust_dir(a->list, ca.path,
		    NULL, GNUTLS_X509_FMT_PEM, 0, 0);
	if (in_file < 0 || in_dir < 0 || in_file > INT_MAX - in_dir ||
	    in_file + in_dir == 0) {
		rc = sts_fail(err, STS_LOCAL, 0, "CA store %s: cannot be read",
		    ca.file != NULL && in_file <= 0 ? ca.file : ca.path);
		goto out;
	}
	if (!take_all(a, in_file + in_dir))
		goto out;
	*out = a;
	a = NULL;
	rc = STS_OK;
out:
	sts_anchors_close(a);
	return rc;
}

void
sts_anchors_close(struct sts_anchors *a)
{
	if (a == NULL)
		return;
	for (unsigned i = 0; i < a->n; i++) {
		gnutls_x509_crt_deinit(a->cert[i]);
		gnutls_free(a->name[i].data);
	}
	free(a->cert);
	free(a->name);
	if (a->list != NULL)
		gnutls_x509_trust_list_deinit(a->list, 1);
	free(a);
}

static bool
rsa_too_large(gnutls_x509_crt_t cert, unsigned bits)
{
	gnutls_datum_t m = { NULL, 0 }, e = { NULL, 0 };
	bool large = bits > STS_CHAIN_KEY_MAX ||
	    gnutls_x509_crt_get_pk_rsa_raw(cert, &m, &e) != GNUTLS_E_SUCCESS ||
	    e.size > STS_CHAIN_EXPONENT_MAX / CHAR_BIT + 1;

	gnutls_free(m.data);
	gnutls_free(e.data);
	return large;
}

/* Never a key that it takes long to verify with. */
static const char *
key_fault(gnutls_x509_crt_t cert)
{
	unsigned bits = 0;
	int kind = gnutls_x509_crt_get_pk_algorithm(cert, &bits);

	if (kind < 0)
		return "a key that cannot be parsed";
	switch (kind) {
	case GNUTLS_PK_RSA:
	case GNUTLS_PK_RSA_PSS:
		return rsa_too_large(cert, bits) ? "a key that is too large"
						 : NULL;
	case GNUTLS_PK_ECDSA:
	case GNUTLS_PK_EDDSA_ED25519:
	case GNUTLS_PK_EDDSA_ED448:
		return NULL;
	default:
		return "a key of a kind not used in TLS";
	}
}

/* NULL: *fault, a constant, says why; "" no memory. */
static gnutls_x509_crt_t
parse(struct sts_str der, const char **fault)
{
	gnutls_datum_t datum = { malloc(der.len), (unsigned)der.len };
	gnutls_x509_crt_t cert = NULL;
	int rc;

	*fault = "";
	if (datum.data == NULL ||
	    gnutls_x509_crt_init(&cert) != GNUTLS_E_SUCCESS) {
		free(datum.data);
		return NULL;
	}
	memcpy(datum.data, der.p, der.len);
	rc = gnutls_x509_crt_import(cert, &datum, GNUTLS_X509_FMT_DER);
	free(datum.data);
	*fault = NULL;
	if (rc == GNUTLS_E_SUCCESS)
		*fault = key_fault(cert);
	else if (rc != GNUTLS_E_MEMORY_ERROR)
		*fault = "a certificate that cannot be parsed";
	else
		*fault = "";
	if (*fault == NULL)
		return cert;
	gnutls_x509_crt_deinit(cert);
	return NULL;
}

static bool
timely(gnutls_x509_crt_t cert, int64_t when)
{
	return when >= gnutls_x509_crt_get_activation_time(cert) &&
	    when <= gnutls_x509_crt_get_expiration_time(cert);
}

/*
 * Who issued cert, by its name and key identifier; of several the one that is
 * in its time.  NULL entries of from were used before.
 */
static gnutls_x509_crt_t
issuer(gnutls_x509_crt_t cert, gnutls_x509_crt_t *from, unsigned n,
    int64_t when)
{
	gnutls_x509_crt_t found = NULL;

	for (unsigned i = 0; i < n; i++)
		if (from[i] != NULL &&
		    gnutls_x509_crt_check_issuer(cert, from[i]) != 0 &&
		    (found == NULL ||
			(!timely(found, when) && timely(from[i], when))))
			found = from[i];
	return found;
}

/* Anchors of that name, as issuer() wants them; the first few will do. */
static unsigned
named(gnutls_x509_crt_t out[SAME_NAME_MAX], struct sts_anchors *a,
    gnutls_datum_t name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->n && n < SAME_NAME_MAX; i++)
		if (a->name[i].size == name.size &&
		    memcmp(a->name[i].data, name.data, name.size) == 0)
			out[n++] = a->cert[i];
	return n;
}

/* The certificate itself where it is an anchor, or the one above it. */
static gnutls_x509_crt_t
anchor_of(gnutls_x509_crt_t cert, struct sts_anchors *a, int64_t when)
{
	gnutls_x509_crt_t some[SAME_NAME_MAX], found = NULL;
	gnutls_datum_t name = { NULL, 0 };
	unsigned n = 0;

	if (gnutls_x509_crt_get_raw_dn(cert, &name) == GNUTLS_E_SUCCESS)
		n = named(some, a, name);
	gnutls_free(name.data);
	for (unsigned i = 0; i < n && found == NULL; i++)
		if (gnutls_x509_crt_equals(cert, some[i]) != 0)
			found = some[i];
	if (found != NULL ||
	    gnutls_x509_crt_get_raw_issuer_dn(cert, &name) != GNUTLS_E_SUCCESS)
		return found;
	n = named(some, a, name);
	gnutls_free(name.data);
	return issuer(cert, some, n, when);
}

struct path {
	gnutls_x509_crt_t cert[STS_CHAIN_MAX];
	unsigned n;
	gnutls_x509_crt_t anchor; /* NULL: none found */
};

/* From the leaf upwards, to the first anchor.  Takes used ones out of rest. */
static void
find_path(struct path *path, struct sts_anchors *a, gnutls_x509_crt_t *rest,
    unsigned n, int64_t when)
{
	gnutls_x509_crt_t cert = rest[0];

	while (cert != NULL) {
		for (unsigned i = 0; i < n; i++)
			if (rest[i] == cert)
				rest[i] = NULL;
		path->cert[path->n++] = cert;
		if ((path->anchor = anchor_of(cert, a, when)) != NULL)
			return;
		cert = issuer(cert, rest, n, when);
	}
}

/* RFC 5280 4.2.1.12; no extension allows all, anyExtendedKeyUsage nothing. */
static bool
server_purpose(gnutls_x509_crt_t cert)
{
	return gnutls_x509_crt_check_key_purpose(cert, GNUTLS_KP_TLS_WWW_SERVER,
		   GNUTLS_KP_FLAG_DISALLOW_ANY) != 0;
}

/* RFC 5280 4.2.1.3: one of those that a TLS server can have a use for. */
static bool
server_usage(gnutls_x509_crt_t leaf)
{
	static const unsigned need = GNUTLS_KEY_DIGITAL_SIGNATURE |
	    GNUTLS_KEY_KEY_ENCIPHERMENT | GNUTLS_KEY_KEY_AGREEMENT;
	unsigned usage = 0;

	return gnutls_x509_crt_get_key_usage(leaf, &usage, NULL) < 0 ||
	    (usage & need) != 0;
}

static const char *
status_text(unsigned status)
{
	static const struct {
		unsigned bit;
		const char *text;
	} table[] = {
		{ GNUTLS_CERT_SIGNATURE_FAILURE, "bad signature" },
		{ GNUTLS_CERT_SIGNER_NOT_CA, "an issuer that is no CA" },
		{ GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE,
		    "an issuer's constraints are broken" },
		{ GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS,
		    "unknown critical extension" },
		{ GNUTLS_CERT_INSECURE_ALGORITHM, "weak key or signature" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if ((status & table[i].bit) != 0)
			return table[i].text;
	return "chain not trusted";
}

static void
trust(struct sts_chain_facts *f, struct path *path)
{
	gnutls_x509_crt_t last = path->cert[path->n - 1];
	unsigned status = GNUTLS_CERT_INVALID;

	f->trust = STS_CHAIN_BROKEN;
	if (path->anchor == NULL) {
		f->why = "self-signed certificate";
		if (gnutls_x509_crt_check_issuer(last, last) == 0)
			f->trust = STS_CHAIN_UNKNOWN;
		return;
	}
	for (unsigned i = 1; i < path->n; i++)
		if (!server_purpose(path->cert[i])) {
			f->why = "an issuer that is not for TLS servers";
			return;
		}
	if (gnutls_x509_crt_list_verify(path->cert, path->n, &path->anchor, 1,
		NULL, 0, flags, &status) == GNUTLS_E_SUCCESS &&
	    status == 0)
		f->trust = STS_CHAIN_ANCHORED;
	else
		f->why = status_text(status);
}

/* Time before 1970 is -1 to GnuTLS. */
static void
times(struct sts_chain_facts *f, gnutls_x509_crt_t cert)
{
	int64_t from = gnutls_x509_crt_get_activation_time(cert);
	int64_t until = gnutls_x509_crt_get_expiration_time(cert);

	f->path[f->npath].not_before = from < 0 ? 0 : from;
	f->path[f->npath++].not_after = until < 0 ? 0 : until;
}

static void
look(struct sts_chain_facts *f, struct sts_anchors *a, gnutls_x509_crt_t *chain,
    size_t n, int64_t when)
{
	gnutls_x509_crt_t rest[STS_CHAIN_MAX] = { NULL };
	struct path path = { .n = 0 };

	memcpy(rest, chain, n * sizeof *chain);
	find_path(&path, a, rest, (unsigned)n, when);
	f->not_server = !server_purpose(chain[0]) || !server_usage(chain[0]);
	trust(f, &path);
	for (unsigned i = 0; i < path.n; i++)
		times(f, path.cert[i]);
	if (path.anchor != NULL &&
	    gnutls_x509_crt_equals(path.anchor, path.cert[path.n - 1]) == 0)
		times(f, path.anchor);
}

enum sts_rc
sts_chain_judge(struct sts_chain_verdict *out, struct sts_anchors *a,
    const struct sts_str *der, size_t n, const char *host, int64_t when)
{
	struct sts_chain_facts facts = { .trust = STS_CHAIN_ANCHORED };
	gnutls_x509_crt_t chain[STS_CHAIN_MAX] = { NULL };
	enum sts_rc rc = STS_OK;
	const char *fault = NULL;

	if (!sts_chain_shape(out, der, n))
		return STS_OK;
	for (size_t i = 0; i < n && fault == NULL; i++)
		chain[i] = parse(der[i], &fault);
	if (fault == NULL) {
		look(&facts, a, chain, n, when);
		sts_chain_weigh(out, &facts, der[0], n, host, when);
	} else if (fault[0] != '\0')
		sts_chain_refuse(out, fault);
	else
		rc = STS_NOMEM;
	for (size_t i = 0; i < n && chain[i] != NULL; i++)
		gnutls_x509_crt_deinit(chain[i]);
	return rc;
}
