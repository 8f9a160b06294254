/* SPDX-License-Identifier: ISC */
/* Asking MX hosts for their certificates, and what that says of sessions. */
#include "starttls_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/accountant.h"
#include "base/domain_name.h"
#include "base/err.h"
#include "base/hash.h"
#include "lookup_job.h"
#include "net/gate.h"
#include "net/owner_keys.h"
#include "tlsrpt/session_line.h"
#include "tlsrpt/spool.h"
#include <mtasts/mx.h>
#include <mtasts/session.h>

/* --- The verdict ---------------------------------------------------------- */

/*
 * RFC 8460 4.3.1: the same result types as of cert_result() in modules/report.
 * True, as verdict() returns it.
 */
static bool
set_cert_result(struct sts_session *s, enum sts_cert cert)
{
	switch (cert) {
	case STS_CERT_HOST_MISMATCH:
		s->result = STS_CERTIFICATE_HOST_MISMATCH;
		s->reason = str_of("certificate does not name the host");
		return true;
	case STS_CERT_NO_DNS_ID:
		s->result = STS_CERTIFICATE_HOST_MISMATCH;
		s->reason =
		    str_of("certificate does not name the host as a DNS name");
		return true;
	case STS_CERT_EXPIRED:
		s->result = STS_CERTIFICATE_EXPIRED;
		s->reason = str_of("certificate has expired");
		return true;
	case STS_CERT_NOT_YET_VALID:
		s->result = STS_CERTIFICATE_NOT_TRUSTED;
		s->reason = str_of("certificate is not valid yet");
		return true;
	case STS_CERT_NOT_TRUSTED:
		s->result = STS_CERTIFICATE_NOT_TRUSTED;
		s->reason = str_of("certificate has no trusted issuer");
		return true;
	case STS_CERT_OK:
	case STS_CERT_OTHER:
		break;
	}
	s->result = STS_VALIDATION_FAILURE;
	s->reason = str_of("certificate refused");
	return true;
}

/* By a mail server that has verified chain, name and dates of a certificate. */
static bool
overlooked(const struct finding *f)
{
	return f->end == STS_REPLY_CERT &&
	    (f->cert == STS_CERT_NO_DNS_ID || f->cert == STS_CERT_OTHER);
}

bool
verdict(struct sts_session *s, const struct finding *f)
{
	bool up = s->result == STS_SESSION_OK;
	bool verified = up && str_is(s->reason, STS_REASON_VERIFIED);
	bool shared = !up && str_is(s->reason, STS_REASON_SHARED);

	if (up)
		s->reason = str_of("");
	if (verified && !overlooked(f))
		return true;
	if (shared && f->end != STS_REPLY_CERT && f->end != STS_REPLY_TLS)
		return false;
	switch (f->end) {
	case STS_REPLY_CERT:
		return set_cert_result(s, f->cert);
	case STS_REPLY_COMPLETE:
		if (!up)
			s->reason = str_of("TLS failed; it works by now");
		return true;
	case STS_REPLY_TLS:
		/* TLS, but not as RFC 8461 7.2 asks for. */
		s->result = STS_VALIDATION_FAILURE;
		s->reason = str_of(f->why);
		return true;
	case STS_REPLY_TIMEOUT:
	case STS_REPLY_CONNECT:
	case STS_REPLY_TOO_BIG:
	case STS_REPLY_CUT:
	case STS_REPLY_PROTOCOL:
	case STS_REPLY_LOCAL:
		break;
	}
	return !up;
}

/* A session that waits, as its line. */
struct wait {
	STAILQ_ENTRY(wait) next;
	size_t len;
	char line[];
};
STAILQ_HEAD(waits, wait);

/* A host at an address that is, or will be, asked. */
struct target {
	TAILQ_ENTRY(target) next;
	struct starttls_checks *checks;
	bool asked;
	char host[STS_NAME_SIZE];
	struct sts_addr addr;
	struct sts_account_keys owner;
	struct waits waits;
};
TAILQ_HEAD(targets, target);

struct known {
	uint64_t hash; /* of host and address */
	int64_t when;  /* 0: nothing is known */
	struct finding finding;
};

struct starttls_checks {
	struct lookups *lookups;
	/* Sessions and targets, by the owner of the host and of the address. */
	struct sts_accountant waiting, busy;
	struct owner_keys owners;
	struct targets targets;
	char ehlo[STS_NAME_SIZE];
	struct known known[STARTTLS_CHECK_MEMO];
};

/* --- What is known ------------------------------------------------------- */

static uint64_t
hash_of(const char *host, const struct sts_addr *addr)
{
	char text[STS_ADDR_TEXT];

	return sts_hash_more(sts_hash(str_of(host)),
	    str_of(sts_addr_text(addr, text)));
}

static struct known *
known_of(struct starttls_checks *j, const char *host,
    const struct sts_addr *addr)
{
	return &j->known[hash_of(host, addr) % STARTTLS_CHECK_MEMO];
}

/* Of one that failed the reason is wanted, not that of an hour ago. */
static bool
still_known(const struct known *k, uint64_t hash, const struct sts_session *s)
{
	bool ok = s->result == STS_SESSION_OK;
	bool well = k->finding.end == STS_REPLY_COMPLETE;
	bool found = well || k->finding.end == STS_REPLY_CERT;

	return k->when != 0 && k->hash == hash &&
	    (ok || !well || k->when >= s->time) &&
	    sts_within(time(NULL), k->when,
		found && ok ? STARTTLS_CHECK_SPAN : STARTTLS_CHECK_SOON);
}

static void
record(struct starttls_checks *j, struct sts_session *s,
    const struct finding *f)
{
	if (verdict(s, f))
		lookup_record(j->lookups, s);
}

/* --- Asking -------------------------------------------------------------- */

static void start(struct starttls_checks *);

static void
end(struct target *t, const struct finding *f)
{
	struct starttls_checks *j = t->checks;
	struct sts_session s;
	struct wait *w;

	while ((w = STAILQ_FIRST(&t->waits)) != NULL) {
		STAILQ_REMOVE_HEAD(&t->waits, next);
		sts_accountant_give_back(&j->waiting, &t->owner);
		if (sts_session_decode(&s, w->line, w->len))
			record(j, &s, f);
		free(w);
	}
	TAILQ_REMOVE(&j->targets, t, next);
	free(t);
}

static void
found(void *arg, const struct sts_reply *reply)
{
	struct target *t = arg;
	struct starttls_checks *j = t->checks;
	struct known *k = known_of(j, t->host, &t->addr);

	*k = (struct known){ .hash = hash_of(t->host, &t->addr),
		.when = time(NULL),
		.finding = { .end = reply->end, .cert = reply->cert } };
	snprintf(k->finding.why, sizeof k->finding.why, "%s", reply->why);
	sts_accountant_give_back(&j->busy, &t->owner);
	end(t, &k->finding);
	start(j);
}

/* Strangers choose the addresses of their hosts: not us. */
static bool
ask(struct target *t)
{
	struct lookups *l = t->checks->lookups;
	struct sts_err err;

	if (gate_refuses(l->conf, GATE_PROBE, &t->addr, 25) != NULL)
		return false;
	if (l->http == NULL &&
	    (l->http = http_new(l->base, l->conf, &err)) == NULL)
		return false;
	t->asked = true;
	return http_starttls(l->http, t->host, &t->addr, t->checks->ehlo,
	    STARTTLS_CHECK_MS, found, t);
}

static void
start(struct starttls_checks *j)
{
	static const struct finding nothing = { .end = STS_REPLY_LOCAL };
	struct target *t, *next;

	for (t = TAILQ_FIRST(&j->targets); t != NULL; t = next) {
		next = TAILQ_NEXT(t, next);
		if (t->asked || !sts_accountant_may(&j->busy, &t->owner))
			continue;
		if (ask(t))
			sts_accountant_take(&j->busy, &t->owner);
		else
			end(t, &nothing);
	}
}

/* --- Sessions ------------------------------------------------------------ */

static struct sts_account_keys
owner_of(const struct starttls_checks *j, const char *host,
    const struct sts_addr *addr)
{
	return (struct sts_account_keys){ { owner_of_name(&j->owners, host),
	    owner_of_address(&j->owners, addr) } };
}

static struct target *
target_for(struct starttls_checks *j, const char *host,
    const struct sts_addr *addr)
{
	uint64_t h = hash_of(host, addr);
	struct target *t;

	TAILQ_FOREACH(t, &j->targets, next)
	if (hash_of(t->host, &t->addr) == h && strcmp(t->host, host) == 0)
		return t;
	if ((t = calloc(1, sizeof *t)) == NULL)
		return NULL;
	t->checks = j;
	t->addr = *addr;
	snprintf(t->host, sizeof t->host, "%s", host);
	t->owner = owner_of(j, host, addr);
	STAILQ_INIT(&t->waits);
	TAILQ_INSERT_TAIL(&j->targets, t, next);
	return t;
}

/* False: no room; it is as if nobody had been there to be asked. */
static bool
wait_for(struct starttls_checks *j, const struct sts_session *s,
    const char *host, const struct sts_addr *addr)
{
	char line[STS_SESSION_LINE_MAX];
	struct sts_account_keys owner = owner_of(j, host, addr);
	size_t len = sts_session_encode(line, s);
	struct target *t;
	struct wait *w;

	if (len == 0 || !sts_accountant_may(&j->waiting, &owner) ||
	    (w = malloc(sizeof *w + len)) == NULL)
		return false;
	if ((t = target_for(j, host, addr)) == NULL) {
		free(w);
		return false;
	}
	w->len = len - 1; /* without its newline */
	memcpy(w->line, line, len);
	STAILQ_INSERT_TAIL(&t->waits, w, next);
	sts_accountant_take(&j->waiting, &owner);
	return true;
}

void
starttls_checks_add(struct starttls_checks *j, char *line, size_t len)
{
	static const struct finding nothing = { .end = STS_REPLY_LOCAL };
	char host[STS_NAME_SIZE];
	struct sts_session s;
	struct sts_addr addr;
	struct known *k;

	if (!sts_session_decode(&s, line, len) ||
	    (s.result != STS_SESSION_OK && s.result != STS_VALIDATION_FAILURE))
		return;
	if (!sts_host_normal(host, s.mx_host) ||
	    !sts_addr_parse(&addr, s.receiving_ip)) {
		record(j, &s, &nothing);
		return;
	}
	k = known_of(j, host, &addr);
	if (still_known(k, hash_of(host, &addr), &s))
		record(j, &s, &k->finding);
	else if (wait_for(j, &s, host, &addr))
		start(j);
	else
		record(j, &s, &nothing);
}

struct starttls_checks *
starttls_checks_new(struct lookups *l)
{
	struct starttls_checks *j = calloc(1, sizeof *j);
	char name[STS_NAME_SIZE];

	if (j == NULL)
		return NULL;
	j->lookups = l;
	TAILQ_INIT(&j->targets);
	owner_keys_init(&j->owners);
	if (!sts_accountant_init(&j->busy, STARTTLS_CHECK_AT_ONCE) ||
	    !sts_accountant_init(&j->waiting, STARTTLS_CHECK_WAIT)) {
		starttls_checks_free(j);
		return NULL;
	}
	if (gethostname(name, sizeof name) != 0)
		name[0] = '\0';
	name[sizeof name - 1] = '\0';
	if (sts_domain_normal(j->ehlo, name, NULL) != STS_OK)
		snprintf(j->ehlo, sizeof j->ehlo, "localhost");
	return j;
}

void
starttls_checks_free(struct starttls_checks *j)
{
	static const struct finding nothing = { .end = STS_REPLY_LOCAL };

	if (j == NULL)
		return;
	while (!TAILQ_EMPTY(&j->targets))
		end(TAILQ_FIRST(&j->targets), &nothing);
	sts_accountant_clear(&j->busy);
	sts_accountant_clear(&j->waiting);
	free(j);
}
