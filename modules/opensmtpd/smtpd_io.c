/* SPDX-License-Identifier: ISC */
#include "smtpd_io.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

void
smtpd_survive(void)
{
	static const int deaf[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGQUIT,
		SIGALRM, SIGUSR1, SIGUSR2, SIGXFSZ };
	struct sigaction sa = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < sizeof deaf / sizeof deaf[0]; i++)
		(void)sigaction(deaf[i], &sa, NULL);
}

static void
wait_for(int fd, short what)
{
	struct pollfd p = { .fd = fd, .events = what };

	(void)poll(&p, 1, -1);
}

void
smtpd_write(int fd, const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (n == -1 && (errno == EAGAIN || errno == ENOBUFS))
			wait_for(fd, POLLOUT);
		else if (n == 0 || errno != EINTR)
			return;
	}
}

void
smtpd_put(struct smtpd_out *o, int fd, const char *p, size_t len)
{
	if (o->tail + len > sizeof o->buf) {
		memmove(o->buf, o->buf + o->head, o->tail - o->head);
		o->tail -= o->head;
		o->head = 0;
	}
	if (o->tail + len > sizeof o->buf) {
		smtpd_write(fd, o->buf, o->tail);
		o->tail = 0;
	}
	memcpy(o->buf + o->tail, p, len);
	o->tail += len;
}

bool
smtpd_flush(struct smtpd_out *o, int fd)
{
	ssize_t n;

	while (o->head < o->tail) {
		n = write(fd, o->buf + o->head, o->tail - o->head);
		if (n > 0)
			o->head += (size_t)n;
		else if (n == -1 && (errno == EAGAIN || errno == ENOBUFS))
			return false;
		else if (n == 0 || errno != EINTR)
			break; /* nobody reads */
	}
	o->head = o->tail = 0;
	return true;
}

size_t
smtpd_read(int fd, char *p, size_t room)
{
	ssize_t n;

	for (;;) {
		n = read(fd, p, room);
		if (n >= 0)
			return (size_t)n;
		if (errno == EAGAIN)
			wait_for(fd, POLLIN);
		else if (errno != EINTR)
			return 0;
	}
}
