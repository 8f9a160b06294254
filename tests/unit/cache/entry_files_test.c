/* SPDX-License-Identifier: ISC */
/* The store on a real directory, with what a hostile owner may plant in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cache/entry_files.h"
#include "fixture.h"
#include "plant.h"
#include "row.h"

#define BODY "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 86400\n"
#define OWNER 65534 /* used when the test runs as root */

static struct sts_store *store;
static struct sts_loaded loaded, other;
static unsigned synced;

int
fdatasync(int fd)
{
	(void)fd;
	synced++;
	return 0;
}

static struct sts_entry
policy(const char *id)
{
	struct sts_entry e = {
		.kind = STS_ENTRY_POLICY,
		.fetched = time(NULL),
		.checked = time(NULL),
		.until = time(NULL) + 86400,
		.body = LIT(BODY),
	};

	snprintf(e.id, sizeof e.id, "%s", id);
	return e;
}

static struct sts_entry
no_policy(int64_t until)
{
	return (struct sts_entry){
		.kind = STS_ENTRY_NONE,
		.why = STS_WHY_NO_RECORD,
		.checked = time(NULL),
		.until = until,
	};
}

static const char *
path_of(const char *domain)
{
	static char path[STS_STORE_NAME + sizeof top + 8];

	snprintf(path, sizeof path, "%s/%02x/%s", top,
	    sts_store_dir_of(store, domain), domain);
	return path;
}

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

static enum sts_entry_kind
get(const char *domain, struct sts_loaded *s)
{
	if (sts_store_get(store, domain, s, NULL) != STS_OK)
		return (enum sts_entry_kind)99;
	return s->entry.kind;
}

/* A fault of this host whose line names what is at fault. */
static struct sts_err err;

static bool
get_fails(const char *domain, const char *name)
{
	err.text[0] = '\0';
	return sts_store_get(store, domain, &loaded, &err) == STS_LOCAL &&
	    loaded.entry.kind == STS_ENTRY_ABSENT &&
	    strstr(err.text, name) != NULL;
}

static bool
count(void *arg, const char *domain, const struct sts_loaded *s)
{
	(void)domain;
	*(unsigned *)arg += s->entry.kind != STS_ENTRY_ABSENT;
	return true;
}

static void
test_entries(void **state)
{
	struct sts_entry p = policy("one"), q = policy("two"),
			 n = no_policy(time(NULL) + 60);
	struct stat st;

	(void)state;
	umask(0); /* as in Exim */
	ROW(get("a.example", &loaded) == STS_ENTRY_ABSENT && !loaded.broken,
	    "nothing there");
	ROW(sts_store_put(store, "a.example", &p, NULL) == STS_OK &&
		get("a.example", &loaded) == STS_ENTRY_POLICY &&
		strcmp(loaded.entry.id, "one") == 0 &&
		str_is(loaded.entry.body, BODY),
	    "a policy");
	ROW(synced == 0, "no wait for the disk where there was none");
	ROW(stat(path_of("a.example"), &st) == 0 &&
		(st.st_mode & 07777) == 0640,
	    "0640 whatever the umask");
	ROW(geteuid() != 0 || (st.st_uid == OWNER && st.st_gid == OWNER),
	    "root writes as the owner");
	ROW(sts_store_put(store, "a.example", &q, NULL) == STS_OK &&
		get("a.example", &loaded) == STS_ENTRY_POLICY &&
		strcmp(loaded.entry.id, "two") == 0,
	    "replaced");
	ROW(synced == 1, "once the new one is on the disk");
	ROW(sts_store_put(store, "a.example", &n, NULL) == STS_OK &&
		get("a.example", &loaded) == STS_ENTRY_NONE,
	    "by a link");
	ROW(lstat(path_of("a.example"), &st) == 0 && S_ISLNK(st.st_mode) &&
		st.st_blocks == 0,
	    "that takes no block");
	ROW(sts_store_put(store, "a.example", &p, NULL) == STS_OK &&
		get("a.example", &loaded) == STS_ENTRY_POLICY,
	    "and back");
	ROW(synced == 1, "which had nothing to lose");
	ROW(sts_store_remove(store, "a.example", NULL) == STS_OK &&
		get("a.example", &loaded) == STS_ENTRY_ABSENT,
	    "removed");
	ROW(sts_store_remove(store, "a.example", NULL) == STS_OK,
	    "removing nothing is fine");
	ROW(geteuid() == getuid() && getegid() == getgid(), "ids are back");
	rows_done();
}

static void
plant_others_link(const char *path)
{
	char from[sizeof top + 300];
	struct sts_entry p = policy("c");

	/* a good policy, but of another domain */
	(void)sts_store_put(store, "c.example", &p, NULL);
	snprintf(from, sizeof from, "%s/%02x/c.example", top,
	    sts_store_dir_of(store, "c.example"));
	(void)rename(from, path);
}

static void
test_planted(void **state)
{
	plant_fn *const plants[] = { PLANTS, plant_others_link };
	struct sts_entry p = policy("good");
	const char *path;

	(void)state;
	/* Makes the directory that they are planted in. */
	assert_int_equal(sts_store_put(store, "b.example", &p, NULL), STS_OK);
	path = path_of("b.example");
	for (size_t i = 0; i < ARRAY_LEN(plants); i++) {
		(void)unlink(path);
		plants[i](path);
		if (geteuid() == 0)
			(void)!lchown(path, OWNER, OWNER);
		if (plant_is_fault(plants[i]))
			ROW(get_fails("b.example", "b.example"),
			    "plant %zu is absent", i);
		else
			ROW(get("b.example", &loaded) == STS_ENTRY_ABSENT &&
				loaded.broken,
			    "plant %zu is believed or blocks", i);
		if (plants[i] == plant_directory)
			(void)rmdir(path);
		ROW(sts_store_put(store, "b.example", &p, NULL) == STS_OK &&
			get("b.example", &loaded) == STS_ENTRY_POLICY,
		    "plant %zu cannot be replaced", i);
	}
	(void)unlink(path);
	rows_done();
}

/*
 * Right in all but its owner, as a copy made by root is, or in a directory of
 * another: nothing says that there is no policy.
 */
static void
test_owner(void **state)
{
	struct sts_entry p = policy("good"), n = no_policy(time(NULL) + 60);
	char dir[sizeof top + 8], mark[STS_STORE_NAME + sizeof top + 16];
	int64_t t;
	unsigned seen = 0;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(sts_store_put(store, "b.example", &p, NULL), STS_OK);
	(void)!chown(path_of("b.example"), 0, 0);
	ROW(get_fails("b.example", "b.example"), "what cannot be read");
	(void)chmod(path_of("b.example"), 0644);
	ROW(get_fails("b.example", "b.example"), "a file of another owner");
	ROW(sts_store_walk(store, count, &seen, NULL) == STS_LOCAL,
	    "a walk leaves it out and says nothing");
	ROW(sts_store_put(store, "b.example", &n, NULL) == STS_OK,
	    "a link of ours");
	(void)!lchown(path_of("b.example"), 0, 0);
	ROW(get_fails("b.example", "b.example"), "a link of another owner");
	(void)sts_store_remove(store, "b.example", NULL);
	ROW(get("b.example", &loaded) == STS_ENTRY_ABSENT, "removed");

	snprintf(mark, sizeof mark, "%s~failed", path_of("b.example"));
	assert_int_equal(sts_store_mark(store, STS_MARK_FAILED, "b.example",
			     NULL),
	    STS_OK);
	(void)!chown(mark, 0, 0);
	ROW(sts_store_look(store, STS_MARK_FAILED, "b.example", &t, &err) ==
		    STS_LOCAL &&
		t == 0 && strstr(err.text, "b.example~failed") != NULL,
	    "a mark of another owner");
	(void)chmod(mark, 0666);
	ROW(sts_store_mark(store, STS_MARK_FAILED, "b.example", &err) ==
		    STS_LOCAL &&
		strstr(err.text, "b.example~failed") != NULL,
	    "which cannot be set");
	sts_store_unmark(store, STS_MARK_FAILED, "b.example");
	ROW(sts_store_look(store, STS_MARK_FAILED, "b.example", &t, NULL) ==
		    STS_OK &&
		t == 0,
	    "no mark");

	snprintf(dir, sizeof dir, "%s/%02x", top,
	    sts_store_dir_of(store, "b.example"));
	(void)!chown(dir, 0, 0);
	(void)chmod(dir, 0755);
	ROW(get_fails("b.example", dir + sizeof top),
	    "no entry in a directory of another owner");
	ROW(sts_store_prune(store, time(NULL), 256, NULL, NULL) == STS_LOCAL,
	    "which cannot be tidied");
	(void)!chown(dir, OWNER, OWNER);
	(void)chmod(dir, 0750);
	rows_done();
}

static void
test_marks(void **state)
{
	int64_t now = time(NULL);

	(void)state;
	ROW(sts_store_marked(store, STS_MARK_FAILED, "a.example") == 0,
	    "not marked");
	ROW(sts_store_mark(store, STS_MARK_FAILED, "a.example", NULL) ==
		    STS_OK &&
		sts_store_marked(store, STS_MARK_FAILED, "a.example") >= now,
	    "marked");
	sts_store_unmark(store, STS_MARK_FAILED, "a.example");
	ROW(sts_store_marked(store, STS_MARK_FAILED, "a.example") == 0,
	    "unmarked");
	ROW(sts_store_claim(store, STS_MARK_REFRESH, "a.example", now, 60) &&
		!sts_store_claim(store, STS_MARK_REFRESH, "a.example", now, 60),
	    "one is first");
	ROW(sts_store_claim(store, STS_MARK_REFRESH, "a.example", now + 62, 60),
	    "an old claim is taken over");
	rows_done();
}

static void
age_path(const char *path, long days)
{
	struct timespec t[2] = { { time(NULL) - days * 86400, 0 } };

	t[1] = t[0];
	(void)utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW);
}

static void
age(const char *domain, long days)
{
	age_path(path_of(domain), days);
}

static void
age_mark(const char *domain, long days)
{
	char path[STS_STORE_NAME + sizeof top + 16];

	snprintf(path, sizeof path, "%s~failed", path_of(domain));
	age_path(path, days);
}

/* Twice, a day apart: what was past its use by the first goes. */
static enum sts_rc
prune_by(int64_t now, size_t *removed)
{
	(void)sts_store_prune(store, now, 256, NULL, NULL);
	return sts_store_prune(store, now + 86460, 256, removed, NULL);
}

/*
 * A10: what is past its use goes by the clock of the look before, so one that
 * jumps, once on a day, removes nothing.
 */
static void
test_clock(void **state)
{
#define YEAR (366 * 86400)
	static const struct {
		const char *what;
		int64_t at[4]; /* looks, in seconds from now; 0: no more */
		bool stays;
	} t[] = {
		{ "a minute ahead", { -86401, 60 }, true },
		{ "a year ahead", { -86401, YEAR }, true },
		{ "and back", { -86401, YEAR, 1, 86402 }, true },
		{ "a year ahead for a day", { -86401, YEAR, YEAR + 80000, 1 },
		    true },
		{ "started in 1970", { -1700000000, -1 }, true },
		{ "the last look is from the future", { YEAR, 1, 60 }, true },
		{ "really a year later", { YEAR, YEAR + 86401 }, false },
		{ "expired for a day", { 86500, 3 * 86400 }, true },
		{ "expired for six days", { 7 * 86400 - 10, 9 * 86400 }, true },
		{ "expired for a week", { 8 * 86400 + 10, 10 * 86400 }, false },
	};
	int64_t now = time(NULL);
	struct sts_entry p = policy("p");
	char tidied[sizeof top + 32];

	(void)state;
	snprintf(tidied, sizeof tidied, "%s/%02x/~tidied", top,
	    sts_store_dir_of(store, "clock.example"));
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		(void)sts_store_put(store, "clock.example", &p, NULL);
		(void)unlink(tidied);
		for (size_t k = 0; k < 4 && t[i].at[k] != 0; k++)
			sts_store_tidy(store, "clock.example", now + t[i].at[k],
			    256);
		ROW((get("clock.example", &loaded) == STS_ENTRY_POLICY) ==
			t[i].stays,
		    "%s", t[i].what);
	}
	(void)sts_store_remove(store, "clock.example", NULL);
	rows_done();
}

static void
test_prune(void **state)
{
	int64_t now = time(NULL);
	struct sts_entry live = policy("l"), unused = policy("u"),
			 over = policy("o"), none = no_policy(now + 60),
			 none_over = no_policy(now - 1);
	unsigned n = 0;
	size_t removed = 0;

	(void)state;
	over.fetched = now - 9 * 86400;
	over.until = now - 8 * 86400;
	(void)sts_store_put(store, "live.example", &live, NULL);
	(void)sts_store_put(store, "unused.example", &unused, NULL);
	age("unused.example", 181);
	(void)sts_store_put(store, "used.example", &unused, NULL);
	age("used.example", 179);
	(void)sts_store_put(store, "over.example", &over, NULL);
	(void)sts_store_put(store, "none.example", &none, NULL);
	(void)sts_store_put(store, "none-over.example", &none_over, NULL);
	(void)sts_store_mark(store, STS_MARK_FAILED, "live.example", NULL);
	age_mark("live.example", 2);
	ROW(prune_by(now, &removed) == STS_OK, "prune");
	ROW(get("live.example", &loaded) == STS_ENTRY_POLICY, "live stays");
	ROW(get("used.example", &loaded) == STS_ENTRY_POLICY,
	    "used in half a year stays");
	ROW(get("none.example", &loaded) == STS_ENTRY_NONE, "none stays");
	ROW(get("unused.example", &loaded) == STS_ENTRY_ABSENT, "unused goes");
	ROW(get("over.example", &loaded) == STS_ENTRY_ABSENT, "expired goes");
	ROW(get("none-over.example", &loaded) == STS_ENTRY_ABSENT,
	    "old none goes");
	ROW(sts_store_marked(store, STS_MARK_FAILED, "live.example") == 0,
	    "old mark goes");
	ROW(removed == 3, "%zu removed", removed);
	ROW(sts_store_walk(store, count, &n, NULL) == STS_OK && n >= 3,
	    "walk sees %u", n);
	rows_done();
}

/* D18: writers killed at any time, readers see one whole entry or another. */
static void
test_torn(void **state)
{
	struct sts_entry p = policy("one"), q = no_policy(time(NULL) + 60);
	unsigned seen = 0, bad = 0;
	enum sts_entry_kind kind;
	pid_t pid[4];

	(void)state;
	(void)sts_store_put(store, "torn.example", &p, NULL);
	for (unsigned round = 0; round < 40; round++) {
		for (size_t i = 0; i < ARRAY_LEN(pid); i++)
			if ((pid[i] = fork()) == 0)
				for (;;)
					(void)sts_store_put(store,
					    "torn.example", i % 2 ? &p : &q,
					    NULL);
		for (unsigned i = 0; i < 200; i++) {
			seen++;
			kind = get("torn.example", &other);
			bad +=
			    kind != STS_ENTRY_POLICY && kind != STS_ENTRY_NONE;
		}
		for (size_t i = 0; i < ARRAY_LEN(pid); i++) {
			(void)kill(pid[i], SIGKILL);
			(void)waitpid(pid[i], NULL, 0);
		}
	}
	ROW(bad == 0, "%u of %u reads torn", bad, seen);
	rows_done();
}

static void
test_open(void **state)
{
	static const struct {
		const char *what;
		mode_t mode;
		uid_t uid;
		bool good;
	} t[] = {
		{ "as it should be", 0750, OWNER, true },
		{ "private", 0700, OWNER, true },
		{ "of root", 0750, 0, false },
		{ "writable by the group", 0770, OWNER, false },
		{ "writable by all", 0757, OWNER, false },
	};
	char path[] = "/tmp/mtasts-open.XXXXXX";
	struct sts_store *s;

	(void)state;
	ROW(sts_store_open(&s, "/nonexistent/x", &err) == STS_LOCAL &&
		s == NULL && err.text[0] != '\0',
	    "missing");
	ROW(sts_store_open(&s, "/etc/passwd", &err) == STS_LOCAL,
	    "not a directory");
	if (mkdtemp(path) == NULL)
		fail();
	for (size_t i = 0; i < ARRAY_LEN(t) && geteuid() == 0; i++) {
		(void)chmod(path, t[i].mode);
		(void)!chown(path, t[i].uid, t[i].uid);
		ROW((sts_store_open(&s, path, &err) == STS_OK) == t[i].good,
		    "%s: %s", t[i].what, err.text);
		sts_store_close(s);
	}
	(void)rmdir(path);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_planted),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_prune),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_open),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
