/* SPDX-License-Identifier: ISC */
/*
 * Policy body, RFC 8461 3.2.
 *
 *   body    = field *WSP *( term field *WSP ) [ term ]
 *   term    = LF / CRLF
 *   field   = name ":" *WSP value
 *   version = "STSv1"       mode = "enforce" / "testing" / "none"
 *   max_age = 1*10DIGIT     mx   = [ "*." ] domain
 *   other   = vchar [ *( SP / vchar ) vchar ]   (visible ASCII or UTF8-2..4)
 *   name    = ( letter / digit ) *31( letter / digit / "_" / "-" / "." )
 */
#include "policy.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/domain_name.h"
#include "base/err.h"
#include "base/utf8.h"
#include "http_reply.h"

enum {
	FIELD_NAME_MAX = 32,
	AGE_DIGITS_MAX = 10,
	AGE_MAX = 31557600 /* RFC 8461 3.2: one year */
};

/* One allocation; the mx are C strings one behind the other. */
struct sts_policy {
	unsigned owners; /* besides the first */
	enum sts_mode mode;
	uint32_t max_age;
	size_t nmx;
	size_t used;   /* of text */
	char *text;    /* behind at[] */
	uint32_t at[]; /* where in text each mx starts */
};

struct judge {
	struct sts_problems said;
	struct sts_policy *pol;
	unsigned line;
	unsigned seen;        /* bits by place in fields[] */
	unsigned empty_since; /* line of the first of a run of empty ones */
};

static const char modes[][8] = {
	[STS_MODE_NONE] = "none",
	[STS_MODE_TESTING] = "testing",
	[STS_MODE_ENFORCE] = "enforce",
};

const char *
sts_mode_name(enum sts_mode mode)
{
	return (size_t)mode < ARRAY_LEN(modes) ? modes[mode] : "?";
}

bool
sts_mode_of(struct sts_str name, enum sts_mode *mode)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (str_is(name, modes[i])) {
			*mode = (enum sts_mode)i;
			return true;
		}
	return false;
}

static void
take_version(struct judge *j, struct sts_str v)
{
	if (!str_is(v, "STSv1"))
		sts_problem_add(&j->said, true, j->line, "version-syntax",
		    "version \"%s\" is not STSv1", sts_show(v).text);
}

static void
take_mode(struct judge *j, struct sts_str v)
{
	if (!sts_mode_of(v, &j->pol->mode))
		sts_problem_add(&j->said, true, j->line, "mode-syntax",
		    "mode \"%s\" is not enforce, testing or none",
		    sts_show(v).text);
}

static void
take_max_age(struct judge *j, struct sts_str v)
{
	uint64_t n;

	if (v.len > AGE_DIGITS_MAX || !str_u64(v, UINT64_MAX, &n)) {
		sts_problem_add(&j->said, true, j->line, "max-age-syntax",
		    "max_age \"%s\" is not 1 to 10 digits", sts_show(v).text);
		return;
	}
	if (n > AGE_MAX) { /* the grammar allows it, the text does not */
		sts_problem_add(&j->said, false, j->line, "max-age-clamped",
		    "max_age %s is over one year and counts as %d",
		    sts_show(v).text, AGE_MAX);
		n = AGE_MAX;
	}
	j->pol->max_age = (uint32_t)n;
}

static void
take_mx(struct judge *j, struct sts_str v)
{
	struct sts_policy *pol = j->pol;
	char *to = pol->text + pol->used;

	if (!sts_pattern_valid(v)) {
		sts_problem_add(&j->said, true, j->line, "mx-syntax",
		    "mx \"%s\" is not a domain name in A-labels",
		    sts_show(v).text);
		return;
	}
	for (size_t i = 0; i < v.len; i++)
		to[i] = to_lower(v.p[i]);
	to[v.len] = '\0';
	pol->at[pol->nmx++] = (uint32_t)pol->used;
	pol->used += v.len + 1;
	/* The digit first: a policy may have 8000 mx, nearly all names. */
	if (is_digit(v.p[v.len - 1]) && !sts_mx_usable(to))
		sts_problem_add(&j->said, false, j->line, "mx-address",
		    "mx %s looks like an address: no host can match it",
		    sts_show(v).text);
}

static const struct field {
	char name[8], missing[16];
	void (*take)(struct judge *, struct sts_str);
	bool repeats;
} fields[] = {
	{ "version", "version-missing", take_version, false },
	{ "mode", "mode-missing", take_mode, false },
	{ "max_age", "max-age-missing", take_max_age, false },
	{ "mx", "mx-missing", take_mx, true },
};

static const struct field *
find_field(struct sts_str name)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_is(name, fields[i].name))
			return &fields[i];
	return NULL;
}

/* The next line without its LF or CRLF; the last one may lack a term. */
static bool
next_line(struct scan *s, struct sts_str *line)
{
	if (s->p == s->end)
		return false;
	if (!scan_until(s, '\n', line)) {
		*line = scan_rest(s);
		return true;
	}
	s->p++;
	if (line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	return true;
}

/* "mode:  enforce " -> "mode", "enforce" */
static bool
split(struct judge *j, struct sts_str line, struct sts_str *name,
    struct sts_str *v)
{
	struct scan s = scan_str(line);

	if (is_wsp(line.p[0])) {
		sts_problem_add(&j->said, true, j->line, "leading-blank",
		    "a line may not begin with a blank");
		return false;
	}
	*name = scan_while(&s, is_ext_name);
	if (name->len == 0 || name->len > FIELD_NAME_MAX ||
	    !is_alnum(name->p[0]) || !scan_char(&s, ':')) {
		sts_problem_add(&j->said, true, j->line, "line-syntax",
		    "\"%s\" is not \"name: value\"", sts_show(line).text);
		return false;
	}
	scan_wsp(&s);
	*v = scan_rest(&s);
	while (v->len > 0 && is_wsp(v->p[v->len - 1]))
		v->len--;
	return true;
}

static void
check_extension(struct judge *j, struct sts_str v)
{
	struct scan s = scan_str(v);

	while (s.p < s.end &&
	    (is_print(*s.p) ? scan_char(&s, *s.p) : scan_utf8(&s)))
		continue;
	if (v.len == 0 || s.p < s.end)
		sts_problem_add(&j->said, true, j->line, "extension-syntax",
		    "value \"%s\" is empty or has a byte that may not be there",
		    sts_show(v).text);
}

static void
take_line(struct judge *j, struct sts_str line)
{
	struct sts_str name, v;
	const struct field *f;
	unsigned bit;

	if (!split(j, line, &name, &v))
		return;
	if ((f = find_field(name)) == NULL) { /* RFC 8461 3.2: ignore it */
		sts_problem_add(&j->said, false, j->line, "unknown-field",
		    "field \"%s\" is ignored", sts_show(name).text);
		check_extension(j, v);
		return;
	}
	bit = 1u << (f - fields);
	/* RFC 8461 3.2: the first counts */
	if ((j->seen & bit) != 0 && !f->repeats) {
		sts_problem_add(&j->said, false, j->line, "duplicate-field",
		    "a second %s is ignored", f->name);
		check_extension(j, v);
		return;
	}
	j->seen |= bit;
	f->take(j, v);
}

/*
 * Strictly a line is never empty.  At the end of a body everybody takes them
 * and they occur; elsewhere they are as wrong as the grammar says.
 */
static void
take_empty(struct judge *j, bool at_end)
{
	if (j->empty_since == 0)
		return;
	if (at_end)
		sts_problem_add(&j->said, false, j->empty_since, "empty-end",
		    "empty lines at the end are tolerated");
	else
		sts_problem_add(&j->said, true, j->empty_since, "empty-line",
		    "an empty line is not a field");
	j->empty_since = 0;
}

static void
take_body(struct judge *j, struct sts_str body)
{
	struct scan s = scan_str(body);
	struct sts_str line;

	while (next_line(&s, &line)) {
		j->line++;
		if (line.len > 0) {
			take_empty(j, false);
			take_line(j, line);
		} else if (j->empty_since == 0)
			j->empty_since = j->line;
	}
	take_empty(j, true);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if ((j->seen & 1u << i) != 0)
			continue;
		if (fields[i].repeats && j->pol->mode == STS_MODE_NONE)
			continue; /* RFC 8461 3.2: none needs no mx */
		sts_problem_add(&j->said, true, 0, fields[i].missing,
		    "there is no %s", fields[i].name);
	}
}

/* Room for each mx of the body at most; what is in them is judged later. */
static struct sts_policy *
new_policy(struct sts_str body)
{
	struct scan s = scan_str(body);
	struct sts_policy *pol;
	struct sts_str line;
	size_t n = 0, bytes = 0;

	while (next_line(&s, &line))
		if (line.len > 3 && memcmp(line.p, "mx:", 3) == 0) {
			n++;
			bytes += line.len; /* "mx:" is more than a NUL */
		}
	pol = calloc(1, sizeof *pol + n * sizeof pol->at[0] + bytes);
	if (pol != NULL)
		pol->text = (char *)&pol->at[n];
	return pol;
}

enum sts_rc
sts_policy_parse(struct sts_policy **out, const char *body, size_t len,
    sts_problem_fn *fn, void *arg, struct sts_err *err)
{
	struct judge j = { .said = { fn, arg, err, false } };
	struct sts_str in = { body, len };
	enum sts_rc rc = STS_INVALID;

	*out = NULL;
	if (len > STS_BODY_MAX) {
		sts_problem_add(&j.said, true, 0, "body-size",
		    "policy of %zu bytes, limit %d", len, STS_BODY_MAX);
		return rc;
	}
	if ((j.pol = new_policy(in)) == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	take_body(&j, in);
	if (j.said.fatal)
		goto out;
	*out = j.pol;
	j.pol = NULL;
	rc = STS_OK;
out:
	sts_policy_free(j.pol);
	return rc;
}

/* A policy body like any other, written by us. */
enum sts_rc
sts_policy_pin(struct sts_policy **out, enum sts_mode mode,
    const char *patterns, struct sts_err *err)
{
	struct scan s = scan_str(str_of(patterns));
	size_t size = 128 + 6 * (scan_left(&s) + 1), n;
	char *body = malloc(size);
	struct sts_str w;
	enum sts_rc rc;

	*out = NULL;
	if (body == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	n = (size_t)snprintf(body, size,
	    "version: STSv1\nmode: %s\nmax_age: 86400\n", sts_mode_name(mode));
	for (scan_wsp(&s); s.p < s.end; scan_wsp(&s)) {
		w = scan_while(&s, is_not_wsp);
		n += (size_t)snprintf(body + n, size - n, "mx: %.*s\n",
		    (int)w.len, w.p);
	}
	rc = sts_policy_parse(out, body, n, NULL, NULL, err);
	free(body);
	return rc;
}

enum sts_mode
sts_policy_mode(const struct sts_policy *pol)
{
	return pol->mode;
}

uint32_t
sts_policy_max_age(const struct sts_policy *pol)
{
	return pol->max_age;
}

size_t
sts_policy_mx_count(const struct sts_policy *pol)
{
	return pol->nmx;
}

const char *
sts_policy_mx(const struct sts_policy *pol, size_t i)
{
	return i < pol->nmx ? pol->text + pol->at[i] : NULL;
}

/* The length of a pattern, without its "*."; all stand one after the other. */
static size_t
base_length(const struct sts_policy *pol, size_t i, const char **base)
{
	size_t end = i + 1 < pol->nmx ? pol->at[i + 1] : pol->used;
	const char *p = pol->text + pol->at[i];
	bool wild = p[0] == '*';

	*base = p + 2 * wild;
	return end - pol->at[i] - 1 - 2 * wild;
}

/*
 * A stranger may have 8000 patterns and 32 hosts, so a pattern is judged only
 * where its bytes are those of the host, or of all but its first label.
 */
bool
sts_policy_permits(const struct sts_policy *pol, const char *host)
{
	struct sts_str name = str_of(host), parent;
	char lower[STS_NAME_SIZE];
	const char *dot, *base;
	size_t len;

	if (name.len >= sizeof lower)
		return false;
	for (size_t i = 0; i < name.len; i++)
		lower[i] = to_lower(name.p[i]);
	name.p = lower;
	if (name.len > 0 && lower[name.len - 1] == '.')
		name.len--;
	dot = memchr(lower, '.', name.len);
	parent = dot == NULL
	    ? str_of("")
	    : (struct sts_str){ dot + 1, name.len - (size_t)(dot + 1 - lower) };
	for (size_t i = 0; i < pol->nmx; i++) {
		len = base_length(pol, i, &base);
		if (((len == name.len && memcmp(base, name.p, len) == 0) ||
			(len == parent.len &&
			    memcmp(base, parent.p, len) == 0)) &&
		    sts_mx_match(host, pol->text + pol->at[i]))
			return true;
	}
	return false;
}

void
sts_policy_free(struct sts_policy *pol)
{
	if (pol != NULL && pol->owners > 0)
		pol->owners--;
	else
		free(pol);
}

struct sts_policy *
sts_policy_share(struct sts_policy *pol)
{
	pol->owners++;
	return pol;
}
