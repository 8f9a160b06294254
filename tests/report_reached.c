/* SPDX-License-Identifier: ISC */
/* What has been handed over: kept over restarts, and never believed blindly. */
#include "row.h"

#include "plant.h"

#include <stdlib.h>

#include "reached.h"

#define DAY "2026-11-24"
#define INODE "77"
#define NUMBER(n) "000000000000000000" #n " "
#define BLANKS_50 "                                                  "
#define BLANKS BLANKS_50 BLANKS_50 BLANKS_50 BLANKS_50 BLANKS_50

static char dir[] = "/tmp/mtasts-reached.XXXXXX";
static int fd;
static const struct stat file = { .st_ino = 77, .st_size = 1000 };
static struct reached *r;
static struct sts_err err;

static const char *
path(void)
{
	static char text[sizeof dir + 32];

	snprintf(text, sizeof text, "%s/~forward-" DAY, dir);
	return text;
}

static bool
open_it(const struct stat *st)
{
	reached_close(r);
	return reached_open(&r, fd, DAY, st, &err) == STS_OK;
}

static void
begin(void)
{
	reached_close(r);
	r = NULL;
	(void)unlink(path());
	assert_true(open_it(&file));
}

static void
test_order(void **state)
{
	(void)state;
	begin();
	ROW(reached_from(r) == 0 && reached_end(r) == 0 && !reached_waits(r) &&
		!reached_has(r, "a.example", 0) && !reached_begun(fd, DAY),
	    "nothing yet");
	ROW(reached_pass(r, "a.example", 0, 10, &err) == STS_OK &&
		reached_has(r, "a.example", 0) &&
		!reached_has(r, "a.example", 10) && reached_begun(fd, DAY),
	    "one");
	ROW(reached_wait(r, "b.example", 10, 20, &err) == STS_OK &&
		reached_pass(r, "a.example", 20, 30, &err) == STS_OK &&
		reached_wait(r, "b.example", 30, 40, &err) == STS_OK,
	    "another waits");
	ROW(open_it(&file) && reached_end(r) == 40 && reached_from(r) == 10 &&
		reached_waits(r) && reached_has(r, "a.example", 20) &&
		!reached_has(r, "b.example", 10) &&
		!reached_has(r, "b.example", 30) &&
		reached_has(r, "b.example", 0),
	    "all is there again");
	ROW(reached_wait(r, "b.example", 10, 20, &err) == STS_OK &&
		reached_settle(r, 1000, &err) == STS_OK && open_it(&file) &&
		reached_from(r) == 10 && reached_end(r) == 1000,
	    "it waits again");
	ROW(reached_pass(r, "b.example", 10, 20, &err) == STS_OK &&
		open_it(&file) && reached_has(r, "b.example", 10) &&
		!reached_has(r, "b.example", 30) && reached_from(r) == 20,
	    "its turn has come, and a crash between two of them");
	ROW(reached_pass(r, "b.example", 30, 40, &err) == STS_OK &&
		reached_settle(r, 1000, &err) == STS_OK && open_it(&file) &&
		!reached_waits(r) && reached_from(r) == 1000,
	    "all done");
	reached_forget(fd, DAY);
	ROW(!reached_begun(fd, DAY), "forgotten");
	rows_done();
}

static void
test_many(void **state)
{
	char name[STS_NAME_SIZE];
	unsigned n = 0;

	(void)state;
	begin();
	do
		snprintf(name, sizeof name, "%u.%0240u", n, 1u);
	while (reached_wait(r, name, n, n + 1, &err) == STS_OK && ++n < 1000);
	ROW(n == REACHED_WAITING_MAX, "%u wait", n);
	ROW(reached_end(r) == n && !reached_has(r, name, n),
	    "who has no place is not passed over");
	snprintf(name, sizeof name, "%u.%0240u", 7u, 1u);
	ROW(open_it(&file) && !reached_has(r, name, 7) &&
		reached_pass(r, name, 7, 8, &err) == STS_OK,
	    "long names come back");
	ROW(reached_settle(r, n, &err) == STS_OK && !reached_waits(r) &&
		reached_wait(r, "a.example", n, n + 1, &err) == STS_OK,
	    "places are free again");
	rows_done();
}

/* What lies there, and where to begin then. */
static const struct {
	const char *what;
	struct sts_str first, second;
	bool cut; /* without the last byte */
	uint64_t from, end;
} notes[] = {
	{ "as written", LIT(NUMBER(40) INODE), LIT(NUMBER(30) "b.example"),
	    false, 30, 40 },
	{ "empty", LIT(""), LIT(""), false, 0, 0 },
	{ "another file", LIT(NUMBER(40) "78"), LIT(NUMBER(30) "b.example"),
	    false, 0, 0 },
	{ "no file", LIT(NUMBER(40)), LIT(""), false, 0, 0 },
	{ "a longer number", LIT(NUMBER(40) "777"), LIT(""), false, 0, 0 },
	{ "behind the end of the file", LIT("00000000000000001001 " INODE),
	    LIT(""), false, 0, 0 },
	{ "the end itself", LIT("00000000000000001000 " INODE), LIT(""), false,
	    1000, 1000 },
	{ "no number", LIT("0000000000000000004x " INODE), LIT(""), false, 0,
	    0 },
	{ "more than 64 bits", LIT("99999999999999999999 " INODE), LIT(""),
	    false, 0, 0 },
	{ "no blank", LIT("00000000000000000040_" INODE), LIT(""), false, 0,
	    0 },
	{ "torn in the first", LIT(NUMBER(40) INODE), LIT(""), true, 0, 0 },
	{ "torn in the second", LIT(NUMBER(40) INODE),
	    LIT(NUMBER(30) "b.example"), true, 40, 40 },
	{ "a NUL in a name", LIT(NUMBER(40) INODE), LIT(NUMBER(30) "b\0c"),
	    false, 40, 40 },
	{ "a blank in a name", LIT(NUMBER(40) INODE), LIT(NUMBER(30) "b c"),
	    false, 40, 40 },
	{ "a free place", LIT(NUMBER(40) INODE), LIT(NUMBER(30)), false, 40,
	    40 },
};

static void
put(int to, struct sts_str s, bool cut)
{
	char text[278];

	if (s.len == 0)
		return;
	memset(text, ' ', sizeof text);
	memcpy(text, s.p, s.len);
	text[276] = '\n';
	assert_true(write(to, text, cut ? 276 : 277) == (cut ? 276 : 277));
}

static void
test_notes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		bool two = notes[i].second.len > 0, ok;
		int to;

		(void)unlink(path());
		to = open(path(), O_CREAT | O_WRONLY, 0600);
		put(to, notes[i].first, notes[i].cut && !two);
		put(to, notes[i].second, notes[i].cut);
		close(to);
		ok = open_it(&file);
		ROW(ok && reached_from(r) == notes[i].from &&
			reached_end(r) == notes[i].end,
		    "%s: %d, from %u to %u", notes[i].what, ok,
		    ok ? (unsigned)reached_from(r) : 0,
		    ok ? (unsigned)reached_end(r) : 0);
		ok = open_it(&file);
		ROW(ok && reached_end(r) == notes[i].end, "%s: once more",
		    notes[i].what);
	}
	rows_done();
}

static void
test_planted(void **state)
{
	static plant_fn *const plants[] = { plant_fifo, plant_directory,
		plant_link, plant_hard_link };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plants); i++) {
		(void)unlink(path());
		plants[i](path());
		ROW(!open_it(&file) && err.rc == STS_LOCAL, "plant %zu", i);
		ROW(!reached_begun(fd, DAY) || plants[i] == plant_hard_link,
		    "plant %zu: begun", i);
		(void)rmdir(path());
	}
	(void)unlink(path());
	rows_done();
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return 1;
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	return fd == -1;
}

static int
tear_down(void **state)
{
	char command[sizeof dir + 16];

	(void)state;
	reached_close(r);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_planted),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
