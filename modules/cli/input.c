/* SPDX-License-Identifier: ISC */
/* Files and stdin up to a limit, any byte allowed. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
fill(int fd, char *buf, size_t want, size_t *len)
{
	ssize_t n;

	while (*len < want) {
		n = read(fd, buf + *len, want - *len);
		if (n == 0)
			break;
		if (n > 0)
			*len += (size_t)n;
		else if (errno != EINTR)
			return false;
	}
	return true;
}

bool
cli_read(char **out, size_t *len, const char *path, size_t max)
{
	bool std = strcmp(path, "-") == 0, good = false;
	int fd = std ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int saved;

	*out = NULL;
	*len = 0;
	if (fd == -1)
		return false;
	if ((*out = malloc(max + 1)) != NULL)
		good = fill(fd, *out, max + 1, len);
	saved = errno;
	if (!good) {
		free(*out);
		*out = NULL;
	}
	if (!std)
		close(fd);
	errno = saved;
	return good;
}
