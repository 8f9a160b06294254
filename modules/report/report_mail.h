/* SPDX-License-Identifier: ISC */
/* A report as a mail, RFC 8460 5.3. */
#ifndef REPORT_REPORT_MAIL_H
#define REPORT_REPORT_MAIL_H

#include "report.h"

/*
 * The whole message with LF line ends, free() it; NULL: no memory.  body is
 * the compressed report.  now: of its Date.
 */
char *mail_text(const struct report *, const char *sender, const char *to,
    const void *body, size_t body_len, int64_t now, size_t *len);

#endif
