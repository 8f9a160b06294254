/* SPDX-License-Identifier: ISC */
/*
 * A day's sessions become reports, RFC 8460 4: they are sorted by domain, and
 * as the last one of a domain has come, its totals are a report, and the
 * domain is asked whether it wants it.  One domain is in memory at a time, and
 * the reports of those that have not answered yet.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/err.h"
#include "day_sort.h"
#include "pending_report.h"
#include "report_parts.h"
#include "tlsrpt/totals.h"

struct day {
	struct program *program;
	struct day_sort *sorted;
	struct report_parts *parts;
	struct pending_reports pending;
	char domain[STS_NAME_SIZE]; /* whose totals they are; "": none yet */
	struct sts_totals totals;
	uint64_t sessions, damaged; /* lines that were sessions, and others */
};

/* --- Into the order of domains
 * ------------------------------------------------ */

/* What has no domain is left out here: sort(1) would take any line. */
static enum sts_rc
sort_lines(struct day *m, struct sts_day *lines, struct sts_err *err)
{
	const char *only = m->program->only;
	struct sts_str domain;
	char *line;
	size_t len;
	uint64_t at;
	enum sts_rc rc;

	while ((rc = sts_day_next(lines, &line, &len, &at, err)) == STS_OK) {
		if (!sts_session_domain((struct sts_str){ line, len }, &domain))
			m->damaged++;
		else if (only == NULL || str_is(domain, only))
			rc = day_sort_put(m->sorted, line, len, err);
		if (rc != STS_OK)
			return rc;
	}
	return rc == STS_ABSENT ? STS_OK : rc;
}

static enum sts_rc
sort_day(struct day *m, struct sts_err *err)
{
	struct program *p = m->program;
	struct sts_day *lines;
	enum sts_rc rc = sts_day_open(p->spool, m->pending.day, &lines, err);

	if (rc == STS_OK)
		rc = sort_lines(m, lines, err);
	sts_day_close(lines);
	return rc;
}

/* --- One domain after the other
 * ------------------------------------------------ */

/* All sessions of m->domain are in its totals. */
static enum sts_rc
domain_ends(struct day *m, struct sts_err *err)
{
	struct program *p = m->program;
	const char *day = m->pending.name;
	const struct report *report;
	enum sts_rc rc = STS_OK;

	if (m->domain[0] == '\0')
		return STS_OK;
	if (strlen(m->domain) > OUTBOX_DOMAIN_MAX)
		syslog(LOG_WARNING,
		    "%s: no report for a domain of %zu bytes: its name is too "
		    "long for a file",
		    day, strlen(m->domain));
	else if (!stores(p) ||
	    (rc = outbox_has(p->outbox, day, m->domain, err)) == STS_ABSENT) {
		rc = STS_OK;
		report = report_parts_fill(m->parts, p, m->domain,
		    m->pending.day, &m->totals);
		if (report != NULL && !pending_report_ask(&m->pending, report))
			rc = sts_fail(err, STS_NOMEM, 0, "out of memory");
	}
	sts_totals_clear(&m->totals);
	m->domain[0] = '\0';
	return rc;
}

static enum sts_rc
domain_begins(struct day *m, struct sts_str domain, struct sts_err *err)
{
	char next[STS_NAME_SIZE];
	enum sts_rc rc;

	memcpy(next, domain.p, domain.len);
	next[domain.len] = '\0';
	if (strcmp(next, m->domain) < 0)
		return sts_fail(err, STS_LOCAL, 0,
		    "the output of sort(1) is not sorted");
	if ((rc = domain_ends(m, err)) == STS_OK)
		memcpy(m->domain, next, sizeof m->domain);
	return rc;
}

/*
 * The totals of a domain are complete when the next one begins, and those of
 * the last one if the sort ended well: no report is short.
 */
static enum sts_rc
report_domains(struct day *m, struct sts_err *err)
{
	struct sts_session s;
	char *line;
	size_t len;
	enum sts_rc rc;

	while ((rc = day_sort_next(m->sorted, &line, &len, err)) == STS_OK) {
		if (!sts_session_decode(&s, line, len)) {
			m->damaged++;
			continue;
		}
		m->sessions++;
		if (!str_is(s.domain, m->domain) &&
		    (rc = domain_begins(m, s.domain, err)) != STS_OK)
			return rc;
		if (!sts_totals_add(&m->totals, &s))
			return sts_fail(err, STS_NOMEM, 0, "out of memory");
	}
	return rc == STS_ABSENT ? domain_ends(m, err) : rc;
}

/* --- The day
 * -------------------------------------------------------------------- */

static enum sts_rc
finish_day(struct day *m, struct sts_err *err)
{
	struct program *p = m->program;

	if (m->damaged > 0)
		syslog(LOG_WARNING,
		    "%s: %" PRIu64 " damaged lines of %" PRIu64 " left out",
		    m->pending.name, m->damaged, m->damaged + m->sessions);
	if (m->pending.too_many > 0)
		syslog(LOG_WARNING,
		    "%s: %" PRIu64 " reports not made, for their owners have "
		    "hundreds of that day",
		    m->pending.name, m->pending.too_many);
	p->failed |= m->pending.failed;
	if (!stores(p) || p->only != NULL || m->pending.failed)
		return STS_OK;
	return outbox_end_day(p->outbox, m->pending.name, err);
}

void
make_reports(struct program *p, int64_t day, struct day_sort *sorted)
{
	struct day m = {
		.program = p,
		.sorted = sorted,
		.pending = { .program = p, .day = day },
		.parts = report_parts_new(),
	};
	struct sts_err err = { 0 };
	enum sts_rc rc;

	report_day(m.pending.name, day);
	pending_reports_begin(&m.pending);
	rc = m.parts == NULL ? sts_fail(&err, STS_NOMEM, 0, "out of memory")
			     : sort_day(&m, &err);
	if (rc == STS_OK)
		rc = report_domains(&m, &err);
	pending_reports_end(&m.pending);
	if (rc == STS_OK)
		rc = finish_day(&m, &err);
	if (rc != STS_OK) {
		syslog(LOG_ERR, "%s: %s", m.pending.name, err.text);
		p->failed = true;
	}
	sts_totals_clear(&m.totals);
	report_parts_free(m.parts);
}
