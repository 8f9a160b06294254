/* SPDX-License-Identifier: ISC */
#include "base/addr.h"
#include "row.h"

static void
text(void **state)
{
	static const struct {
		const char *what;
		struct sts_str in;
		const char *out; /* NULL: not an address */
	} cases[] = {
		{ "v4", LIT("192.0.2.1"), "192.0.2.1" },
		{ "v4 all ones", LIT("255.255.255.255"), "255.255.255.255" },
		{ "v6", LIT("2001:DB8::1"), "2001:db8::1" },
		{ "v6 any", LIT("::"), "::" },
		{ "v6 with v4", LIT("::ffff:192.0.2.1"), "::ffff:192.0.2.1" },
		{ "longest",
		    LIT("0000:0000:0000:0000:0000:ffff:255.255.255.255"),
		    "::ffff:255.255.255.255" },
		{ "empty", LIT(""), NULL },
		{ "three parts", LIT("192.0.2"), NULL },
		{ "five parts", LIT("192.0.2.1.1"), NULL },
		{ "over 255", LIT("192.0.2.256"), NULL },
		{ "octal", LIT("0177.0.0.1"), NULL },
		{ "hexadecimal", LIT("0x7f.0.0.1"), NULL },
		{ "one number", LIT("2130706433"), NULL },
		{ "brackets", LIT("[::1]"), NULL },
		{ "scope", LIT("fe80::1%eth0"), NULL },
		{ "port", LIT("192.0.2.1:53"), NULL },
		{ "blank before", LIT(" 192.0.2.1"), NULL },
		{ "blank after", LIT("192.0.2.1 "), NULL },
		{ "NUL inside", LIT("192.0.2.1\0.1"), NULL },
		{ "name", LIT("localhost"), NULL },
		{ "two gaps", LIT("1::2::3"), NULL },
		{ "too long",
		    LIT("0000:0000:0000:0000:0000:ffff:255.255.255."
			"2555555"),
		    NULL },
	};
	char buf[STS_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_addr a;
		const char *p = guard_copy(cases[i].in.p, cases[i].in.len);
		bool ok =
		    sts_addr_parse(&a, (struct sts_str){ p, cases[i].in.len });

		ROW(ok == (cases[i].out != NULL), "%s: %d", cases[i].what, ok);
		if (ok && cases[i].out != NULL)
			ROW(strcmp(sts_addr_text(&a, buf), cases[i].out) == 0,
			    "%s: %s", cases[i].what, buf);
	}
	rows_done();
}

static void
networks(void **state)
{
	static const struct {
		const char *net, *addr;
		int in; /* -1: not a network */
	} cases[] = {
		{ "198.51.100.0/24", "198.51.100.255", 1 },
		{ "198.51.100.0/24", "198.51.101.0", 0 },
		{ "198.51.100.77/24", "198.51.100.1", 1 },
		{ "198.51.100.128/25", "198.51.100.127", 0 },
		{ "198.51.100.128/25", "198.51.100.128", 1 },
		{ "198.51.100.4/31", "198.51.100.5", 1 },
		{ "198.51.100.4/31", "198.51.100.6", 0 },
		{ "198.51.100.4", "198.51.100.4", 1 },
		{ "198.51.100.4", "198.51.100.5", 0 },
		{ "198.51.100.4/32", "198.51.100.5", 0 },
		{ "0.0.0.0/0", "203.0.113.9", 1 },
		{ "0.0.0.0/0", "2001:db8::1", 0 },
		{ "2001:db8::/32", "2001:db8:ffff::", 1 },
		{ "2001:db8::/32", "2001:db9::", 0 },
		{ "2001:db8::/33", "2001:db8:8000::", 0 },
		{ "::1", "::1", 1 },
		{ "::/0", "2001:db8::1", 1 },
		{ "::/0", "192.0.2.1", 0 },
		/* One host by several names. */
		{ "127.0.0.0/8", "::ffff:127.0.0.1", 1 },
		{ "127.0.0.0/8", "64:ff9b::127.0.0.1", 1 },
		{ "127.0.0.0/8", "::ffff:128.0.0.1", 0 },
		{ "127.0.0.0/8", "64:ff9b:1::127.0.0.1", 1 },
		{ "127.0.0.0/8", "::127.0.0.1", 0 },
		{ "::ffff:127.0.0.0/104", "127.9.9.9", 1 },
		{ "::ffff:127.0.0.0/104", "64:ff9b::7f00:1", 1 },
		{ "::ffff:0:0/96", "::ffff:192.0.2.1", 1 },
		{ "::ffff:0:0/96", "192.0.2.1", 0 },
		{ "64:ff9b::/96", "64:ff9b::192.0.2.1", 1 },
		{ "64:ff9b::/96", "192.0.2.1", 0 },
		{ "::/0", "::ffff:192.0.2.1", 1 },
		/* Not networks. */
		{ "198.51.100.0/33", "", -1 },
		{ "2001:db8::/129", "", -1 },
		{ "198.51.100.0/", "", -1 },
		{ "198.51.100.0/-1", "", -1 },
		{ "198.51.100.0/8/8", "", -1 },
		{ "198.51.100.0/ 8", "", -1 },
		{ "198.51.100.0/4294967296", "", -1 },
		{ "198.51.100.0/255.0.0.0", "", -1 },
		{ "198.51.100/24", "", -1 },
		{ "/24", "", -1 },
		{ "", "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *p = guard_copy(cases[i].net, strlen(cases[i].net));
		struct sts_net net;
		struct sts_addr addr;
		int got = -1;

		if (sts_net_parse(&net,
			(struct sts_str){ p, strlen(cases[i].net) }) &&
		    sts_addr_parse(&addr, str_of(cases[i].addr)))
			got = sts_addr_in(&addr, &net, 1);
		ROW(got == cases[i].in, "%s in %s: %d", cases[i].addr,
		    cases[i].net, got);
	}
	rows_done();
}

static void
several(void **state)
{
	struct sts_net net[2];
	struct sts_addr addr;

	(void)state;
	assert_true(sts_net_parse(&net[0], str_of("10.0.0.0/8")));
	assert_true(sts_net_parse(&net[1], str_of("192.168.0.0/16")));
	assert_true(sts_addr_parse(&addr, str_of("192.168.3.4")));
	assert_true(sts_addr_in(&addr, net, 2));
	assert_false(sts_addr_in(&addr, net, 1));
	assert_false(sts_addr_in(&addr, net, 0));
}

static void
loopback(void **state)
{
	static const struct {
		const char *addr;
		bool is;
	} cases[] = {
		{ "127.0.0.1", true },
		{ "127.255.255.255", true },
		{ "0.0.0.0", true },
		{ "::", true },
		{ "::1", true },
		{ "::ffff:127.0.0.53", true },
		{ "::ffff:0.0.0.0", true },
		{ "128.0.0.1", false },
		{ "::2", false },
		{ "fe80::1", false },
		{ "192.168.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_addr a;

		ROW(sts_addr_parse(&a, str_of(cases[i].addr)) &&
			sts_addr_loopback(&a) == cases[i].is,
		    "%s", cases[i].addr);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text),
		cmocka_unit_test(networks),
		cmocka_unit_test(several),
		cmocka_unit_test(loopback),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
