/* SPDX-License-Identifier: ISC */
/* Filter protocol 0.6 and 0.7 of smtpd-filters(7), OpenSMTPD 6.8 on.  Pure. */
#ifndef OPENSMTPD_FILTER_LINE_H
#define OPENSMTPD_FILTER_LINE_H

#include <mtasts/sts.h>

enum {
	FILTER_ID_MAX = 32,
	FILTER_TEXT_MAX = 400, /* RFC 5321 4.5.3.1.5: a reply has 512 */
	FILTER_ANSWER_MAX = 64 + 2 * FILTER_ID_MAX + FILTER_TEXT_MAX
};

enum filter_event {
	FILTER_NOTHING, /* to be ignored */
	FILTER_READY,   /* end of the greeting: register now */
	FILTER_HAS_IN,  /* greeting: attached to a listener */
	FILTER_HAS_OUT, /* greeting: attached to an action */
	FILTER_ASKED,   /* a request of no interest: proceed */
	FILTER_RCPT,    /* smtp-in asks about the recipient in rest */
	FILTER_IN_MAIL, /* smtp-in session begins a message */
	FILTER_IN_GONE, /* smtp-in session has ended */
	FILTER_CONNECT, /* smtp-out ... rest: names and addresses */
	FILTER_TLS,
	FILTER_CLIENT, /* rest: what smtpd said */
	FILTER_SERVER, /* rest: a line of the answer */
	FILTER_GONE
};

struct filter_line {
	enum filter_event event;
	struct sts_str session, token, rest; /* lent as the line is */
};

/* What to answer to FILTER_READY, by where we are attached. */
#define FILTER_REGISTER_IN                                                     \
	"register|report|smtp-in|link-disconnect\n"                            \
	"register|report|smtp-in|tx-begin\n"                                   \
	"register|filter|smtp-in|rcpt-to\n"
#define FILTER_REGISTER_OUT                                                    \
	"register|report|smtp-out|link-connect\n"                              \
	"register|report|smtp-out|link-tls\n"                                  \
	"register|report|smtp-out|link-disconnect\n"                           \
	"register|report|smtp-out|protocol-client\n"                           \
	"register|report|smtp-out|protocol-server\n"
#define FILTER_REGISTER_END "register|ready\n"

/* One line without its end. */
void filter_parse(struct filter_line *, struct sts_str line);

/* "proceed", with its end.  Returns the length. */
size_t filter_proceed(char out[FILTER_ANSWER_MAX], struct sts_str session,
    struct sts_str token);

/* "451", why, and what to do then: one line of printable ASCII. */
size_t filter_later(char out[FILTER_ANSWER_MAX], struct sts_str session,
    struct sts_str token, const char *domain, const char *why);

/* The domain of an envelope address; false: none to ask for. */
bool filter_domain(char out[STS_NAME_SIZE], struct sts_str address);

/*
 * The two addresses at the end of a FILTER_CONNECT's rest: this host's, and
 * the MX host's; "" where there is none.
 */
enum { FILTER_ADDRESS = 48 };
void filter_addresses(char from[FILTER_ADDRESS], char to[FILTER_ADDRESS],
    struct sts_str rest);

#endif
