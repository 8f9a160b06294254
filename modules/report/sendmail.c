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

enum { NAP_MS = 20, MERCY_MS = 5000 };

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

	(void)setsid(); /* a group that can be ended with its helpers */
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
 * Is it over within ms?  *lost: it is, but nobody can say how it went; another
 * has waited for it.
 */
static bool
ends(pid_t pid, unsigned ms, int *status, bool *lost)
{
	struct timespec nap = { 0, 1000000 }; /* most are done at once */
	int64_t deadline = sts_now_ms() + ms;
	pid_t got;

	while ((got = waitpid(pid, status, WNOHANG)) == 0 ||
	    (got == -1 && errno == EINTR)) {
		if (sts_now_ms() > deadline)
			return false;
		(void)nanosleep(&nap, NULL);
		if (nap.tv_nsec < NAP_MS * 1000000L)
			nap.tv_nsec *= 2;
	}
	*lost = got == -1;
	return true;
}

/*
 * First by a word that lets it tidy up.  One that may not be ended by us, as
 * it has become another user, is left to itself.
 */
static void
end(pid_t pid)
{
	int status;
	bool lost;

	(void)kill(-pid, SIGTERM);
	if (ends(pid, MERCY_MS, &status, &lost))
		return;
	(void)kill(-pid, SIGKILL);
	(void)ends(pid, MERCY_MS, &status, &lost);
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
		become(sendmail, sender, to, file);
	if (pid == -1) {
		(void)sts_fail(err, STS_LOCAL, 0, "cannot start %s: %s",
		    sendmail, strerror(errno));
		return MAIL_REFUSED;
	}
	if (!ends(pid, limit, &status, &lost)) {
		end(pid);
		(void)sts_fail(err, STS_TEMPFAIL, 0, "%s took over %u s",
		    sendmail, limit / 1000);
		return MAIL_UNKNOWN;
	}
	if (lost) {
		(void)sts_fail(err, STS_LOCAL, 0,
		    "%s was waited for by another", sendmail);
		return MAIL_UNKNOWN;
	}
	if (!WIFEXITED(status)) { /* perhaps just behind its last fsync(2) */
		(void)sts_fail(err, STS_TEMPFAIL, 0, "%s ended by signal %d",
		    sendmail, WTERMSIG(status));
		return MAIL_UNKNOWN;
	}
	if (WEXITSTATUS(status) == 0)
		return MAIL_SENT;
	(void)sts_fail(err, STS_TEMPFAIL, 0,
	    "%s refused the report (status %d)", sendmail, WEXITSTATUS(status));
	return MAIL_REFUSED;
}
