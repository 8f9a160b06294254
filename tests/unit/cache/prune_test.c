/* SPDX-License-Identifier: ISC */
/* A directory that strangers fill: bounded, and not at the cost of others. */
#include <dirent.h>
#include <stdlib.h>
#include <time.h>

#include "cache/entry_files.h"
#include "fixture.h"
#include "row.h"

#define BODY "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 86400\n"
#define DAY 86400
#define VICTIM "victim.example"

enum {
	MIB = 16, /* the least that can be configured */
	SHARE = MIB * 1024 * 1024 / STS_STORE_DIRS,
	NO_LIMIT = 1 << 20
};

static struct sts_store *store;
static char large[STS_BODY_MAX];

static int
set_up(void **state)
{
	memset(large, '\n', sizeof large);
	memcpy(large, BODY, sizeof BODY - 1);
	return make_top(state) || !own(in_top("cache")) ||
	    sts_store_open(&store, in_top("cache"), NULL) != STS_OK;
}

static int
tear_down(void **state)
{
	sts_store_close(store);
	return wipe_top(state);
}

static const char *
path_of(const char *domain)
{
	static char path[STS_STORE_NAME + sizeof top + 16];

	snprintf(path, sizeof path, "%s/cache/%02x/%s", top,
	    sts_store_dir_of(store, domain), domain);
	return path;
}

/* The next name of a kind that stands beside the victim's. */
static const char *
neighbour(const char *first, const char *owner)
{
	static char name[STS_NAME_SIZE];
	static unsigned i;

	do
		snprintf(name, sizeof name, "%s%u%s", first, i++, owner);
	while (
	    sts_store_dir_of(store, name) != sts_store_dir_of(store, VICTIM));
	return name;
}

static void
put(const char *domain, int64_t since, int64_t used, struct sts_str body)
{
	int64_t now = time(NULL);
	struct sts_entry e = { .kind = STS_ENTRY_POLICY,
		.id = "1",
		.since = since,
		.fetched = now,
		.checked = now,
		.until = now + 30 * DAY,
		.body = body };
	struct timespec t[2] = { { used, 0 }, { used, 0 } };

	assert_int_equal(sts_store_put(store, domain, &e, NULL), STS_OK);
	assert_int_equal(utimensat(AT_FDCWD, path_of(domain), t, 0), 0);
}

static bool
has(const char *domain)
{
	struct sts_loaded loaded = { .buf = NULL };
	bool found = sts_store_get(store, domain, &loaded, NULL) == STS_OK &&
	    loaded.entry.kind == STS_ENTRY_POLICY;

	sts_loaded_clear(&loaded);
	return found;
}

/* What stands beside the victim: its files, and the bytes of disk. */
static size_t
beside(size_t *bytes)
{
	char path[STS_STORE_NAME + sizeof top + 16];
	struct dirent *d;
	struct stat st;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof path, "%s", path_of(VICTIM));
	*strrchr(path, '/') = '\0';
	assert_non_null(dir = opendir(path));
	*bytes = 0;
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '~' && d->d_name[0] != '.' &&
		    fstatat(dirfd(dir), d->d_name, &st, 0) == 0) {
			n++;
			*bytes += (size_t)st.st_blocks * 512;
		}
	closedir(dir);
	return n;
}

/* A part that was looked at two days ago and one, with the victim in use. */
static void
begin(void)
{
	int64_t now = time(NULL);
	struct timespec t[2] = { { now - 2 * DAY, 0 }, { now - DAY - 60, 0 } };
	char text[STS_STORE_NAME + sizeof top + 16];

	snprintf(text, sizeof text, "rm -rf %s/[0-9a-f]*", in_top("cache"));
	assert_int_equal(system(text), 0);
	put(VICTIM, now - 30 * DAY, now - 3600, str_of(BODY));
	sts_store_tidy(store, VICTIM, now, NO_LIMIT);
	snprintf(text, sizeof text, "%s", path_of(VICTIM));
	memcpy(strrchr(text, '/'), "/~tidied", sizeof "/~tidied");
	assert_int_equal(utimensat(AT_FDCWD, text, t, 0), 0);
}

/* A5: as many as the directory holds, all used after the victim's. */
static void
test_entries(void **state)
{
	int64_t now = time(NULL);
	size_t bytes, n;

	(void)state;
	begin();
	for (unsigned i = 0; i < 8300; i++)
		put(neighbour("n", ".evil.test"), 0, now, str_of(BODY));
	sts_store_tidy(store, VICTIM, now, NO_LIMIT);
	n = beside(&bytes);
	ROW(n <= 8192, "%zu files", n);
	ROW(has(VICTIM), "the victim's policy made room");
	rows_done();
}

/* Within the day, as the worker stores them; each as large as they come. */
static void
test_bytes(void **state)
{
	int64_t now = time(NULL);
	size_t bytes, most = 0, n = 0;
	const char *name;

	(void)state;
	begin();
	sts_store_tidy(store, VICTIM, now, MIB);
	for (unsigned i = 0; i < 40; i++) {
		name = neighbour("n", ".evil.test");
		put(name, 0, now, (struct sts_str){ large, sizeof large });
		sts_store_tidy(store, name, now, MIB);
		n = beside(&bytes);
		most = bytes > most ? bytes : most;
	}
	ROW(most <= SHARE, "%zu bytes of %d", most, SHARE);
	ROW(has(VICTIM), "the victim's policy made room");
	for (unsigned i = 0; i < 40; i++) {
		name = neighbour("n", ".evil.test");
		put(name, 0, now, str_of(BODY));
		sts_store_tidy(store, name, now, MIB);
	}
	n = beside(&bytes);
	ROW(bytes <= SHARE && n > 5, "%zu small ones", n);
	ROW(has(VICTIM), "the victim's policy made room for small ones");
	rows_done();
}

/* More in use than fits: whoever has most loses, however much it is used. */
static void
test_owners(void **state)
{
	int64_t now = time(NULL);
	char few[4][STS_NAME_SIZE];
	size_t bytes, n;

	(void)state;
	begin();
	for (unsigned i = 0; i < 12; i++)
		put(neighbour("n", ".evil.test"), now - 9 * DAY, now,
		    str_of(BODY));
	for (unsigned i = 0; i < ARRAY_LEN(few); i++) {
		snprintf(few[i], sizeof few[i], "%s",
		    neighbour("few", ".test"));
		put(few[i], now - 9 * DAY, now - 5 * DAY, str_of(BODY));
	}
	sts_store_tidy(store, VICTIM, now, MIB);
	n = beside(&bytes);
	ROW(n == 14, "%zu of 17 stay", n);
	ROW(has(VICTIM), "the victim's policy is gone");
	for (unsigned i = 0; i < ARRAY_LEN(few); i++)
		ROW(has(few[i]), "%s is gone", few[i]);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_owners),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
