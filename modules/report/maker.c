/* SPDX-License-Identifier: ISC */
/*
 * A day's sessions become reports, RFC 8460 4: tally, policy text, JSON; then
 * the domain is asked whether it wants one.  Many are asked at once.
 */
#include "program.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>
#include <time.h>

#include "err.h"

enum {
	AT_ONCE = 64,
	TALLY_BYTES = 32 << 20,
	POLICIES = STS_TALLY_POLICIES_MAX + 1,
	ROWS = STS_TALLY_ROWS_MAX + 16,
	TEXT = STS_SESSION_TEXT_MAX + 1
};

struct making {
	struct program *program;
	struct sts_day *lines;
	int64_t day;
	char name[REPORT_DAY_TEXT];
	size_t asked; /* domains without an answer yet */
};

/* A report that waits for its domain's answer. */
struct made {
	struct making *making;
	struct parcel parcel;
	struct report_doc *doc;
};

/* --- Policies and rows -------------------------------------------------- */

/* Strings of a row, which JSON wants terminated. */
struct row_text {
	char sending_ip[TEXT], mx_host[TEXT], mx_helo[TEXT], receiving_ip[TEXT],
	    reason[TEXT];
};

struct draft {
	struct report report;
	struct report_policy policy[POLICIES];
	struct report_row row[POLICIES][ROWS];
	struct row_text text[POLICIES][ROWS];
	struct sts_slot slot[POLICIES]; /* their texts, from the cache */
};

/* Printable ASCII: what strangers said is shown, not repeated. */
static const char *
text(char out[TEXT], struct sts_str s)
{
	return sts_escape(out, TEXT, s);
}

static void
draft_row(struct making *m, struct report_row *out, struct row_text *t,
    const struct sts_tally_row *row)
{
	char why[160];
	enum sts_session_result result =
	    judge_sample(m->program, m->lines, row, why);

	out->result_type = sts_session_result_name(result);
	out->sending_ip = text(t->sending_ip, row->sending_ip);
	out->mx_host = text(t->mx_host, row->mx_host);
	out->mx_helo = text(t->mx_helo, row->mx_helo);
	out->receiving_ip = text(t->receiving_ip, row->receiving_ip);
	out->reason = text(t->reason, row->reason);
	if (row->other)
		out->reason = "various";
	else if (why[0] != '\0') {
		snprintf(t->reason, sizeof t->reason, "%s", why);
		out->reason = t->reason;
	}
	out->count = row->count;
}

/*
 * 4.4 policy-string: the policy that the sessions were under.  Where the cache
 * has it no more, none is better than the wrong one.
 */
static struct sts_str
policy_text(struct making *m, struct sts_slot *slot, const char *domain,
    const struct sts_tally_policy *p)
{
	char id[STS_ID_SIZE];

	if (p->type != STS_TYPE_STS || p->other || p->id.len >= sizeof id)
		return (struct sts_str){ "", 0 };
	memcpy(id, p->id.p, p->id.len);
	id[p->id.len] = '\0';
	if (sts_store_get_was(m->program->cache, domain, id, slot, NULL) !=
		STS_OK ||
	    slot->entry.kind != STS_ENTRY_POLICY)
		return (struct sts_str){ "", 0 };
	return slot->entry.body;
}

static void
draft_policy(struct making *m, struct draft *d,
    const struct sts_tally_policy *p)
{
	size_t i = d->report.n, n = 0;

	if (i == POLICIES)
		return;
	for (const struct sts_tally_row *r = p->row; r != NULL && n < ROWS;
	     r = r->next, n++)
		draft_row(m, &d->row[i][n], &d->text[i][n], r);
	d->policy[i] = (struct report_policy){
		.type = sts_policy_type_name(p->type),
		.text = policy_text(m, &d->slot[i], d->report.domain, p),
		.success = p->success,
		.failure = p->failure,
		.row = d->row[i],
		.n = n,
	};
	d->report.n++;
}

/* False: nothing that would be told. */
static bool
draft_fill(struct making *m, struct draft *d, const char *domain,
    const struct sts_tally_domain *t)
{
	uint64_t failures = 0;

	for (const struct sts_tally_policy *p = t->policy; p != NULL;
	     p = p->next)
		failures += p->failure;
	if (failures == 0 && !m->program->conf->report.success)
		return false;
	program_report(m->program, &d->report, domain, m->day);
	d->report.policy = d->policy;
	d->report.n = 0;
	for (const struct sts_tally_policy *p = t->policy; p != NULL;
	     p = p->next)
		draft_policy(m, d, p);
	return true;
}

/* --- Asking, and storing ------------------------------------------------ */

/* 4.1: not all at once, and not all at midnight. */
static int64_t
first_try(const struct making *m)
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
add_goal(struct made *made, const char *uri, size_t len)
{
	struct goal *g = &made->parcel.goal[made->parcel.n];

	if (len >= sizeof g->uri || made->parcel.n == STS_RUA_MAX ||
	    outbox_reaches(made->parcel.goal, made->parcel.n,
		(struct sts_str){ uri, len }))
		return;
	memset(g, 0, sizeof *g);
	memcpy(g->uri, uri, len);
	g->uri[len] = '\0';
	g->state = GOAL_WAITS;
	g->next = first_try(made->making);
	made->parcel.n++;
}

static void
drop(struct made *made)
{
	made->making->asked--;
	report_doc_free(made->doc);
	free(made);
}

/* False: no memory, or no disk. */
static bool
store(struct made *made, const char *json, size_t len)
{
	struct program *p = made->making->program;
	struct sts_err err = { 0 };
	enum sts_rc rc;
	size_t packed;
	void *gz = report_gzip(json, len, &packed);

	rc = gz == NULL
	    ? sts_fail(&err, STS_NOMEM, 0, "out of memory")
	    : outbox_put(p->outbox, &made->parcel, gz, packed, &err);
	free(gz);
	if (rc != STS_OK)
		syslog(LOG_ERR, "%s", err.text);
	return rc == STS_OK;
}

static void
keep(struct made *made)
{
	struct program *p = made->making->program;
	size_t len;
	char *json = report_doc_text(made->doc, &len);

	if (json == NULL)
		p->failed = true;
	else if (p->print)
		printf("%s\n", json);
	for (size_t i = 0; p->dry_run && i < made->parcel.n; i++)
		printf("%s %s %s\n", made->parcel.day, made->parcel.domain,
		    made->parcel.goal[i].uri);
	if (json != NULL && p->outbox != NULL && !p->dry_run && !p->print &&
	    made->parcel.n > 0 && !store(made, json, len))
		p->failed = true;
	free(json);
	drop(made);
}

static void
tlsa_answered(void *arg, const struct dns_answer *a)
{
	struct made *made = arg;

	report_doc_tlsa(made->doc, a->txt, a->n); /* of none, none */
	keep(made);
}

/*
 * 4.4 policy-string of DANE: the TLSA records as they are now.  The policy
 * domain is the MX host, 1.1.
 */
static bool
ask_tlsa(struct made *made)
{
	const struct program *p = made->making->program;
	char name[STS_NAME_SIZE + sizeof "_25._tcp."];

	snprintf(name, sizeof name, "_25._tcp.%s", made->parcel.domain);
	return dns_ask(p->dns, DNS_TLSA, name, p->conf->dns_timeout,
	    tlsa_answered, made);
}

static void
wanted(void *arg, enum sts_rc rc, const struct sts_tlsrpt *where)
{
	struct made *made = arg;

	for (size_t i = 0; rc == STS_OK && i < where->n; i++)
		add_goal(made, where->rua[i].p, where->rua[i].len);
	/* Asked again when it would be sent, for a day at most. */
	if (rc == STS_TEMPFAIL)
		add_goal(made, "?", 1);
	if (rc == STS_ABSENT)
		drop(made);
	else if (!report_doc_wants_tlsa(made->doc) || !ask_tlsa(made))
		keep(made);
}

/* NULL: no memory. */
static struct made *
pack(struct making *m, const struct report *r)
{
	struct made *made = calloc(1, sizeof *made);

	if (made == NULL)
		return NULL;
	made->making = m;
	memcpy(made->parcel.day, m->name, sizeof made->parcel.day);
	snprintf(made->parcel.domain, sizeof made->parcel.domain, "%s",
	    r->domain);
	memcpy(made->parcel.unique, r->unique, sizeof made->parcel.unique);
	made->doc = report_doc(r);
	return made;
}

static bool
make_one(struct making *m, struct draft *d, const struct sts_tally_domain *t)
{
	struct program *p = m->program;
	char domain[STS_NAME_SIZE];
	struct made *made;

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
	if (!discover(p, domain, wanted, made)) {
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
count(struct making *m, struct sts_tally *t, struct sts_err *err)
{
	char *line;
	size_t len;
	uint64_t at;
	enum sts_rc rc;

	sts_day_seek(m->lines, 0);
	while ((rc = sts_day_next(m->lines, &line, &len, &at, err)) == STS_OK)
		if (sts_tally_line(t, line, len, at) == STS_NOMEM)
			return sts_fail(err, STS_NOMEM, 0, "out of memory");
	return rc == STS_ABSENT ? STS_OK : rc;
}

static bool
make_all(struct making *m, struct sts_tally *t, struct draft *d,
    struct sts_err *err)
{
	const struct sts_tally_domain *domain;

	do {
		if (count(m, t, err) != STS_OK)
			return false;
		while ((domain = sts_tally_next(t)) != NULL)
			if (!make_one(m, d, domain)) {
				sts_fail(err, STS_NOMEM, 0, "out of memory");
				return false;
			}
	} while (sts_tally_again(t));
	while (m->asked > 0)
		if (event_base_loop(m->program->base, EVLOOP_ONCE) != 0)
			break;
	return true;
}

static void
finish(struct making *m, const struct sts_tally *t)
{
	struct program *p = m->program;
	struct sts_tally_sums sums = sts_tally_sums(t);
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
maker_run(struct program *p, int64_t day)
{
	struct making m = { .program = p, .day = day };
	struct sts_tally *t = NULL;
	struct draft *d = calloc(1, sizeof *d);
	struct sts_err err = { 0 };
	uint64_t seed = (uint64_t)p->now;
	bool good = false;

	(void)!getrandom(&seed, sizeof seed, GRND_NONBLOCK);
	report_day(m.name, day);
	if (d == NULL)
		sts_fail(&err, STS_NOMEM, 0, "out of memory");
	else if (sts_day_open(p->spool, day, &m.lines, &err) == STS_OK &&
	    sts_tally_new(&t, TALLY_BYTES, seed, &err) == STS_OK &&
	    (good = make_all(&m, t, d, &err)))
		finish(&m, t);
	if (!good) {
		syslog(LOG_ERR, "%s: %s", m.name, err.text);
		p->failed = true;
	}
	sts_tally_free(t);
	sts_day_close(m.lines);
	for (size_t i = 0; d != NULL && i < POLICIES; i++)
		sts_slot_clear(&d->slot[i]);
	free(d);
}
