/* SPDX-License-Identifier: ISC */
/*
 * roundtrip N DOMAINS PROGRAM [ARG [wait]]: ask a table N times as smtpd does,
 * one thing at a time, for d0.test to d(DOMAINS-1).test in no order.  Prints
 * the microseconds of one, how many were known, and the table's KB of memory.
 * PROGRAM "echo" is a child that sends back what it reads; "wait": it is the
 * table of what is not known, which finds none of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/scan.h"

static char got[4096];

static void
echo(void)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(0, buf, sizeof buf)) > 0)
		if (write(1, buf, (size_t)n) != n)
			break;
	_exit(0);
}

static void
hear(int fd, const char *end)
{
	size_t n = 0;
	ssize_t r;

	do {
		r = read(fd, got + n, sizeof got - 1 - n);
		if (r <= 0)
			exit(1);
		n += (size_t)r;
		got[n] = '\0';
	} while (strstr(got, end) == NULL);
}

static void
say(int fd, const char *text)
{
	size_t len = strlen(text);

	if (write(fd, text, len) != (ssize_t)len)
		exit(1);
}

/* Its leading digits. */
static unsigned long
number(const char *s)
{
	struct scan in = scan_str(str_of(s));
	uint64_t n = 0;

	(void)str_u64(scan_while(&in, is_digit), UINT32_MAX, &n);
	return (unsigned long)n;
}

static unsigned long
resident(pid_t pid)
{
	char path[64], line[200];
	FILE *f;
	unsigned long kb = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		return 0;
	while (fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kb = number(line + 6 + strspn(line + 6, " \t"));
	fclose(f);
	return kb;
}

int
main(int argc, char *argv[])
{
	unsigned long n = argc < 4 ? 0 : number(argv[1]);
	unsigned long domains = argc < 4 ? 0 : number(argv[2]);
	bool wait = argc > 5 && strcmp(argv[5], "wait") == 0;
	const char *known = wait ? "|not-found\n" : "|found\n";
	unsigned long found = 0, at = 0;
	struct timespec a, b;
	char line[200];
	int sv[2];
	pid_t pid;

	if (n == 0 || domains == 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1 ||
	    (pid = fork()) == -1)
		return 2;
	if (pid == 0) {
		dup2(sv[1], 0);
		dup2(sv[1], 1);
		closefrom(3);
		if (strcmp(argv[3], "echo") == 0)
			echo();
		execl(argv[3], argv[3], argv[4], (char *)NULL);
		_exit(127);
	}
	close(sv[1]);
	say(sv[0], wait ? "config|tablename|mtasts-wait\n" : "");
	say(sv[0], "config|protocol|0.1\nconfig|ready\n");
	hear(sv[0], "ready\n");
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned long i = 0; i < n; i++) {
		at = (at + 7919) % domains; /* a prime: comes by all */
		snprintf(line, sizeof line,
		    "table|0.1|1795450922.954677|sts|check|domain|%08lx|"
		    "d%lu.test\n",
		    i, at);
		say(sv[0], line);
		hear(sv[0], "\n");
		found += strstr(got, known) != NULL;
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.3f %lu %lu\n",
	    ((double)(b.tv_sec - a.tv_sec) * 1e9 +
		(double)(b.tv_nsec - a.tv_nsec)) /
		1e3 / (double)n,
	    found, resident(pid));
	close(sv[0]);
	waitpid(pid, NULL, 0);
	return 0;
}
