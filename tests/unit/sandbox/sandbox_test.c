/* SPDX-License-Identifier: ISC */
/*
 * What a sandbox must still permit, and what is decided by its plan.  What it
 * must refuse whatever the plan is tried by the worker itself, --sandbox-test.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "row.h"
#include "sandbox/sandbox.h"

static char dir[] = "/tmp/mtasts-sandbox.XXXXXX";
static char spool[] = "/tmp/mtasts-sandbox.XXXXXX";
static char certs[] = "/tmp/mtasts-sandbox.XXXXXX";
static char elsewhere[] = "/tmp/mtasts-sandbox.XXXXXX";

static const char *
in(const char *folder, const char *name)
{
	static char path[4][100];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", folder, name);
	return p;
}

static bool
writes(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	bool done = fd != -1 && write(fd, "x", 1) == 1;

	if (fd != -1)
		close(fd);
	return done;
}

static bool
reads(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

/* Each returns whether it could do what it tried. */
static bool
write_inside(void)
{
	return writes(in(dir, "entry"), O_WRONLY | O_CREAT) &&
	    renameat(AT_FDCWD, in(dir, "entry"), AT_FDCWD, in(dir, "e2")) ==
	    0 &&
	    reads(in(dir, "e2")) && unlinkat(AT_FDCWD, in(dir, "e2"), 0) == 0;
}

static bool
dir_inside(void)
{
	return mkdirat(AT_FDCWD, in(dir, "ab"), 0700) == 0 &&
	    writes(in(dir, "ab/x"), O_WRONLY | O_CREAT);
}

static bool
link_inside(void)
{
	return symlinkat("x", AT_FDCWD, in(dir, "link")) == 0 &&
	    unlinkat(AT_FDCWD, in(dir, "link"), 0) == 0;
}

/* The count of units, and a mark. */
static bool
cut_inside(void)
{
	int fd = open(in(dir, "size"), O_WRONLY | O_CREAT, 0600);

	return ftruncate(fd, 100) == 0 && futimens(fd, NULL) == 0 &&
	    fchmod(fd, 0640) == 0;
}

static bool
lock_inside(void)
{
	struct flock fl = { .l_type = F_WRLCK, .l_len = 1 };
	int fd = open(in(dir, "lock"), O_RDWR | O_CREAT, 0600);

	return fcntl(fd, F_SETLK, &fl) == 0 && fcntl(fd, F_GETLK, &fl) == 0;
}

static bool
is_setuid(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & S_ISUID) != 0;
}

static bool
make_setuid(void)
{
	int fd = open(in(dir, "program"), O_WRONLY | O_CREAT | O_EXCL, 04711);
	bool made = fd != -1 && is_setuid(in(dir, "program"));

	(void)unlinkat(AT_FDCWD, in(dir, "program"), 0);
	return made;
}

static bool
become_setuid(void)
{
	int fd = open(in(dir, "program"), O_WRONLY | O_CREAT | O_EXCL, 0700);
	bool made = fchmod(fd, 04711) == 0 && is_setuid(in(dir, "program"));

	(void)unlinkat(AT_FDCWD, in(dir, "program"), 0);
	return made;
}

static bool
read_cache(void)
{
	return reads(in(dir, "policy"));
}

static bool
write_policy(void)
{
	return writes(in(dir, "policy"), O_WRONLY);
}

static bool
replace_policy(void)
{
	return unlinkat(AT_FDCWD, in(dir, "policy"), 0) == 0 &&
	    writes(in(dir, "policy"), O_WRONLY | O_CREAT);
}

static bool
write_spool(void)
{
	return writes(in(spool, "day"), O_RDWR | O_CREAT | O_APPEND);
}

static bool
unlink_spool(void)
{
	(void)write_spool();
	return unlinkat(AT_FDCWD, in(spool, "day"), 0) == 0;
}

static bool
link_spool(void)
{
	return symlinkat("x", AT_FDCWD, in(spool, "link")) == 0;
}

static bool
read_ca(void)
{
	return reads(in(certs, "0.pem"));
}

static bool
read_linked_ca(void)
{
	return reads(in(certs, "1.pem"));
}

static bool
read_beside_ca(void)
{
	return reads(in(elsewhere, "other"));
}

static bool
write_ca(void)
{
	return writes(in(certs, "0.pem"), O_WRONLY);
}

static bool
write_much(void)
{
	int fd = open(in(dir, "big"), O_WRONLY | O_CREAT, 0600);

	return ftruncate(fd, 2 << 20) == 0;
}

#ifndef __SANITIZE_ADDRESS__
static bool
map_much(void)
{
	void *p = malloc((size_t)300 << 20);

	free(p);
	return p != NULL;
}
#endif

static bool
connect_to(unsigned short port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	return fd != -1 &&
	    (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ||
		errno == EINPROGRESS || errno == ECONNREFUSED);
}

static bool
connect_smtp(void)
{
	return connect_to(25);
}

static bool
connect_resolver(void)
{
	return connect_to(5353);
}

static bool
connect_other(void)
{
	return connect_to(5354);
}

/* Is an address this machine's? */
static bool
ask_kernel(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(25),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof to;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd != -1 && connect(fd, (struct sockaddr *)&to, len) == 0 &&
	    getsockname(fd, (struct sockaddr *)&to, &len) == 0 &&
	    to.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

static const struct {
	const char *what;
	bool (*could)(void);
	bool cache, spool_all, may;
	int abi; /* of landlock, where a lower one cannot refuse it */
} cases[] = {
	{ "write, rename, remove below the cache", write_inside, true, false,
	    true, 0 },
	{ "directories below the cache", dir_inside, true, false, true, 0 },
	{ "link below the cache", link_inside, true, false, true, 0 },
	{ "cut, and set times and mode", cut_inside, true, false, true, 0 },
	{ "lock", lock_inside, true, false, true, 0 },
	{ "make a program that runs as another user", make_setuid, true, false,
	    false, 0 },
	{ "make one of a file", become_setuid, true, false, false, 0 },
	{ "write below the cache where there is none", write_inside, false,
	    false, false, 1 },
	{ "write below the spool", write_spool, true, false, true, 0 },
	{ "remove from the spool", unlink_spool, true, false, false, 1 },
	{ "remove from the spool as the reports do", unlink_spool, true, true,
	    true, 0 },
	{ "link below the spool", link_spool, true, true, false, 1 },
	{ "read the cache as the reports do", read_cache, true, true, true, 0 },
	{ "write a policy as the reports do", write_policy, true, true, false,
	    1 },
	{ "replace a policy as the reports do", replace_policy, true, true,
	    false, 1 },
	{ "read a CA", read_ca, true, false, true, 0 },
	{ "read a CA that a link leads to", read_linked_ca, true, false, true,
	    0 },
	{ "read a file beside that", read_beside_ca, true, false, false, 1 },
	{ "write a CA", write_ca, true, false, false, 1 },
	{ "write a large file", write_much, true, false, false, 0 },
#ifndef __SANITIZE_ADDRESS__
	{ "much memory", map_much, true, false, false, 0 },
#endif
	{ "connect to port 25", connect_smtp, true, false, true, 0 },
	{ "connect to the resolver's port", connect_resolver, true, false, true,
	    0 },
	{ "connect to another port", connect_other, true, false, false, 4 },
	{ "ask for its own address", ask_kernel, true, false, true, 0 },
};

/* 0: it could; 1: it could not. */
static int
attempt(size_t i, bool boxed, int *abi)
{
	struct sts_conf conf = { .nserver = 1,
		.server[0].port = 5353,
		.ca_path = certs };
	struct sandbox_plan plan = { .conf = &conf,
		.cache_dir = cases[i].cache ? dir : NULL,
		.cache_read = cases[i].spool_all,
		.spool_dir = spool,
		.spool = cases[i].spool_all ? SANDBOX_SPOOL_ALL
					    : SANDBOX_SPOOL_APPEND,
		.memory = 256 << 20,
		.file_size = 1 << 20,
		.abi = SANDBOX_ABI_ANY };
	struct sandbox box = { 0 };
	int status, p[2];
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	if ((pid = fork()) == 0) {
		if (boxed)
			sandbox_enter(&box, &plan);
		if (write(p[1], &box.abi, sizeof box.abi) == -1)
			_exit(2);
		_exit(!cases[i].could());
	}
	assert_int_equal(read(p[0], abi, sizeof *abi), sizeof *abi);
	close(p[0]);
	close(p[1]);
	(void)waitpid(pid, &status, 0);
	return status;
}

static void
clean_up(void)
{
	(void)unlink(in(dir, "ab/x"));
	(void)rmdir(in(dir, "ab"));
	(void)unlink(in(spool, "link"));
}

static void
test_sandbox(void **state)
{
	int abi;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int inside = attempt(i, true, &abi);

		ROW((inside == 0) == cases[i].may || abi < cases[i].abi,
		    "in the sandbox: %s (%d)", cases[i].what, inside);
		clean_up();
		/* A trial that never works would prove nothing. */
		ROW(attempt(i, false, &abi) == 0, "outside of it: %s",
		    cases[i].what);
		clean_up();
	}
	rows_done();
}

/* The file's inode has the rule; a new one under its name is out of reach. */
static void
test_outdated(void **state)
{
	struct sts_conf conf = { .ca_file = in(elsewhere, "ca") };
	struct sandbox_plan plan = { .conf = &conf, .abi = SANDBOX_ABI_ANY };
	struct sandbox box;
	int status;
	pid_t pid;

	(void)state;
	if ((pid = fork()) == 0) {
		int p[2];
		char c;

		/* The one that replaces it stays outside. */
		if (pipe(p) == -1)
			_exit(5);
		if ((pid = fork()) == 0) {
			if (read(p[0], &c, 1) != 1)
				_exit(1);
			_exit(rename(in(elsewhere, "new"),
				  in(elsewhere, "ca")) != 0);
		}
		sandbox_enter(&box, &plan);
		if (sandbox_outdated(&box))
			_exit(2);
		if (write(p[1], "x", 1) != 1)
			_exit(5);
		for (int i = 0; i < 2000 && !sandbox_outdated(&box); i++)
			usleep(10000);
		_exit(sandbox_outdated(&box) ? 0 : box.abi == 0 ? 77 : 3);
	}
	(void)waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL || mkdtemp(spool) == NULL ||
	    mkdtemp(certs) == NULL || mkdtemp(elsewhere) == NULL)
		return -1;
	return !writes(in(dir, "policy"), O_WRONLY | O_CREAT) ||
	    !writes(in(certs, "0.pem"), O_WRONLY | O_CREAT) ||
	    !writes(in(elsewhere, "linked"), O_WRONLY | O_CREAT) ||
	    !writes(in(elsewhere, "other"), O_WRONLY | O_CREAT) ||
	    !writes(in(elsewhere, "ca"), O_WRONLY | O_CREAT) ||
	    !writes(in(elsewhere, "new"), O_WRONLY | O_CREAT) ||
	    symlink(in(elsewhere, "linked"), in(certs, "1.pem")) == -1;
}

static int
tear_down(void **state)
{
	char command[200];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s %s %s %s", dir, spool,
	    certs, elsewhere);
	return system(command);
}

/* What is missing is all named, or the log hides a part of it. */
static void
test_lacks(void **state)
{
	char why[SANDBOX_WHY] = "", longer[SANDBOX_WHY + 1];

	(void)state;
	sandbox_lacks(why, "%s", "one");
	assert_string_equal(why, "one");
	sandbox_lacks(why, "%s", "two");
	assert_string_equal(why, "one; two");
	memset(longer, 'x', SANDBOX_WHY);
	longer[SANDBOX_WHY] = '\0';
	for (size_t cut = 0; cut <= SANDBOX_WHY; cut++) {
		why[0] = '\0';
		sandbox_lacks(why, "%s", longer + cut);
		sandbox_lacks(why, "%s", longer);
		assert_true(strlen(why) < SANDBOX_WHY);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sandbox),
		cmocka_unit_test(test_outdated),
		cmocka_unit_test(test_lacks),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
