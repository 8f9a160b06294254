/* SPDX-License-Identifier: ISC */
/* Line protocol 0.1 of smtpd-tables(7), OpenSMTPD 7.6 and later.  Pure. */
#ifndef OPENSMTPD_TABLE_LINE_H
#define OPENSMTPD_TABLE_LINE_H

#include "table_request.h"

enum { TABLE_LINE_ANSWER_MAX = 32 + TABLE_ID_MAX + ANSWER_TEXT };

/* Sent once, after config|ready: by the table of policies, and by the one of
 * domains whose mail waits. */
#define TABLE_LINE_REGISTER                                                    \
	"register|domain\n"                                                    \
	"register|relayhost\n"                                                 \
	"register|ready\n"
#define TABLE_LINE_REGISTER_WAIT                                               \
	"register|domain\n"                                                    \
	"register|mailaddr\n"                                                  \
	"register|ready\n"

/* One line without its end. */
void table_line_parse(struct table_request *, struct sts_str line);

/* The answer with its end; 0: nothing is due. */
size_t table_line_answer(char out[TABLE_LINE_ANSWER_MAX],
    const struct table_request *, const struct table_answer *);

#endif
