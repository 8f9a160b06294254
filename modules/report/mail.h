/* SPDX-License-Identifier: ISC */
/* A report as a mail, RFC 8460 5.3, handed to the local mail server. */
#ifndef MTASTS_REPORT_MAIL_H
#define MTASTS_REPORT_MAIL_H

#include "report.h"

/*
 * The whole message with LF line ends, free() it; NULL: no memory.  body is
 * the compressed report.  now: of its Date.
 */
char *mail_text(const struct report *, const char *sender, const char *to,
    const void *body, size_t body_len, int64_t now, size_t *len);

/*
 * "SENDMAIL -i -f SENDER -- TO" with the text on its standard input.  Waits
 * for it.  STS_TEMPFAIL with the exit status in err: not taken.
 */
enum sts_rc mail_send(const char *sendmail, const char *sender, const char *to,
    const char *text, size_t len, struct sts_err *err);

#endif
