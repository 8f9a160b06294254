/* SPDX-License-Identifier: ISC */
/*
 * table-mtasts or filter-mtasts as smtpd sees them: a process on the other end
 * of a socket.  smtpd does not survive theirs, so most of these tests are about
 * what they must outlive.  A shell script stands in for the worker.
 */
#ifndef TESTS_UNIT_OPENSMTPD_PROGRAM_H
#define TESTS_UNIT_OPENSMTPD_PROGRAM_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "row.h"

#define PINNED "[domain \"pin.example\"]\nmx = mx1.pin.example\n"

static const char *program; /* that is tested */

/* --- A process and its socket -------------------------------------------- */

struct host {
	pid_t pid;
	int fd;
	bool imsg;
	char got[512 * 1024];
	size_t ngot;
};

static struct host host;

static inline void
start(const char *a1, const char *a2, bool imsg)
{
	int sv[2], null;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	host = (struct host){ .imsg = imsg };
	host.pid = fork();
	assert_int_not_equal(host.pid, -1);
	if (host.pid == 0) {
		/* As smtpd hands them on, 2.1 of its facts: ignored. */
		(void)signal(SIGPIPE, SIG_IGN);
		(void)signal(SIGCHLD, SIG_IGN);
		null = open("/dev/null", O_RDWR);
		dup2(sv[1], 0);
		dup2(imsg ? null : sv[1], 1);
		dup2(null, 2);
		closefrom(3);
		execl(program, program, a1, a2, (char *)NULL);
		_exit(99);
	}
	close(sv[1]);
	host.fd = sv[0];
}

static inline void
say(const void *p, size_t len)
{
	const char *c = p;
	ssize_t n;

	for (; len > 0; c += n, len -= (size_t)n)
		if ((n = send(host.fd, c, len, MSG_NOSIGNAL)) <= 0)
			fail_msg("the process does not read: %s",
			    strerror(errno));
}

static inline void
say_text(const char *s)
{
	say(s, strlen(s));
}

static inline int64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Read until there are want bytes, or ms have passed; all as a string. */
static inline const char *
hear_bytes(size_t want, int ms)
{
	int64_t end = now() + ms;
	struct pollfd p = { host.fd, POLLIN, 0 };
	ssize_t n;

	host.ngot = 0;
	while (host.ngot < want && now() < end) {
		if (poll(&p, 1, (int)(end - now())) <= 0)
			continue;
		n = read(host.fd, host.got + host.ngot,
		    sizeof host.got - 1 - host.ngot);
		if (n <= 0)
			break;
		host.ngot += (size_t)n;
	}
	host.got[host.ngot] = '\0';
	return host.got;
}

static inline void
expect(const char *what, const char *want)
{
	const char *got = hear_bytes(strlen(want), 5000);

	ROW(strcmp(got, want) == 0, "%s: '%s' for '%s'", what, got, want);
}

/* Nothing more is said, and the process lives. */
static inline void
expect_quiet(const char *what)
{
	const char *got = hear_bytes(1, 200);

	ROW(got[0] == '\0' && waitpid(host.pid, NULL, WNOHANG) == 0,
	    "%s: '%s', or it has ended", what, got);
}

/* The end of input is the one end, and a clean one. */
static inline void
finish(const char *what)
{
	int status = -1;
	pid_t got = 0;

	close(host.fd);
	for (int i = 0; i < 300 && got == 0; i++) {
		got = waitpid(host.pid, &status, WNOHANG);
		if (got == 0)
			usleep(10000);
	}
	ROW(got == host.pid && status == 0, "%s: ended with %d", what, status);
	if (got == 0) {
		kill(host.pid, SIGKILL);
		waitpid(host.pid, NULL, 0);
	}
}

/* --- Files --------------------------------------------------------------- */

static inline void
configure(const char *more)
{
	char text[900];

	snprintf(text, sizeof text,
	    "cache_dir = %s/cache\nworker_dir = %s\nfetch_timeout = 2s\n%s",
	    top, top, more);
	assert_true(write_text(top, "conf", 0644, text));
}

/* As if it were there for long: one just written is read once more, and brings
 * a new worker. */
static inline void
age_conf(void)
{
	const struct timespec t[2] = { { time(NULL) - 60, 0 },
		{ time(NULL) - 60, 0 } };

	assert_int_equal(utimensat(AT_FDCWD, in_top("conf"), t, 0), 0);
}

static inline void
worker(const char *script)
{
	char text[1000];

	snprintf(text, sizeof text,
	    "#!/bin/sh\necho $$ >> %s/cache/~started\n%s\n", top, script);
	assert_true(fake_worker(top, text));
}

static inline int
set_up(void **state)
{
	if (make_top(state) != 0)
		return -1;
	assert_true(own(in_top("cache")));
	worker("exit 0");
	return 0;
}

/* How many workers were started; the pid of the last one. */
static inline unsigned
started(pid_t *last)
{
	FILE *f = fopen(in_top("cache/~started"), "r");
	char line[40];
	uint64_t pid;
	unsigned n = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		n++;
		if (last != NULL && str_u64(str_of(line), 1 << 30, &pid))
			*last = (pid_t)pid;
	}
	if (f != NULL)
		fclose(f);
	return n;
}

/* Init may be slow to reap it. */
static inline bool
lives(pid_t pid)
{
	char path[60], c;
	int fd;
	bool yes;

	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	if ((fd = open(path, O_RDONLY)) == -1)
		return false;
	yes = read(fd, &c, 1) == 1;
	close(fd);
	return yes;
}

#endif
