/* SPDX-License-Identifier: ISC */
/* Policies that were, in a real directory: RFC 8460 4.4. */
#include <stdlib.h>
#include <time.h>

#include "cache/entry_files.h"
#include "fixture.h"
#include "plant.h"
#include "row.h"

#define OWNER 65534 /* used when the test runs as root */
#define BODY "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 86400\n"
#define DAY 86400

static struct sts_store *store;
static struct sts_loaded loaded;

static int
set_up(void **state)
{
	return make_top(state) || !own(top) ||
	    sts_store_open(&store, top, NULL) != STS_OK;
}

static int
tear_down(void **state)
{
	sts_loaded_clear(&loaded);
	sts_store_close(store);
	return wipe_top(state);
}

static const char *
path_of(const char *domain, const char *what)
{
	static char path[STS_STORE_NAME + sizeof top + 16];

	snprintf(path, sizeof path, "%s/%02x/%s%s", top,
	    sts_store_dir_of(store, domain), domain, what);
	return path;
}

static struct sts_entry
entry(const char *id)
{
	struct sts_entry e = { .kind = STS_ENTRY_POLICY };

	snprintf(e.id, sizeof e.id, "%s", id);
	e.fetched = e.checked = time(NULL);
	e.until = e.fetched + DAY;
	e.body = str_of(BODY);
	return e;
}

static void
put(const char *domain, const char *id, int64_t age)
{
	struct sts_entry e = entry(id);
	struct timespec times[2] = { { time(NULL) - age, 0 },
		{ time(NULL) - age, 0 } };
	struct sts_err err;
	char what[] = "~replaced0";
	struct stat st;

	if (sts_store_put_replaced(store, domain, &e, &err) != STS_OK)
		fail_msg("%s", err.text);
	/* The one that is new, for it is made older. */
	while (stat(path_of(domain, what), &st) == -1 ||
	    st.st_mtime < time(NULL) - 50)
		assert_true(++what[9] < '0' + STS_STORE_REPLACED_N);
	assert_int_equal(utimensat(AT_FDCWD, path_of(domain, what), times, 0),
	    0);
}

static bool
has(const char *domain, const char *id)
{
	assert_int_equal(sts_store_get_replaced(store, domain, id, &loaded,
			     NULL),
	    STS_OK);
	return loaded.entry.kind == STS_ENTRY_POLICY &&
	    strcmp(loaded.entry.id, id) == 0 && str_is(loaded.entry.body, BODY);
}

/* The entry in force, four that were, and no other domain's. */
static void
test_which(void **state)
{
	struct sts_entry now = entry("now"), none = { .kind = STS_ENTRY_NONE };
	char name[STS_NAME_SIZE];

	(void)state;
	assert_false(has("a.example", "now"));
	assert_int_equal(sts_store_put(store, "a.example", &now, NULL), STS_OK);
	assert_true(has("a.example", "now"));
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof name, "%d", i);
		put("a.example", name, 1000 - 100 * i);
	}
	assert_true(has("a.example", "now"));
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof name, "%d", i);
		assert_int_equal(has("a.example", name), i >= 2);
		assert_false(has("b.example", name));
	}
	assert_false(has("a.example", ""));
	none.until = time(NULL) + DAY;
	assert_int_equal(sts_store_put_replaced(store, "a.example", &none,
			     NULL),
	    STS_LOCAL);
	assert_true(has("a.example", "5"));
	/* The longest name of all has no room for the tail of its own. */
	memset(name, 'a', sizeof name);
	for (size_t i = 50; i < 250; i += 50)
		name[i] = '.';
	name[253] = '\0';
	now = entry("1");
	(void)sts_store_put_replaced(store, name, &now, NULL);
	(void)sts_store_get_replaced(store, name, "1", &loaded, NULL);
}

/* As for entries: nothing is followed, nothing waits. */
static void
test_planted(void **state)
{
	static plant_fn *const kinds[] = { PLANTS };
	const char *path;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		put("c.example", "1", 100);
		assert_true(has("c.example", "1"));
		path = path_of("c.example", "~replaced0");
		assert_int_equal(unlink(path), 0);
		kinds[i](path);
		/* As root the test plants what the owner cannot read. */
		(void)sts_store_get_replaced(store, "c.example", "1", &loaded,
		    NULL);
		assert_int_equal(loaded.entry.kind, STS_ENTRY_ABSENT);
		(void)remove(path_of("c.example", "~replaced0"));
	}
}

/* Twice, a day apart: what was past its use by the first goes. */
static enum sts_rc
prune_by(int64_t now, size_t *removed)
{
	(void)sts_store_prune(store, now, 256, NULL, NULL);
	return sts_store_prune(store, now + 86460, 256, removed, NULL);
}

/* Three days, and not the one of other leftovers. */
static void
test_end(void **state)
{
	(void)state;
	put("d.example", "1", 2 * DAY);
	assert_int_equal(prune_by(time(NULL), NULL), STS_OK);
	assert_true(has("d.example", "1"));
	put("d.example", "2", 3 * DAY + 60);
	assert_int_equal(prune_by(time(NULL), NULL), STS_OK);
	assert_true(has("d.example", "1"));
	assert_false(has("d.example", "2"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_planted),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
