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
#include "record.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { HELO_SIZE = 256, DER_SIZE = 8192, DOMAINS_MAX = 512 };

static const char mismatch[] = "mtasts-policy-mx-mismatch";

/* The connection in hand; pid: of the process that has it, 0: none. */
static struct {
	pid_t pid;
	char domain[STS_NAME_SIZE], host[STS_NAME_SIZE];
	char from[EXIM_WORD], to[EXIM_WORD];
	char helo[HELO_SIZE];
	bool offered; /* STARTTLS, and it was wanted */
	bool counted; /* or not to be */
	unsigned char der[DER_SIZE];
	size_t der_len;
} conn;

/* The host with which TLS failed last: Exim may try it again in the clear. */
static struct {
	pid_t pid;
	char host[STS_NAME_SIZE], to[EXIM_WORD];
} failed;

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

static void
count(struct sts_ctx *ctx, enum sts_session_result result, const char *reason,
    bool dane)
{
	struct sts_err err;
	struct sts_seen s = {
		/* RFC 8460 1.1, RFC 7672 2.2.3: with DANE it is the MX host's
		 */
		.domain = dane ? conn.host : conn.domain,
		.result = result,
		.dane = dane,
		.sending_ip = or_null(conn.from),
		.mx_host = or_null(conn.host),
		.mx_helo = or_null(conn.helo),
		.receiving_ip = or_null(conn.to),
		.reason = reason,
		.der = conn.der_len == 0 ? NULL : conn.der,
		.der_len = conn.der_len,
	};

	if (!conn.counted && s.domain[0] != '\0')
		(void)sts_record_session(ctx, &s, &err);
	conn.counted = true;
}

static void
begin(const struct exim_event *e)
{
	memset(&conn, 0, sizeof conn);
	conn.pid = getpid();
	copy(conn.domain, sizeof conn.domain, e->domain);
	copy(conn.host, sizeof conn.host, e->host);
	copy(conn.to, sizeof conn.to, e->seen.to);
	/* The clear retry of a session that has been counted as failed. */
	conn.counted = failed.pid == conn.pid &&
	    strcmp(failed.host, conn.host) == 0 &&
	    strcmp(failed.to, conn.to) == 0;
}

/* Is this event of the connection in hand?  A fork has none. */
static bool
in_hand(const struct exim_event *e)
{
	return conn.pid == getpid() && strcmp(conn.to, e->seen.to) == 0 &&
	    e->host != NULL && strcmp(conn.host, e->host) == 0;
}

static void
keep_der(const struct exim_event *e)
{
	if (e->der != NULL && e->der_len <= sizeof conn.der) {
		memcpy(conn.der, e->der, e->der_len);
		conn.der_len = e->der_len;
	}
}

/* --- Judging -------------------------------------------------------------- */

/* "250-host.example says hello\n250-STARTTLS\n250 HELP" */
static bool
offers_starttls(const char *reply)
{
	static const char word[] = "STARTTLS";
	size_t len;

	for (; reply != NULL && reply[0] == '2'; reply += len) {
		len = strcspn(reply, "\n");
		if (len >= 4 + sizeof word - 1 &&
		    strncasecmp(reply + 4, word, sizeof word - 1) == 0 &&
		    strchr(" \r\n", reply[4 + sizeof word - 1]) != NULL)
			return true;
		len += reply[len] == '\n';
	}
	return false;
}

static void
keep_helo(const char *reply)
{
	size_t len;

	if (reply == NULL || reply[0] != '2' || strlen(reply) < 5)
		return;
	len = strcspn(reply + 4, " \r\n");
	if (len >= sizeof conn.helo)
		len = sizeof conn.helo - 1;
	memcpy(conn.helo, reply + 4, len);
	conn.helo[len] = '\0';
}

static bool
permitted(const struct sts_policy *policy, const char *host)
{
	for (size_t i = 0; i < sts_policy_mx_count(policy); i++)
		if (sts_mx_match(host, sts_policy_mx(policy, i)))
			return true;
	return false;
}

/*
 * TLS is up in a transport that asks for no certificate.  Under "testing" it
 * is held to what "enforce" would ask for (RFC 8461 5): MX name 4.1,
 * certificate 4.2, version 7.2.  Without a policy any TLS is a success.
 */
static void
judge_session(struct sts_ctx *ctx, const struct exim_event *e)
{
	struct sts_answer *a;
	struct sts_err err;

	if (sts_query(ctx, conn.domain, STS_OFFLINE, &a, &err) != STS_OK)
		return;
	if (a->verdict != STS_POLICY || a->mode == STS_MODE_NONE)
		count(ctx, STS_SESSION_OK, NULL, false);
	else if (a->policy != NULL && !permitted(a->policy, conn.host))
		count(ctx, STS_VALIDATION_FAILURE, mismatch, false);
	else if (strstr(e->seen.tls, "1.0") != NULL ||
	    strstr(e->seen.tls, "1.1") != NULL)
		count(ctx, STS_VALIDATION_FAILURE, e->seen.tls, false);
	else if (!e->seen.verified ||
	    !sts_cert_has_dns_id(conn.der, conn.der_len, NULL))
		count(ctx, STS_CERTIFICATE_REFUSED, NULL, false);
	else
		count(ctx, STS_SESSION_OK, NULL, false);
	sts_answer_free(a);
}

/* --- Events --------------------------------------------------------------- */

static void
on_ehlo(struct sts_ctx *ctx, const struct exim_event *e)
{
	if (!in_hand(e))
		begin(e);
	keep_helo(e->data);
	copy(conn.from, sizeof conn.from, e->seen.from);
	if (e->seen.tls[0] == '\0') {
		conn.offered = offers_starttls(e->data);
		if (!conn.offered)
			count(ctx, STS_STARTTLS_NOT_SUPPORTED, NULL, false);
		else if (e->seen.avoid)
			conn.counted = true;
		return;
	}
	keep_der(e);
	if (e->seen.dane || strcmp(e->seen.mode, "dane") == 0)
		count(ctx, STS_SESSION_OK, NULL, true);
	else if (strcmp(e->seen.mode, "enforce") == 0)
		count(ctx, STS_SESSION_OK, NULL, false);
	else
		judge_session(ctx, e);
}

static void
on_dane(struct sts_ctx *ctx, const struct exim_event *e)
{
	static const struct {
		const char *word;
		enum sts_session_result result;
	} t[] = {
		{ "dane-required", STS_DANE_REQUIRED },
		{ "dnssec-invalid", STS_DNSSEC_INVALID },
		{ "starttls-not-supported", STS_STARTTLS_NOT_SUPPORTED },
		{ "validation-failure", STS_VALIDATION_FAILURE },
	};

	/* TLSA records are looked up before there is a connection. */
	if (!in_hand(e))
		begin(e);
	keep_der(e);
	for (size_t i = 0; e->data != NULL && i < sizeof t / sizeof *t; i++)
		if (strcmp(e->data, t[i].word) == 0)
			count(ctx, t[i].result, NULL, true);
}

/* Is it the answer to STARTTLS that Exim speaks of, and not of a later word? */
static bool
at_starttls(const char *text)
{
	const char *word = text == NULL ? NULL : strstr(text, "STARTTLS");

	return word != NULL && memchr(text, ':', (size_t)(word - text)) == NULL;
}

static void
on_failure(struct sts_ctx *ctx, const struct exim_event *e)
{
	bool refused = e->data != NULL &&
	    strncmp(e->data, "SMTP error", sizeof "SMTP error" - 1) == 0;

	if (!in_hand(e))
		return; /* no connection was tried */
	if (e->seen.error == EXIM_TLS_FAILURE) {
		keep_der(e);
		count(ctx,
		    conn.der_len > 0 ? STS_CERTIFICATE_REFUSED
				     : STS_VALIDATION_FAILURE,
		    e->data, false);
		failed.pid = conn.pid;
		memcpy(failed.host, conn.host, sizeof conn.host);
		memcpy(failed.to, conn.to, sizeof conn.to);
	} else if (e->seen.error == EXIM_TLS_REQUIRED) {
		count(ctx, STS_STARTTLS_NOT_SUPPORTED, e->data, false);
	} else if (conn.offered && at_starttls(e->data)) {
		count(ctx,
		    refused ? STS_STARTTLS_NOT_SUPPORTED
			    : STS_VALIDATION_FAILURE,
		    e->data, false);
	}
}

/* --- No MX host is left -------------------------------------------------- */

/* FNV-1a.  Is it the first time in this process, that is, for this message? */
static bool
first_time(const char *domain)
{
	static uint64_t known[DOMAINS_MAX];
	static size_t n;
	static pid_t pid;
	uint64_t h = 0xcbf29ce484222325;

	for (; *domain != '\0'; domain++)
		h = (h ^ (unsigned char)*domain) * 0x100000001b3;
	if (pid != getpid())
		n = 0;
	pid = getpid();
	for (size_t i = 0; i < n; i++)
		if (known[i] == h)
			return false;
	if (n < DOMAINS_MAX)
		known[n++] = h;
	return true;
}

/* The first of the MX hosts in list that the policy does not permit. */
static bool
forbidden(char host[STS_NAME_SIZE], const struct sts_policy *policy,
    const char *list)
{
	char name[STS_NAME_SIZE];
	size_t len;

	for (; *list != '\0'; list += len) {
		list += strspn(list, ":");
		len = strcspn(list, ":");
		if (len == 0 || len >= sizeof name)
			continue;
		memcpy(name, list, len);
		name[len] = '\0';
		if (sts_domain_normal(host, name, NULL) == STS_OK &&
		    !permitted(policy, host))
			return true;
	}
	return false;
}

void
exim_record_no_host(struct sts_ctx *ctx, const struct exim_event *e)
{
	char host[STS_NAME_SIZE], domain[STS_NAME_SIZE];
	struct sts_answer *a;
	struct sts_err err;
	struct sts_seen s = {
		.domain = domain,
		.result = STS_VALIDATION_FAILURE,
		.mx_host = host,
		.reason = mismatch,
	};

	/* Without MX records, or with the null MX, it is no mismatch. */
	if (e->data == NULL ||
	    sts_domain_normal(domain, e->domain, &err) != STS_OK ||
	    !first_time(domain) ||
	    sts_query(ctx, domain, STS_OFFLINE, &a, &err) != STS_OK)
		return;
	if (a->policy != NULL && forbidden(host, a->policy, e->data))
		(void)sts_record_session(ctx, &s, &err);
	sts_answer_free(a);
}

/* --- From outside ------------------------------------------------------- */

void
exim_record_end(struct sts_ctx *ctx)
{
	if (conn.pid == getpid() && conn.offered && !conn.counted)
		count(ctx, STS_STARTTLS_NOT_SUPPORTED, NULL, false);
	conn.pid = 0;
}

void
exim_record(struct sts_ctx *ctx, const struct exim_event *e)
{
	if (strcmp(e->name, "tcp:connect") == 0) {
		exim_record_end(ctx);
		begin(e);
	} else if (strcmp(e->name, "smtp:ehlo") == 0) {
		on_ehlo(ctx, e);
	} else if (strcmp(e->name, "tls:cert") == 0) {
		if (in_hand(e) && e->data != NULL && strcmp(e->data, "0") == 0)
			keep_der(e);
	} else if (strcmp(e->name, "dane:fail") == 0) {
		on_dane(ctx, e);
	} else if (strcmp(e->name, "msg:host:defer") == 0) {
		on_failure(ctx, e);
	}
}
