/* SPDX-License-Identifier: ISC */
/* One answer of the library, for people and for programs. */
#include <string.h>

#include "cli.h"
#include <mtasts/cache_admin.h>

static const char *
source_name(enum sts_source source)
{
	switch (source) {
	case STS_FROM_CONFIG:
		return "config";
	case STS_FROM_CACHE:
		return "cache";
	case STS_FROM_NETWORK:
		return "network";
	}
	return "?";
}

const char *
cli_verdict_name(enum sts_verdict verdict)
{
	switch (verdict) {
	case STS_NO_POLICY:
		return "none";
	case STS_POLICY:
		return "policy";
	case STS_MUST_WAIT:
		return "cannot-tell";
	}
	return "?";
}

int
cli_verdict_exit(enum sts_verdict verdict)
{
	return verdict == STS_POLICY ? CLI_OK : CLI_NO;
}

const char *
cli_answer_mode(const struct sts_answer *a)
{
	if (a->verdict == STS_POLICY)
		return sts_mode_name(a->mode);
	if (a->policy != NULL)
		return sts_mode_name(sts_policy_mode(a->policy));
	return NULL;
}

json_t *
cli_answer_mx(const struct sts_policy *pol)
{
	size_t n = pol != NULL ? sts_policy_mx_count(pol) : 0;
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < n; i++)
		if (json_array_append_new(list,
			json_string(sts_policy_mx(pol, i))) != 0) {
			json_decref(list);
			list = NULL;
		}
	return list;
}

json_t *
cli_answer_json(const char *domain, const struct sts_answer *a)
{
	json_t *age = a->policy != NULL
	    ? json_integer(sts_policy_max_age(a->policy))
	    : json_null();

	return json_pack("{s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:o}",
	    "domain", domain, "verdict", cli_verdict_name(a->verdict), "mode",
	    cli_json_text(cli_answer_mode(a)), "id", cli_json_text(a->id), "mx",
	    cli_answer_mx(a->policy), "max_age", age, "fetched",
	    cli_json_time(a->fetched), "checked", cli_json_time(a->checked),
	    "expires", cli_json_time(a->expires), "source",
	    source_name(a->source), "why", cli_json_text(a->why));
}

static void
print_mode(const struct cli *cli, const struct sts_answer *a)
{
	const char *mode = cli_answer_mode(a), *published;
	char line[64];

	if (mode == NULL)
		return;
	published = a->policy != NULL
	    ? sts_mode_name(sts_policy_mode(a->policy))
	    : mode;
	if (strcmp(mode, published) == 0)
		cli_field(cli, "mode", mode);
	else {
		snprintf(line, sizeof line, "%s (the domain says %s)", mode,
		    published);
		cli_field(cli, "mode", line);
	}
}

void
cli_entry_print(const struct cli *cli, const struct sts_answer *a)
{
	size_t n = a->policy != NULL ? sts_policy_mx_count(a->policy) : 0;

	print_mode(cli, a);
	if (a->id[0] != '\0')
		cli_field(cli, "id", a->id);
	for (size_t i = 0; i < n; i++)
		cli_field(cli, "mx", sts_policy_mx(a->policy, i));
	cli_field_time(cli, "expires", a->expires);
	cli_field_time(cli, "fetched", a->fetched);
	cli_field_time(cli, "checked", a->checked);
}

void
cli_answer_print(const struct cli *cli, const struct sts_answer *a)
{
	cli_entry_print(cli, a);
	cli_field(cli, "source", source_name(a->source));
	if (a->why[0] != '\0')
		cli_field(cli, "why", a->why);
}

void
cli_outbound_print(const struct cli *cli, struct sts_ctx *ctx)
{
	struct sts_outbound b;
	char stamp[CLI_TIME_SIZE], line[160];

	if (sts_outbound_blocked(ctx, &b, NULL) != STS_OK ||
	    cli_time(stamp, b.since) == NULL)
		return;
	snprintf(line, sizeof line,
	    "blocked? no policy host of %u owners could be connected to "
	    "since %s",
	    b.owners, stamp);
	cli_field(cli, "port 443", line);
}

json_t *
cli_outbound_json(json_t *object, struct sts_ctx *ctx)
{
	json_t *blocked = json_null();
	struct sts_outbound b;

	if (sts_outbound_blocked(ctx, &b, NULL) == STS_OK)
		blocked = json_pack("{s:i,s:o}", "owners", (int)b.owners,
		    "since", cli_json_time(b.since));
	if (object == NULL ||
	    json_object_set_new(object, "outbound_443_blocked", blocked) != 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}
