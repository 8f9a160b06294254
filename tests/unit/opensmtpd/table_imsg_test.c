/* SPDX-License-Identifier: ISC */
/* Table protocol 2 over imsg, as 6.8 speaks it. */
#include <stdlib.h>

#include "row.h"
#include "table_imsg.h"

static char msg[70000];

static void
put_u32(size_t at, uint32_t n)
{
	memcpy(msg + at, &n, sizeof n);
}

/* A header and the payload; returns the length. */
static size_t
message(uint32_t type, uint16_t len, const void *body, size_t n)
{
	memset(msg, 0, IMSG_HEAD);
	put_u32(0, type);
	memcpy(msg + 4, &len, sizeof len);
	put_u32(8, 0x01020304);
	memcpy(msg + IMSG_HEAD, body, n);
	return IMSG_HEAD + n;
}

/* Service, number of parameters, then strings. */
static size_t
query(char *body, uint32_t service, size_t params, const char *rest, size_t n)
{
	memcpy(body, &service, sizeof service);
	memcpy(body + sizeof service, &params, sizeof params);
	memcpy(body + sizeof service + sizeof params, rest, n);
	return sizeof service + sizeof params + n;
}

static void
test_query(void **state)
{
	static const struct {
		const char *fact;
		uint32_t type, service;
		size_t params;
		struct sts_str rest;
		enum table_service want;
		const char *key; /* NULL: broken */
	} t[] = {
		{ "domain", 5, 0x2, 0, LIT("good.test\0"), TABLE_DOMAIN,
		    "good.test" },
		{ "relayhost", 6, 0x200, 0, LIT("good.test\0"), TABLE_RELAYHOST,
		    "good.test" },
		{ "mailaddr", 5, 0x40, 0, LIT("u@good.test\0"), TABLE_MAILADDR,
		    "u@good.test" },
		{ "alias", 5, 1, 0, LIT("x\0"), TABLE_OTHER, "x" },
		{ "two services at once", 5, 0x202, 0, LIT("x\0"), TABLE_OTHER,
		    "x" },
		{ "parameters", 5, 2, 1, LIT("n\0v\0key\0"), TABLE_DOMAIN,
		    "key" },
		{ "fewer than announced", 5, 2, 2, LIT("n\0v\0key\0"),
		    TABLE_DOMAIN, NULL },
		{ "far fewer", 5, 2, SIZE_MAX, LIT("n\0v\0key\0"), TABLE_DOMAIN,
		    NULL },
		{ "empty key", 5, 2, 0, LIT("\0"), TABLE_DOMAIN, "" },
		{ "no key", 5, 2, 0, LIT(""), TABLE_DOMAIN, NULL },
		{ "no NUL", 5, 2, 0, LIT("key"), TABLE_DOMAIN, NULL },
		{ "bytes behind it", 5, 2, 0, LIT("key\0x"), TABLE_DOMAIN,
		    NULL },
	};
	char body[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		size_t n = query(body, t[i].service, t[i].params, t[i].rest.p,
		    t[i].rest.len);
		size_t len =
		    message(t[i].type, (uint16_t)(IMSG_HEAD + n), body, n);
		struct table_request r;
		size_t took = table_imsg_parse(&r,
		    (struct sts_str){ guard_copy(msg, len), len });

		ROW(took == len &&
			r.op == (t[i].type == 5 ? TABLE_CHECK : TABLE_LOOKUP) &&
			r.peerid == 0x01020304 &&
			r.broken == (t[i].key == NULL) &&
			r.service == t[i].want &&
			(t[i].key == NULL || str_is(r.key, t[i].key)),
		    "%s: took %zu of %zu, op %d broken %d", t[i].fact, took,
		    len, (int)r.op, r.broken);
	}
	rows_done();
}

static void
test_frame(void **state)
{
	static const struct {
		const char *fact;
		uint32_t type;
		uint16_t len; /* announced */
		struct sts_str body;
		enum table_op op;
		bool whole;
	} t[] = {
		{ "open, version 2", 2, 20, LIT("\2\0\0\0"), TABLE_OPEN, true },
		{ "open, version 3", 2, 20, LIT("\3\0\0\0"), TABLE_BAD, true },
		{ "open without one", 2, 16, LIT(""), TABLE_BAD, true },
		{ "close", 3, 16, LIT(""), TABLE_CLOSE, true },
		{ "update", 4, 16, LIT(""), TABLE_UPDATE, true },
		{ "fetch", 7, 20, LIT("\2\0\0\0"), TABLE_FETCH, true },
		{ "an answer's type", 0, 16, LIT(""), TABLE_BAD, true },
		{ "unknown type", 8, 16, LIT(""), TABLE_BAD, true },
		{ "huge type", 0xffffffff, 16, LIT(""), TABLE_BAD, true },
		{ "check without a body", 5, 16, LIT(""), TABLE_CHECK, true },
		{ "length 0", 4, 0, LIT(""), TABLE_BAD, true },
		{ "length 15", 4, 15, LIT(""), TABLE_BAD, true },
		{ "over the limit", 4, IMSG_MAX + 1, LIT("xyz"), TABLE_BAD,
		    true },
		{ "more to come", 4, 17, LIT(""), TABLE_BAD, false },
		{ "at the limit", 4, IMSG_MAX, LIT("x"), TABLE_BAD, false },
	};
	struct table_request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		size_t len =
		    message(t[i].type, t[i].len, t[i].body.p, t[i].body.len);
		size_t took = table_imsg_parse(&r,
		    (struct sts_str){ guard_copy(msg, len), len });

		ROW(took == (t[i].whole ? len : 0) &&
			(!t[i].whole || r.op == t[i].op),
		    "%s: took %zu op %d", t[i].fact, took, (int)r.op);
	}
	for (size_t n = 0; n < IMSG_HEAD; n++)
		ROW(table_imsg_parse(&r,
			(struct sts_str){ guard_copy(msg, n), n }) == 0,
		    "%zu bytes of a header", n);
	for (size_t n = 4; n < 20; n++) { /* "\2\0\0\0mtasts-wait\0" */
		size_t len = message(2, (uint16_t)(IMSG_HEAD + n),
		    "\2\0\0\0mtasts-wait\0zzzzz", n);

		(void)table_imsg_parse(&r,
		    (struct sts_str){ guard_copy(msg, len), len });
		ROW(r.op == TABLE_OPEN &&
			(n < 16 ? r.key.len == 0
				: str_is(r.key, "mtasts-wait")),
		    "open: %zu bytes of a name", n - 4);
	}
	ROW(table_imsg_begins("\2\0\0\0") && !table_imsg_begins("conf") &&
		!table_imsg_begins("\n\n\n\n"),
	    "which protocol");
	rows_done();
}

static void
test_answer(void **state)
{
	static const struct {
		const char *fact;
		enum table_op op;
		struct table_answer answer;
		uint32_t type;
		int found;   /* -2: no body */
		size_t more; /* bytes behind it */
	} t[] = {
#define F TABLE_FOUND, false
#define N TABLE_NOT_FOUND, false
#define E TABLE_ERROR, false
		{ "open", TABLE_OPEN, { E, "x" }, 0, -2, 0 },
		{ "close", TABLE_CLOSE, { E, "x" }, 0, -2, 0 },
		{ "bad", TABLE_BAD, { F, "x" }, 1, -2, 0 },
		{ "update", TABLE_UPDATE, { F, "" }, 0, 1, 0 },
		{ "update fails", TABLE_UPDATE, { E, "" }, 0, -1, 0 },
		{ "check", TABLE_CHECK, { F, "x" }, 0, 1, 0 },
		{ "check, not found", TABLE_CHECK, { N, "" }, 0, 0, 0 },
		{ "check, error", TABLE_CHECK, { E, "x" }, 0, -1, 0 },
		{ "lookup", TABLE_LOOKUP, { F, "abc" }, 0, 1, 4 },
		{ "lookup without a value", TABLE_LOOKUP, { F, "" }, 0, -1, 0 },
		{ "lookup, error", TABLE_LOOKUP, { E, "x" }, 0, -1, 0 },
		{ "fetch", TABLE_FETCH, { N, "" }, 0, 0, 0 },
#undef F
#undef N
#undef E
	};
	char out[IMSG_ANSWER_MAX];
	uint32_t type, peerid;
	uint16_t len;
	int found;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct table_request r = { .op = t[i].op, .peerid = 7 };
		size_t n = table_imsg_answer(out, &r, &t[i].answer);
		size_t want = IMSG_HEAD +
		    (t[i].found == -2 ? 0 : sizeof found) + t[i].more;

		memcpy(&type, out, sizeof type);
		memcpy(&len, out + 4, sizeof len);
		memcpy(&peerid, out + 8, sizeof peerid);
		memcpy(&found, out + IMSG_HEAD, sizeof found);
		ROW(n == want && len == n && type == t[i].type && peerid == 7 &&
			(t[i].found == -2 || found == t[i].found) &&
			(t[i].more == 0 ||
			    strcmp(out + IMSG_HEAD + sizeof found,
				t[i].answer.text) == 0),
		    "%s: %zu bytes, type %u, found %d", t[i].fact, n, type,
		    found);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
