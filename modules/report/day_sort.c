/* SPDX-License-Identifier: ISC */
#include "day_sort.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/scan.h"

enum {
	IN_MEMORY = 16 << 20, /* bytes that sort(1) keeps in its 32 MiB */
	PATH = 4096,
	PIPES = 3
};

/* Names of directories for its temporary files. */
#define BESIDE "~sort-"

struct day_sort {
	pid_t pid;      /* 0: it has ended */
	FILE *in, *out; /* its standard input and output; NULL: closed */
	int fault;      /* its standard error */
	int dir_fd;     /* of dir, locked; -1: there is none */
	char dir[PATH]; /* where its temporary files are */
	char *line;     /* of getline(3) */
	size_t size;
	uint64_t put, got; /* lines */
};

/* --- The directory of its temporary files ------------------------------------
 */

static void
remove_files(int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again == -1 ? NULL : fdopendir(again);
	struct dirent *e;

	if (d == NULL) {
		if (again != -1)
			close(again);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			(void)unlinkat(fd, e->d_name, 0);
	closedir(d);
}

/* What a sort(1) that was killed has left: nobody has it locked. */
static void
remove_left_over(const char *spool)
{
	DIR *d = opendir(spool);
	struct dirent *e;
	int fd;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, BESIDE, strlen(BESIDE)) != 0 ||
		    (fd = openat(dirfd(d), e->d_name,
			 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) ==
			-1)
			continue;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			remove_files(fd);
			(void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
		}
		close(fd);
	}
	closedir(d);
}

static enum sts_rc
make_dir(struct day_sort *s, const char *spool, uint64_t size,
    struct sts_err *err)
{
	struct statvfs fs;
	uint64_t room;

	remove_left_over(spool);
	if (statvfs(spool, &fs) == -1)
		return sts_fail(err, STS_LOCAL, 0, "%s: %s", spool,
		    strerror(errno));
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (room < size)
		return sts_fail(err, STS_LOCAL, 0,
		    "sorting the sessions needs %llu MiB in %s, where %llu "
		    "MiB are free; a later run makes the reports",
		    (unsigned long long)(size >> 20) + 1, spool,
		    (unsigned long long)(room >> 20));
	snprintf(s->dir, sizeof s->dir, "%s/" BESIDE "XXXXXX", spool);
	if (mkdtemp(s->dir) == NULL ||
	    (s->dir_fd = open(s->dir,
		 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1 ||
	    flock(s->dir_fd, LOCK_EX | LOCK_NB) == -1)
		return sts_fail(err, STS_LOCAL, 0, "%s: %s", s->dir,
		    strerror(errno));
	return STS_OK;
}

/* --- The child
 * ---------------------------------------------------------------- */

/*
 * The domain is the third field.  By default sort(1) merges 16 files at once,
 * and would write a large day to the disk twice.
 */
static int
spawn(struct day_sort *s, const char *spool, int to, int from, int fault)
{
	union { /* posix_spawn(3) does not write there */
		const char *in[11];
		char *out[11];
	} argv = { { "sort", "-s", "-t", "\t", "-k3,3", "-S32M",
	    "--batch-size=128", "--parallel=1", "-T",
	    s->dir_fd == -1 ? spool : s->dir, NULL } };
	char locale[] = "LC_ALL=C"; /* bytes, whatever they are */
	char *env[] = { locale, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t pipe;
	int error;

	if ((error = posix_spawn_file_actions_init(&files)) != 0)
		return error;
	if ((error = posix_spawnattr_init(&attr)) != 0) {
		posix_spawn_file_actions_destroy(&files);
		return error;
	}
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	error = posix_spawn_file_actions_adddup2(&files, to, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&files, from, 1);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&files, fault, 2);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(&attr, &pipe);
	if (error == 0)
		error = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	if (error == 0)
		error = posix_spawn(&s->pid, SORT_PATH, &files, &attr, argv.out,
		    env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

static int
start(struct day_sort *s, const char *spool)
{
	int fd[PIPES][2], n = 0, error = 0;

	while (n < PIPES && pipe2(fd[n], O_CLOEXEC) == 0)
		n++;
	if (n < PIPES)
		error = errno;
	else
		error = spawn(s, spool, fd[0][0], fd[1][1], fd[2][1]);
	if (error == 0) {
		s->in = fdopen(fd[0][1], "w");
		s->out = fdopen(fd[1][0], "r");
		s->fault = fd[2][0];
		if (s->in == NULL || s->out == NULL)
			error = ENOMEM;
	}
	for (int i = 0; i < n; i++) {
		int ours = i == 0 ? 1 : 0;
		bool kept = i == 0 ? s->in != NULL
		    : i == 1       ? s->out != NULL
				   : s->fault != -1;

		close(fd[i][1 - ours]);
		if (!kept)
			close(fd[i][ours]);
	}
	return error;
}

enum sts_rc
day_sort_start(struct day_sort **out, const char *spool, uint64_t size,
    struct sts_err *err)
{
	struct day_sort *s = calloc(1, sizeof *s);
	enum sts_rc rc = STS_OK;
	int error;

	*out = NULL;
	if (s == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	s->dir_fd = s->fault = -1;
	if (size > IN_MEMORY)
		rc = make_dir(s, spool, size, err);
	if (rc == STS_OK && (error = start(s, spool)) != 0)
		rc = sts_fail(err, STS_LOCAL, 0,
		    "cannot start " SORT_PATH ": %s", strerror(error));
	if (rc == STS_OK)
		*out = s;
	else
		day_sort_close(s);
	return rc;
}

/* --- Lines
 * -------------------------------------------------------------------- */

static int
close_file(FILE **f)
{
	int rc = *f == NULL ? 0 : fclose(*f);

	*f = NULL;
	return rc;
}

/* Wait for its end; err has what it wrote to standard error. */
static enum sts_rc
reap(struct day_sort *s, struct sts_err *err)
{
	char text[200];
	int status = -1;
	ssize_t n;

	(void)close_file(&s->in);
	(void)close_file(&s->out);
	while (waitpid(s->pid, &status, 0) == -1 && errno == EINTR)
		;
	s->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return STS_OK;
	/* It has exited, so what it wrote is in the pipe. */
	n = read(s->fault, text, sizeof text);
	if (n > 0 && text[n - 1] == '\n')
		n--;
	return sts_fail(err, STS_LOCAL, 0, "sort(1) failed (%s %d)%s%.*s",
	    WIFEXITED(status) ? "status" : "signal",
	    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
	    n > 0 ? ": " : "", n > 0 ? (int)n : 0, text);
}

static enum sts_rc
not_read(struct day_sort *s, struct sts_err *err)
{
	if (reap(s, err) == STS_OK)
		sts_fail(err, STS_LOCAL, 0,
		    "sort(1) ended before it had read all lines");
	return STS_LOCAL;
}

enum sts_rc
day_sort_put(struct day_sort *s, const char *line, size_t len,
    struct sts_err *err)
{
	if (fwrite(line, 1, len, s->in) == len && putc('\n', s->in) == '\n') {
		s->put++;
		return STS_OK;
	}
	return not_read(s, err);
}

enum sts_rc
day_sort_next(struct day_sort *s, char **line, size_t *len, struct sts_err *err)
{
	ssize_t n;

	if (s->in != NULL && close_file(&s->in) != 0)
		return not_read(s, err);
	if ((n = getline(&s->line, &s->size, s->out)) > 0 &&
	    s->line[n - 1] == '\n') {
		s->got++;
		*line = s->line;
		*len = (size_t)n - 1;
		return STS_OK;
	}
	if (reap(s, err) != STS_OK)
		return STS_LOCAL;
	if (s->got == s->put && n == -1)
		return STS_ABSENT;
	return sts_fail(err, STS_LOCAL, 0,
	    "sort(1) was given %llu lines and returned %llu",
	    (unsigned long long)s->put, (unsigned long long)s->got);
}

void
day_sort_close(struct day_sort *s)
{
	if (s == NULL)
		return;
	if (s->pid > 0) {
		/* So that it tidies up; in a sandbox SIGPIPE has to do. */
		(void)kill(s->pid, SIGTERM);
		(void)reap(s, NULL);
	}
	if (s->fault != -1)
		close(s->fault);
	if (s->dir_fd != -1) {
		remove_files(s->dir_fd);
		(void)unlinkat(AT_FDCWD, s->dir, AT_REMOVEDIR);
		close(s->dir_fd);
	}
	free(s->line);
	free(s);
}
