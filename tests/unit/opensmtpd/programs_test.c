/* SPDX-License-Identifier: ISC */
/*
 * table-mtasts and filter-mtasts as smtpd sees them: two processes on the
 * other end of a socket.  smtpd does not survive theirs, so most of this is
 * about what they must outlive.  A shell script stands in for the worker.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cache/cache.h"
#include "fixture.h"
#include "row.h"
#include <mtasts/mx.h>

#define PINNED "[domain \"pin.example\"]\nmx = mx1.pin.example\n"
#define CHECK "table|0.1|1795450922.954677|sts|check|domain|"
#define ADDRESS "table|0.1|1795450922.954677|sts|check|mailaddr|"
#define HELLO                                                                  \
	"config|smtpd-version|7.6.0-portable\nconfig|protocol|0.1\n"           \
	"config|tablename|sts\nconfig|ready\n"
#define REGISTER "register|domain\nregister|relayhost\nregister|ready\n"
#define HELLO_WAIT                                                             \
	"config|smtpd-version|7.6.0-portable\nconfig|protocol|0.1\n"           \
	"config|tablename|mtasts-wait\nconfig|ready\n"
#define REGISTER_WAIT "register|domain\nregister|mailaddr\nregister|ready\n"

static const char *table_path, *filter_path;

/* --- A process and its socket -------------------------------------------- */

struct host {
	pid_t pid;
	int fd;
	bool imsg;
	char got[256 * 1024];
	size_t ngot;
};

static struct host host;

static void
start(const char *path, const char *a1, const char *a2, bool imsg)
{
	int sv[2], null;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	host = (struct host){ .imsg = imsg };
	host.pid = fork();
	assert_int_not_equal(host.pid, -1);
	if (host.pid == 0) {
		/* As smtpd hands them on, 2.1 of its facts: ignored. */
		(void)signal(SIGPIPE, SIG_IGN);
		(void)signal(SIGCHLD, SIG_IGN);
		null = open("/dev/null", O_RDWR);
		dup2(sv[1], 0);
		dup2(imsg ? null : sv[1], 1);
		dup2(null, 2);
		closefrom(3);
		execl(path, path, a1, a2, (char *)NULL);
		_exit(99);
	}
	close(sv[1]);
	host.fd = sv[0];
}

static void
say(const void *p, size_t len)
{
	const char *c = p;
	ssize_t n;

	for (; len > 0; c += n, len -= (size_t)n)
		if ((n = send(host.fd, c, len, MSG_NOSIGNAL)) <= 0)
			fail_msg("the process does not read: %s",
			    strerror(errno));
}

static void
say_text(const char *s)
{
	say(s, strlen(s));
}

static int64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Read until there are want bytes, or ms have passed; all as a string. */
static const char *
hear_bytes(size_t want, int ms)
{
	int64_t end = now() + ms;
	struct pollfd p = { host.fd, POLLIN, 0 };
	ssize_t n;

	host.ngot = 0;
	while (host.ngot < want && now() < end) {
		if (poll(&p, 1, (int)(end - now())) <= 0)
			continue;
		n = read(host.fd, host.got + host.ngot,
		    sizeof host.got - 1 - host.ngot);
		if (n <= 0)
			break;
		host.ngot += (size_t)n;
	}
	host.got[host.ngot] = '\0';
	return host.got;
}

static void
expect(const char *what, const char *want)
{
	const char *got = hear_bytes(strlen(want), 5000);

	ROW(strcmp(got, want) == 0, "%s: '%s' for '%s'", what, got, want);
}

/* Nothing more is said, and the process lives. */
static void
expect_quiet(const char *what)
{
	const char *got = hear_bytes(1, 200);

	ROW(got[0] == '\0' && waitpid(host.pid, NULL, WNOHANG) == 0,
	    "%s: '%s', or it has ended", what, got);
}

/* The end of input is the one end, and a clean one. */
static void
finish(const char *what)
{
	int status = -1;
	pid_t got = 0;

	close(host.fd);
	for (int i = 0; i < 300 && got == 0; i++) {
		got = waitpid(host.pid, &status, WNOHANG);
		if (got == 0)
			usleep(10000);
	}
	ROW(got == host.pid && status == 0, "%s: ended with %d", what, status);
	if (got == 0) {
		kill(host.pid, SIGKILL);
		waitpid(host.pid, NULL, 0);
	}
}

/* --- Files --------------------------------------------------------------- */

static void
configure(const char *more)
{
	char text[900];

	snprintf(text, sizeof text,
	    "cache_dir = %s/cache\nworker_dir = %s\nfetch_timeout = 2s\n%s",
	    top, top, more);
	assert_true(write_text(top, "conf", 0644, text));
}

/* As if it were there for long: one just written is read once more, and brings
 * a new worker. */
static void
age_conf(void)
{
	const struct timespec t[2] = { { time(NULL) - 60, 0 },
		{ time(NULL) - 60, 0 } };

	assert_int_equal(utimensat(AT_FDCWD, in_top("conf"), t, 0), 0);
}

static void
worker(const char *script)
{
	char text[1000];

	snprintf(text, sizeof text,
	    "#!/bin/sh\necho $$ >> %s/cache/~started\n%s\n", top, script);
	assert_true(fake_worker(top, text));
}

static int
set_up(void **state)
{
	if (make_top(state) != 0)
		return -1;
	assert_true(own(in_top("cache")));
	worker("exit 0");
	return 0;
}

/* How many workers were started; the pid of the last one. */
static unsigned
started(pid_t *last)
{
	FILE *f = fopen(in_top("cache/~started"), "r");
	char line[40];
	uint64_t pid;
	unsigned n = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		n++;
		if (last != NULL && str_u64(str_of(line), 1 << 30, &pid))
			*last = (pid_t)pid;
	}
	if (f != NULL)
		fclose(f);
	return n;
}

/* Init may be slow to reap it. */
static bool
lives(pid_t pid)
{
	char path[60], c;
	int fd;
	bool yes;

	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	if ((fd = open(path, O_RDONLY)) == -1)
		return false;
	yes = read(fd, &c, 1) == 1;
	close(fd);
	return yes;
}

/* --- The table, lines ---------------------------------------------------- */

static void
start_table(void)
{
	start(table_path, in_top("conf"), NULL, false);
	say_text(HELLO);
	expect("greeting", REGISTER);
}

static void
test_table(void **state)
{
	static const struct {
		const char *what;
		struct sts_str line;
		const char *want; /* "": nothing */
	} t[] = {
		{ "enforced", LIT(CHECK "1|pin.example\n"),
		    "check-result|1|found\n" },
		{ "switched off", LIT(CHECK "2|off.example\n"),
		    "check-result|2|not-found\n" },
		{ "testing", LIT(CHECK "3|test.example\n"),
		    "check-result|3|not-found\n" },
		{ "3.4 a literal", LIT(CHECK "4|[192.0.2.1]\n"),
		    "check-result|4|not-found\n" },
		{ "no name", LIT(CHECK "5|\n"), "check-result|5|not-found\n" },
		{ "an address", LIT(CHECK "6|u@pin.example\n"),
		    "check-result|6|not-found\n" },
		{ "'|' in it", LIT(CHECK "7|pin.example|x\n"),
		    "check-result|7|not-found\n" },
		{ "NUL in it", LIT(CHECK "8|pin.example\0x\n"),
		    "check-result|8|not-found\n" },
		{ "a path", LIT(CHECK "9|../../etc/passwd\n"),
		    "check-result|9|not-found\n" },
		{ "lookup",
		    LIT("table|0.1|1|sts|lookup|domain|a|pin.example\n"),
		    "lookup-result|a|found|pin.example\n" },
		{ "fetch", LIT("table|0.1|1|sts|fetch|relayhost|b\n"),
		    "fetch-result|b|not-found\n" },
		{ "update", LIT("table|0.1|1|sts|update|c\n"),
		    "update-result|c|ok\n" },
		{ "another service",
		    LIT("table|0.1|1|sts|check|alias|d|pin.example\n"),
		    "check-result|d|error|mta-sts: serves domain and relayhost "
		    "alone\n" },
		{ "no key", LIT("table|0.1|1|sts|check|domain|e\n"),
		    "check-result|e|error|mta-sts: a request that cannot be "
		    "read\n" },
		{ "relayhost of nothing",
		    LIT("table|0.1|1|sts|lookup|relayhost|f|\n"),
		    "lookup-result|f|error|mta-sts: not a domain name\n" },
		{ "unknown line", LIT("hello\n"), "" },
		{ "unknown operation", LIT("table|0.1|1|sts|dance|x|1|k\n"),
		    "" },
		{ "config late", LIT("config|colour|blue\n"), "" },
		{ "empty", LIT("\n\n\n"), "" },
		{ "bytes", LIT("\0\377\0|table|\n"), "" },
	};
	static char key[9000];

	(void)state;
	configure(PINNED "[domain \"off.example\"]\nmode = off\n"
			 "[domain \"test.example\"]\nmode = testing\n"
			 "mx = a.b\n");
	start_table();
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		say(t[i].line.p, t[i].line.len);
		if (t[i].want[0] == '\0')
			expect_quiet(t[i].what);
		else
			expect(t[i].what, t[i].want);
	}
	/* One byte at a time. */
	for (const char *c = CHECK "11|pin.example\n"; *c != '\0'; c++) {
		say(c, 1);
		usleep(300);
	}
	expect("in pieces", "check-result|11|found\n");
	memset(key, 'k', sizeof key);
	say_text(CHECK "12|");
	say(key, 1023);
	say_text("\n");
	expect("the longest key", "check-result|12|not-found\n");
	for (int i = 0; i < 40; i++)
		say(key, sizeof key);
	say_text("\n" CHECK "13|");
	for (int i = 0; i < 40; i++)
		say(key, sizeof key);
	say_text("\n");
	expect("far too long",
	    "check-result|13|error|mta-sts: a request that cannot be read\n");
	for (int sig = 1; sig < 16; sig++)
		if (sig == SIGHUP || sig == SIGINT || sig == SIGTERM ||
		    sig == SIGPIPE || sig == SIGUSR1 || sig == SIGALRM)
			kill(host.pid, sig);
	kill(host.pid, SIGXFSZ); /* a limit of the host's, on ~mx-offers */
	say_text(CHECK "14|pin.example\n");
	expect("after signals", "check-result|14|found\n");
	finish("table");
	rows_done();
}

/* smtpd may close its reading side first: go on until the end of input. */
static void
test_table_deaf(void **state)
{
	(void)state;
	configure(PINNED);
	start_table();
	shutdown(host.fd, SHUT_RD);
	say_text(CHECK "1|pin.example\n");
	usleep(100000);
	ROW(waitpid(host.pid, NULL, WNOHANG) == 0, "died of EPIPE");
	finish("deaf");
	rows_done();
}

static void
test_table_config(void **state)
{
	const char *got;

	(void)state;
	assert_true(write_text(top, "conf", 0644, "cache_dir = relative\n"));
	start_table();
	say_text(CHECK "1|pin.example\n");
	got = hear_bytes(400, 300);
	ROW(strncmp(got, "check-result|1|error|", 21) == 0 &&
		strstr(got, "conf:1") != NULL,
	    "broken at the start: %s", got);
	say_text("table|0.1|1|sts|update|2\n");
	expect("update, broken", "update-result|2|error\n");
	configure(PINNED);
	/* It may have the inode of the one before: perhaps not complete yet. */
	usleep(2100000);
	say_text("table|0.1|1|sts|update|3\n");
	expect("update, mended", "update-result|3|ok\n");
	say_text(CHECK "4|pin.example\n");
	expect("mended", "check-result|4|found\n");
	/* Noticed without being told, within a second or so. */
	assert_true(write_text(top, "conf", 0644, "colour = blue\n"));
	usleep(1200000);
	say_text(CHECK "5|pin.example\n");
	got = hear_bytes(400, 300);
	ROW(strncmp(got, "check-result|5|error|", 21) == 0, "broken: %s", got);
	configure("[domain \"pin.example\"]\nmode = off\n");
	usleep(1200000);
	say_text(CHECK "6|pin.example\n");
	expect("another one", "check-result|6|not-found\n");
	unlink(in_top("conf"));
	say_text("table|0.1|1|sts|update|7\n");
	expect("it is gone", "update-result|7|error\n");
	configure(PINNED);
	finish("config");
	rows_done();
}

/* Both tables: what is not known waits, and never passes for "none". */
static void
test_table_unknown(void **state)
{
	static const struct {
		const char *what, *key, *policy; /* of the table of policies */
		const char *wait, *guard;        /* of the other one */
	} t[] = {
		{ "known, but for its hosts", "pin.example", "found", "found",
		    "error|mta-sts: MX hosts" },
		{ "testing", "test.example", "not-found", "not-found",
		    "not-found" },
		{ "none", "off.example", "not-found", "not-found",
		    "not-found" },
		{ "not asked yet", "cold.example", "error|mta-sts: not known",
		    "found", "error|mta-sts: not known" },
		{ "enforce alone", "must.example", "error|mta-sts: enforce",
		    "found", "error|mta-sts: enforce" },
		{ "3.4 a literal", "[192.0.2.1]", "not-found", "not-found",
		    "not-found" },
		{ "nothing that can be asked", "\303\274.example", "error|",
		    "not-found", "not-found" },
	};
	char line[300], want[300];
	const char *got;

	(void)state;
	for (int wait = 0; wait < 2; wait++) {
		configure(PINNED "[domain \"off.example\"]\nmode = off\n"
				 "[domain \"test.example\"]\nmode = testing\n"
				 "mx = a.b\n"
				 "[domain \"must.example\"]\nmode = enforce\n");
		worker("exit 0");
		(void)unlink(in_top("cache/~started"));
		start(table_path, in_top("conf"), NULL, false);
		say_text(wait ? HELLO_WAIT : HELLO);
		expect("greeting", wait ? REGISTER_WAIT : REGISTER);
		for (size_t i = 0; i < ARRAY_LEN(t); i++) {
			snprintf(line, sizeof line, CHECK "1|%s\n", t[i].key);
			say_text(line);
			snprintf(want, sizeof want, "check-result|1|%s",
			    wait ? t[i].wait : t[i].policy);
			got = hear_bytes(strlen(want), 3000);
			ROW(strncmp(got, want, strlen(want)) == 0,
			    "%s: '%s' for '%s'", t[i].what, got, want);
			if (!wait)
				continue;
			snprintf(line, sizeof line, ADDRESS "1|u@%s\n",
			    t[i].key);
			say_text(line);
			snprintf(want, sizeof want, "check-result|1|%s",
			    t[i].guard);
			got = hear_bytes(strlen(want), 3000);
			ROW(strncmp(got, want, strlen(want)) == 0,
			    "u@%s: '%s' for '%s'", t[i].what, got, want);
		}
		/* A fault of this host is no answer either. */
		assert_true(write_text(top, "conf", 0644, "colour = blue\n"));
		usleep(1200000);
		say_text(CHECK "2|off.example\n");
		got = hear_bytes(20, 3000);
		ROW(strncmp(got,
			wait ? "check-result|2|found\n"
			     : "check-result|2|error|",
			21) == 0,
		    "broken: %s", got);
		if (wait) {
			say_text(ADDRESS "3|u@off.example\n");
			got = hear_bytes(20, 3000);
			ROW(strncmp(got, "check-result|3|error|", 21) == 0,
			    "guard, broken: %s", got);
			say_text(ADDRESS "4|postmaster\n");
			expect("no domain", "check-result|4|not-found\n");
		}
		ROW(started(NULL) == 0, "a look for nobody's mail");
		finish("unknown");
	}
	rows_done();
}

/* A cache that cannot be read, or is another one now, is not "no policy". */
static void
test_table_cache(void **state)
{
	char command[300];
	const char *got;

	(void)state;
	configure("cold = proceed\n");
	age_conf();
	start_table();
	say_text(CHECK "1|cold.example\n");
	expect("cold", "check-result|1|not-found\n");
	snprintf(command, sizeof command, "mv %s/cache %s/away", top, top);
	assert_int_equal(system(command), 0);
	usleep(1200000); /* it is looked at once a second */
	say_text(CHECK "2|other.example\n");
	got = hear_bytes(400, 500);
	ROW(strncmp(got, "check-result|2|error|", 21) == 0, "gone: %s", got);
	assert_true(own(in_top("cache")));
	usleep(1200000);
	say_text(CHECK "3|other.example\n");
	expect("a new one", "check-result|3|not-found\n");
	finish("cache");
	rows_done();
}

/* --- The table, imsg ----------------------------------------------------- */

static void
say_imsg(uint32_t type, uint16_t len, const void *body, size_t n)
{
	char m[4096] = { 0 };

	memcpy(m, &type, sizeof type);
	memcpy(m + 4, &len, sizeof len);
	m[8] = 7;
	memcpy(m + 16, body, n);
	say(m, 16 + n);
}

static void
say_query(uint32_t type, uint32_t service, const char *key)
{
	size_t none = 0, n = strlen(key) + 1;
	char body[300];

	memcpy(body, &service, 4);
	memcpy(body + 4, &none, sizeof none);
	memcpy(body + 4 + sizeof none, key, n);
	n += 4 + sizeof none;
	say_imsg(type, (uint16_t)(16 + n), body, n);
}

/* found -2: OK alone. */
static void
expect_imsg(const char *what, uint32_t type, int found, const char *value)
{
	size_t want = 16u + (found == -2 ? 0 : sizeof found) +
	    (value == NULL ? 0 : strlen(value) + 1);
	uint32_t got_type;
	uint16_t len;
	int r = -2;

	(void)hear_bytes(want, 3000);
	memcpy(&got_type, host.got, 4);
	memcpy(&len, host.got + 4, 2);
	if (host.ngot >= 20)
		memcpy(&r, host.got + 16, 4);
	ROW(host.ngot == want && len == want && got_type == type &&
		r == found && host.got[8] == 7 &&
		(value == NULL || strcmp(host.got + 20, value) == 0),
	    "%s: %zu bytes, length %u, type %u, found %d", what, host.ngot, len,
	    got_type, r);
}

static void
test_imsg(void **state)
{
	char open_body[2052] = { 2 };

	(void)state;
	configure(PINNED "[domain \"off.example\"]\nmode = off\n");
	start(table_path, in_top("conf"), NULL, true);
	say_imsg(2, 2068, open_body, sizeof open_body);
	expect_imsg("open", 0, -2, NULL);
	say_query(5, 2, "pin.example");
	expect_imsg("check", 0, 1, NULL);
	say_query(6, 2, "pin.example");
	expect_imsg("lookup", 0, 1, "pin.example");
	say_query(5, 2, "[192.0.2.1]");
	expect_imsg("a literal", 0, 0, NULL);
	say_query(5, 1, "pin.example");
	expect_imsg("another service", 0, -1, NULL);
	say_imsg(4, 16, "", 0);
	expect_imsg("update", 0, 1, NULL);
	say_imsg(7, 20, "\2\0\0\0", 4);
	expect_imsg("fetch", 0, 0, NULL);
	say_imsg(5, 18, "xx", 2);
	expect_imsg("a query that is none", 0, -1, NULL);
	say_imsg(99, 16, "", 0);
	expect_imsg("unknown type", 1, -2, NULL);
	say_imsg(4, 3, "", 0);
	expect_imsg("bad length", 1, -2, NULL);
	say_imsg(3, 16, "", 0);
	expect_imsg("close", 0, -2, NULL);
	say_query(5, 2, "pin.example");
	expect_imsg("after all that", 0, 1, NULL);
	say_query(5, 2, "cold.example");
	expect_imsg("not asked yet", 0, -1, NULL);
	memcpy(open_body + 4, "mtasts-wait", sizeof "mtasts-wait");
	say_imsg(2, 2068, open_body, sizeof open_body);
	expect_imsg("open the other", 0, -2, NULL);
	say_query(5, 2, "off.example");
	expect_imsg("known", 0, 0, NULL);
	say_query(5, 2, "cold.example");
	expect_imsg("waits", 0, 1, NULL);
	say_query(5, 0x40, "u@cold.example");
	expect_imsg("guard", 0, -1, NULL);
	say_query(5, 0x40, "u@off.example");
	expect_imsg("guard, known", 0, 0, NULL);
	say_query(6, 0x200, "cold.example");
	expect_imsg("no hosts", 0, -1, NULL);
	expect_quiet("imsg");
	finish("imsg");
	rows_done();
}

/* --- The filter ---------------------------------------------------------- */

#define RCPT "filter|0.7|1795534645.508121|smtp-in|rcpt-to|"

static void
start_filter(const char *subsystems, const char *want)
{
	start(filter_path, "-c", in_top("conf"), false);
	say_text("config|smtpd-version|7.6.0-portable\nconfig|protocol|0.7\n");
	say_text(subsystems);
	say_text("config|admd|x\nconfig|ready\n");
	expect("greeting", want);
}

static void
start_filter_in(void)
{
	(void)unlink(in_top("cache/~started"));
	(void)unlink(in_top("cache/~asked"));
	start_filter("config|subsystem|smtp-in\n",
	    "register|report|smtp-in|link-disconnect\n"
	    "register|report|smtp-in|tx-begin\n"
	    "register|filter|smtp-in|rcpt-to\nregister|ready\n");
}

/* 451 for "SESSION|TOKEN", and why has to be said. */
static void
expect_later(const char *what, const char *who, const char *why)
{
	char want[100];
	const char *got;

	snprintf(want, sizeof want, "filter-result|%s|reject|451 4.7.0 ", who);
	got = hear_bytes(strlen(want), 8000);
	ROW(strncmp(got, want, strlen(want)) == 0 && strstr(got, why) != NULL &&
		strchr(got, '\n') == got + strlen(got) - 1,
	    "%s: '%s' for '%s' %s", what, got, want, why);
}

static void
purge(void)
{
	char command[300];

	snprintf(command, sizeof command, "rm -rf %s/cache/[0-9a-f]*", top);
	assert_int_equal(system(command), 0);
}

/* What is known of a domain once a worker has been asked. */
static void
know(const char *domain)
{
	struct sts_entry e = { .kind = STS_ENTRY_NONE,
		.why = STS_WHY_NO_RECORD };
	struct sts_store *store;
	char command[300];
	struct sts_err err;

	e.checked = time(NULL);
	e.until = e.checked + 3600;
	assert_int_equal(sts_store_open(&store, in_top("cache"), &err), STS_OK);
	assert_int_equal(sts_store_put(store, domain, &e, &err), STS_OK);
	sts_store_close(store);
	snprintf(command, sizeof command,
	    "cd %s && cp -a cache/[0-9a-f]* known/", top);
	assert_int_equal(system(command), 0);
	purge();
}

/* slow: no answer.  lost: one, but nothing in the cache.  bad: a fault. */
static void
worker_learns(void)
{
	char text[500];

	snprintf(text, sizeof text,
	    "cd %s; echo mtasts-worker1; read -r version; "
	    "while read -r ask d m; do echo $d >> cache/~asked; "
	    "case $d in slow*) ;; lost.*) echo \"done $d none 0 no record\" ;; "
	    "bad.*) echo \"done $d local 0 cannot load |CA file\" ;; "
	    "*) cp -a known/. cache/; echo \"done $d none 0 -\" ;; "
	    "esac; done",
	    top);
	worker(text);
}

/* Lines of ~asked with the word in it. */
static unsigned
asked(const char *word)
{
	FILE *f = fopen(in_top("cache/~asked"), "r");
	char line[300];
	unsigned n = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		n += strstr(line, word) != NULL;
	if (f != NULL)
		fclose(f);
	return n;
}

static void
test_filter(void **state)
{
	pid_t pid = 0;
	int64_t began;

	(void)state;
	configure(PINNED "[domain \"off.example\"]\nmode = off\n"
			 "[domain \"must.example\"]\nmode = enforce\n");
	assert_true(own(in_top("known")));
	know("one.example");
	know("quick.example");
	know("must.example");
	know("two.example");
	worker_learns();
	purge();
	start_filter_in();
	say_text(RCPT "s1|t1|u@one.example\n");
	expect("held until it is known", "filter-result|s1|t1|proceed\n");
	say_text(RCPT "s1|t1|<u@ONE.example.>\n");
	expect("it is in the cache", "filter-result|s1|t1|proceed\n");
	ROW(started(&pid) == 1 && asked("one") == 1, "%u workers, %u times",
	    started(NULL), asked("one"));
	purge();
	say_text(RCPT "s1|t1|u@one.example\n");
	expect("asked again after a purge", "filter-result|s1|t1|proceed\n");
	ROW(asked("one") == 2, "a purge counts at once: %u", asked("one"));
	say_text(RCPT "s1|t2|u@[192.0.2.1]\n" RCPT "s1|t3|postmaster\n" RCPT
		      "s1|t4|u@off.example\n");
	expect("nothing to fetch",
	    "filter-result|s1|t2|proceed\nfilter-result|s1|t3|proceed\n"
	    "filter-result|s1|t4|proceed\n");
	say_text(RCPT "s1|t5|u@pin.example\n");
	expect_later("a policy, but no hosts", "s1|t5", "MX hosts");
	say_text("filter|0.7|1|smtp-in|mail-from|s1|t5|x\n");
	expect("not registered for", "filter-result|s1|t5|proceed\n");
	say_text("garbage\n\n|||\nreport|0.7|1|smtp-in|link-auth|s1|x\n"
		 "report|0.7|1|smtp-out|link-disconnect|s1\n");
	expect_quiet("garbage");
	say_text(RCPT "s1|t6|u@lost.example\n");
	expect_later("said, but not in the cache", "s1|t6", "(no record)");
	say_text(RCPT "s1|t7|u@bad.example\n");
	expect_later("a fault", "s1|t7", "bad.example: ");
	ROW(strstr(host.got, "(cannot load ?CA file)") != NULL, "why: %s",
	    host.got);
	say_text(RCPT "s1|t8|u@must.example\n");
	expect_later("no policy to enforce", "s1|t8", "enforce");
	/* Another session does not wait for the slow one. */
	began = now();
	say_text(RCPT "s2|a|u@slow.example\n" RCPT "s3|b|u@slow.example\n" RCPT
		      "s4|c|u@quick.example\n");
	expect("the quick one", "filter-result|s4|c|proceed\n");
	say_text("report|0.7|1|smtp-in|link-disconnect|s2\n");
	expect_later("fetch_timeout; not who is gone", "s3|b", "still");
	ROW(now() - began >= 3900 && asked("slow") == 1,
	    "fetch_timeout took %d ms", (int)(now() - began));
	/* The worker dies: nothing is known of what it was asked. */
	say_text(RCPT "s5|d|u@slow2.example\n");
	expect_quiet("waits");
	kill(pid, SIGKILL);
	expect_later("the worker dies", "s5|d", "ended");
	say_text(RCPT "s6|f|u@slow.c.example\n");
	expect_later("no worker, no waiting", "s6|f", "ended");
	ROW(started(NULL) == 1, "no back-off: %u workers", started(NULL));
	say_text(RCPT "s6|f|u@one.example\n");
	expect("known without a worker", "filter-result|s6|f|proceed\n");
	usleep(1300000);
	purge();
	say_text(RCPT "s6|g|u@two.example\n");
	expect("the next worker", "filter-result|s6|g|proceed\n");
	ROW(started(&pid) == 2, "%u workers", started(NULL));
	finish("filter");
	usleep(200000);
	ROW(!lives(pid), "its worker lives on");
	rows_done();
}

static void
test_filter_no_worker(void **state)
{
	(void)state;
	configure("");
	purge();
	unlink(in_top("mtasts-fetch-openssl"));
	unlink(in_top("mtasts-fetch-gnutls"));
	start_filter_in();
	say_text(RCPT "s1|t1|u@one.example\n");
	expect_later("cannot start", "s1|t1", "mtasts-fetch");
	say_text(RCPT "s1|t2|u@two.example\n");
	expect_later("still cannot", "s1|t2", "mtasts-fetch");
	/* Neither its garbage nor its silence nor a flood does any harm. */
	usleep(1200000);
	worker("head -c 300000 /dev/urandom; exec sleep 100");
	say_text(RCPT "s1|t3|u@three.example\n");
	expect_later("garbage from it", "s1|t3", "the worker ");
	assert_true(write_text(top, "conf", 0644, "colour = blue\n"));
	usleep(1200000);
	say_text(RCPT "s1|t4|u@four.example\n");
	expect_later("configuration broken", "s1|t4", "conf:1");
	configure("");
	worker_learns();
	usleep(1200000);
	say_text(RCPT "s1|t5|u@one.example\n");
	expect("and mended", "filter-result|s1|t5|proceed\n");
	ROW(started(NULL) == 2, "%u workers", started(NULL));
	finish("no worker");
	rows_done();
}

/* One session with more than the worker can take: others have their room. */
static void
test_filter_burst(void **state)
{
	enum { BURST = 2000 };
	char line[200];
	unsigned later = 0;

	(void)state;
	configure("");
	worker_learns();
	purge();
	start_filter_in();
	for (int i = 0; i < BURST; i++) {
		snprintf(line, sizeof line,
		    RCPT "%016x|%08x|u@slow%04d.example\n", i < 3 ? i : 0xabc,
		    i, i);
		say_text(line);
	}
	say_text(RCPT "victim|v|u@quick.example\n");
	(void)hear_bytes(SIZE_MAX, 2000);
	for (const char *p = host.got; *p != '\0'; p = strchr(p, '\n') + 1)
		later += strstr(p, "|reject|451 4.7.0 ") != NULL &&
		    strncmp(p, "filter-result|0", 15) == 0;
	ROW(strstr(host.got, "filter-result|victim|v|proceed\n") != NULL,
	    "the victim does not pass");
	/* one of each of four sessions still waits */
	ROW(later == BURST - 4, "%u told to come again", later);
	ROW(asked("slow") > 400 && asked("slow") < 530, "%u at the worker",
	    asked("slow"));
	finish("burst");
	rows_done();
}

/* --- The filter: sessions for TLS reports -------------------------------- */

#define OUT "report|0.7|1795450922.958322|smtp-out|"
#define BEGINS(id)                                                             \
	OUT "link-connect|" id "|p|pass|10.9.0.1:48890|10.9.0.11:25\n" OUT     \
	    "protocol-client|" id "|EHLO sender.test\n" OUT                    \
	    "protocol-server|" id "|250-mx.test\n" OUT "protocol-server|" id   \
	    "|250 STARTTLS\n" OUT "protocol-client|" id "|STARTTLS\n" OUT      \
	    "protocol-server|" id "|220 go\n"
#define ENDS(id) OUT "link-disconnect|" id "\n"
#define FAILS(id) BEGINS(id) ENDS(id)
#define WORKS(id, rcpt)                                                        \
	BEGINS(id)                                                             \
	OUT "protocol-client|" id "|EHLO sender.test\n" OUT "link-tls|" id     \
	    "|TLSv1.3:X:256\n" OUT "protocol-client|" id                       \
	    "|MAIL FROM:<a@sender.test>\n" OUT "protocol-client|" id           \
	    "|RCPT TO:<" rcpt ">\n" OUT "link-disconnect|" id "\n"
#define CLEAR(id, rcpt)                                                        \
	OUT "link-connect|" id "|p|pass|10.9.0.1:48890|10.9.0.12:25\n" OUT     \
	    "protocol-client|" id "|EHLO sender.test\n" OUT                    \
	    "protocol-server|" id "|250 mx.test\n" OUT "protocol-client|" id   \
	    "|MAIL FROM:<a@sender.test>\n" OUT "protocol-client|" id           \
	    "|RCPT TO:<" rcpt ">\n" OUT "link-disconnect|" id "\n"

/* What the command says, once it has want in it; for two seconds at most. */
static bool
says(const char *command, const char *want)
{
	char text[4000], line[300];
	size_t n = 0;
	FILE *f;

	snprintf(line, sizeof line, "cd %s && %s 2>/dev/null", top, command);
	for (int i = 0; i < 40; i++) {
		n = 0;
		if ((f = popen(line, "r")) != NULL) {
			n = fread(text, 1, sizeof text - 1, f);
			pclose(f);
		}
		text[n] = '\0';
		if (strstr(text, want) != NULL)
			return true;
		usleep(50000);
	}
	print_error("%s: %s\n", command, text);
	return false;
}

/* As the table notes it: "DOMAIN HOST". */
static void
hand_out(const char *what)
{
	struct timespec ts;
	char text[200];
	int fd = open(in_top("cache/~mx-offers"), O_WRONLY | O_CREAT | O_APPEND,
	    0600);

	clock_gettime(CLOCK_REALTIME, &ts);
	snprintf(text, sizeof text, "%lld %s 10.9.0.11\n",
	    (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000, what);
	(void)!write(fd, text, strlen(text));
	if (geteuid() == 0)
		(void)!fchown(fd, OWNER, OWNER);
	close(fd);
	usleep(2000);
}

static void
start_filter_out(const char *o)
{
	start(filter_path, o, in_top("conf"), false);
	say_text("config|subsystem|smtp-out\nconfig|ready\n");
	expect("greeting",
	    "register|report|smtp-out|link-connect\n"
	    "register|report|smtp-out|link-tls\n"
	    "register|report|smtp-out|link-disconnect\n"
	    "register|report|smtp-out|protocol-client\n"
	    "register|report|smtp-out|protocol-server\nregister|ready\n");
}

#define PIN "pin.example mx1.pin.example"
#define MARKS "ls cache/~mx | grep -c '^10.9.0.11~.*~failed$'"

/* Lines of what the worker was told with want in them. */
static unsigned
told(const char *want)
{
	FILE *f = fopen(in_top("cache/~judged"), "r");
	char line[300];
	unsigned n = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		n += strstr(line, want) != NULL;
	if (f != NULL)
		fclose(f);
	return n;
}

static void
wait_told(const char *want, unsigned n)
{
	for (int i = 0; i < 400 && told(want) < n; i++)
		usleep(25000);
	ROW(told(want) == n, "%u lines with '%s' for %u", told(want), want, n);
}

/* Nothing is under way any more: one more failure stands behind all others.
 * What it was handed out is younger than they if one of them was seen. */
static void
fence(void)
{
	unsigned n = told("\tfence.example\t");

	hand_out("fence.example mx.fence.example");
	say_text(FAILS("fence"));
	wait_told("\tfence.example\t", n + 1);
}

/* A failed session is one of each domain that waited, and of one host. */
static void
test_filter_waiters(void **state)
{
	char more[600];

	(void)state;
	(void)unlink(in_top("cache/~judged"));
	(void)unlink(in_top("cache/~mx-offers"));
	snprintf(more, sizeof more,
	    PINNED "[domain \"two.example\"]\nmx = mx1.pin.example\n"
		   "[domain \"evil.example\"]\nmx = mx.evil.example\n"
		   "[domain \"fence.example\"]\nmx = mx.fence.example\n"
		   "[report]\ncontact = tls@example.net\nspool_dir = "
		   "%s/spool\n",
	    top);
	configure(more);
	age_conf();
	assert_true(own(in_top("spool")));
	snprintf(more, sizeof more,
	    "echo mtasts-worker1; while IFS= read -r l; do case $l in "
	    "session*) printf '%%s\\n' \"$l\" >> %s/cache/~judged ;; "
	    "esac; done",
	    top);
	worker(more);
	start_filter_out("-c");
	hand_out(PIN);
	hand_out("two.example mx1.pin.example");
	say_text(BEGINS("s1") BEGINS("s2") BEGINS("s3") ENDS("s2") ENDS("s1")
		ENDS("s3"));
	wait_told("\ttwo.example\t", 1);
	fence();
	ROW(told("\tpin.example\t") == 1 && told("\ttwo.example\t") == 1,
	    "8460 4.1 three sessions for two domains: %u and %u",
	    told("\tpin.example\t"), told("\ttwo.example\t"));
	/* Its mail is on its way: the next failure is another's. */
	hand_out(PIN);
	hand_out("evil.example mx.evil.example");
	say_text(BEGINS("s4") WORKS("s5", "u@pin.example") ENDS("s4"));
	wait_told("\tevil.example\t", 1);
	fence();
	ROW(told("\tpin.example\t") == 1, "its mail was taken: %u",
	    told("\tpin.example\t"));
	ROW(told(STS_REASON_SHARED) == 0, "one host each time");
	ROW(says(MARKS, "2\n"), "the host that worked since is not marked");
	/* Two hosts have the address: which it was, the worker finds out. */
	snprintf(more, sizeof more, "rm -r %s/cache/~mx", top);
	assert_int_equal(system(more), 0);
	hand_out(PIN);
	hand_out("evil.example mx.evil.example");
	say_text(FAILS("s6"));
	wait_told("\tmx1.pin.example\tmx.test\t10.9.0.11\t" STS_REASON_SHARED
		  "\t",
	    1);
	wait_told("\tmx.evil.example\tmx.test\t10.9.0.11\t" STS_REASON_SHARED
		  "\t",
	    1);
	fence();
	ROW(says(MARKS, "1\n"), "neither is blamed, but the one behind");
	/* Before TLS no name is said: that fails with all of them. */
	hand_out(PIN);
	hand_out("evil.example mx.evil.example");
	say_text(OUT "link-connect|s7|p|pass|10.9.0.1:48890|10.9.0.11:25\n" OUT
		     "protocol-client|s7|EHLO sender.test\n" OUT
		     "protocol-server|s7|502 no\n" ENDS("s7"));
	ROW(says(MARKS, "3\n"), "no STARTTLS at either");
	ROW(says("grep -c starttls-not-supported spool/2*", "2\n"),
	    "8460 4.3.1 both");
	finish("waiters");
	(void)unlink(in_top("cache/~mx-offers"));
	snprintf(more, sizeof more, "rm -r %s/spool", top);
	assert_int_equal(system(more), 0);
	rows_done();
}

static void
test_filter_reports(void **state)
{
	char more[600];
	bool made;

	(void)state;
	(void)unlink(in_top("cache/~judged"));
	(void)unlink(in_top("cache/~mx-offers"));
	snprintf(more, sizeof more,
	    PINNED "[domain \"fence.example\"]\nmx = mx.fence.example\n"
		   "[report]\ncontact = tls@example.net\nspool_dir = "
		   "%s/spool\n",
	    top);
	configure(more);
	age_conf();
	made = own(in_top("spool"));
	ROW(made, "no spool");
	snprintf(more, sizeof more,
	    "echo mtasts-worker1; while IFS= read -r l; do case $l in "
	    "session*) printf '%%s\\n' \"$l\" >> %s/cache/~judged ;; "
	    "esac; done",
	    top);
	worker(more);
	/* Enforced: the domain by the hand-out, the cause by the worker. */
	start_filter_out("-c");
	hand_out(PIN);
	say_text(FAILS("s1"));
	ROW(says("cat cache/~judged",
		"\tpin.example\tsts\tenforce\t\tvalidation-failure\t10.9.0.1"
		"\tmx1.pin.example\tmx.test\t10.9.0.11\tTLS failed\t\n"),
	    "8460 4.4 a failure");
	say_text(FAILS("s2") WORKS("s3", "u@pin.example")
		WORKS("s4", "tls@example.net") CLEAR("s5", "u@none.example"));
	ROW(says("cat spool/2*; echo",
		"\tnone.example\tno-policy-found\tnone\t"
		"\tstarttls-not-supported\t10.9.0.1\t\t"
		"mx.test\t10.9.0.12\t\t\n"),
	    "8460 4.3.1 in clear");
	ROW(says("cat spool/2*",
		"\tpin.example\tsts\tenforce\t\tok\t10.9.0.1"
		"\t\tmx.test\t10.9.0.11\t\t\n"),
	    "8460 4.2.1 a success");
	fence();
	ROW(told("\tpin.example\t") == 1,
	    "nobody waited for the second failure");
	ROW(says("grep -c . spool/2*", "3\n"), "three in the spool");
	expect_quiet("reports");
	finish("reports");
	/* Nobody can be asked: a failure it is all the same. */
	unlink(in_top("mtasts-fetch-openssl"));
	unlink(in_top("mtasts-fetch-gnutls"));
	start_filter_out("-c");
	hand_out(PIN);
	say_text(FAILS("s1")); /* lost with the worker that it was told */
	usleep(300000);
	hand_out(PIN);
	say_text(FAILS("s2"));
	ROW(says("cat spool/2*",
		"\tvalidation-failure\t10.9.0.1\tmx1.pin."
		"example\tmx.test\t10.9.0.11\tTLS failed"
		"\t\n"),
	    "8460 4.3.1 without a worker");
	/* No spool is no reason for anything. */
	ROW(rename(in_top("spool"), in_top("elsewhere")) == 0, "rename");
	say_text(WORKS("s2", "u@pin.example"));
	expect_quiet("no spool");
	finish("no spool");
	ROW(rename(in_top("elsewhere"), in_top("spool")) == 0, "rename");
	/* Opportunistic: a certificate that nobody looked at is none. */
	start_filter_out("-oc");
	hand_out(PIN);
	say_text(FAILS("s1") WORKS("s2", "u@pin.example")
		WORKS("s3", "u@other.example"));
	ROW(says("cat spool/2*",
		"\tother.example\tno-policy-found\tnone\t\tok"),
	    "8460 4.4 no policy, a success");
	ROW(says("grep -c . spool/2*", "5\n"), "five in the spool");
	finish("-o");
	worker("exit 0");
	rows_done();
}

static void
test_filter_options(void **state)
{
	static const char *const bad[][2] = { { "-x", NULL }, { "-c", NULL },
		{ "-c", "relative" }, { "more", NULL } };
	int status;

	(void)state;
	start_filter("config|subsystem|smtp-in\nconfig|subsystem|smtp-out\n",
	    "register|report|smtp-in|link-disconnect\n"
	    "register|report|smtp-in|tx-begin\n"
	    "register|filter|smtp-in|rcpt-to\n"
	    "register|report|smtp-out|link-connect\n"
	    "register|report|smtp-out|link-tls\n"
	    "register|report|smtp-out|link-disconnect\n"
	    "register|report|smtp-out|protocol-client\n"
	    "register|report|smtp-out|protocol-server\nregister|ready\n");
	finish("both");
	/* Only at the start of smtpd, and before anything is served. */
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		start(filter_path, bad[i][0], bad[i][1], false);
		waitpid(host.pid, &status, 0);
		ROW(WIFEXITED(status) && WEXITSTATUS(status) == 2,
		    "%s: status %d", bad[i][0], status);
		close(host.fd);
	}
	rows_done();
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_deaf),
		cmocka_unit_test(test_table_config),
		cmocka_unit_test(test_table_unknown),
		cmocka_unit_test(test_table_cache),
		cmocka_unit_test(test_imsg),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_no_worker),
		cmocka_unit_test(test_filter_burst),
		cmocka_unit_test(test_filter_waiters),
		cmocka_unit_test(test_filter_reports),
		cmocka_unit_test(test_filter_options),
	};

	if (argc != 3) {
		fputs("usage: t-opensmtpd table filter\n", stderr);
		return 99;
	}
	table_path = argv[1];
	filter_path = argv[2];
	return cmocka_run_group_tests(tests, set_up, wipe_top);
}
