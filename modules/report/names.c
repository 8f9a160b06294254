/* SPDX-License-Identifier: ISC */
/* What a report is called, RFC 8460 5.1 and 5.3. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

int64_t
report_day_time(const char *text)
{
	char again[REPORT_DAY_TEXT];
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	int64_t t = end == NULL || *end != '\0' ? -1 : (int64_t)timegm(&tm);

	return t < 0 || strcmp(report_day(again, t), text) != 0 ? -1 : t;
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

/* FNV-1a, RFC 9923: no secret, only different for what is different. */
static uint64_t
fold(uint64_t h, const char *p)
{
	do /* the NUL too, so that no two parts run into each other */
		h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	while (*p++ != '\0');
	return h;
}

void
report_set_unique(struct report *r, const char *host)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	char day[24];

	snprintf(day, sizeof day, "%" PRId64, r->begin);
	h = fold(fold(fold(h, host), r->domain), day);
	snprintf(r->unique, sizeof r->unique, "%016" PRIx64, h);
}
