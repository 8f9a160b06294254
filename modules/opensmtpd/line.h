/* SPDX-License-Identifier: ISC */
/* Line protocol 0.1 of smtpd-tables(7), OpenSMTPD 7.6 and later.  Pure. */
#ifndef OPENSMTPD_LINE_H
#define OPENSMTPD_LINE_H

#include "request.h"

enum { LINE_ANSWER_MAX = 32 + TABLE_ID_MAX + ANSWER_TEXT };

/* Sent once, after config|ready. */
#define LINE_REGISTER                                                          \
	"register|domain\n"                                                    \
	"register|relayhost\n"                                                 \
	"register|ready\n"

/* One line without its end. */
void line_parse(struct table_request *, struct sts_str line);

/* The answer with its end; 0: nothing is due. */
size_t line_answer(char out[LINE_ANSWER_MAX], const struct table_request *,
    const struct table_answer *);

#endif
