/* SPDX-License-Identifier: ISC */
/* What a report is called, RFC 8460 5.1 and 5.3. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "report.h"

const char *
report_day(char out[REPORT_DAY_TEXT], int64_t time)
{
	time_t t = (time_t)time;
	struct tm tm;

	gmtime_r(&t, &tm);
	if (strftime(out, REPORT_DAY_TEXT, "%Y-%m-%d", &tm) == 0)
		out[0] = '\0';
	return out;
}

const char *
report_id(char out[REPORT_ID_MAX], const struct report *r)
{
	char day[16];
	time_t begin = (time_t)r->begin;
	struct tm tm;

	gmtime_r(&begin, &tm);
	strftime(day, sizeof day, "%Y%m%d", &tm);
	snprintf(out, REPORT_ID_MAX, "%s.%s.%s@%s", r->unique, day, r->domain,
	    r->submitter);
	return out;
}

const char *
report_file_name(char out[REPORT_NAME_MAX], const struct report *r)
{
	snprintf(out, REPORT_NAME_MAX,
	    "%s!%s!%" PRId64 "!%" PRId64 "!%s.json.gz", r->submitter, r->domain,
	    r->begin, r->end, r->unique);
	return out;
}

/* The NUL too, so that no two parts run into each other. */
static uint64_t
fold(uint64_t h, const char *p)
{
	return sts_hash_more(h, (struct sts_str){ p, strlen(p) + 1 });
}

static void
set_unique(struct report *r, const char *host)
{
	uint64_t h = STS_HASH_START;
	char day[24];

	snprintf(day, sizeof day, "%" PRId64, r->begin);
	h = fold(fold(fold(h, host), r->domain), day);
	snprintf(r->unique, sizeof r->unique, "%016" PRIx64, h);
}

void
report_begin(struct report *r, const struct sts_report_conf *c,
    const char *submitter, const char *host, const char *domain, int64_t day)
{
	*r = (struct report){
		.domain = domain,
		.begin = day,
		.end = day + 86400 - 1, /* as the large ones write it */
		.organization =
		    c->organization != NULL ? c->organization : submitter,
		.contact = c->contact,
		.submitter = submitter,
	};
	set_unique(r, host);
}
