/* SPDX-License-Identifier: ISC */
/*
 * What smtp-out reports tell of one session with an MX host.  smtpd tells
 * neither the host's name nor why TLS failed; what is left:
 *
 *   no STARTTLS offered, or refused   link-disconnect before link-tls
 *   EHLO is not known there           link-disconnect, or HELO if TLS may fail
 *   certificate refused by 7.x        "220 go", link-disconnect
 *   certificate refused by 6.8        link-tls, link-disconnect
 *   all is well                       link-tls, EHLO (in either order), MAIL
 *   opportunistic TLS failed          the same session connects once more
 *
 * The recipient's domain is told with RCPT, so never of a session that failed.
 */
#ifndef OPENSMTPD_SMTP_SESSION_H
#define OPENSMTPD_SMTP_SESSION_H

#include "filter_line.h"
#include <mtasts/session.h>

enum {
	SESSIONS_MAX = 1024, /* more: the oldest is forgotten */
	SESSION_HELO = 192,  /* of the host's own name, longer ones are cut */
	SESSION_DOMAINS = 24 /* of one session that are told apart */
};

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
	int64_t began;                /* ms */
	char address[FILTER_ADDRESS]; /* "": not told */
	char from[FILTER_ADDRESS];    /* the same */
	char helo[SESSION_HELO];      /* its answer to EHLO */
	enum { ASKED_OTHER, ASKED_EHLO, ASKED_STARTTLS } asked;
	bool first;    /* no line of the answer has come */
	bool answered; /* EHLO, with 2xx */
	bool no_ehlo;  /* EHLO is a command it does not know */
	bool offered;  /* STARTTLS */
	bool wanted;   /* STARTTLS was said */
	bool refused;  /* and answered with 4xx or 5xx */
	bool tls;
	bool greeted; /* EHLO behind STARTTLS */
	bool mail;    /* a transaction began */
	bool quit;
	bool again;     /* the connection before this one failed in TLS */
	bool ours;      /* the transaction in hand is a report */
	bool told;      /* a domain of it was, or none is to be */
	unsigned mails; /* transactions */
	unsigned domains;
	struct {
		uint64_t hash;
		unsigned mail;     /* the last one with it */
	} domain[SESSION_DOMAINS]; /* those told of */
};

struct sessions {
	uint64_t clock;
	uint32_t key[SESSIONS_MAX]; /* of the ids, 0: free; all is found here */
	struct session of[SESSIONS_MAX];
};

/* What TLS reporting (RFC 8460) counts of a session, once for each domain. */
struct session_count {
	const struct session *session;
	const char *domain; /* "": not told, it has to be found out */
	enum sts_session_result result; /* OK: TLS is up, no more than that */
	const char *reason;             /* or NULL */
};

struct session_hooks {
	/* The one place where a session's end is known: as soon as its result
	 * is certain, once for each session and address; after count(), where
	 * that is called without a domain. */
	void (*ended)(void *arg, const struct session *, enum session_result);
	/* RCPT: mail for the domain goes over it, with TLS or without.  first:
	 * it is the first for this domain in the transaction. */
	void (*rcpt)(void *arg, const struct session *, const char *domain,
	    bool first);
	void (*count)(void *arg, const struct session_count *);
	/* Is it the sender of reports?  Those are not counted. */
	bool (*ours)(void *arg, const char *sender);
	void *arg;
};

bool session_tls_up(const struct session *);

/* If it failed, then in TLS, where the name of the host matters. */
bool session_tls_began(const struct session *);

/* Take one report; now in ms. */
void session_report(struct sessions *, const struct filter_line *, int64_t now,
    const struct session_hooks *);

#endif
