/* SPDX-License-Identifier: ISC */
#include "sendmail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

enum { POLL_MS = 20, SIGNAL_MS = 5000 };

/* In the child.  It shares the parent's open files, so it closes them. */
static void
exec_sendmail(const char *sendmail, const char *sender, const char *to, int in)
{
	union { /* execve(2) does not write there */
		const char *in[7];
		char *out[7];
	} argv = { { sendmail, "-i", "-f", sender, "--", to, NULL } };
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *env[] = { path, NULL };
	int null = open("/dev/null", O_RDWR);

	(void)setsid(); /* a process group, so that kill(2) reaches its children
			 */
	(void)signal(SIGPIPE, SIG_DFL);
	if (lseek(in, 0, SEEK_SET) == -1 || dup2(in, STDIN_FILENO) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1 || chdir("/") == -1)
		_exit(127);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	execve(sendmail, argv.out, env);
	_exit(127);
}

/*
 * Has it exited within ms?  *lost: it has, but its exit status is not to be
 * had: where SIGCHLD is ignored, for one.
 */
static bool
exits_within(pid_t pid, unsigned ms, int *status, bool *lost)
{
	struct timespec pause = { 0, 1000000 }; /* most are done at once */
	int64_t deadline = sts_now_ms() + ms;
	pid_t got;

	while ((got = waitpid(pid, status, WNOHANG)) == 0 ||
	    (got == -1 && errno == EINTR)) {
		if (sts_now_ms() > deadline)
			return false;
		(void)nanosleep(&pause, NULL);
		if (pause.tv_nsec < POLL_MS * 1000000L)
			pause.tv_nsec *= 2;
	}
	*lost = got == -1;
	return true;
}

/*
 * SIGTERM first, so that it can clean up.  One that has changed its real user
 * id, as a set-user-ID program can, gets no signal from us and runs on.
 */
static void
terminate(pid_t pid)
{
	int status;
	bool lost;

	(void)kill(-pid, SIGTERM);
	if (exits_within(pid, SIGNAL_MS, &status, &lost))
		return;
	(void)kill(-pid, SIGKILL);
	(void)exits_within(pid, SIGNAL_MS, &status, &lost);
}

enum mail_fate
mail_send(const char *sendmail, const char *sender, const char *to, int file,
    unsigned limit, struct sts_err *err)
{
	bool lost = false;
	int status = -1;
	pid_t pid;

	if (access(sendmail, X_OK) == -1) {
		(void)sts_fail(err, STS_LOCAL, 0, "%s: %s", sendmail,
		    strerror(errno));
		return MAIL_REFUSED;
	}
	if ((pid = fork()) == 0)
		exec_sendmail(sendmail, sender, to, file);
	if (pid == -1) {
		(void)sts_fail(err, STS_LOCAL, 0, "cannot start %s: %s",
		    sendmail, strerror(errno));
		return MAIL_REFUSED;
	}
	if (!exits_within(pid, limit, &status, &lost)) {
		terminate(pid);
		(void)sts_fail(err, STS_TEMPFAIL, 0,
		    "%s was still running after %u s", sendmail, limit / 1000);
		return MAIL_UNKNOWN;
	}
	if (lost) {
		(void)sts_fail(err, STS_LOCAL, 0,
		    "the exit status of %s was lost", sendmail);
		return MAIL_UNKNOWN;
	}
	if (!WIFEXITED(status)) { /* perhaps just behind its last fsync(2) */
		(void)sts_fail(err, STS_TEMPFAIL, 0,
		    "%s was killed by signal %d", sendmail, WTERMSIG(status));
		return MAIL_UNKNOWN;
	}
	if (WEXITSTATUS(status) == 0)
		return MAIL_SENT;
	(void)sts_fail(err, STS_TEMPFAIL, 0,
	    "%s refused the report with exit status %d", sendmail,
	    WEXITSTATUS(status));
	return MAIL_REFUSED;
}
