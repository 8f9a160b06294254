/* SPDX-License-Identifier: ISC */
#include "machine_locks.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "row.h"

static char path[] = "/tmp/mtasts-lock.XXXXXX";
static int fd;

/* One of two processes has the lock; it goes with its holder. */
static void
test_domain(void **state)
{
	int p[2], status;
	pid_t pid;
	char c = 0;

	(void)state;
	assert_int_equal(pipe(p), 0);
	if ((pid = fork()) == 0) {
		c = lock_domain(fd, 7) ? 'y' : 'n';
		(void)!write(p[1], &c, 1);
		(void)pause();
	}
	(void)!read(p[0], &c, 1);
	ROW(c == 'y', "the first gets it");
	ROW(!lock_domain(fd, 7), "the second does not");
	ROW(lock_domain(fd, 8), "another domain is another lock");
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	ROW(lock_domain(fd, 7), "it went with its holder");
	unlock_domain(fd, 7);
	if ((pid = fork()) == 0)
		_exit(!lock_domain(fd, 7));
	(void)waitpid(pid, &status, 0);
	ROW(status == 0, "released");
	ROW(lock_domain(-1, 7), "no file, no lock");
	unlock_domain(fd, 8);
	rows_done();
}

enum { A = 1, B, C, LEAVE = 0x80 };

static pid_t children[100];
static int nchildren, told[2];

/* Another process for an owner: has it got a place?  It keeps it. */
static bool
works(uint64_t owner)
{
	struct work_place place;
	char c;
	pid_t pid;

	if ((pid = fork()) == 0) {
		c = take_work_place(fd, owner, &place) == WORK_PLACE_TAKEN;
		(void)!write(told[1], &c, 1);
		(void)pause();
	}
	children[nchildren++] = pid;
	(void)!read(told[0], &c, 1);
	return c;
}

static int
how_many(uint64_t owner, int tries)
{
	int n = 0;

	for (int i = 0; i < tries; i++)
		n += works(owner);
	return n;
}

/* Who floods gets half of what is free, and the next one half of the rest. */
static void
test_places(void **state)
{
	struct work_place place;
	int a, b, c, all;

	(void)state;
	assert_int_equal(pipe(told), 0);
	a = how_many(A, 20);
	b = how_many(B, 20);
	c = how_many(C, 20);
	ROW(a == 16 && b == 8 && c == 4, "%d, %d and %d", a, b, c);
	all = a + b + c;
	for (uint64_t owner = 4; owner < 20; owner++)
		all += works(owner);
	ROW(all == WORKERS_MAX, "%d in all", all);
	ROW(take_work_place(fd, A, &place) == WORK_PLACE_NONE,
	    "no more for who has some");
	ROW(take_work_place(fd, 99, &place) == WORK_PLACE_SOON,
	    "the next for who has none");
	for (int i = 0; i < nchildren; i++)
		(void)kill(children[i], SIGKILL);
	for (int i = 0; i < nchildren; i++)
		(void)waitpid(children[i], NULL, 0);
	nchildren = 0;
	ROW(take_work_place(fd, A, &place) == WORK_PLACE_TAKEN,
	    "they went with their holders");
	leave_work_place(fd, &place);
	a = how_many(A, 20);
	ROW(a == 16, "left again: %d", a);
	for (int i = 0; i < nchildren; i++)
		(void)kill(children[i], SIGKILL);
	ROW(take_work_place(-1, A, &place) == WORK_PLACE_TAKEN,
	    "no file, no bound");
	leave_work_place(-1, &place);
	rows_done();
}

static int
set_up(void **state)
{
	(void)state;
	return (fd = mkstemp(path)) == -1;
}

static int
tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
