/* SPDX-License-Identifier: ISC */
#include "net/dns_wire.h"
#include "row.h"

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789a"

static void
from_text(void **state)
{
	static const struct {
		const char *what, *in;
		struct sts_str out; /* NULL: cannot be asked */
	} cases[] = {
		{ "two labels", "a.bc", LIT("\1a\2bc\0") },
		{ "case is kept", "A.b", LIT("\1A\1b\0") },
		{ "underscore", "_mta-sts.a", LIT("\10_mta-sts\1a\0") },
		{ "root", ".", LIT("\0") },
		{ "empty", "", { NULL, 0 } },
		{ "dot at the end", "a.", { NULL, 0 } },
		{ "dot in front", ".a", { NULL, 0 } },
		{ "empty label", "a..b", { NULL, 0 } },
		{ "blank", "a b", { NULL, 0 } },
		{ "escape", "a\\.b", { NULL, 0 } },
		{ "UTF-8", "b\xc3\xbc.a", { NULL, 0 } },
		{ "star", "*.a", { NULL, 0 } },
		{ "64 in a label", L63 "x.a", { NULL, 0 } },
		{ "255 bytes",
		    L63 "." L63 "." L63
			".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
			"012345678",
		    LIT("\77" L63 "\77" L63 "\77" L63
			"\75abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx"
			"yz012345678\0") },
		{ "256 bytes",
		    L63 "." L63 "." L63
			".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
			"0123456789",
		    { NULL, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct sts_str want = cases[i].out;
		struct dns_wire wire;
		bool ok = dns_wire_parse(&wire, guard_string(cases[i].in));

		ROW(ok == (want.p != NULL), "%s: %d", cases[i].what, ok);
		if (ok && want.p != NULL)
			ROW(wire.len == want.len &&
				memcmp(wire.bytes, want.p, want.len) == 0,
			    "%s: %zu bytes", cases[i].what, wire.len);
	}
	rows_done();
}

static void
to_host(void **state)
{
	static const struct {
		const char *what;
		struct sts_str in;
		const char *out; /* NULL: not a host name */
	} cases[] = {
		{ "two labels", LIT("\1A\2bC\0"), "a.bc" },
		{ "the root: null MX, RFC 7505", LIT("\0"), "" },
		{ "dot inside a label", LIT("\3a.b\0"), NULL },
		{ "NUL inside a label", LIT("\3a\0b\0"), NULL },
		{ "blank", LIT("\3a b\0"), NULL },
		{ "no end", LIT("\1a"), NULL },
		{ "label over the end", LIT("\5ab\0"), NULL },
		{ "label to the end", LIT("\2ab"), NULL },
		{ "bytes after the end", LIT("\1a\0x"), NULL },
		{ "pointer", LIT("\300\14"), NULL },
		{ "nothing", LIT(""), NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *p = guard_copy(cases[i].in.p, cases[i].in.len);
		char out[256];
		bool ok =
		    dns_wire_host(out, (const uint8_t *)p, cases[i].in.len);

		ROW(ok == (cases[i].out != NULL), "%s: %d", cases[i].what, ok);
		if (ok && cases[i].out != NULL)
			ROW(strcmp(out, cases[i].out) == 0, "%s: %s",
			    cases[i].what, out);
	}
	rows_done();
}

static void
same(void **state)
{
	static const struct {
		const char *what;
		struct sts_str other;
		bool is;
	} cases[] = {
		{ "itself", LIT("\2ab\1c\0"), true },
		{ "other case, RFC 4343", LIT("\2AB\1C\0"), true },
		{ "other letter", LIT("\2ax\1c\0"), false },
		{ "other cut", LIT("\1a\2bc\0"), false },
		{ "shorter", LIT("\2ab\0"), false },
		{ "nothing", LIT(""), false },
	};
	struct dns_wire wire;

	(void)state;
	assert_true(dns_wire_parse(&wire, "ab.c"));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *p =
		    guard_copy(cases[i].other.p, cases[i].other.len);

		ROW(dns_wire_is(&wire, (const uint8_t *)p,
			cases[i].other.len) == cases[i].is,
		    "%s", cases[i].what);
	}
	rows_done();
}

static void
from_message(void **state)
{
	static const struct {
		const char *what;
		struct sts_str message;
		size_t at, end; /* 0: no name */
		const char *host;
	} cases[] = {
		{ "labels", LIT("\2ab\1c\0x"), 0, 6, "ab.c" },
		{ "RFC 1035 4.1.4 pointer", LIT("\2ab\0\1c\300\0x"), 4, 8,
		    "c.ab" },
		{ "pointer to a pointer", LIT("\1a\0\300\0\300\3"), 5, 7, "a" },
		{ "pointer to itself", LIT("\1a\300\2"), 0, 0, NULL },
		{ "pointer to where it began", LIT("\1a\300\0"), 0, 0, NULL },
		{ "pointer forward", LIT("\300\2\1a\0"), 0, 0, NULL },
		{ "pointer cut off", LIT("\1a\0\300"), 3, 0, NULL },
		{ "label cut off", LIT("\3ab"), 0, 0, NULL },
		{ "no end", LIT("\2ab"), 0, 0, NULL },
		{ "nothing", LIT(""), 0, 0, NULL },
		{ "behind the end", LIT("\0"), 1, 0, NULL },
		{ "label type 01, RFC 6891 5", LIT("\100a\0"), 0, 0, NULL },
		{ "255 bytes",
		    LIT("\77" L63 "\77" L63 "\77" L63
			"\75abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx"
			"yz012345678\0"),
		    0, 255, NULL },
		{ "256 bytes",
		    LIT("\77" L63 "\77" L63 "\77" L63
			"\76abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx"
			"yz0123456789\0"),
		    0, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct sts_str m = cases[i].message;
		struct dns_wire wire;
		char host[256];
		size_t end = dns_wire_read(&wire,
		    (const uint8_t *)guard_copy(m.p, m.len), m.len,
		    cases[i].at);

		ROW(end == cases[i].end, "%s: %zu", cases[i].what, end);
		if (end != 0 && cases[i].host != NULL)
			ROW(dns_wire_host(host, wire.bytes, wire.len) &&
				strcmp(host, cases[i].host) == 0,
			    "%s: %s", cases[i].what, host);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_text),
		cmocka_unit_test(to_host),
		cmocka_unit_test(same),
		cmocka_unit_test(from_message),
	};

	return cmocka_run_group_tests_name("dns_wire", tests, NULL, NULL);
}
