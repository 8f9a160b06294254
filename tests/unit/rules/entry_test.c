/* SPDX-License-Identifier: ISC */
#include "base/hash.h"
#include "row.h"
#include "rules/entry.h"

#define T ((int64_t)1800000000)
#define BODY "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 86400\n"

static char buf[STS_ENTRY_MAX + 1];

static const struct {
	const char *name;
	struct sts_entry e;
	bool is_link;
} entries[] = {
	{ "policy",
	    { .kind = STS_ENTRY_POLICY,
		.id = "20240101T",
		.since = T,
		.fetched = T,
		.checked = T + 5,
		.until = T + 86400,
		.body = LIT(BODY) },
	    false },
	{ "policy, all fields",
	    { .kind = STS_ENTRY_POLICY,
		.id = "x",
		.why = STS_WHY_WEBPKI,
		.since = T - 9000,
		.fetched = T,
		.checked = T + 5,
		.until = T + STS_MAX_AGE_MAX,
		.tried = T + 7,
		.retry = T + 37,
		.failed_id = UINT32_MAX,
		.failed = T + 9,
		.note = "certificate has expired",
		.body = LIT("a\0b") },
	    false },
	{ "policy, empty body",
	    { .kind = STS_ENTRY_POLICY,
		.id = "x",
		.since = T,
		.fetched = T,
		.until = T },
	    false },
	{ "none",
	    { .kind = STS_ENTRY_NONE,
		.why = STS_WHY_NO_RECORD,
		.checked = T,
		.until = T + 60 },
	    true },
	{ "no fetch",
	    { .kind = STS_ENTRY_NO_FETCH,
		.why = STS_WHY_BAD_POLICY,
		.checked = T,
		.failed = T - 5,
		.failed_id = 0xdeadbeef },
	    true },
	{ "no fetch, and a sentence",
	    { .kind = STS_ENTRY_NO_FETCH,
		.why = STS_WHY_FETCH_ERROR,
		.checked = T,
		.failed = T - 5,
		.failed_id = 0xdeadbeef,
		.note = "HTTP status 404" },
	    false },
	{ "none, and a sentence",
	    { .kind = STS_ENTRY_NONE,
		.why = STS_WHY_BAD_RECORD,
		.checked = T,
		.until = T + 60,
		.note = "no id" },
	    false },
	{ "unasked, and a sentence",
	    { .kind = STS_ENTRY_UNASKED,
		.why = STS_WHY_DNS_FAILURE,
		.tried = T,
		.retry = T + 30,
		.note = "DNS server failure for _mta-sts.a.example" },
	    false },
	{ "unasked",
	    { .kind = STS_ENTRY_UNASKED,
		.why = STS_WHY_DNS_TIMEOUT,
		.tried = T,
		.retry = T + 30 },
	    true },
	{ "far times",
	    { .kind = STS_ENTRY_UNASKED,
		.why = STS_WHY_DNS_FAILURE,
		.tried = (int64_t)1 << 40,
		.retry = (int64_t)1 << 40,
		.failed_id = UINT32_MAX },
	    true },
};

static bool
same(const struct sts_entry *a, const struct sts_entry *b)
{
	return a->kind == b->kind && a->why == b->why &&
	    strcmp(a->id, b->id) == 0 && a->since == b->since &&
	    a->fetched == b->fetched && a->checked == b->checked &&
	    a->until == b->until && a->tried == b->tried &&
	    a->retry == b->retry && a->failed == b->failed &&
	    a->failed_id == b->failed_id && strcmp(a->note, b->note) == 0 &&
	    a->body.len == b->body.len &&
	    (a->body.len == 0 ||
		memcmp(a->body.p, b->body.p, a->body.len) == 0);
}

static void
test_round_trip(void **state)
{
	struct sts_entry back;
	bool is_link;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		len =
		    sts_entry_encode(buf, &entries[i].e, "a.example", &is_link);
		ROW(len > 0 && is_link == entries[i].is_link &&
			(!is_link || len <= STS_LINK_MAX),
		    "%s: %zu bytes", entries[i].name, len);
		ROW(sts_entry_decode(&back,
			(struct sts_str){ guard_copy(buf, len), len }, is_link,
			"a.example") &&
			same(&back, &entries[i].e),
		    "%s: comes back different", entries[i].name);
		ROW(!sts_entry_decode(&back, (struct sts_str){ buf, len },
			is_link, "b.example") &&
			back.kind == STS_ENTRY_ABSENT,
		    "%s: under another domain's name", entries[i].name);
		ROW(!sts_entry_decode(&back, (struct sts_str){ buf, len },
			!is_link, "a.example"),
		    "%s: in the other form", entries[i].name);
	}
	rows_done();
}

/* Torn at any byte, or any one bit turned: absent. */
static void
test_damage(void **state)
{
	struct sts_entry back;
	bool is_link;
	size_t len;
	char *in;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		len =
		    sts_entry_encode(buf, &entries[i].e, "a.example", &is_link);
		for (size_t cut = 0; cut < len; cut++) {
			in = guard_copy(buf, cut);
			ROW(!sts_entry_decode(&back,
				(struct sts_str){ in, cut }, is_link,
				"a.example"),
			    "%s: cut at %zu", entries[i].name, cut);
		}
		in = guard_copy(buf, len);
		for (size_t bit = 0; bit < len * 8; bit++) {
			in[bit / 8] ^= (char)(1 << bit % 8);
			ROW(!sts_entry_decode(&back,
				(struct sts_str){ in, len }, is_link,
				"a.example"),
			    "%s: bit %zu", entries[i].name, bit);
			in[bit / 8] ^= (char)(1 << bit % 8);
		}
	}
	rows_done();
}

/* What no encoder of ours would write, with a right checksum. */
static void
test_odd(void **state)
{
#define HEAD(id, times, why) KIND("policy", id, times, why, "")
#define KIND(kind, id, times, why, note)                                       \
	"domain a.example\nkind " kind "\nid " id                              \
	"\nsince 10\nfetched 10\nchecked 10\nexpires " times                   \
	"\ntried 0 0\nfailed 0 0\nwhy " why "\nnote " note "\n\n"
	static const struct {
		const char *why;
		const char *rest;
		bool good;
	} t[] = {
		{ "as it should be", HEAD("x", "20", "-"), true },
		{ "id with a blank", HEAD("x y", "20", "-"), false },
		{ "no id", HEAD("", "20", "-"), false },
		{ "id too long",
		    HEAD("123456789012345678901234567890123", "20", "-"),
		    false },
		{ "expires before it was fetched", HEAD("x", "9", "-"), false },
		{ "3.2 longer than a year", HEAD("x", "31557611", "-"), false },
		{ "3.2 just a year", HEAD("x", "31557610", "-"), true },
		{ "a time that overflows",
		    HEAD("x", "99999999999999999999", "-"), false },
		{ "negative", HEAD("x", "-1", "-"), false },
		{ "unknown reason", HEAD("x", "20", "because"), false },
		{ "a sentence", KIND("none", "-", "0", "bad-record", "no id"),
		    true },
		{ "no sentence", KIND("none", "-", "0", "no-record", ""),
		    false },
		{ "not printable", KIND("none", "-", "0", "-", "a\tb"), false },
		{ "unknown kind", KIND("nothing", "-", "0", "-", "x"), false },
		{ "absent", KIND("", "-", "0", "-", "x"), false },
		{ "an id without a policy", KIND("none", "x", "0", "-", "x"),
		    false },
		{ "a body without a policy",
		    KIND("no-fetch", "-", "0", "-", "x") "a", false },
		{ "a policy without an id", KIND("policy", "-", "20", "-", ""),
		    false },
		{ "fields in another order", "id x\ndomain a.example\n\n",
		    false },
		{ "no empty line", "domain a.example\nid x\n", false },
	};
	struct sts_entry back;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		int n = snprintf(buf, sizeof buf, "mtasts2 %zu %08x\n%s",
		    strlen(t[i].rest),
		    sts_hash_fold(sts_hash_more(sts_hash(str_of("a.example")),
			str_of(t[i].rest))),
		    t[i].rest);

		ROW(sts_entry_decode(&back, (struct sts_str){ buf, (size_t)n },
			false, "a.example") == t[i].good,
		    "%s", t[i].why);
	}
	rows_done();
}

static void
test_limits(void **state)
{
	struct sts_entry e = entries[0].e;
	bool is_link;
	size_t len;

	(void)state;
	e.body = (struct sts_str){ buf, STS_BODY_MAX + 1 };
	ROW(sts_entry_encode(buf, &e, "a.example", &is_link) == 0,
	    "3.3 a body over the limit");
	e = entries[0].e;
	e.id[0] = '\0';
	ROW(sts_entry_encode(buf, &e, "a.example", &is_link) == 0, "no id");
	e = (struct sts_entry){ .kind = STS_ENTRY_ABSENT };
	ROW(sts_entry_encode(buf, &e, "a.example", &is_link) == 0,
	    "nothing to write");
	memset(e.note, 'x', sizeof e.note - 1);
	ROW(sts_entry_encode(buf, &e, "a.example", &is_link) == 0,
	    "nor with a sentence");
	e.kind = STS_ENTRY_UNASKED;
	e.body = (struct sts_str)LIT(BODY);
	e.note[0] = '\n';
	len = sts_entry_encode(buf, &e, "a.example", &is_link);
	ROW(len > 0 &&
		sts_entry_decode(&e, (struct sts_str){ buf, len }, false,
		    "a.example") &&
		e.kind == STS_ENTRY_UNASKED && e.body.len == 0 &&
		strlen(e.note) == sizeof e.note - 1 && e.note[0] == '?',
	    "the longest sentence, with a byte that is none, and no body");
	for (int i = 0; i <= STS_WHY_LAST; i++)
		for (int k = 0; k < i; k++)
			ROW(strcmp(sts_reason_name((enum sts_reason)i),
				sts_reason_name((enum sts_reason)k)) != 0,
			    "reasons %d and %d share a word", i, k);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
