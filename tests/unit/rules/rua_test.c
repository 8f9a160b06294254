/* SPDX-License-Identifier: ISC */
/* URIs of rua as something to send to: RFC 8460 3, RFC 6068, RFC 3986. */
#include "row.h"
#include "rules/rua.h"

#define L64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"

static const struct {
	const char *clause;
	struct sts_str uri;
	enum rua_kind kind;
	const char *to; /* the address, or "host port url" */
} table[] = {
	{ "6068 2 plain", LIT("mailto:a@b.example"), RUA_MAIL, "a@b.example" },
	{ "3986 3.1 scheme in any case", LIT("MailTo:a@B.Example."), RUA_MAIL,
	    "a@b.example" },
	{ "6068 2 %40", LIT("mailto:a%40b.example"), RUA_MAIL, "a@b.example" },
	{ "6068 2 %2C is of the local part", LIT("mailto:x%2Cy@b.example"),
	    RUA_MAIL, "\"x,y\"@b.example" },
	{ "8460 3 %21 %3B", LIT("mailto:a%21b%3bc@b.example"), RUA_MAIL,
	    "\"a!b;c\"@b.example" },
	{ "6068 6.1 quoted", LIT("mailto:%22not%40me%22@b.example"), RUA_MAIL,
	    "\"not@me\"@b.example" },
	{ "6068 6.1 quoted pairs", LIT("mailto:%22oh%5C%5Cno%22@b.example"),
	    RUA_MAIL, "\"oh\\\\no\"@b.example" },
	{ "6068 6.1 quotes in quotes",
	    LIT("mailto:%22%5C%5C%5C%22it's%5C%20ugly%5C%5C%5C%22%22@b."
		"example"),
	    RUA_MAIL, "\"\\\\\\\"it's ugly\\\\\\\"\"@b.example" },
	{ "5322 3.2.4 quotes that nothing needs",
	    LIT("mailto:%22a%22@b.example"), RUA_MAIL, "a@b.example" },
	{ "5322 3.2.4 nothing in quotes", LIT("mailto:%22%22@b.example"),
	    RUA_USELESS, "" },
	{ "5322 3.2.4 no end", LIT("mailto:%22a@b.example"), RUA_USELESS, "" },
	{ "5322 3.2.4 a pair of one", LIT("mailto:%22a%5C@b.example"),
	    RUA_USELESS, "" },
	{ "5322 3.2.4 the end is escaped", LIT("mailto:%22a%5C%22@b.example"),
	    RUA_USELESS, "" },
	{ "5322 3.4.1 more behind it", LIT("mailto:%22a%22b@b.example"),
	    RUA_USELESS, "" },
	{ "5322 3.4.1 a quote in the middle", LIT("mailto:a%22b@b.example"),
	    RUA_USELESS, "" },
	{ "5322 3.4.1 @ wants quotes", LIT("mailto:a%40c@b.example"),
	    RUA_USELESS, "" },
	{ "6068 2 no authority", LIT("mailto://a@b.example"), RUA_USELESS, "" },
	{ "6068 2 / is to be encoded", LIT("mailto:a/b@b.example"), RUA_USELESS,
	    "" },
	{ "6068 2 and is then of the local part", LIT("mailto:a%2Fb@b.example"),
	    RUA_MAIL, "a/b@b.example" },
	{ "6068 2 a fragment", LIT("mailto:a@b.example#c"), RUA_USELESS, "" },
	{ "6068 2 encoded", LIT("mailto:a@b%2eexample"), RUA_MAIL,
	    "a@b.example" },
	{ "a word that looks like an option", LIT("mailto:-oQ@b.example"),
	    RUA_MAIL, "-oQ@b.example" },
	{ "two dots are no dot-atom", LIT("mailto:a..b@b.example"), RUA_MAIL,
	    "\"a..b\"@b.example" },
	{ "6068 4 header fields go", LIT("mailto:a@b.example?bcc=c@d.example"),
	    RUA_MAIL, "a@b.example" },
	{ "5321 4.5.3.1.1 64 bytes", LIT("mailto:" L64 "@b.example"), RUA_MAIL,
	    L64 "@b.example" },
	{ "and one more", LIT("mailto:" L64 "x@b.example"), RUA_USELESS, "" },
	{ "a mailbox of this host", LIT("mailto:root@localhost"), RUA_USELESS,
	    "" },
	{ "no local part", LIT("mailto:@b.example"), RUA_USELESS, "" },
	{ "no domain", LIT("mailto:a@"), RUA_USELESS, "" },
	{ "no @", LIT("mailto:a"), RUA_USELESS, "" },
	{ "nothing", LIT("mailto:"), RUA_USELESS, "" },
	{ "an address literal", LIT("mailto:a@[192.0.2.1]"), RUA_USELESS, "" },
	{ "3986 2.1 half an escape", LIT("mailto:a%4@b.example"), RUA_USELESS,
	    "" },
	{ "half an escape at the end", LIT("mailto:a@b.example%"), RUA_USELESS,
	    "" },
	{ "no hexadecimal", LIT("mailto:a%4g@b.example"), RUA_USELESS, "" },
	{ "%00", LIT("mailto:a%00@b.example"), RUA_USELESS, "" },
	{ "%0A is no header field", LIT("mailto:a%0AX:y@b.example"),
	    RUA_USELESS, "" },
	{ "%0D", LIT("mailto:a%0d@b.example"), RUA_USELESS, "" },
	{ "%FF", LIT("mailto:a%ff@b.example"), RUA_USELESS, "" },
	{ "%0A in the domain", LIT("mailto:a@b%0a.example"), RUA_USELESS, "" },
	{ "%0D%0A in the local part", LIT("mailto:a%0D%0ABcc:b@b.example"),
	    RUA_USELESS, "" },
	{ "%0A in quotes", LIT("mailto:%22a%0A%22@b.example"), RUA_USELESS,
	    "" },
	{ "two addresses", LIT("mailto:a@b.example,c@d.example"), RUA_USELESS,
	    "" },
	{ "two addresses, encoded", LIT("mailto:a@b.example%2Cc@d.example"),
	    RUA_USELESS, "" },
	{ "NUL", LIT("mailto:a@b.example\0x"), RUA_USELESS, "" },
	{ "5.4 https", LIT("https://b.example/x?y=1"), RUA_HTTPS,
	    "b.example 443 https://b.example/x?y=1" },
	{ "the port, said", LIT("https://B.example:443/x"), RUA_HTTPS,
	    "b.example 443 https://B.example:443/x" },
	{ "8460 7: another service's port", LIT("https://b.example:8443/"),
	    RUA_USELESS, "" },
	{ "3986 3.5 no fragment", LIT("https://b.example/#frag"), RUA_HTTPS,
	    "b.example 443 https://b.example/" },
	{ "port 0", LIT("https://b.example:0/"), RUA_USELESS, "" },
	{ "port 65536", LIT("https://b.example:65536/"), RUA_USELESS, "" },
	{ "port not a number", LIT("https://b.example:8x/"), RUA_USELESS, "" },
	{ "no port", LIT("https://b.example:/"), RUA_USELESS, "" },
	{ "3986 3.2.1 user", LIT("https://u@b.example/"), RUA_USELESS, "" },
	{ "user and password", LIT("https://u:443@b.example/"), RUA_USELESS,
	    "" },
	{ "backslash", LIT("https://b.example\\@c.example/"), RUA_USELESS, "" },
	{ "%2F in the host", LIT("https://b.example%2f/"), RUA_USELESS, "" },
	{ "an address", LIT("https://127.0.0.1/"), RUA_USELESS, "" },
	{ "IPv6", LIT("https://[::1]/"), RUA_USELESS, "" },
	{ "the short form of an address", LIT("https://127.1/"), RUA_USELESS,
	    "" },
	{ "a number", LIT("https://2130706433/"), RUA_USELESS, "" },
	{ "a number in hexadecimal", LIT("https://0x7f000001/"), RUA_USELESS,
	    "" },
	{ "the same in parts", LIT("https://0x7f.0.0X1/"), RUA_USELESS, "" },
	{ "0x alone", LIT("https://b.0x/"), RUA_USELESS, "" },
	{ "a label like that", LIT("https://0x7f.example/"), RUA_HTTPS,
	    "0x7f.example 443 https://0x7f.example/" },
	{ "a dot at the end", LIT("https://b.example./"), RUA_USELESS, "" },
	{ "a name of this network", LIT("https://intra/"), RUA_USELESS, "" },
	{ "no host", LIT("https:///x"), RUA_USELESS, "" },
	{ "one slash", LIT("https:/b.example/"), RUA_USELESS, "" },
	{ "3 other schemes", LIT("http://b.example/"), RUA_USELESS, "" },
	{ "file", LIT("file:///etc/passwd"), RUA_USELESS, "" },
	{ "no scheme", LIT("a@b.example"), RUA_USELESS, "" },
	{ "empty", LIT(""), RUA_USELESS, "" },
};

static void
test_read(void **state)
{
	char got[RUA_URL_SIZE + STS_NAME_SIZE + 16];
	const char *why;
	struct rua r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct sts_str uri = table[i].uri;

		uri.p = guard_copy(uri.p, uri.len);
		why = sts_rua_read(&r, uri);
		got[0] = '\0';
		if (r.kind == RUA_MAIL)
			snprintf(got, sizeof got, "%s", r.address);
		else if (r.kind == RUA_HTTPS)
			snprintf(got, sizeof got, "%s %u %s", r.host, r.port,
			    r.url);
		ROW((why == NULL) == (r.kind != RUA_USELESS) &&
			r.kind == table[i].kind &&
			strcmp(got, table[i].to) == 0,
		    "%s: %d %s", table[i].clause, r.kind, got);
	}
	rows_done();
}

static const struct {
	const char *a, *b;
	bool same;
} pairs[] = {
	{ "mailto:a@b.example", "mailto:a@B.EXAMPLE?x=y", true },
	{ "mailto:a@b.example", "mailto:%61@b.example", true },
	{ "mailto:%22a%22@b.example", "mailto:a@b.example", true },
	{ "mailto:%22x%5C%20y%22@b.example", "mailto:x%20y@b.example", true },
	{ "mailto:a@b.example", "mailto:A@b.example", false }, /* 5321 2.4 */
	{ "https://b.example/", "https://b.example/#x", true },
	{ "https://b.example/", "https://b.example/?x", false },
	{ "https://b.example/", "mailto:a@b.example", false },
};

static void
test_same(void **state)
{
	struct rua a, b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		sts_rua_read(&a, str_of(guard_string(pairs[i].a)));
		sts_rua_read(&b, str_of(guard_string(pairs[i].b)));
		ROW(sts_rua_same(&a, &b) == pairs[i].same, "%s, %s", pairs[i].a,
		    pairs[i].b);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
