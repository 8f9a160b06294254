/* SPDX-License-Identifier: ISC */
/* MX sets and marks about addresses in a real directory, and their end. */
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
static struct sts_mx_set set, got;

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

static const char *
path_of(const char *domain, const char *what)
{
	static char path[STS_STORE_NAME + sizeof top + 16];

	snprintf(path, sizeof path, "%s/%02x/%s%s", top,
	    sts_store_dir_of(store, domain), domain, what);
	return path;
}

static struct sts_mx_set *
one_host(const char *name)
{
	memset(&set, 0, sizeof set);
	set.kind = STS_MX_HOSTS;
	set.asked = time(NULL);
	set.until = set.asked + STS_MX_TTL_MIN;
	set.n = 1;
	snprintf(set.host[0].name, sizeof set.host[0].name, "%s", name);
	set.host[0].naddr = 1;
	set.host[0].addr[0].bytes[0] = 192;
	return &set;
}

static bool
has(const char *domain, const char *name)
{
	memset(&got, 0xa5, sizeof got);
	if (sts_store_get_mx(store, domain, &got, NULL) != STS_OK)
		return false;
	if (name == NULL)
		return got.kind == STS_MX_UNKNOWN && got.n == 0;
	return got.kind == STS_MX_HOSTS && got.n == 1 &&
	    strcmp(got.host[0].name, name) == 0;
}

static void
test_sets(void **state)
{
	struct sts_mx_set *m = one_host("mx.example");
	struct sts_err err;
	struct stat st;

	(void)state;
	umask(0);
	ROW(has("a.example", NULL), "nothing there");
	ROW(sts_store_put_mx(store, "a.example", m, &err) == STS_OK &&
		has("a.example", "mx.example"),
	    "stored");
	ROW(stat(path_of("a.example", "~mx"), &st) == 0 &&
		(st.st_mode & 07777) == 0640,
	    "0640 whatever the umask");
	ROW(geteuid() != 0 || (st.st_uid == OWNER && st.st_gid == OWNER),
	    "root writes as the owner");
	m = one_host("other.example");
	ROW(sts_store_put_mx(store, "a.example", m, &err) == STS_OK &&
		has("a.example", "other.example"),
	    "replaced");
	m->kind = STS_MX_UNKNOWN;
	ROW(sts_store_put_mx(store, "a.example", m, &err) == STS_LOCAL &&
		err.text[0] != '\0' && has("a.example", "other.example"),
	    "what cannot be written leaves what is there");
	ROW(geteuid() == getuid() && getegid() == getgid(), "ids are back");
	rows_done();
}

/* Of this host, with the path in the log: "could not see", not "none". */
static bool
get_fails(const char *domain)
{
	struct sts_err err = { 0 };

	memset(&got, 0xa5, sizeof got);
	return sts_store_get_mx(store, domain, &got, &err) == STS_LOCAL &&
	    got.kind == STS_MX_UNKNOWN && strstr(err.text, domain) != NULL;
}

static void
plant_others_set(const char *path)
{
	char from[STS_STORE_NAME + sizeof top + 16];

	(void)sts_store_put_mx(store, "c.example", one_host("c.example"), NULL);
	snprintf(from, sizeof from, "%s/%02x/c.example~mx", top,
	    sts_store_dir_of(store, "c.example"));
	(void)rename(from, path);
}

static void
plant_long_set(const char *path)
{
	plant_others_set(path);
	(void)!truncate(path, STS_MX_BYTES_MAX + 1);
}

static void
test_planted(void **state)
{
	plant_fn *const plants[] = { PLANTS, plant_others_set, plant_long_set };
	const char *path;

	(void)state;
	assert_int_equal(sts_store_put_mx(store, "b.example",
			     one_host("b.example"), NULL),
	    STS_OK);
	path = path_of("b.example", "~mx");
	for (size_t i = 0; i < ARRAY_LEN(plants); i++) {
		(void)unlink(path);
		plants[i](path);
		if (geteuid() == 0)
			(void)!lchown(path, OWNER, OWNER);
		if (plant_is_fault(plants[i]) || plants[i] == plant_link ||
		    plants[i] == plant_long_link)
			ROW(get_fails("b.example"), "plant %zu is absent", i);
		else
			ROW(has("b.example", NULL),
			    "plant %zu is believed or blocks", i);
		if (plants[i] == plant_directory)
			(void)rmdir(path);
		ROW(sts_store_put_mx(store, "b.example", one_host("b.example"),
			NULL) == STS_OK &&
			has("b.example", "b.example"),
		    "plant %zu cannot be replaced", i);
	}
	if (geteuid() == 0) {
		(void)!chown(path, 0, 0);
		ROW(get_fails("b.example"),
		    "what cannot be read is not absent");
		(void)chmod(path, 0644);
		ROW(get_fails("b.example"), "a file of another owner");
	}
	(void)unlink(path);
	rows_done();
}

/* Each mark is its own file: none shows in the place of another. */
static void
test_marks(void **state)
{
	static const struct {
		enum sts_mark mark;
		const char *about, *file;
	} t[] = {
		{ STS_MARK_FAILED, "a.example", NULL },
		{ STS_MARK_ANSWERED, "a.example", NULL },
		{ STS_MARK_RELAYED, "a.example", NULL },
		{ STS_MARK_REFRESH, "a.example", NULL },
		{ STS_MARK_REFRESH_MX, "a.example", NULL },
		{ STS_MARK_MX_FAILED, "192.0.2.1~0123456789abcdef",
		    "~mx/192.0.2.1~0123456789abcdef~failed" },
		{ STS_MARK_MX_PROBED, "192.0.2.1", "~mx/192.0.2.1~probed" },
		{ STS_MARK_MX_DOWN, "192.0.2.1", "~mx/192.0.2.1~down" },
		{ STS_MARK_MX_FAILED,
		    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff~0123456789abcdef",
		    "~mx/2001:db8:ffff:ffff:ffff:ffff:ffff:ffff~"
		    "0123456789abcdef~failed" },
		{ STS_MARK_RESOLVER_DOWN, NULL, "~resolver-down" },
	};
	char path[sizeof top + 100], both[STS_MX_NAME], host[STS_NAME_SIZE];
	int64_t now = time(NULL);
	struct stat st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		ROW(sts_store_mark(store, t[i].mark, t[i].about, NULL) ==
			STS_OK,
		    "mark %zu cannot be set", i);
		snprintf(path, sizeof path, "%s/%s", top,
		    t[i].file == NULL ? "" : t[i].file);
		ROW(stat(path, &st) == 0, "mark %zu: no %s", i, path);
		for (size_t k = 0; k < ARRAY_LEN(t); k++)
			ROW((sts_store_marked(store, t[k].mark, t[k].about) >=
				now) == (k == i),
			    "with mark %zu set, mark %zu", i, k);
		sts_store_unmark(store, t[i].mark, t[i].about);
	}
	memset(host, 'h', sizeof host - 1);
	host[sizeof host - 1] = '\0';
	sts_store_mx_name(store, both, host,
	    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
	ROW(strlen(both) == 38 + 1 + 16 &&
		sts_store_mark(store, STS_MARK_MX_FAILED, both, NULL) == STS_OK,
	    "the longest host: %s", both);
	ROW(sts_store_marked(store, STS_MARK_MX_FAILED,
		sts_store_mx_name(store, both, "mx.example",
		    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")) == 0,
	    "another host at the address");
	rows_done();
}

static void
test_claims(void **state)
{
	int64_t now = time(NULL);

	(void)state;
	ROW(sts_store_claim(store, STS_MARK_REFRESH_MX, "a.example", now, 60) &&
		!sts_store_claim(store, STS_MARK_REFRESH_MX, "a.example", now,
		    60),
	    "one is first");
	ROW(sts_store_claim(store, STS_MARK_REFRESH, "a.example", now, 60),
	    "without MX set it is another claim");
	rows_done();
}

/* --- What goes when ----------------------------------------------------- */

/* Twice, a day apart: what was past its use by the first goes. */
static enum sts_rc
prune_by(int64_t now, size_t *removed)
{
	(void)sts_store_prune(store, now, 256, NULL, NULL);
	return sts_store_prune(store, now + 86460, 256, removed, NULL);
}

static void
age(const char *path, int64_t s)
{
	struct timespec t[2] = { { time(NULL) - s, 0 } };

	t[1] = t[0];
	if (utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW) == -1)
		fail_msg("no %s", path);
}

static const struct life {
	const char *what;
	enum { GONE, LIVE, OVER } policy;
	int64_t mx;      /* age of the MX set */
	int64_t relayed; /* age of the mark; -1: none */
	bool mx_stays, relayed_stays;
} lives[] = {
	{ "asked a moment ago", GONE, 0, -1, true, false },
	{ "asked in a day", GONE, DAY - 60, -1, true, false },
	{ "asked before, needed by nothing", GONE, DAY + 60, -1, false, false },
	{ "a live policy", LIVE, 30 * DAY, -1, true, false },
	{ "mail on its way", GONE, 30 * DAY, 0, true, true },
	{ "mail five days ago", GONE, 30 * DAY, STS_MX_KEEP, true, true },
	{ "the mark is a day late at most", GONE, 30 * DAY,
	    STS_MX_KEEP + DAY - 60, true, true },
	{ "mail in a queue no more", GONE, 30 * DAY, STS_MX_KEEP + DAY + 60,
	    false, false },
	{ "mail from the future", GONE, 30 * DAY, -DAY, true, true },
	{ "set from the future", GONE, -DAY, -1, true, false },
	{ "a policy that is over", OVER, 30 * DAY, -1, false, false },
};

static void
test_life(void **state)
{
	struct sts_entry e = {
		.kind = STS_ENTRY_POLICY,
		.id = "x",
		.fetched = time(NULL) - DAY,
		.checked = time(NULL),
		.body = LIT(BODY),
	};
	char name[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		const struct life *l = &lives[i];

		snprintf(name, sizeof name, "l%zu.example", i);
		(void)sts_store_put_mx(store, name, one_host("m.example"),
		    NULL);
		age(path_of(name, "~mx"), l->mx);
		e.until = time(NULL) + (l->policy == LIVE ? DAY : -60);
		if (l->policy != GONE)
			(void)sts_store_put(store, name, &e, NULL);
		if (l->relayed == -1)
			continue;
		(void)sts_store_mark(store, STS_MARK_RELAYED, name, NULL);
		age(path_of(name, "~relayed"), l->relayed);
	}
	ROW(prune_by(time(NULL), NULL) == STS_OK, "prune");
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		snprintf(name, sizeof name, "l%zu.example", i);
		ROW(has(name, lives[i].mx_stays ? "m.example" : NULL),
		    "%s: the set", lives[i].what);
		ROW((sts_store_marked(store, STS_MARK_RELAYED, name) != 0) ==
			lives[i].relayed_stays,
		    "%s: the mark", lives[i].what);
	}
	rows_done();
}

static const struct {
	const char *file;
	int64_t age;
	bool stays;
} files[] = {
	{ "~mx/192.0.2.9~failed", 2 * STS_MX_FAILED_SPAN - 60, true },
	{ "~mx/192.0.2.8~failed", 2 * STS_MX_FAILED_SPAN + 60, false },
	{ "~mx/192.0.2.8~down", 2 * STS_MX_FAILED_SPAN + 60, false },
	{ "~mx/192.0.2.8~probed", 2 * STS_MX_FAILED_SPAN + 60, false },
	{ "~mx/192.0.2.7~failed", -DAY, true },
};

/* By hand, and by the worker that stores something once a day. */
static void
test_lists(void **state)
{
	char path[sizeof top + 40];
	struct stat st;

	(void)state;
	for (int tidy = 0; tidy <= 1; tidy++) {
		(void)sts_store_mark(store, STS_MARK_MX_FAILED, "::1", NULL);
		for (size_t i = 0; i < ARRAY_LEN(files); i++) {
			snprintf(path, sizeof path, "%s/%s", top,
			    files[i].file);
			plant_empty(path);
			age(path, files[i].age);
		}
		if (tidy) {
			/* The first time leaves a note of the day. */
			sts_store_tidy(store, "a.example", time(NULL), 256);
			sts_store_tidy(store, "a.example",
			    time(NULL) + DAY + 60, 256);
			sts_store_tidy(store, "a.example",
			    time(NULL) + 2 * (DAY + 60), 256);
		} else
			(void)prune_by(time(NULL), NULL);
		for (size_t i = 0; i < ARRAY_LEN(files) && !tidy; i++) {
			snprintf(path, sizeof path, "%s/%s", top,
			    files[i].file);
			ROW((stat(path, &st) == 0) == files[i].stays, "%s",
			    files[i].file);
		}
	}
	snprintf(path, sizeof path, "%s/~mx/192.0.2.9~failed", top);
	ROW(stat(path, &st) == -1, "a worker tidies the marks");
	rows_done();
}

static bool
no_mark(void *arg, const char *domain, const struct sts_loaded *s)
{
	(void)s;
	*(bool *)arg |= strchr(domain, '~') != NULL;
	return true;
}

static void
test_walk(void **state)
{
	bool seen = false;

	(void)state;
	(void)sts_store_put_mx(store, "w.example", one_host("w.example"), NULL);
	ROW(sts_store_walk(store, no_mark, &seen, NULL) == STS_OK && !seen,
	    "a set is taken for an entry");
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_planted),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
