/* SPDX-License-Identifier: ISC */
/* mtasts(1): which command, which options, and what became of the output. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include <mtasts/session.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Long options without a letter; the bits of enum cli_opt come after. */
enum { OPT_HELP = 'h', OPT_VERSION = 'V', OPT_CONF = 'c', OPT_BIT = 256 };

static const struct option options[] = {
	{ "all", no_argument, NULL, OPT_BIT + CLI_ALL },
	{ "expired", no_argument, NULL, OPT_BIT + CLI_EXPIRED },
	{ "fresh", no_argument, NULL, OPT_BIT + CLI_FRESH },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "json", no_argument, NULL, OPT_BIT + CLI_JSON },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const struct cli_cmd cmds[] = {
	{ "query", "", "[--fresh] [--json] DOMAIN...",
	    "say which policy is in force for mail to DOMAIN, and why",
	    CLI_FRESH | CLI_JSON, cli_query },
	{ "cache", "list", "[--json]", "list what is remembered", CLI_JSON,
	    cli_cache_list },
	{ "cache", "show", "[--json] DOMAIN...",
	    "show all that is remembered of DOMAIN", CLI_JSON, cli_cache_show },
	{ "cache", "purge", "[--json] DOMAIN... | --expired | --all",
	    "forget DOMAIN, what is past its use, or everything",
	    CLI_JSON | CLI_EXPIRED | CLI_ALL, cli_cache_purge },
	{ "cache", "refresh", "[--json] DOMAIN...",
	    "fetch the policy of DOMAIN now and say what changed", CLI_JSON,
	    cli_cache_refresh },
	{ "refresh", "", "[--json]",
	    "fetch the policies in use that are due, and prune the cache",
	    CLI_JSON, cli_refresh },
	{ "report", "", STS_REPORT_USAGE,
	    "make and send TLS reports, or hand sessions to a collector, see "
	    "mtasts-report(8)",
	    CLI_OWN, cli_report },
	{ "exim-policy", "", "-- DOMAIN [SENDER [MESSAGE [VERIFY]]]",
	    "answer as ${dlfunc{exim.so}{mtasts_policy}...} does, see "
	    "mtasts-exim(5)",
	    0, cli_exim_policy },
	{ "exim-failed", "", "-- DOMAIN",
	    "note that a delivery failed under the policy of DOMAIN", 0,
	    cli_exim_failed },
	{ "lint", "policy", "[--json] FILE|-",
	    "check a policy as published at /.well-known/mta-sts.txt", CLI_JSON,
	    cli_lint_policy },
	{ "lint", "txt", "[--json] <RECORDS.json",
	    "check the TXT records of _mta-sts.DOMAIN, a JSON array on stdin",
	    CLI_JSON, cli_lint_txt },
	{ "lint", "tlsrpt", "[--json] <RECORDS.json",
	    "check the TXT records of _smtp._tls.DOMAIN", CLI_JSON,
	    cli_lint_tlsrpt },
	{ "lint", "mx", "[--json] HOST PATTERN...",
	    "does the MX host match one of the patterns?", CLI_JSON,
	    cli_lint_mx },
	{ "lint", "config", "[--json] [FILE]", "check a configuration file",
	    CLI_JSON, cli_lint_config },
};

static void
help_all(void)
{
	puts("usage: mtasts [-c FILE] COMMAND\n\ncommands:");
	for (size_t i = 0; i < LEN(cmds); i++)
		printf("  %s%s%s %s\n        %s\n", cmds[i].group,
		    *cmds[i].name != '\0' ? " " : "", cmds[i].name,
		    cmds[i].args, cmds[i].about);
	puts("\noptions:\n"
	     "  -c FILE     read this configuration, see mtasts.conf(5)\n"
	     "  --json      one JSON object per line\n"
	     "  --help      this text; after a command: about that command\n"
	     "  --version   the version\n\n"
	     "exit status: 0 policy in force, valid or match; 1 not;\n"
	     "  2 wrong usage; 3 fault of this host.  More in mtasts(1).");
}

/* What is wrong at the option getopt_long(3) stopped at. */
static int
bad_option(const struct cli_cmd *cmd, int c, char **argv)
{
	const char *word = argv[optind - 1];

	if (c == ':')
		return cli_usage(cmd, "option '%s' requires an argument",
		    cli_shown(word));
	if (optopt > ' ' && optopt < 0x7f)
		return cli_usage(cmd, "unknown option '-%c'", optopt);
	return cli_usage(cmd, "invalid option '%s'", cli_shown(word));
}

static const char *
option_name(unsigned bit)
{
	for (const struct option *o = options; o->name != NULL; o++)
		if (o->val == OPT_BIT + (int)bit)
			return o->name;
	return "?";
}

/*
 * Take options from argv[1] on; what is left starts at optind.  Returns -1
 * to go on, else the exit status.
 */
static int
take_options(struct cli *cli, const char *letters, int argc, char **argv)
{
	unsigned bit;
	int c;

	optind = 0; /* start anew: glibc, musl and the BSDs understand */
	opterr = 0;
	while ((c = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (c == OPT_CONF)
			cli->conf = optarg;
		else if (c == OPT_HELP) {
			if (cli->cmd != NULL)
				cli_help(cli->cmd);
			else
				help_all();
			return CLI_OK;
		} else if (c == OPT_VERSION) {
			printf("mtasts %s\n", sts_version());
			return CLI_OK;
		} else if (c > OPT_BIT) {
			bit = (unsigned)(c - OPT_BIT);
			if (cli->cmd != NULL && (cli->cmd->opts & bit) == 0)
				return cli_usage(cli->cmd,
				    "option '--%s' has no meaning here",
				    option_name(bit));
			cli->opts |= bit;
		} else
			return bad_option(cli->cmd, c, argv);
	}
	return -1;
}

/* How many words name the command, and which; 0: none. */
static int
find(const struct cli_cmd **cmd, int argc, char **argv)
{
	*cmd = NULL;
	for (size_t i = 0; i < LEN(cmds); i++) {
		if (strcmp(cmds[i].group, argv[0]) != 0)
			continue;
		if (*cmds[i].name == '\0') {
			*cmd = &cmds[i];
			return 1;
		}
		if (argc > 1 && strcmp(cmds[i].name, argv[1]) == 0) {
			*cmd = &cmds[i];
			return 2;
		}
	}
	return 0;
}

static int
unknown(int argc, char **argv)
{
	static const char words[][32] = {
		"list|show|purge|refresh",
		"policy|txt|tlsrpt|mx|config",
	};
	static const char *const groups[] = { "cache", "lint" };

	for (size_t i = 0; i < LEN(groups); i++) {
		if (strcmp(argv[0], groups[i]) != 0)
			continue;
		if (argc > 1)
			fprintf(stderr, "mtasts: unknown command '%s %s'",
			    groups[i], cli_shown(argv[1]));
		else
			fprintf(stderr, "mtasts: %s: no subcommand given",
			    groups[i]);
		fprintf(stderr, "; usage: mtasts [-c FILE] %s %s ...\n",
		    groups[i], words[i]);
		return CLI_USAGE;
	}
	return cli_usage(NULL, "unknown command '%s'", cli_shown(argv[0]));
}

/*
 * The worker reads the same file from another directory, so the path must not
 * depend on ours.  Lives as long as the process; NULL: no memory or no cwd.
 */
static const char *
absolute(const char *path)
{
	char *dir, *out = NULL;
	size_t size;

	if (path[0] == '/' || (dir = getcwd(NULL, 0)) == NULL)
		return path[0] == '/' ? path : NULL;
	size = strlen(dir) + strlen(path) + 2;
	if ((out = malloc(size)) != NULL)
		snprintf(out, size, "%s/%s", dir, path);
	free(dir);
	return out;
}

static int
dispatch(struct cli *cli, int argc, char **argv)
{
	int rc, words;

	if ((rc = take_options(cli, "+:c:hV", argc, argv)) != -1)
		return rc;
	argc -= optind;
	argv += optind;
	if (argc == 0)
		return cli_usage(NULL, "no command given");
	if (strcmp(argv[0], "help") == 0 ||
	    (argc > 1 && strcmp(argv[1], "--help") == 0 &&
		(strcmp(argv[0], "cache") == 0 ||
		    strcmp(argv[0], "lint") == 0))) {
		help_all();
		return CLI_OK;
	}
	if ((words = find(&cli->cmd, argc, argv)) == 0)
		return unknown(argc, argv);
	if ((cli->opts & ~cli->cmd->opts) != 0)
		return cli_usage(cli->cmd, "option has no meaning here");
	argc -= words - 1;
	argv += words - 1;
	optind = 1;
	if ((cli->cmd->opts & CLI_OWN) == 0 &&
	    (rc = take_options(cli, ":c:hV", argc, argv)) != -1)
		return rc;
	if (cli->conf != NULL && (cli->conf = absolute(cli->conf)) == NULL)
		return cli_fault("current directory: %s", strerror(errno));
	return cli->cmd->run(cli, argc - optind, argv + optind);
}

/*
 * With 0, 1 or 2 closed, a file of the cache would get that number and be
 * written to.  The wrong way round, so that using it is still an error.
 */
static bool
fill_std(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1 && errno == EBADF &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return false;
	return true;
}

static void
look_at_terminal(struct cli *cli)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
	bool dumb = term == NULL || *term == '\0' || strcmp(term, "dumb") == 0;

	cli->aligned = isatty(STDOUT_FILENO) == 1;
	cli->colour = cli->aligned && !dumb && (no == NULL || *no == '\0');
	cli->progress = isatty(STDERR_FILENO) == 1 && !dumb;
}

int
main(int argc, char **argv)
{
	struct cli cli = { 0 };
	int rc;

	if (!fill_std())
		return CLI_FAULT;
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error with a reason */
	look_at_terminal(&cli);
	rc = dispatch(&cli, argc, argv);
	if (!cli_flush(&cli))
		rc = cli_fault("standard output: %s", strerror(cli.lost));
	return rc;
}
