/* SPDX-License-Identifier: ISC */
/* What has been handed over: kept over restarts, and never believed blindly. */
#include <stdlib.h>

#include "fixture.h"
#include "forward_offset.h"
#include "plant.h"
#include "row.h"

#define DAY "2026-11-24"
#define NUMBER(n) "000000000000000000" #n
#define HEAD "mtasts-forward1 " NUMBER(77) " "
#define FIRST HEAD NUMBER(40) "\n"

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

static bool
wait_for(const char *domain, uint64_t offset, uint64_t next)
{
	struct forward_waiting w = { .offset = offset, .time = 1234567890 };

	snprintf(w.domain, sizeof w.domain, "%s", domain);
	return forward_offset_wait(r, &w, next, &err) == STS_OK;
}

static bool
pass(uint64_t next)
{
	return forward_offset_pass(r, next, &err) == STS_OK;
}

/* "END: DOMAIN@OFFSET ..." of what waits. */
static const char *
shown(void)
{
	static char out[600];
	struct forward_waiting w;
	size_t n = (size_t)snprintf(out, sizeof out,
	    "%u:", (unsigned)forward_offset_end(r));

	for (size_t i = 0; i < forward_offset_count(r); i++)
		if (forward_offset_waiting(r, i, &w) && n < 500)
			n += (size_t)snprintf(out + n, sizeof out - n,
			    " %.40s@%u", w.domain, (unsigned)w.offset);
	return out;
}

static void
test_order(void **state)
{
	struct forward_waiting w;

	(void)state;
	begin();
	ROW(strcmp(shown(), "0:") == 0 && !forward_offset_waits(r) &&
		forward_offset_begun(fd, DAY, NULL) == STS_ABSENT,
	    "nothing yet");
	ROW(pass(10) && forward_offset_begun(fd, DAY, NULL) == STS_OK, "one");
	ROW(wait_for("b.example", 10, 20) && pass(30) &&
		wait_for("c.example", 30, 40) && forward_offset_waits(r) &&
		strcmp(shown(), "40:") == 0,
	    "two wait");
	ROW(open_it(&file) && forward_offset_waits(r) &&
		strcmp(shown(), "40: b.example@10 c.example@30") == 0 &&
		forward_offset_waiting(r, 0, &w) && w.time == 1234567890,
	    "all is there again: %s", shown());
	ROW(pass(20) && forward_offset_end(r) == 40, "never back");
	ROW(forward_offset_done(r, 0, &err) == STS_OK &&
		strcmp(shown(), "40: c.example@30") == 0 &&
		wait_for("d.example", 40, 50) && open_it(&file) &&
		strcmp(shown(), "50: c.example@30 d.example@40") == 0,
	    "one done, one new: %s", shown());
	ROW(forward_offset_done(r, 1, &err) == STS_OK &&
		forward_offset_done(r, 2, &err) == STS_OK &&
		!forward_offset_waits(r) && open_it(&file) &&
		forward_offset_count(r) == 0 && strcmp(shown(), "50:") == 0,
	    "all done, and the file short again: %s", shown());
	ROW(pass(1000) && wait_for("e.example", 1000, 1010) && open_it(&file) &&
		strcmp(shown(), "1000:") == 0,
	    "the file of the day has lost its end: %s", shown());
	forward_offset_forget(fd, DAY);
	ROW(forward_offset_begun(fd, DAY, NULL) == STS_ABSENT, "forgotten");
	rows_done();
}

/* Long names, and those that are done in the midst of others. */
static void
test_many(void **state)
{
	char name[STS_NAME_SIZE];
	struct forward_waiting w;
	struct stat st;
	const char *odd = "";

	(void)state;
	begin();
	for (unsigned i = 0; i < 900; i++) {
		snprintf(name, sizeof name, "%03u.%060u.%060u.%060u.%060u", i,
		    1u, 1u, 1u, 1u);
		assert_true(wait_for(name, i, i + 1));
	}
	for (unsigned round = 0; round < 3; round++) {
		assert_true(open_it(&file));
		for (size_t i = 0; i < forward_offset_count(r); i++) {
			if (!forward_offset_waiting(r, i, &w))
				continue;
			snprintf(name, sizeof name, "%03u.",
			    (unsigned)w.offset);
			if (strncmp(w.domain, name, 4) != 0 ||
			    strlen(w.domain) != 247)
				odd = "another domain";
			if (w.offset % 10 >= 8 - 3 * round)
				assert_int_equal(forward_offset_done(r, i,
						     &err),
				    STS_OK);
		}
	}
	assert_true(open_it(&file) && stat(path(), &st) == 0);
	ROW(odd[0] == '\0' && forward_offset_count(r) == 180 &&
		st.st_size < 180 * 300,
	    "%s: %zu lines, %u bytes", odd, forward_offset_count(r),
	    (unsigned)st.st_size);
	rows_done();
}

/* What lies there, and what is made of it. */
static const struct {
	const char *what;
	struct sts_str text;
	const char *want;
} notes[] = {
	{ "as written", LIT(FIRST "w 30 9 b.example\nx 31 9 c.example\n"),
	    "40: b.example@30" },
	{ "empty", LIT(""), "0:" },
	{ "another file",
	    LIT("mtasts-forward1 " NUMBER(78) " " NUMBER(40) "\nw 3 9 b.c\n"),
	    "0:" },
	{ "another version",
	    LIT("mtasts-forward2 " NUMBER(77) " " NUMBER(40) "\n"), "0:" },
	{ "behind the end of the day's file",
	    LIT(HEAD "00000000000000001001\nw 1000 9 b.c\n"), "1000:" },
	{ "the end itself", LIT(HEAD "00000000000000001000\nw 999 9 b.c\n"),
	    "1000: b.c@999" },
	{ "no number", LIT(HEAD "0000000000000000004x\n"), "0:" },
	{ "more than 64 bits", LIT(HEAD "99999999999999999999\n"), "0:" },
	{ "a number too short", LIT(HEAD "0000000000000000040\n\n"), "0:" },
	{ "torn in the first", LIT(HEAD NUMBER(40)), "0:" },
	{ "torn in the second", LIT(FIRST "w 3 9 b.c"), "40:" },
	{ "a session that has not been passed",
	    LIT(FIRST "w 3 9 b.c\nw 40 9 d.e\nw 5 9 f.g\n"), "40: b.c@3" },
	{ "damage in the midst", LIT(FIRST "w 3 9 b.c\nw 4 9\nw 5 9 f.g\n"),
	    "40: b.c@3 f.g@5" },
	{ "a NUL in a name", LIT(FIRST "w 3 9 b\0c\n"), "40:" },
	{ "a blank in a name", LIT(FIRST "w 3 9 b c\n"), "40:" },
	{ "no name", LIT(FIRST "w 3 9 \n"), "40:" },
	{ "no state", LIT(FIRST "3 9 b.c\ny 3 9 b.c\n"), "40:" },
	{ "a time that is none",
	    LIT(FIRST "w 3 9223372036854775808 b.c\nw 3 -1 b.c\nw 3  b.c\n"),
	    "40:" },
	{ "an empty line", LIT(FIRST "\n\nw 3 9 b.c\n"), "40: b.c@3" },
};

static void
test_notes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		struct sts_str text = notes[i].text;
		int to;

		(void)unlink(path());
		to = open(path(), O_CREAT | O_WRONLY, 0600);
		assert_true(write(to, text.p, text.len) == (ssize_t)text.len);
		close(to);
		ROW(open_it(&file) && strcmp(shown(), notes[i].want) == 0,
		    "%s: %s", notes[i].what, shown());
		ROW(wait_for("z.example", forward_offset_end(r), 1001) &&
			open_it(
			    &(struct stat){ .st_ino = 77, .st_size = 2000 }) &&
			strstr(shown(), "z.example@") != NULL &&
			forward_offset_end(r) == 1001,
		    "%s, and one more: %s", notes[i].what, shown());
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
		ROW(forward_offset_begun(fd, DAY, NULL) != STS_OK ||
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
