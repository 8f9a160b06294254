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

enum { WORDS = 16 };

/* For good: nothing of what comes then is root's business. */
static bool
drop(unsigned uid, unsigned gid)
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
	char *word[WORDS] = { path };
	struct sts_report_words judged;
	struct sts_ctx *ctx;
	struct sts_err err = { 0 };
	unsigned uid, gid;
	enum sts_rc rc;
	int n = 1;

	/* Their name is in front of them. */
	rc = sts_report_words(&judged, argc + 1, argv - 1, time(NULL), &err);
	if (rc == STS_ABSENT) {
		cli_help(cli->cmd);
		return CLI_OK;
	}
	if (rc != STS_OK)
		return cli_usage(cli->cmd, "%s", err.text);
	if (argc > WORDS - 4)
		return cli_usage(cli->cmd, "too many words");
	rc =
	    sts_open(&ctx, judged.conf != NULL ? judged.conf : cli->conf, &err);
	if (rc == STS_OK)
		rc = sts_report_program(ctx, path, &uid, &gid, &err);
	sts_close(ctx);
	if (rc != STS_OK)
		return cli_fault("%s", err.text);
	if (cli->conf != NULL) {
		word[n++] = conf_option;
		if ((word[n++] = strdup(cli->conf)) == NULL)
			return cli_fault("out of memory");
	}
	for (int i = 0; i < argc; i++)
		word[n++] = argv[i];
	if (!drop(uid, gid))
		return cli_fault("cannot become the owner of the spool "
				 "directory: %s",
		    strerror(errno));
	execv(path, word);
	return cli_fault("%s: %s", path, strerror(errno));
}
