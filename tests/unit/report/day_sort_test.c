/* SPDX-License-Identifier: ISC */
/* The real sort(1), with whatever a damaged spool may hold. */
#include "day_sort.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "row.h"

static char dir[] = "/tmp/mtasts-sort.XXXXXX";
static struct sts_err err;

static struct day_sort *
begin(uint64_t size)
{
	struct day_sort *s;

	if (day_sort_start(&s, dir, size, &err) != STS_OK)
		fail_msg("%s", err.text);
	return s;
}

static void
put(struct day_sort *s, struct sts_str line)
{
	if (day_sort_put(s, line.p, line.len, &err) != STS_OK)
		fail_msg("%s", err.text);
}

static bool
next_is(struct day_sort *s, struct sts_str want)
{
	char *line;
	size_t len;

	return day_sort_next(s, &line, &len, &err) == STS_OK &&
	    len == want.len && memcmp(line, want.p, len) == 0;
}

static bool
ends(struct day_sort *s)
{
	char *line;
	size_t len;

	return day_sort_next(s, &line, &len, &err) == STS_ABSENT;
}

static unsigned
files(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* As they are put in, and the place at which they come out. */
static const struct {
	struct sts_str line;
	unsigned place;
} lines[] = {
	{ LIT("2\t9\tb.example\tz"), 5 },
	{ LIT("2\t8\tb.example\ta"), 6 }, /* in the order of the day */
	{ LIT("2\t7\tb.example.com\ta"), 7 },
	{ LIT("2\t6\tb-1.example\ta"), 4 }, /* no locale: "-" counts */
	{ LIT("2\t5\ta.example\t\0x\ty"), 2 },
	{ LIT("2\t4\ta.example"), 3 },
	{ LIT("garbage"), 0 },
	{ LIT("\xff\xfe\t\x80"), 1 },
	{ LIT("2\t3\t\xc3\xa9.example\t%"), 8 },
};

static void
test_order(void **state)
{
	(void)state;
	setenv("LC_ALL", "en_US.UTF-8", 1);
	for (unsigned large = 0; large < 2; large++) {
		struct day_sort *s = begin(large ? 17 << 20 : 0);

		ROW(files() == large, "a directory of its own, if it is large");
		for (size_t i = 0; i < ARRAY_LEN(lines); i++)
			put(s, lines[i].line);
		for (unsigned k = 0; k < ARRAY_LEN(lines); k++)
			for (size_t i = 0; i < ARRAY_LEN(lines); i++)
				if (lines[i].place == k)
					ROW(next_is(s, lines[i].line),
					    "%zu comes at place %u", i, k);
		ROW(ends(s), "the end: %s", err.text);
		day_sort_close(s);
		ROW(files() == 0, "nothing is left");
	}
	rows_done();
}

static void
test_none(void **state)
{
	struct day_sort *s = begin(0);

	(void)state;
	ROW(ends(s), "no lines: %s", err.text);
	day_sort_close(s);
	day_sort_close(NULL);
	rows_done();
}

/* Given up in the middle: neither a process nor a file stays. */
static void
test_given_up(void **state)
{
	static char line[200];
	struct day_sort *s = begin(1 << 30);
	char *p;
	size_t len;

	(void)state;
	memset(line, 'x', sizeof line);
	for (unsigned i = 0; i < 400000; i++) {
		snprintf(line, sizeof line, "2\t1\td%u.example\t", i % 1000);
		line[strlen(line)] = 'x';
		put(s, (struct sts_str){ line, sizeof line });
	}
	day_sort_close(s);
	ROW(files() == 0, "before the end of its input");
	s = begin(1 << 30);
	for (unsigned i = 0; i < 400000; i++)
		put(s, (struct sts_str){ line, sizeof line });
	ROW(day_sort_next(s, &p, &len, &err) == STS_OK, "%s", err.text);
	day_sort_close(s);
	ROW(files() == 0, "in its output");
	rows_done();
}

/* What a machine that went down has left. */
static void
test_left_over(void **state)
{
	char path[sizeof dir + 40];
	struct day_sort *s;
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/~sort-left", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/~sort-left/sortabc", dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof path, "%s/~sort-used", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	s = begin(1 << 30);
	ROW(files() == 2, "its own, and one that another has");
	day_sort_close(s);
	close(fd);
	s = begin(1 << 30);
	day_sort_close(s);
	ROW(files() == 0, "and then that, too");
	rows_done();
}

static void
test_room(void **state)
{
	struct day_sort *s;

	(void)state;
	ROW(day_sort_start(&s, dir, UINT64_MAX, &err) == STS_LOCAL &&
		strstr(err.text, "MiB are free") != NULL && s == NULL,
	    "no room: %s", err.text);
	ROW(day_sort_start(&s, "/nonexistent", 1 << 30, &err) == STS_LOCAL,
	    "no directory: %s", err.text);
	ROW(files() == 0, "nothing is left");
	rows_done();
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_left_over),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
