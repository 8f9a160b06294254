/* SPDX-License-Identifier: ISC */
/* A report as a mail, RFC 8460 5.3, handed to the local mail server. */
#ifndef REPORT_REPORT_MAIL_H
#define REPORT_REPORT_MAIL_H

#include "report.h"

/*
 * The whole message with LF line ends, free() it; NULL: no memory.  body is
 * the compressed report.  now: of its Date.
 */
char *mail_text(const struct report *, const char *sender, const char *to,
    const void *body, size_t body_len, int64_t now, size_t *len);

enum { SENDMAIL_MS = 300000 };

/*
 * "SENDMAIL -i -f SENDER -- TO" with the text on its standard input: a file,
 * so that it cannot end half way.  Waits, but at most for limit ms.
 * STS_TEMPFAIL with the exit status in err: not taken.  *slow: it was still at
 * work when the time was up, and has been ended; it may or may not have taken
 * the report, which has to count as sent then (STS_OK, err says so).
 */
enum sts_rc mail_send(const char *sendmail, const char *sender, const char *to,
    const char *text, size_t len, unsigned limit, bool *slow,
    struct sts_err *err);

#endif
