/* SPDX-License-Identifier: ISC */
/* Where an address that a stranger chose may lead us: RFC 8460 7. */
#include <ifaddrs.h>
#include <net/if.h>

#include "net/gate.h"
#include "net/sockaddr.h"
#include "row.h"

enum { P = 1 << GATE_POLICY, B = 1 << GATE_PROBE, R = 1 << GATE_POST };

static struct sts_net deny[2];
static const struct sts_conf conf = { .deny = deny, .ndeny = 2 };

/* Each at the port of its service; none of them is this machine's. */
static const struct {
	const char *address;
	unsigned may; /* policy, probe, report */
} t[] = {
	{ "192.0.2.1", P | B | R }, { "198.18.0.1", P | B | R },
	{ "2001:db8::1", P | B | R }, { "198.51.100.9", P | B | R },
	{ "198.51.100.8", 0 }, { "2001:db8:bad::1", 0 }, { "0.0.0.0", P },
	{ "10.255.255.255", P | B }, { "100.64.0.1", P | B },
	{ "100.128.0.1", P | B | R }, { "127.0.0.1", P },
	{ "169.254.169.254", P | B }, { "172.15.255.255", P | B | R },
	{ "172.16.0.1", P | B }, { "172.31.255.255", P | B },
	{ "172.32.0.1", P | B | R }, { "192.168.0.1", P | B },
	{ "224.0.0.1", P | B }, { "255.255.255.255", P | B }, { "::", P },
	{ "::1", P }, { "::ffff:127.0.0.1", P }, { "::ffff:10.0.0.1", P | B },
	{ "::ffff:192.0.2.1", P | B | R }, { "64:ff9b::7f00:1", P },
	{ "fc00::1", P | B }, { "fdff::1", P | B }, { "fe80::1", P | B },
	{ "fec0::1", P | B }, { "ff02::1", P | B },
	/* RFC 8215, RFC 3056 2: what they lead to counts */
	{ "64:ff9b:1::10.0.0.1", P | B }, { "64:ff9b:1::127.0.0.1", P },
	{ "2002:7f00:1::1", P }, { "2002:a00:1::1", P | B },
	{ "2002:c000:201::1", P | B | R },
	{ "2002:c633:6408::1", 0 }, /* deny_networks */
};

static int
set_up(void **state)
{
	(void)state;
	return sts_net_parse(&deny[0], str_of("198.51.100.8")) &&
		sts_net_parse(&deny[1], str_of("2001:db8:bad::/48"))
	    ? 0
	    : -1;
}

static void
test_gate(void **state)
{
	static const struct {
		enum gate_use use;
		unsigned port;
	} uses[] = { { GATE_POLICY, 443 }, { GATE_PROBE, 25 },
		{ GATE_POST, 443 } };
	const char *why;
	struct sts_addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		for (size_t k = 0; k < ARRAY_LEN(uses); k++) {
			assert_true(sts_addr_parse(&a, str_of(t[i].address)));
			why =
			    gate_refuses(&conf, uses[k].use, &a, uses[k].port);
			ROW((why == NULL) == ((t[i].may & 1U << k) != 0),
			    "%s, use %zu: %s", t[i].address, k,
			    why == NULL ? "let through" : why);
			ROW(gate_refuses(&conf, uses[k].use, &a, 8443) != NULL,
			    "%s, use %zu: another port", t[i].address, k);
		}
	rows_done();
}

/* Whatever addresses this machine has: only a policy may be there. */
static void
test_own(void **state)
{
	struct ifaddrs *all, *i;
	char text[STS_ADDR_TEXT];
	struct sts_addr a;

	(void)state;
	assert_int_equal(getifaddrs(&all), 0);
	for (i = all; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0 ||
		    !sockaddr_addr(&a, i->ifa_addr))
			continue;
		/* Of these there is one on each interface. */
		if (a.v6 && a.bytes[0] == 0xfe && a.bytes[1] == 0x80)
			continue;
		sts_addr_text(&a, text);
		ROW(gate_is_own(&a) &&
			gate_refuses(&conf, GATE_POLICY, &a, 443) == NULL &&
			gate_refuses(&conf, GATE_PROBE, &a, 25) != NULL &&
			gate_refuses(&conf, GATE_POST, &a, 443) != NULL,
		    "%s", text);
	}
	freeifaddrs(all);
	rows_done();
}

/* What routes there are is tested by tests/edges/refresh.py. */
static void
test_route(void **state)
{
	struct sts_addr a[2];

	(void)state;
	assert_true(sts_addr_parse(&a[0], str_of("224.0.0.1")));
	assert_true(sts_addr_parse(&a[1], str_of("127.0.0.1")));
	ROW(gate_no_route(a, 2) == NULL, "this host has a way to itself");
	ROW(gate_no_route(a, 0) == NULL, "no address is no fault of ours");
	assert_true(sts_addr_parse(&a[0], str_of("fe80::1")));
	ROW(gate_no_route(a, 1) == NULL, "fe80::1 is their fault, not ours");
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gate),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_route),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
