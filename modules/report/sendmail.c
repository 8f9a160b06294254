/* SPDX-License-Identifier: ISC */
/* Handing a mail to the local mail server's sendmail(8). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "report_mail.h"

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
	if (dup2(in, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1 ||
	    chdir("/") == -1)
		_exit(127);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	execve(sendmail, argv.out, env);
	_exit(127);
}

/* The text as a file without a name, to be read from its start; -1. */
static int
put_down(const char *text, size_t len)
{
	FILE *f = tmpfile();
	int fd = -1;

	if (f == NULL)
		return -1;
	if (fwrite(text, 1, len, f) == len && fflush(f) == 0 &&
	    (fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 3)) != -1 &&
	    lseek(fd, 0, SEEK_SET) == -1) {
		close(fd);
		fd = -1;
	}
	fclose(f);
	return fd;
}

/* Is it over within ms? */
static bool
ends(pid_t pid, unsigned ms, int *status)
{
	const struct timespec nap = { 0, NAP_MS * 1000000 };
	int64_t deadline = sts_now_ms() + ms;
	pid_t got;

	while ((got = waitpid(pid, status, WNOHANG)) == 0 ||
	    (got == -1 && errno == EINTR)) {
		if (sts_now_ms() > deadline)
			return false;
		(void)nanosleep(&nap, NULL);
	}
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

	(void)kill(-pid, SIGTERM);
	if (ends(pid, MERCY_MS, &status))
		return;
	(void)kill(-pid, SIGKILL);
	(void)ends(pid, MERCY_MS, &status);
}

enum sts_rc
mail_send(const char *sendmail, const char *sender, const char *to,
    const char *text, size_t len, unsigned limit, bool *slow,
    struct sts_err *err)
{
	int fd, status = -1;
	pid_t pid;

	*slow = false;
	if (access(sendmail, X_OK) == -1)
		return sts_fail(err, STS_LOCAL, 0, "%s: %s", sendmail,
		    strerror(errno));
	if ((fd = put_down(text, len)) == -1)
		return sts_fail(err, STS_LOCAL, 0,
		    "cannot write a temporary file: %s", strerror(errno));
	if ((pid = fork()) == 0)
		become(sendmail, sender, to, fd);
	close(fd);
	if (pid == -1)
		return sts_fail(err, STS_LOCAL, 0, "cannot start %s: %s",
		    sendmail, strerror(errno));
	if (!ends(pid, limit, &status)) {
		*slow = true;
		end(pid);
		return sts_fail(err, STS_OK, 0,
		    "%s took over %u s and may have it or not, so it counts "
		    "as sent",
		    sendmail, limit / 1000);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return STS_OK;
	return sts_fail(err, STS_TEMPFAIL, 0, "%s refused the report (%s %d)",
	    sendmail, WIFEXITED(status) ? "status" : "signal",
	    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}
