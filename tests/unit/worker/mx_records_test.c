/* SPDX-License-Identifier: ISC */
/* MX records to an MX set, its candidates, and when a probe is over. */
#include <stdlib.h>

#include "mx_records.h"
#include "row.h"
#include "rules/policy.h"

static struct sts_mx_set set;

/* "10 a.example, 20 b.example!": "!" is this machine, "." the null MX. */
static size_t
records(struct dns_mx *mx, bool *self, const char *text)
{
	struct scan s = scan_str(str_of(text));
	struct sts_str w;
	uint64_t pref = 0;
	size_t n = 0;

	for (; s.p < s.end; n++) {
		while (scan_char(&s, ',') || scan_char(&s, ' '))
			;
		if (scan_until(&s, ' ', &w))
			s.p++;
		assert_true(str_u64(w, 65535, &pref));
		if (!scan_until(&s, ',', &w))
			w = scan_rest(&s);
		self[n] = w.len > 0 && w.p[w.len - 1] == '!';
		w.len -= self[n];
		mx[n] = (struct dns_mx){ .preference = (uint16_t)pref };
		if (!str_is(w, "."))
			memcpy(mx[n].name, w.p, w.len);
	}
	return n;
}

static void
show_set(char out[2000])
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < set.n; i++)
		n += (size_t)snprintf(out + n, 2000 - n, "%s%u %s",
		    i > 0 ? ", " : "", set.host[i].preference,
		    set.host[i].name);
}

static const struct {
	const char *clause, *in;
	enum sts_mx_kind kind;
	const char *out;
} sets[] = {
#define K(k) STS_MX_##k
	{ "5321 5.1 by preference", "20 b.example, 10 a.example, 0 c.example",
	    K(HOSTS), "0 c.example, 10 a.example, 20 b.example" },
	{ "equal ones as they came", "10 b.example, 10 a.example", K(HOSTS),
	    "10 b.example, 10 a.example" },
	{ "one host twice: the better", "20 a.example, 10 a.example", K(HOSTS),
	    "10 a.example" },
	{ "preference 65535", "65535 a.example", K(HOSTS), "65535 a.example" },
	{ "7505 3 null MX", "0 .", K(NULL), "" },
	{ "7505 3 of any preference", "10 .", K(NULL), "" },
	{ "7505 3 beside another it is a slip", "0 ., 10 a.example", K(HOSTS),
	    "10 a.example" },
	{ "5321 5.1 an address is no host", "10 192.0.2.1, 20 a.example",
	    K(HOSTS), "20 a.example" },
	{ "5321 5.1 none can be used", "10 192.0.2.1", K(NOTHING), "" },
	{ "underscore", "10 a_b.example, 20 c.example", K(HOSTS),
	    "10 a_b.example, 20 c.example" },
	{ "not a host name", "10 a/b.example, 20 -.example", K(NOTHING), "" },
#undef K
};

static void
test_hosts(void **state)
{
	struct dns_mx mx[16];
	bool self[16];
	char got[2000];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		n = records(mx, self, sets[i].in);
		ROW(mx_records_hosts(&set, mx, n) == (sets[i].out[0] != '\0'),
		    "%s: found", sets[i].clause);
		show_set(got);
		ROW(set.kind == sets[i].kind && strcmp(got, sets[i].out) == 0,
		    "%s: kind %d \"%s\"", sets[i].clause, (int)set.kind, got);
	}
	rows_done();
}

/* More than a set holds, and more than anybody needs. */
static void
test_many(void **state)
{
	static struct dns_mx mx[1000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mx); i++) {
		mx[i].preference = (uint16_t)(5000 - i);
		snprintf(mx[i].name, sizeof mx[i].name, "h%zu.example", i);
	}
	ROW(mx_records_hosts(&set, mx, 100) && set.n == STS_MX_HOSTS_MAX &&
		strcmp(set.host[0].name, "h99.example") == 0 &&
		strcmp(set.host[31].name, "h68.example") == 0,
	    "100 records: the best 32");
	ROW(mx_records_hosts(&set, mx, 1000) && set.n == STS_MX_HOSTS_MAX,
	    "1000 records");
	rows_done();
}

static const struct {
	const char *in, *out;
} addresses[] = {
	{ "", "" },
	{ "4", "4" },
	{ "6", "6" },
	{ "4 4 6", "4 6 4" },
	{ "4 4 4 4 4 4 4 4 4 4 6", "4 6 4 4 4 4 4 4" },
	{ "6 6 6 6 6 6 6 6 6 6 4 4 4 4 4 4", "4 6 4 6 4 6 4 6" },
};

static void
test_addrs(void **state)
{
	struct sts_addr addr[32] = { 0 };
	struct sts_mx_host host;
	char got[64];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		n = 0;
		for (const char *p = addresses[i].in; *p != '\0'; p++)
			if (*p != ' ')
				addr[n++].v6 = *p == '6';
		mx_records_addrs(&host, addr, n);
		got[0] = '\0';
		for (size_t k = 0; k < host.naddr; k++)
			snprintf(got + (k > 0 ? 2 * k - 1 : 0), 4, "%s%d",
			    k > 0 ? " " : "", host.addr[k].v6 ? 6 : 4);
		ROW(strcmp(got, addresses[i].out) == 0, "addresses %s: %s",
		    addresses[i].in, got);
	}
	rows_done();
}

static void
test_ttl(void **state)
{
	(void)state;
	ROW(mx_records_ttl(0) == STS_MX_TTL_MIN, "0");
	ROW(mx_records_ttl(STS_MX_TTL_MIN + 1) == STS_MX_TTL_MIN + 1,
	    "between");
	ROW(mx_records_ttl(UINT32_MAX) == STS_MX_TTL_MAX, "for ever");
	rows_done();
}

static const struct {
	const char *clause, *hosts, *policy, *may;
} candidates[] = {
	{ "no policy: all", "1 a.example, 2 b.test", NULL, "yy" },
	{ "4.1 those of the policy", "1 a.example, 2 b.test", "b.test", "ny" },
	{ "4.1 one label", "1 a.example, 2 b.a.example", "*.example", "yn" },
	{ "several patterns", "1 a.example, 2 b.test, 3 c.test",
	    "b.test *.example", "yyn" },
	{ "5321 5.1 before our own preference",
	    "1 a.example, 2 b.test!, 2 c.test, 3 d.test", NULL, "ynnn" },
	{ "8461 8.4 counted before the policy", "1 a.example!, 2 b.test",
	    "b.test", "nn" },
	{ "preference 65535", "65535 a.example", NULL, "y" },
};

static void
test_candidates(void **state)
{
	struct sts_policy *pol;
	struct dns_mx mx[16];
	bool self[16], may[STS_MX_HOSTS_MAX], good;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
		(void)mx_records_hosts(&set, mx,
		    records(mx, self, candidates[i].hosts));
		for (size_t k = 0; k < set.n; k++)
			set.host[k].self = self[k];
		pol = NULL;
		if (candidates[i].policy != NULL)
			assert_int_equal(sts_policy_pin(&pol, STS_MODE_ENFORCE,
					     candidates[i].policy, NULL),
			    STS_OK);
		mx_records_candidates(&set, pol, may);
		good = strlen(candidates[i].may) == set.n;
		for (size_t k = 0; good && k < set.n; k++)
			good = may[k] == (candidates[i].may[k] == 'y');
		for (size_t k = set.n; k < STS_MX_HOSTS_MAX; k++)
			good = good && !may[k];
		ROW(good, "%s", candidates[i].clause);
		sts_policy_free(pol);
	}
	rows_done();
}

/* Per host: - left out, . due, ? pending, + up, x down. */
static const struct {
	const char *clause, *hosts, *state;
	bool settled;
} waits[] = {
	{ "nobody to ask", "1 a.example, 2 b.example", "--", true },
	{ "the best answered", "1 a.example, 2 b.example", "+.", true },
	{ "the best answered, a worse is pending", "1 a.example, 2 b.example",
	    "+?", true },
	{ "a better is pending", "1 a.example, 2 b.example", "?+", false },
	{ "a better has not begun", "1 a.example, 2 b.example", ".+", false },
	{ "a better is down", "1 a.example, 2 b.example", "x+", true },
	{ "a better is left out", "1 a.example, 2 b.example", "-+", true },
	{ "its equal is pending", "1 a.example, 1 b.example", "?+", true },
	{ "all are down", "1 a.example, 2 b.example", "xx", true },
	{ "one is due", "1 a.example, 2 b.example", "x.", false },
	{ "one is pending", "1 a.example, 2 b.example", "x?", false },
};

static void
test_settled(void **state)
{
	static const char states[] = "-.?+x"; /* of enum mx_state */
	enum mx_state s[STS_MX_HOSTS_MAX];
	struct dns_mx mx[16];
	bool self[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		(void)mx_records_hosts(&set, mx,
		    records(mx, self, waits[i].hosts));
		for (size_t k = 0; k < set.n; k++)
			s[k] = (enum mx_state)(
			    strchr(states, waits[i].state[k]) - states);
		ROW(mx_records_settled(&set, s) == waits[i].settled, "%s",
		    waits[i].clause);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_addrs),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_candidates),
		cmocka_unit_test(test_settled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
