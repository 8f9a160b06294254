/* SPDX-License-Identifier: ISC */
/*
 * "asking for example.com, 3 s" while the library waits.  A child draws it:
 * a timer signal would cut short system calls of the library, and a thread
 * would be there when it forks.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUIET_MS = 400, STEP_MS = 1000 };

static void
put(const char *line, int len)
{
	if (len > 0 && write(STDERR_FILENO, line, (size_t)len) == -1)
		_exit(0);
}

_Noreturn static void
draw(int fd, const char *domain)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char line[128];
	int n = 0;

	while (poll(&p, 1, n == 0 ? QUIET_MS : STEP_MS) == 0) {
		put(line,
		    snprintf(line, sizeof line, "\r\033[K%.60s: asking, %d s",
			cli_shown(domain), n));
		n++;
	}
	if (n > 0)
		put("\r\033[K", 4);
	_exit(0);
}

void
cli_progress_start(struct cli_progress *bar, const struct cli *cli,
    const char *domain)
{
	int fd[2];
	pid_t pid;

	*bar = (struct cli_progress){ -1, -1 };
	if (!cli->progress || pipe(fd) == -1)
		return;
	if (fcntl(fd[1], F_SETFD, FD_CLOEXEC) == -1 || (pid = fork()) == -1) {
		close(fd[0]);
		close(fd[1]);
		return;
	}
	if (pid == 0) {
		close(fd[1]);
		draw(fd[0], domain);
	}
	close(fd[0]);
	*bar = (struct cli_progress){ fd[1], (long)pid };
}

void
cli_progress_stop(struct cli_progress *bar)
{
	if (bar->fd == -1)
		return;
	close(bar->fd);
	while (waitpid((pid_t)bar->pid, NULL, 0) == -1 && errno == EINTR)
		continue;
}
