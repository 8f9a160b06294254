/* SPDX-License-Identifier: ISC */
#include "mailers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/err.h"
#include "base/fd_io.h"
#include "base/scan.h"
#include "rules/rua.h"

enum { FD_MAX = 1024 };

#define TMP_NAME "~mail"

/*
 * A request is a datagram with the recipient's address, and with it the
 * descriptor of a file that holds the mail.  The answer:
 */
struct mail_result {
	enum mail_fate fate;
	char why[160];
};

union control {
	struct cmsghdr header; /* for its alignment */
	char bytes[CMSG_SPACE(sizeof(int))];
};

struct mailer {
	pid_t pid;
	int fd; /* -1: it has ended */
	struct event event;
	mailer_done *done; /* NULL: idle */
	void *arg;
};

struct mailers {
	int dir_fd; /* of the spool directory */
	unsigned n;
	struct mailer mailer[];
};

/* --- In a mailer ------------------------------------------------------ */

/* False: mtasts-report has closed its end. */
static bool
receive_mail(int fd, char to[RUA_SIZE], int *file)
{
	union control control;
	struct iovec io = { to, RUA_SIZE - 1 };
	struct msghdr msg = { .msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	struct cmsghdr *c;
	ssize_t n;

	while (
	    (n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC)) == -1 && errno == EINTR)
		;
	c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof *file))
		return false;
	memcpy(file, CMSG_DATA(c), sizeof *file);
	to[n] = '\0';
	return true;
}

/*
 * mtasts-report reads what strangers send, so it may be theirs by now, and its
 * requests are checked.  A leading dash does no harm after "--".
 */
static bool
is_recipient(const char *to)
{
	bool good = to[0] != '\0';

	for (; *to != '\0'; to++)
		good &= is_print(*to);
	return good;
}

static void
serve(int fd, const struct sts_conf *conf)
{
	struct mail_result out;
	struct sts_err err;
	char to[RUA_SIZE];
	int file;

	while (receive_mail(fd, to, &file)) {
		err.text[0] = '\0';
		out.fate = MAIL_REFUSED;
		if (is_recipient(to))
			out.fate = mail_send(conf->report.sendmail,
			    conf->report.sender, to, file, SENDMAIL_MS, &err);
		else
			(void)sts_fail(&err, STS_INVALID, 0,
			    "not an address that sendmail may be given");
		memset(out.why, 0, sizeof out.why);
		(void)snprintf(out.why, sizeof out.why, "%s", err.text);
		close(file);
		if (send(fd, &out, sizeof out, MSG_NOSIGNAL) != sizeof out)
			return;
	}
}

static void
run_mailer(int fd, const struct sts_conf *conf)
{
	if (dup2(fd, 3) != 3)
		_exit(1);
	for (int i = 4; i < FD_MAX; i++)
		close(i);
	(void)fcntl(3, F_SETFD, FD_CLOEXEC);
	serve(3, conf);
	_exit(0);
}

/* --- In mtasts-report ---------------------------------------------------- */

/* It ends when its socket is closed, and is awaited by mailers_stop(). */
static void
drop_mailer(struct mailer *p)
{
	if (p->fd == -1)
		return;
	event_del(&p->event);
	close(p->fd);
	p->fd = -1;
}

static void
result_ready(evutil_socket_t fd, short what, void *arg)
{
	struct mailer *p = arg;
	mailer_done *done = p->done;
	struct mail_result out;
	ssize_t n = recv(fd, &out, sizeof out, MSG_DONTWAIT);

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof out) { /* killed, with sendmail perhaps at work */
		drop_mailer(p);
		out = (struct mail_result){ .fate = MAIL_UNKNOWN,
			.why = "the process that runs sendmail has ended "
			       "unexpectedly" };
	}
	p->done = NULL;
	if (done != NULL)
		done(p->arg, out.fate, out.why);
}

static bool
start(struct mailer *p, struct event_base *base, const struct sts_conf *conf)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == -1)
		return false;
	if ((p->pid = fork()) == 0)
		run_mailer(fd[1], conf);
	close(fd[1]);
	if (p->pid == -1) {
		close(fd[0]);
		return false;
	}
	p->fd = fd[0];
	event_assign(&p->event, base, p->fd, EV_READ | EV_PERSIST, result_ready,
	    p);
	if (event_add(&p->event, NULL) == 0)
		return true;
	drop_mailer(p);
	return false;
}

struct mailers *
mailers_start(struct event_base *base, const struct sts_conf *conf, unsigned n,
    struct sts_err *err)
{
	struct mailers *m = calloc(1, sizeof *m + n * sizeof m->mailer[0]);

	if (m == NULL) {
		(void)sts_fail(err, STS_NOMEM, 0, "out of memory");
		return NULL;
	}
	m->dir_fd =
	    open(conf->report.spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (m->n = 0; m->n < n && m->dir_fd != -1; m->n++)
		if (!start(&m->mailer[m->n], base, conf))
			break;
	if (m->n == n)
		return m;
	(void)sts_fail(err, STS_LOCAL, 0,
	    m->dir_fd == -1
		? "cannot open the spool directory: %s"
		: "cannot start the processes that run sendmail: %s",
	    strerror(errno));
	mailers_stop(m);
	return NULL;
}

void
mailers_stop(struct mailers *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; i < m->n; i++) {
		drop_mailer(&m->mailer[i]);
		while (
		    waitpid(m->mailer[i].pid, NULL, 0) == -1 && errno == EINTR)
			;
	}
	if (m->dir_fd != -1)
		close(m->dir_fd);
	free(m);
}

static struct mailer *
find_idle(struct mailers *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->mailer[i].fd != -1 && m->mailer[i].done == NULL)
			return &m->mailer[i];
	return NULL;
}

bool
mailers_idle(struct mailers *m)
{
	return find_idle(m) != NULL;
}

/*
 * The mail as a file that has no name any more.  Sent through a pipe instead,
 * it would reach sendmail cut short where we are killed, and would go out like
 * that.  -1: errno says why.
 */
static int
temporary_file(const struct mailers *m, const char *text, size_t len)
{
	int fd, error;

	(void)unlinkat(m->dir_fd, TMP_NAME, 0); /* of a run that was killed */
	fd = openat(m->dir_fd, TMP_NAME,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	(void)unlinkat(m->dir_fd, TMP_NAME, 0);
	if (sts_write_all(fd, text, len))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

enum sts_rc
mailers_send(struct mailers *m, const char *to, const char *text, size_t len,
    mailer_done *done, void *arg, struct sts_err *err)
{
	struct mailer *p = find_idle(m);
	union control control = { .bytes = { 0 } };
	union { /* sendmsg(2) does not write there */
		const char *in;
		char *out;
	} word = { to };
	struct iovec io = { word.out, strlen(to) };
	struct msghdr msg = { .msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	ssize_t n;
	int file = temporary_file(m, text, len);

	if (file == -1)
		return sts_fail(err, STS_LOCAL, 0,
		    "cannot write the mail to a temporary file in the spool "
		    "directory: %s",
		    strerror(errno));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof file);
	memcpy(CMSG_DATA(c), &file, sizeof file);
	while ((n = sendmsg(p->fd, &msg, MSG_NOSIGNAL)) == -1 && errno == EINTR)
		;
	if (n == -1) {
		(void)sts_fail(err, STS_LOCAL, 0,
		    "cannot reach the process that runs sendmail: %s",
		    strerror(errno));
		drop_mailer(p);
	}
	close(file);
	if (n == -1)
		return STS_LOCAL;
	p->done = done;
	p->arg = arg;
	return STS_OK;
}
