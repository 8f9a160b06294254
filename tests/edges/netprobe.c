/* SPDX-License-Identifier: ISC */
/*
 * Ask the network edges by hand, one line for each answer.  For developers and
 * for tests/edges/netprobe.py.
 *
 *   netprobe [-s ADDR[@PORT][#NAME]]... [-T auto|udp|tcp] [-t MS] [-n TIMES]
 *       [-j AT_ONCE] [-C CA_FILE] [-P CA_PATH] [-S] command
 *   command = dns txt|addr|mx NAME... / probe / get HOST ADDR... /
 *       starttls HOST ADDR
 *
 * In the worker's sandbox; -S: a system call that is not on its list ends it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/addr.h"
#include "base/err.h"
#include "net/dns.h"
#include "net/http.h"
#include "net/tls.h"
#include "sandbox/sandbox.h"

struct probe {
	struct sts_conf conf;
	char tls_name[STS_SERVERS_MAX][STS_NAME_SIZE];
	struct event_base *base;
	struct dns *dns;
	struct http *http;
	bool strict;
	unsigned timeout, times, at_once, open, asked;
	int argc;
	char **argv;
};

struct asking {
	struct probe *probe;
	enum dns_type type;
	const char *name;
	double began;
};

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void
die(const char *what, const char *why)
{
	printf("ERROR %s: %s\n", what, why);
	exit(2);
}

static void next(struct probe *);

static void
done(struct asking *asking)
{
	struct probe *probe = asking->probe;

	printf(" ms=%.1f %s\n", now() - asking->began, asking->name);
	free(asking);
	probe->open--;
	next(probe);
	if (probe->open == 0)
		event_base_loopbreak(probe->base);
}

/* Long texts by their length and a sum, so that a test can compare. */
static void
print_txt(struct sts_str s)
{
	char text[120];
	unsigned sum = 0;

	for (size_t i = 0; i < s.len; i++)
		sum = sum * 31 + (unsigned char)s.p[i];
	if (s.len < 60)
		printf(" \"%s\"", sts_escape(text, sizeof text, s));
	else
		printf(" len=%zu/%08x", s.len, sum);
}

static void
on_dns(void *arg, const struct dns_answer *a)
{
	static const char *const outcomes[] = { "FOUND", "NONE", "TEMPFAIL" };
	struct asking *asking = arg;
	char text[STS_ADDR_TEXT];

	printf("%s %s ttl=%u n=%zu", outcomes[a->outcome], dns_why_name(a->why),
	    (unsigned)a->ttl, a->n);
	for (size_t i = 0; i < a->n; i++)
		switch (asking->type) {
		case DNS_TXT:
		case DNS_TLSA:
			print_txt(a->txt[i]);
			break;
		case DNS_ADDRESS:
			printf(" %s", sts_addr_text(&a->addr[i], text));
			break;
		case DNS_MX:
			printf(" %u:%s", a->mx[i].preference, a->mx[i].name);
			break;
		}
	done(asking);
}

static void
on_reply(void *arg, const struct sts_reply *r)
{
	static const char *const ends[] = { "COMPLETE", "TIMEOUT", "CONNECT",
		"TLS", "CERT", "TOO_BIG", "CUT", "PROTOCOL", "LOCAL" };
	static const char *const certs[] = { "OK", "HOST_MISMATCH", "EXPIRED",
		"NOT_YET_VALID", "NOT_TRUSTED", "NO_DNS_ID", "OTHER" };
	char type[160];

	printf("%s %s status=%ld delimited=%d len=%zu type=\"%s\" why=\"%s\"",
	    ends[r->end], certs[r->cert], r->status, r->delimited, r->len,
	    sts_escape(type, sizeof type, str_of(r->content_type)), r->why);
	done(arg);
}

static void
on_remark(const char *text)
{
	printf("REMARK %s\n", text);
}

static struct asking *
new_asking(struct probe *probe, const char *name)
{
	struct asking *asking = calloc(1, sizeof *asking);

	if (asking == NULL)
		die("netprobe", "out of memory");
	asking->probe = probe;
	asking->name = name;
	asking->began = now();
	probe->open++;
	probe->asked++;
	return asking;
}

static void
ask_dns(struct probe *probe)
{
	static const char *const types[] = { "txt", "addr", "mx", "tlsa" };
	size_t type = 0;
	struct asking *asking;
	const char *name;

	if (probe->argc < 3)
		die("dns", "txt|addr|mx NAME...");
	while (
	    type < ARRAY_LEN(types) && strcmp(types[type], probe->argv[1]) != 0)
		type++;
	if (type == ARRAY_LEN(types))
		die(probe->argv[1], "not a type");
	name = probe->argv[2 + probe->asked % (unsigned)(probe->argc - 2)];
	asking = new_asking(probe, name);
	asking->type = (enum dns_type)type;
	if (!dns_ask(probe->dns, asking->type, name, probe->timeout, on_dns,
		asking))
		die(name, "out of memory");
}

static void
ask_http(struct probe *probe)
{
	struct sts_addr addr[16];
	size_t n = 0;

	if (probe->argc < 2)
		die("get", "HOST ADDR...");
	for (int i = 2; i < probe->argc && n < ARRAY_LEN(addr); i++)
		if (!sts_addr_parse(&addr[n++], str_of(probe->argv[i])))
			die(probe->argv[i], "not an address");
	if (!http_get(probe->http, probe->argv[1], addr, n, probe->timeout,
		on_reply, new_asking(probe, probe->argv[1])))
		die(probe->argv[1], "out of memory");
}

static void
ask_starttls(struct probe *probe)
{
	struct sts_addr addr;

	if (probe->argc != 3 || !sts_addr_parse(&addr, str_of(probe->argv[2])))
		die("starttls", "HOST ADDR");
	if (!http_starttls(probe->http, probe->argv[1], &addr, "probe.test",
		probe->timeout, on_reply, new_asking(probe, probe->argv[1])))
		die(probe->argv[1], "out of memory");
}

static void
next(struct probe *probe)
{
	while (probe->open < probe->at_once && probe->asked < probe->times)
		if (probe->http != NULL && probe->argv[0][0] == 's')
			ask_starttls(probe);
		else if (probe->http != NULL)
			ask_http(probe);
		else if (strcmp(probe->argv[0], "probe") == 0) {
			if (!dns_probe(probe->dns, probe->timeout, on_dns,
				new_asking(probe, ".")))
				die("probe", "out of memory");
		} else
			ask_dns(probe);
}

static void
take_server(struct probe *probe, const char *text)
{
	size_t n = probe->conf.nserver++;
	struct sts_server *server = &probe->conf.server[n];
	const char *port = strchr(text, '@'), *name = strchr(text, '#');
	size_t len = strcspn(text, "%@#"), scope = strcspn(text, "@#") - len;
	uint64_t number = 0;

	if (n == STS_SERVERS_MAX ||
	    !sts_addr_parse(&server->addr, (struct sts_str){ text, len }))
		die(text, "not a nameserver");
	if (scope > 0)
		(void)snprintf(server->scope, sizeof server->scope, "%.*s",
		    (int)scope - 1, text + len + 1);
	if (name != NULL) {
		(void)snprintf(probe->tls_name[n], STS_NAME_SIZE, "%s",
		    name + 1);
		server->tls_name = probe->tls_name[n];
	}
	if (port != NULL &&
	    !str_u64((struct sts_str){ port + 1, strcspn(port + 1, "#") },
		65535, &number))
		die(text, "not a port");
	server->port = (unsigned short)number;
}

static unsigned
number(const char *text)
{
	uint64_t n;

	if (!str_u64(str_of(text), 1000000, &n))
		die(text, "not a number");
	return (unsigned)n;
}

static void
options(struct probe *probe, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:T:t:n:j:C:P:S")) != -1)
		switch (c) {
		case 's':
			take_server(probe, optarg);
			break;
		case 'T':
			probe->conf.transport = optarg[0] == 'u'
			    ? STS_TRANSPORT_UDP
			    : optarg[0] == 't' ? STS_TRANSPORT_TCP
					       : STS_TRANSPORT_AUTO;
			break;
		case 't':
			probe->timeout = number(optarg);
			break;
		case 'n':
			probe->times = number(optarg);
			break;
		case 'j':
			probe->at_once = number(optarg);
			break;
		case 'C':
			probe->conf.ca_file = optarg;
			break;
		case 'S':
			probe->strict = true;
			break;
		case 'P':
			probe->conf.ca_path = optarg;
			break;
		default:
			exit(2);
		}
	probe->argc = argc - optind;
	probe->argv = argv + optind;
	if (probe->argc == 0)
		die("netprobe", "dns, probe, get or starttls");
}

/* As the worker does.  A sanitizer calls more than is on the list. */
static void
enter_sandbox(const struct probe *probe)
{
#ifndef __SANITIZE_ADDRESS__
	struct sandbox_plan plan = { .conf = &probe->conf,
		.strict = probe->strict,
		.abi = SANDBOX_ABI_ANY };
	struct sandbox box;

	(void)http_init();
	sandbox_enter(&box, &plan);
	if (box.why[0] != '\0')
		die("sandbox", box.why);
#else
	(void)probe;
#endif
}

int
main(int argc, char **argv)
{
	struct probe probe = { .timeout = 5000, .times = 1, .at_once = 1 };
	struct sts_err err;

	options(&probe, argc, argv);
	if ((probe.base = event_base_new()) == NULL)
		die("event_base_new", "failed");
	if (strcmp(probe.argv[0], "get") == 0 ||
	    strcmp(probe.argv[0], "starttls") == 0) {
		enter_sandbox(&probe);
		probe.http = http_new(probe.base, &probe.conf, &err);
		if (probe.http == NULL)
			die(sts_rc_name(err.rc), err.text);
	} else if ((probe.dns = dns_new(probe.base, &probe.conf, on_remark,
			&err)) == NULL)
		die(sts_rc_name(err.rc), err.text);
	else
		enter_sandbox(&probe);
	next(&probe);
	(void)event_base_dispatch(probe.base);
	http_free(probe.http);
	dns_free(probe.dns);
	event_base_free(probe.base);
	return 0;
}
