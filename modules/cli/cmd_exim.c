/* SPDX-License-Identifier: ISC */
/*
 * mtasts exim-policy, exim-failed: for an Exim without dlfunc, which calls them
 * by ${run}, as root while it routes and as its own user else.
 *
 * What they print is taken for an answer if the exit status is 0 and it is one
 * whole line; anything else lets the mail wait.  ${run} joins standard output
 * and error, so a fault of this host may be said on either.
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "exim/policy_answer.h"

/*
 * How long the process that delivers the message has been at work, in ms: it
 * starts one of us for each recipient, one after the other, so what all of them
 * waited is in it.  0 where that cannot be known.
 */
static unsigned
delivery_age(void)
{
	long hz = sysconf(_SC_CLK_TCK);
	unsigned long long start = 0;
	char path[32], line[512], *p;
	struct timespec now;
	double age;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)getppid());
	if (hz <= 0 || clock_gettime(CLOCK_BOOTTIME, &now) != 0 ||
	    (f = fopen(path, "re")) == NULL)
		return 0;
	p = fgets(line, sizeof line, f);
	fclose(f);
	/* The name of the program, in brackets, may have blanks of its own. */
	p = p == NULL ? NULL : strrchr(line, ')');
	/* The time is the twentieth word after that. */
	for (int i = 0; i < 20 && p != NULL; i++)
		p = strchr(p + 1, ' ');
	if (p == NULL)
		return 0;
	while (*++p >= '0' && *p <= '9')
		start = start * 10 + (unsigned)(*p - '0');
	age = (double)now.tv_sec + (double)now.tv_nsec / 1e9 -
	    (double)start / (double)hz;
	return age > 0 ? age < 3600 ? (unsigned)(age * 1000) : 3600000 : 0;
}

/* An empty argument says nothing. */
static const char *
word(int argc, char **argv, int i)
{
	return i < argc && argv[i][0] != '\0' ? argv[i] : NULL;
}

int
cli_exim_policy(struct cli *cli, int argc, char **argv)
{
	struct exim_question q = {
		.domain = word(argc, argv, 0),
		.sender = word(argc, argv, 1),
		.verify = word(argc, argv, 3) != NULL,
	};
	char *text;
	struct sts_ctx *ctx = NULL;
	struct sts_err err = { 0 };
	bool fault;

	if (argc < 1 || argc > 4)
		return cli_usage(cli->cmd, "one to four arguments");
	if (q.domain != NULL && sts_open(&ctx, cli->conf, &err) != STS_OK)
		ctx = NULL;
	if (ctx != NULL && word(argc, argv, 2) != NULL)
		sts_new_message(ctx, delivery_age());
	text = exim_policy_answer(ctx, &q, &err, &fault);
	sts_close(ctx);
	if (text == NULL)
		return cli_fault("out of memory");
	puts(text);
	free(text);
	return fault ? CLI_FAULT : CLI_OK;
}

int
cli_exim_failed(struct cli *cli, int argc, char **argv)
{
	struct sts_ctx *ctx = NULL;
	struct sts_err err = { 0 };
	enum sts_rc rc;

	if (argc != 1)
		return cli_usage(cli->cmd, "one DOMAIN");
	if ((rc = sts_open(&ctx, cli->conf, &err)) == STS_OK)
		rc = sts_failed(ctx, argv[0], &err);
	sts_close(ctx);
	return rc == STS_OK ? CLI_OK : cli_fault("%s", err.text);
}
