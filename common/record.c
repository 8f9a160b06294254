/* SPDX-License-Identifier: ISC */
/*
 * TXT records of _mta-sts.DOMAIN, RFC 8461 3.1.
 *
 *   record = "v=STSv1" 1*( delim field ) [ delim ]
 *   delim  = *WSP ";" *WSP
 *   field  = name "=" value       id: 1 to 32 letters or digits
 *   name   = ( letter / digit ) *31( letter / digit / "_" / "-" / "." )
 *   value  = 1*( visible ASCII except "=" and ";" )
 *
 * The line of a problem is the number of the record, from 1.
 */
#include "sts.h"

#include "err.h"
#include "remark.h"
#include "scan.h"

enum { EXT_NAME_MAX = 32, ID_MAX = STS_ID_SIZE - 1 };

struct judge {
	struct sts_remarks said;
	unsigned n; /* of the record */
	bool seen_id;
	struct sts_record *out;
};

static bool
is_value(char c)
{
	return c > ' ' && c <= '~' && c != '=' && c != ';';
}

/* Does not stop at "=": a value with one inside is told as a whole. */
static bool
is_not_semicolon(char c)
{
	return c != ';';
}

/*
 * 3.1 discards what does not begin with "v=STSv1;", the grammar allows blanks
 * before the ";" (erratum 6285).  The grammar it is.
 */
static bool
version(struct scan *s)
{
	const char *p;

	if (!scan_lit(s, "v=STSv1"))
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
looks_like(struct sts_str txt)
{
	struct scan s = scan_str(txt);

	scan_wsp(&s);
	return scan_left(&s) >= 5 &&
	    str_is_nocase((struct sts_str){ s.p, 5 }, "v=sts");
}

static void
take_id(struct judge *j, struct sts_str v)
{
	j->seen_id = true;
	if (v.len > ID_MAX || !str_all(v, is_alnum)) {
		sts_remark(&j->said, true, j->n, "id-syntax",
		    "id \"%s\" is not 1 to 32 letters or digits",
		    sts_show(v).text);
		return;
	}
	memcpy(j->out->id, v.p, v.len);
	j->out->id[v.len] = '\0';
}

/* One field without the delimiters around it. */
static void
take_field(struct judge *j, struct sts_str field)
{
	struct scan s = scan_str(field);
	struct sts_str name, v;

	name = scan_while(&s, is_ext_name);
	if (name.len == 0 || name.len > EXT_NAME_MAX || !is_alnum(name.p[0]) ||
	    !scan_char(&s, '=')) {
		sts_remark(&j->said, true, j->n, "field-syntax",
		    "\"%s\" is not name=value", sts_show(field).text);
		return;
	}
	v = scan_rest(&s);
	if (str_is(name, "id") && !j->seen_id)
		take_id(j, v);
	else if (!str_all(v, is_value))
		sts_remark(&j->said, true, j->n, "value-syntax",
		    "the value in \"%s\" is empty or has a byte that may not "
		    "be there",
		    sts_show(field).text);
	else if (str_is(name, "id")) /* 3.2, last paragraph */
		sts_remark(&j->said, false, j->n, "duplicate-id",
		    "a second id is ignored, the first one counts");
	else
		sts_remark(&j->said, false, j->n, "unknown-field",
		    "field \"%s\" is ignored", sts_show(name).text);
}

/* "  ;  " or the end; tells what is wrong and goes on behind it. */
static bool
delimiter(struct judge *j, struct scan *s)
{
	bool blank = s->p < s->end && is_wsp(*s->p);

	scan_wsp(s);
	if (s->p == s->end) {
		if (blank)
			sts_remark(&j->said, true, j->n, "trailing-blank",
			    "blanks at the end without a \";\" before them");
		return false;
	}
	s->p++; /* ";": take_field() got all before it */
	scan_wsp(s);
	if (s->p < s->end && *s->p == ';')
		sts_remark(&j->said, true, j->n, "empty-field",
		    "nothing between two \";\"");
	return s->p < s->end;
}

static void
take_record(struct judge *j, struct sts_str txt)
{
	struct scan s = scan_str(txt);
	struct sts_str field;

	if (!version(&s))
		return;
	if (*s.p != ';')
		sts_remark(&j->said, false, j->n, "blank-before-semicolon",
		    "blanks before the first \";\": some senders do not "
		    "take this for a record");
	while (delimiter(j, &s)) {
		field = scan_while(&s, is_not_semicolon);
		/* Blanks before ";" are the delimiter's, at the end nobody's */
		while (field.len > 0 && is_wsp(field.p[field.len - 1]))
			field.len--;
		s.p = field.p + field.len;
		if (field.len > 0)
			take_field(j, field);
	}
	if (!j->seen_id)
		sts_remark(&j->said, true, j->n, "id-missing",
		    "there is no id");
}

enum sts_rc
sts_record_select(struct sts_record *out, const struct sts_str *txt, size_t n,
    sts_problem_fn *fn, void *arg, struct sts_err *err)
{
	struct judge j = { .said = { fn, arg, err, false }, .out = out };
	size_t found = 0, which = 0;

	out->id[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		struct scan s = scan_str(txt[i]);

		if (version(&s)) {
			found++;
			which = i;
		} else if (looks_like(txt[i]))
			sts_remark(&j.said, false, (unsigned)i + 1,
			    "version-syntax",
			    "\"%s\" does not begin with v=STSv1;",
			    sts_show(txt[i]).text);
	}
	if (found == 0) {
		sts_remark(&j.said, true, 0, "record-missing",
		    "no TXT record begins with v=STSv1;");
		if (err != NULL)
			err->rc = STS_ABSENT;
		return STS_ABSENT;
	}
	if (found > 1) { /* 3.1: as if there were none */
		sts_remark(&j.said, true, 0, "several-records",
		    "%zu TXT records begin with v=STSv1;", found);
		return STS_INVALID;
	}
	j.n = (unsigned)which + 1;
	take_record(&j, txt[which]);
	if (!j.said.fatal)
		return STS_OK;
	out->id[0] = '\0';
	return STS_INVALID;
}
