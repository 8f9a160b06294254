/* SPDX-License-Identifier: ISC */
/* Table protocol version 2 over imsg, OpenSMTPD 6.8 to 7.5.  Pure. */
#ifndef OPENSMTPD_TABLE_IMSG_H
#define OPENSMTPD_TABLE_IMSG_H

#include "table_request.h"

enum {
	IMSG_HEAD = 16,
	IMSG_MAX = 16384, /* smtpd sends no longer one */
	IMSG_ANSWER_MAX = IMSG_HEAD + 4 + ANSWER_TEXT
};

/* Do these first four bytes begin an imsg?  No text begins like that. */
bool table_imsg_begins(const char p[4]);

/* How many bytes the first message takes; 0: more are needed. */
size_t table_imsg_parse(struct table_request *, struct sts_str bytes);

size_t table_imsg_answer(char out[IMSG_ANSWER_MAX],
    const struct table_request *, const struct table_answer *);

#endif
