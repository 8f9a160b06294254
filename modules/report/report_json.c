/* SPDX-License-Identifier: ISC */
/* The report as JSON, RFC 8460 4.4 and 4.5 (I-JSON, RFC 7493). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "policy_lines.h"
#include "report.h"

/* RFC 3339, with its zone: RFC 8460 4.4. */
static json_t *
date(int64_t t)
{
	char text[32];
	time_t seconds = (time_t)t;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

/* What is not known is left out, RFC 8460 4.4. */
static void
set_known(json_t *to, const char *key, const char *value)
{
	if (value != NULL && value[0] != '\0')
		json_object_set_new(to, key, json_string(value));
}

static json_t *
row(const struct report_row *r)
{
	json_t *o = json_object();

	set_known(o, "result-type", r->result_type);
	set_known(o, "sending-mta-ip", r->sending_ip);
	set_known(o, "receiving-mx-hostname", r->mx_host);
	set_known(o, "receiving-mx-helo", r->mx_helo);
	set_known(o, "receiving-ip", r->receiving_ip);
	json_object_set_new(o, "failed-session-count",
	    json_integer((json_int_t)r->count));
	set_known(o, "failure-reason-code", r->reason);
	return o;
}

_Noreturn static void
out_of_memory(void)
{
	fputs("mtasts report: out of memory\n", stderr);
	_exit(3);
}

/* RFC 8460 4.5: one string for each line of the policy, errors included. */
static json_t *
policy_string(struct sts_str text)
{
	json_t *list = json_array();
	char *lines = policy_lines_split(text);

	if (lines == NULL)
		out_of_memory();
	for (const char *p = lines; *p != '\0'; p += strlen(p) + 1)
		json_array_append_new(list, json_string(p));
	free(lines);
	return list;
}

/* The patterns as the policy has them, RFC 8460 4.4; erratum 6241: an array. */
static void
set_mx_host(json_t *to, struct sts_str text)
{
	struct sts_policy *policy;
	json_t *list;

	if (text.len == 0 ||
	    sts_policy_parse(&policy, text.p, text.len, NULL, NULL, NULL) !=
		STS_OK)
		return;
	list = json_array();
	for (size_t i = 0; i < sts_policy_mx_count(policy); i++)
		json_array_append_new(list,
		    json_string(sts_policy_mx(policy, i)));
	if (json_array_size(list) > 0)
		json_object_set(to, "mx-host", list);
	json_decref(list);
	sts_policy_free(policy);
}

static bool
is_tlsa(const char *type)
{
	return type != NULL && strcmp(type, "tlsa") == 0;
}

static json_t *
policy(const struct report *r, const struct report_policy *p)
{
	json_t *about = json_object(), *one = json_object();
	json_t *details = json_array();

	json_object_set_new(about, "policy-type", json_string(p->type));
	if (strcmp(p->type, "sts") == 0 || is_tlsa(p->type))
		json_object_set_new(about, "policy-string",
		    policy_string(p->text)); /* of tlsa: told later */
	json_object_set_new(about, "policy-domain", json_string(r->domain));
	set_mx_host(about, p->text);
	json_object_set_new(one, "policy", about);
	json_object_set_new(one, "summary",
	    json_pack("{s:I,s:I}", "total-successful-session-count",
		(json_int_t)p->success, "total-failure-session-count",
		(json_int_t)p->failure));
	for (size_t i = 0; i < p->n; i++)
		json_array_append_new(details, row(&p->row[i]));
	if (p->n > 0)
		json_object_set(one, "failure-details", details);
	json_decref(details);
	return one;
}

/* jansson drops what it has no memory for and goes on. */
static void *
must_malloc(size_t size)
{
	void *p = malloc(size);

	if (p == NULL)
		out_of_memory();
	return p;
}

struct report_doc {
	json_t *all;
};

struct report_doc *
report_doc(const struct report *r)
{
	char id[REPORT_ID_MAX];
	struct report_doc *doc = must_malloc(sizeof *doc);
	json_t *all, *policies, *range;

	json_set_alloc_funcs(must_malloc, free);
	all = json_object();
	policies = json_array();
	range = json_object();
	json_object_set_new(all, "organization-name",
	    json_string(r->organization));
	json_object_set_new(range, "start-datetime", date(r->begin));
	json_object_set_new(range, "end-datetime", date(r->end));
	json_object_set_new(all, "date-range", range);
	json_object_set_new(all, "contact-info", json_string(r->contact));
	json_object_set_new(all, "report-id", json_string(report_id(id, r)));
	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(policies, policy(r, &r->policy[i]));
	json_object_set_new(all, "policies", policies);
	doc->all = all;
	return doc;
}

void
report_doc_free(struct report_doc *doc)
{
	if (doc == NULL)
		return;
	json_decref(doc->all);
	free(doc);
}

/* The policy of type tlsa from the i-th on, and where it is; NULL: none. */
static json_t *
next_tlsa(const struct report_doc *doc, size_t *i)
{
	const json_t *policies = json_object_get(doc->all, "policies");
	json_t *about;

	for (; *i < json_array_size(policies); ++*i) {
		about = json_object_get(json_array_get(policies, *i), "policy");
		if (is_tlsa(json_string_value(
			json_object_get(about, "policy-type"))))
			return about;
	}
	return NULL;
}

bool
report_doc_wants_tlsa(const struct report_doc *doc)
{
	size_t i = 0;

	return next_tlsa(doc, &i) != NULL;
}

/* RFC 8460 4.4: one string for each record of the set. */
void
report_doc_tlsa(struct report_doc *doc, const struct sts_str *rr, size_t n)
{
	json_t *about, *list;

	for (size_t i = 0; (about = next_tlsa(doc, &i)) != NULL; i++) {
		list = json_array();
		for (size_t k = 0; k < n; k++)
			json_array_append_new(list,
			    json_stringn(rr[k].p, rr[k].len));
		json_object_set_new(about, "policy-string", list);
	}
}

char *
report_doc_text(const struct report_doc *doc, size_t *len)
{
	char *text = json_dumps(doc->all, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	*len = text == NULL ? 0 : strlen(text);
	return text;
}
