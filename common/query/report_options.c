/* SPDX-License-Identifier: ISC */
/*
 * The options of "mtasts report": for mtasts(1), which checks them before it
 * reads a configuration, and for mtasts-report, which does the work.
 */
#include <getopt.h>
#include <string.h>

#include "base/err.h"
#include "base/scan.h"
#include "tlsrpt/spool.h"
#include <mtasts/session.h>

enum { ABI_ANY = 255 }; /* SANDBOX_ABI_ANY of sandbox.h, which is not for us */

static enum sts_rc
parse_day(struct sts_report_options *o, const char *arg, int64_t now,
    struct sts_err *err)
{
	int64_t today = now - now % STS_DAY;

	o->day = strcmp(arg, "today") == 0  ? today
	    : strcmp(arg, "yesterday") == 0 ? today - STS_DAY
					    : sts_day_of(arg);
	o->today = strcmp(arg, "today") == 0;
	if (o->day >= 0)
		return STS_OK;
	return sts_fail(err, STS_USAGE, 0,
	    "--day needs YYYY-MM-DD, yesterday or today");
}

static enum sts_rc
parse_domain(struct sts_report_options *o, const char *arg, struct sts_err *err)
{
	if (sts_domain_normal(o->domain, arg, NULL) == STS_OK)
		return STS_OK;
	return sts_fail(err, STS_USAGE, 0, "--domain needs a domain name");
}

static enum sts_rc
parse_abi(struct sts_report_options *o, const char *arg, struct sts_err *err)
{
	if (str_u64(str_of(arg), ABI_ANY - 1, &o->abi))
		return STS_OK;
	return sts_fail(err, STS_USAGE, 0, "--abi needs a number");
}

/* Each is valid by itself; may they be used together? */
static enum sts_rc
check_combination(const struct sts_report_options *o, struct sts_err *err)
{
	bool preview = o->print || o->dry_run;
	bool selects = o->day != -1 || o->domain[0] != '\0' || preview;

	if (o->forward && (selects || o->status))
		return sts_fail(err, STS_USAGE, 0,
		    "--forward cannot be combined with other options");
	if (o->status && selects)
		return sts_fail(err, STS_USAGE, 0,
		    "--status can be combined only with --json");
	if (o->sandbox_test && (selects || o->status || o->forward))
		return sts_fail(err, STS_USAGE, 0,
		    "--sandbox-test can be combined only with --abi");
	if (o->abi != ABI_ANY && !o->sandbox_test)
		return sts_fail(err, STS_USAGE, 0,
		    "--abi needs --sandbox-test");
	if (o->json && !o->status)
		return sts_fail(err, STS_USAGE, 0, "--json needs --status");
	if (o->today && !preview)
		return sts_fail(err, STS_USAGE, 0,
		    "--day today needs --print or --dry-run, as the day "
		    "is not over");
	return STS_OK;
}

enum sts_rc
sts_report_options_parse(struct sts_report_options *o, int argc, char **argv,
    int64_t now, struct sts_err *err)
{
	static const struct option longs[] = {
		{ "day", required_argument, NULL, 'd' },
		{ "domain", required_argument, NULL, 'D' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "print", no_argument, NULL, 'p' },
		{ "forward", no_argument, NULL, 'f' },
		{ "status", no_argument, NULL, 's' },
		{ "sandbox-test", no_argument, NULL, 't' },
		{ "abi", required_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	enum sts_rc rc = STS_OK;
	int c;

	*o = (struct sts_report_options){ .day = -1, .abi = ABI_ANY };
	optind = 0; /* start anew, with glibc, musl and the BSDs */
	opterr = 0;
	while (rc == STS_OK &&
	    (c = getopt_long(argc, argv, ":c:h", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			o->conf = optarg;
			break;
		case 'd':
			rc = parse_day(o, optarg, now, err);
			break;
		case 'D':
			rc = parse_domain(o, optarg, err);
			break;
		case 'n':
			o->dry_run = true;
			break;
		case 'p':
			o->print = true;
			break;
		case 'f':
			o->forward = true;
			break;
		case 's':
			o->status = true;
			break;
		case 't':
			o->sandbox_test = true;
			break;
		case 'a':
			rc = parse_abi(o, optarg, err);
			break;
		case 'j':
			o->json = true;
			break;
		case 'h':
			return STS_ABSENT;
		case ':':
			return sts_fail(err, STS_USAGE, 0,
			    "option '%s' needs an argument", argv[optind - 1]);
		default:
			return sts_fail(err, STS_USAGE, 0,
			    "unknown option '%s'", argv[optind - 1]);
		}
	if (rc == STS_OK && optind < argc)
		return sts_fail(err, STS_USAGE, 0, "unexpected argument '%s'",
		    argv[optind]);
	return rc == STS_OK ? check_combination(o, err) : rc;
}
