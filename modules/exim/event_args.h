/* SPDX-License-Identifier: ISC */
/* What exim.conf says of a connection in one argument, see mtasts-exim(5). */
#ifndef EXIM_EVENT_ARGS_H
#define EXIM_EVENT_ARGS_H

#include <stdbool.h>

enum { EXIM_WORD = 64 }; /* bytes; a longer one is no value of Exim's */

/* Those of Exim's own numbers that matter, the same from 4.96 to 4.100. */
enum exim_error {
	EXIM_ANY_ERROR,
	EXIM_TLS_FAILURE, /* -37: the handshake, or a certificate */
	EXIM_TLS_REQUIRED /* -38: STARTTLS not offered, or refused for good */
};

/*
 * "MODE tls=TLS1.3 cv=1 ... sender=UID ADDRESS".  Words may be missing, empty
 * or in any order, but what follows "sender=" is the sender, blanks and all.
 */
struct exim_event_args {
	char mode[EXIM_WORD];  /* "enforce", "dane"; else: not enforced */
	char tls[EXIM_WORD];   /* the version; "": TLS is not up */
	bool verified;         /* cv: certificate and name, by Exim */
	bool dane;             /* dane: by TLSA records */
	enum exim_error error; /* errno: $event_defer_errno */
	bool trial;            /* verify, id: a callout, an address test */
	bool avoid;            /* this host does not want TLS at all */
	char from[EXIM_WORD];  /* our address */
	char to[EXIM_WORD];    /* the MX host's */
	const char *sender;    /* uid and envelope sender; NULL: not said */
};

/* Points into text.  text NULL: nothing was said. */
void exim_event_args_parse(struct exim_event_args *, const char *text);

/* --- What Exim's ${base64:...} wrote, back into bytes --------------------- */

/* Decode in place of out (at least len of s); -1: not base64. */
long exim_base64(unsigned char *out, const char *s);

#endif
