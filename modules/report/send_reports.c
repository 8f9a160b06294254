/* SPDX-License-Identifier: ISC */
/* Sending what is due, RFC 8460 5: by mail, by HTTPS, again and again. */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/err.h"
#include "https_post.h"
#include "net/gate.h"
#include "net/tls.h"
#include "program.h"
#include "report_mail.h"
#include "rules/rua.h"
#include <mtasts/session.h>

struct sending {
	struct program *program;
	struct report_state *state;
	void *gz; /* NULL until needed */
	size_t len;
};

/* --- Looking up while nothing else is to be done ------------------------ */

struct answer {
	bool come;
	enum sts_rc rc;
	struct destination dest[STS_RUA_MAX];
	struct sts_addr addr[8];
	size_t n;
};

static void
wait_for(struct program *p, const struct answer *a)
{
	while (!a->come && event_base_loop(p->base, EVLOOP_ONCE) == 0)
		;
}

static void
discovered(void *arg, enum sts_rc rc, const struct sts_tlsrpt *found)
{
	struct answer *a = arg;

	a->come = true;
	a->rc = rc;
	for (size_t i = 0; rc == STS_OK && i < found->n; i++)
		if (found->rua[i].len < sizeof a->dest[0].uri &&
		    !outbox_reaches(a->dest, a->n, found->rua[i])) {
			memcpy(a->dest[a->n].uri, found->rua[i].p,
			    found->rua[i].len);
			a->dest[a->n++].uri[found->rua[i].len] = '\0';
		}
}

static void
resolved(void *arg, const struct dns_answer *d)
{
	struct answer *a = arg;

	a->come = true;
	a->rc = d->outcome == DNS_TEMPFAIL ? STS_TEMPFAIL : STS_OK;
	for (size_t i = 0; i < d->n && a->n < ARRAY_LEN(a->addr); i++)
		a->addr[a->n++] = d->addr[i];
}

/* --- One dest ------------------------------------------------------------ */

static enum sts_rc
by_mail(struct sending *s, const struct rua *to, struct sts_err *err)
{
	struct program *p = s->program;
	const struct sts_report_conf *c = &p->conf->report;
	const char *sender = c->sender != NULL ? c->sender : c->contact;
	struct report r;
	enum sts_rc rc;
	size_t len;
	char *text;

	if (p->sendmail_hangs) /* not one report after the other is lost */
		return sts_fail(err, STS_TEMPFAIL, 0,
		    "%s was too slow with another report", c->sendmail);
	report_begin(&r, &p->conf->report, p->submitter, p->host,
	    s->state->domain, sts_day_of(s->state->day));
	memcpy(r.unique, s->state->unique, sizeof r.unique);
	text = mail_text(&r, sender, to->address, s->gz, s->len, p->now, &len);
	if (text == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	rc = mail_send(c->sendmail, sender, to->address, text, len, SENDMAIL_MS,
	    &p->sendmail_hangs, err);
	free(text);
	return rc;
}

static enum sts_rc
by_https(struct sending *s, const struct rua *to, struct sts_err *err)
{
	struct program *p = s->program;
	struct answer a = { .come = false };
	struct sts_addr good[8];
	struct tls_ca ca;
	const char *why = NULL;
	size_t n = 0;
	enum sts_rc rc;

	if ((rc = tls_find_ca(&ca, p->conf, err)) != STS_OK)
		return rc;
	if (!dns_ask(p->dns, DNS_ADDRESS, to->host, p->conf->dns_timeout,
		resolved, &a))
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	wait_for(p, &a);
	for (size_t i = 0; i < a.n; i++)
		if ((why = gate_refuses(p->conf, GATE_POST, &a.addr[i],
			 to->port)) == NULL)
			good[n++] = a.addr[i];
	if (n == 0)
		return sts_fail(err, STS_TEMPFAIL, 0, "%s has no address%s%s",
		    to->host, why == NULL ? "" : " that may be reached: ",
		    why == NULL ? "" : why);
	return post_send(to, &ca, p->conf, good, n, s->gz, s->len, err);
}

static enum sts_rc
deliver(struct sending *s, const struct destination *g, struct sts_err *err)
{
	struct rua to;

	sts_rua_read(&to, (struct sts_str){ g->uri, strlen(g->uri) });
	if (s->gz == NULL &&
	    (s->gz = outbox_body(s->program->outbox, s->state, &s->len)) ==
		NULL)
		return sts_fail(err, STS_LOCAL, 0, "the report is gone");
	if (to.kind == RUA_MAIL)
		return by_mail(s, &to, err);
	if (to.kind == RUA_HTTPS)
		return by_https(s, &to, err);
	return sts_fail(err, STS_INVALID, 0, "not a URI to send to");
}

static void
tell(const struct sending *s, const struct destination *g, const char *what,
    const char *why)
{
	char shown[300];

	syslog(g->state == DEST_SENT && why[0] == '\0' ? LOG_INFO : LOG_WARNING,
	    "TLS report of %s for %s to %s: %s%s%s", s->state->day,
	    s->state->domain,
	    sts_escape(shown, sizeof shown,
		(struct sts_str){ g->uri, strlen(g->uri) }),
	    what, why[0] == '\0' ? "" : ": ", why);
}

static bool
store(struct sending *s)
{
	struct sts_err err;

	if (outbox_update(s->program->outbox, s->state, &err) == STS_OK)
		return true;
	syslog(LOG_ERR, "%s", err.text);
	s->program->failed = true;
	return false;
}

static void
failed(struct sending *s, struct destination *g, const struct sts_err *err)
{
	if (err->rc == STS_INVALID)
		g->state = DEST_GIVEN_UP;
	else if (destination_failed(g, s->program->now)) {
		tell(s, g, "failed, tried again later", err->text);
		return;
	}
	tell(s, g, "given up", err->text);
}

/* RFC 8460 5.5: what the disk cannot remember is not done. */
static void
try(struct sending *s, struct destination *g)
{
	struct sts_err err = { 0 };

	g->tries++;
	if (g->first == 0)
		g->first = s->program->now;
	g->state = DEST_SENDING;
	if (!store(s))
		return;
	if (deliver(s, g, &err) == STS_OK) {
		g->state = DEST_SENT;
		tell(s, g, "sent", err.text);
	} else
		failed(s, g, &err);
	(void)store(s);
}

/* The domain could not be asked when the report was made. */
static void
ask_again(struct sending *s, struct destination *g)
{
	struct answer *a = calloc(1, sizeof *a);
	struct sts_err err = { .rc = STS_TEMPFAIL, .text = "DNS" };

	g->tries++;
	if (g->first == 0)
		g->first = s->program->now;
	if (a == NULL ||
	    !rua_lookup(s->program, s->state->domain, discovered, a)) {
		free(a);
		return;
	}
	wait_for(s->program, a);
	if (a->rc == STS_TEMPFAIL)
		failed(s, g, &err);
	else {
		s->state->n = a->n;
		for (size_t i = 0; i < a->n; i++)
			s->state->dest[i] = a->dest[i]; /* waits, due now */
	}
	free(a);
	(void)store(s);
}

/* --- One state ---------------------------------------------------------- */

static bool
waits(const struct report_state *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->dest[i].state == DEST_WAITS)
			return true;
	return false;
}

static void
send_report(void *arg, struct report_state *state)
{
	struct sending s = { .program = arg, .state = state };
	struct destination *g = state->dest;
	bool had = waits(state);

	if (s.program->only != NULL &&
	    strcmp(s.program->only, state->domain) != 0)
		return;
	for (size_t i = 0; i < state->n; i++)
		if (g[i].state == DEST_SENDING) { /* a crash */
			g[i].state = DEST_SENT;
			tell(&s, &g[i], "interrupted, counts as sent", "");
			(void)store(&s);
			had = true;
		}
	if (state->n == 1 && strcmp(g->uri, "?") == 0 &&
	    g->state == DEST_WAITS && g->next <= s.program->now)
		ask_again(&s, g);
	for (size_t i = 0; i < state->n; i++)
		if (g[i].state == DEST_WAITS && g[i].next <= s.program->now &&
		    strcmp(g[i].uri, "?") != 0)
			try(&s, &g[i]);
	if (had && !waits(state))
		outbox_served(s.program->outbox, state);
	free(s.gz);
}

void
send_reports(struct program *p)
{
	outbox_each(p->outbox, send_report, p);
}
