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
#include "tlsrpt/spool.h"
#include "worker.h"
#include "write_answer.h"

enum mode { LIST, PIPE, BACKGROUND, SERVE };

enum { CPU_ONE = 30, CPU_MANY = 600 }; /* s */

struct options {
	enum mode mode;
	const char *conf;
	unsigned flags;
	char *const *domains;
};

static bool
read_options(struct options *o, int argc, char *argv[])
{
	static const struct option longs[] = {
		{ "pipe", no_argument, NULL, 'p' },
		{ "background", no_argument, NULL, 'b' },
		{ "serve", no_argument, NULL, 's' },
		{ "fresh", no_argument, NULL, 'f' },
		{ "refetch", no_argument, NULL, 'r' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			o->conf = optarg;
			break;
		case 'p':
			o->mode = PIPE;
			break;
		case 'b':
			o->mode = BACKGROUND;
			break;
		case 's':
			o->mode = SERVE;
			break;
		case 'f':
			o->flags |= STS_FRESH;
			break;
		case 'r':
			o->flags |= STS_REFETCH;
			break;
		default:
			return false;
		}
	o->domains = argv + optind;
	switch (o->mode) {
	case LIST:
		return o->domains[0] != NULL;
	case PIPE:
		return o->domains[0] != NULL && o->domains[1] == NULL;
	case BACKGROUND:
	case SERVE:
		break;
	}
	return o->domains[0] == NULL;
}

/* To whoever can hear it. */
static void
complain(enum mode mode, const char *text)
{
	if (mode == PIPE)
		write_fault(text);
	else if (mode == SERVE)
		printf("! %s\n", text);
	else if (mode == BACKGROUND)
		syslog(LOG_ERR, "%s", text);
	else
		fprintf(stderr, "mtasts-fetch: %s\n", text);
}

static void
run(struct worker *w, const struct options *o)
{
	char domain[STS_NAME_SIZE];
	struct sts_err err;

	switch (o->mode) {
	case LIST:
		run_list(w, o->domains);
		break;
	case PIPE:
		/* The adapter made it normal; a stranger may not have. */
		if (sts_domain_normal(domain, o->domains[0], &err) == STS_OK)
			run_pipe(w, domain);
		else
			write_fault("worker: not a policy domain");
		break;
	case BACKGROUND:
		run_background(w);
		break;
	case SERVE:
		run_serve(w);
		break;
	}
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

static int
work(const struct options *o, const struct sts_conf *conf, struct sts_err *err)
{
	struct worker w = { .flags = o->flags };
	struct sts_spool *spool;
	int status = 1;

	if (sts_store_open(&w.store, conf->cache_dir, err) != STS_OK)
		return 1;
	spool = open_spool(conf);
	sandbox(conf->cache_dir, spool == NULL ? NULL : conf->report.spool_dir,
	    o->mode == PIPE       ? CPU_ONE
		: o->mode == LIST ? CPU_MANY
				  : 0);
	w.base = new_base();
	if (w.base == NULL)
		sts_fail(err, STS_NOMEM, 0, "worker: no event loop");
	else
		w.lookups = lookup_new(w.base, conf, w.store, spool, err);
	if (w.lookups != NULL &&
	    (w.requests = domain_request_new(w.lookups)) == NULL)
		sts_fail(err, STS_NOMEM, 0, "worker: out of memory");
	if (w.requests != NULL) {
		if (spool != NULL && o->mode == SERVE)
			w.checks = starttls_checks_new(w.lookups);
		run(&w, o);
		status = w.failed;
	}
	/* Open ones never call back; what they are for must be alive. */
	starttls_checks_free(w.checks);
	lookup_free(w.lookups);
	domain_request_free(w.requests);
	if (w.base != NULL)
		event_base_free(w.base);
	sts_spool_close(spool);
	sts_store_close(w.store);
	return status;
}

int
main(int argc, char *argv[])
{
	struct options o = { 0 };
	struct sts_conf *conf;
	struct sts_err err = { 0 };
	int status;

	umask(077);
	(void)signal(SIGPIPE, SIG_IGN); /* getdns writes without a thought */
	openlog("mtasts", LOG_PID | LOG_NDELAY, LOG_MAIL);
	if (!read_options(&o, argc, argv)) {
		fprintf(stderr,
		    "usage: %s [-c file] [--fresh | --refetch] "
		    "domain ... | --serve\n",
		    argv[0]);
		return 2;
	}
	if (o.mode == PIPE)
		write_stage(STS_STAGE_STARTED);
	if (geteuid() == 0 || getuid() == 0) {
		complain(o.mode,
		    "worker: refusing to run as root; "
		    "the owner of the cache directory runs it");
		return 1;
	}
	if (sts_conf_load(&conf, o.conf, &err) != STS_OK) {
		complain(o.mode, err.text);
		return 1;
	}
	status = work(&o, conf, &err);
	if (err.text[0] != '\0')
		complain(o.mode, err.text);
	sts_conf_free(conf);
	return status;
}
