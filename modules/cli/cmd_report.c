/* SPDX-License-Identifier: ISC */
/*
 * mtasts report: becomes the program that does the work, which speaks DNS,
 * TLS and JSON, as the owner of the spool directory.
 */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include <mtasts/session.h>

enum { ARGS_MAX = 16 };

/* For good: the saved ids, too. */
static bool
drop_privileges(unsigned uid, unsigned gid)
{
	gid_t group = gid;

	if (geteuid() != 0)
		return true;
	return setgroups(1, &group) == 0 && setgid(gid) == 0 &&
	    setuid(uid) == 0 && setuid(0) == -1;
}

int
cli_report(struct cli *cli, int argc, char **argv)
{
	char path[STS_PROGRAM_PATH];
	char conf_option[] = "-c";
	char *args[ARGS_MAX] = { path };
	struct sts_report_options options;
	struct sts_ctx *ctx;
	struct sts_err err = { 0 };
	unsigned uid, gid;
	enum sts_rc rc;
	int n = 1;

	/* getopt_long(3) wants a name first: "report" is before argv[0]. */
	rc = sts_report_options_parse(&options, argc + 1, argv - 1, time(NULL),
	    &err);
	if (rc == STS_ABSENT) {
		cli_help(cli->cmd);
		return CLI_OK;
	}
	if (rc != STS_OK)
		return cli_usage(cli->cmd, "%s", err.text);
	if (argc > ARGS_MAX - 4)
		return cli_usage(cli->cmd, "too many arguments");
	rc = sts_open(&ctx, options.conf != NULL ? options.conf : cli->conf,
	    &err);
	if (rc == STS_OK)
		rc = sts_report_program(ctx, path, &uid, &gid, &err);
	sts_close(ctx);
	if (rc != STS_OK)
		return cli_fault("%s", err.text);
	if (cli->conf != NULL) {
		args[n++] = conf_option;
		if ((args[n++] = strdup(cli->conf)) == NULL)
			return cli_fault("out of memory");
	}
	for (int i = 0; i < argc; i++)
		args[n++] = argv[i];
	if (!drop_privileges(uid, gid))
		return cli_fault("cannot become the owner of the spool "
				 "directory: %s",
		    strerror(errno));
	execv(path, args);
	return cli_fault("%s: %s", path, strerror(errno));
}
