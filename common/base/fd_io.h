/* SPDX-License-Identifier: ISC */
/*
 * read(2) and write(2) until all is done, whatever signals come.  In a header,
 * as the clocks are: the library that rules link with calls the system nowhere.
 */
#ifndef STS_BASE_FD_IO_H
#define STS_BASE_FD_IO_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

/*
 * Up to size bytes; *len is smaller at the end of the file.  False: errno says
 * why.
 */
static inline bool
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

/* False: errno says why; some of it may have been written. */
static inline bool
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

#endif
