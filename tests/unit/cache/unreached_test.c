/* SPDX-License-Identifier: ISC */
/* How many owners in a row, and what is in the file is nobody's word for it. */
#include <stdlib.h>
#include <time.h>

#include "cache/entry_files.h"
#include "fixture.h"
#include "row.h"

#define DAY 86400

static struct sts_store *store;
static int64_t since;

static int
set_up(void **state)
{
	return make_top(state) || !own(top) ||
	    sts_store_open(&store, top, NULL) != STS_OK;
}

static int
tear_down(void **state)
{
	sts_store_close(store);
	return wipe_top(state);
}

static void
grow_old(int64_t seconds)
{
	struct timespec t[2] = { { 0, UTIME_OMIT },
		{ time(NULL) - seconds, 0 } };

	assert_int_equal(utimensat(AT_FDCWD, in_top("~unreached"), t, 0), 0);
}

static void
test_owners(void **state)
{
	static const struct {
		const char *owner; /* NULL: one could be connected to */
		unsigned n;
	} t[] = {
		{ "a.example", 1 },
		{ "a.example", 1 },
		{ "b.example", 2 },
		{ "a.example", 2 },
		{ "ab.example", 3 },
		{ NULL, 0 },
		{ NULL, 0 },
		{ "c.example", 1 },
	};
	int64_t now = time(NULL);

	(void)state;
	ROW(sts_store_unreached(store, now, &since) == 0, "nothing yet");
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		if (t[i].owner == NULL)
			sts_store_reached(store);
		else
			sts_store_unreached_add(store, t[i].owner,
			    now + (int64_t)i);
		ROW(sts_store_unreached(store, now, &since) == t[i].n &&
			(t[i].n != 3 || since == now),
		    "%zu: not %u owners", i, t[i].n);
	}
	rows_done();
}

static void
test_bounds(void **state)
{
	int64_t now = time(NULL);
	char name[32];
	struct stat st;
	off_t size;

	(void)state;
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "o%d.example", i);
		sts_store_unreached_add(store, name, now);
	}
	assert_int_equal(stat(in_top("~unreached"), &st), 0);
	size = st.st_size;
	grow_old(DAY - 10);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "p%d.example", i);
		sts_store_unreached_add(store, name, now);
	}
	assert_int_equal(stat(in_top("~unreached"), &st), 0);
	ROW(st.st_size == size, "it grew to %lld bytes", (long long)st.st_size);
	ROW(sts_store_unreached(store, now, &since) == STS_UNREACHED_OWNERS,
	    "all eight");
	ROW(time(NULL) - st.st_mtime < 60, "still so: the time says it");
	grow_old(DAY + 10);
	ROW(sts_store_unreached(store, now, &since) == 0, "a day ago");
	sts_store_unreached_add(store, "q.example", now);
	ROW(sts_store_unreached(store, now, &since) == 1, "from the beginning");
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
