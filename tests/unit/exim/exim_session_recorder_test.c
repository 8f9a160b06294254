/* SPDX-License-Identifier: ISC */
/*
 * Exim's events, and what the module leaves in the spool of TLS reports.  Each
 * row is one process, as Exim's transports are: the end of it is part of it.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "row.h"

typedef int function(unsigned char **yield, int argc, unsigned char *argv[]);

static function *event;

static const char config[] =
    "cache_dir = /nonexistent/mtasts\n"
    "[domain \"test.example\"]\nmode = testing\nmx = mx.test.example\n"
    "[domain \"enforce.example\"]\nmx = mx.enforce.example\n"
    "[domain \"off.example\"]\nmode = off\n"
    "[domain \"mx.enforce.example\"]\nmode = off\n"
    "[report]\ncontact = tls@sender.example\nspool_dir = %s/spool\n";

/* A call: event, data, domain, host, seen; certificate: 0 none, 1 some DER. */
struct call {
	const char *event, *data, *domain, *host, *args;
	int cert;
};

#define IP "from=192.0.2.1 to=198.51.100.7"
#define IP2 "from=192.0.2.1 to=198.51.100.8"
#define OFFER "250-mx.host hello\n250-PIPELINING\n250 StartTLS"
#define NO_OFFER "250-mx.host hello\n250 STARTTLSX"

enum { CALLS_MAX = 8 };

#define MX "mx.enforce.example"
#define D "enforce.example"

static const struct {
	const char *what;
	struct call call[CALLS_MAX];
	const char
	    *want; /* "RESULT DOMAIN HOST HELO" of each; "-": not known */
} rows_of[] = {
	{ "4.2.1: TLS under enforce is a success",
	    { { "tcp:connect", "", D, MX, "enforce to=198.51.100.7", 0 },
		{ "smtp:ehlo", OFFER, D, MX, "enforce tls= cv=0 " IP, 0 },
		{ "tls:cert", "0", D, MX, "dane tls= " IP, 1 },
		{ "smtp:ehlo", "250 tls.host hi", D, MX,
		    "enforce tls=TLS1.3 cv=1 " IP, 0 },
		{ "tcp:close", "", D, MX, "enforce " IP, 0 } },
	    "ok enforce.example mx.enforce.example tls.host\n" },
	{ "4.3.1: no STARTTLS, and the failure that Exim makes of it",
	    { { "tcp:connect", "", D, MX, "enforce " IP, 0 },
		{ "smtp:ehlo", NO_OFFER, D, MX, "enforce " IP, 0 },
		{ "msg:host:defer", "a TLS session is required", D, MX,
		    "enforce errno=-38 " IP, 0 } },
	    "starttls-not-supported enforce.example mx.enforce.example "
	    "mx.host\n" },
	{ "STARTTLS refused for good",
	    { { "tcp:connect", "", D, MX, "enforce " IP, 0 },
		{ "smtp:ehlo", OFFER, D, MX, "enforce " IP, 0 },
		{ "msg:host:defer", "x", D, MX, "enforce errno=-38 " IP, 0 } },
	    "starttls-not-supported enforce.example mx.enforce.example "
	    "mx.host\n" },
	{ "STARTTLS refused for now",
	    { { "tcp:connect", "", D, MX, "enforce " IP, 0 },
		{ "smtp:ehlo", OFFER, D, MX, "enforce " IP, 0 },
		{ "msg:host:defer",
		    "SMTP error from remote mail server after STARTTLS: 454 x",
		    D, MX, "enforce errno=0 " IP, 0 } },
	    "starttls-not-supported enforce.example mx.enforce.example "
	    "mx.host\n" },
	{ "the connection dropped at STARTTLS: 4.3.3",
	    { { "tcp:connect", "", D, MX, "enforce " IP, 0 },
		{ "smtp:ehlo", OFFER, D, MX, "enforce " IP, 0 },
		{ "msg:host:defer",
		    "Remote host closed connection in response to STARTTLS", D,
		    MX, "enforce errno=-18 " IP, 0 } },
	    "validation-failure enforce.example mx.enforce.example mx.host\n" },
	{ "a certificate refused",
	    { { "tcp:connect", "", D, MX, "enforce " IP, 0 },
		{ "smtp:ehlo", OFFER, D, MX, "enforce " IP, 0 },
		{ "msg:host:defer", "TLS session", D, MX,
		    "enforce errno=-37 " IP, 1 } },
	    "certificate enforce.example mx.enforce.example mx.host\n" },
	{ "a certificate refused, known from tls:cert alone",
	    { { "tcp:connect", "", D, MX, "enforce " IP, 0 },
		{ "smtp:ehlo", OFFER, D, MX, "enforce " IP, 0 },
		{ "tls:cert", "1", D, MX, "dane " IP, 1 },
		{ "tls:cert", "0", D, MX, "dane " IP, 1 },
		{ "msg:host:defer", "TLS session", D, MX,
		    "enforce errno=-37 " IP, 0 } },
	    "certificate enforce.example mx.enforce.example mx.host\n" },
	{ "a handshake that failed before any certificate",
	    { { "tcp:connect", "", D, MX, "enforce " IP, 0 },
		{ "smtp:ehlo", OFFER, D, MX, "enforce " IP, 0 },
		{ "msg:host:defer", "TLS session", D, MX,
		    "enforce errno=-37 " IP, 0 } },
	    "validation-failure enforce.example mx.enforce.example mx.host\n" },
	{ "4.3.4: no connection, no greeting",
	    { { "tcp:connect", "", D, MX, "enforce " IP, 0 },
		{ "msg:host:defer", "Connection refused", D, MX,
		    "enforce errno=111 " IP, 0 },
		{ "tcp:connect", "", D, MX, "enforce " IP2, 0 },
		{ "msg:host:defer", "421", D, MX, "enforce errno=0 " IP2, 0 } },
	    "" },
	{ "RFC 7672: a success by DANE is the MX host's",
	    { { "tcp:connect", "", D, MX, "dane " IP, 0 },
		{ "smtp:ehlo", OFFER, D, MX, "dane " IP, 0 },
		{ "smtp:ehlo", OFFER, D, MX, "dane tls=TLS1.3 dane=yes " IP,
		    0 } },
	    "ok mx.enforce.example mx.enforce.example mx.host\n" },
	{ "a failure of DANE, counted once",
	    { { "tcp:connect", "", D, MX, "dane " IP, 0 },
		{ "smtp:ehlo", OFFER, D, MX, "dane " IP, 0 },
		{ "dane:fail", "validation-failure", D, MX, "dane " IP, 1 },
		{ "msg:host:defer", "TLS session", D, MX, "dane errno=-37 " IP,
		    1 } },
	    "validation-failure mx.enforce.example mx.enforce.example "
	    "mx.host\n" },
	{ "DANE before there is a connection; a word of nobody",
	    { { "dane:fail", "dnssec-invalid", D, MX, "dane " IP, 0 },
		{ "dane:fail", "elephant", D, MX, "dane " IP2, 0 } },
	    "dnssec-invalid mx.enforce.example mx.enforce.example -\n" },
	{ "testing: a certificate Exim did not like",
	    { { "tcp:connect", "", "test.example", "mx.test.example", IP, 0 },
		{ "smtp:ehlo", OFFER, "test.example", "mx.test.example", IP,
		    0 },
		{ "smtp:ehlo", OFFER, "test.example", "mx.test.example",
		    "tls=TLS1.3 cv=0 " IP, 1 } },
	    "certificate test.example mx.test.example mx.host\n" },
	{ "testing: one that has no DNS name, whatever Exim said",
	    { { "smtp:ehlo", OFFER, "test.example", "mx.test.example",
		"tls=TLS1.3 cv=1 " IP, 1 } },
	    "certificate test.example mx.test.example mx.host\n" },
	{ "testing: an MX host the policy does not name",
	    { { "smtp:ehlo", OFFER, "test.example", "evil.example",
		"tls=TLS1.3 cv=1 " IP, 1 } },
	    "validation-failure test.example evil.example mx.host\n" },
	{ "testing: RFC 8461 7.2",
	    { { "smtp:ehlo", OFFER, "test.example", "mx.test.example",
		"tls=TLS1.1 cv=1 " IP, 1 } },
	    "validation-failure test.example mx.test.example mx.host\n" },
	{ "no policy: any TLS will do",
	    { { "smtp:ehlo", OFFER, "off.example", "h.example",
		"tls=TLS1.0 cv=0 " IP, 1 } },
	    "ok off.example h.example mx.host\n" },
	{ "STARTTLS refused and the mail sent all the same",
	    { { "tcp:connect", "", "off.example", "h.example", IP, 0 },
		{ "smtp:ehlo", OFFER, "off.example", "h.example", IP, 0 },
		{ "tcp:close", "", "off.example", "h.example", IP, 0 } },
	    "starttls-not-supported off.example h.example mx.host\n" },
	{ "the same, then another host",
	    { { "tcp:connect", "", "off.example", "h.example", IP, 0 },
		{ "smtp:ehlo", OFFER, "off.example", "h.example", IP, 0 },
		{ "msg:host:defer", "SMTP error after RCPT TO: 451 STARTTLS",
		    "off.example", "h.example", "errno=0 " IP, 0 },
		{ "tcp:connect", "", "off.example", "i.example", IP2, 0 },
		{ "smtp:ehlo", OFFER, "off.example", "i.example",
		    "tls=TLS1.3 " IP2, 0 } },
	    "starttls-not-supported off.example h.example mx.host\n"
	    "ok off.example i.example mx.host\n" },
	{ "and dropped in the clear: no failure of TLS",
	    { { "smtp:ehlo", OFFER, "off.example", "h.example", IP, 0 },
		{ "msg:host:defer",
		    "Remote host closed connection in response to RCPT "
		    "TO:<STARTTLS@off.example>",
		    "off.example", "h.example", "errno=-18 " IP, 0 } },
	    "starttls-not-supported off.example h.example mx.host\n" },
	{ "nobody wanted TLS",
	    { { "tcp:connect", "", "off.example", "h.example", IP, 0 },
		{ "smtp:ehlo", OFFER, "off.example", "h.example",
		    "avoid=yes " IP, 0 } },
	    "" },
	{ "the clear retry of a session that failed",
	    { { "tcp:connect", "", "off.example", "h.example", IP, 0 },
		{ "smtp:ehlo", OFFER, "off.example", "h.example", IP, 0 },
		{ "msg:host:defer", "TLS", "off.example", "h.example",
		    "errno=-37 " IP, 0 },
		{ "tcp:connect", "", "off.example", "h.example", IP, 0 },
		{ "smtp:ehlo", OFFER, "off.example", "h.example", IP, 0 },
		{ "tcp:connect", "", "off.example", "i.example", IP2, 0 },
		{ "smtp:ehlo", NO_OFFER, "off.example", "i.example", IP2, 0 } },
	    "validation-failure off.example h.example mx.host\n"
	    "starttls-not-supported off.example i.example mx.host\n" },
	{ "an EHLO that was refused",
	    { { "smtp:ehlo", "502 STARTTLS", "off.example", "h.example", IP,
		0 } },
	    "starttls-not-supported off.example h.example -\n" },
	{ "a callout is no delivery",
	    { { "smtp:ehlo", OFFER, D, MX, "enforce tls=TLS1.3 verify=R " IP,
		  0 },
		{ "smtp:ehlo", NO_OFFER, D, MX, "enforce verify=S " IP, 0 },
		{ "smtp:ehlo", NO_OFFER, D, MX, "enforce id= " IP, 0 } },
	    "" },
	{ "5.3.1: nor is report mail reported",
	    { { "smtp:ehlo", NO_OFFER, D, MX,
		IP " sender=@OWNER@ MTASTS-reports@sender.example", 0 } },
	    "" },
	{ "but that of others is",
	    { { "smtp:ehlo", NO_OFFER, D, MX,
		IP " sender=@OWNER@ \"x mtasts-reports@sender.example\"@a.b",
		0 } },
	    "starttls-not-supported enforce.example mx.enforce.example "
	    "mx.host\n" },
	{ "and what somebody else sends as if it were",
	    { { "smtp:ehlo", NO_OFFER, D, MX,
		IP " sender=4242 mtasts-reports@sender.example", 0 } },
	    "starttls-not-supported enforce.example mx.enforce.example "
	    "mx.host\n" },
	{ "no MX host left: once for each domain",
	    { { "no-host", "mx.enforce.example:evil.example", D, "",
		  "enforce id=1", 0 },
		{ "no-host", "evil.example", D, "", "enforce id=1", 0 },
		{ "no-host", MX, "test.example", "", "enforce id=1", 0 } },
	    "validation-failure enforce.example evil.example -\n"
	    "validation-failure test.example mx.enforce.example -\n" },
	{ "4.1 no name that a policy can permit, and which one it was",
	    { { "no-host", "a_b.c_d.example.:" MX, "test.example", "",
		  "enforce id=1", 0 },
		{ "no-host", ".:a\tb/c", D, "", "enforce id=1", 0 } },
	    "validation-failure test.example a_b.c_d.example -\n"
	    "validation-failure enforce.example a%09b/c -\n" },
	{ "no MX host at all, all permitted, an address test",
	    { { "no-host", "", D, "", "enforce id=1", 0 },
		{ "no-host", MX, "test.example", "", "enforce id=", 0 },
		{ "no-host", "mx.test.example:.:", "test.example", "",
		    "enforce id=2", 0 } },
	    "" },
	{ "recipients of several domains: whose it is nobody knows",
	    { { "smtp:ehlo", NO_OFFER, "", MX, IP, 0 } }, "" },
	{ "hostile bytes",
	    { { "smtp:ehlo", "250-\xff\x1b[2J\t%00\n250 STARTTLS\r\n2\n\n25",
		"off.example", "h.example",
		"tls=TLS1.3 cv==1 = == =x errno=99999999999999 "
		"\t" IP,
		0 } },
	    "ok off.example h.example %FF%1B[2J%09%2500\n" },
	{ "short ones",
	    { { "smtp:ehlo", "2", "off.example", "h.example", IP, 0 },
		{ "smtp:ehlo", "250", "off.example", "i.example", IP2, 0 } },
	    "starttls-not-supported off.example h.example -\n"
	    "starttls-not-supported off.example i.example -\n" },
};

/* --- One process --------------------------------------------------------- */

/* Whose the spool is, in place of @OWNER@. */
static const char *
with_owner(const char *args)
{
	static const char word[] = "@OWNER@";
	static char out[300];
	const char *at = strstr(args, word);

	if (at == NULL)
		return args;
	snprintf(out, sizeof out, "%.*s%u%s", (int)(at - args), args,
	    geteuid() == 0 ? OWNER : geteuid(), at + sizeof word - 1);
	return out;
}

static void
call(const struct call *c)
{
	const char *const args[] = { c->event, c->data, c->domain, c->host,
		with_owner(c->args), c->cert != 0 ? "MAMCAQE=" : "",
		in_top("conf") };
	unsigned char *argv[10], *yield = NULL;
	const size_t n = ARRAY_LEN(args);

	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		argv[i] = (unsigned char *)(uintptr_t)1;
	for (size_t i = 0; i < n; i++)
		argv[i] = (unsigned char *)guard_string(args[i]);
	if (event(&yield, (int)n, argv) != 0 || yield == NULL ||
	    yield[0] != '\0')
		_exit(98);
}

/* Destructors are part of it: exit(3) as Exim does. */
static bool
in_a_process(const struct call *c, size_t n)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		for (size_t i = 0; i < n && c[i].event != NULL; i++)
			call(&c[i]);
		exit(0);
	}
	return pid != -1 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* --- The spool ----------------------------------------------------------- */

/* Each line as "RESULT DOMAIN HOST HELO"; the file is gone afterwards. */
static void
take_lines(char *out, size_t size)
{
	static const unsigned wanted[] = { 6, 2, 8, 9 };
	char path[PATH_MAX], line[20000];
	struct dirent *e;
	DIR *d;
	size_t n = 0;

	out[0] = '\0';
	snprintf(path, sizeof path, "%s/spool", top);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		FILE *f;

		snprintf(path, sizeof path, "%s/spool/%.64s", top, e->d_name);
		if (e->d_name[0] == '.' || (f = fopen(path, "r")) == NULL)
			continue;
		while (e->d_name[0] == '2' &&
		    fgets(line, sizeof line, f) != NULL) {
			const char *field[16] = { 0 };
			char *p = line;

			for (size_t i = 0; i < 13 && p != NULL; i++)
				field[i] = strsep(&p, "\t\n");
			for (size_t i = 0; i < 4 && field[12] != NULL; i++)
				n += (size_t)snprintf(out + n, size - n, "%s%s",
				    field[wanted[i]][0] == '\0'
					? "-"
					: field[wanted[i]],
				    i < 3 ? " " : "\n");
		}
		fclose(f);
		unlink(path);
	}
	closedir(d);
}

static void
test_events(void **state)
{
	char got[2000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows_of); i++) {
		bool ended = in_a_process(rows_of[i].call, CALLS_MAX);

		take_lines(got, sizeof got);
		ROW(ended && strcmp(got, rows_of[i].want) == 0,
		    "%s: %s wanted\n%sgot\n%s", rows_of[i].what,
		    ended ? "" : "(died)", rows_of[i].want, got);
	}
	rows_done();
}

/* Every argument, and every word of one, as long as can be. */
static void
test_overlong(void **state)
{
	static char data[70000], seen[70000];
	struct call c = { "smtp:ehlo", data, "off.example", "h.example", seen,
		0 };
	char got[2000];

	(void)state;
	memset(data, 'x', sizeof data - 1);
	memcpy(data, "250-", 4);
	memset(seen, 'y', sizeof seen - 1);
	memcpy(seen, "tls=TLS1.3 to=198.51.100.7 from=", 32);
	ROW(in_a_process(&c, 1), "long text");
	take_lines(got, sizeof got);
	ROW(strncmp(got, "ok off.example h.example xxx", 28) == 0 &&
		strlen(got) < 300,
	    "long text: %s", got);
	memcpy(seen, "tls=", 4);
	memset(seen + 4, 'z', 30);
	c.data = "250 x";
	ROW(in_a_process(&c, 1), "a version that is none");
	take_lines(got, sizeof got);
	ROW(strcmp(got, "starttls-not-supported off.example h.example x\n") ==
		0,
	    "a version that is none: %s", got);
	c.host = data;
	ROW(in_a_process(&c, 1), "a long host");
	take_lines(got, sizeof got);
	c.domain = data;
	ROW(in_a_process(&c, 1), "a long domain");
	take_lines(got, sizeof got);
	ROW(got[0] == '\0', "a long domain: %s", got);
	rows_done();
}

/* A fork in the middle has no session of its own, RFC 8460 4.2. */
static void
test_fork(void **state)
{
	static const struct call c = { "smtp:ehlo", OFFER, "off.example",
		"h.example", IP, 0 };
	char got[2000];
	int status;
	pid_t pid;

	(void)state;
	if ((pid = fork()) == 0) {
		call(&c);
		if ((pid = fork()) == 0)
			exit(0);
		(void)waitpid(pid, &status, 0);
		exit(0);
	}
	(void)waitpid(pid, &status, 0);
	take_lines(got, sizeof got);
	ROW(strcmp(got,
		"starttls-not-supported off.example h.example "
		"mx.host\n") == 0,
	    "fork: %s", got);
	rows_done();
}

static int
set_up(void **state)
{
	char text[2000];

	if (make_top(state) != 0)
		return 1;
	snprintf(text, sizeof text, config, top);
	return !own(in_top("spool")) || !write_text(top, "conf", 0644, text);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_overlong),
		cmocka_unit_test(test_fork),
	};
	void *so = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;

	if (so == NULL) {
		fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "which?");
		return 99;
	}
	/* The only way that ISO C has from an object to a function. */
	*(void **)(void *)&event = dlsym(so, "mtasts_event");
	if (event == NULL)
		return 99;
	return cmocka_run_group_tests(tests, set_up, wipe_top);
}
