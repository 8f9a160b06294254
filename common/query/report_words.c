/* SPDX-License-Identifier: ISC */
/*
 * The words of "mtasts report", for mtasts(1), which judges them before it
 * reads a configuration, and for the program that does the work.
 */
#include <getopt.h>
#include <string.h>

#include "base/err.h"
#include "base/scan.h"
#include "tlsrpt/spool.h"
#include <mtasts/session.h>

enum { ABI_ANY = 255 }; /* SANDBOX_ABI_ANY */

static enum sts_rc
take_day(struct sts_report_words *w, const char *word, int64_t now,
    struct sts_err *err)
{
	int64_t today = now - now % STS_DAY;

	w->day = strcmp(word, "today") == 0  ? today
	    : strcmp(word, "yesterday") == 0 ? today - STS_DAY
					     : sts_day_of(word);
	w->today = strcmp(word, "today") == 0;
	if (w->day >= 0)
		return STS_OK;
	return sts_fail(err, STS_USAGE, 0,
	    "--day wants YYYY-MM-DD, yesterday or today");
}

static enum sts_rc
take_domain(struct sts_report_words *w, const char *word, struct sts_err *err)
{
	if (sts_domain_normal(w->domain, word, NULL) == STS_OK)
		return STS_OK;
	return sts_fail(err, STS_USAGE, 0, "--domain wants a domain name");
}

static enum sts_rc
take_abi(struct sts_report_words *w, const char *word, struct sts_err *err)
{
	if (str_u64(str_of(word), ABI_ANY - 1, &w->abi))
		return STS_OK;
	return sts_fail(err, STS_USAGE, 0, "--abi wants a number");
}

/* Of those that make sense by themselves. */
static enum sts_rc
judge(const struct sts_report_words *w, struct sts_err *err)
{
	bool look = w->print || w->dry_run;
	bool chosen = w->day != -1 || w->domain[0] != '\0' || look;

	if (w->forward && (chosen || w->status))
		return sts_fail(err, STS_USAGE, 0,
		    "--forward goes with no other option");
	if (w->status && chosen)
		return sts_fail(err, STS_USAGE, 0,
		    "--status goes with --json and no other option");
	if (w->sandbox_test && (chosen || w->status || w->forward))
		return sts_fail(err, STS_USAGE, 0,
		    "--sandbox-test goes with --abi and no other option");
	if (w->abi != ABI_ANY && !w->sandbox_test)
		return sts_fail(err, STS_USAGE, 0,
		    "--abi wants --sandbox-test");
	if (w->json && !w->status)
		return sts_fail(err, STS_USAGE, 0, "--json wants --status");
	if (w->today && !look)
		return sts_fail(err, STS_USAGE, 0,
		    "--day today is not over, and goes with --print or "
		    "--dry-run");
	return STS_OK;
}

enum sts_rc
sts_report_words(struct sts_report_words *w, int argc, char **argv, int64_t now,
    struct sts_err *err)
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

	*w = (struct sts_report_words){ .day = -1, .abi = ABI_ANY };
	optind = 0; /* start anew: glibc, musl and the BSDs understand */
	opterr = 0;
	while (rc == STS_OK &&
	    (c = getopt_long(argc, argv, ":c:h", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			w->conf = optarg;
			break;
		case 'd':
			rc = take_day(w, optarg, now, err);
			break;
		case 'D':
			rc = take_domain(w, optarg, err);
			break;
		case 'n':
			w->dry_run = true;
			break;
		case 'p':
			w->print = true;
			break;
		case 'f':
			w->forward = true;
			break;
		case 's':
			w->status = true;
			break;
		case 't':
			w->sandbox_test = true;
			break;
		case 'a':
			rc = take_abi(w, optarg, err);
			break;
		case 'j':
			w->json = true;
			break;
		case 'h':
			return STS_ABSENT;
		case ':':
			return sts_fail(err, STS_USAGE, 0,
			    "option '%s' wants an argument", argv[optind - 1]);
		default:
			return sts_fail(err, STS_USAGE, 0, "wrong option '%s'",
			    argv[optind - 1]);
		}
	if (rc == STS_OK && optind < argc)
		return sts_fail(err, STS_USAGE, 0, "what is '%s'?",
		    argv[optind]);
	return rc == STS_OK ? judge(w, err) : rc;
}
