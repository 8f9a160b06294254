/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd_io.h"
#include "row.h"

enum { MANY = 1 << 20 };

static char out[MANY], in[MANY];

static void
tick(int sig)
{
	(void)sig;
}

/* A signal each so many microseconds, none of which restarts a call; 0: no
 * more. */
static void
interrupt(long us)
{
	const struct sigaction action = { .sa_handler = tick };
	const struct itimerval every = { { 0, us }, { 0, us } };

	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
}

/* First one side waits, for the pipe is empty, then the other: it is full. */
static void
test_signals(void **state)
{
	int fd[2], status = 0;
	size_t len;
	pid_t pid;
	bool good;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		out[i] = (char)(i * 31);
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fd[0]);
		usleep(20000);
		interrupt(1000);
		_exit(sts_write_all(fd[1], out, MANY) ? 0 : 1);
	}
	close(fd[1]);
	interrupt(1000);
	good = sts_read_all(fd[0], in, 1, &len) && len == 1;
	interrupt(0);
	usleep(20000);
	good = sts_read_all(fd[0], in + 1, MANY - 1, &len) && good;
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	close(fd[0]);
	ROW(good && len == MANY - 1 && memcmp(in, out, MANY) == 0, "read");
	ROW(WIFEXITED(status) && WEXITSTATUS(status) == 0, "written");
	rows_done();
}

static void
test_ends(void **state)
{
	char buf[8];
	size_t len = 9;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	ROW(sts_write_all(fd[1], "abc", 3), "three bytes");
	ROW(sts_write_all(fd[1], NULL, 0), "nothing");
	close(fd[1]);
	ROW(sts_read_all(fd[0], buf, sizeof buf, &len) && len == 3 &&
		memcmp(buf, "abc", 3) == 0,
	    "the end before the buffer is full");
	ROW(sts_read_all(fd[0], buf, sizeof buf, &len) && len == 0, "no more");
	close(fd[0]);
	rows_done();
}

static void
test_faults(void **state)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY);
	int full = open("/dev/full", O_WRONLY);
	char buf[8];
	size_t len;

	(void)state;
	ROW(!sts_read_all(dir, buf, sizeof buf, &len) && errno == EISDIR,
	    "a directory");
	if (full != -1)
		ROW(!sts_write_all(full, "x", 1) && errno == ENOSPC,
		    "a full disk");
	close(dir);
	close(full);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
