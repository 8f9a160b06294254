/* SPDX-License-Identifier: ISC */
#include "row.h"

/*
 * DER built from the inside out.  Each element is written before what is
 * already there, so that its length is known.
 */
enum { DER_MAX = 4096 };

struct der {
	char at[DER_MAX];
	size_t n;
};

static const struct sts_str nothing = LIT("");

static void
before(struct der *d, const void *p, size_t len)
{
	assert_true(len <= DER_MAX - d->n);
	memmove(d->at + len, d->at, d->n);
	memcpy(d->at, p, len);
	d->n += len;
}

static void
wrap(struct der *d, unsigned char tag)
{
	unsigned char head[4] = { tag };
	size_t len = d->n, n = 1;

	if (len >= 0x80)
		head[n++] = len >= 0x100 ? 0x82 : 0x81;
	if (len >= 0x100)
		head[n++] = (unsigned char)(len >> 8);
	head[n++] = (unsigned char)(len & 0xff);
	before(d, head, n);
}

#define SAN_OID "\x06\x03\x55\x1d\x11"
#define OTHER_OID "\x06\x03\x55\x1d\x0f"
#define CRITICAL "\x01\x01\xff"

/*
 * A certificate with the extensions given as the inside of their SEQUENCE,
 * and what is behind that in [3], where nothing should be.
 */
static void
certificate(struct der *d, struct sts_str extensions, struct sts_str behind)
{
	/* version, serial, algorithm, issuer, validity, subject, key */
	static const char front[] = "\xa0\x03\x02\x01\x02"
				    "\x02\x01\x01"
				    "\x30\x00\x30\x00\x30\x00\x30\x00\x30\x00";
	static const char tail[] = "\x30\x00\x03\x01\x00";

	d->n = 0;
	before(d, extensions.p, extensions.len);
	wrap(d, 0x30);
	memcpy(d->at + d->n, behind.p, behind.len);
	d->n += behind.len;
	wrap(d, 0xa3);
	before(d, front, sizeof front - 1);
	wrap(d, 0x30);
	memcpy(d->at + d->n, tail, sizeof tail - 1);
	d->n += sizeof tail - 1;
	wrap(d, 0x30);
}

/* The same with one subjectAltName: the inside of its SEQUENCE. */
static void
with_names(struct der *d, const char *before_value, size_t n,
    struct sts_str names)
{
	struct der ext = { .n = 0 };

	before(&ext, names.p, names.len);
	wrap(&ext, 0x30);
	wrap(&ext, 0x04);
	before(&ext, before_value, n);
	wrap(&ext, 0x30);
	certificate(d, (struct sts_str){ ext.at, ext.n }, nothing);
}

static bool
asked(const struct der *d, const char *host)
{
	return sts_cert_has_dns_id(guard_copy(d->at, d->n), d->n,
	    host == NULL ? NULL : guard_string(host));
}

#define DNS(len, name) "\x82" len name
#define EXAMPLE DNS("\x0b", "example.com")
#define C9 "abcdefgh."
#define NAME129 C9 C9 C9 C9 C9 C9 C9 C9 C9 C9 C9 C9 C9 C9 "abc"
#define WILD DNS("\x0d", "*.example.com")

static void
names(void **state)
{
	static const struct {
		const char *clause;
		struct sts_str names;
		const char *host; /* NULL: any */
		bool want;
	} cases[] = {
		{ "3.3 the name", LIT(EXAMPLE), "example.com", true },
		{ "3.3 any name", LIT(EXAMPLE), NULL, true },
		{ "3.3 case of host", LIT(EXAMPLE), "EXAMPLE.com", true },
		{ "3.3 case of name", LIT(DNS("\x09", "A.EXAMPLE")),
		    "a.example", true },
		{ "3.3 root dot of host", LIT(EXAMPLE), "example.com.", true },
		{ "3.3 other name", LIT(EXAMPLE), "example.org", false },
		{ "3.3 not a parent's", LIT(EXAMPLE), "mx.example.com", false },
		{ "3.3 second of two", LIT(WILD EXAMPLE), "example.com", true },
		{ "3.3 wildcard", LIT(WILD), "mx.example.com", true },
		{ "3.3 wildcard is one label", LIT(WILD), "a.b.example.com",
		    false },
		{ "3.3 wildcard is not none", LIT(WILD), "example.com", false },
		{ "3.3 wildcard counts as a name", LIT(WILD), NULL, true },
		{ "3.3 whole label only", LIT(DNS("\x0a", "m*.example")),
		    "mx.example", false },
		{ "3.3 left-most only", LIT(DNS("\x0b", "a.*.example")),
		    "a.b.example", false },
		{ "3.3 no bare star", LIT(DNS("\x01", "*")), "example", false },
		{ "3.3 NUL in a name", LIT(DNS("\x10", "example.com\0.bad")),
		    "example.com", false },
		{ "3.3 nor does it count",
		    LIT(DNS("\x10", "example.com\0.bad")), NULL, false },
		{ "4.2 underscore", LIT(DNS("\x09", "a_b.local")), "A_b.local",
		    true },
		{ "4.2 underscore counts as a name",
		    LIT(DNS("\x09", "a_b.local")), NULL, true },
		{ "4.2 underscore below a wildcard", LIT(WILD),
		    "a_b.example.com", true },
		{ "4.2 underscore behind the star",
		    LIT(DNS("\x0b", "*.b_c.local")), "a.b_c.local", true },
		{ "4.2 the star is no underscore",
		    LIT(DNS("\x0b", "_.b_c.local")), "a.b_c.local", false },
		{ "3.3 trailing dot in a name",
		    LIT(DNS("\x0c", "example.com.")), "example.com", false },
		{ "3.3 empty name", LIT(DNS("\x00", "")), NULL, false },
		{ "3.3 empty host", LIT(EXAMPLE), "", false },
		{ "3.3 no names", LIT(""), NULL, false },
		{ "3.3 only DNS-IDs: mail",
		    LIT("\x81\x0d"
			"a@example.com"),
		    NULL, false },
		{ "3.3 only DNS-IDs: URI",
		    LIT("\x86\x0b"
			"example.com"),
		    "example.com", false },
		{ "3.3 only DNS-IDs: IP", LIT("\x87\x04\xc0\x00\x02\x01"),
		    "192.0.2.1", false },
		{ "3.3 an address is no name", LIT(DNS("\x09", "192.0.2.1")),
		    "192.0.2.1", false },
		{ "3.3 others in front",
		    LIT("\x87\x04\xc0\x00\x02\x01" EXAMPLE), "example.com",
		    true },
		{ "5280 4.2.1.6 constructed is none",
		    LIT("\xa2\x0b"
			"example.com"),
		    "example.com", false },
		{ "X.690 length over the end", LIT(EXAMPLE "\x82\x02x"),
		    "example.com", false },
		{ "X.690 length missing", LIT(EXAMPLE "\x82"), "example.com",
		    false },
		{ "X.690 8.1.3.6 indefinite", LIT("\x82\x80x\0\0"), NULL,
		    false },
		{ "X.690 10.1 longer than need be",
		    LIT("\x82\x81\x0b"
			"example.com"),
		    "example.com", false },
		{ "X.690 10.1 leading zero",
		    LIT("\x82\x82\x00\x0b"
			"example.com"),
		    "example.com", false },
		{ "X.690 8.1.3.5 length of 1 byte more",
		    LIT("\x82\x81\x81" NAME129), NAME129, true },
		{ "X.690 10.1 leading zero before that",
		    LIT("\x82\x82\x00\x81" NAME129), NAME129, false },
		{ "X.690 length that wraps",
		    LIT("\x82\x89\x01\x00\x00\x00\x00\x00\x00\x00\x81" NAME129),
		    NAME129, false },
		{ "X.690 length of 4 bytes, huge",
		    LIT("\x82\x84\xff\xff\xff"
			"\xff"),
		    NULL, false },
		{ "X.690 length of 5 bytes",
		    LIT("\x82\x85\x01\x00\x00\x00"
			"\x00"),
		    NULL, false },
		{ "X.690 length of 8 bytes",
		    LIT("\x82\x88\xff\xff\xff\xff\xff\xff\xff\xff"), NULL,
		    false },
		{ "X.690 8.1.2.4 long tag", LIT("\x9f\x02\x01x" EXAMPLE),
		    "example.com", false },
	};
	struct der d;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		with_names(&d, SAN_OID, 5, cases[i].names);
		ROW(asked(&d, cases[i].host) == cases[i].want, "%s",
		    cases[i].clause);
	}
	with_names(&d, SAN_OID CRITICAL, 8, (struct sts_str)LIT(EXAMPLE));
	ROW(asked(&d, "example.com"), "5280 4.2 a critical extension");
	with_names(&d, OTHER_OID, 5, (struct sts_str)LIT(EXAMPLE));
	ROW(!asked(&d, "example.com"), "5280 4.2 another extension");
	rows_done();
}

/* Extensions as a whole. */
static void
extensions(void **state)
{
#define SAN "\x30\x16" SAN_OID "\x04\x0f\x30\x0d" EXAMPLE
#define USAGE "\x30\x0b" OTHER_OID "\x04\x02\x30\x00"
	static const struct {
		const char *clause;
		struct sts_str list;
		bool want;
	} cases[] = {
		{ "5280 4.2 one", LIT(SAN), true },
		{ "5280 4.2 none", LIT(""), false },
		{ "5280 4.2 never twice", LIT(SAN SAN), false },
		{ "5280 4.2 behind another",
		    LIT("\x30\x07" OTHER_OID "\x04\x00" SAN), true },
		{ "5280 4.2 before another",
		    LIT(SAN "\x30\x07" OTHER_OID "\x04\x00"), true },
		{ "5280 4.2 before a broken one", LIT(SAN USAGE), false },
		{ "5280 4.2 not an octet string",
		    LIT("\x30\x16" SAN_OID "\x03\x0f\x30\x0d" EXAMPLE), false },
		{ "5280 4.2 no value", LIT("\x30\x05" SAN_OID), false },
		{ "5280 4.2 critical, no value",
		    LIT("\x30\x08" SAN_OID CRITICAL), false },
		{ "5280 4.2 something behind the value",
		    LIT("\x30\x18" SAN_OID "\x04\x0f\x30\x0d" EXAMPLE
			"\x05\x00"),
		    false },
		{ "5280 4.2.1.6 something behind the names",
		    LIT("\x30\x18" SAN_OID "\x04\x11\x30\x0d" EXAMPLE
			"\x05\x00"),
		    false },
		{ "5280 4.2.1.6 not a sequence",
		    LIT("\x30\x16" SAN_OID "\x04\x0f\x31\x0d" EXAMPLE), false },
		{ "5280 4.2 OID is longer",
		    LIT("\x30\x17\x06\x04\x55\x1d\x11\x00\x04\x0f\x30"
			"\x0d" EXAMPLE),
		    false },
	};
	struct der d;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		certificate(&d, cases[i].list, nothing);
		ROW(asked(&d, "example.com") == cases[i].want, "%s",
		    cases[i].clause);
	}
	certificate(&d, (struct sts_str)LIT(SAN),
	    (struct sts_str)LIT("\x05\x00"));
	ROW(!asked(&d, "example.com"), "5280 4.1 one list in [3]");
	rows_done();
}

/* What for, RFC 5280 4.2.1.12. */
static void
purpose(void **state)
{
#define EKU_OID "\x06\x03\x55\x1d\x25"
#define SERVER "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01"
#define CLIENT "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02"
#define ANY "\x06\x04\x55\x1d\x25\x00"
#define EKU_ONE(oid) "\x30\x13" EKU_OID "\x04\x0c\x30\x0a" oid
	static const struct {
		const char *clause;
		struct sts_str list;
		bool want;
	} cases[] = {
		{ "no extension", LIT(""), true },
		{ "none of this kind", LIT(SAN), true },
		{ "servers", LIT(SAN EKU_ONE(SERVER)), true },
		{ "clients", LIT(EKU_ONE(CLIENT) SAN), false },
		{ "both",
		    LIT("\x30\x1d" EKU_OID "\x04\x16\x30\x14" CLIENT SERVER),
		    true },
		{ "both, critical",
		    LIT("\x30\x20" EKU_OID CRITICAL
			"\x04\x16\x30\x14" SERVER CLIENT),
		    true },
		{ "any purpose is not said to be this one",
		    LIT("\x30\x0f" EKU_OID "\x04\x08\x30\x06" ANY), false },
		{ "an OID that begins so",
		    LIT("\x30\x14" EKU_OID "\x04\x0d\x30\x0b"
			"\x06\x09\x2b\x06\x01\x05\x05\x07\x03\x01\x01"),
		    false },
		{ "not an OID",
		    LIT("\x30\x13" EKU_OID "\x04\x0c\x30\x0a"
			"\x04\x08\x2b\x06\x01\x05\x05\x07\x03\x01"),
		    false },
		{ "an empty list", LIT("\x30\x09" EKU_OID "\x04\x02\x30\x00"),
		    false },
		{ "a broken list",
		    LIT("\x30\x15" EKU_OID "\x04\x0e\x30\x0c" SERVER
			"\x06\x01"),
		    false },
		{ "twice", LIT(EKU_ONE(SERVER) EKU_ONE(SERVER)), false },
	};
	struct der d;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		certificate(&d, cases[i].list, nothing);
		ROW(sts_cert_for_server(guard_copy(d.at, d.n), d.n) ==
			cases[i].want,
		    "%s", cases[i].clause);
	}
	for (size_t n = 0; n < d.n; n++)
		ROW(!sts_cert_for_server(guard_copy(d.at, n), n), "cut at %zu",
		    n);
	rows_done();
}

/* A good certificate cut anywhere, and with bytes behind it, has no names. */
static void
cut(void **state)
{
	struct der d;

	(void)state;
	with_names(&d, SAN_OID, 5, (struct sts_str)LIT(EXAMPLE));
	for (size_t n = 0; n < d.n; n++)
		ROW(!sts_cert_has_dns_id(guard_copy(d.at, n), n, NULL),
		    "cut at %zu", n);
	ROW(!sts_cert_has_dns_id(NULL, 0, NULL), "nothing");
	d.at[d.n++] = 0;
	ROW(!asked(&d, NULL), "a byte behind the certificate");
	rows_done();
}

/* What openssl(1) made; see tests/fuzz/README. */
static void
real(void **state)
{
	static const struct {
		const char *file, *host;
		bool want;
	} cases[] = {
		{ "dns-ec.der", "mta-sts.example.com", true },
		{ "dns-ec.der", "MTA-STS.example.com", true },
		{ "dns-ec.der", "a.mail.example.com", true },
		{ "dns-ec.der", "mail.example.com", false },
		{ "dns-ec.der", "cn.example.com", false },
		{ "dns-rsa.der", "mx1.example.com", true },
		{ "dns-rsa.der", "mx9.example.com", true },
		{ "dns-rsa.der", "mx10.example.com", false },
		{ "cn-only.der", NULL, false },
		{ "cn-only.der", "cn.example.com", false },
		{ "ip-only.der", NULL, false },
		{ "ip-only.der", "192.0.2.1", false },
		{ "v1.der", NULL, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct der d = { .n = 0 };
		char path[1000];
		FILE *f;

		snprintf(path, sizeof path, "%s/%s", (char *)*state,
		    cases[i].file);
		f = fopen(path, "rb");
		assert_non_null(f);
		d.n = fread(d.at, 1, sizeof d.at, f);
		fclose(f);
		ROW(d.n > 200 && d.n < sizeof d.at, "%s: %zu bytes", path, d.n);
		ROW(asked(&d, cases[i].host) == cases[i].want, "%s for %s",
		    cases[i].file,
		    cases[i].host == NULL ? "any" : cases[i].host);
	}
	rows_done();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(extensions),
		cmocka_unit_test(purpose),
		cmocka_unit_test(cut),
		{ "real", real, NULL, NULL, argc == 2 ? argv[1] : NULL },
	};

	return cmocka_run_group_tests_name("cert", tests, NULL, NULL);
}
