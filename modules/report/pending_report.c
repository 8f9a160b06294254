/* SPDX-License-Identifier: ISC */
#include "pending_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

#include "base/err.h"
#include "net/registrable_domain.h"
#include <mtasts/session.h>

/*
 * An owner whose names are many, and whose servers are silent, takes neither
 * the time nor the disk of others.  Few of his reports are sent, whatever there
 * are: report_caps.h.
 */
enum {
	PENDING_MAX = 64,
	OWNER_SILENT = 16, /* then his are asked when they would be sent */
	OWNER_REPORTS = 256
};

struct pending {
	struct pending_reports *all;
	uint64_t kept, silent; /* counts of the owner, in all->owners */
	struct report_state state;
	struct report_doc *doc;
};

/* RFC 8460 4.1: at a random time after midnight. */
static int64_t
first_try(const struct pending_reports *all)
{
	unsigned jitter = all->program->conf->report.jitter;
	int64_t at = all->day + STS_DAY;
	uint32_t random = 0;

	if (jitter > 0 &&
	    getrandom(&random, sizeof random, GRND_NONBLOCK) != -1)
		at += random % jitter;
	return at > all->program->now ? at : all->program->now;
}

static void
add_destination(struct pending *r, const char *uri, size_t len)
{
	struct destination *g = &r->state.dest[r->state.n];

	if (len >= sizeof g->uri || r->state.n == STS_RUA_MAX ||
	    outbox_reaches(r->state.dest, r->state.n,
		(struct sts_str){ uri, len }))
		return;
	memset(g, 0, sizeof *g);
	memcpy(g->uri, uri, len);
	g->uri[len] = '\0';
	g->state = DEST_WAITS;
	g->next = first_try(r->all);
	r->state.n++;
}

/* Without memory a limit may be missed. */
static void
count(struct pending_reports *all, uint64_t key, int by)
{
	uint32_t n = key_counts_get(&all->owners, key);

	(void)key_counts_set(&all->owners, key, by < 0 ? n - (n > 0) : n + 1);
}

static void
free_pending(struct pending *r)
{
	r->all->n--;
	report_doc_free(r->doc);
	free(r);
}

/* False: no memory, or it cannot be written; it was logged. */
static bool
store(struct pending *r, const char *json, size_t len)
{
	struct program *p = r->all->program;
	struct sts_err err = { 0 };
	enum sts_rc rc;
	size_t packed;
	void *gz = report_gzip(json, len, &packed);

	rc = gz == NULL ? sts_fail(&err, STS_NOMEM, 0, "out of memory")
			: outbox_put(p->outbox, &r->state, gz, packed, &err);
	free(gz);
	if (rc != STS_OK)
		syslog(LOG_ERR, "%s", err.text);
	return rc == STS_OK;
}

/* All answers are there: store it, or print it, and forget it. */
static void
finish(struct pending *r)
{
	struct program *p = r->all->program;
	size_t len;
	char *json = report_doc_text(r->doc, &len);

	if (json == NULL)
		r->all->failed = true;
	else if (p->print)
		printf("%s\n", json);
	for (size_t i = 0; p->dry_run && i < r->state.n; i++)
		printf("%s %s %s\n", r->state.day, r->state.domain,
		    r->state.dest[i].uri);
	if (json != NULL && stores(p) && r->state.n > 0 && !store(r, json, len))
		r->all->failed = true;
	free(json);
	free_pending(r);
}

static void
tlsa_answered(void *arg, const struct dns_answer *a)
{
	struct pending *r = arg;

	report_doc_tlsa(r->doc, a->txt, a->n); /* n is 0 without an answer */
	finish(r);
}

/*
 * RFC 8460 4.4 policy-string of DANE: the TLSA records as they are now.  The
 * policy domain is the MX host, RFC 8460 1.1.
 */
static bool
ask_tlsa(struct pending *r)
{
	const struct program *p = r->all->program;
	char name[STS_NAME_SIZE + sizeof "_25._tcp."];

	snprintf(name, sizeof name, "_25._tcp.%s", r->state.domain);
	return dns_ask(p->dns, DNS_TLSA, name, p->conf->dns_timeout,
	    tlsa_answered, r);
}

static void
rua_answered(void *arg, enum sts_rc rc, const struct sts_tlsrpt *where)
{
	struct pending *r = arg;

	for (size_t i = 0; rc == STS_OK && i < where->n; i++)
		add_destination(r, where->rua[i].p, where->rua[i].len);
	/* Asked again when it would be sent, for a day at most. */
	if (rc == STS_TEMPFAIL) {
		add_destination(r, "?", 1);
		count(r->all, r->silent, 1);
	}
	if (rc == STS_ABSENT) {
		count(r->all, r->kept, -1);
		free_pending(r);
	} else if (!report_doc_wants_tlsa(r->doc) || !ask_tlsa(r))
		finish(r);
}

/* --- From outside -----------------------------------------------------------
 */

void
pending_reports_begin(struct pending_reports *all)
{
	(void)!getrandom(all->owners.secret, sizeof all->owners.secret,
	    GRND_NONBLOCK);
}

bool
pending_report_ask(struct pending_reports *all, const struct report *report)
{
	const char *owner = registrable_domain(report->domain);
	struct sts_str kept[] = { str_of("kept"), str_of(owner) };
	struct sts_str silent[] = { str_of("silent"), str_of(owner) };
	struct pending *r;

	/* That for his domain itself is always made. */
	if (stores(all->program) && owner != report->domain &&
	    key_counts_get(&all->owners, key_of(&all->owners, kept, 2)) >=
		OWNER_REPORTS) {
		all->too_many++;
		return true;
	}
	if ((r = calloc(1, sizeof *r)) == NULL)
		return false;
	r->all = all;
	r->kept = key_of(&all->owners, kept, 2);
	r->silent = key_of(&all->owners, silent, 2);
	memcpy(r->state.day, all->name, sizeof r->state.day);
	snprintf(r->state.domain, sizeof r->state.domain, "%s", report->domain);
	memcpy(r->state.unique, report->unique, sizeof r->state.unique);
	r->doc = report_doc(report);
	all->n++;
	count(all, r->kept, 1);
	if (owner != report->domain &&
	    key_counts_get(&all->owners, r->silent) >= OWNER_SILENT) {
		rua_answered(r, STS_TEMPFAIL, NULL);
		return true;
	}
	if (!rua_lookup(all->program, report->domain, rua_answered, r)) {
		rua_answered(r, STS_TEMPFAIL, NULL);
		return false;
	}
	while (all->n >= PENDING_MAX)
		if (event_base_loop(all->program->base, EVLOOP_ONCE) != 0)
			return false;
	return true;
}

void
pending_reports_end(struct pending_reports *all)
{
	while (
	    all->n > 0 && event_base_loop(all->program->base, EVLOOP_ONCE) == 0)
		;
	key_counts_clear(&all->owners);
}
