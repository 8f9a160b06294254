/* SPDX-License-Identifier: ISC */
/*
 * TXT records of _mta-sts.DOMAIN, RFC 8461 3.1: the grammar of tags.h with
 * the field id, 1 to 32 letters or digits.
 *
 * The line of a problem is the number of the record, from 1.
 */
#include "sts.h"

#include "err.h"
#include "tags.h"

enum { ID_MAX = STS_ID_SIZE - 1 };

struct judge {
	struct tags tags; /* first: the fields' reader gets it */
	bool seen_id;
	struct sts_record *out;
};

static void
take_id(struct judge *j, struct sts_str v)
{
	j->seen_id = true;
	if (v.len > ID_MAX || !str_all(v, is_alnum)) {
		sts_remark(&j->tags.said, true, j->tags.n, "id-syntax",
		    "id \"%s\" is not 1 to 32 letters or digits",
		    sts_show(v).text);
		return;
	}
	memcpy(j->out->id, v.p, v.len);
	j->out->id[v.len] = '\0';
}

static void
take_field(struct tags *t, struct sts_str name, struct sts_str v,
    struct sts_str whole)
{
	struct judge *j = (struct judge *)t;

	if (str_is(name, "id") && !j->seen_id)
		take_id(j, v);
	else if (!sts_tags_value(v))
		sts_remark(&t->said, true, t->n, "value-syntax",
		    "the value in \"%s\" is empty or has a byte that may not "
		    "be there",
		    sts_show(whole).text);
	else if (str_is(name, "id")) /* 3.2, last paragraph */
		sts_remark(&t->said, false, t->n, "duplicate-id",
		    "a second id is ignored, the first one counts");
	else
		sts_remark(&t->said, false, t->n, "unknown-field",
		    "field \"%s\" is ignored", sts_show(name).text);
}

enum sts_rc
sts_record_select(struct sts_record *out, const struct sts_str *txt, size_t n,
    sts_problem_fn *fn, void *arg, struct sts_err *err)
{
	struct judge j = {
		.tags = {
			.said = { fn, arg, err, false },
			.version = "v=STSv1",
			.like = "v=sts",
			.field = take_field,
		},
		.out = out,
	};
	enum sts_rc rc;

	out->id[0] = '\0';
	rc = sts_tags_read(&j.tags, txt, n);
	if (j.tags.n != 0 && !j.seen_id) {
		sts_remark(&j.tags.said, true, j.tags.n, "id-missing",
		    "there is no id");
		rc = STS_INVALID;
	}
	if (rc != STS_OK)
		out->id[0] = '\0';
	return rc;
}
