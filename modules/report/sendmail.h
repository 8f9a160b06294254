/* SPDX-License-Identifier: ISC */
/* Handing a mail to the local mail server's sendmail(8). */
#ifndef REPORT_SENDMAIL_H
#define REPORT_SENDMAIL_H

#include <mtasts/sts.h>

enum { SENDMAIL_MS = 300000 };

enum mail_fate {
	MAIL_SENT,
	MAIL_REFUSED, /* or sendmail could not be started: try again */
	MAIL_UNKNOWN  /* it may have been accepted or not */
};

/*
 * "SENDMAIL -i -f SENDER -- TO" with file, from its start, on its standard
 * input.  Waits at most limit ms and then kills it.  Unless it is MAIL_SENT,
 * err says why.
 */
enum mail_fate mail_send(const char *sendmail, const char *sender,
    const char *to, int file, unsigned limit, struct sts_err *err);

#endif
