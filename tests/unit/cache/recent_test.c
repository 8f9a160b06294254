/* SPDX-License-Identifier: ISC */
/*
 * What a context remembers of policies, on a real store: never older than the
 * file, whatever happens to that.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "cache/entry_files.h"
#include "cache/recent.h"
#include "fixture.h"
#include "plant.h"
#include "row.h"

#define DOMAIN "a.example"

static struct sts_store *store;

static int
set_up(void **state)
{
	return make_top(state) || !own(in_top("cache")) ||
	    sts_store_open(&store, in_top("cache"), NULL) != STS_OK;
}

static int
tear_down(void **state)
{
	sts_store_close(store);
	return wipe_top(state);
}

/* Of one length, so that nothing but the times tells them apart. */
static const struct sts_str enforce = LIT("version: STSv1\nmode: enforce\n"
					  "mx: a.example\nmax_age: 86400\n");
static const struct sts_str testing = LIT("version: STSv1\nmode: testing\n"
					  "mx: a.example\nmax_age: 86400\n");

static void
put(const char *domain, struct sts_str body, int64_t left)
{
	int64_t now = time(NULL);
	struct sts_entry e = { .kind = STS_ENTRY_POLICY,
		.id = "one",
		.fetched = now - 60,
		.checked = now - 60,
		.until = now + left,
		.body = body };

	assert_int_equal(sts_store_put(store, domain, &e, NULL), STS_OK);
}

static const char *
path_of(const char *domain)
{
	static char path[sizeof top + 8 + STS_STORE_NAME];
	char below[STS_STORE_NAME];

	sts_store_path(store, below, domain, "");
	snprintf(path, sizeof path, "%s/cache/%s", top, below);
	return path;
}

/* --- The memo itself ----------------------------------------------------- */

static void
keep(struct sts_recent **m, const char *domain, int64_t later)
{
	struct sts_loaded loaded = { .buf = NULL };
	struct sts_policy *policy;

	assert_int_equal(sts_store_get(store, domain, &loaded, NULL), STS_OK);
	assert_int_equal(sts_policy_parse(&policy, loaded.entry.body.p,
			     loaded.entry.body.len, NULL, NULL, NULL),
	    STS_OK);
	sts_recent_keep(m, domain, &loaded, policy, time(NULL) + later);
	sts_policy_free(policy);
	sts_loaded_clear(&loaded);
}

/* With the mode of what is remembered. */
static bool
recalls(struct sts_recent *m, const char *domain, enum sts_mode mode)
{
	struct sts_loaded loaded = { .buf = NULL };
	struct sts_policy *policy = NULL;
	char path[STS_STORE_NAME];
	bool good;

	sts_store_path(store, path, domain, "");
	if (!sts_recent_recall(m, store, path, domain, &loaded, &policy))
		return false;
	good = loaded.buf == NULL && loaded.entry.body.len == 0 &&
	    loaded.entry.kind == STS_ENTRY_POLICY &&
	    sts_policy_mode(policy) == mode;
	ROW(good, "%s: something else is remembered", domain);
	sts_policy_free(policy);
	return good;
}

static void
replace(const char *path)
{
	(void)path;
	put(DOMAIN, testing, 86400);
}

static void
replace_by_same(const char *path)
{
	(void)path;
	put(DOMAIN, enforce, 86400);
}

static void
purge(const char *path)
{
	(void)path;
	assert_int_equal(sts_store_remove(store, DOMAIN, NULL), STS_OK);
}

/* By whoever knows how to hide it. */
static void
write_in_place(const char *path)
{
	struct timespec t[2];
	struct stat st;
	int fd = open(path, O_WRONLY);

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pwrite(fd, "x", 1, 9), 1);
	t[0] = st.st_atim;
	t[1] = st.st_mtim;
	assert_int_equal(futimens(fd, t), 0);
	close(fd);
}

static void
touch(const char *path)
{
	assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
}

static void
change_mode(const char *path)
{
	assert_int_equal(chmod(path, 0666), 0);
}

static void
change_owner(const char *path)
{
	if (geteuid() == 0)
		assert_int_equal(chown(path, 1, 1), 0);
	else
		change_mode(path);
}

static void
second_link(const char *path)
{
	char other[400];

	snprintf(other, sizeof other, "%s~link", path);
	(void)unlink(other);
	assert_int_equal(link(path, other), 0);
}

static void
directory_gone(const char *path)
{
	char dir[400], other[420];

	snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(path, '/') - path),
	    path);
	snprintf(other, sizeof other, "%s.gone", dir);
	assert_int_equal(rename(dir, other), 0);
}

static const struct {
	const char *what;
	plant_fn *fn;
} changes[] = {
	{ "another policy", replace },
	{ "the same policy again", replace_by_same },
	{ "purged", purge },
	{ "written in place", write_in_place },
	{ "used, to the day", touch },
	{ "another mode", change_mode },
	{ "another owner", change_owner },
	{ "a second link", second_link },
	{ "the directory is gone", directory_gone },
};

static void
test_changes(void **state)
{
	static plant_fn *const plants[] = { PLANTS };
	struct sts_recent *m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes) + ARRAY_LEN(plants); i++) {
		bool plant = i >= ARRAY_LEN(changes);

		m = NULL;
		put(DOMAIN, enforce, 86400);
		keep(&m, DOMAIN, 60);
		ROW(recalls(m, DOMAIN, STS_MODE_ENFORCE), "%zu: forgotten", i);
		usleep(20000); /* a tick of the clock of files */
		if (plant) {
			(void)unlink(path_of(DOMAIN));
			plants[i - ARRAY_LEN(changes)](path_of(DOMAIN));
		} else
			changes[i].fn(path_of(DOMAIN));
		ROW(!recalls(m, DOMAIN, STS_MODE_ENFORCE),
		    "%s: a policy that is no more",
		    plant ? "planted" : changes[i].what);
		sts_recent_free(m);
		(void)unlink(path_of(DOMAIN));
		(void)rmdir(path_of(DOMAIN));
	}
	rows_done();
}

/* What may change within the tick of its last change is not believed. */
static void
test_young(void **state)
{
	struct sts_recent *m = NULL;
	struct timespec old[2] = { { 1, 0 }, { 1, 0 } };

	(void)state;
	put(DOMAIN, enforce, 86400);
	keep(&m, DOMAIN, 0);
	ROW(!recalls(m, DOMAIN, STS_MODE_ENFORCE), "just written");
	keep(&m, DOMAIN, STS_RECENT_SETTLED - 1);
	ROW(!recalls(m, DOMAIN, STS_MODE_ENFORCE), "not settled");
	keep(&m, DOMAIN, -86400);
	ROW(!recalls(m, DOMAIN, STS_MODE_ENFORCE), "the clock was set back");
	/* Whoever sets the time of modification cannot set the other. */
	assert_int_equal(utimensat(AT_FDCWD, path_of(DOMAIN), old, 0), 0);
	keep(&m, DOMAIN, 0);
	ROW(!recalls(m, DOMAIN, STS_MODE_ENFORCE), "seems old");
	keep(&m, DOMAIN, STS_RECENT_SETTLED + 2);
	ROW(recalls(m, DOMAIN, STS_MODE_ENFORCE), "settled");
	sts_recent_free(m);
	rows_done();
}

static void
test_bounds(void **state)
{
	static char body[STS_RECENT_BODY_MAX + 1];
	struct sts_recent *m = NULL;
	char domain[40];
	unsigned found = 0;

	(void)state;
	memset(body, '\n', sizeof body);
	memcpy(body, enforce.p, enforce.len);
	put("large.example", (struct sts_str){ body, sizeof body }, 86400);
	keep(&m, "large.example", 60);
	ROW(!recalls(m, "large.example", STS_MODE_ENFORCE), "large");
	/* Each in its mode, however they drive each other out. */
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(domain, sizeof domain, "d%u.example", i);
		put(domain, i % 2 == 0 ? enforce : testing, 86400);
		keep(&m, domain, 60);
	}
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(domain, sizeof domain, "d%u.example", i);
		found += recalls(m, domain,
		    i % 2 == 0 ? STS_MODE_ENFORCE : STS_MODE_TESTING);
	}
	ROW(found >= 400 && found <= 512, "%u remembered", found);
	/* The hash is no secret: somebody may look for another's. */
	put("c233.example", enforce, 86400);
	put("c66465.example", testing, 86400);
	assert_int_equal(sts_hash_fold(sts_hash(str_of("c233.example"))),
	    sts_hash_fold(sts_hash(str_of("c66465.example"))));
	keep(&m, "c233.example", 60);
	keep(&m, "c66465.example", 60);
	ROW(recalls(m, "c233.example", STS_MODE_ENFORCE) &&
		recalls(m, "c66465.example", STS_MODE_TESTING),
	    "two domains of one hash");
	sts_recent_free(m);
	sts_recent_free(NULL);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_young),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
