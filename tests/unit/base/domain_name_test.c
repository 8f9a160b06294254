/* SPDX-License-Identifier: ISC */
#include "base/domain_name.h"
#include "row.h"

#define LABEL63                                                                \
	"abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-012345678"
_Static_assert(sizeof LABEL63 - 1 == 63, "longest label");
#define NAME191 LABEL63 "." LABEL63 "." LABEL63
#define C10 "abcdefghij"
#define C50 C10 C10 C10 C10 C10
#define NAME253 NAME191 "." C50 "." C10
_Static_assert(sizeof NAME253 - 1 == 253, "longest name");

static void
normal(void **state)
{
	static const struct {
		const char *clause, *in;
		enum sts_rc rc;
		const char *out;
	} cases[] = {
		{ "3.4 a domain", "good.loc", STS_OK, "good.loc" },
		{ "3.4 upper case", "Good.LOC", STS_OK, "good.loc" },
		{ "3.4 root dot", "good.loc.", STS_OK, "good.loc" },
		{ "3.4 next hop with port", "good.loc:123", STS_OK,
		    "good.loc" },
		{ "3.4 port by name", "good.loc:submission", STS_OK,
		    "good.loc" },
		{ "3.4 bracketed name", "[good.loc]", STS_OK, "good.loc" },
		{ "3.4 bracketed name with port", "[Good.Loc.]:123", STS_OK,
		    "good.loc" },
		{ "3.4 one label", "localhost", STS_OK, "localhost" },
		{ "3.4 A-label", "XN--Bcher-KVA.example", STS_OK,
		    "xn--bcher-kva.example" },
		{ "3.4 digits and letters", "1a.2b", STS_OK, "1a.2b" },
		{ "3.4 number below a name", "123.example", STS_OK,
		    "123.example" },
		{ "3.4 IPv4 literal", "[1.2.3.4]", STS_ABSENT, "" },
		{ "3.4 IPv4 literal with port", "[1.2.3.4]:25", STS_ABSENT,
		    "" },
		{ "3.4 bare IPv4", "1.2.3.4", STS_ABSENT, "" },
		{ "3.4 short IPv4", "127.1", STS_ABSENT, "" },
		{ "3.4 hexadecimal, as inet_aton(3) and URLs have it", "0x7f.1",
		    STS_ABSENT, "" },
		{ "3.4 its last part so", "127.0X1f", STS_ABSENT, "" },
		{ "3.4 a number for a top level", "mx.example.1", STS_ABSENT,
		    "" },
		{ "3.4 hexadecimal below a name", "0x7f.example", STS_OK,
		    "0x7f.example" },
		{ "3.4 no hexadecimal", "1.0x7g", STS_OK, "1.0x7g" },
		{ "3.4 IPv6 literal", "[IPv6:2001:db8::1]", STS_ABSENT, "" },
		{ "3.4 IPv6 in brackets", "[a:bb::1]:123", STS_ABSENT, "" },
		{ "3.4 bare IPv6", "2001:db8::1", STS_ABSENT, "" },
		{ "3.4 leading dot", ".good.loc", STS_ABSENT, "" },
		{ "3.4 two root dots", "good.loc..", STS_ABSENT, "" },
		{ "3.4 empty label", "good..loc", STS_ABSENT, "" },
		{ "3.4 underscore", "a_b.example", STS_ABSENT, "" },
		{ "3.4 empty", "", STS_ABSENT, "" },
		{ "3.4 root", ".", STS_ABSENT, "" },
		{ "3.4 empty brackets", "[]", STS_ABSENT, "" },
		{ "3.4 unclosed bracket", "[good.loc", STS_ABSENT, "" },
		{ "3.4 text behind bracket", "[good.loc]x", STS_ABSENT, "" },
		{ "3.4 colon without a port", "good.loc:", STS_ABSENT, "" },
		{ "3.4 two ports", "good.loc:1:2", STS_ABSENT, "" },
		{ "3.4 blank", "good.loc ", STS_ABSENT, "" },
		{ "3.4 slash", "../good.loc", STS_ABSENT, "" },
		{ "3.4 newline", "good.loc\n", STS_ABSENT, "" },
		{ "3.4 pattern", "*.good.loc", STS_ABSENT, "" },
		{ "5321 4.1.2 hyphen first", "-a.example", STS_ABSENT, "" },
		{ "5321 4.1.2 hyphen last", "a-.example", STS_ABSENT, "" },
		{ "3.4 U-label",
		    "b\xc3\xbc"
		    "cher.example",
		    STS_INVALID, "" },
		{ "3.4 any byte over 0x7f", "[a\x80]:25", STS_INVALID, "" },
		{ "1035 2.3.4 label of 63", LABEL63 ".example", STS_OK,
		    LABEL63 ".example" },
		{ "1035 2.3.4 label of 64", LABEL63 "x.example", STS_ABSENT,
		    "" },
		{ "3.1 244 octets leave room for _mta-sts.",
		    NAME191 "." C50 "ab", STS_OK, NAME191 "." C50 "ab" },
		{ "3.1 245 octets do not", NAME191 "." C50 "abc", STS_ABSENT,
		    "" },
	};
	char out[STS_NAME_SIZE];
	struct sts_err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum sts_rc rc;

		memset(&err, 0, sizeof err);
		rc = sts_domain_normal(out, guard_string(cases[i].in), &err);
		ROW(rc == cases[i].rc && strcmp(out, cases[i].out) == 0 &&
			err.rc == rc && (err.text[0] == '\0') == (rc == STS_OK),
		    "%s: \"%s\" gave %s \"%s\" (%s)", cases[i].clause,
		    cases[i].in, sts_rc_name(rc), out, err.text);
	}
	ROW(sts_domain_normal(out, NULL, NULL) == STS_USAGE, "no name");
	ROW(sts_domain_normal(out, "a b", NULL) == STS_ABSENT, "no err");
	rows_done();
}

static void
match(void **state)
{
	static const struct {
		const char *clause, *host, *pattern;
		bool want;
	} cases[] = {
		{ "4.1 same name", "mx.example.com", "mx.example.com", true },
		{ "4.1 other name", "mx.example.org", "mx.example.com", false },
		{ "4.1 case", "MX.Example.com", "mx.eXAMPLE.com", true },
		{ "4.1 root dot of the host", "mx.example.com.",
		    "mx.example.com", true },
		{ "4.1 two root dots", "mx.example.com..", "mx.example.com",
		    false },
		{ "3.2 root dot of the pattern", "mx.example.com",
		    "mx.example.com.", false },
		{ "4.1 one label", "mx.example.com", "*.example.com", true },
		{ "4.1 one label, root dot", "mx.example.com.", "*.example.com",
		    true },
		{ "4.1 not two labels", "a.mx.example.com", "*.example.com",
		    false },
		{ "4.1 not no label", "example.com", "*.example.com", false },
		{ "4.1 not an empty label", ".example.com", "*.example.com",
		    false },
		{ "4.1 suffix is no label", "mxexample.com", "*.example.com",
		    false },
		{ "4.1 whole label only", "mx1.example.com", "mx*.example.com",
		    false },
		{ "4.1 left-most label only", "a.mx.example.com",
		    "a.*.example.com", false },
		{ "4.1 not twice", "a.b.example.com", "*.*.example.com",
		    false },
		{ "4.1 a star is not a name", "mx.example.com", "*", false },
		{ "4.1 nor is a star and a dot", "com", "*.", false },
		{ "4.1 wildcard host", "*.example.com", "*.example.com",
		    false },
		{ "4.1 single label", "localhost", "localhost", true },
		{ "4.1 top level", "example.com", "*.com", true },
		{ "4.1 name is longer", "xmx.example.com", "mx.example.com",
		    false },
		{ "4.1 pattern is longer", "mx.example.com", "mx.example.comx",
		    false },
		{ "3.2 underscore", "a_b.example.com", "a_b.example.com",
		    false },
		{ "4.1 underscore of a host below a wildcard",
		    "a_b.example.com", "*.example.com", true },
		{ "4.1 one that begins and ends so", "_x_.example.com.",
		    "*.example.com", true },
		{ "3.2 underscore behind the star", "a.b_c.example",
		    "*.b_c.example", false },
		{ "5321 4.1.2 hyphen first", "-a.example.com", "*.example.com",
		    false },
		{ "3.2 address as pattern", "1.2.3.4", "1.2.3.4", false },
		{ "3.2 address as host", "1.2.3.4", "*.2.3.4", false },
		{ "3.2 address below a wildcard", "a.1.2.3.4", "*.1.2.3.4",
		    false },
		{ "3.2 address literal", "[1.2.3.4]", "[1.2.3.4]", false },
		{ "3.2 U-label",
		    "\xc3\xb1"
		    "aca.com",
		    "\xc3\xb1"
		    "aca.com",
		    false },
		{ "3.2 A-label", "XN--aca-6MA.com", "xn--aca-6ma.com", true },
		{ "4.1 empty host", "", "mx.example.com", false },
		{ "4.1 empty pattern", "mx.example.com", "", false },
		{ "4.1 both empty", "", "", false },
		{ "4.1 root", ".", ".", false },
		{ "4.1 blank", "mx.example.com ", "mx.example.com", false },
		{ "1035 2.3.4 label of 63", LABEL63 ".example",
		    LABEL63 ".example", true },
		{ "1035 2.3.4 label of 64", LABEL63 "x.example",
		    LABEL63 "x.example", false },
		{ "1035 2.3.4 label of 64 for the star", LABEL63 "x.example",
		    "*.example", false },
		{ "1035 2.3.4 253 octets", NAME253, NAME253, true },
		{ "1035 2.3.4 254 octets", NAME253 "a", NAME253 "a", false },
		{ "1035 2.3.4 254 octets below a wildcard",
		    "ab." NAME191 "." C50 ".abcdefgh",
		    "*." NAME191 "." C50 ".abcdefgh", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ROW(sts_mx_match(guard_string(cases[i].host),
			guard_string(cases[i].pattern)) == cases[i].want,
		    "%s: %s against %s", cases[i].clause, cases[i].host,
		    cases[i].pattern);
	ROW(!sts_mx_match(NULL, "a.example"), "no host");
	ROW(!sts_mx_match("a.example", NULL), "no pattern");
	rows_done();
}

static void
valid(void **state)
{
	static const struct {
		const char *clause;
		struct sts_str pattern;
		bool valid, usable;
	} cases[] = {
		{ "3.2 domain", LIT("mx.example.com"), true, true },
		{ "3.2 wildcard", LIT("*.example.com"), true, true },
		{ "3.2 wildcard of one label", LIT("*.com"), true, true },
		{ "3.2 one label", LIT("mail"), true, true },
		{ "3.2 inner hyphens", LIT("a--b.example"), true, true },
		{ "3.2 digits", LIT("1.example"), true, true },
		{ "3.2 IPv4 is a Domain", LIT("1.2.3.4"), true, false },
		{ "3.2 below an IPv4", LIT("*.1.2.3.4"), true, false },
		{ "3.2 numbers that are a name", LIT("1.2.3.4a"), true, true },
		{ "3.2 empty", LIT(""), false, false },
		{ "3.2 star", LIT("*"), false, false },
		{ "3.2 star and dot", LIT("*."), false, false },
		{ "3.2 inner star", LIT("a.*.example"), false, false },
		{ "3.2 two stars", LIT("*.*.example"), false, false },
		{ "3.2 part of a label", LIT("mx*.example"), false, false },
		{ "3.2 no dot behind the star", LIT("*example"), false, false },
		{ "3.2 trailing dot", LIT("mx.example.com."), false, false },
		{ "3.2 leading dot", LIT(".example.com"), false, false },
		{ "3.2 empty label", LIT("mx..example.com"), false, false },
		{ "3.2 underscore", LIT("a_b.example.com"), false, false },
		{ "3.2 hyphen first", LIT("-a.example"), false, false },
		{ "3.2 hyphen last", LIT("a.example-"), false, false },
		{ "3.2 U-label", LIT("\xc3\xb1"), false, false },
		{ "3.2 address literal", LIT("[1.2.3.4]"), false, false },
		{ "3.2 NUL inside", LIT("a.example\0.evil"), false, true },
		{ "3.2 blank inside", LIT("a example"), false, false },
		{ "1035 2.3.4 label of 63", LIT("*." LABEL63), true, true },
		{ "1035 2.3.4 label of 64", LIT(LABEL63 "x"), false, false },
		{ "1035 2.3.4 wildcard of 253 octets",
		    LIT("*." NAME191 "." C50 ".abcdefgh"), true, true },
		{ "1035 2.3.4 wildcard that only longer names match",
		    LIT("*." NAME191 "." C50 ".abcdefghi"), false, false },
		{ "1035 2.3.4 253 octets", LIT(NAME253), true, true },
		{ "1035 2.3.4 254 octets", LIT(NAME253 "a"), false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_str p = cases[i].pattern;

		ROW(sts_mx_valid(guard_copy(p.p, p.len), p.len) ==
			cases[i].valid,
		    "%s: valid", cases[i].clause);
		ROW(sts_mx_usable(guard_string(p.p)) == cases[i].usable,
		    "%s: usable", cases[i].clause);
	}
	ROW(!sts_mx_usable(NULL), "no pattern");
	ROW(!sts_mx_valid(NULL, 0), "no bytes");
	rows_done();
}

/* What DNS gives for a host: RFC 5321 4.1.2, and the underscore. */
static void
hosts(void **state)
{
	static const struct {
		const char *clause;
		struct sts_str in;
		const char *out; /* NULL: none */
	} cases[] = {
		{ "5321 4.1.2 a name", LIT("MX.Example"), "mx.example" },
		{ "root dot", LIT("mx.example."), "mx.example" },
		{ "underscore", LIT("mx_1.a_b.example"), "mx_1.a_b.example" },
		{ "underscore first and last", LIT("_mx_.example"),
		    "_mx_.example" },
		{ "5321 5.1 an address", LIT("192.0.2.1"), NULL },
		{ "hyphen first", LIT("-mx.example"), NULL },
		{ "hyphen last", LIT("mx-.example"), NULL },
		{ "star", LIT("*.example"), NULL },
		{ "slash", LIT("a/b.example"), NULL },
		{ "empty label", LIT("a..example"), NULL },
		{ "NUL", LIT("a\0b.example"), NULL },
		{ "empty", LIT(""), NULL },
		{ "root", LIT("."), NULL },
		{ "1035 2.3.4 label of 64", LIT(LABEL63 "x.example"), NULL },
		{ "1035 2.3.4 253 octets and the root", LIT(NAME253 "."),
		    NAME253 },
		{ "1035 2.3.4 254 octets", LIT(NAME253 "a"), NULL },
	};
	char out[STS_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_str in = { guard_copy(cases[i].in.p,
					  cases[i].in.len),
			cases[i].in.len };
		bool good = sts_host_normal(out, in);

		ROW(good == (cases[i].out != NULL) &&
			(!good || strcmp(out, cases[i].out) == 0),
		    "%s: %s", cases[i].clause, good ? out : "none");
	}
	rows_done();
}

static void
test_owner(void **state)
{
	static const struct {
		const char *name, *owner;
	} t[] = {
		{ "example.com", "example.com" },
		{ "a.example.com", "example.com" },
		{ "localhost", "localhost" },
		{ "a.co.uk", "a.co.uk" },
		{ "x.a.co.uk", "a.co.uk" },
		{ "co.uk", "co.uk" },
		{ "x.a.com.br", "a.com.br" },
		{ "x.city.uk", "city.uk" },
		{ "x.abc.com", "abc.com" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		ROW(str_is(sts_domain_owner(str_of(t[i].name)), t[i].owner),
		    "%s", t[i].name);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owner),
		cmocka_unit_test(normal),
		cmocka_unit_test(match),
		cmocka_unit_test(valid),
		cmocka_unit_test(hosts),
	};

	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
