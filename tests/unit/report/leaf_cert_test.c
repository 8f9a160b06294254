/* SPDX-License-Identifier: ISC */
/*
 * The table of leaf_cert.h.
 *
 *   leaf_cert       the table
 *   leaf_cert bench [CA_FILE]
 *                   how many certificates are judged in a second
 */
#include <time.h>
#include <unistd.h>

#include "cert_make.h"
#include "leaf_cert.h"
#include "row.h"

static char ca_file[] = "/tmp/mtasts-leaf.XXXXXX";

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
	{ 'U', 0, false, 0, .make = { .cn = "unknown root", YEARS, CA_BITS } },
	/* who would be R, did the key not differ */
	{ 'F', 0, false, 0,
	    .make = { .cn = "root", YEARS, CA_BITS, .bare = true } },
	{ 'E', 0, true, 0,
	    .make = { .cn = "old root", .from = -1000, .until = -1, CA_BITS } },
	{ 'G', 0, true, 0,
	    .make = { .cn = "renewed", .from = -1000, .until = -1, CA_BITS } },
	{ 'H', 0, true, 'G', .make = { .cn = "renewed", YEARS, CA_BITS } },
	/* an anchor that is no root */
	{ 'A', 'U', true, 0,
	    .make = { .cn = "trusted inter", YEARS, CA_BITS } },
	{ 'S', 0, true, 's', .make = { .cn = "rsa root", YEARS, CA_BITS } },
};

/* What is done to the leaf's bytes. */
enum twist { AS_IS, TRUNCATED, TAIL, NOISE, LONG_FORM, EMPTY, OVERSIZE, FLIP };

static EVP_PKEY *leaf_key, *rsa_key, *weak_key, *short_key, *huge_key;
static EVP_PKEY *slow_key, *odd_key;

#define MX "DNS:mx1.example.com"
#define WRONG "DNS:mx1.example.net"

static const struct row {
	const char *clause;
	char by; /* 0: self-signed */
	struct make leaf;
	enum sts_cert want;
	EVP_PKEY **key; /* NULL: leaf_key */
	enum twist twist;
} table[] = {
	{ "ok", 'R', { .san = MX }, .want = STS_CERT_OK },
	{ "ok, extended key usage", 'R',
	    { .san = MX, .eku = "clientAuth,serverAuth" },
	    .want = STS_CERT_OK },
	{ "ok, key usage", 'R',
	    { .san = MX, .usage = "critical,digitalSignature" },
	    .want = STS_CERT_OK },
	{ "ok, odd extension", 'R', { .san = MX, .odd = "plain" },
	    .want = STS_CERT_OK },
	{ "ok, anchor that is no root", 'A', { .san = MX },
	    .want = STS_CERT_OK },
	{ "ok, of two roots the valid one", 'H', { .san = MX },
	    .want = STS_CERT_OK },
	{ "ok, RSA", 'S', { .san = MX }, .want = STS_CERT_OK, .key = &rsa_key },
	{ "RFC 8461 4.2 wildcard", 'R', { .san = "DNS:*.example.com" },
	    .want = STS_CERT_OK },
	{ "RFC 8461 4.2 wildcard of two labels", 'R', { .san = "DNS:*.com" },
	    .want = STS_CERT_HOST_MISMATCH },
	{ "RFC 8461 4.2 wildcard in a label", 'R',
	    { .san = "DNS:mx*.example.com" }, .want = STS_CERT_HOST_MISMATCH },
	{ "RFC 8461 4.2 CN only", 'R', { .cn = "mx1.example.com" },
	    .want = STS_CERT_HOST_MISMATCH },
	{ "RFC 8461 4.2 IP only", 'R', { .san = "IP:192.0.2.1" },
	    .want = STS_CERT_HOST_MISMATCH },
	{ "RFC 8461 4.2 URI only", 'R', { .san = "URI:smtp://mx1.example.com" },
	    .want = STS_CERT_HOST_MISMATCH },
	{ "wrong name", 'R', { .san = WRONG }, .want = STS_CERT_HOST_MISMATCH },
	{ "expired", 'R', { .san = MX, .from = -100, .until = -1 },
	    .want = STS_CERT_EXPIRED },
	{ "expired, wrong name", 'R',
	    { .san = WRONG, .from = -100, .until = -1 },
	    .want = STS_CERT_EXPIRED },
	{ "expired, self-signed", 0, { .san = MX, .from = -100, .until = -1 },
	    .want = STS_CERT_EXPIRED },
	{ "expired, for clients", 'R',
	    { .san = MX, .from = -100, .until = -1, .eku = "clientAuth" },
	    .want = STS_CERT_EXPIRED },
	{ "expired, issuer not in the store", 'U',
	    { .san = MX, .from = -100, .until = -1 },
	    .want = STS_CERT_EXPIRED },
	{ "RFC 5280 4.1.2.5 notAfter is inside", 'R',
	    { .san = MX, .from = -1, .until = 0 }, .want = STS_CERT_OK },
	{ "RFC 5280 4.1.2.5 notBefore is inside", 'R',
	    { .san = MX, .from = 0, .until = 1 }, .want = STS_CERT_OK },
	{ "before 1970, ok", 'R', { .san = MX, .from = -20000, .until = 9 },
	    .want = STS_CERT_OK },
	{ "before 1970, expired", 'R',
	    { .san = MX, .from = -20000, .until = -19000 },
	    .want = STS_CERT_EXPIRED },
	{ "year 9999, ok", 'R', { .san = MX, .from = -9, .until = 2900000 },
	    .want = STS_CERT_OK },
	{ "not yet valid", 'R', { .san = MX, .from = 1, .until = 9 },
	    .want = STS_CERT_NOT_YET_VALID },
	{ "expired root", 'E', { .san = MX }, .want = STS_CERT_EXPIRED },
	{ "self-signed", 0, { .san = MX }, .want = STS_CERT_NOT_TRUSTED },
	{ "self-signed, wrong name", 0, { .san = WRONG },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "issuer not in the store", 'U', { .san = MX },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "issuer not in the store, wrong name", 'U', { .san = WRONG },
	    .want = STS_CERT_HOST_MISMATCH },
	{ "issuer not in the store, for clients, wrong name", 'U',
	    { .san = WRONG, .eku = "clientAuth" },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "issuer not in the store, weak, wrong name", 'U', { .san = WRONG },
	    .want = STS_CERT_HOST_MISMATCH, .key = &weak_key },
	{ "RFC 5280 4.2.1.12 for clients", 'R',
	    { .san = MX, .eku = "clientAuth" }, .want = STS_CERT_NOT_TRUSTED },
	{ "RFC 5280 4.2.1.12 for any", 'R',
	    { .san = MX, .eku = "anyExtendedKeyUsage" },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "RFC 5280 4.2.1.3 key usage", 'R',
	    { .san = MX, .usage = "critical,cRLSign" },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "RFC 5280 4.2 critical extension", 'R',
	    { .san = MX, .odd = "critical" }, .want = STS_CERT_NOT_TRUSTED },
	{ "signature of another key", 'F', { .san = MX, .bare = true },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "signature broken", 'R', { .san = MX }, .want = STS_CERT_NOT_TRUSTED,
	    .twist = FLIP },
	{ "SHA-1", 'S', { .san = MX, .md = EVP_sha1 },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "MD5", 'S', { .san = MX, .md = EVP_md5 },
	    .want = STS_CERT_NOT_TRUSTED },
	{ "RSA 512", 'R', { .san = MX }, .want = STS_CERT_NOT_TRUSTED,
	    .key = &weak_key },
	{ "RSA 1024", 'R', { .san = MX }, .want = STS_CERT_NOT_TRUSTED,
	    .key = &short_key },
	{ "RSA 16384", 'R', { .san = MX }, .want = STS_CERT_OTHER,
	    .key = &huge_key },
	{ "RSA, large exponent", 'R', { .san = MX }, .want = STS_CERT_OTHER,
	    .key = &slow_key },
	{ "X25519", 'R', { .san = MX }, .want = STS_CERT_OTHER,
	    .key = &odd_key },
	{ "truncated", 'R', { .san = MX }, .want = STS_CERT_OTHER,
	    .twist = TRUNCATED },
	{ "bytes behind", 'R', { .san = MX }, .want = STS_CERT_OTHER,
	    .twist = TAIL },
	{ "X.690 10.1 longer length", 'R', { .san = MX },
	    .want = STS_CERT_OTHER, .twist = LONG_FORM },
	{ "garbage", 'R', { .san = MX }, .want = STS_CERT_OTHER,
	    .twist = NOISE },
	{ "no bytes", 'R', { .san = MX }, .want = STS_CERT_OTHER,
	    .twist = EMPTY },
	{ "16385 bytes", 'R', { .san = MX }, .want = STS_CERT_OTHER,
	    .twist = OVERSIZE },
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
	if (ca->key == 's')
		return rsa_key;
	return ca->key != 0 ? ca_of(ca->key)->priv : EVP_EC_gen("P-256");
}

static void
make_all(struct sts_conf *conf)
{
	int fd = mkstemp(ca_file);
	FILE *fp = fd == -1 ? NULL : fdopen(fd, "w");

	made(fp != NULL, ca_file);
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
	made(fclose(fp) == 0, ca_file);
	*conf = (struct sts_conf){ .ca_file = ca_file };
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
	static char more[LEAF_DER_MAX + 1];
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

static struct sts_str
build(const struct row *row)
{
	struct make make = row->leaf;
	struct ca *by = row->by == 0 ? NULL : ca_of(row->by);
	struct sts_str leaf, out;
	X509 *cert;

	make.key = row->key == NULL ? leaf_key : *row->key;
	if (make.cn == NULL)
		make.cn = "leaf";
	cert = make_cert(&make, by == NULL ? NULL : by->cert,
	    by == NULL ? make.key : by->priv);
	leaf = der_of(cert);
	out = twisted(leaf, row->twist);
	OPENSSL_free((void *)(uintptr_t)leaf.p);
	X509_free(cert);
	return out;
}

static void
verdicts(void **state)
{
	struct leaf_verdict v;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct row *r = &table[i];

		memset(&v, 0xff, sizeof v);
		ROW(leaf_cert_check(&v, *state, build(r), "mx1.example.com",
			NOON) == STS_OK &&
			v.cert == r->want,
		    "%s: want %d, got %d: %s", r->clause, r->want, v.cert,
		    v.why);
		ROW((v.cert == STS_CERT_OK) == (v.why[0] == '\0') &&
			(v.why[0] == '\0' || str_all(str_of(v.why), is_print)),
		    "%s: why: %s", r->clause, v.why);
	}
	rows_done();
}

/* Any single byte of a good leaf changed, any length: an answer, no crash. */
static void
mutations(void **state)
{
	static const struct row good = { "good", 'S', { .san = MX },
		.want = STS_CERT_OK };
	unsigned seen[STS_CERT_OTHER + 1] = { 0 };
	struct leaf_verdict v;
	struct sts_str der, bad;
	char copy[4096];

	der = build(&good);
	memcpy(copy, der.p, der.len);
	for (size_t i = 0; i < der.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			copy[i] = (char)(copy[i] ^ 1 << bit);
			bad = (struct sts_str){ guard_copy(copy, der.len),
				der.len };
			assert_int_equal(leaf_cert_check(&v, *state, bad,
					     "mx1.example.com", NOON),
			    STS_OK);
			ROW(v.cert != STS_CERT_OK, "byte %zu bit %d: ok", i,
			    bit);
			seen[v.cert]++;
			copy[i] = (char)(copy[i] ^ 1 << bit);
		}
	for (size_t len = 0; len < der.len; len++) {
		bad = (struct sts_str){ guard_copy(copy, len), len };
		assert_int_equal(leaf_cert_check(&v, *state, bad,
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
	struct leaf_issuers *a;
	struct sts_err err;
	struct sts_conf conf = { .ca_file = "/nonexistent" };

	(void)state;
	assert_int_equal(leaf_issuers_open(&a, &conf, &err), STS_LOCAL);
	assert_null(a);
	conf.ca_file = "/dev/null";
	assert_int_equal(leaf_issuers_open(&a, &conf, &err), STS_LOCAL);
	assert_null(a);
	leaf_issuers_close(NULL);
}

static void
bench(struct leaf_issuers *a)
{
	static const struct row rows_of[] = {
		{ "issuer unknown", 'U', .leaf = { .san = WRONG } },
		{ "issuer in the store, RSA 2048", 'S', .leaf = { .san = MX } },
	};
	struct leaf_verdict v;
	struct timespec t0, t1;
	struct sts_str der;
	double s = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows_of); i++) {
		unsigned done = 0;

		der = build(&rows_of[i]);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
		do {
			for (int k = 0; k < 100; k++, done++)
				leaf_cert_check(&v, a, der, "mx1.example.com",
				    NOON);
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
			s = (double)(t1.tv_sec - t0.tv_sec) +
			    (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
		} while (s < 1);
		printf("%s: %.0f/s\n", rows_of[i].clause, done / s);
	}
}

int
main(int argc, char *argv[])
{
	struct leaf_issuers *a = NULL;
	struct sts_conf conf;
	struct sts_err err;
	enum sts_rc opened;
	int rc = 0;

	make_all(&conf);
	if (argc > 2)
		conf.ca_file = argv[2];
	opened = leaf_issuers_open(&a, &conf, &err);
	unlink(ca_file); /* has been read as a whole */
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
	leaf_issuers_close(a);
	return rc;
}
