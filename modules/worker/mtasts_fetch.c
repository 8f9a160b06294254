/* SPDX-License-Identifier: ISC */
/*
 * mtasts-fetch-openssl, mtasts-fetch-gnutls: the only code that touches the
 * network.  Never runs as root.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/scan.h"
#include "lookup_job.h"
#include "net/http.h"
#include "sandbox/sandbox.h"
#include "sandbox/self_test.h"
#include "serve.h"
#include "tlsrpt/spool.h"

/*
 * Seen: 30 MB of address space, a third of it libraries, with 100 GETs under
 * way.  What needs ten times that is no worker of ours any more.
 */
#define MEMORY_MAX (UINT64_C(512) << 20)

enum { ENTRIES_MAX = 1 << 20, SAY_EVERY = 86400 /* s */ };

struct options {
	const char *conf;
	enum { NOTHING, BRIEF, SERVE, TEST } what;
	uint64_t abi;           /* of landlock, at most */
	bool strict;            /* for tests, see sandbox.h */
	const char *domain;     /* TEST: to be asked for first; NULL: none */
	struct self_test *test; /* and the rest of it, in a child */
	bool first;
};

static bool
read_options(struct options *o, int argc, char *argv[])
{
	static const struct option longs[] = {
		{ "abi", required_argument, NULL, 'a' },
		{ "brief", no_argument, NULL, 'b' },
		{ "sandbox-test", no_argument, NULL, 't' },
		{ "serve", no_argument, NULL, 's' },
		{ "strict", no_argument, NULL, 'S' },
		{ 0 },
	};
	int c;

	o->abi = SANDBOX_ABI_ANY;

	while ((c = getopt_long(argc, argv, "c:", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			o->conf = optarg;
			break;
		case 'a':
			if (!str_u64(str_of(optarg), SANDBOX_ABI_ANY, &o->abi))
				return false;
			break;
		case 'b':
			o->what = BRIEF;
			break;
		case 's':
			o->what = SERVE;
			break;
		case 't':
			o->what = TEST;
			break;
		case 'S':
			o->strict = true;
			break;
		default:
			return false;
		}
	if (o->what == TEST && argv[optind] != NULL)
		o->domain = argv[optind++];
	return o->what != NOTHING && argv[optind] == NULL;
}

/* Standard input may be a regular file, which epoll(7) refuses. */
static struct event_base *
new_base(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *base = NULL;

	if (cfg != NULL &&
	    event_config_require_features(cfg, EV_FEATURE_FDS) == 0)
		base = event_base_new_with_config(cfg);
	if (cfg != NULL)
		event_config_free(cfg);
	return base;
}

/* A failure that cannot be recorded is no reason not to fetch. */
static struct sts_spool *
open_spool(const struct sts_conf *conf)
{
	struct sts_spool *spool = NULL;
	struct sts_err err;

	if (conf->report.contact != NULL)
		(void)sts_spool_open(&spool, conf->report.spool_dir,
		    STS_SPOOL_DAY_MAX, &err);
	return spool;
}

/*
 * What can be read before is: the nameservers, the configuration of the TLS
 * library.  What cannot be had now is asked for again when it is needed.
 */
static void
enter_sandbox(struct sandbox *box, const struct options *o,
    struct lookups *lookups)
{
	const struct sts_conf *conf = lookups->conf;
	bool spools = lookups->spool != NULL;
	struct sandbox_plan plan = {
		.conf = conf,
		.cache_dir = conf->cache_dir,
		.spool_dir = conf->report.spool_dir,
		.spool = spools ? SANDBOX_SPOOL_APPEND : SANDBOX_SPOOL_NONE,
		.memory = MEMORY_MAX,
		/* Entries have 66 KB, the day of a busy host has more. */
		.file_size = spools ? STS_SPOOL_DAY_MAX : ENTRIES_MAX,
		.strict = o->strict,
		.abi = (int)o->abi,
	};

	(void)lookup_dns(lookups, NULL);
	(void)http_init();
	sandbox_enter(box, &plan);
	sandbox_more_cpu();
	if (box->why[0] != '\0' &&
	    sts_store_claim(lookups->store, STS_MARK_SANDBOX_SAID, NULL,
		sts_now(), SAY_EVERY))
		syslog(LOG_WARNING,
		    "the worker runs without a part of its sandbox: %s",
		    box->why);
}

/* --- The test of the sandbox --------------------------------------------- */

static void
fetched(void *arg, const char *domain, const struct lookup_result *r)
{
	struct lookups *lookups = arg;

	printf("%s: %s: %s%s\n", domain,
	    r->use == STS_USE_ENTRY ? "a policy" : "no policy",
	    sts_reason_name(r->entry->why),
	    r->fault[0] != '\0' ? r->fault : r->note);
	event_base_loopbreak(lookups->base);
}

/* As a domain that mail asks for; later processes find it in the cache. */
_Noreturn static void
try_sandbox(const struct options *o, struct lookups *lookups,
    struct domain_requests *requests, const struct sandbox *box)
{
	char domain[STS_NAME_SIZE];
	struct sts_err err;

	if (o->domain != NULL && o->first) {
		if (sts_domain_normal(domain, o->domain, &err) != STS_OK)
			printf("%s\n", err.text);
		else {
			domain_request_ask(requests, domain,
			    STS_FRESH | STS_REFETCH, fetched, lookups);
			event_base_dispatch(lookups->base);
		}
		fflush(stdout);
	}
	self_test_try(o->test, box, lookups->conf->cache_dir);
}

/* --- Work ----------------------------------------------------------------- */

/* False: err says why, unless the adapter has been told. */
static bool
work(const struct options *o, const struct sts_conf *conf, struct sts_err *err)
{
	struct starttls_checks *checks = NULL;
	struct domain_requests *requests = NULL;
	struct lookups *lookups = NULL;
	struct event_base *base;
	struct sts_spool *spool;
	struct sts_store *store;
	struct serve *serve = NULL;
	struct sandbox box;
	bool done = false;

	if (sts_store_open(&store, conf->cache_dir, err) != STS_OK)
		return false;
	spool = open_spool(conf);
	if ((base = new_base()) == NULL)
		sts_fail(err, STS_NOMEM, 0, "worker: no event loop");
	else
		lookups = lookup_new(base, conf, store, spool, err);
	if (lookups != NULL) {
		enter_sandbox(&box, o, lookups);
		requests = domain_request_new(lookups);
	}
	if (requests != NULL && o->test != NULL)
		try_sandbox(o, lookups, requests, &box);
	if (requests != NULL) {
		if (spool != NULL && o->what != BRIEF)
			checks = starttls_checks_new(lookups);
		serve = serve_new(lookups, requests, checks, &box,
		    o->what == BRIEF);
	}
	if (lookups != NULL && serve == NULL)
		sts_fail(err, STS_NOMEM, 0, "worker: out of memory");
	if (serve != NULL)
		done = serve_run(serve);
	serve_free(serve);
	/* Open ones never call back; what they are for must be alive. */
	starttls_checks_free(checks);
	lookup_free(lookups);
	domain_request_free(requests);
	if (base != NULL)
		event_base_free(base);
	sts_spool_close(spool);
	sts_store_close(store);
	return done;
}

static const char *
work_in_test(void *arg, struct self_test *t, bool first)
{
	static struct sts_err err;
	struct options *o = arg;
	struct sts_conf *conf = NULL;

	o->test = t;
	o->first = first;
	if (sts_conf_load(&conf, o->conf, &err) == STS_OK)
		(void)work(o, conf, &err);
	return err.text;
}

int
main(int argc, char *argv[])
{
	struct options o = { 0 };
	struct sts_conf *conf = NULL;
	struct sts_err err = { 0 };
	bool done = false;

	umask(077);
	(void)signal(SIGPIPE, SIG_IGN); /* getdns writes without a thought */
	openlog("mtasts", LOG_PID | LOG_NDELAY, LOG_MAIL);
	if (!read_options(&o, argc, argv)) {
		fprintf(stderr,
		    "usage: %s [-c file] --serve | --brief\n"
		    "       %s [-c file] --sandbox-test [--abi n] [domain]\n",
		    argv[0], argv[0]);
		return 2;
	}
	if (geteuid() == 0 || getuid() == 0)
		sts_fail(&err, STS_USAGE, 0,
		    "worker: refusing to run as root; "
		    "the owner of the cache directory runs it");
	else if (o.what == TEST)
		return self_test(work_in_test, &o);
	else if (sts_conf_load(&conf, o.conf, &err) == STS_OK)
		done = work(&o, conf, &err);
	if (o.what == TEST) {
		fprintf(stderr, "%s: %s\n", argv[0], err.text);
		return 3;
	}
	if (err.text[0] != '\0')
		serve_refuse(err.text);
	sts_conf_free(conf);
	return !done;
}
