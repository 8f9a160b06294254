/* SPDX-License-Identifier: ISC */
/* table-mtasts, in both protocols. */
#include "program.h"

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

/* --- The table, lines ---------------------------------------------------- */

static void
start_table(void)
{
	start(in_top("conf"), NULL, false);
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
		start(in_top("conf"), NULL, false);
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
	start(in_top("conf"), NULL, true);
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
	};

	if (argc != 2) {
		fputs("usage: t-opensmtpd-table_mtasts PROGRAM\n", stderr);
		return 99;
	}
	program = argv[1];
	return cmocka_run_group_tests(tests, set_up, wipe_top);
}
