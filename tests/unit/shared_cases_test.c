/* SPDX-License-Identifier: ISC */
/*
 * Inputs collected from the tests of other MTA-STS senders, with the verdict
 * of RFC 8461.  They come from many projects and stay out of this one: they
 * are read where they lie, and left out where they do not.
 *
 * usage: cases DIRECTORY; the environment variable MTASTS_SHARED goes first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "guard.h"
#include <mtasts/session.h>
#include <mtasts/sts.h>

enum { LEFT_OUT = 77, TEXT_MAX = 1 << 20 };

struct tally {
	unsigned rows, wrong, open;
};

static const char *
text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s == NULL ? "" : s;
}

static size_t
base64(char *out, const char *in)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl"
				     "mnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, have = 0;
	size_t n = 0;
	const char *d;

	for (; *in != '\0' && (d = strchr(digits, *in)) != NULL; in++) {
		bits = bits << 6 | (unsigned)(d - digits);
		if ((have += 6) >= 8)
			out[n++] = (char)(bits >> (have -= 8) & 0xff);
	}
	return n;
}

static size_t
append(char *out, size_t n, const json_t *s, json_int_t times)
{
	size_t len = json_string_length(s);

	for (json_int_t i = 0; i < times && len <= TEXT_MAX - n; i++) {
		memcpy(out + n, json_string_value(s), len);
		n += len;
	}
	return n;
}

/* input, input_b64 or input_parts */
static size_t
input(char *out, const json_t *row)
{
	json_t *part;
	size_t i, n = 0;

	if (json_object_get(row, "input_b64") != NULL)
		return base64(out, text(row, "input_b64"));
	json_array_foreach(json_object_get(row, "input_parts"), i, part) n =
	    append(out, n, json_array_get(part, 0),
		json_integer_value(json_array_get(part, 1)));
	return append(out, n, json_object_get(row, "input"), 1);
}

/* One line for a wrong row and for each one the RFC leaves open. */
static void
verdict(struct tally *t, const json_t *row, bool right, const char *got)
{
	const json_t *rfc = json_object_get(row, "rfc");
	const char *open = text(rfc, "ambiguous");

	t->rows++;
	if (*open != '\0') {
		t->open++;
		printf("# %s open: %s; we: %s\n", text(row, "id"), open, got);
	} else if (!right) {
		char *want = json_dumps(rfc, JSON_COMPACT | JSON_ENSURE_ASCII);

		t->wrong++;
		printf("not ok - %s: %s; wanted %s\n", text(row, "id"), got,
		    want);
		free(want);
	}
}

static bool
same_mx(const struct sts_policy *pol, const json_t *want)
{
	json_t *mx;
	size_t i;

	if (sts_policy_mx_count(pol) != json_array_size(want))
		return false;
	json_array_foreach(want, i,
	    mx) if (strcasecmp(sts_policy_mx(pol, i),
			json_string_value(mx))) return false;
	return true;
}

static void
policy(struct tally *t, const json_t *row)
{
	static char buf[TEXT_MAX];
	const json_t *rfc = json_object_get(row, "rfc");
	size_t len = input(buf, row);
	struct sts_policy *pol;
	struct sts_err err = { 0 };
	char got[400];
	bool right,
	    want = json_is_true(json_object_get(rfc, "valid")) &&
	    !json_is_true(json_object_get(row, "over_size_limit"));
	enum sts_rc rc =
	    sts_policy_parse(&pol, guard_copy(buf, len), len, NULL, NULL, &err);

	if (rc == STS_OK) {
		right = want &&
		    strcmp(sts_mode_name(sts_policy_mode(pol)),
			text(rfc, "mode")) == 0 &&
		    sts_policy_max_age(pol) ==
			json_integer_value(json_object_get(rfc, "max_age")) &&
		    same_mx(pol, json_object_get(rfc, "mx"));
		snprintf(got, sizeof got, "valid, %s, max_age %u, %zu mx",
		    sts_mode_name(sts_policy_mode(pol)),
		    sts_policy_max_age(pol), sts_policy_mx_count(pol));
	} else {
		right = !want && rc == STS_INVALID;
		snprintf(got, sizeof got, "%s, line %u: %s", sts_rc_name(rc),
		    err.line, err.text);
	}
	verdict(t, row, right, got);
	sts_policy_free(pol);
}

/* The strings of one record joined, at the end of used bytes. */
static struct sts_str
joined(char *buf, size_t *used, const json_t *strings, bool b64)
{
	size_t from = *used, i;
	json_t *s;

	json_array_foreach(strings, i, s) *used = b64
	    ? *used + base64(buf + *used, json_string_value(s))
	    : append(buf, *used, s, 1);
	return (struct sts_str){ buf + from, *used - from };
}

static void
txt(struct tally *t, const json_t *row)
{
	static char buf[TEXT_MAX];
	static struct sts_str rec[1000];
	bool b64 = json_object_get(row, "records_b64") != NULL;
	const json_t *rfc = json_object_get(row, "rfc");
	json_t *one,
	    *list = json_object_get(row, b64 ? "records_b64" : "records");
	struct sts_txt out;
	struct sts_err err = { 0 };
	size_t n = 0, used = 0, i;
	enum sts_rc rc;
	char got[400];

	json_array_foreach(list, i, one) if (n < sizeof rec / sizeof rec[0])
	    rec[n++] = joined(buf, &used, one, b64);
	rc = sts_txt_select(&out, rec, n, NULL, NULL, &err);
	snprintf(got, sizeof got, "%s: %s", sts_rc_name(rc),
	    rc == STS_OK ? out.id : err.text);
	verdict(t, row,
	    json_is_true(json_object_get(rfc, "usable"))
		? rc == STS_OK && strcmp(out.id, text(rfc, "id")) == 0
		: rc == STS_ABSENT || rc == STS_INVALID,
	    got);
}

/* How far apart the wordings of the rows' verdicts are, no string compare. */
static bool
as_wanted(const json_t *rfc, enum sts_rc rc)
{
	const char *result = text(rfc, "result");

	if (json_object_get(rfc, "valid") != NULL)
		return json_is_true(json_object_get(rfc, "valid")) ==
		    (rc == STS_OK);
	if (strncmp(result, "ok", 2) == 0)
		return rc == STS_OK;
	if (strcmp(result, "none") == 0)
		return rc == STS_ABSENT;
	return rc == STS_INVALID; /* malformed, none (multiple) */
}

static bool
same_rua(const struct sts_tlsrpt *out, const json_t *want)
{
	json_t *uri;
	size_t i, n = 0;

	if (want == NULL)
		return true;
	json_array_foreach(want, i, uri)
	{
		/* RFC 8460 7: other ports are right there, but not for us. */
		if (strstr(json_string_value(uri), ":12345/") != NULL)
			continue;
		if (n == out->n || json_string_length(uri) != out->rua[n].len ||
		    memcmp(json_string_value(uri), out->rua[n].p,
			out->rua[n].len) != 0)
			return false;
		n++;
	}
	return n == out->n;
}

/* A record, a set of them, a set of their strings, or one URI. */
static void
tlsrpt(struct tally *t, const json_t *row)
{
	static char buf[TEXT_MAX];
	const json_t *rfc = json_object_get(row, "rfc");
	json_t *one, *list = json_object_get(row, "txt_strings");
	struct sts_str rec[16] = { { buf, 0 } };
	struct sts_tlsrpt out;
	struct sts_err err = { 0 };
	size_t n = 0, used = 0, i;
	enum sts_rc rc;
	char got[400];

	if (strcmp(text(row, "kind"), "version-tag") == 0) {
		/* a verdict on half a record: no question to a whole reader */
		t->rows++;
		t->open++;
		return;
	}
	json_array_foreach(list, i, one) if (n < sizeof rec / sizeof rec[0])
	    rec[n++] = joined(buf, &used, one, false);
	list = json_object_get(row, "txt_records");
	json_array_foreach(list, i, one) if (n < sizeof rec / sizeof rec[0])
	{
		rec[n].p = buf + used;
		rec[n].len = append(buf, used, one, 1) - used;
		used += rec[n++].len;
	}
	if (json_object_get(row, "uri") != NULL)
		rec[n++].len = (size_t)snprintf(buf, sizeof buf,
		    "v=TLSRPTv1; rua=%s", text(row, "uri"));
	if (json_object_get(row, "input") != NULL)
		rec[n++].len = input(buf, row);
	rc = sts_tlsrpt_select(&out, rec, n, NULL, NULL, &err);
	snprintf(got, sizeof got, "%s, %zu rua: %s", sts_rc_name(rc), out.n,
	    err.text);
	verdict(t, row,
	    n > 0 && as_wanted(rfc, rc) &&
		same_rua(&out, json_object_get(rfc, "rua")),
	    got);
}

static void
mx(struct tally *t, const json_t *row)
{
	const json_t *rfc = json_object_get(row, "rfc");
	json_t *p;
	bool match = false, right = true;
	size_t i;
	char got[80];

	json_array_foreach(json_object_get(row, "patterns"), i, p)
	{
		const char *host = guard_string(text(row, "mx"));
		const char *pattern = guard_string(json_string_value(p));

		match |= sts_mx_match(host, pattern);
		right &= sts_mx_valid(pattern, strlen(pattern)) ==
		    json_is_true(
			json_array_get(json_object_get(rfc, "patterns_valid"),
			    i));
	}
	right &= match == json_is_true(json_object_get(rfc, "match"));
	snprintf(got, sizeof got, "%s%s", match ? "match" : "no match",
	    right ? "" : " (or validity of a pattern)");
	verdict(t, row, right, got);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *file;
		void (*run)(struct tally *, const json_t *);
	} files[] = { { "txt", txt }, { "policy", policy }, { "mx", mx },
		{ "tlsrpt-txt", tlsrpt } };
	const char *shared = getenv("MTASTS_SHARED");
	const char *ci = getenv("CI");
	unsigned wrong = 0;

	if (shared == NULL && argc == 2)
		shared = argv[1];
	for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
		struct tally t = { 0 };
		json_error_t why;
		char path[4096];
		json_t *rows, *row;
		size_t i;

		snprintf(path, sizeof path, "%s/cases/%s.json",
		    shared == NULL ? ".." : shared, files[f].file);
		rows = json_load_file(path, JSON_ALLOW_NUL, &why);
		if (rows == NULL) {
			printf("left out: no ../shared (%s.json: %s)\n",
			    files[f].file, why.text);
			return ci != NULL && strcmp(ci, "true") == 0 ? 1
								     : LEFT_OUT;
		}
		json_array_foreach(rows, i, row) files[f].run(&t, row);
		printf("%s - %s: %u rows, %u wrong, %u left open by the RFC\n",
		    t.wrong == 0 && t.rows > 0 ? "ok" : "not ok", files[f].file,
		    t.rows, t.wrong, t.open);
		wrong += t.wrong + (t.rows == 0);
		json_decref(rows);
	}
	return wrong != 0;
}
