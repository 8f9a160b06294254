/* SPDX-License-Identifier: ISC */
/* mtasts query: what would be decided for a domain, and why. */
#include "cli.h"

static void
print(const struct cli *cli, struct sts_ctx *ctx, const struct cli_name *name,
    const struct sts_answer *a)
{
	cli_name_print(cli, name);
	fputs(": ", stdout);
	if (a->verdict == STS_MUST_WAIT)
		cli_tinted(cli, CLI_RED, "cannot tell, mail waits");
	else if (a->verdict == STS_NO_POLICY)
		cli_tinted(cli, CLI_YELLOW, "no policy in force");
	else if (a->mode == STS_MODE_ENFORCE)
		cli_tinted(cli, CLI_GREEN, "policy in force");
	else
		cli_tinted(cli, CLI_GREEN,
		    "policy in testing mode, not enforced");
	putchar('\n');
	cli_answer_print(cli, a);
	cli_outbound_print(cli, ctx);
}

static int
complain(const struct cli *cli, const char *domain, const struct sts_err *err)
{
	int rc = err->rc == STS_USAGE || err->rc == STS_INVALID ? CLI_USAGE
								: CLI_FAULT;

	if ((cli->opts & CLI_JSON) != 0)
		return cli_json_line(json_pack("{s:s,s:s}", "domain",
					 cli_shown(domain), "error", err->text),
		    rc);
	fprintf(stderr, "mtasts: %s: %s\n", cli_shown(domain), err->text);
	return rc;
}

/*
 * A ctx waits 30 s in sum over all its domains, which is right for a mail
 * delivery; somebody who asks wants an answer for each.
 */
static enum sts_rc
ask(const struct cli *cli, const char *domain, struct sts_ctx **ctx,
    struct sts_answer **out, struct sts_err *err)
{
	unsigned flags = (cli->opts & CLI_FRESH) != 0 ? STS_FRESH : 0;
	struct cli_progress bar;
	enum sts_rc rc;

	*out = NULL;
	if ((rc = sts_open(ctx, cli->conf, err)) != STS_OK)
		return rc;
	cli_progress_start(&bar, cli, domain);
	rc = sts_query(*ctx, domain, flags, out, err);
	cli_progress_stop(&bar);
	return rc;
}

static int
one(const struct cli *cli, const char *arg)
{
	char normal[STS_NAME_SIZE];
	const char *shown = normal;
	struct sts_answer *a = NULL;
	struct sts_ctx *ctx = NULL;
	struct cli_name name;
	struct sts_err err = { 0 };
	int rc;

	if (!cli_name_take(&name, arg, &err))
		return complain(cli, arg, &err);
	if (ask(cli, name.ascii, &ctx, &a, &err) != STS_OK) {
		rc = complain(cli, name.ascii, &err);
		goto out;
	}
	rc = cli_verdict_exit(a->verdict);
	if ((cli->opts & CLI_JSON) == 0)
		print(cli, ctx, &name, a);
	else {
		if (sts_domain_normal(normal, name.ascii, NULL) != STS_OK)
			shown = cli_shown(name.ascii);
		rc = cli_json_line(cli_outbound_json(cli_name_json(&name,
							 cli_answer_json(shown,
							     a)),
				       ctx),
		    rc);
	}
out:
	sts_answer_free(a);
	sts_close(ctx);
	cli_name_free(&name);
	return rc;
}

int
cli_query(struct cli *cli, int argc, char **argv)
{
	int worst = CLI_OK, rc;

	if (argc == 0)
		return cli_usage(cli->cmd, "query: no domain given");
	for (int i = 0; i < argc; i++) {
		rc = one(cli, argv[i]);
		if (rc > worst)
			worst = rc;
		if (!cli_flush(cli)) /* the next one may take its time */
			break;
	}
	return worst;
}
