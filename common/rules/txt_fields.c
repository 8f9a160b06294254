/* SPDX-License-Identifier: ISC */
/* The grammar that the records of RFC 8461 3.1 and RFC 8460 3 share. */
#include "txt_fields.h"

#include "base/err.h"

enum { NAME_MAX_LEN = 32 };

static bool
is_value(char c)
{
	return c > ' ' && c <= '~' && c != '=' && c != ';';
}

bool
sts_txt_field_value(struct sts_str v)
{
	return str_all(v, is_value);
}

/* Does not stop at "=": a value with one inside is told as a whole. */
static bool
is_not_semicolon(char c)
{
	return c != ';';
}

/*
 * Both RFCs discard what does not begin with "v=STSv1;" ("v=TLSRPTv1;"),
 * their grammars allow blanks before the ";" (erratum 6285).  The grammar it
 * is.
 */
static bool
version(const struct txt_fields *t, struct scan *s)
{
	const char *p;

	if (!scan_lit(s, t->version))
		return false;
	p = s->p;
	scan_wsp(s);
	if (s->p == s->end || *s->p != ';')
		return false;
	s->p = p;
	return true;
}

/* Worth a word to its owner, though it is no concern of ours. */
static bool
looks_like(const struct txt_fields *t, struct sts_str txt)
{
	struct scan s = scan_str(txt);
	size_t len = strlen(t->like);

	scan_wsp(&s);
	return scan_left(&s) >= len &&
	    str_is_nocase((struct sts_str){ s.p, len }, t->like);
}

/* One field without the delimiters around it. */
static void
take_field(struct txt_fields *t, struct sts_str field)
{
	struct scan s = scan_str(field);
	struct sts_str name = scan_while(&s, is_ext_name);

	if (name.len == 0 || name.len > NAME_MAX_LEN || !is_alnum(name.p[0]) ||
	    !scan_char(&s, '=')) {
		sts_problem_add(&t->said, true, t->n, "field-syntax",
		    "\"%s\" is not name=value", sts_show(field).text);
		return;
	}
	t->field(t, name, scan_rest(&s), field);
}

/* "  ;  " or the end; tells what is wrong and goes on behind it. */
static bool
delimiter(struct txt_fields *t, struct scan *s)
{
	bool blank = s->p < s->end && is_wsp(*s->p);

	scan_wsp(s);
	if (s->p == s->end) {
		if (blank)
			sts_problem_add(&t->said, true, t->n, "trailing-blank",
			    "blanks at the end without a \";\" before them");
		return false;
	}
	s->p++; /* ";": take_field() got all before it */
	scan_wsp(s);
	if (s->p < s->end && *s->p == ';')
		sts_problem_add(&t->said, true, t->n, "empty-field",
		    "nothing between two \";\"");
	return s->p < s->end;
}

static void
take_record(struct txt_fields *t, struct sts_str txt)
{
	struct scan s = scan_str(txt);
	struct sts_str field;

	if (!version(t, &s))
		return;
	if (*s.p != ';')
		sts_problem_add(&t->said, false, t->n, "blank-before-semicolon",
		    "blanks before the first \";\": some senders do not "
		    "take this for a record");
	while (delimiter(t, &s)) {
		field = scan_while(&s, is_not_semicolon);
		/* Blanks before ";" are the delimiter's, at the end nobody's */
		while (field.len > 0 && is_wsp(field.p[field.len - 1]))
			field.len--;
		s.p = field.p + field.len;
		if (field.len > 0)
			take_field(t, field);
	}
}

enum sts_rc
sts_txt_fields_read(struct txt_fields *t, const struct sts_str *txt, size_t n)
{
	size_t found = 0, which = 0;

	for (size_t i = 0; i < n; i++) {
		struct scan s = scan_str(txt[i]);

		if (version(t, &s)) {
			found++;
			which = i;
		} else if (looks_like(t, txt[i]))
			sts_problem_add(&t->said, false, (unsigned)i + 1,
			    "version-syntax", "\"%s\" does not begin with %s;",
			    sts_show(txt[i]).text, t->version);
	}
	if (found == 0) {
		sts_problem_add(&t->said, true, 0, "record-missing",
		    "no TXT record begins with %s;", t->version);
		if (t->said.err != NULL)
			t->said.err->rc = STS_ABSENT;
		return STS_ABSENT;
	}
	if (found > 1) { /* as if there were none */
		sts_problem_add(&t->said, true, 0, "several-records",
		    "%zu TXT records begin with %s;", found, t->version);
		return STS_INVALID;
	}
	t->n = (unsigned)which + 1;
	take_record(t, txt[which]);
	return t->said.fatal ? STS_INVALID : STS_OK;
}
