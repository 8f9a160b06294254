/* SPDX-License-Identifier: ISC */
/*
 * What smtp-out reports tell of one session with an MX host.  smtpd tells
 * neither the host's name nor why TLS failed; what is left:
 *
 *   no STARTTLS offered, or refused   link-disconnect before link-tls
 *   certificate refused by 7.x        "220 go", link-disconnect
 *   certificate refused by 6.8        link-tls, link-disconnect
 *   all is well                       link-tls, EHLO (in either order), MAIL
 */
#ifndef OPENSMTPD_SESSION_H
#define OPENSMTPD_SESSION_H

#include "filter_line.h"

enum { SESSIONS_MAX = 1024 }; /* more: the oldest is forgotten */

enum session_result {
	SESSION_FAILED, /* before TLS was up, in it, or right behind it */
	SESSION_WORKED, /* a transaction began over TLS */
	SESSION_CLEAR,  /* a transaction began without TLS */
	SESSION_IDLE    /* TLS was up, and smtpd left of its own will */
};

struct session {
	uint64_t used; /* 0: free; else the higher, the later */
	unsigned char idlen;
	char id[FILTER_ID_MAX];
	char address[FILTER_ADDRESS]; /* "": not told */
	bool wanted;                  /* STARTTLS was said */
	bool tls;
	bool greeted; /* EHLO behind STARTTLS */
	bool began;   /* a transaction */
	bool quit;
};

struct sessions {
	uint64_t clock;
	struct session of[SESSIONS_MAX];
};

/* The one place where the end of a session is known: learning, reporting. */
typedef void session_end_fn(void *arg, const char *address, bool tls,
    enum session_result);

/*
 * Take one report.  fn hears of a session as soon as its result is certain,
 * once for each session and address.
 */
void session_report(struct sessions *, const struct filter_line *,
    session_end_fn *fn, void *arg);

#endif
