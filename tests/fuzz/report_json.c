/* SPDX-License-Identifier: ISC */
#include "report.h"

#include <jansson.h>

#include "base/err.h"
#include "must.h"
#include "policy_lines.h"

enum { TEXTS = 6, ROWS = 3 };

/* A stranger's words as make_reports.c has them: printable, or none. */
static const char *
word(struct scan *s, char out[64])
{
	struct sts_str w;

	if (!scan_word(s, '\n', &w))
		w = scan_rest(s);
	return sts_escape(out, 64, w);
}

static const char *
string(const json_t *from, const char *key)
{
	return json_string_value(json_object_get(from, key));
}

/* The same text, or left out where there is none. */
static bool
same(const json_t *from, const char *key, const char *want)
{
	if (want[0] == '\0')
		return json_object_get(from, key) == NULL;
	return string(from, key) != NULL &&
	    strcmp(string(from, key), want) == 0;
}

static bool
number(const json_t *from, const char *key, uint64_t want)
{
	return json_is_integer(json_object_get(from, key)) &&
	    (uint64_t)json_integer_value(json_object_get(from, key)) == want;
}

static void
look_at_policy(const json_t *one, const struct report_policy *p)
{
	const json_t *about = json_object_get(one, "policy");
	const json_t *list = json_object_get(about, "policy-string");
	const json_t *sum = json_object_get(one, "summary");
	const json_t *rows = json_object_get(one, "failure-details");
	char *lines = policy_lines_split(p->text);
	size_t n = 0;

	MUST(lines != NULL && same(about, "policy-type", p->type));
	MUST(same(about, "policy-domain", "example.com"));
	for (const char *l = lines; *l != '\0'; l += strlen(l) + 1, n++)
		MUST(
		    strcmp(json_string_value(json_array_get(list, n)), l) == 0);
	MUST(json_is_array(list) && json_array_size(list) == n);
	free(lines);
	MUST(number(sum, "total-successful-session-count", p->success));
	MUST(number(sum, "total-failure-session-count", p->failure));
	MUST(json_array_size(rows) == p->n && (rows != NULL) == (p->n > 0));
	for (size_t i = 0; i < p->n; i++) {
		const json_t *r = json_array_get(rows, i);

		MUST(same(r, "result-type", p->row[i].result_type));
		MUST(same(r, "sending-mta-ip", p->row[i].sending_ip));
		MUST(same(r, "receiving-mx-hostname", p->row[i].mx_host));
		MUST(same(r, "receiving-mx-helo", p->row[i].mx_helo));
		MUST(same(r, "receiving-ip", p->row[i].receiving_ip));
		MUST(same(r, "failure-reason-code", p->row[i].reason));
		MUST(number(r, "failed-session-count", p->row[i].count));
	}
}

/* First byte: how many rows; their texts, a line each; then the policy. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char text[ROWS][TEXTS][64];
	struct scan s = scan_bytes(data, len);
	struct report_row row[ROWS];
	struct report_policy p = { .type = "sts", .row = row };
	struct sts_report_conf conf = { .contact = "t@us.example",
		.organization = "Us, \"Inc\" \\" };
	struct report_doc *doc;
	struct report r;
	json_t *json;
	char *out;
	size_t n;

	if (len == 0 || len > 65536)
		return 0;
	p.n = (unsigned char)*s.p++ % (ROWS + 1);
	for (size_t i = 0; i < p.n; i++) {
		row[i] = (struct report_row){ word(&s, text[i][0]),
			word(&s, text[i][1]), word(&s, text[i][2]),
			word(&s, text[i][3]), word(&s, text[i][4]),
			word(&s, text[i][5]), (uint64_t)len << 20 };
		p.failure += row[i].count;
	}
	p.text = scan_rest(&s);
	p.success = p.text.len;
	report_begin(&r, &conf, "us.example", "mta.us.example", "example.com",
	    1800000000);
	r.policy = &p;
	r.n = 1;
	doc = report_doc(&r);
	MUST((out = report_doc_text(doc, &n)) != NULL);
	report_doc_free(doc);
	/* RFC 7493 2.3 */
	MUST((json = json_loadb(out, n, JSON_REJECT_DUPLICATES, NULL)) != NULL);
	for (size_t i = 0; i < n; i++)
		MUST((out[i] >= ' ' && out[i] <= 0x7f) || out[i] == '\n');
	MUST(same(json, "organization-name", conf.organization));
	MUST(same(json, "contact-info", conf.contact));
	MUST(string(json, "report-id") != NULL);
	MUST(strlen(string(json_object_get(json, "date-range"),
		 "start-datetime")) == strlen("2026-11-23T00:00:00Z"));
	MUST(json_array_size(json_object_get(json, "policies")) == 1);
	look_at_policy(json_array_get(json_object_get(json, "policies"), 0),
	    &p);
	json_decref(json);
	free(out);
	return 0;
}
