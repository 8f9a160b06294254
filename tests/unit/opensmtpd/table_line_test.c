/* SPDX-License-Identifier: ISC */
/* Line protocol 0.1 of smtpd-tables(7); lines as 7.6 and 7.9 send them. */
#include "line_buffer.h"
#include "row.h"
#include "table_line.h"

#define T "table|0.1|1795450922.954677|sts|"
#define KEY_64                                                                 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
test_parse(void **state)
{
	static const struct {
		const char *fact;
		struct sts_str line;
		enum table_op op;
		enum table_service service;
		const char *id, *key; /* key NULL: broken */
	} t[] = {
#define NOTHING TABLE_NOTHING, TABLE_OTHER, "", ""
		{ "check", LIT(T "check|domain|0445b996|good.test"),
		    TABLE_CHECK, TABLE_DOMAIN, "0445b996", "good.test" },
		{ "lookup", LIT(T "lookup|relayhost|0a56f354|good.test"),
		    TABLE_LOOKUP, TABLE_RELAYHOST, "0a56f354", "good.test" },
		{ "'|' in the key", LIT(T "check|domain|1|a|b|"), TABLE_CHECK,
		    TABLE_DOMAIN, "1", "a|b|" },
		{ "empty key", LIT(T "check|domain|1|"), TABLE_CHECK,
		    TABLE_DOMAIN, "1", "" },
		{ "no key", LIT(T "check|domain|1"), TABLE_CHECK, TABLE_DOMAIN,
		    "1", NULL },
		{ "NUL in the key", LIT(T "check|domain|1|a\0b"), TABLE_CHECK,
		    TABLE_DOMAIN, "1", "a" },
		{ "another service", LIT(T "check|netaddr|1|192.0.2.1"),
		    TABLE_CHECK, TABLE_OTHER, "1", "192.0.2.1" },
		{ "mailaddr", LIT(T "check|mailaddr|1|u@good.test"),
		    TABLE_CHECK, TABLE_MAILADDR, "1", "u@good.test" },
		{ "the table's name", LIT("config|tablename|mtasts-wait"),
		    TABLE_NAME, TABLE_DOMAIN, "", "mtasts-wait" },
		{ "the name of none", LIT("config|tablename|"), TABLE_NAME,
		    TABLE_DOMAIN, "", "" },
		{ "a service's prefix", LIT(T "check|domai|1|a"), TABLE_CHECK,
		    TABLE_OTHER, "1", "a" },
		{ "fetch", LIT(T "fetch|domain|1"), TABLE_FETCH, TABLE_DOMAIN,
		    "1", "" },
		{ "update", LIT(T "update|213cf4b1"), TABLE_UPDATE, TABLE_OTHER,
		    "213cf4b1", "" },
		{ "another version", LIT("table|9|x|sts|update|1"),
		    TABLE_UPDATE, TABLE_OTHER, "1", "" },
		{ "an id to be sent back is printable",
		    LIT(T "check|domain|a\nb|k"), NOTHING },
		{ "empty id", LIT(T "check|domain||k"), NOTHING },
		{ "long id", LIT(T "check|domain|" KEY_64 "a|k"), NOTHING },
		{ "no id", LIT(T "check|domain"), NOTHING },
		{ "unknown operation", LIT(T "drop|domain|1|k"), NOTHING },
		{ "end of the greeting", LIT("config|ready"), TABLE_READY,
		    TABLE_OTHER, "", "" },
		{ "unknown key in it", LIT("config|colour|blue"), NOTHING },
		{ "config|ready and more", LIT("config|ready|x"), NOTHING },
		{ "empty", LIT(""), NOTHING },
		{ "bars", LIT("||||||||"), NOTHING },
		{ "table alone", LIT("table"), NOTHING },
		{ "table and nothing", LIT("table|"), NOTHING },
#undef NOTHING
	};
	struct table_request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct sts_str s = { guard_copy(t[i].line.p, t[i].line.len),
			t[i].line.len };

		table_line_parse(&r, s);
		ROW(r.op == t[i].op &&
			(r.op == TABLE_NOTHING || r.op == TABLE_READY ||
			    r.service == t[i].service) &&
			(r.op == TABLE_NOTHING || str_is(r.id, t[i].id)) &&
			r.broken == (t[i].key == NULL) &&
			(t[i].key == NULL || r.op == TABLE_NOTHING ||
			    (r.key.len >= strlen(t[i].key) &&
				(r.key.len == 0 ||
				    memcmp(r.key.p, t[i].key,
					strlen(t[i].key)) == 0))),
		    "%s: op %d service %d broken %d", t[i].fact, (int)r.op,
		    (int)r.service, r.broken);
	}
	rows_done();
}

static void
test_long_key(void **state)
{
	char line[KEY_MAX + 100];
	struct table_request r;

	(void)state;
	for (size_t n = KEY_MAX - 1; n <= KEY_MAX + 1; n++) {
		size_t head = sizeof T "check|domain|1|" - 1;

		memcpy(line, T "check|domain|1|", head);
		memset(line + head, 'k', n);
		table_line_parse(&r,
		    (struct sts_str){ guard_copy(line, head + n), head + n });
		ROW(r.op == TABLE_CHECK && r.broken == (n > KEY_MAX),
		    "a key of %zu bytes: broken %d", n, r.broken);
	}
	rows_done();
}

static void
test_answer(void **state)
{
	static const struct {
		const char *fact;
		enum table_op op;
		struct table_answer answer;
		const char *want;
	} t[] = {
#define F TABLE_FOUND, false
#define N TABLE_NOT_FOUND, false
#define E TABLE_ERROR, false
		{ "found", TABLE_CHECK, { F, "a" }, "check-result|77|found\n" },
		{ "not found", TABLE_CHECK, { N, "" },
		    "check-result|77|not-found\n" },
		{ "error", TABLE_CHECK, { E, "why" },
		    "check-result|77|error|why\n" },
		{ "error without a text", TABLE_CHECK, { E, "" },
		    "check-result|77|error\n" },
		{ "a URL", TABLE_LOOKUP, { F, "smtp+tls://mx1.good.test" },
		    "lookup-result|77|found|smtp+tls://mx1.good.test\n" },
		{ "an empty value is fatal to smtpd", TABLE_LOOKUP, { F, "" },
		    "lookup-result|77|error\n" },
		{ "no MX", TABLE_LOOKUP, { E, "mta-sts: a | b" },
		    "lookup-result|77|error|mta-sts: a | b\n" },
		{ "fetch", TABLE_FETCH, { N, "" },
		    "fetch-result|77|not-found\n" },
		{ "update", TABLE_UPDATE, { F, "x" }, "update-result|77|ok\n" },
		{ "update fails", TABLE_UPDATE, { E, "x" },
		    "update-result|77|error\n" },
		{ "nothing asked", TABLE_NOTHING, { F, "x" }, "" },
		{ "greeting", TABLE_READY, { F, "x" }, "" },
		{ "not of this protocol", TABLE_OPEN, { F, "x" }, "" },
#undef F
#undef N
#undef E
	};
	char out[TABLE_LINE_ANSWER_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct table_request r = { .op = t[i].op, .id = LIT("77") };
		size_t n = table_line_answer(out, &r, &t[i].answer);

		ROW(n == strlen(t[i].want) && memcmp(out, t[i].want, n) == 0,
		    "%s: %.*s", t[i].fact, (int)n, out);
	}
	rows_done();
}

static void
test_longest(void **state)
{
	struct table_request r = { .op = TABLE_LOOKUP, .id = LIT(KEY_64) };
	struct table_answer a = { .found = TABLE_FOUND };
	char out[TABLE_LINE_ANSWER_MAX + 1];

	(void)state;
	memset(a.text, 'v', sizeof a.text - 1);
	out[TABLE_LINE_ANSWER_MAX] = '\1';
	ROW(table_line_answer(out, &r, &a) ==
		    sizeof "lookup-result||found|\n" - 1 + 64 + ANSWER_TEXT -
			1 &&
		out[TABLE_LINE_ANSWER_MAX] == '\1' && strchr(out, '\n') != NULL,
	    "the longest answer was cut");
	rows_done();
}

/* What a reader sees of bytes that come in pieces. */
static void
test_lines(void **state)
{
	static const size_t pieces[] = { 1, 7, 4096, LINE_BUFFER_SIZE };
	static struct line_buffer l;
	static char in[3 * LINE_BUFFER_SIZE];
	struct sts_str line;
	size_t len = 0, room, n;

	(void)state;
	memcpy(in, "one\n\n", 5);
	memset(in + 5, 'x', 2 * LINE_BUFFER_SIZE);
	memcpy(in + 5 + 2 * LINE_BUFFER_SIZE, "\nlast\nrest", 10);
	len = 5 + 2 * LINE_BUFFER_SIZE + 10;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		size_t got[8] = { 0 }, ngot = 0;

		memset(&l, 0, sizeof l);
		for (size_t at = 0; at < len; at += n) {
			char *p = line_buffer_room(&l, &room);

			n = pieces[i] < room ? pieces[i] : room;
			n = n < len - at ? n : len - at;
			memcpy(p, in + at, n);
			line_buffer_add(&l, n);
			while (line_buffer_next(&l, &line) && ngot < 8)
				got[ngot++] = line.len;
		}
		ROW(ngot == 4 && got[0] == 3 && got[1] == 0 &&
			got[2] >= LINE_BUFFER_KEEP &&
			got[2] <= LINE_BUFFER_SIZE && got[3] == 4,
		    "pieces of %zu: %zu lines, the long one %zu", pieces[i],
		    ngot, got[2]);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_long_key),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
