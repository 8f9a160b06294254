/* SPDX-License-Identifier: ISC */
/*
 * The table of chain.h.  Built twice, with cert_openssl.c and cert_gnutls.c:
 * each row wants the same answer of both.
 *
 *   chain           the table
 *   chain bench [CA_FILE]
 *                   how many chains are judged in a second
 */
#include <time.h>
#include <unistd.h>

#include "row.h"

#include "chain.h"
#include "chain_make.h"
#include "tls.h"

static const char ca_file[] = "chain-anchors.pem"; /* and the flavour */

/* An authority by its letter in the rows. */
struct ca {
	char letter, by; /* by 0: itself */
	bool anchor;     /* lies in the CA store */
	char key;        /* shares the key of that one */
	struct make make;
	X509 *cert;
	EVP_PKEY *priv;
};

#define CA_BITS .constraints = "critical,CA:TRUE", .usage = "keyCertSign"
#define YEARS .from = -1000, .until = 1000

static struct ca cas[] = {
	{ 'R', 0, true, 0, .make = { .cn = "root", YEARS, CA_BITS } },
	{ 'I', 'R', false, 0, .make = { .cn = "inter", YEARS, CA_BITS } },
	{ 'J', 'I', false, 0, .make = { .cn = "inter 2", YEARS, CA_BITS } },
	{ 'X', 'R', false, 0,
	    .make = { .cn = "old", .from = -1000, .until = -10, CA_BITS } },
	{ 'Y', 'R', false, 0,
	    .make = { .cn = "young", .from = 10, .until = 1000, CA_BITS } },
	{ 'C', 'R', false, 0,
	    .make = { .cn = "for clients",
		YEARS,
		CA_BITS,
		.eku = "clientAuth" } },
	{ 'N', 'R', false, 0,
	    .make = { .cn = "narrow",
		YEARS,
		CA_BITS,
		.name_constraints = "critical,permitted;DNS:example.net" } },
	{ 'B', 'R', false, 0, .make = { .cn = "no ca", YEARS } },
	{ 'P', 'R', false, 0,
	    .make = { .cn = "short",
		YEARS,
		.constraints = "CA:TRUE,pathlen:0",
		.usage = "keyCertSign" } },
	{ 'Q', 'P', false, 0, .make = { .cn = "too long", YEARS, CA_BITS } },
	{ 'U', 0, false, 0, .make = { .cn = "unknown root", YEARS, CA_BITS } },
	{ 'V', 'U', false, 0,
	    .make = { .cn = "unknown inter", YEARS, CA_BITS } },
	/* who would be R, did the key not differ */
	{ 'F', 0, false, 0,
	    .make = { .cn = "root", YEARS, CA_BITS, .bare = true } },
	{ 'E', 0, true, 0,
	    .make = { .cn = "old root", .from = -1000, .until = -1, CA_BITS } },
	{ 'G', 0, true, 0,
	    .make = { .cn = "renewed", .from = -1000, .until = -1, CA_BITS } },
	{ 'H', 0, true, 'G', .make = { .cn = "renewed", YEARS, CA_BITS } },
	/* R known by a root that has expired, as many a cross-sign has */
	{ 'K', 'E', false, 'R', .make = { .cn = "root", YEARS, CA_BITS } },
	/* an anchor that is no root */
	{ 'A', 'U', true, 0,
	    .make = { .cn = "trusted inter", YEARS, CA_BITS } },
	{ 'S', 0, true, 's', .make = { .cn = "rsa root", YEARS, CA_BITS } },
	{ 'W', 'R', false, 'w',
	    .make = { .cn = "weak inter", YEARS, CA_BITS } },
};

/* What is done to the leaf's bytes. */
enum twist { AS_IS, TRUNCATED, TAIL, NOISE, LONG_FORM, EMPTY, OVERSIZE, FLIP };

static EVP_PKEY *leaf_key, *rsa_key, *weak_key, *short_key, *huge_key;
static EVP_PKEY *slow_key, *odd_key;

#define MX "DNS:mx1.example.com"
#define WRONG "DNS:mx1.example.net"

static const struct row {
	const char *clause;
	char by;           /* 0: self-signed */
	const char *chain; /* L: the leaf */
	struct make leaf;
	enum sts_cert want;
	bool incomplete;
	EVP_PKEY **key; /* NULL: leaf_key */
	enum twist twist;
} table[] = {
	{ "ok", 'I', "LI", { .san = MX }, .want = STS_CERT_OK },
	{ "ok, by the root itself", 'R', "L", { .san = MX },
	    .want = STS_CERT_OK },
	{ "ok, root sent too", 'I', "LIR", { .san = MX }, .want = STS_CERT_OK },
	{ "ok, issuers in disorder", 'J', "LRIJ", { .san = MX },
	    .want = STS_CERT_OK },
	{ "ok, a stranger among them", 'I', "LUI", { .san = MX },
	    .want = STS_CERT_OK },
	{ "ok, ten", 'I', "LIIIIIIIII", { .san = MX }, .want = STS_CERT_OK },
	{ "ok, extended key usage", 'I', "LI",
	    { .san = MX, .eku = "clientAuth,serverAuth" },
	    .want = STS_CERT_OK },
	{ "ok, key usage", 'I', "LI",
	    { .san = MX, .usage = "critical,digitalSignature" },
	    .want = STS_CERT_OK },
	{ "ok, odd extension", 'I', "LI", { .san = MX, .odd = "plain" },
	    .want = STS_CERT_OK },
	{ "ok, anchor that is no root", 'A', "L", { .san = MX },
	    .want = STS_CERT_OK },
	{ "ok, of two roots the valid one", 'H', "L", { .san = MX },
	    .want = STS_CERT_OK },
	{ "ok, cross-signed by an expired root", 'R', "LKE", { .san = MX },
	    .want = STS_CERT_OK },
	{ "ok, RSA", 'S', "L", { .san = MX }, .want = STS_CERT_OK,
	    .key = &rsa_key },
	{ "RFC 8461 4.2 wildcard", 'I', "LI", { .san = "DNS:*.example.com" },
	    .want = STS_CERT_OK },
	{ "RFC 8461 4.2 wildcard of two labels", 'I', "LI",
	    { .san = "DNS:*.com" }, .want = STS_CERT_HOST_MISMATCH },
	{ "RFC 8461 4.2 wildcard in a label", 'I', "LI",
	    { .san = "DNS:mx*.example.com" }, .want = STS_CERT_HOST_MISMATCH },
	{ "RFC 8461 4.2 CN only", 'I', "LI", { .cn = "mx1.example.com" },
	    .want = STS_CERT_HOST_MISMATCH },
	{ "RFC 8461 4.2 IP only", 'I', "LI", { .san = "IP:192.0.2.1" },
	    .want = STS_CERT_HOST_MISMATCH },
	{ "RFC 8461 4.2 URI only", 'I', "LI",
	    { .san = "URI:smtp://mx1.example.com" },
	    .want = STS_CERT_HOST_MISMATCH },
	{ "wrong name", 'I', "LI", { .san = WRONG },
	    .want = STS_CERT_HOST_MISMATCH },
	{ "expired", 'I', "LI", { .san = MX, .from = -100, .until = -1 },
	    .want = STS_CERT_EXPIRED },
	{ "expired, wrong name", 'I', "LI",
	    { .san = WRONG, .from = -100, .until = -1 },
	    .want = STS_CERT_EXPIRED },
	{ "expired, self-signed", 0, "L",
	    { .san = MX, .from = -100, .until = -1 },
	    .want = STS_CERT_EXPIRED },
	{ "expired, for clients", 'I', "LI",
	    { .san = MX, .from = -100, .until = -1, .eku = "clientAuth" },
	    .want = STS_CERT_EXPIRED },
	{ "expired, leaf alone", 'I', "L",
	    { .san = MX, .from = -100, .until = -1 }, .want = STS_CERT_EXPIRED,
	    true },
	{ "RFC 5280 4.1.2.5 notAfter is inside", 'I', "LI",
	    { .san = MX, .from = -1, .until = 0 }, .want = STS_CERT_OK },
	{ "RFC 5280 4.1.2.5 notBefore is inside", 'I', "LI",
	    { .san = MX, .from = 0, .until = 1 }, .want = STS_CERT_OK },
	{ "before 1970, ok", 'I', "LI",
	    { .san = MX, .from = -20000, .until = 9 }, .want = STS_CERT_OK },
	{ "before 1970, expired", 'I', "LI",
	    { .san = MX, .from = -20000, .until = -19000 },
	    .want = STS_CERT_EXPIRED },
	{ "year 9999, ok", 'I', "LI",
	    { .san = MX, .from = -9, .until = 2900000 }, .want = STS_CERT_OK },
	{ "not yet valid", 'I', "LI", { .san = MX, .from = 1, .until = 9 },
	    .want = STS_CERT_NOT_YET_VALID },
	{ "expired issuer", 'X', "LX", { .san = MX },
	    .want = STS_CERT_EXPIRED },
	{ "expired issuer, wrong name", 'X', "LX", { .san = WRONG },
	    .want = STS_CERT_EXPIRED },
	{ "issuer not yet valid", 'Y', "LY", { .san = MX },
	    .want = STS_CERT_NOT_YET_VALID },
	{ "expired root", 'E', "L", { .san = MX }, .want = STS_CERT_EXPIRED },
	{ "self-signed", 0, "L", { .san = MX }, .want = STS_CERT_NOT_TRUSTED },
	{ "self-signed, wrong name", 0, "L", { .san = WRONG },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "unknown CA", 'V', "LVU", { .san = MX },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "unknown CA, wrong name", 'V', "LVU", { .san = WRONG },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "unknown CA, its root not sent", 'V', "LV", { .san = WRONG },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "a link is missing", 'J', "LR", { .san = WRONG },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "leaf alone", 'I', "L", { .san = MX }, .want = STS_CERT_NOT_TRUSTED,
	    true },
	{ "leaf alone, wrong name", 'I', "L", { .san = WRONG },
	    .want = STS_CERT_HOST_MISMATCH, true },
	{ "leaf alone, unknown CA", 'U', "L", { .san = WRONG },
	    .want = STS_CERT_HOST_MISMATCH, true },
	{ "leaf alone, for clients, wrong name", 'I', "L",
	    { .san = WRONG, .eku = "clientAuth" }, .want = STS_CERT_NOT_TRUSTED,
	    true },
	{ "leaf alone, weak, wrong name", 'I', "L", { .san = WRONG },
	    .want = STS_CERT_HOST_MISMATCH, true, .key = &weak_key },
	{ "RFC 5280 4.2.1.12 for clients", 'I', "LI",
	    { .san = MX, .eku = "clientAuth" }, .want = STS_CERT_NOT_TRUSTED },
	{ "RFC 5280 4.2.1.12 for any", 'I', "LI",
	    { .san = MX, .eku = "anyExtendedKeyUsage" },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "RFC 5280 4.2.1.12 issuer for clients", 'C', "LC", { .san = MX },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "RFC 5280 4.2.1.3 key usage", 'I', "LI",
	    { .san = MX, .usage = "critical,cRLSign" },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "RFC 5280 4.2.1.9 issuer is no CA", 'B', "LB", { .san = MX },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "RFC 5280 4.2.1.9 path length", 'Q', "LQP", { .san = MX },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "RFC 5280 4.2.1.10 name constraints", 'N', "LN", { .san = MX },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "RFC 5280 4.2 critical extension", 'I', "LI",
	    { .san = MX, .odd = "critical" }, .want = STS_CERT_NOT_TRUSTED },
	{ "signature of another key", 'F', "L", { .san = MX, .bare = true },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "signature broken", 'I', "LI", { .san = MX },
	    .want = STS_CERT_NOT_TRUSTED, .twist = FLIP },
	{ "SHA-1", 'S', "L", { .san = MX, .md = EVP_sha1 },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "MD5", 'S', "L", { .san = MX, .md = EVP_md5 },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "RSA 512", 'I', "LI", { .san = MX }, .want = STS_CERT_NOT_TRUSTED,
	    .key = &weak_key },
	{ "RSA 1024", 'I', "LI", { .san = MX }, .want = STS_CERT_NOT_TRUSTED,
	    .key = &short_key },
	{ "RSA 1024, issuer", 'W', "LW", { .san = MX },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "leaf not first", 'I', "IL", { .san = MX },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "leaf not first, is no CA", 'R', "BL", { .san = MX },
	    .want = STS_CERT_HOST_MISMATCH },
	{ "RSA 16384", 'I', "LI", { .san = MX }, .want = STS_CERT_OTHER,
	    .key = &huge_key },
	{ "RSA, large exponent", 'I', "LI", { .san = MX },
	    .want = STS_CERT_OTHER, .key = &slow_key },
	{ "X25519", 'I', "LI", { .san = MX }, .want = STS_CERT_OTHER,
	    .key = &odd_key },
	{ "truncated", 'I', "LI", { .san = MX }, .want = STS_CERT_OTHER,
	    .twist = TRUNCATED },
	{ "bytes behind", 'I', "LI", { .san = MX }, .want = STS_CERT_OTHER,
	    .twist = TAIL },
	{ "X.690 10.1 longer length", 'I', "LI", { .san = MX },
	    .want = STS_CERT_OTHER, .twist = LONG_FORM },
	{ "garbage", 'I', "LI", { .san = MX }, .want = STS_CERT_OTHER,
	    .twist = NOISE },
	{ "no bytes", 'I', "LI", { .san = MX }, .want = STS_CERT_OTHER,
	    .twist = EMPTY },
	{ "no bytes, not first", 'I', "IL", { .san = MX },
	    .want = STS_CERT_OTHER, .twist = EMPTY },
	{ "16385 bytes", 'I', "LI", { .san = MX }, .want = STS_CERT_OTHER,
	    .twist = OVERSIZE },
	{ "no certificate", 'I', "", { .san = MX }, .want = STS_CERT_OTHER },
	{ "eleven", 'I', "LIIIIIIIIII", { .san = MX }, .want = STS_CERT_OTHER },
};

static struct ca *
ca_of(char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(cas); i++)
		if (cas[i].letter == letter)
			return &cas[i];
	fprintf(stderr, "no authority %c\n", letter);
	exit(99);
}

static EVP_PKEY *
key_of(const struct ca *ca)
{
	if (ca->key == 's' || ca->key == 'w')
		return ca->key == 's' ? rsa_key : short_key;
	return ca->key != 0 ? ca_of(ca->key)->priv : EVP_EC_gen("P-256");
}

static void
make_all(struct sts_conf *conf)
{
	static char path[64];
	FILE *fp;

	snprintf(path, sizeof path, "%s.%s", tls_name(), ca_file);
	made((fp = fopen(path, "w")) != NULL, path);
	leaf_key = EVP_EC_gen("P-256");
	rsa_key = EVP_RSA_gen(2048);
	weak_key = EVP_RSA_gen(512);
	short_key = EVP_RSA_gen(1024);
	huge_key = make_rsa_public(16384, 17);
	slow_key = make_rsa_public(2048, 2000);
	odd_key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	for (size_t i = 0; i < ARRAY_LEN(cas); i++) {
		struct ca *ca = &cas[i],
			  *by = ca->by == 0 ? NULL : ca_of(ca->by);

		ca->priv = ca->make.key = key_of(ca);
		ca->cert = make_cert(&ca->make, by == NULL ? NULL : by->cert,
		    by == NULL ? ca->priv : by->priv);
		if (ca->anchor)
			PEM_write_X509(fp, ca->cert);
	}
	made(fclose(fp) == 0, path);
	*conf = (struct sts_conf){ .ca_file = path };
}

static struct sts_str
der_of(X509 *cert)
{
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);

	made(n > 0, "DER");
	return (struct sts_str){ (char *)der, (size_t)n };
}

/* Right before an unreadable page. */
static struct sts_str
twisted(struct sts_str der, enum twist twist)
{
	static char more[STS_CHAIN_DER_MAX + 1];
	size_t len = der.len;

	memset(more, 0, sizeof more);
	memcpy(more, der.p, der.len);
	switch (twist) {
	case AS_IS:
		break;
	case TRUNCATED:
		len--;
		break;
	case TAIL:
		len++;
		break;
	case NOISE: /* an outer SEQUENCE of nonsense */
		memset(more + 4, 0xa5, len - 4);
		break;
	case LONG_FORM:
		memcpy(more, "\x30\x83\x00", 3);
		memcpy(more + 3, der.p + 2, len - 2);
		len++;
		break;
	case EMPTY:
		len = 0;
		break;
	case OVERSIZE:
		len = sizeof more;
		memcpy(more, "\x30\x82\x3f\xfd", 4);
		break;
	case FLIP: /* in the signature */
		more[len - 1] = (char)(more[len - 1] ^ 1);
	}
	return (struct sts_str){ guard_copy(more, len), len };
}

static size_t
build(struct sts_str der[], const struct row *row)
{
	struct make make = row->leaf;
	struct ca *by = row->by == 0 ? NULL : ca_of(row->by);
	struct sts_str leaf;
	size_t n = strlen(row->chain);
	X509 *cert;

	make.key = row->key == NULL ? leaf_key : *row->key;
	if (make.cn == NULL)
		make.cn = "leaf";
	cert = make_cert(&make, by == NULL ? NULL : by->cert,
	    by == NULL ? make.key : by->priv);
	leaf = der_of(cert);
	for (size_t i = 0; i < n; i++)
		der[i] = row->chain[i] == 'L'
		    ? twisted(leaf, row->twist)
		    : der_of(ca_of(row->chain[i])->cert);
	OPENSSL_free((void *)(uintptr_t)leaf.p);
	X509_free(cert);
	return n;
}

static void
release(struct sts_str der[], const struct row *row)
{
	for (size_t i = 0; row->chain[i] != '\0'; i++)
		if (row->chain[i] != 'L')
			OPENSSL_free((void *)(uintptr_t)der[i].p);
}

static void
verdicts(void **state)
{
	struct sts_anchors *anchors = *state;
	struct sts_chain_verdict v;
	struct sts_str der[16];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct row *r = &table[i];

		n = build(der, r);
		memset(&v, 0xff, sizeof v);
		ROW(sts_chain_judge(&v, anchors, der, n, "mx1.example.com",
			NOON) == STS_OK &&
			v.cert == r->want && v.incomplete == r->incomplete,
		    "%s: want %d%s, got %d%s: %s", r->clause, r->want,
		    r->incomplete ? "?" : "", v.cert, v.incomplete ? "?" : "",
		    v.why);
		ROW((v.cert == STS_CERT_OK) == (v.why[0] == '\0') &&
			(v.why[0] == '\0' || str_all(str_of(v.why), is_print)),
		    "%s: why: %s", r->clause, v.why);
		if (getenv("CHAIN_SHOW") != NULL)
			print_message("%-40s %d %s\n", r->clause, v.cert,
			    v.why);
		release(der, r);
	}
	rows_done();
}

/* Any single byte of a good leaf changed, any length: an answer, no crash. */
static void
mutations(void **state)
{
	static const struct row good = { "good", 'S', "L", { .san = MX },
		.want = STS_CERT_OK };
	unsigned seen[STS_CERT_OTHER + 1] = { 0 };
	struct sts_chain_verdict v;
	struct sts_str der, bad;
	char copy[4096];

	build(&der, &good);
	memcpy(copy, der.p, der.len);
	for (size_t i = 0; i < der.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			copy[i] = (char)(copy[i] ^ 1 << bit);
			bad = (struct sts_str){ guard_copy(copy, der.len),
				der.len };
			assert_int_equal(sts_chain_judge(&v, *state, &bad, 1,
					     "mx1.example.com", NOON),
			    STS_OK);
			ROW(v.cert != STS_CERT_OK, "byte %zu bit %d: ok", i,
			    bit);
			seen[v.cert]++;
			copy[i] = (char)(copy[i] ^ 1 << bit);
		}
	for (size_t len = 0; len < der.len; len++) {
		bad = (struct sts_str){ guard_copy(copy, len), len };
		assert_int_equal(sts_chain_judge(&v, *state, &bad, 1,
				     "mx1.example.com", NOON),
		    STS_OK);
		ROW(v.cert == STS_CERT_OTHER, "%zu bytes: %d", len, v.cert);
	}
	print_message("of changed leaves: %u expired, %u not yet valid, "
		      "%u not trusted, %u wrong name, %u other\n",
	    seen[STS_CERT_EXPIRED], seen[STS_CERT_NOT_YET_VALID],
	    seen[STS_CERT_NOT_TRUSTED], seen[STS_CERT_HOST_MISMATCH],
	    seen[STS_CERT_OTHER]);
	rows_done();
}

static void
stores(void **state)
{
	struct sts_anchors *a;
	struct sts_err err;
	struct sts_conf conf = { .ca_file = "/nonexistent" };

	(void)state;
	assert_int_equal(sts_anchors_open(&a, &conf, &err), STS_LOCAL);
	assert_null(a);
	conf.ca_file = "/dev/null";
	assert_int_equal(sts_anchors_open(&a, &conf, &err), STS_LOCAL);
	assert_null(a);
	sts_anchors_close(NULL);
}

static void
bench(struct sts_anchors *a)
{
	static const struct row rows_of[] = {
		{ "leaf, its issuer unknown", 'I', "L",
		    .leaf = { .san = WRONG } },
		{ "leaf and one issuer, P-256", 'I', "LI",
		    .leaf = { .san = WRONG } },
		{ "leaf by an anchor, RSA 2048", 'S', "L",
		    .leaf = { .san = WRONG } },
	};
	struct sts_chain_verdict v;
	struct timespec t0, t1;
	struct sts_str der[4];
	double s = 0;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(rows_of); i++) {
		unsigned done = 0;

		n = build(der, &rows_of[i]);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
		do {
			for (int k = 0; k < 100; k++, done++)
				sts_chain_judge(&v, a, der, n,
				    "mx1.example.com", NOON);
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
			s = (double)(t1.tv_sec - t0.tv_sec) +
			    (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
		} while (s < 1);
		printf("%s: %s: %.0f/s\n", tls_name(), rows_of[i].clause,
		    done / s);
		release(der, &rows_of[i]);
	}
}

int
main(int argc, char *argv[])
{
	struct sts_anchors *a = NULL;
	struct sts_conf conf;
	const char *made_file;
	struct sts_err err;
	enum sts_rc opened;
	int rc = 0;

	make_all(&conf);
	made_file = conf.ca_file;
	if (argc > 2)
		conf.ca_file = argv[2];
	opened = sts_anchors_open(&a, &conf, &err);
	unlink(made_file); /* has been read as a whole */
	if (opened != STS_OK) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	if (argc > 1)
		bench(a);
	else {
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(verdicts, a),
			cmocka_unit_test_prestate(mutations, a),
			cmocka_unit_test(stores),
		};
		rc = cmocka_run_group_tests(tests, NULL, NULL);
	}
	sts_anchors_close(a);
	return rc;
}
