/* SPDX-License-Identifier: ISC */
#include "fail_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* What all processes see. */
static struct shared {
	struct fail_plan plan;
	long calls[FAIL_PROCESSES];
	char name[40];
} * all;

/* This process. */
static struct {
	bool on;
	unsigned number;
	long calls;
} self;

bool
fail_init(void)
{
	void *p = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	all = p == MAP_FAILED ? NULL : p;
	return all != NULL;
}

void
fail_begin(const struct fail_plan *plan)
{
	memset(all, 0, sizeof *all);
	all->plan = *plan;
	self.number = 0;
	self.calls = 0;
	self.on = true;
}

void
fail_end(void)
{
	self.on = false;
}

long
fail_calls(unsigned process)
{
	return all->calls[process];
}

const char *
fail_name(void)
{
	return all->name;
}

/* Is it the turn of this call? */
static bool
fails(const char *name, int error)
{
	const struct fail_plan *plan = &all->plan;
	bool due;

	if (!self.on || self.number >= FAIL_PROCESSES)
		return false;
	if (++self.calls > all->calls[self.number])
		all->calls[self.number] = self.calls;
	/* Of the calls that wait none fails for good: who waits would spin. */
	due = plan->call != 0 && plan->process == self.number &&
	    (plan->how == FAIL_ONCE || strcmp(name, "poll") == 0
		    ? self.calls == plan->call
		    : self.calls >= plan->call);
	if (!due)
		return false;
	if (all->name[0] == '\0')
		snprintf(all->name, sizeof all->name, "%s", name);
	errno = error != 0 ? error : plan->error;
	return true;
}

#define CALL(type, bad, error, name, params, args)                             \
	type __real_##name params;                                             \
	type __wrap_##name params;                                             \
	type __wrap_##name params                                              \
	{                                                                      \
		return fails(#name, error) ? (bad) : __real_##name args;       \
	}
/* One that says -1, or NULL; one that has no memory. */
#define INT(name, params, args) CALL(int, -1, 0, name, params, args)
#define SIZE(name, params, args) CALL(ssize_t, -1, 0, name, params, args)
/* The pipe to the MTA never fails while there is one. */
#define FILE_SIZE(name, params, args)                                          \
	ssize_t __real_##name params;                                          \
	ssize_t __wrap_##name params;                                          \
	ssize_t __wrap_##name params                                           \
	{                                                                      \
		return fd > STDERR_FILENO && fails(#name, 0)                   \
		    ? -1                                                       \
		    : __real_##name args;                                      \
	}
#define MEMORY(type, name, params, args)                                       \
	CALL(type, NULL, ENOMEM, name, params, args)

MEMORY(void *, malloc, (size_t n), (n))
MEMORY(void *, calloc, (size_t n, size_t size), (n, size))
MEMORY(void *, realloc, (void *p, size_t size), (p, size))
MEMORY(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
MEMORY(char *, strdup, (const char *s), (s))

FILE_SIZE(read, (int fd, void *p, size_t n), (fd, p, n))
FILE_SIZE(__read_chk, (int fd, void *p, size_t n, size_t size),
    (fd, p, n, size))
FILE_SIZE(write, (int fd, const void *p, size_t n), (fd, p, n))
SIZE(pread64, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
SIZE(pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
SIZE(readlinkat, (int fd, const char *path, char *p, size_t n),
    (fd, path, p, n))
SIZE(send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
SIZE(getrandom, (void *p, size_t n, unsigned flags), (p, n, flags))

INT(fstat64, (int fd, struct stat *st), (fd, st))
INT(stat64, (const char *path, struct stat *st), (path, st))
INT(lstat64, (const char *path, struct stat *st), (path, st))
INT(fstatat64, (int fd, const char *path, struct stat *st, int flags),
    (fd, path, st, flags))
INT(access, (const char *path, int mode), (path, mode))
INT(mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
INT(unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
INT(symlinkat, (const char *to, int fd, const char *path), (to, fd, path))
INT(renameat, (int fd, const char *from, int tofd, const char *to),
    (fd, from, tofd, to))
INT(fchmod, (int fd, mode_t mode), (fd, mode))
INT(fchmodat, (int fd, const char *path, mode_t mode, int flags),
    (fd, path, mode, flags))
INT(ftruncate64, (int fd, off_t size), (fd, size))
INT(futimens, (int fd, const struct timespec *times), (fd, times))
INT(utimensat,
    (int fd, const char *path, const struct timespec *times, int flags),
    (fd, path, times, flags))
INT(fdatasync, (int fd), (fd))
INT(flock, (int fd, int how), (fd, how))
INT(poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms))
CALL(DIR *, NULL, 0, fdopendir, (int fd), (fd))
CALL(struct dirent *, NULL, 0, readdir64, (DIR * d), (d))

INT(pipe, (int fd[2]), (fd))
INT(socketpair, (int domain, int type, int protocol, int fd[2]),
    (domain, type, protocol, fd))
INT(dup2, (int from, int to), (from, to))
INT(chdir, (const char *path), (path))
INT(waitpid, (pid_t pid, int *status, int flags), (pid, status, flags))
INT(execve, (const char *path, char *const argv[], char *const env[]),
    (path, argv, env))
INT(setsid, (void), ())
INT(setgroups, (size_t n, const gid_t *groups), (n, groups))
INT(getgroups, (int n, gid_t *groups), (n, groups))
INT(setegid, (gid_t id), (id))
INT(seteuid, (uid_t id), (id))
INT(setresgid, (gid_t r, gid_t e, gid_t s), (r, e, s))
INT(setresuid, (uid_t r, uid_t e, uid_t s), (r, e, s))
INT(getresgid, (gid_t * r, gid_t *e, gid_t *s), (r, e, s))
INT(getresuid, (uid_t * r, uid_t *e, uid_t *s), (r, e, s))
INT(getrlimit64, (int what, struct rlimit *rl), (what, rl))
INT(setrlimit64, (int what, const struct rlimit *rl), (what, rl))

/* With a third argument or without. */
#define VARIADIC(name, kind, params, fixed)                                    \
	int __real_##name params;                                              \
	int __wrap_##name params;                                              \
	int __wrap_##name params                                               \
	{                                                                      \
		va_list ap;                                                    \
		kind more;                                                     \
		va_start(ap, last);                                            \
		more = va_arg(ap, kind);                                       \
		va_end(ap);                                                    \
		return fails(#name, 0) ? -1 : __real_##name fixed;             \
	}
VARIADIC(open64, unsigned, (const char *path, int last, ...),
    (path, last, more))
VARIADIC(openat64, unsigned, (int fd, const char *path, int last, ...),
    (fd, path, last, more))

/* A copy may not be had; flags of what is open can always be set. */
int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int
__wrap_fcntl64(int fd, int command, ...)
{
	va_list ap;
	long more;

	va_start(ap, command);
	more = va_arg(ap, long);
	va_end(ap);
	if (command == F_DUPFD && fails("fcntl64", 0))
		return -1;
	return __real_fcntl64(fd, command, more);
}

/* It says so, and is closed all the same. */
int __real_close(int fd);
int __wrap_close(int fd);
int
__wrap_close(int fd)
{
	bool bad = fails("close", 0);
	int error = errno, rc = __real_close(fd);

	if (!bad)
		return rc;
	errno = error;
	return -1;
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t
__wrap_fork(void)
{
	pid_t pid;

	if (fails("fork", 0))
		return -1;
	if ((pid = __real_fork()) == 0) {
		self.number++;
		self.calls = 0;
	}
	return pid;
}
