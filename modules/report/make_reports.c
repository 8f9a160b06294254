/* SPDX-License-Identifier: ISC */
/*
 * A day's sessions become reports, RFC 8460 4: tally, policy text, JSON; then
 * the domain is asked whether it wants one.  Many are asked at once.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

#include "base/err.h"
#include "program.h"
#include <mtasts/session.h>

/* --- Certificates --------------------------------------------------------- */

/* RFC 8460 4.3.1; leaf_cert.h tells why "not yet valid" is not "expired". */
static enum sts_session_result
result_of(const struct leaf_verdict *v, enum sts_session_result was)
{
	switch (v->cert) {
	case STS_CERT_HOST_MISMATCH:
	case STS_CERT_NO_DNS_ID:
		return STS_CERTIFICATE_HOST_MISMATCH;
	case STS_CERT_EXPIRED:
		return STS_CERTIFICATE_EXPIRED;
	case STS_CERT_NOT_YET_VALID:
	case STS_CERT_NOT_TRUSTED:
		return STS_CERTIFICATE_NOT_TRUSTED;
	case STS_CERT_OK:
	case STS_CERT_OTHER:
		break;
	}
	/* Nothing is wrong with it that we can see, so it was something else */
	return was == STS_CERTIFICATE_REFUSED ? STS_VALIDATION_FAILURE : was;
}

static bool
open_issuers(struct program *p)
{
	struct sts_err err;

	if (p->issuers != NULL)
		return true;
	if (leaf_issuers_open(&p->issuers, p->conf, &err) == STS_OK)
		return true;
	p->issuers = NULL;
	syslog(LOG_ERR, "%s", err.text);
	return false;
}

enum sts_session_result
judge_sample(struct program *p, int64_t day, const struct sts_session *s,
    char *why)
{
	char host[STS_NAME_SIZE], der[STS_SESSION_DER_MAX];
	struct leaf_verdict v;
	struct sts_str cert = { der, 0 };

	why[0] = '\0';
	if (s->cert.len == 0 || s->mx_host.len == 0 ||
	    s->mx_host.len >= sizeof host || !open_issuers(p) ||
	    !sts_spool_cert(p->spool, day, s->cert, der, &cert.len))
		return s->result;
	memcpy(host, s->mx_host.p, s->mx_host.len);
	host[s->mx_host.len] = '\0';
	if (leaf_judge(&v, p->issuers, cert, host, s->time) != STS_OK)
		return s->result;
	snprintf(why, 160, "%s", v.why);
	return result_of(&v, s->result);
}

enum {
	AT_ONCE = 64,
	TALLY_BYTES = 32 << 20,
	POLICIES = STS_TOTALS_POLICIES_MAX + 1,
	ROWS = STS_TOTALS_ROWS_MAX + 16,
	TEXT = STS_SESSION_TEXT_MAX + 1
};

struct day {
	struct program *program;
	struct sts_day *lines;
	int64_t day;
	char name[REPORT_DAY_TEXT];
	size_t asked; /* domains without an answer yet */
};

/* A report that waits for its domain's answer. */
struct pending {
	struct day *making;
	struct report_state state;
	struct report_doc *doc;
};

/* --- Policies and rows -------------------------------------------------- */

/* Strings of a row, which JSON wants terminated. */
struct row_text {
	char sending_ip[TEXT], mx_host[TEXT], mx_helo[TEXT], receiving_ip[TEXT],
	    reason[TEXT];
};

struct report_parts {
	struct report report;
	struct report_policy policy[POLICIES];
	struct report_row row[POLICIES][ROWS];
	struct row_text text[POLICIES][ROWS];
	struct sts_loaded loaded[POLICIES]; /* their texts, from the cache */
};

static void
draft_row(struct day *m, struct report_row *out, struct row_text *t,
    const struct sts_totals_row *row)
{
	const struct sts_session sample = {
		.time = row->time,
		.result = row->result,
		.mx_host = row->mx_host,
		.cert = row->cert,
	};
	char why[160];
	enum sts_session_result result =
	    judge_sample(m->program, m->day, &sample, why);

	out->result_type = sts_session_result_name(result);
	out->sending_ip = sts_escape(t->sending_ip, TEXT, row->sending_ip);
	out->mx_host = sts_escape(t->mx_host, TEXT, row->mx_host);
	out->mx_helo = sts_escape(t->mx_helo, TEXT, row->mx_helo);
	out->receiving_ip =
	    sts_escape(t->receiving_ip, TEXT, row->receiving_ip);
	out->reason = sts_escape(t->reason, TEXT, row->reason);
	if (row->other)
		out->reason = "various";
	else if (why[0] != '\0') {
		snprintf(t->reason, sizeof t->reason, "%s", why);
		out->reason = t->reason;
	}
	out->count = row->count;
}

/*
 * RFC 8460 4.4 policy-string: the policy that the sessions were under.  Where
 * the cache has it no more, none is better than the wrong one.
 */
static struct sts_str
policy_text(struct day *m, struct sts_loaded *loaded, const char *domain,
    const struct sts_totals_policy *p)
{
	char id[STS_ID_SIZE];

	if (p->type != STS_TYPE_STS || p->other || p->id.len >= sizeof id)
		return (struct sts_str){ "", 0 };
	memcpy(id, p->id.p, p->id.len);
	id[p->id.len] = '\0';
	if (sts_store_get_replaced(m->program->cache, domain, id, loaded,
		NULL) != STS_OK ||
	    loaded->entry.kind != STS_ENTRY_POLICY)
		return (struct sts_str){ "", 0 };
	return loaded->entry.body;
}

static void
draft_policy(struct day *m, struct report_parts *d,
    const struct sts_totals_policy *p)
{
	size_t i = d->report.n, n = 0;

	if (i == POLICIES)
		return;
	for (const struct sts_totals_row *r = p->row; r != NULL && n < ROWS;
	     r = r->next, n++)
		draft_row(m, &d->row[i][n], &d->text[i][n], r);
	d->policy[i] = (struct report_policy){
		.type = sts_policy_type_name(p->type),
		.text = policy_text(m, &d->loaded[i], d->report.domain, p),
		.success = p->success,
		.failure = p->failure,
		.row = d->row[i],
		.n = n,
	};
	d->report.n++;
}

/* False: nothing that would be told. */
static bool
draft_fill(struct day *m, struct report_parts *d, const char *domain,
    const struct sts_totals_domain *t)
{
	uint64_t failures = 0;

	for (const struct sts_totals_policy *p = t->policy; p != NULL;
	     p = p->next)
		failures += p->failure;
	if (failures == 0 && !m->program->conf->report.success)
		return false;
	report_begin(&d->report, &m->program->conf->report,
	    m->program->submitter, m->program->host, domain, m->day);
	d->report.policy = d->policy;
	d->report.n = 0;
	for (const struct sts_totals_policy *p = t->policy; p != NULL;
	     p = p->next)
		draft_policy(m, d, p);
	return true;
}

/* --- Asking, and storing ------------------------------------------------ */

/* RFC 8460 4.1: not all at once, and not all at midnight. */
static int64_t
first_try(const struct day *m)
{
	unsigned jitter = m->program->conf->report.jitter;
	int64_t at = m->day + STS_DAY;
	uint32_t random = 0;

	if (jitter > 0 &&
	    getrandom(&random, sizeof random, GRND_NONBLOCK) != -1)
		at += random % jitter;
	return at > m->program->now ? at : m->program->now;
}

static void
add_destination(struct pending *made, const char *uri, size_t len)
{
	struct destination *g = &made->state.dest[made->state.n];

	if (len >= sizeof g->uri || made->state.n == STS_RUA_MAX ||
	    outbox_reaches(made->state.dest, made->state.n,
		(struct sts_str){ uri, len }))
		return;
	memset(g, 0, sizeof *g);
	memcpy(g->uri, uri, len);
	g->uri[len] = '\0';
	g->state = DEST_WAITS;
	g->next = first_try(made->making);
	made->state.n++;
}

static void
drop(struct pending *made)
{
	made->making->asked--;
	report_doc_free(made->doc);
	free(made);
}

/* False: no memory, or no disk. */
static bool
store(struct pending *made, const char *json, size_t len)
{
	struct program *p = made->making->program;
	struct sts_err err = { 0 };
	enum sts_rc rc;
	size_t packed;
	void *gz = report_gzip(json, len, &packed);

	rc = gz == NULL ? sts_fail(&err, STS_NOMEM, 0, "out of memory")
			: outbox_put(p->outbox, &made->state, gz, packed, &err);
	free(gz);
	if (rc != STS_OK)
		syslog(LOG_ERR, "%s", err.text);
	return rc == STS_OK;
}

static void
keep(struct pending *made)
{
	struct program *p = made->making->program;
	size_t len;
	char *json = report_doc_text(made->doc, &len);

	if (json == NULL)
		p->failed = true;
	else if (p->print)
		printf("%s\n", json);
	for (size_t i = 0; p->dry_run && i < made->state.n; i++)
		printf("%s %s %s\n", made->state.day, made->state.domain,
		    made->state.dest[i].uri);
	if (json != NULL && p->outbox != NULL && !p->dry_run && !p->print &&
	    made->state.n > 0 && !store(made, json, len))
		p->failed = true;
	free(json);
	drop(made);
}

static void
tlsa_answered(void *arg, const struct dns_answer *a)
{
	struct pending *made = arg;

	report_doc_tlsa(made->doc, a->txt, a->n); /* of none, none */
	keep(made);
}

/*
 * RFC 8460 4.4 policy-string of DANE: the TLSA records as they are now.  The
 * policy domain is the MX host, RFC 8460 1.1.
 */
static bool
ask_tlsa(struct pending *made)
{
	const struct program *p = made->making->program;
	char name[STS_NAME_SIZE + sizeof "_25._tcp."];

	snprintf(name, sizeof name, "_25._tcp.%s", made->state.domain);
	return dns_ask(p->dns, DNS_TLSA, name, p->conf->dns_timeout,
	    tlsa_answered, made);
}

static void
wanted(void *arg, enum sts_rc rc, const struct sts_tlsrpt *where)
{
	struct pending *made = arg;

	for (size_t i = 0; rc == STS_OK && i < where->n; i++)
		add_destination(made, where->rua[i].p, where->rua[i].len);
	/* Asked again when it would be sent, for a day at most. */
	if (rc == STS_TEMPFAIL)
		add_destination(made, "?", 1);
	if (rc == STS_ABSENT)
		drop(made);
	else if (!report_doc_wants_tlsa(made->doc) || !ask_tlsa(made))
		keep(made);
}

/* NULL: no memory. */
static struct pending *
pack(struct day *m, const struct report *r)
{
	struct pending *made = calloc(1, sizeof *made);

	if (made == NULL)
		return NULL;
	made->making = m;
	memcpy(made->state.day, m->name, sizeof made->state.day);
	snprintf(made->state.domain, sizeof made->state.domain, "%s",
	    r->domain);
	memcpy(made->state.unique, r->unique, sizeof made->state.unique);
	made->doc = report_doc(r);
	return made;
}

static bool
make_one(struct day *m, struct report_parts *d,
    const struct sts_totals_domain *t)
{
	struct program *p = m->program;
	char domain[STS_NAME_SIZE];
	struct pending *made;

	if (t->name.len >= sizeof domain)
		return true;
	if (t->name.len > OUTBOX_DOMAIN_MAX) {
		syslog(LOG_WARNING, "%s: no report to a name of %zu bytes",
		    m->name, t->name.len);
		return true;
	}
	memcpy(domain, t->name.p, t->name.len);
	domain[t->name.len] = '\0';
	if ((p->only != NULL && strcmp(p->only, domain) != 0) ||
	    (p->outbox != NULL && !p->dry_run && !p->print &&
		outbox_has(p->outbox, m->name, domain)) ||
	    !draft_fill(m, d, domain, t))
		return true;
	if ((made = pack(m, &d->report)) == NULL)
		return false;
	m->asked++;
	if (!rua_lookup(p, domain, wanted, made)) {
		wanted(made, STS_TEMPFAIL, NULL);
		return false;
	}
	while (m->asked >= AT_ONCE)
		if (event_base_loop(p->base, EVLOOP_ONCE) != 0)
			return false;
	return true;
}

/* --- The day ------------------------------------------------------------ */

static enum sts_rc
count(struct day *m, struct sts_totals *t, struct sts_err *err)
{
	char *line;
	size_t len;
	uint64_t at;
	enum sts_rc rc;

	sts_day_seek(m->lines, 0);
	while ((rc = sts_day_next(m->lines, &line, &len, &at, err)) == STS_OK)
		if (sts_totals_line(t, line, len) == STS_NOMEM)
			return sts_fail(err, STS_NOMEM, 0, "out of memory");
	return rc == STS_ABSENT ? STS_OK : rc;
}

static bool
make_all(struct day *m, struct sts_totals *t, struct report_parts *d,
    struct sts_err *err)
{
	const struct sts_totals_domain *domain;

	do {
		if (count(m, t, err) != STS_OK)
			return false;
		while ((domain = sts_totals_next(t)) != NULL)
			if (!make_one(m, d, domain)) {
				sts_fail(err, STS_NOMEM, 0, "out of memory");
				return false;
			}
	} while (sts_totals_again(t));
	while (m->asked > 0)
		if (event_base_loop(m->program->base, EVLOOP_ONCE) != 0)
			break;
	return true;
}

static void
finish(struct day *m, const struct sts_totals *t)
{
	struct program *p = m->program;
	struct sts_totals_sums sums = sts_totals_sums(t);
	struct sts_err err;

	if (sums.odd > 0)
		syslog(LOG_WARNING,
		    "%s: %" PRIu64 " damaged lines of %" PRIu64 " left out",
		    m->name, sums.odd, sums.odd + sums.sessions);
	if (p->outbox == NULL || p->dry_run || p->print || p->only != NULL ||
	    p->failed)
		return;
	if (outbox_end_day(p->outbox, m->name, &err) != STS_OK) {
		syslog(LOG_ERR, "%s", err.text);
		p->failed = true;
	}
}

void
make_reports(struct program *p, int64_t day)
{
	struct day m = { .program = p, .day = day };
	struct sts_totals *t = NULL;
	struct report_parts *d = calloc(1, sizeof *d);
	struct sts_err err = { 0 };
	uint64_t seed = (uint64_t)p->now;
	bool good = false;

	(void)!getrandom(&seed, sizeof seed, GRND_NONBLOCK);
	report_day(m.name, day);
	if (d == NULL)
		sts_fail(&err, STS_NOMEM, 0, "out of memory");
	else if (sts_day_open(p->spool, day, &m.lines, &err) == STS_OK &&
	    sts_totals_new(&t, TALLY_BYTES, seed, &err) == STS_OK &&
	    (good = make_all(&m, t, d, &err)))
		finish(&m, t);
	if (!good) {
		syslog(LOG_ERR, "%s: %s", m.name, err.text);
		p->failed = true;
	}
	sts_totals_free(t);
	sts_day_close(m.lines);
	for (size_t i = 0; d != NULL && i < POLICIES; i++)
		sts_loaded_clear(&d->loaded[i]);
	free(d);
}
