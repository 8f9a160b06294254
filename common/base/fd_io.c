/* SPDX-License-Identifier: ISC */
#include "fd_io.h"

#include <errno.h>
#include <unistd.h>

bool
sts_read_all(int fd, void *buf, size_t size, size_t *len)
{
	ssize_t n;

	*len = 0;
	while (*len < size) {
		n = read(fd, (char *)buf + *len, size - *len);
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
sts_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (n == 0) {
			errno = EIO; /* or a caller would try for ever */
			return false;
		} else if (errno != EINTR)
			return false;
	}
	return true;
}
