/* SPDX-License-Identifier: ISC */
/*
 *   config|tablename|TABLE
 *   config|ready                                   end of the greeting
 *   table|0.1|TIME|TABLE|check|SERVICE|ID|KEY      lookup likewise
 *   table|0.1|TIME|TABLE|fetch|SERVICE|ID
 *   table|0.1|TIME|TABLE|update|ID
 *
 * KEY goes to the end of the line and may hold '|'.  smtpd exits on an answer
 * it cannot read, one with another id, and one it did not ask for.
 */
#include "table_line.h"

#include <stdio.h>
#include <string.h>

#include "line_buffer.h"

static enum table_op
op_of(struct sts_str word)
{
	static const struct {
		const char *name;
		enum table_op op;
	} ops[] = {
		{ "check", TABLE_CHECK },
		{ "lookup", TABLE_LOOKUP },
		{ "fetch", TABLE_FETCH },
		{ "update", TABLE_UPDATE },
	};

	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
		if (field_is(word, ops[i].name))
			return ops[i].op;
	return TABLE_NOTHING;
}

static enum table_service
service_of(struct sts_str word)
{
	if (field_is(word, "domain"))
		return TABLE_DOMAIN;
	if (field_is(word, "mailaddr"))
		return TABLE_MAILADDR;
	return field_is(word, "relayhost") ? TABLE_RELAYHOST : TABLE_OTHER;
}

static void
parse_config(struct table_request *r, struct sts_str rest)
{
	struct sts_str word;

	if (field_is(rest, "ready"))
		r->op = TABLE_READY;
	else if (field_next(&rest, &word) && field_is(word, "tablename")) {
		r->op = TABLE_NAME;
		r->key = rest;
	}
}

static void
parse_table(struct table_request *r, struct sts_str rest)
{
	struct sts_str version, when, table, op, service = { "", 0 };

	if (!field_next(&rest, &version) || !field_next(&rest, &when) ||
	    !field_next(&rest, &table) || !field_next(&rest, &op))
		return;
	r->op = op_of(op);
	if (r->op != TABLE_UPDATE && !field_next(&rest, &service))
		r->op = TABLE_NOTHING;
	if (!field_next(&rest, &r->id) || !field_is_id(r->id, TABLE_ID_MAX))
		r->op = TABLE_NOTHING; /* whom to answer? */
	r->service = service_of(service);
	if (r->op != TABLE_CHECK && r->op != TABLE_LOOKUP)
		return;
	r->broken = rest.p == NULL || rest.len > KEY_MAX;
	if (!r->broken)
		r->key = rest;
}

void
table_line_parse(struct table_request *r, struct sts_str line)
{
	struct sts_str word;

	*r = (struct table_request){ .op = TABLE_NOTHING };
	if (!field_next(&line, &word))
		return;
	if (field_is(word, "config"))
		parse_config(r, line);
	else if (field_is(word, "table"))
		parse_table(r, line);
}

/* What comes behind the id. */
static const char *
outcome(const struct table_request *r, const struct table_answer *a)
{
	if (r->op == TABLE_UPDATE)
		return a->found == TABLE_FOUND ? "ok" : "error";
	if (a->found == TABLE_NOT_FOUND)
		return "not-found";
	/* An empty value would be the end of smtpd. */
	if (a->found == TABLE_ERROR ||
	    (r->op != TABLE_CHECK && a->text[0] == '\0'))
		return "error";
	return "found";
}

size_t
table_line_answer(char out[TABLE_LINE_ANSWER_MAX],
    const struct table_request *r, const struct table_answer *a)
{
	const char *name, *what = outcome(r, a);
	bool text = a->text[0] != '\0' && r->op != TABLE_UPDATE &&
	    (strcmp(what, "error") == 0 ||
		(strcmp(what, "found") == 0 && r->op != TABLE_CHECK));

	switch (r->op) {
	case TABLE_CHECK:
		name = "check";
		break;
	case TABLE_LOOKUP:
		name = "lookup";
		break;
	case TABLE_FETCH:
		name = "fetch";
		break;
	case TABLE_UPDATE:
		name = "update";
		break;
	case TABLE_NOTHING:
	case TABLE_NAME:
	case TABLE_READY:
	case TABLE_OPEN:
	case TABLE_CLOSE:
	case TABLE_BAD:
	default:
		return 0;
	}
	return (size_t)snprintf(out, TABLE_LINE_ANSWER_MAX,
	    "%s-result|%.*s|%s%s%s\n", name, (int)r->id.len, r->id.p, what,
	    text ? "|" : "", text ? a->text : "");
}
