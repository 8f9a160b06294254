/* SPDX-License-Identifier: ISC */
#include "net/dns_reply.h"
#include "row.h"

#define NAME "\10_mta-sts\1a\0"
#define QUESTION NAME "\0\20\0\1"
/* QR, RD, RA; how many answers, authorities, others there are */
#define HEAD(rcode, an, au, ad) "\x12\x34\x81" rcode "\0\1\0" an "\0" au "\0" ad
#define OK(an, au, ad) HEAD("\200", an, au, ad) QUESTION
#define RR(type, len) "\300\14" type "\0\1\0\0\1\54" len /* ours, 300 s */
#define TXT RR("\0\20", "\0\4") "\3abc"
#define ALIAS RR("\0\5", "\0\3") "\1b\0"
#define OF_ALIAS "\1b\0\0\20\0\1\0\0\0\36\0\3\2de" /* 30 s */
#define SOA                                                                    \
	"\1a\0\0\6\0\1\0\0\1\54\0\26\0\0"                                      \
	"\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\74"
#define OPT(upper) "\0\0\51\4\320" upper "\0\0\0\0\0"

static const struct {
	const char *clause;
	struct sts_str reply;
	enum dns_why why;
	uint32_t ttl;
	const char *text; /* of the first record */
} table[] = {
	{ "found", LIT(OK("\1", "\0", "\0") TXT), DNS_WHY_OK, 300, "abc" },
	{ "RFC 8461 3.1 strings joined",
	    LIT(OK("\1", "\0", "\0") RR("\0\20", "\0\6") "\2ab\0\1c"),
	    DNS_WHY_OK, 300, "abc" },
	{ "RFC 4343 case",
	    LIT(HEAD("\200", "\1", "\0", "\0") "\10_MTA-sts\1A\0\0\20\0\1" TXT),
	    DNS_WHY_OK, 300, "abc" },
	{ "RFC 2181 8 TTL",
	    LIT(OK("\1", "\0", "\0") "\300\14\0\20\0\1\200\0\0\0\0\2\1a"),
	    DNS_WHY_OK, 0, "a" },
	{ "alias", LIT(OK("\2", "\0", "\0") ALIAS OF_ALIAS), DNS_WHY_OK, 30,
	    "de" },
	{ "alias behind", LIT(OK("\2", "\0", "\0") OF_ALIAS ALIAS), DNS_WHY_OK,
	    30, "de" },
	{ "alias to itself",
	    LIT(OK("\1", "\0", "\0") RR("\0\5", "\0\2") "\300\14"),
	    DNS_WHY_MALFORMED, 0, NULL },
	{ "alias, no record there", LIT(OK("\1", "\1", "\0") ALIAS SOA),
	    DNS_WHY_NODATA, 60, NULL },
	{ "RFC 2308 2.1 no such name",
	    LIT(HEAD("\203", "\0", "\1", "\0") QUESTION SOA), DNS_WHY_NXDOMAIN,
	    60, NULL },
	{ "no such name, and its records",
	    LIT(HEAD("\203", "\1", "\0", "\0") QUESTION TXT), DNS_WHY_MALFORMED,
	    0, NULL },
	{ "RFC 2308 2.2 no data", LIT(OK("\0", "\1", "\0") SOA), DNS_WHY_NODATA,
	    60, NULL },
	{ "no data, no SOA", LIT(OK("\0", "\0", "\0")), DNS_WHY_NODATA, 0,
	    NULL },
	{ "neither SOA nor recursion",
	    LIT("\0\0\200\0\0\1\0\0\0\0\0\0" QUESTION), DNS_WHY_MALFORMED, 0,
	    NULL },
	{ "of another class",
	    LIT(OK("\1", "\0", "\0") "\300\14\0\20\0\3\0\0\0\1\0\2\1a"),
	    DNS_WHY_NODATA, 0, NULL },
	{ "RFC 6891 6.1.3 upper bits of the rcode",
	    LIT(OK("\0", "\1", "\1") SOA OPT("\1")), DNS_WHY_RCODE, 0, NULL },
	{ "and of NXDOMAIN",
	    LIT(HEAD("\203", "\0", "\1", "\1") QUESTION SOA OPT("\1")),
	    DNS_WHY_RCODE, 0, NULL },
	{ "OPT alone", LIT(OK("\1", "\0", "\1") TXT OPT("\0")), DNS_WHY_OK, 300,
	    "abc" },
	{ "SERVFAIL", LIT(HEAD("\202", "\0", "\0", "\0") QUESTION),
	    DNS_WHY_SERVFAIL, 0, NULL },
	{ "REFUSED", LIT(HEAD("\205", "\0", "\0", "\0") QUESTION),
	    DNS_WHY_REFUSED, 0, NULL },
	{ "FORMERR, header alone", LIT("\0\0\200\1\0\0\0\0\0\0\0\0"),
	    DNS_WHY_RCODE, 0, NULL },
	{ "truncated", LIT("\0\0\203\200\0\1\0\1\0\0\0\0" QUESTION),
	    DNS_WHY_TRUNCATED, 0, NULL },
	{ "another name", LIT(HEAD("\203", "\0", "\0", "\0") "\1b\0\0\20\0\1"),
	    DNS_WHY_MALFORMED, 0, NULL },
	{ "another type", LIT(HEAD("\203", "\0", "\0", "\0") NAME "\0\1\0\1"),
	    DNS_WHY_MALFORMED, 0, NULL },
	{ "another class", LIT(HEAD("\203", "\0", "\0", "\0") NAME "\0\20\0\3"),
	    DNS_WHY_MALFORMED, 0, NULL },
	{ "no question", LIT("\0\0\201\203\0\0\0\0\0\0\0\0"), DNS_WHY_MALFORMED,
	    0, NULL },
	{ "a question, no reply", LIT("\0\0\1\3\0\1\0\0\0\0\0\0" QUESTION),
	    DNS_WHY_MALFORMED, 0, NULL },
	/* Not all there: no answer, whatever the rest says. */
	{ "cut in the header", LIT("\0\0\201\203\0\1"), DNS_WHY_MALFORMED, 0,
	    NULL },
	{ "fewer records than promised",
	    LIT(HEAD("\203", "\0", "\2", "\0") QUESTION SOA), DNS_WHY_MALFORMED,
	    0, NULL },
	{ "record cut off",
	    LIT(OK("\1", "\0", "\0") RR("\0\20", "\0\5") "\3abc"),
	    DNS_WHY_MALFORMED, 0, NULL },
	{ "unknown record cut off",
	    LIT(OK("\1", "\0", "\0") RR("\331\331", "\0\5") "abc"),
	    DNS_WHY_MALFORMED, 0, NULL },
	{ "record of a name that is none",
	    LIT(HEAD("\203", "\0", "\1", "\0") QUESTION
		"\1a\377\377\0\6\0\1\0\0"
		"\0\1\0\0"),
	    DNS_WHY_MALFORMED, 0, NULL },
	{ "alias cut off", LIT(OK("\1", "\0", "\0") RR("\0\5", "\0\2") "\1b"),
	    DNS_WHY_MALFORMED, 0, NULL },
	{ "alias with a tail",
	    LIT(OK("\1", "\0", "\0") RR("\0\5", "\0\4") "\1b\0\0"),
	    DNS_WHY_MALFORMED, 0, NULL },
	{ "RFC 1035 3.3.14 string longer than its record",
	    LIT(OK("\1", "\0", "\0") RR("\0\20", "\0\4") "\4abc"),
	    DNS_WHY_MALFORMED, 0, NULL },
	{ "no string", LIT(OK("\1", "\0", "\0") RR("\0\20", "\0\0")),
	    DNS_WHY_MALFORMED, 0, NULL },
};

static void
replies(void **state)
{
	struct dns_wire name;
	struct dns_found f;

	(void)state;
	assert_true(dns_wire_parse(&name, "_mta-sts.a"));
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct sts_str r = table[i].reply;

		dns_reply_read(&f, (const uint8_t *)guard_copy(r.p, r.len),
		    r.len, &name, DNS_RR_TXT);
		ROW(f.why == table[i].why && f.ttl == table[i].ttl,
		    "%s: %s, %u s", table[i].clause, dns_why_name(f.why),
		    f.ttl);
		ROW((f.n > 0) == (table[i].text != NULL) &&
			(f.n == 0 || str_is(f.txt[0], table[i].text)),
		    "%s: %zu records", table[i].clause, f.n);
		dns_found_clear(&f);
	}
	rows_done();
}

static void
records(void **state)
{
	static const struct {
		const char *clause;
		unsigned type;
		struct sts_str rdata;
		const char *want; /* NULL: cannot be read */
	} t[] = {
		{ "MX", DNS_RR_MX, LIT("\1\2\1B\0"), "258 b" },
		{ "RFC 7505 null MX", DNS_RR_MX, LIT("\0\0\0"), "0 " },
		{ "MX, pointer", DNS_RR_MX, LIT("\0\1\300\14"),
		    "1 _mta-sts.a" },
		{ "MX, dot in a label", DNS_RR_MX, LIT("\0\1\3a.b\0"), NULL },
		{ "MX, no name", DNS_RR_MX, LIT("\0\1"), NULL },
		{ "MX, tail", DNS_RR_MX, LIT("\0\1\1b\0x"), NULL },
		{ "A", DNS_RR_A, LIT("\300\0\2\1"), "192.0.2.1" },
		{ "A, short", DNS_RR_A, LIT("\300\0\2"), NULL },
		{ "AAAA", DNS_RR_AAAA,
		    LIT("\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1"),
		    "2001:db8::1" },
		{ "AAAA, long", DNS_RR_AAAA,
		    LIT("\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1\0"), NULL },
		{ "RFC 6698 2.2", DNS_RR_TLSA, LIT("\3\1\1\253\1"),
		    "3 1 1 AB01" },
		{ "TLSA, large numbers", DNS_RR_TLSA, LIT("\377\144\12\0"),
		    "255 100 10 00" },
		{ "TLSA, no data", DNS_RR_TLSA, LIT("\3\1\1"), NULL },
	};
	struct dns_wire name;
	struct dns_found f;

	(void)state;
	assert_true(dns_wire_parse(&name, "_mta-sts.a"));
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char message[128] = OK("\1", "\0", "\0") RR("\0\0", "\0");
		char got[512] = "", addr[STS_ADDR_TEXT];
		size_t head = sizeof OK("\1", "\0", "\0") RR("\0\0", "\0") - 1;

		message[12 + sizeof NAME] = message[12 + sizeof QUESTION + 2] =
		    (char)t[i].type;
		message[head++] = (char)t[i].rdata.len;
		memcpy(message + head, t[i].rdata.p, t[i].rdata.len);
		head += t[i].rdata.len;
		dns_reply_read(&f, (const uint8_t *)guard_copy(message, head),
		    head, &name, t[i].type);
		if (f.n > 0 && t[i].type == DNS_RR_MX)
			snprintf(got, sizeof got, "%u %s", f.mx->preference,
			    f.mx->name);
		else if (f.n > 0 && t[i].type == DNS_RR_TLSA)
			snprintf(got, sizeof got, "%.*s", (int)f.txt->len,
			    f.txt->p);
		else if (f.n > 0)
			snprintf(got, sizeof got, "%s",
			    sts_addr_text(f.addr, addr));
		ROW((f.why == DNS_WHY_OK) == (t[i].want != NULL) &&
			(t[i].want == NULL || strcmp(got, t[i].want) == 0),
		    "%s: %s, %s", t[i].clause, dns_why_name(f.why), got);
		dns_found_clear(&f);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies),
		cmocka_unit_test(records),
	};

	return cmocka_run_group_tests_name("dns_reply", tests, NULL, NULL);
}
