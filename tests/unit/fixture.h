/* SPDX-License-Identifier: ISC */
/*
 * A folder for the tests of one program, gone when they end.  Where they run as
 * root, directories that a host's MTA would own belong to somebody else.
 */
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWNER = 65534 };

static char top[] = "/tmp/mtasts-test.XXXXXX";

/* For cmocka_run_group_tests(), alone or called by the test's own. */
static inline int
make_top(void **state)
{
	(void)state;
	return mkdtemp(top) == NULL || chmod(top, 0755) == -1;
}

static inline int
wipe_top(void **state)
{
	char command[sizeof top + 16];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", top);
	return system(command);
}

/* Lent until the third call after this one. */
static inline const char *
in_top(const char *name)
{
	static char path[4][200];
	static unsigned i;
	char *p = path[i++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", top, name);
	return p;
}

/* As the MTA's user has it; it may be there already. */
static inline bool
own(const char *path)
{
	return (mkdir(path, 0750) == 0 || chmod(path, 0750) == 0) &&
	    (geteuid() != 0 || chown(path, OWNER, OWNER) == 0);
}

/* In one step: programs may be reading it. */
static inline bool
write_text(const char *dir, const char *name, mode_t mode, const char *text)
{
	char path[200], new[220];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	snprintf(new, sizeof new, "%s.new", path);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC, mode);
	return fd != -1 &&
	    write(fd, text, strlen(text)) == (ssize_t)strlen(text) &&
	    fchmod(fd, mode) == 0 && close(fd) == 0 && rename(new, path) == 0;
}

/* A script in place of both workers: which is asked for depends on the host. */
static inline bool
fake_worker(const char *dir, const char *script)
{
	return write_text(dir, "mtasts-fetch-openssl", 0755, script) &&
	    write_text(dir, "mtasts-fetch-gnutls", 0755, script);
}

#endif
