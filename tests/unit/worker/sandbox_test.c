/* SPDX-License-Identifier: ISC */
/* What a worker cannot do once it is in its sandbox; each in a child. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "row.h"
#include "sandbox.h"

static char dir[] = "/tmp/mtasts-sandbox.XXXXXX";
static char spool[] = "/tmp/mtasts-sandbox.XXXXXX";

/* Each returns 0 where it could do what it tried. */
static int
write_inside(void)
{
	char path[100];
	int fd;

	snprintf(path, sizeof path, "%s/entry", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	return fd != -1 && write(fd, "x", 1) == 1 && unlink(path) == 0 ? 0 : 1;
}

static int
link_inside(void)
{
	char path[100];

	snprintf(path, sizeof path, "%s/link", dir);
	return symlink("x", path) == 0 && unlink(path) == 0 ? 0 : 1;
}

static int
write_spool(void)
{
	char path[100];
	int fd;

	snprintf(path, sizeof path, "%s/day", spool);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	return fd != -1 && write(fd, "x", 1) == 1 ? 0 : 1;
}

static int
unlink_spool(void)
{
	char path[100];

	snprintf(path, sizeof path, "%s/day", spool);
	return (mknod(path, S_IFREG | 0600, 0) == -1 && errno != EEXIST) ||
	    unlink(path) == -1;
}

static int
link_spool(void)
{
	char path[100];

	snprintf(path, sizeof path, "%s/link", spool);
	return symlink("x", path) == 0 && unlink(path) == 0 ? 0 : 1;
}

static int
read_outside(void)
{
	return open("/etc/passwd", O_RDONLY) == -1;
}

static int
write_outside(void)
{
	return open("/tmp/mtasts-outside", O_WRONLY | O_CREAT, 0600) == -1;
}

static int
link_outside(void)
{
	return symlink("x", "/tmp/mtasts-outside") == -1;
}

static int
run_program(void)
{
	char *const argv[] = { NULL };

	execve("/bin/true", argv, argv);
	return 1;
}

static int
trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1;
}

static int
new_namespace(void)
{
	return syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */) == -1;
}

static int
write_much(void)
{
	char path[100];
	int fd;

	snprintf(path, sizeof path, "%s/big", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	return ftruncate(fd, 2 << 20) == -1;
}

/* A probe, as far as the kernel lets it: nobody listens there. */
static int
connect_out(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(25),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return 1;
	return connect(fd, (struct sockaddr *)&to, sizeof to) == -1 &&
	    errno != EINPROGRESS && errno != ECONNREFUSED;
}

/* Is an address this machine's? */
static int
ask_kernel(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(25),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof to;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd == -1 || connect(fd, (struct sockaddr *)&to, len) == -1 ||
	    getsockname(fd, (struct sockaddr *)&to, &len) == -1 ||
	    to.sin_addr.s_addr != htonl(INADDR_LOOPBACK);
}

static const struct {
	const char *what;
	int (*try)(void);
	bool may;
} cases[] = {
	{ "write below the cache", write_inside, true },
	{ "link below the cache", link_inside, true },
	{ "write below the spool", write_spool, true },
	{ "remove what is there", unlink_spool, false },
	{ "link below the spool", link_spool, false },
	{ "read elsewhere", read_outside, true },
	{ "connect", connect_out, true },
	{ "ask for its own address", ask_kernel, true },
	{ "write elsewhere", write_outside, false },
	{ "link elsewhere", link_outside, false },
	{ "run a program", run_program, false },
	{ "trace", trace, false },
	{ "make a namespace", new_namespace, false },
	{ "write a large file", write_much, false },
};

/* 0: it could; else it could not, or died of trying. */
static int
attempt(int (*try)(void), bool boxed)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (boxed)
			sandbox(dir, try == write_much ? NULL : spool);
		_exit(try());
	}
	(void)waitpid(pid, &status, 0);
	return status;
}

static void
test_sandbox(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ROW((attempt(cases[i].try, true) == 0) == cases[i].may,
		    "in the sandbox: %s", cases[i].what);
		(void)unlink("/tmp/mtasts-outside");
		/* A trial that never works would prove nothing. */
		if (cases[i].try != trace && cases[i].try != new_namespace)
			ROW(attempt(cases[i].try, false) == 0,
			    "outside of it: %s", cases[i].what);
		(void)unlink("/tmp/mtasts-outside");
	}
	rows_done();
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL || mkdtemp(spool) == NULL;
}

static int
tear_down(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s %s", dir, spool);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sandbox),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
