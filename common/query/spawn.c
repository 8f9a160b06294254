/* SPDX-License-Identifier: ISC */
/*
 * The worker's birth.  The host is somebody else's process, perhaps root,
 * perhaps with odd descriptors, signals and umask; nothing of it may reach
 * the worker, and nothing of the worker may stay behind in the host:
 *
 *   host --fork--> middle --fork--> worker
 *
 * The middle one ends at once and is reaped by its pid, so that no wait() of
 * the host ever sees a stranger, and the worker holds none of its descriptors.
 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "worker_protocol.h"

/* In the words of the protocol; only write(2) is safe here. */
_Noreturn static void
give_up(const char *what, const char *path)
{
	char text[400], line[STS_ANSWER_HEAD_MAX];
	size_t len;

	snprintf(text, sizeof text, "cannot start %s: %s: %s", path, what,
	    strerror(errno));
	len = sts_fault_encode(line, text);
	if (write(STDOUT_FILENO, STS_WORKER_VERSION,
		strlen(STS_WORKER_VERSION)) == -1 ||
	    write(STDOUT_FILENO, line, len) == -1)
		_exit(126);
	_exit(127);
}

/*
 * The socket is the worker's standard input and output, and all else is
 * closed.  Move it to 10 or above first, so that dup2() cannot overwrite it.
 */
static int
tidy_descriptors(int fd)
{
	int null = open("/dev/null", O_RDWR);

	if (null == -1 || (null = fcntl(null, F_DUPFD, 10)) == -1 ||
	    (fd = fcntl(fd, F_DUPFD, 10)) == -1)
		return -1;
	if (dup2(fd, STDIN_FILENO) == -1 || dup2(fd, STDOUT_FILENO) == -1 ||
	    dup2(null, STDERR_FILENO) == -1)
		return -1;
	closefrom(STDERR_FILENO + 1);
	return 0;
}

static void
tidy_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &sa, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

#ifdef __GLIBC__
typedef __rlimit_resource_t resource;
#else
typedef int resource;
#endif

/*
 * A setuid host hands on the limits of whoever called it; too little memory
 * would look like a failure of the policy host.
 */
static void
reset_limits(void)
{
	static const struct {
		resource what;
		rlim_t max;
	} limits[] = {
		{ RLIMIT_AS, RLIM_INFINITY },
		{ RLIMIT_DATA, RLIM_INFINITY },
		{ RLIMIT_CPU, RLIM_INFINITY },
		{ RLIMIT_FSIZE, RLIM_INFINITY },
		{ RLIMIT_NPROC, RLIM_INFINITY },
		{ RLIMIT_STACK, 8 << 20 },
		{ RLIMIT_NOFILE, 1024 },
	};
	struct rlimit rl;

	if (geteuid() != 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		rl.rlim_cur = rl.rlim_max = limits[i].max;
		(void)setrlimit(limits[i].what, &rl);
	}
	(void)setpriority(PRIO_PROCESS, 0, 0);
}

/* For good: not even the loader may run as root. */
static int
drop_privilege(const struct sts_spawn *sp)
{
	uid_t r, e, s;
	gid_t gr, ge, gs, gid = sp->gid;

	if (geteuid() != 0)
		return 0;
	if (sp->uid == 0 || setgroups(1, &gid) == -1 ||
	    setresgid(sp->gid, sp->gid, sp->gid) == -1 ||
	    setresuid(sp->uid, sp->uid, sp->uid) == -1)
		return -1;
	if (getresuid(&r, &e, &s) == -1 || getresgid(&gr, &ge, &gs) == -1 ||
	    r != sp->uid || e != sp->uid || s != sp->uid || gr != sp->gid ||
	    ge != sp->gid || gs != sp->gid || setuid(0) == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

_Noreturn static void
become_worker(const struct sts_spawn *sp, int fd)
{
	char *const empty[] = { NULL };
	union { /* execve(2) wants the argv of before const */
		const char *const *in;
		char *const *out;
	} argv = { .in = sp->argv };

	tidy_signals();
	if (tidy_descriptors(fd) == -1)
		_exit(126);
	umask(077);
	if (chdir("/") == -1)
		give_up("chdir to /", sp->argv[0]);
	reset_limits();
	if (drop_privilege(sp) == -1)
		give_up("dropping privilege", sp->argv[0]);
	execve(sp->argv[0], argv.out, empty);
	give_up("exec", sp->argv[0]);
}

static pid_t
reap(pid_t pid)
{
	pid_t got;

	do
		got = waitpid(pid, NULL, 0);
	while (got == -1 && errno == EINTR);
	return got;
}

/* The worker has fd when this is done; the caller still closes it. */
static enum sts_rc
spawn(const struct sts_spawn *sp, int fd, struct sts_err *err)
{
	sigset_t all, old;
	int error;
	pid_t pid;

	/* A handler of the host must not run in our child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0) {
		(void)setsid();
		pid = fork();
		if (pid == 0)
			become_worker(sp, fd);
		_exit(pid == -1);
	}
	error = errno;
	if (pid != -1)
		reap(pid);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid == -1)
		return sts_fail(err, STS_LOCAL, 0, "fork: %s", strerror(error));
	return STS_OK;
}

enum sts_rc
sts_spawn_start(const struct sts_spawn *sp, int *fd, struct sts_err *err)
{
	enum sts_rc rc;
	int p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) == -1)
		return sts_fail(err, STS_LOCAL, 0, "socketpair: %s",
		    strerror(errno));
	(void)fcntl(p[0], F_SETFD, FD_CLOEXEC);
	(void)fcntl(p[1], F_SETFD, FD_CLOEXEC);
	(void)fcntl(p[0], F_SETFL, O_NONBLOCK);
	rc = spawn(sp, p[1], err);
	close(p[1]);
	if (rc != STS_OK)
		close(p[0]);
	else
		*fd = p[0];
	return rc;
}
