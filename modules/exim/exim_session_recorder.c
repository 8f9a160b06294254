/* SPDX-License-Identifier: ISC */
/*
 * What Exim tells of one connection, all of it in the transport process:
 *
 *   tcp:connect       a connection begins
 *   smtp:ehlo         an EHLO was answered; without TLS, and again with it
 *   tls:cert          a certificate, perhaps long before it is judged
 *   dane:fail         TLSA records forbid the session
 *   msg:host:defer    the session failed, errno says of what
 *
 * No event tells of a STARTTLS that was refused while the mail went on in the
 * clear.  That is known when the next connection begins, or the process ends,
 * and neither TLS nor a failure has come.
 */
#include "exim_session_recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <mtasts/session.h>

enum { HELO_SIZE = 256, DER_SIZE = 8192, DOMAINS_MAX = 512 };

static const char mismatch[] = "mtasts-policy-mx-mismatch";

struct exim_sessions {
	struct {           /* the connection in hand */
		pid_t pid; /* of the process that has it, 0: none */
		char domain[STS_NAME_SIZE], host[STS_NAME_SIZE];
		char from[EXIM_WORD], to[EXIM_WORD];
		char helo[HELO_SIZE];
		bool offered; /* STARTTLS, and it was wanted */
		bool counted; /* or not to be */
		size_t der_len;
	} conn;
	unsigned char der[DER_SIZE]; /* the certificate of conn */
	/* TLS failed with it last: Exim may try it again in the clear. */
	struct {
		pid_t pid;
		char host[STS_NAME_SIZE], to[EXIM_WORD];
	} failed;
	/* Domains (FNV-1a) of this message without a permitted MX host. */
	uint64_t known[DOMAINS_MAX];
	size_t nknown;
	pid_t pid; /* of the process that has them */
};

/* Made when the first event comes. */
static bool
ready(struct exim_sessions **s)
{
	return *s != NULL || (*s = calloc(1, sizeof **s)) != NULL;
}

static void
copy(char *out, size_t size, const char *s)
{
	snprintf(out, size, "%s", s == NULL ? "" : s);
}

static const char *
or_null(const char *s)
{
	return s[0] == '\0' ? NULL : s;
}

/* --- One session, once ---------------------------------------------------- */

/* Exim has no log for what an event comes to. */
static void
put(struct sts_ctx *ctx, const struct sts_session_report *seen)
{
	struct sts_err err;
	enum sts_rc rc = sts_record_session(ctx, seen, &err);

	if (rc == STS_LOCAL || rc == STS_NOMEM)
		syslog(LOG_MAIL | LOG_ERR, "mtasts: %s", err.text);
}

static void
count(struct exim_sessions *s, struct sts_ctx *ctx,
    enum sts_session_result result, const char *reason, bool dane)
{
	struct sts_session_report seen = {
		/* RFC 8460 1.1, RFC 7672 2.2.3: with DANE it is the MX host's
		 */
		.domain = dane ? s->conn.host : s->conn.domain,
		.result = result,
		.dane = dane,
		.sending_ip = or_null(s->conn.from),
		.mx_host = or_null(s->conn.host),
		.mx_helo = or_null(s->conn.helo),
		.receiving_ip = or_null(s->conn.to),
		.reason = reason,
		.der = s->conn.der_len == 0 ? NULL : s->der,
		.der_len = s->conn.der_len,
	};

	if (!s->conn.counted && seen.domain[0] != '\0')
		put(ctx, &seen);
	s->conn.counted = true;
}

static void
begin(struct exim_sessions *s, const struct exim_event *e)
{
	memset(&s->conn, 0, sizeof s->conn);
	s->conn.pid = getpid();
	copy(s->conn.domain, sizeof s->conn.domain, e->domain);
	copy(s->conn.host, sizeof s->conn.host, e->host);
	copy(s->conn.to, sizeof s->conn.to, e->args.to);
	/* The clear retry of a session that has been counted as failed. */
	s->conn.counted = s->failed.pid == s->conn.pid &&
	    strcmp(s->failed.host, s->conn.host) == 0 &&
	    strcmp(s->failed.to, s->conn.to) == 0;
}

/* Is this event of the connection in hand?  A fork has none. */
static bool
in_hand(struct exim_sessions *s, const struct exim_event *e)
{
	return s->conn.pid == getpid() && strcmp(s->conn.to, e->args.to) == 0 &&
	    e->host != NULL && strcmp(s->conn.host, e->host) == 0;
}

static void
keep_der(struct exim_sessions *s, const struct exim_event *e)
{
	if (e->der != NULL && e->der_len <= sizeof s->der) {
		memcpy(s->der, e->der, e->der_len);
		s->conn.der_len = e->der_len;
	}
}

/* --- Judging -------------------------------------------------------------- */

/* A keyword is of letters of either case, RFC 5321 4.1.1.1. */
static bool
says_starttls(const char *s)
{
	if (strncasecmp(s, "STARTTLS", 8) != 0)
		return false;
	return s[8] == '\0' || strchr(" \r\n", s[8]) != NULL;
}

/* "250-host.example says hello\n250-STARTTLS\n250 HELP" */
static bool
offers_starttls(const char *reply)
{
	size_t len;

	for (; reply != NULL && reply[0] == '2'; reply += len) {
		len = strcspn(reply, "\n");
		if (len >= 4 && says_starttls(reply + 4))
			return true;
		len += reply[len] == '\n';
	}
	return false;
}

static void
keep_helo(struct exim_sessions *s, const char *reply)
{
	size_t len;

	if (reply == NULL || reply[0] != '2' || strlen(reply) < 5)
		return;
	len = strcspn(reply + 4, "\n");
	for (size_t i = 0; i < len; i++)
		if (reply[4 + i] == ' ' || reply[4 + i] == '\r')
			len = i;
	if (len >= sizeof s->conn.helo)
		len = sizeof s->conn.helo - 1;
	memcpy(s->conn.helo, reply + 4, len);
	s->conn.helo[len] = '\0';
}

/*
 * TLS is up in a transport that asks for no certificate.  Under "testing" it
 * is held to what "enforce" would ask for (RFC 8461 5): MX name 4.1,
 * certificate 4.2, version 7.2.  Without a policy any TLS is a success.
 */
static void
judge_session(struct exim_sessions *s, struct sts_ctx *ctx,
    const struct exim_event *e)
{
	struct sts_answer *a;
	struct sts_err err;

	if (sts_query(ctx, s->conn.domain, STS_OFFLINE, &a, &err) != STS_OK)
		return;
	if (a->verdict != STS_POLICY || a->mode == STS_MODE_NONE)
		count(s, ctx, STS_SESSION_OK, NULL, false);
	else if (a->policy != NULL &&
	    !sts_policy_permits(a->policy, s->conn.host))
		count(s, ctx, STS_VALIDATION_FAILURE, mismatch, false);
	else if (strstr(e->args.tls, "1.0") != NULL ||
	    strstr(e->args.tls, "1.1") != NULL)
		count(s, ctx, STS_VALIDATION_FAILURE, e->args.tls, false);
	else if (!e->args.verified ||
	    !sts_cert_has_dns_id(s->der, s->conn.der_len, NULL) ||
	    !sts_cert_for_server(s->der, s->conn.der_len))
		count(s, ctx, STS_CERTIFICATE_REFUSED, NULL, false);
	else
		count(s, ctx, STS_SESSION_OK, NULL, false);
	sts_answer_free(a);
}

/* --- Events --------------------------------------------------------------- */

static void
on_ehlo(struct exim_sessions *s, struct sts_ctx *ctx,
    const struct exim_event *e)
{
	if (!in_hand(s, e))
		begin(s, e);
	keep_helo(s, e->data);
	copy(s->conn.from, sizeof s->conn.from, e->args.from);
	if (e->args.tls[0] == '\0') {
		s->conn.offered = offers_starttls(e->data);
		if (!s->conn.offered)
			count(s, ctx, STS_STARTTLS_NOT_SUPPORTED, NULL, false);
		else if (e->args.avoid)
			s->conn.counted = true;
		return;
	}
	keep_der(s, e);
	if (e->args.dane || strcmp(e->args.mode, "dane") == 0)
		count(s, ctx, STS_SESSION_OK, NULL, true);
	else if (strcmp(e->args.mode, "enforce") == 0)
		count(s, ctx, STS_SESSION_OK, NULL, false);
	else
		judge_session(s, ctx, e);
}

static void
on_dane(struct exim_sessions *s, struct sts_ctx *ctx,
    const struct exim_event *e)
{
	static const struct {
		char word[24];
		enum sts_session_result result;
	} t[] = {
		{ "dane-required", STS_DANE_REQUIRED },
		{ "dnssec-invalid", STS_DNSSEC_INVALID },
		{ "starttls-not-supported", STS_STARTTLS_NOT_SUPPORTED },
		{ "validation-failure", STS_VALIDATION_FAILURE },
	};

	/* TLSA records are looked up before there is a connection. */
	if (!in_hand(s, e))
		begin(s, e);
	keep_der(s, e);
	for (size_t i = 0; e->data != NULL && i < sizeof t / sizeof *t; i++)
		if (strcmp(e->data, t[i].word) == 0)
			count(s, ctx, t[i].result, NULL, true);
}

/* Is it the answer to STARTTLS that Exim speaks of, and not of a later word? */
static bool
at_starttls(const char *text)
{
	const char *word = text == NULL ? NULL : strstr(text, "STARTTLS");

	return word != NULL && memchr(text, ':', (size_t)(word - text)) == NULL;
}

static void
on_failure(struct exim_sessions *s, struct sts_ctx *ctx,
    const struct exim_event *e)
{
	bool refused =
	    e->data != NULL && strncmp(e->data, "SMTP error", 10) == 0;

	if (!in_hand(s, e))
		return; /* no connection was tried */
	if (e->args.error == EXIM_TLS_FAILURE) {
		keep_der(s, e);
		count(s, ctx,
		    s->conn.der_len > 0 ? STS_CERTIFICATE_REFUSED
					: STS_VALIDATION_FAILURE,
		    e->data, false);
		s->failed.pid = s->conn.pid;
		memcpy(s->failed.host, s->conn.host, sizeof s->conn.host);
		memcpy(s->failed.to, s->conn.to, sizeof s->conn.to);
	} else if (e->args.error == EXIM_TLS_REQUIRED) {
		count(s, ctx, STS_STARTTLS_NOT_SUPPORTED, e->data, false);
	} else if (s->conn.offered && at_starttls(e->data)) {
		count(s, ctx,
		    refused ? STS_STARTTLS_NOT_SUPPORTED
			    : STS_VALIDATION_FAILURE,
		    e->data, false);
	}
}

/* --- No MX host is left -------------------------------------------------- */

/* Is it the first time in this process, that is, for this message? */
static bool
first_time(struct exim_sessions *s, const char *domain)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *domain != '\0'; domain++)
		h = (h ^ (unsigned char)*domain) * 0x100000001b3;
	if (s->pid != getpid())
		s->nknown = 0;
	s->pid = getpid();
	for (size_t i = 0; i < s->nknown; i++)
		if (s->known[i] == h)
			return false;
	if (s->nknown < DOMAINS_MAX)
		s->known[s->nknown++] = h;
	return true;
}

/*
 * The first of the MX hosts in list that the policy does not permit, and be it
 * for its odd name.
 */
static bool
forbidden(char host[STS_NAME_SIZE], const struct sts_policy *policy,
    const char *list)
{
	size_t len, dot;

	for (; *list != '\0'; list += len) {
		list += strspn(list, ":");
		len = strcspn(list, ":");
		dot = len > 0 && list[len - 1] == '.';
		if (len == dot || len >= STS_NAME_SIZE)
			continue;
		memcpy(host, list, len - dot);
		host[len - dot] = '\0';
		if (!sts_policy_permits(policy, host))
			return true;
	}
	return false;
}

void
exim_record_no_host(struct exim_sessions **s, struct sts_ctx *ctx,
    const struct exim_event *e)
{
	char host[STS_NAME_SIZE], domain[STS_NAME_SIZE];
	struct sts_answer *a;
	struct sts_err err;
	struct sts_session_report seen = {
		.domain = domain,
		.result = STS_VALIDATION_FAILURE,
		.mx_host = host,
		.reason = mismatch,
	};

	/* Without MX records, or with the null MX, it is no mismatch. */
	if (e->data == NULL || !ready(s) ||
	    sts_domain_normal(domain, e->domain, &err) != STS_OK ||
	    !first_time(*s, domain) ||
	    sts_query(ctx, domain, STS_OFFLINE, &a, &err) != STS_OK)
		return;
	if (a->policy != NULL && forbidden(host, a->policy, e->data))
		put(ctx, &seen);
	sts_answer_free(a);
}

/* --- From outside ------------------------------------------------------- */

void
exim_record_end(struct exim_sessions *s, struct sts_ctx *ctx)
{
	if (s == NULL)
		return;
	if (s->conn.pid == getpid() && s->conn.offered && !s->conn.counted)
		count(s, ctx, STS_STARTTLS_NOT_SUPPORTED, NULL, false);
	s->conn.pid = 0;
}

void
exim_record(struct exim_sessions **sessions, struct sts_ctx *ctx,
    const struct exim_event *e)
{
	struct exim_sessions *s;

	if (!ready(sessions))
		return;
	s = *sessions;
	if (strcmp(e->name, "tcp:connect") == 0) {
		exim_record_end(s, ctx);
		begin(s, e);
	} else if (strcmp(e->name, "smtp:ehlo") == 0) {
		on_ehlo(s, ctx, e);
	} else if (strcmp(e->name, "tls:cert") == 0) {
		if (in_hand(s, e) && e->data != NULL &&
		    strcmp(e->data, "0") == 0)
			keep_der(s, e);
	} else if (strcmp(e->name, "dane:fail") == 0) {
		on_dane(s, ctx, e);
	} else if (strcmp(e->name, "msg:host:defer") == 0) {
		on_failure(s, ctx, e);
	}
}
