/* SPDX-License-Identifier: ISC */
/* mtasts cache: look into what is remembered, and forget it. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include <mtasts/cache_admin.h>

static const char *
kind_name(enum sts_row_kind kind)
{
	switch (kind) {
	case STS_ROW_POLICY:
		return "policy";
	case STS_ROW_NONE:
		return "none";
	case STS_ROW_NO_FETCH:
		return "no-fetch";
	case STS_ROW_UNASKED:
		return "unasked";
	case STS_ROW_BROKEN:
		return "broken";
	}
	return "?";
}

static const char *
kind_text(enum sts_row_kind kind)
{
	switch (kind) {
	case STS_ROW_POLICY:
		return "a policy";
	case STS_ROW_NONE:
		return "the domain publishes no usable TXT record";
	case STS_ROW_NO_FETCH:
		return "a TXT record, but no policy to be had";
	case STS_ROW_UNASKED:
		return "DNS could not be asked";
	case STS_ROW_BROKEN:
		return "a broken entry, which counts as absent";
	}
	return "?";
}

static const struct sts_policy *
row_policy(const struct sts_row *row)
{
	return row->kind == STS_ROW_POLICY ? row->answer.policy : NULL;
}

static const char *
row_mode(const struct sts_row *row)
{
	const struct sts_policy *pol = row_policy(row);

	return pol != NULL ? sts_mode_name(sts_policy_mode(pol)) : NULL;
}

/* For a policy that was not to be had, every use looks again. */
static int64_t
row_until(const struct sts_row *row)
{
	return row->kind == STS_ROW_NO_FETCH ? 0 : row->until;
}

static json_t *
row_json(const struct sts_row *row, bool body)
{
	const struct sts_policy *pol = row_policy(row);
	const struct sts_answer *a = &row->answer;
	json_t *age =
	    pol != NULL ? json_integer(sts_policy_max_age(pol)) : json_null();
	json_t *j =
	    json_pack("{s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
		"domain", row->domain != NULL ? cli_shown(row->domain) : "",
		"kind", kind_name(row->kind), "mode",
		cli_json_text(row_mode(row)), "id", cli_json_text(a->id), "mx",
		cli_answer_mx(pol), "max_age", age, "fetched",
		cli_json_time(a->fetched), "checked", cli_json_time(a->checked),
		"expires", cli_json_time(a->expires), "used",
		cli_json_time(row->used), "until",
		cli_json_time(row_until(row)), "why",
		cli_json_text(row->answer.why));

	if (j != NULL && body &&
	    json_object_set_new(j, "body",
		row->body.len > 0 ? cli_json_bytes(row->body) : json_null()) !=
		0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static void
print_body(const struct cli *cli, struct sts_str body)
{
	const char *end = body.p + body.len, *nl;

	if (body.len == 0)
		return;
	puts(cli->aligned ? "  body" : "  body:");
	for (const char *p = body.p; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			nl = end;
		fputs("    ", stdout);
		cli_escape(stdout, p,
		    (size_t)(nl - p) - (nl > p && nl[-1] == '\r'));
		putchar('\n');
	}
}

static bool
list_row(void *arg, const struct sts_row *row)
{
	struct cli *cli = arg;
	const char *mode = row_mode(row);
	char stamp[CLI_TIME_SIZE];

	if ((cli->opts & CLI_JSON) != 0)
		return cli_json_line(row_json(row, false), CLI_OK) == CLI_OK &&
		    (!ferror(stdout) || cli_flush(cli));
	if (cli_time(stamp, row_until(row)) == NULL)
		snprintf(stamp, sizeof stamp, "-");
	printf(cli->aligned ? "%-8s  %-8s  %-20s  %s\n" : "%s %s %s %s\n",
	    kind_name(row->kind), mode != NULL ? mode : "-", stamp,
	    row->domain != NULL ? cli_shown(row->domain) : "-");
	return !ferror(stdout) || cli_flush(cli);
}

int
cli_cache_list(struct cli *cli, int argc, char **argv)
{
	struct sts_err err = { 0 };
	struct sts_ctx *ctx;
	enum sts_rc rc;

	if (argc != 0)
		return cli_usage(cli->cmd, "cache list: unexpected '%s'",
		    cli_shown(argv[0]));
	if (sts_open(&ctx, cli->conf, &err) != STS_OK)
		return cli_fault("%s", err.text);
	if (cli->aligned && (cli->opts & CLI_JSON) == 0)
		printf("%-8s  %-8s  %-20s  %s\n", "KIND", "MODE", "UNTIL",
		    "DOMAIN");
	rc = sts_cache_walk(ctx, list_row, cli, &err);
	sts_close(ctx);
	return rc == STS_OK ? CLI_OK : cli_fault("%s", err.text);
}

/* --- One domain at a time ------------------------------------------------ */

/* What one command does with one domain of its list. */
typedef int each_fn(const struct cli *, struct sts_ctx *,
    const struct cli_name *);

static int
complain(const struct cli *cli, const char *domain, const struct sts_err *err)
{
	int rc = CLI_FAULT;

	if (err->rc == STS_ABSENT)
		rc = CLI_NO;
	else if (err->rc == STS_USAGE || err->rc == STS_INVALID)
		rc = CLI_USAGE;
	if ((cli->opts & CLI_JSON) != 0)
		return cli_json_line(json_pack("{s:s,s:s}", "domain",
					 cli_shown(domain), "error", err->text),
		    rc);
	fprintf(stderr, "mtasts: %s: %s\n", cli_shown(domain), err->text);
	return rc;
}

static int
absent(const struct cli *cli, const char *domain)
{
	struct sts_err err = { STS_ABSENT, 0, "not in the cache" };

	return complain(cli, domain, &err);
}

static int
each(struct cli *cli, int argc, char **argv, each_fn *fn)
{
	struct sts_err err = { 0 };
	struct cli_name name;
	struct sts_ctx *ctx;
	int worst = CLI_OK, rc;

	if (argc == 0)
		return cli_usage(cli->cmd, "no domain given");
	for (int i = 0; i < argc; i++) {
		if (!cli_name_take(&name, argv[i], &err))
			rc = complain(cli, argv[i], &err);
		else if (sts_open(&ctx, cli->conf, &err) != STS_OK)
			rc = complain(cli, argv[i], &err);
		else {
			rc = fn(cli, ctx, &name);
			sts_close(ctx);
		}
		cli_name_free(&name);
		if (rc > worst)
			worst = rc;
		if (!cli_flush(cli))
			break;
	}
	return worst;
}

struct show {
	const struct cli *cli;
	struct sts_ctx *ctx;
	const struct cli_name *name;
	int rc;
};

static bool
show_row(void *arg, const struct sts_row *row)
{
	struct show *show = arg;
	const struct cli *cli = show->cli;

	if ((cli->opts & CLI_JSON) != 0) {
		show->rc = cli_json_line(cli_name_json(show->name,
					     cli_mx_json(row_json(row, true),
						 show->ctx, show->name->ascii)),
		    CLI_OK);
		return true;
	}
	cli_name_print(cli, show->name);
	printf(": %s\n", kind_text(row->kind));
	cli_entry_print(cli, &row->answer);
	cli_field_time(cli, "used", row->used);
	if (row->kind != STS_ROW_POLICY) /* there it is "expires" */
		cli_field_time(cli, "until", row_until(row));
	if (*row->answer.why != '\0')
		cli_field(cli, "why", row->answer.why);
	print_body(cli, row->body);
	cli_mx_print(cli, show->ctx, show->name->ascii);
	show->rc = CLI_OK;
	return true;
}

/* Pinned domains, and those whose policy is gone. */
static int
show_mx(const struct cli *cli, struct sts_ctx *ctx, const struct cli_name *name)
{
	if ((cli->opts & CLI_JSON) != 0)
		return cli_json_line(cli_name_json(name,
					 cli_mx_json(json_pack("{s:s,s:n}",
							 "domain",
							 cli_shown(name->ascii),
							 "kind"),
					     ctx, name->ascii)),
		    CLI_OK);
	cli_name_print(cli, name);
	puts(": an MX set alone");
	cli_mx_print(cli, ctx, name->ascii);
	return CLI_OK;
}

static int
show_one(const struct cli *cli, struct sts_ctx *ctx,
    const struct cli_name *name)
{
	struct show show = { cli, ctx, name, CLI_NO };
	struct sts_err err = { 0 };
	enum sts_rc rc = sts_cache_get(ctx, name->ascii, show_row, &show, &err);

	if (rc == STS_ABSENT)
		return cli_mx_any(ctx, name->ascii) ? show_mx(cli, ctx, name)
						    : absent(cli, name->ascii);
	return rc == STS_OK ? show.rc : complain(cli, name->ascii, &err);
}

int
cli_cache_show(struct cli *cli, int argc, char **argv)
{
	return each(cli, argc, argv, show_one);
}

/* --- Purge ---------------------------------------------------------------- */

static int
purge_one(const struct cli *cli, struct sts_ctx *ctx,
    const struct cli_name *name)
{
	struct sts_err err = { 0 };
	enum sts_rc rc = sts_cache_remove(ctx, name->ascii, &err);

	if (rc == STS_ABSENT)
		return absent(cli, name->ascii);
	if (rc != STS_OK)
		return complain(cli, name->ascii, &err);
	if ((cli->opts & CLI_JSON) != 0)
		return cli_json_line(json_pack("{s:s,s:b}", "domain",
					 cli_shown(name->ascii), "removed", 1),
		    CLI_OK);
	cli_name_print(cli, name);
	puts(": removed");
	return CLI_OK;
}

static int
purged(const struct cli *cli, size_t n)
{
	if ((cli->opts & CLI_JSON) != 0)
		return cli_json_line(json_pack("{s:I}", "removed",
					 (json_int_t)n),
		    CLI_OK);
	printf("%zu removed\n", n);
	return CLI_OK;
}

static int
purge_expired(const struct cli *cli, struct sts_ctx *ctx)
{
	struct sts_err err = { 0 };
	size_t n = 0;

	if (sts_cache_prune(ctx, &n, &err) != STS_OK)
		return cli_fault("%s", err.text);
	return purged(cli, n);
}

/* Names first, removal after: nothing is promised about a walk meanwhile. */
enum { BATCH = 1024 };

struct batch {
	size_t n;
	char name[BATCH][STS_NAME_SIZE];
};

static bool
batch_row(void *arg, const struct sts_row *row)
{
	struct batch *b = arg;

	if (row->domain == NULL || strlen(row->domain) >= STS_NAME_SIZE)
		return true;
	snprintf(b->name[b->n++], STS_NAME_SIZE, "%s", row->domain);
	return b->n < BATCH;
}

/* One entry that cannot go does not keep the others. */
static int
purge_all(const struct cli *cli, struct sts_ctx *ctx)
{
	struct batch *b = malloc(sizeof *b);
	struct sts_err err = { 0 }, first = { 0 };
	size_t total = 0, gone;
	enum sts_rc rc;

	if (b == NULL)
		return cli_fault("out of memory");
	do {
		b->n = gone = 0;
		rc = sts_cache_walk(ctx, batch_row, b, &err);
		for (size_t i = 0; rc == STS_OK && i < b->n; i++)
			if (sts_cache_remove(ctx, b->name[i], &err) == STS_OK)
				gone++;
			else if (first.rc == STS_OK)
				first = err;
		total += gone;
	} while (gone > 0 && b->n == BATCH);
	free(b);
	if (rc == STS_OK && first.rc == STS_OK)
		return purged(cli, total);
	purged(cli, total);
	return cli_fault("%s", rc != STS_OK ? err.text : first.text);
}

int
cli_cache_purge(struct cli *cli, int argc, char **argv)
{
	unsigned what = cli->opts & (CLI_ALL | CLI_EXPIRED);
	struct sts_err err = { 0 };
	struct sts_ctx *ctx;
	int rc;

	if (what == 0 && argc == 0)
		return cli_usage(cli->cmd, "cache purge: say what");
	if (what == (CLI_ALL | CLI_EXPIRED) || (what != 0 && argc > 0))
		return cli_usage(cli->cmd, "cache purge: too much at once");
	if (what == 0)
		return each(cli, argc, argv, purge_one);
	if (sts_open(&ctx, cli->conf, &err) != STS_OK)
		return cli_fault("%s", err.text);
	rc = what == CLI_ALL ? purge_all(cli, ctx) : purge_expired(cli, ctx);
	sts_close(ctx);
	return rc;
}

static int
refresh_one(const struct cli *cli, struct sts_ctx *ctx,
    const struct cli_name *name)
{
	struct sts_err err = { 0 };
	int rc = cli_refresh_one(cli, ctx, name, &err);

	return err.rc == STS_OK ? rc : complain(cli, name->ascii, &err);
}

int
cli_cache_refresh(struct cli *cli, int argc, char **argv)
{
	return each(cli, argc, argv, refresh_one);
}
