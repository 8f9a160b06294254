/* SPDX-License-Identifier: ISC */
/*
 * TXT records of _mta-sts.DOMAIN, RFC 8461 3.1: the grammar of txt_fields.h
 * with the field id, 1 to 32 letters or digits.
 *
 * The line of a problem is the number of the record, from 1.
 */
#include "base/err.h"
#include "txt_fields.h"
#include <mtasts/sts.h>

enum { ID_MAX = STS_ID_SIZE - 1 };

struct judge {
	struct txt_fields fields; /* first: the fields' reader gets it */
	bool seen_id;
	struct sts_txt *out;
};

static void
take_id(struct judge *j, struct sts_str v)
{
	j->seen_id = true;
	if (v.len > ID_MAX || !str_all(v, is_alnum)) {
		sts_problem_add(&j->fields.said, true, j->fields.n, "id-syntax",
		    "id \"%s\" is not 1 to 32 letters or digits",
		    sts_show(v).text);
		return;
	}
	memcpy(j->out->id, v.p, v.len);
	j->out->id[v.len] = '\0';
}

static void
take_field(struct txt_fields *t, struct sts_str name, struct sts_str v,
    struct sts_str whole)
{
	struct judge *j = (struct judge *)t;

	if (str_is(name, "id") && !j->seen_id)
		take_id(j, v);
	else if (!sts_txt_field_value(v))
		sts_problem_add(&t->said, true, t->n, "value-syntax",
		    "the value in \"%s\" is empty or has a byte that may not "
		    "be there",
		    sts_show(whole).text);
	else if (str_is(name, "id")) /* 3.2, last paragraph */
		sts_problem_add(&t->said, false, t->n, "duplicate-id",
		    "a second id is ignored, the first one counts");
	else
		sts_problem_add(&t->said, false, t->n, "unknown-field",
		    "field \"%s\" is ignored", sts_show(name).text);
}

enum sts_rc
sts_txt_select(struct sts_txt *out, const struct sts_str *txt, size_t n,
    sts_problem_fn *fn, void *arg, struct sts_err *err)
{
	struct judge j = {
		.fields = {
			.said = { fn, arg, err, false },
			.version = "v=STSv1",
			.like = "v=sts",
			.field = take_field,
		},
		.out = out,
	};
	enum sts_rc rc;

	out->id[0] = '\0';
	rc = sts_txt_fields_read(&j.fields, txt, n);
	if (j.fields.n != 0 && !j.seen_id) {
		sts_problem_add(&j.fields.said, true, j.fields.n, "id-missing",
		    "there is no id");
		rc = STS_INVALID;
	}
	if (rc != STS_OK)
		out->id[0] = '\0';
	return rc;
}
