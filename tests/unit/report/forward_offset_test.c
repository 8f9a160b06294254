/* SPDX-License-Identifier: ISC */
/* What has been handed over: kept over restarts, and never believed blindly. */
#include <stdlib.h>

#include "fixture.h"
#include "forward_offset.h"
#include "plant.h"
#include "row.h"

#define DAY "2026-11-24"
#define INODE "77"
#define NUMBER(n) "000000000000000000" #n " "
#define BLANKS_50 "                                                  "
#define BLANKS BLANKS_50 BLANKS_50 BLANKS_50 BLANKS_50 BLANKS_50

static int fd;
static const struct stat file = { .st_ino = 77, .st_size = 1000 };
static struct forward_offset *r;
static struct sts_err err;

static const char *
path(void)
{
	static char text[sizeof top + 32];

	snprintf(text, sizeof text, "%s/~forward-" DAY, top);
	return text;
}

static bool
open_it(const struct stat *st)
{
	forward_offset_close(r);
	return forward_offset_open(&r, fd, DAY, st, &err) == STS_OK;
}

static void
begin(void)
{
	forward_offset_close(r);
	r = NULL;
	(void)unlink(path());
	assert_true(open_it(&file));
}

static void
test_order(void **state)
{
	(void)state;
	begin();
	ROW(forward_offset_from(r) == 0 && forward_offset_end(r) == 0 &&
		!forward_offset_waits(r) &&
		!forward_offset_has(r, "a.example", 0) &&
		!forward_offset_begun(fd, DAY),
	    "nothing yet");
	ROW(forward_offset_pass(r, "a.example", 0, 10, &err) == STS_OK &&
		forward_offset_has(r, "a.example", 0) &&
		!forward_offset_has(r, "a.example", 10) &&
		forward_offset_begun(fd, DAY),
	    "one");
	ROW(forward_offset_wait(r, "b.example", 10, 20, &err) == STS_OK &&
		forward_offset_pass(r, "a.example", 20, 30, &err) == STS_OK &&
		forward_offset_wait(r, "b.example", 30, 40, &err) == STS_OK,
	    "another waits");
	ROW(open_it(&file) && forward_offset_end(r) == 40 &&
		forward_offset_from(r) == 10 && forward_offset_waits(r) &&
		forward_offset_has(r, "a.example", 20) &&
		!forward_offset_has(r, "b.example", 10) &&
		!forward_offset_has(r, "b.example", 30) &&
		forward_offset_has(r, "b.example", 0),
	    "all is there again");
	ROW(forward_offset_wait(r, "b.example", 10, 20, &err) == STS_OK &&
		forward_offset_settle(r, 1000, &err) == STS_OK &&
		open_it(&file) && forward_offset_from(r) == 10 &&
		forward_offset_end(r) == 1000,
	    "it waits again");
	ROW(forward_offset_pass(r, "b.example", 10, 20, &err) == STS_OK &&
		open_it(&file) && forward_offset_has(r, "b.example", 10) &&
		!forward_offset_has(r, "b.example", 30) &&
		forward_offset_from(r) == 20,
	    "its turn has come, and a crash between two of them");
	ROW(forward_offset_pass(r, "b.example", 30, 40, &err) == STS_OK &&
		forward_offset_settle(r, 1000, &err) == STS_OK &&
		open_it(&file) && !forward_offset_waits(r) &&
		forward_offset_from(r) == 1000,
	    "all done");
	forward_offset_forget(fd, DAY);
	ROW(!forward_offset_begun(fd, DAY), "forgotten");
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
	while (forward_offset_wait(r, name, n, n + 1, &err) == STS_OK &&
	    ++n < 1000);
	ROW(n == FORWARD_OFFSET_WAITING_MAX, "%u wait", n);
	ROW(forward_offset_end(r) == n && !forward_offset_has(r, name, n),
	    "who has no place is not passed over");
	snprintf(name, sizeof name, "%u.%0240u", 7u, 1u);
	ROW(open_it(&file) && !forward_offset_has(r, name, 7) &&
		forward_offset_pass(r, name, 7, 8, &err) == STS_OK,
	    "long names come back");
	ROW(forward_offset_settle(r, n, &err) == STS_OK &&
		!forward_offset_waits(r) &&
		forward_offset_wait(r, "a.example", n, n + 1, &err) == STS_OK,
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
		ROW(ok && forward_offset_from(r) == notes[i].from &&
			forward_offset_end(r) == notes[i].end,
		    "%s: %d, from %u to %u", notes[i].what, ok,
		    ok ? (unsigned)forward_offset_from(r) : 0,
		    ok ? (unsigned)forward_offset_end(r) : 0);
		ok = open_it(&file);
		ROW(ok && forward_offset_end(r) == notes[i].end,
		    "%s: once more", notes[i].what);
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
		ROW(!forward_offset_begun(fd, DAY) ||
			plants[i] == plant_hard_link,
		    "plant %zu: begun", i);
		(void)rmdir(path());
	}
	(void)unlink(path());
	rows_done();
}

static int
set_up(void **state)
{
	if (make_top(state) != 0)
		return 1;
	fd = open(top, O_RDONLY | O_DIRECTORY);
	return fd == -1;
}

static int
tear_down(void **state)
{
	forward_offset_close(r);
	return wipe_top(state);
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
