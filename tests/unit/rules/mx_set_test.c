/* SPDX-License-Identifier: ISC */
/* MX sets as bytes, and the choice of a host: a row per rule. */
#include "base/hash.h"
#include "row.h"
#include "rules/mx_set.h"

#define NOW ((int64_t)1800000000)
#define DOMAIN "example.com"
#define YEAR 31557600

static char buf[STS_MX_BYTES_MAX + 1];
static struct sts_mx_set set, back;

/* --- Sets, as "PREFERENCE NAME[!] [ADDRESS ...];", "!" for this machine -- */

/* The next word, up to sep or the end. */
static struct sts_str
cut(struct scan *s, char sep)
{
	struct sts_str w;

	if (s->p >= s->end)
		return (struct sts_str){ "", 0 };
	if (!scan_word(s, sep, &w))
		w = scan_rest(s);
	return w;
}

static void
make(struct sts_mx_set *m, enum sts_mx_kind kind, const char *hosts)
{
	struct scan s = scan_str(str_of(hosts)), h;
	struct sts_str w;
	struct sts_mx_host *to;
	uint64_t n = 0;

	memset(m, 0, sizeof *m);
	m->kind = kind;
	m->asked = NOW - 60;
	m->until = NOW + 600;
	while (s.p < s.end) {
		h = scan_str(cut(&s, ';'));
		scan_wsp(&h);
		to = &m->host[m->n++];
		assert_true(str_u64(cut(&h, ' '), 65535, &n));
		to->preference = (uint16_t)n;
		while (h.p < h.end) {
			w = cut(&h, ' ');
			if (to->name[0] != '\0') {
				assert_true(
				    sts_addr_parse(&to->addr[to->naddr++], w));
				continue;
			}
			to->self = w.p[w.len - 1] == '!';
			memcpy(to->name, w.p, w.len - to->self);
		}
	}
}

/* --- Bytes -------------------------------------------------------------- */

static const struct {
	const char *what;
	enum sts_mx_kind kind;
	const char *hosts;
} sets[] = {
	{ "two hosts", STS_MX_HOSTS,
	    "10 mx1.example.com 192.0.2.1 2001:db8::1; 20 mx2.example.net! "
	    "192.0.2.2;" },
	{ "no addresses, far preference", STS_MX_HOSTS,
	    "0 a.example; 65535 b.example;" },
	{ "the same preference", STS_MX_HOSTS,
	    "5 a.example ::1; 5 b.example ::; 5 a.example;" },
	{ "underscore", STS_MX_HOSTS, "5 mx_1.example.com ::1;" },
	{ "implicit", STS_MX_IMPLICIT, "0 example.com 192.0.2.1;" },
	{ "null", STS_MX_NULL, "" },
	{ "nothing", STS_MX_NOTHING, "" },
};

static bool
same(const struct sts_mx_set *a, const struct sts_mx_set *b)
{
	bool eq = a->kind == b->kind && a->asked == b->asked &&
	    a->until == b->until && a->n == b->n;

	for (size_t i = 0; eq && i < a->n; i++)
		eq = strcmp(a->host[i].name, b->host[i].name) == 0 &&
		    a->host[i].preference == b->host[i].preference &&
		    a->host[i].self == b->host[i].self &&
		    a->host[i].naddr == b->host[i].naddr &&
		    memcmp(a->host[i].addr, b->host[i].addr,
			a->host[i].naddr * sizeof a->host[i].addr[0]) == 0;
	return eq;
}

static bool
decode(const char *p, size_t len, const char *domain)
{
	memset(&back, 0xa5, sizeof back);
	return sts_mx_decode(&back, (struct sts_str){ p, len }, domain);
}

static void
test_round_trip(void **state)
{
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		make(&set, sets[i].kind, sets[i].hosts);
		len = sts_mx_encode(buf, &set, DOMAIN);
		ROW(len > 0 && decode(guard_copy(buf, len), len, DOMAIN) &&
			same(&back, &set),
		    "%s: comes back different", sets[i].what);
		ROW(!decode(buf, len, "example.org") &&
			back.kind == STS_MX_UNKNOWN && back.n == 0,
		    "%s: under another domain's name", sets[i].what);
	}
	/* The most there can be. */
	memset(&set, 0, sizeof set);
	set.kind = STS_MX_HOSTS;
	set.asked = STS_MX_TTL_MAX;
	set.n = STS_MX_HOSTS_MAX;
	for (size_t i = 0; i < set.n; i++) {
		set.host[i].naddr = STS_MX_ADDRS_MAX;
		set.host[i].preference = 65535;
		for (size_t k = 0; k < 253; k++)
			set.host[i].name[k] = k % 64 == 63 ? '.' : 'a';
		for (size_t k = 0; k < STS_MX_ADDRS_MAX; k++) {
			set.host[i].addr[k].v6 = true;
			memset(set.host[i].addr[k].bytes, 0xfe, 16);
		}
	}
	set.until = 2 * STS_MX_TTL_MAX;
	len = sts_mx_encode(buf, &set, DOMAIN);
	ROW(len > 18000 && decode(guard_copy(buf, len), len, DOMAIN) &&
		same(&back, &set),
	    "the largest set: %zu bytes", len);
	rows_done();
}

/* Torn at any byte, or any one bit turned: unknown. */
static void
test_damage(void **state)
{
	size_t len;
	char *in;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		make(&set, sets[i].kind, sets[i].hosts);
		len = sts_mx_encode(buf, &set, DOMAIN);
		for (size_t cut = 0; cut < len; cut++)
			ROW(!decode(guard_copy(buf, cut), cut, DOMAIN) &&
				back.kind == STS_MX_UNKNOWN && back.n == 0,
			    "%s: cut at %zu", sets[i].what, cut);
		in = guard_copy(buf, len);
		for (size_t bit = 0; bit < len * 8; bit++) {
			in[bit / 8] ^= (char)(1 << bit % 8);
			ROW(!decode(in, len, DOMAIN) &&
				back.kind == STS_MX_UNKNOWN && back.n == 0,
			    "%s: bit %zu", sets[i].what, bit);
			in[bit / 8] ^= (char)(1 << bit % 8);
		}
	}
	rows_done();
}

/* What no encoder of ours would write, with a right checksum. */
static void
test_odd(void **state)
{
#define HEAD(kind) "domain example.com\nkind " kind "\nasked 10 until 20\n"
#define HOST(line) HEAD("hosts") "host " line "\n"
	static const struct {
		const char *why;
		const char *rest;
		bool good;
	} t[] = {
		{ "as it should be", HOST("10 other a.example 192.0.2.1"),
		    true },
		{ "no address", HOST("10 self a.example"), true },
		{ "unknown kind", HEAD("many"), false },
		{ "kind unknown", HEAD("unknown"), false },
		{ "hosts without one", HEAD("hosts"), false },
		{ "RFC 7505 null with a host",
		    HEAD("null") "host 0 other a.example\n", false },
		{ "nothing, with a host",
		    HEAD("nothing") "host 0 other a.example\n", false },
		{ "RFC 5321 5.1 implicit is the domain itself",
		    HEAD("implicit") "host 0 other a.example\n", false },
		{ "RFC 5321 5.1 implicit has preference 0",
		    HEAD("implicit") "host 1 other example.com\n", false },
		{ "implicit", HEAD("implicit") "host 0 other example.com\n",
		    true },
		{ "worse before better",
		    HOST("10 other a.example") "host 9 other b.example\n",
		    false },
		{ "preference of 17 bits", HOST("65536 other a.example"),
		    false },
		{ "negative preference", HOST("-1 other a.example"), false },
		{ "neither self nor other", HOST("10 me a.example"), false },
		{ "RFC 5321 5.1 an address is no name",
		    HOST("10 other 192.0.2.1"), false },
		{ "upper case", HOST("10 other A.example"), false },
		{ "trailing dot", HOST("10 other a.example."), false },
		{ "slash", HOST("10 other a/../b"), false },
		{ "control byte",
		    HOST("10 other a\x01"
			 "b.example"),
		    false },
		{ "name of 254 bytes",
		    HOST("10 other "
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			 "aaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			 "aaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaa"
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		    false },
		{ "a name where an address should be",
		    HOST("10 other a.example b.example"), false },
		{ "two blanks", HOST("10 other a.example  192.0.2.1"), false },
		{ "a blank at the end", HOST("10 other a.example "), false },
		{ "nine addresses",
		    HOST("10 other a.example ::1 ::2 ::3 ::4 ::5 ::6 ::7 ::8 "
			 "::9"),
		    false },
		{ "until before asked",
		    "domain example.com\nkind null\nasked 10 until 9\n",
		    false },
		{ "kept for longer than a day",
		    "domain example.com\nkind null\nasked 10 until 86411\n",
		    false },
		{ "a time that overflows",
		    "domain example.com\nkind null\nasked 99999999999999999999 "
		    "until 99999999999999999999\n",
		    false },
		{ "fields in another order",
		    "kind null\ndomain example.com\nasked 10 until 20\n",
		    false },
		{ "no newline at the end",
		    HEAD("hosts") "host 1 other a.example", false },
		{ "something behind it", HEAD("null") "x", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		int n = snprintf(buf, sizeof buf, "mtasts-mx1 %zu %08x\n%s",
		    strlen(t[i].rest),
		    sts_hash_fold(sts_hash_more(sts_hash(str_of(DOMAIN)),
			str_of(t[i].rest))),
		    t[i].rest);

		ROW(decode(guard_copy(buf, (size_t)n), (size_t)n, DOMAIN) ==
			    t[i].good &&
			(t[i].good ||
			    (back.kind == STS_MX_UNKNOWN && back.n == 0)),
		    "%s", t[i].why);
	}
	rows_done();
}

/* One host more than there is room for, the room ending at a page. */
static void
test_too_many(void **state)
{
	static char text[STS_MX_BYTES_MAX];
	void *room = guard_copy(&back, sizeof back);
	struct sts_mx_set *tight = room;

	(void)state;
	for (int n = STS_MX_HOSTS_MAX; n <= STS_MX_HOSTS_MAX + 1; n++) {
		int len = snprintf(text, sizeof text, HEAD("hosts"));

		for (int i = 0; i < n; i++)
			len += snprintf(text + len, sizeof text - (size_t)len,
			    "host %d other h%d.example ::1\n", i, i);
		len = snprintf(buf, sizeof buf, "mtasts-mx1 %d %08x\n%s", len,
		    sts_hash_fold(
			sts_hash_more(sts_hash(str_of(DOMAIN)), str_of(text))),
		    text);
		ROW(sts_mx_decode(tight, (struct sts_str){ buf, (size_t)len },
			DOMAIN) == (n == STS_MX_HOSTS_MAX),
		    "%d hosts", n);
	}
	rows_done();
}

static void
test_limits(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		make(&set, STS_MX_HOSTS, "10 a.example ::1; 20 b.example ::2;");
		switch (i) {
		case 0:
			set.kind = STS_MX_UNKNOWN;
			break;
		case 1:
			set.n = STS_MX_HOSTS_MAX + 1;
			break;
		case 2:
			set.host[1].naddr = STS_MX_ADDRS_MAX + 1;
			break;
		case 3:
			memset(set.host[1].name, 'a', STS_NAME_SIZE);
			break;
		case 4:
			memcpy(set.host[1].name, "B.example", 10);
			break;
		case 5:
			set.host[0].preference = 21;
			break;
		case 6:
			set.until = set.asked - 1;
			break;
		default:
			memcpy(set.host[1].name, "192.0.2.1", 10);
			break;
		}
		ROW(sts_mx_encode(buf, &set, DOMAIN) == 0,
		    "limit %d: is written", i);
	}
	for (int i = STS_MX_UNKNOWN; i <= STS_MX_NOTHING; i++)
		for (int k = 0; k < i; k++)
			ROW(strcmp(sts_mx_kind_name((enum sts_mx_kind)i),
				sts_mx_kind_name((enum sts_mx_kind)k)) != 0,
			    "kinds %d and %d share a word", i, k);
	rows_done();
}

static void
test_stale(void **state)
{
	static const struct {
		const char *what;
		enum sts_mx_kind kind;
		int64_t asked, until;
		bool stale;
	} t[] = {
		{ "asked just now", STS_MX_HOSTS, NOW, NOW + 300, false },
		{ "the last second", STS_MX_NULL, NOW - 299, NOW + 1, false },
		{ "over", STS_MX_HOSTS, NOW - 300, NOW, true },
		{ "never known", STS_MX_UNKNOWN, NOW, NOW + 300, true },
		{ "clock: asked in the future", STS_MX_HOSTS, NOW + YEAR,
		    NOW + YEAR + 300, true },
		{ "clock: a little ahead", STS_MX_HOSTS, NOW + 60, NOW + 360,
		    false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		make(&set, t[i].kind, "");
		set.asked = t[i].asked;
		set.until = t[i].until;
		ROW(sts_mx_stale(&set, NOW) == t[i].stale, "%s", t[i].what);
	}
	rows_done();
}

/* --- The choice --------------------------------------------------------- */

/* Experience: for each host "FAILED/DOWN" of its addresses, s ago. */
struct past {
	int64_t failed[3], down[3]; /* of the only, or each, address */
};

#define TWO "10 mx1.example.com 192.0.2.1; 20 mx2.example.com 192.0.2.2;"
#define THREE TWO " 30 mx3.example.com 192.0.2.3;"
#define STAR "*.example.com"
#define NEVER                                                                  \
	{                                                                      \
		{ 0 },                                                         \
		{                                                              \
			0                                                      \
		}                                                              \
	}
#define FAILED(...)                                                            \
	{                                                                      \
		{ __VA_ARGS__ },                                               \
		{                                                              \
			0                                                      \
		}                                                              \
	}
#define DOWN(...)                                                              \
	{                                                                      \
		{ 0 },                                                         \
		{                                                              \
			__VA_ARGS__                                            \
		}                                                              \
	}

static const struct {
	const char *clause;
	enum sts_mx_kind kind;
	const char *hosts;
	const char *patterns; /* blanks between; NULL: no policy */
	struct past past;
	const char *want; /* NULL: none */
	enum sts_rc rc;
} choices[] = {
	{ "RFC 5321 5.1 the lowest preference", STS_MX_HOSTS, TWO, STAR, NEVER,
	    "mx1.example.com", STS_OK },
	{ "no policy: the same", STS_MX_HOSTS, TWO, NULL, NEVER,
	    "mx1.example.com", STS_OK },
	{ "4.1 only what matches", STS_MX_HOSTS, TWO, "mx2.example.com", NEVER,
	    "mx2.example.com", STS_OK },
	{ "4.1 any of the patterns", STS_MX_HOSTS, TWO,
	    "x.example mx2.example.com", NEVER, "mx2.example.com", STS_OK },
	{ "4.1 a star is one label", STS_MX_HOSTS,
	    "1 a.b.example.com ::1; 2 c.example.com ::2;", STAR, NEVER,
	    "c.example.com", STS_OK },
	{ "4.1 none matches: no other way", STS_MX_HOSTS, TWO, "mx.example",
	    NEVER, NULL, STS_INVALID },
	{ "8.2 a spoofed MX is never named", STS_MX_HOSTS,
	    "1 evil.example ::1;", STAR, NEVER, NULL, STS_INVALID },
	{ "queued under a policy since gone", STS_MX_HOSTS,
	    "1 other.example ::1;", NULL, NEVER, "other.example", STS_OK },
	{ "RFC 7505 null MX", STS_MX_NULL, "", NULL, NEVER, NULL, STS_INVALID },
	{ "RFC 7505 null MX under a policy", STS_MX_NULL, "", STAR, NEVER, NULL,
	    STS_INVALID },
	{ "RFC 5321 5.1 implicit MX", STS_MX_IMPLICIT,
	    "0 example.com 192.0.2.1;", NULL, NEVER, "example.com", STS_OK },
	{ "4.1 implicit MX that matches", STS_MX_IMPLICIT,
	    "0 example.com 192.0.2.1;", "example.com", NEVER, "example.com",
	    STS_OK },
	{ "4.1 implicit MX that does not", STS_MX_IMPLICIT,
	    "0 example.com 192.0.2.1;", STAR, NEVER, NULL, STS_INVALID },
	{ "neither MX nor address", STS_MX_NOTHING, "", NULL, NEVER, NULL,
	    STS_INVALID },
	{ "not known yet", STS_MX_UNKNOWN, "", NULL, NEVER, NULL,
	    STS_TEMPFAIL },
	{ "not known yet, under a policy", STS_MX_UNKNOWN, "", STAR, NEVER,
	    NULL, STS_TEMPFAIL },

	/* Hosts that failed */
	{ "the best failed", STS_MX_HOSTS, TWO, STAR, FAILED(10),
	    "mx2.example.com", STS_OK },
	{ "the best is down", STS_MX_HOSTS, TWO, STAR, DOWN(10),
	    "mx2.example.com", STS_OK },
	{ "the best two failed", STS_MX_HOSTS, THREE, NULL, FAILED(10, 20),
	    "mx3.example.com", STS_OK },
	{ "to the last second", STS_MX_HOSTS, TWO, STAR, FAILED(3599),
	    "mx2.example.com", STS_OK },
	{ "and not longer", STS_MX_HOSTS, TWO, STAR, FAILED(3600),
	    "mx1.example.com", STS_OK },
	{ "down: to the last second", STS_MX_HOSTS, TWO, STAR, DOWN(3599),
	    "mx2.example.com", STS_OK },
	{ "down: not longer", STS_MX_HOSTS, TWO, STAR, DOWN(3600),
	    "mx1.example.com", STS_OK },
	{ "all failed: the oldest failure", STS_MX_HOSTS, THREE, STAR,
	    FAILED(300, 200, 100), "mx1.example.com", STS_OK },
	{ "and then the next", STS_MX_HOSTS, THREE, STAR, FAILED(50, 200, 100),
	    "mx2.example.com", STS_OK },
	{ "failed or down: the oldest", STS_MX_HOSTS, TWO, STAR,
	    { { 100 }, { 0, 200 } }, "mx2.example.com", STS_OK },
	{ "down or failed: the oldest", STS_MX_HOSTS, TWO, STAR,
	    { { 0, 100 }, { 200 } }, "mx1.example.com", STS_OK },
	{ "both, on one address: the later counts", STS_MX_HOSTS, TWO, STAR,
	    { { 10, 100 }, { 200 } }, "mx2.example.com", STS_OK },
	{ "all failed at once: the best", STS_MX_HOSTS, THREE, STAR,
	    FAILED(7, 7, 7), "mx1.example.com", STS_OK },
	{ "the only one failed", STS_MX_HOSTS, "1 a.example ::1;", NULL,
	    FAILED(1), "a.example", STS_OK },
	{ "4.1 a failure makes nothing match", STS_MX_HOSTS, TWO,
	    "mx1.example.com", FAILED(1), "mx1.example.com", STS_OK },
	{ "one address of two failed", STS_MX_HOSTS,
	    "1 a.example ::1 ::2; 2 b.example ::3;", NULL, FAILED(1, 0, 0),
	    "a.example", STS_OK },
	{ "both addresses failed", STS_MX_HOSTS,
	    "1 a.example ::1 ::2; 2 b.example ::3;", NULL, FAILED(1, 2, 0),
	    "b.example", STS_OK },
	{ "one failed, the other is down", STS_MX_HOSTS,
	    "1 a.example ::1 ::2; 2 b.example ::3;", NULL,
	    { { 1, 0, 0 }, { 0, 1, 0 } }, "b.example", STS_OK },
	{ "one failed, the other's failure is over", STS_MX_HOSTS,
	    "1 a.example ::1 ::2; 2 b.example ::3;", NULL, FAILED(1, 3600, 0),
	    "a.example", STS_OK },
	{ "a host is as good as its latest failure", STS_MX_HOSTS,
	    "1 a.example ::1 ::2; 2 b.example ::3;", NULL, FAILED(10, 300, 200),
	    "b.example", STS_OK },
	{ "clock: failed in the future", STS_MX_HOSTS, TWO, STAR, FAILED(-YEAR),
	    "mx1.example.com", STS_OK },
	{ "clock: down in the future", STS_MX_HOSTS, TWO, STAR, DOWN(-YEAR),
	    "mx1.example.com", STS_OK },
	{ "clock: failed a little ahead", STS_MX_HOSTS, TWO, STAR, FAILED(-60),
	    "mx2.example.com", STS_OK },
	{ "no address: behind what failed", STS_MX_HOSTS,
	    "1 a.example; 2 b.example ::2;", NULL, FAILED(1), "b.example",
	    STS_OK },
	{ "no address anywhere: the best", STS_MX_HOSTS,
	    "1 a.example; 2 b.example;", NULL, NEVER, "a.example", STS_OK },

	/* This machine */
	{ "RFC 5321 5.1 what is before ourselves", STS_MX_HOSTS,
	    "10 a.example ::1; 20 us.example! ::2; 30 b.example ::3;", NULL,
	    FAILED(1), "a.example", STS_OK },
	{ "RFC 5321 5.1 we are the best", STS_MX_HOSTS,
	    "10 us.example! ::1; 20 a.example ::2;", NULL, NEVER, NULL,
	    STS_INVALID },
	{ "RFC 5321 5.1 nor what is beside us", STS_MX_HOSTS,
	    "10 a.example ::1; 10 us.example! ::2; 10 b.example ::3;", NULL,
	    NEVER, NULL, STS_INVALID },
	{ "8.4 whether our name matches or not", STS_MX_HOSTS,
	    "10 us.example! ::1; 20 mx.example.com ::2;", STAR, NEVER, NULL,
	    STS_INVALID },
	{ "8.4 nobody before us matches", STS_MX_HOSTS,
	    "10 a.example ::1; 20 us.example! ::2; 30 mx.example.com ::3;",
	    STAR, NEVER, NULL, STS_INVALID },
	{ "RFC 5321 5.1 implicit MX, us", STS_MX_IMPLICIT,
	    "0 example.com! 192.0.2.1;", NULL, NEVER, NULL, STS_INVALID },
};

static struct sts_policy *
policy_of(const char *patterns)
{
	struct scan s = scan_str(str_of(patterns));
	struct sts_policy *out = NULL;
	char body[400];
	struct sts_str w;
	int n = snprintf(body, sizeof body,
	    "version: STSv1\nmode: enforce\nmax_age: 86400\n");

	while (s.p < s.end) {
		w = cut(&s, ' ');
		n += snprintf(body + n, sizeof body - (size_t)n, "mx: %.*s\n",
		    (int)w.len, w.p);
	}
	assert_int_equal(sts_policy_parse(&out, body, (size_t)n, NULL, NULL,
			     NULL),
	    STS_OK);
	return out;
}

/* The three numbers go to the addresses in the order of the set. */
static void
remember(const struct sts_mx_set *m, const struct past *past,
    struct sts_mx_seen *seen)
{
	size_t k = 0;

	memset(seen, 0, m->n * sizeof *seen);
	for (size_t i = 0; i < m->n; i++)
		for (size_t a = 0; a < m->host[i].naddr; a++, k++) {
			if (past->failed[k] != 0)
				seen[i].failed[a] = NOW - past->failed[k];
			if (past->down[k] != 0)
				seen[i].down[a] = NOW - past->down[k];
		}
}

static void
test_choice(void **state)
{
	struct sts_mx_seen seen[3];
	const void *rows_of;
	struct sts_policy *policy;
	struct sts_err err;
	int got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		make(&set, choices[i].kind, choices[i].hosts);
		policy = choices[i].patterns == NULL
		    ? NULL
		    : policy_of(choices[i].patterns);
		remember(&set, &choices[i].past, seen);
		sts_mx_forbid(&set, policy, seen);
		/* No row is read beyond the last. */
		rows_of = guard_copy(seen, set.n * sizeof *seen);
		/* Where preferences differ, random has no say. */
		for (uint32_t r = 0; r < 50; r++) {
			err = (struct sts_err){ .rc = STS_OK };
			got = sts_mx_select(&set, rows_of, NOW, r * 0x01234567u,
			    &err);
			ROW(err.rc == choices[i].rc &&
				(got == -1) == (choices[i].want == NULL) &&
				(got == -1 ||
				    strcmp(set.host[got].name,
					choices[i].want) == 0) &&
				(got != -1 || err.text[0] != '\0'),
			    "%s: host %d, rc %d (%s)", choices[i].clause, got,
			    err.rc, err.text);
		}
		/* A set that is over is as good as any until the next. */
		set.asked = NOW - YEAR;
		set.until = set.asked + 300;
		ROW((sts_mx_select(&set, seen, NOW, 0, NULL) == -1) ==
			(choices[i].want == NULL),
		    "%s: stale", choices[i].clause);
		sts_policy_free(policy);
	}
	rows_done();
}

/* Each refusal says what is wrong, each another thing. */
static void
test_words(void **state)
{
	static const struct {
		enum sts_mx_kind kind;
		const char *hosts, *patterns, *word;
	} t[] = {
		{ STS_MX_HOSTS, TWO, "x.example", "no MX host matches" },
		{ STS_MX_IMPLICIT, "0 example.com ::1;", "x.example",
		    "no MX record" },
		{ STS_MX_NULL, "", NULL, "null MX" },
		{ STS_MX_NOTHING, "", NULL, "no usable MX or address" },
		{ STS_MX_UNKNOWN, "", NULL, "not known yet" },
		{ STS_MX_HOSTS, "1 us.example! ::1;", NULL, "this machine is" },
		{ STS_MX_HOSTS, "1 a.example ::1; 2 us.example! ::1;",
		    "us.example", "better than this machine" },
	};
	struct sts_mx_seen seen[2] = { 0 };
	struct sts_policy *policy;
	struct sts_err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		make(&set, t[i].kind, t[i].hosts);
		policy =
		    t[i].patterns == NULL ? NULL : policy_of(t[i].patterns);
		sts_mx_forbid(&set, policy, seen);
		ROW(sts_mx_select(&set, seen, NOW, 0, &err) == -1 &&
			strstr(err.text, t[i].word) != NULL,
		    "\"%s\" says nothing of \"%s\"", err.text, t[i].word);
		sts_policy_free(policy);
	}
	rows_done();
}

/* RFC 5321 5.1: the load is spread over hosts of one preference. */
static void
test_shuffle(void **state)
{
	static const char *const hosts[] = {
		"5 a.example ::1; 5 b.example ::2;",
		"5 a.example ::1; 5 b.example ::2; 5 c.example ::3;",
		("5 a.example ::1; 5 b.example ::2; 5 c.example ::3; "
		 "5 d.example ::4; 6 e.example ::5; 6 f.example ::6;"),
	};
	enum { DRAWS = 24000 };
	struct sts_mx_seen seen[6] = { 0 };
	unsigned count[6];
	int got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		unsigned n = i == 2 ? 4 : (unsigned)i + 2;

		make(&set, STS_MX_HOSTS, hosts[i]);
		memset(count, 0, sizeof count);
		/* Neighbours, as a bad source of chance would hand them out. */
		for (uint32_t r = 0; r < DRAWS; r++) {
			got = sts_mx_select(&set, seen, NOW, r, NULL);
			assert_true(got >= 0 && got < 6);
			count[got]++;
			ROW(sts_mx_select(&set, seen, NOW, r, NULL) == got,
			    "draw %u differs from itself", r);
		}
		for (unsigned k = 0; k < set.n; k++)
			ROW(k >= n ? count[k] == 0
				   : count[k] > DRAWS / n * 95 / 100 &&
				    count[k] < DRAWS / n * 105 / 100,
			    "row %zu: host %u %u times", i, k, count[k]);
	}
	/* And still over those that have not failed. */
	make(&set, STS_MX_HOSTS, hosts[1]);
	seen[0].failed[0] = NOW - 1;
	memset(count, 0, sizeof count);
	for (uint32_t r = 0; r < DRAWS; r++)
		count[sts_mx_select(&set, seen, NOW, r, NULL)]++;
	ROW(count[0] == 0 && count[1] > DRAWS * 45 / 100 &&
		count[2] > DRAWS * 45 / 100,
	    "%u %u %u", count[0], count[1], count[2]);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_shuffle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
