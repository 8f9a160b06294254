/* SPDX-License-Identifier: ISC */
#include "hand_over.h"

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

#define TEXT "~mail"

/* A datagram each way: TO and a descriptor; what came of it. */
struct outcome {
	enum mail_fate fate;
	char why[160];
};

union control {
	struct cmsghdr header; /* for its alignment */
	char bytes[CMSG_SPACE(sizeof(int))];
};

struct process {
	pid_t pid;
	int fd; /* -1: it has ended */
	struct event event;
	hand_over_done *done; /* NULL: idle */
	void *arg;
};

struct hand_over {
	int dir_fd; /* of the spool directory */
	unsigned n;
	struct process process[];
};

/* --- In the process ------------------------------------------------------ */

/* False: there will be no more. */
static bool
receive(int fd, char to[RUA_SIZE], int *file)
{
	union control control;
	struct iovec io = { to, RUA_SIZE - 1 };
	struct msghdr m = { .msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	struct cmsghdr *c;
	ssize_t n;

	while ((n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC)) == -1 && errno == EINTR)
		;
	c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof *file))
		return false;
	memcpy(file, CMSG_DATA(c), sizeof *file);
	to[n] = '\0';
	return true;
}

/*
 * Who asks may have been taken over by what he reads.  A dash in front does no
 * harm behind "--".
 */
static bool
is_recipient(const char *to)
{
	bool good = to[0] != '\0';

	for (; *to != '\0'; to++)
		good &= is_print(*to) && *to != ' ';
	return good;
}

static void
serve(int fd, const struct sts_conf *conf)
{
	struct outcome out;
	struct sts_err err;
	char to[RUA_SIZE];
	int file;

	while (receive(fd, to, &file)) {
		err.text[0] = '\0';
		out.fate = MAIL_REFUSED;
		if (is_recipient(to))
			out.fate = mail_send(conf->report.sendmail,
			    conf->report.sender, to, file, SENDMAIL_MS, &err);
		else
			(void)sts_fail(&err, STS_INVALID, 0, "no recipient");
		memset(out.why, 0, sizeof out.why);
		(void)snprintf(out.why, sizeof out.why, "%s", err.text);
		close(file);
		if (send(fd, &out, sizeof out, MSG_NOSIGNAL) != sizeof out)
			return;
	}
}

static void
become_process(int fd, const struct sts_conf *conf)
{
	if (dup2(fd, 3) != 3)
		_exit(1);
	for (int i = 4; i < FD_MAX; i++)
		close(i);
	(void)fcntl(3, F_SETFD, FD_CLOEXEC);
	serve(3, conf);
	_exit(0);
}

/* --- At its other end ---------------------------------------------------- */

static void
lose(struct process *p)
{
	if (p->fd == -1)
		return;
	event_del(&p->event);
	close(p->fd);
	p->fd = -1;
}

static void
answered(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;
	hand_over_done *done = p->done;
	struct outcome out;
	ssize_t n = recv(fd, &out, sizeof out, MSG_DONTWAIT);

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof out) { /* killed, with sendmail perhaps at work */
		lose(p);
		out = (struct outcome){ .fate = MAIL_UNKNOWN,
			.why = "the process that runs sendmail has ended" };
	}
	p->done = NULL;
	if (done != NULL)
		done(p->arg, out.fate, out.why);
}

static bool
start(struct process *p, struct event_base *base, const struct sts_conf *conf)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == -1)
		return false;
	if ((p->pid = fork()) == 0)
		become_process(fd[1], conf);
	close(fd[1]);
	if (p->pid == -1) {
		close(fd[0]);
		return false;
	}
	p->fd = fd[0];
	event_assign(&p->event, base, p->fd, EV_READ | EV_PERSIST, answered, p);
	if (event_add(&p->event, NULL) == 0)
		return true;
	lose(p);
	return false;
}

struct hand_over *
hand_over_start(struct event_base *base, const struct sts_conf *conf,
    unsigned n, struct sts_err *err)
{
	struct hand_over *h = calloc(1, sizeof *h + n * sizeof h->process[0]);

	if (h == NULL) {
		(void)sts_fail(err, STS_NOMEM, 0, "out of memory");
		return NULL;
	}
	h->dir_fd =
	    open(conf->report.spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (h->n = 0; h->n < n && h->dir_fd != -1; h->n++)
		if (!start(&h->process[h->n], base, conf))
			break;
	if (h->n == n)
		return h;
	(void)sts_fail(err, STS_LOCAL, 0, "cannot start a process: %s",
	    strerror(errno));
	hand_over_end(h);
	return NULL;
}

void
hand_over_end(struct hand_over *h)
{
	if (h == NULL)
		return;
	for (unsigned i = 0; i < h->n; i++) {
		lose(&h->process[i]);
		while (
		    waitpid(h->process[i].pid, NULL, 0) == -1 && errno == EINTR)
			;
	}
	if (h->dir_fd != -1)
		close(h->dir_fd);
	free(h);
}

static struct process *
idle(struct hand_over *h)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->process[i].fd != -1 && h->process[i].done == NULL)
			return &h->process[i];
	return NULL;
}

bool
hand_over_idle(struct hand_over *h)
{
	return idle(h) != NULL;
}

/*
 * As a file without a name in the spool directory, so that it cannot end half
 * way.  -1: cannot.
 */
static int
put_down(const struct hand_over *h, const char *text, size_t len)
{
	int fd;

	(void)unlinkat(h->dir_fd, TEXT, 0); /* of a run that was killed */
	fd = openat(h->dir_fd, TEXT,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	(void)unlinkat(h->dir_fd, TEXT, 0);
	if (sts_write_all(fd, text, len))
		return fd;
	close(fd);
	return -1;
}

bool
hand_over_mail(struct hand_over *h, const char *to, const char *text,
    size_t len, hand_over_done *done, void *arg)
{
	struct process *p = idle(h);
	union control control = { .bytes = { 0 } };
	union { /* sendmsg(2) does not write there */
		const char *in;
		char *out;
	} word = { to };
	struct iovec io = { word.out, strlen(to) };
	struct msghdr m = { .msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int file = put_down(h, text, len);
	ssize_t n = -1;

	if (file != -1) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof file);
		memcpy(CMSG_DATA(c), &file, sizeof file);
		while ((n = sendmsg(p->fd, &m, MSG_NOSIGNAL)) == -1 &&
		    errno == EINTR)
			;
		close(file);
		if (n == -1)
			lose(p);
	}
	if (n != (ssize_t)strlen(to))
		return false;
	p->done = done;
	p->arg = arg;
	return true;
}
