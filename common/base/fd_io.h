/* SPDX-License-Identifier: ISC */
/* read(2) and write(2) until all is done, whatever signals come. */
#ifndef STS_BASE_FD_IO_H
#define STS_BASE_FD_IO_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Up to size bytes; *len is smaller at the end of the file.  False: errno says
 * why.
 */
bool sts_read_all(int fd, void *buf, size_t size, size_t *len);

/* False: errno says why; some of it may have been written. */
bool sts_write_all(int fd, const void *buf, size_t len);

#endif
