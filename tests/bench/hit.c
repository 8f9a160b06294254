/* SPDX-License-Identifier: ISC */
/*
 * The cost of one look at the cache in a fresh process.
 *
 *   hit rounds N              lines of "NAME UID COMMAND ..." on stdin; each
 *                             is forked and executed once per round, in turn
 *   hit policy SO CONF DOMAIN dlopen as Exim does it, dlsym, mtasts_policy;
 *                             and once more
 *   hit floor SO FILE         dlopen of an empty SO, and the file is read
 *
 * The last two measure themselves and print nanoseconds.  UID - stays who one
 * is.  "rounds" prints NAME and what its command has printed.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/scan.h"

enum { COMMANDS_MAX = 16, WORDS_MAX = 8, FILE_MAX = 70000 };

typedef int exim_function(unsigned char **yield, int argc,
    unsigned char *argv[]);

static long
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

static int
fail(const char *what)
{
	fprintf(stderr, "hit: %s\n", what);
	return 1;
}

/* --- The two that are measured ------------------------------------------ */

static int
policy(char *argv[])
{
	unsigned char *args[] = { (unsigned char *)argv[2],
		(unsigned char *)argv[1] };
	unsigned char *said = NULL;
	long t0 = now_ns(), t1, t2;
	void *so = dlopen(argv[0], RTLD_LAZY), *sym;
	exim_function *fn = NULL;
	int rc = 1;

	if (so != NULL && (sym = dlsym(so, "mtasts_policy")) != NULL) {
		memcpy(&fn, &sym, sizeof fn);
		rc = fn(&said, 2, args);
	}
	t1 = now_ns();
	if (fn == NULL)
		return fail(dlerror());
	printf("%ld %d %.60s\n", t1 - t0, rc, (char *)said);
	fflush(stdout);
	t1 = now_ns();
	(void)fn(&said, 2, args);
	t2 = now_ns();
	printf("second %ld\n", t2 - t1);
	return 0;
}

static int
floor_of(char *argv[])
{
	static char buf[FILE_MAX];
	long t0 = now_ns();
	void *so = dlopen(argv[0], RTLD_LAZY);
	void *sym = so == NULL ? NULL : dlsym(so, "nothing");
	int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, buf, sizeof buf);

	if (fd != -1)
		close(fd);
	t0 = now_ns() - t0;
	if (sym == NULL || n <= 0)
		return fail("cannot load or read");
	printf("%ld\n", t0);
	return 0;
}

/* --- Rounds -------------------------------------------------------------- */

struct command {
	char line[1024];
	char *word[WORDS_MAX + 1];
};

static unsigned
read_commands(struct command *c)
{
	unsigned n = 0, w;
	char *rest;

	while (n < COMMANDS_MAX &&
	    fgets(c[n].line, sizeof c[n].line, stdin) != NULL) {
		c[n].line[strcspn(c[n].line, "\n")] = '\0';
		rest = c[n].line;
		for (w = 0; rest != NULL && w < WORDS_MAX; w++)
			c[n].word[w] = strsep(&rest, " ");
		c[n].word[w] = NULL;
		n += w > 2;
	}
	return n;
}

static unsigned
number(const char *s)
{
	uint64_t n;

	return str_u64(str_of(s), 1u << 30, &n) ? (unsigned)n : 0;
}

static int
run(const struct command *c)
{
	uid_t uid = number(c->word[1]);
	int status;
	pid_t pid;

	printf("%s ", c->word[0]);
	fflush(stdout);
	if ((pid = fork()) == 0) {
		if (strcmp(c->word[1], "-") != 0 &&
		    (setgroups(0, NULL) == -1 || setgid(uid) == -1 ||
			setuid(uid) == -1))
			_exit(1);
		execv(c->word[2], c->word + 2);
		_exit(1);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return -1;
	return status;
}

static int
rounds(unsigned n)
{
	static struct command c[COMMANDS_MAX];
	unsigned ncmd = read_commands(c);

	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < ncmd; k++) /* who begins changes */
			if (run(&c[(i + k) % ncmd]) != 0)
				return fail("a command failed");
	return ncmd == 0;
}

int
main(int argc, char *argv[])
{
	if (argc == 3 && strcmp(argv[1], "rounds") == 0)
		return rounds(number(argv[2]));
	if (argc == 5 && strcmp(argv[1], "policy") == 0)
		return policy(argv + 2);
	if (argc == 4 && strcmp(argv[1], "floor") == 0)
		return floor_of(argv + 2);
	return fail("bad usage");
}
