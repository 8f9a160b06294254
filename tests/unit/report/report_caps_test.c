/* SPDX-License-Identifier: ISC */
/* How many reports go where: RFC 8460 7. */
#include "report_caps.h"
#include "row.h"

#define DAY "2026-11-23"
#define NEXT "2026-11-24"

/* One after the other, from nothing where there is a word about it. */
static const struct {
	const char *what; /* NULL: goes on */
	const char *day, *owner, *uri, *to_owner;
	enum destination_state may;
} t[] = {
	{ "one mailbox, one owner", DAY, "a.test", "mailto:x@a.test", "a.test",
	    DEST_WAITS },
	{ NULL, DAY, "a.test", "mailto:x@a.test", "a.test",
	    DEST_WITHHELD_PLACE },
	{ NULL, DAY, "a.test", "mailto:x+1@a.test", "a.test",
	    DEST_WITHHELD_PLACE },
	{ NULL, DAY, "a.test", "mailto:X+2@A.test", "a.test",
	    DEST_WITHHELD_PLACE },
	{ NULL, DAY, "a.test", "mailto:%22x%22@a.test", "a.test",
	    DEST_WITHHELD_PLACE },
	{ NULL, DAY, "a.test", "mailto:%22x+,%22@a.test", "a.test",
	    DEST_WITHHELD_PLACE },
	{ NULL, DAY, "a.test", "mailto:y@a.test", "a.test", DEST_WAITS },
	{ NULL, DAY, "a.test", "mailto:x@b.a.test", "a.test", DEST_WAITS },
	{ NULL, NEXT, "a.test", "mailto:x@a.test", "a.test", DEST_WAITS },
	{ NULL, DAY, "b.test", "mailto:x@a.test", "a.test", DEST_WAITS },
	{ "a host is a place, too", DAY, "a.test", "https://h.a.test/1",
	    "a.test", DEST_WAITS },
	{ NULL, DAY, "a.test", "https://h.a.test/2", "a.test",
	    DEST_WITHHELD_PLACE },
	{ NULL, DAY, "a.test", "https://i.a.test/", "a.test", DEST_WAITS },
	{ NULL, DAY, "a.test", "mailto:h@h.a.test", "a.test", DEST_WAITS },
	{ "outside: one mailbox of another's domain", DAY, "a.test",
	    "mailto:x@v.test", "v.test", DEST_WAITS },
	{ NULL, DAY, "a.test", "mailto:y@v.test", "v.test",
	    DEST_WITHHELD_OUTSIDE },
	{ NULL, DAY, "a.test", "mailto:y@b.v.test", "v.test",
	    DEST_WITHHELD_OUTSIDE },
	{ NULL, DAY, "a.test", "https://v.test/", "v.test", DEST_WAITS },
	{ NULL, DAY, "a.test", "https://b.v.test/", "v.test",
	    DEST_WITHHELD_OUTSIDE },
	{ NULL, DAY, "b.test", "mailto:y@v.test", "v.test", DEST_WAITS },
	{ "outside: four in all", DAY, "a.test", "mailto:x@1.test", "1.test",
	    DEST_WAITS },
	{ NULL, DAY, "a.test", "mailto:x@2.test", "2.test", DEST_WAITS },
	{ NULL, DAY, "a.test", "https://3.test/", "3.test", DEST_WAITS },
	{ NULL, DAY, "a.test", "mailto:x@4.test", "4.test", DEST_WAITS },
	{ NULL, DAY, "a.test", "mailto:x@5.test", "5.test",
	    DEST_WITHHELD_OWNER },
	{ NULL, DAY, "a.test", "mailto:1@a.test", "a.test", DEST_WAITS },
	{ NULL, DAY, "a.test", "mailto:2@a.test", "a.test", DEST_WAITS },
	{ NULL, DAY, "a.test", "mailto:3@a.test", "a.test", DEST_WAITS },
	{ NULL, DAY, "a.test", "mailto:4@a.test", "a.test", DEST_WAITS },
	{ NULL, DAY, "a.test", "mailto:5@a.test", "a.test",
	    DEST_WITHHELD_OWNER },
	{ NULL, NEXT, "a.test", "mailto:5@a.test", "a.test", DEST_WAITS },
	{ "a collector: as many as there are owners, to a limit", DAY, "1.test",
	    "mailto:x@c.test", "c.test", DEST_WAITS },
	{ NULL, DAY, "2.test", "mailto:x@c.test", "c.test", DEST_WAITS },
	{ NULL, DAY, "3.test", "mailto:x@c.test", "c.test", DEST_WAITS },
	{ NULL, DAY, "4.test", "mailto:x@c.test", "c.test", DEST_WAITS },
	{ NULL, DAY, "5.test", "mailto:y@c.test", "c.test", DEST_WAITS },
	{ NULL, DAY, "6.test", "mailto:x@c.test", "c.test", DEST_WAITS },
	{ NULL, DAY, "7.test", "mailto:x@c.test", "c.test", DEST_WAITS },
	{ NULL, DAY, "8.test", "mailto:z@c.test", "c.test", DEST_WAITS },
	{ NULL, DAY, "9.test", "mailto:z@c.test", "c.test",
	    DEST_WITHHELD_FULL },
	/* He has asked himself: others cannot use up what is his. */
	{ NULL, DAY, "c.test", "mailto:x@c.test", "c.test", DEST_WAITS },
	{ NULL, DAY, "9.test", "https://c.test/", "c.test", DEST_WAITS },
	{ NULL, NEXT, "9.test", "mailto:z@c.test", "c.test", DEST_WAITS },
};

static void
test_table(void **state)
{
	struct report_caps c = { .max = 8, .counts.secret = { 1, 2 } };
	enum destination_state may;
	struct caps_keys k;
	const char *what = "";
	struct rua to;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		if (t[i].what != NULL) {
			what = t[i].what;
			key_counts_clear(&c.counts);
		}
		assert_null(sts_rua_read(&to, str_of(guard_string(t[i].uri))));
		caps_keys(&c, &k, t[i].day, t[i].owner, &to, t[i].to_owner);
		may = caps_take(&c, &k);
		ROW(may == t[i].may, "%s, %s to %s: %s", what, t[i].owner,
		    t[i].uri, destination_state_word(may));
	}
	key_counts_clear(&c.counts);
	rows_done();
}

/* What an earlier run let through counts, whatever the order. */
static void
test_earlier(void **state)
{
	struct report_caps c = { .max = 5000 };
	struct caps_keys k;
	struct rua to;

	(void)state;
	assert_null(sts_rua_read(&to, str_of("mailto:x+9@v.test")));
	caps_keys(&c, &k, DAY, "a.test", &to, "v.test");
	caps_count(&c, &k);
	assert_null(sts_rua_read(&to, str_of("mailto:x@v.test")));
	caps_keys(&c, &k, DAY, "a.test", &to, "v.test");
	ROW(caps_take(&c, &k) == DEST_WITHHELD_PLACE, "the mailbox");
	assert_null(sts_rua_read(&to, str_of("mailto:y@v.test")));
	caps_keys(&c, &k, DAY, "a.test", &to, "v.test");
	ROW(caps_take(&c, &k) == DEST_WITHHELD_OUTSIDE, "its domain");
	key_counts_clear(&c.counts);
	rows_done();
}

/* Parts that run into each other are not the same. */
static void
test_keys(void **state)
{
	struct key_counts c = { .secret = { 3, 4 } };
	uint64_t a, b;
	bool good = true;

	(void)state;
	a = key_of(&c, (struct sts_str[]){ str_of("ab"), str_of("c") }, 2);
	b = key_of(&c, (struct sts_str[]){ str_of("a"), str_of("bc") }, 2);
	ROW(a != b && a != 0 && b != 0, "parts");
	ROW(key_counts_get(&c, a) == 0, "of none");
	for (uint64_t i = 1; i < 10000; i++)
		good &= key_counts_set(&c, 2 * i * 4096 + 1, (uint32_t)i);
	for (uint64_t i = 1; i < 10000; i++)
		good &= key_counts_get(&c, 2 * i * 4096 + 1) == i;
	ROW(good, "many that would stand in one place");
	ROW(key_counts_set(&c, 2 * 4096 + 1, 7) &&
		key_counts_get(&c, 2 * 4096 + 1) == 7 && c.used == 9999,
	    "another number");
	key_counts_clear(&c);
	ROW(key_counts_get(&c, a) == 0, "cleared");
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_earlier),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
