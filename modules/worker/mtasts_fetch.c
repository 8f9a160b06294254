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

#include "base/err.h"
#include "sandbox.h"
#include "serve.h"
#include "tlsrpt/spool.h"

struct options {
	const char *conf;
	bool brief;
};

static bool
read_options(struct options *o, int argc, char *argv[])
{
	static const struct option longs[] = {
		{ "brief", no_argument, NULL, 'b' },
		{ "serve", no_argument, NULL, 's' },
		{ 0 },
	};
	bool said = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			o->conf = optarg;
			break;
		case 'b':
		case 's':
			o->brief = c == 'b';
			said = true;
			break;
		default:
			return false;
		}
	return said && argv[optind] == NULL;
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
	bool done = false;

	if (sts_store_open(&store, conf->cache_dir, err) != STS_OK)
		return false;
	spool = open_spool(conf);
	sandbox(conf->cache_dir, spool == NULL ? NULL : conf->report.spool_dir);
	if ((base = new_base()) == NULL)
		sts_fail(err, STS_NOMEM, 0, "worker: no event loop");
	else
		lookups = lookup_new(base, conf, store, spool, err);
	if (lookups != NULL &&
	    (requests = domain_request_new(lookups)) != NULL) {
		if (spool != NULL && !o->brief)
			checks = starttls_checks_new(lookups);
		serve = serve_new(lookups, requests, checks, o->brief);
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
		fprintf(stderr, "usage: %s [-c file] --serve | --brief\n",
		    argv[0]);
		return 2;
	}
	if (geteuid() == 0 || getuid() == 0)
		sts_fail(&err, STS_USAGE, 0,
		    "worker: refusing to run as root; "
		    "the owner of the cache directory runs it");
	else if (sts_conf_load(&conf, o.conf, &err) == STS_OK)
		done = work(&o, conf, &err);
	if (err.text[0] != '\0')
		serve_refuse(err.text);
	sts_conf_free(conf);
	return !done;
}
