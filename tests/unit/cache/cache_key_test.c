/* SPDX-License-Identifier: ISC */
/* The key of a cache: made once, by one of many. */
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "base/hash.h"
#include "cache/entry_files.h"
#include "fixture.h"
#include "row.h"

#define DOMAIN "a.example"

static struct sts_err err;

static struct sts_store *
open_cache(const char *name)
{
	struct sts_store *s;

	err.text[0] = '\0';
	(void)sts_store_open(&s, in_top(name), &err);
	return s;
}

static bool
opens(const char *name)
{
	struct sts_store *s = open_cache(name);

	sts_store_close(s);
	return s != NULL;
}

static enum sts_rc
put(struct sts_store *s)
{
	struct sts_entry e = { .kind = STS_ENTRY_NONE,
		.checked = time(NULL),
		.until = time(NULL) + 60 };

	return sts_store_put(s, DOMAIN, &e, &err);
}

static bool
has(struct sts_store *s)
{
	struct sts_loaded loaded = { .buf = NULL };

	return sts_store_get(s, DOMAIN, &loaded, NULL) == STS_OK &&
	    loaded.entry.kind == STS_ENTRY_NONE;
}

/* A5: names that once shared a directory, and could be looked for at home. */
static void
test_neighbours(void **state)
{
	unsigned in[STS_STORE_DIRS] = { 0 }, most = 0, other = 0, n = 0;
	struct sts_store *s, *t;
	char name[40];

	(void)state;
	assert_true(own(in_top("one")) && own(in_top("two")));
	s = open_cache("one");
	t = open_cache("two");
	assert_true(s != NULL && t != NULL);
	for (unsigned i = 0; n < 2560; i++) {
		snprintf(name, sizeof name, "n%u.example", i);
		if (sts_hash(str_of(name)) % 256 != 0)
			continue;
		n++;
		in[sts_store_dir_of(s, name)]++;
		other += sts_store_dir_of(s, name) != sts_store_dir_of(t, name);
	}
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		most = in[i] > most ? in[i] : most;
	ROW(most < 50, "%u of 2560 in one of 256 directories", most);
	ROW(other > 2000, "%u of 2560 elsewhere under another key", other);
	sts_store_close(s);
	sts_store_close(t);
	rows_done();
}

static void
test_race(void **state)
{
	enum { PROCESSES = 8, NAMES = 4 };
	unsigned dirs[PROCESSES][NAMES], bad = 0;
	int fd[2];

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		char dir[32];

		snprintf(dir, sizeof dir, "race%u", round);
		assert_true(own(in_top(dir)));
		assert_int_equal(pipe(fd), 0);
		for (unsigned i = 0; i < PROCESSES; i++)
			if (fork() == 0) {
				static const char *const names[NAMES] = { "a",
					"b.example", "c.example", "d" };
				struct sts_store *s = open_cache(dir);

				for (unsigned k = 0; s != NULL && k < NAMES;
				     k++)
					dirs[0][k] =
					    sts_store_dir_of(s, names[k]);
				_exit(s == NULL ||
				    write(fd[1], dirs[0], sizeof dirs[0]) !=
					(ssize_t)sizeof dirs[0]);
			}
		close(fd[1]);
		for (unsigned i = 0; i < PROCESSES; i++)
			bad += read(fd[0], dirs[i], sizeof dirs[i]) !=
				(ssize_t)sizeof dirs[i] ||
			    memcmp(dirs[i], dirs[0], sizeof dirs[0]) != 0;
		close(fd[0]);
		while (wait(NULL) != -1)
			;
	}
	ROW(bad == 0, "%u of them with another key", bad);
	rows_done();
}

/* A key that is not ours is not the same as "nothing is there". */
static void
test_gone(void **state)
{
	static const char *const odd[] = {
		"",
		"mtasts-key1:",
		"mtasts-key1:0123456789abcdef0123456789abcde",
		"mtasts-key1:0123456789abcdef0123456789abcdef0",
		"mtasts-key1:0123456789abcdef0123456789ABCDEF",
		"mtasts-key2:0123456789abcdef0123456789abcdef",
		"/etc/passwd",
	};
	struct sts_store *s;
	char key[200], away[200];

	(void)state;
	assert_true(own(in_top("gone")));
	snprintf(key, sizeof key, "%s", in_top("gone/~key"));
	snprintf(away, sizeof away, "%s", in_top("key"));
	s = open_cache("gone");
	assert_true(s != NULL && put(s) == STS_OK && has(s));
	assert_int_equal(rename(key, away), 0);
	/* Emptied while somebody stored: a cold cache, not a broken one. */
	ROW(opens("gone") && sts_store_key(s, &err) == STS_OK && !has(s) &&
		put(s) == STS_OK && has(s),
	    "no key: %s", err.text);
	assert_int_equal(unlink(key), 0);
	for (size_t i = 1; i < ARRAY_LEN(odd); i++) {
		assert_int_equal(symlink(odd[i], key), 0);
		ROW(!opens("gone") && err.rc == STS_LOCAL &&
			strstr(err.text, "~key is not ours") != NULL,
		    "odd key %zu: %s", i, err.text);
		assert_int_equal(unlink(key), 0);
	}
	assert_int_equal(close(creat(key, 0600)), 0);
	ROW(!opens("gone") && err.rc == STS_LOCAL, "a file: %s", err.text);
	assert_int_equal(rename(away, key), 0);
	sts_store_close(s);
	s = open_cache("gone");
	ROW(s != NULL && has(s), "put back");
	sts_store_close(s);
	rows_done();
}

/* Everything may be removed while others have the cache open. */
static void
test_emptied(void **state)
{
	struct sts_store *s;
	char command[300];
	struct stat st;

	(void)state;
	assert_true(own(in_top("emptied")));
	s = open_cache("emptied");
	assert_true(s != NULL && put(s) == STS_OK);
	ROW(!sts_store_moved(s, in_top("emptied")), "as it was");
	snprintf(command, sizeof command, "rm -rf %s/*", in_top("emptied"));
	assert_int_equal(system(command), 0);
	ROW(sts_store_moved(s, in_top("emptied")), "emptied, and unseen");
	ROW(put(s) == STS_LOCAL, "stored where nobody will look");
	ROW(sts_store_key(s, &err) == STS_OK && put(s) == STS_OK && has(s),
	    "not begun anew: %s", err.text);
	ROW(lstat(in_top("emptied/~key"), &st) == 0 && S_ISLNK(st.st_mode) &&
		(geteuid() != 0 || st.st_uid == OWNER),
	    "by its owner");
	sts_store_close(s);
	rows_done();
}

/* An empty cache on a full disk, or a read-only one, has nothing to hide. */
static void
test_not_made(void **state)
{
	struct sts_store *s;

	(void)state;
	assert_true(own(in_top("empty")) && chmod(in_top("empty"), 0550) == 0);
	s = open_cache("empty");
	ROW(s != NULL && !has(s), "an empty cache: %s", err.text);
	ROW(s != NULL && put(s) == STS_LOCAL, "stored without a key");
	sts_store_close(s);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_race),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_emptied),
		cmocka_unit_test(test_not_made),
	};

	return cmocka_run_group_tests(tests, make_top, wipe_top);
}
