/* SPDX-License-Identifier: ISC */
#include "row.h"
#include "rules/mx_offers.h"

static void
test_line(void **state)
{
	static const struct sts_mx_host plain = { .name = "mx.a.example",
		.naddr = 2,
		.addr = { { false, { 192, 0, 2, 1 } },
		    { true, { 0x20, 1, 0xd, 0xb8, [15] = 1 } } } };
	static const struct sts_mx_host none = { .name = "mx.a.example" };
	static const char want[] =
	    "1795450922958 policy a.example mx.a.example "
	    "192.0.2.1,2001:db8::1\n";
	struct sts_mx_host longest = { .naddr = STS_MX_ADDRS_MAX };
	char out[STS_MX_OFFER_LINE], domain[STS_NAME_SIZE];
	size_t n;

	(void)state;
	n = sts_mx_offer_line(out, 1795450922958, true, "a.example", &plain);
	ROW(n == strlen(want) && memcmp(out, want, n) == 0, "%.*s", (int)n,
	    out);
	ROW(sts_mx_offer_line(out, 1, true, "a.example", &none) == 0,
	    "no address");
	memset(domain, 'd', sizeof domain - 1);
	domain[sizeof domain - 1] = '\0';
	memcpy(longest.name, domain, sizeof domain);
	for (size_t i = 0; i < STS_MX_ADDRS_MAX; i++) {
		longest.addr[i].v6 = true;
		memset(longest.addr[i].bytes, 0xfe, 16);
	}
	n = sts_mx_offer_line(out, INT64_MAX, true, domain, &longest);
	ROW(n > 0 && n < sizeof out && out[n - 1] == '\n', "%zu", n);
	rows_done();
}

static void
test_next(void **state)
{
#define A "192.0.2.1"
	static const struct {
		const char *what;
		struct sts_str text;
		const char *want;
	} t[] = {
		{ "one", LIT("5 any a.b mx.c.d 192.0.2.1\n"),
		    "5 a.b mx.c.d, " },
		{ "under a policy", LIT("5 policy a.b m.c " A "\n"),
		    "5 policy a.b m.c, " },
		{ "neither", LIT("5 none a.b m.c " A "\n"), "" },
		{ "as it was before that was noted", LIT("5 a.b m.c " A "\n"),
		    "" },
		{ "among others",
		    LIT("5 any a.b mx.c.d 192.0.2.9,192.0.2.1,::1\n"),
		    "5 a.b mx.c.d, " },
		{ "a host with an underscore", LIT("5 any a.b m_x.c.d " A "\n"),
		    "5 a.b m_x.c.d, " },
		{ "no domain has one", LIT("5 any a_b.c m.c " A "\n"), "" },
		{ "two, one of another address",
		    LIT("5 any a.b m.c 192.0.2.1\n6 any x.y m.c 192.0.2.11\n"
			"7 any e.f m.c 192.0.2.1\n"),
		    "5 a.b m.c, 7 e.f m.c, " },
		{ "torn by a full disk, and gone on with",
		    LIT("5 any a.b6 any c.d m.c 192.0.2.1\n"), "" },
		{ "half a line", LIT("5 any a.b m.c 192.0.2.1"), "" },
		{ "NUL in a name", LIT("5 any a\0b m.c 192.0.2.1\n"), "" },
		{ "upper case", LIT("5 any A.b m.c 192.0.2.1\n"), "" },
		{ "a path", LIT("5 any ../x m.c 192.0.2.1\n"), "" },
		{ "a time too large",
		    LIT("99999999999999999999 any a.b m.c " A "\n"), "" },
		{ "a negative one", LIT("-5 any a.b m.c " A "\n"), "" },
		{ "no host", LIT("5 any a.b " A "\n"), "" },
		{ "empty host", LIT("5 any a.b  " A "\n"), "" },
		{ "odd, then good",
		    LIT("\n\n \xff\n5 any a.b m.c\n6 any e.f m.c " A "\n"),
		    "6 e.f m.c, " },
		{ "no addresses", LIT("5 any a.b m.c ,,,\n"), "" },
		{ "nothing", LIT(""), "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct scan s =
		    scan_bytes(guard_copy(t[i].text.p, t[i].text.len),
			t[i].text.len);
		char got[300] = "";
		struct sts_mx_offer h;
		size_t n = 0;

		while (sts_mx_offer_next(&s, A, &h))
			n += (size_t)snprintf(got + n, sizeof got - n,
			    "%d %s%s %s, ", (int)h.when,
			    h.policy ? "policy " : "", h.domain, h.host);
		ROW(strcmp(got, t[i].want) == 0, "%s: %s", t[i].what, got);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
