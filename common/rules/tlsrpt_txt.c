/* SPDX-License-Identifier: ISC */
/*
 * TXT records of _smtp._tls.DOMAIN, RFC 8460 3: the grammar of txt_fields.h
 * with the field rua, which may repeat.
 *
 *   rua = URI *( *WSP "," *WSP URI )
 *   URI = RFC 3986, with "!" "," ";" as %21 %2C %3B
 *
 * The line of a problem is the number of the record, from 1.
 */
#include "base/err.h"
#include "rua.h"
#include "txt_fields.h"
#include <mtasts/session.h>
#include <mtasts/sts.h>

struct rua_list {
	struct txt_fields fields; /* first: read_field() gets a pointer to it */
	bool seen_rua;
	struct sts_tlsrpt *out;
	struct rua read[STS_RUA_MAX]; /* those of out */
};

static bool
is_hex(char c)
{
	return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f');
}

/* RFC 3986 2.2 and 2.3, without what RFC 8460 3 wants encoded. */
static bool
is_uri(char c)
{
	return is_alnum(c) ||
	    (c != '\0' && strchr("-._~:/?#[]@$&'()*+=", c) != NULL);
}

static bool
is_scheme(char c)
{
	return is_alnum(c) || c == '+' || c == '-' || c == '.';
}

static bool
uri_chars(struct sts_str uri)
{
	for (size_t i = 0; i < uri.len; i++) {
		if (is_uri(uri.p[i]))
			continue;
		if (uri.p[i] != '%' || uri.len - i < 3 ||
		    !is_hex(uri.p[i + 1]) || !is_hex(uri.p[i + 2]))
			return false;
		i += 2;
	}
	return true;
}

/* RFC 3986 3.1 */
static bool
has_scheme(struct sts_str uri)
{
	struct scan s = scan_str(uri);
	struct sts_str scheme = scan_while(&s, is_scheme);

	return scheme.len > 0 && !is_digit(scheme.p[0]) && scan_char(&s, ':') &&
	    scan_left(&s) > 0;
}

/* RFC 8460 3: what cannot be used is skipped, and the others are used. */
static void
skip(struct rua_list *j, struct sts_str uri, const char *why)
{
	sts_problem_add(&j->fields.said, false, j->fields.n, "rua-skipped",
	    "\"%s\" is skipped: %s", sts_show(uri).text, why);
}

/* RFC 8460 7: one mailbox or URL gets one report, however it is spelt. */
static void
add_rua(struct rua_list *j, struct sts_str uri, const struct rua *read)
{
	struct sts_tlsrpt *out = j->out;

	for (size_t i = 0; i < out->n; i++)
		if (sts_rua_same(&j->read[i], read)) {
			skip(j, uri, "it is there twice");
			return;
		}
	if (out->n == STS_RUA_MAX)
		skip(j, uri, "there are too many before it");
	else {
		j->read[out->n] = *read;
		out->rua[out->n++] = uri;
	}
}

static void
read_uri(struct rua_list *j, struct sts_str uri)
{
	struct rua read;
	const char *why;

	if (!uri_chars(uri) || !has_scheme(uri))
		sts_problem_add(&j->fields.said, true, j->fields.n,
		    "rua-syntax", "\"%s\" is not a URI", sts_show(uri).text);
	else if ((why = sts_rua_read(&read, uri)) != NULL)
		skip(j, uri, why);
	else
		add_rua(j, uri, &read);
}

static void
read_rua(struct rua_list *j, struct sts_str v)
{
	struct scan s = scan_str(v);
	struct sts_str uri;
	bool more;

	j->seen_rua = true;
	do {
		if ((more = scan_until(&s, ',', &uri)))
			s.p++;
		else
			uri = scan_rest(&s);
		while (uri.len > 0 && is_wsp(uri.p[0])) {
			uri.p++;
			uri.len--;
		}
		while (uri.len > 0 && is_wsp(uri.p[uri.len - 1]))
			uri.len--;
		read_uri(j, uri);
	} while (more);
}

static void
read_field(struct txt_fields *t, struct sts_str name, struct sts_str v,
    struct sts_str whole)
{
	if (str_is(name, "rua"))
		read_rua((struct rua_list *)t, v);
	else if (!sts_txt_field_value(v))
		sts_problem_add(&t->said, true, t->n, "value-syntax",
		    "the value in \"%s\" is empty or has a byte that may not "
		    "be there",
		    sts_show(whole).text);
	else
		sts_problem_add(&t->said, false, t->n, "unknown-field",
		    "field \"%s\" is ignored", sts_show(name).text);
}

enum sts_rc
sts_tlsrpt_select(struct sts_tlsrpt *out, const struct sts_str *txt, size_t n,
    sts_problem_fn *fn, void *arg, struct sts_err *err)
{
	struct rua_list j = {
		.fields = {
			.said = { fn, arg, err, false },
			.version = "v=TLSRPTv1",
			.like = "v=tlsrpt",
			.field = read_field,
		},
		.out = out,
	};
	enum sts_rc rc;

	out->n = 0;
	rc = sts_txt_fields_read(&j.fields, txt, n);
	if (j.fields.n != 0 && !j.seen_rua) {
		sts_problem_add(&j.fields.said, true, j.fields.n, "rua-missing",
		    "there is no rua");
		rc = STS_INVALID;
	} else if (rc == STS_OK && out->n == 0) {
		sts_problem_add(&j.fields.said, true, j.fields.n, "rua-useless",
		    "no report can be sent to any rua");
		rc = STS_INVALID;
	}
	if (rc != STS_OK)
		out->n = 0;
	return rc;
}
