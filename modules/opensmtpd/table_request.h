/* SPDX-License-Identifier: ISC */
/* What smtpd asks a table and what it is told, whatever the protocol. */
#ifndef OPENSMTPD_TABLE_REQUEST_H
#define OPENSMTPD_TABLE_REQUEST_H

#include <mtasts/sts.h>

enum {
	KEY_MAX = 1023, /* smtpd sends no longer one */
	TABLE_ID_MAX = 64,
	ANSWER_TEXT = 320 /* a host with its scheme, or a text of sts_err */
};

enum table_op {
	TABLE_NOTHING, /* to be ignored */
	TABLE_NAME,    /* of the table, in key */
	TABLE_READY,   /* end of the greeting: register now */
	TABLE_CHECK,
	TABLE_LOOKUP,
	TABLE_FETCH,
	TABLE_UPDATE,
	TABLE_OPEN, /* the table's name in key */
	TABLE_CLOSE,
	TABLE_BAD /* cannot be read, but wants an answer */
};

enum table_service {
	TABLE_DOMAIN,
	TABLE_RELAYHOST,
	TABLE_MAILADDR,
	TABLE_OTHER
};

struct table_request {
	enum table_op op;
	enum table_service service;
	bool broken;        /* CHECK or LOOKUP without a key to be read */
	struct sts_str id;  /* line protocol; lent as key is */
	uint32_t peerid;    /* imsg */
	struct sts_str key; /* may hold any byte */
};

enum table_found { TABLE_FOUND, TABLE_NOT_FOUND, TABLE_ERROR };

struct table_answer {
	enum table_found found;
	bool local;             /* an error of this host's own */
	char text[ANSWER_TEXT]; /* value of a LOOKUP, or why: one line */
};

#endif
