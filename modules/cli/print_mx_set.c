/* SPDX-License-Identifier: ISC */
/* The MX set of a domain in the cache, with what is known of its hosts. */
#include "cli.h"
#include <mtasts/cache_admin.h>

static const char *
address_state(const struct sts_mx_address *a)
{
	if (a->down != 0)
		return a->failed != 0 ? " (down, failed)" : " (down)";
	if (a->failed != 0)
		return " (failed)";
	return a->probed != 0 ? " (answered)" : "";
}

struct print {
	const struct cli *cli;
	bool begun;
};

static bool
print_row(void *arg, const struct sts_mx_row *row)
{
	struct print *p = arg;
	char line[1024];
	size_t n;

	if (!p->begun) {
		cli_field(p->cli, "mx set", row->kind);
		cli_field_time(p->cli, "mx asked", row->asked);
		cli_field_time(p->cli, "mx until", row->until);
	}
	p->begun = true;
	if (row->host == NULL)
		return true;
	n = (size_t)snprintf(line, sizeof line, "%u %s%s", row->preference,
	    row->host, row->self ? " (this machine)" : "");
	for (size_t i = 0; i < row->naddr && n < sizeof line; i++)
		n += (size_t)snprintf(line + n, sizeof line - n, " %s%s",
		    row->addr[i].text, address_state(&row->addr[i]));
	cli_field(p->cli, "host", line);
	return true;
}

void
cli_mx_print(const struct cli *cli, struct sts_ctx *ctx, const char *domain)
{
	struct print p = { cli, false };

	(void)sts_mx_walk(ctx, domain, print_row, &p, NULL);
}

static bool
seen_row(void *arg, const struct sts_mx_row *row)
{
	(void)row;
	*(bool *)arg = true;
	return false;
}

bool
cli_mx_any(struct sts_ctx *ctx, const char *domain)
{
	bool seen = false;

	(void)sts_mx_walk(ctx, domain, seen_row, &seen, NULL);
	return seen;
}

static json_t *
row_json(const struct sts_mx_row *row)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < row->naddr; i++) {
		const struct sts_mx_address *a = &row->addr[i];
		json_t *j = json_pack("{s:s,s:o,s:o,s:o}", "address", a->text,
		    "failed", cli_json_time(a->failed), "probed",
		    cli_json_time(a->probed), "down", cli_json_time(a->down));

		if (json_array_append_new(list, j) != 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return json_pack("{s:s,s:i,s:b,s:o}", "host", row->host, "preference",
	    (int)row->preference, "self", row->self, "addresses", list);
}

static bool
add_row(void *arg, const struct sts_mx_row *row)
{
	json_t **set = arg;

	if (*set == NULL)
		*set = json_pack("{s:s,s:o,s:o,s:[]}", "kind", row->kind,
		    "asked", cli_json_time(row->asked), "until",
		    cli_json_time(row->until), "hosts");
	if (*set == NULL || row->host == NULL)
		return *set != NULL;
	return json_array_append_new(json_object_get(*set, "hosts"),
		   row_json(row)) == 0;
}

json_t *
cli_mx_json(json_t *object, struct sts_ctx *ctx, const char *domain)
{
	json_t *set = NULL;

	if (sts_mx_walk(ctx, domain, add_row, &set, NULL) == STS_OK &&
	    set == NULL) {
		json_decref(object);
		return NULL;
	}
	if (object != NULL &&
	    json_object_set_new(object, "mx_set",
		set != NULL ? set : json_null()) != 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}
