/* SPDX-License-Identifier: ISC */
/*
 * The worker's birth, with a shell in the worker's place that tells what it
 * finds around itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "query/host_tls.h"
#include "query/spawn.h"
#include "query/worker_protocol.h"
#include "row.h"

#define NOBODY 65534

static char text[4000];

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* All that comes until the end, or for ms; then the socket is closed. */
static const char *
read_all(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int64_t end = now_ms() + ms, left;
	size_t used = 0;
	ssize_t n = 1;

	while (n != 0 && (left = end - now_ms()) > 0) {
		if (poll(&pfd, 1, (int)left) <= 0)
			continue;
		n = read(fd, text + used, sizeof text - 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	text[used] = '\0';
	return text;
}

/* What the script wrote. */
static const char *
run(const char *script)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	struct sts_spawn sp = { argv, NOBODY, NOBODY };
	struct sts_err err = { 0 };
	int fd;

	if (sts_spawn_start(&sp, &fd, &err) != STS_OK) {
		snprintf(text, sizeof text, "%s", err.text);
		return text;
	}
	read_all(fd, 10000);
	if (text[0] != '\0' && text[strlen(text) - 1] == '\n')
		text[strlen(text) - 1] = '\0';
	return text;
}

/* The number that the script wrote; -1: none. */
static int64_t
run_number(const char *script)
{
	uint64_t n;

	return str_u64(str_of(run(script)), 1 << 30, &n) ? (int64_t)n : -1;
}

static void
noisy(int sig)
{
	(void)sig;
}

static void
test_surroundings(void **state)
{
	static const struct {
		const char *what, *script, *want;
	} t[] = {
		{ "environment", "cat /proc/$$/environ | tr -d '\\0'", "" },
		{ "directory", "pwd", "/" },
		{ "umask", "umask", "0077" },
		{ "descriptor 2", "readlink /proc/$$/fd/2", "/dev/null" },
		{ "signals blocked, ignored", /* while the shell runs nothing */
		    "while read -r k v; do case $k in SigBlk:|SigIgn:) "
		    "echo $v ;; esac; done < /proc/$$/status",
		    "0000000000000000\n0000000000000000" },
	};
	const char *got;

	(void)state;
	/* A host with odd habits. */
	(void)setenv("LD_PRELOAD", "", 1);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGUSR1, noisy);
	(void)umask(0);
	(void)dup2(1, 77);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		got = run(t[i].script);
		ROW(strcmp(got, t[i].want) == 0, "%s: '%s'", t[i].what, got);
	}
	(void)signal(SIGTERM, SIG_DFL);
	ROW(run_number("ls /proc/$$/fd | wc -l") <=
		5, /* 0 to 2, ls's and a spare one */
	    "descriptors: %s", text);
	ROW(run_number("cut -d' ' -f4 /proc/$$/stat") != getpid(),
	    "the host is its parent");
	ROW(run_number("cut -d' ' -f6 /proc/$$/stat") != getsid(0),
	    "the host's session is its own");
	ROW(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD,
	    "a child was left to the host");
	rows_done();
}

static void
test_privilege(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("left out: needs root\n");
		return;
	}
	ROW(strcmp(run("id -u; id -g; id -G"), "65534\n65534\n65534") == 0,
	    "ids: %s", text);
	ROW(strcmp(run("grep -E '^(Uid|Gid):' /proc/$$/status | "
		       "tr -s '\\t' ' '"),
		"Uid: 65534 65534 65534 65534\n"
		"Gid: 65534 65534 65534 65534") == 0,
	    "all four of them");
	ROW(strcmp(run("grep CapEff /proc/$$/status | tr -d '\\t'"),
		"CapEff:0000000000000000") == 0,
	    "capabilities");
	rows_done();
}

static void
test_failures(void **state)
{
	const char *argv[] = { "/nonexistent/worker", NULL };
	struct sts_spawn sp = { argv, NOBODY, NOBODY };
	int fd;

	(void)state;
	ROW(sts_spawn_start(&sp, &fd, NULL) == STS_OK, "starts");
	ROW(strncmp(read_all(fd, 10000),
		STS_WORKER_VERSION "fault cannot start /nonexistent/worker",
		strlen(STS_WORKER_VERSION) + 38) == 0,
	    "a missing worker says so");
	if (geteuid() == 0) {
		sp.uid = sp.gid = 0;
		(void)sts_spawn_start(&sp, &fd, NULL);
		ROW(strstr(read_all(fd, 10000), "dropping") != NULL,
		    "a worker of root's does not start");
	}
	rows_done();
}

/* Exim's output may be a pipe: it must end with Exim, not with the worker. */
static void
test_detached(void **state)
{
	const char *argv[] = { "/bin/sleep", "4", NULL };
	struct sts_spawn sp = { argv, NOBODY, NOBODY };
	int64_t took = now_ms();
	int p[2];
	char c;
	pid_t pid;
	int fd;

	(void)state;
	assert_int_equal(pipe(p), 0);
	if ((pid = fork()) == 0) {
		(void)dup2(p[1], 1);
		close(p[0]);
		close(p[1]);
		(void)sts_spawn_start(&sp, &fd, NULL);
		_exit(0);
	}
	close(p[1]);
	ROW(read(p[0], &c, 1) == 0, "end of file");
	took = now_ms() - took;
	ROW(took < 2000, "after %lld ms", (long long)took);
	close(p[0]);
	(void)waitpid(pid, NULL, 0);
	rows_done();
}

static void
test_flavour(void **state)
{
	(void)state;
	/* This program speaks no TLS; Exim's own is asked in tests/world. */
	ROW(sts_flavour_of_host() == STS_FLAVOUR_AUTO, "no TLS here");
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_privilege),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_detached),
		cmocka_unit_test(test_flavour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
