/* SPDX-License-Identifier: ISC */
/* Handing a mail to the local mail server's sendmail(8). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "mail.h"

enum { SENDMAIL_MS = 120000, NAP_MS = 20 };

/* In the child: nothing here may touch what the parent has in hand. */
static void
become(const char *sendmail, const char *sender, const char *to, int in)
{
	union { /* execve(2) does not write there */
		const char *in[7];
		char *out[7];
	} argv = { { sendmail, "-i", "-f", sender, "--", to, NULL } };
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *env[] = { path, NULL };
	int null = open("/dev/null", O_RDWR);

	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(in, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1 ||
	    chdir("/") == -1)
		_exit(127);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	execve(sendmail, argv.out, env);
	_exit(127);
}

/* False: it takes no more, or is too slow. */
static bool
feed(int fd, const char *p, size_t len, int64_t deadline)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (n == -1 && errno == EAGAIN) {
			if (sts_now_ms() > deadline)
				return false;
			(void)poll(&wait, 1, NAP_MS);
		} else if (n == -1 && errno != EINTR)
			return false;
	}
	return true;
}

/* Its exit status; -1 and killed where it does not end. */
static int
reap(pid_t pid, int64_t deadline)
{
	const struct timespec nap = { 0, NAP_MS * 1000000 };
	int status;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) == 0 ||
	    (got == -1 && errno == EINTR)) {
		if (sts_now_ms() > deadline) {
			(void)kill(pid, SIGKILL);
			while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
				;
			return -1;
		}
		(void)nanosleep(&nap, NULL);
	}
	return got == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

enum sts_rc
mail_send(const char *sendmail, const char *sender, const char *to,
    const char *text, size_t len, struct sts_err *err)
{
	int64_t deadline = sts_now_ms() + SENDMAIL_MS;
	bool fed;
	pid_t pid;
	int fd[2], status;

	if (access(sendmail, X_OK) == -1)
		return sts_fail(err, STS_LOCAL, 0, "%s: %s", sendmail,
		    strerror(errno));
	if (pipe2(fd, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		return sts_fail(err, STS_LOCAL, 0, "cannot start %s: %s",
		    sendmail, strerror(errno));
	if (pid == 0)
		become(sendmail, sender, to, fd[0]);
	close(fd[0]);
	(void)fcntl(fd[1], F_SETFL, O_NONBLOCK);
	fed = feed(fd[1], text, len, deadline);
	close(fd[1]);
	status = reap(pid, deadline);
	if (fed && status == 0)
		return STS_OK;
	return sts_fail(err, STS_TEMPFAIL, 0, "%s %s (status %d)", sendmail,
	    fed ? "refused the report" : "did not read the report", status);
}
