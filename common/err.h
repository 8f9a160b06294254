/* SPDX-License-Identifier: ISC */
/* Filling in struct sts_err, and making foreign bytes fit for a log. */
#ifndef STS_ERR_H
#define STS_ERR_H

#include <stddef.h>

#include "sts.h"

/*
 * Note why a call fails and return rc.  err may be NULL.  The text is cut to
 * its field; any byte that is not printable ASCII becomes '?'.
 */
__attribute__((cold, format(printf, 4, 5))) enum sts_rc
sts_fail(struct sts_err *err, enum sts_rc rc, unsigned line, const char *fmt,
    ...);

/*
 * Foreign bytes as printable ASCII: "\\" for a backslash, "\x0a" for what
 * cannot be printed, "..." at the end where it had to be cut.  Writes at most
 * size bytes with the NUL (size 0: nothing) and returns out.
 */
const char *sts_escape(char *out, size_t size, struct sts_str in);

/* The same for use as an argument: sts_show(name).text */
struct sts_shown {
	char text[80];
};
struct sts_shown sts_show(struct sts_str);

#endif
