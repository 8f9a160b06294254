/* SPDX-License-Identifier: ISC */
/* filter-mtasts on the listener where mail waits. */
#include "cache/cache.h"
#include "program.h"

#define RCPT "filter|0.7|1795534645.508121|smtp-in|rcpt-to|"

static void
start_filter(const char *subsystems, const char *want)
{
	start("-c", in_top("conf"), false);
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

/* The same by the sessions of many messages to one owner's domains. */
static void
test_filter_owner(void **state)
{
	static const unsigned sizes[] = { 520, 260, 130, 70, 40, 20, 10, 5, 5,
		5, 5 };
	char line[200];

	(void)state;
	configure("");
	worker_learns();
	purge();
	start_filter_in();
	for (unsigned k = 0; k < ARRAY_LEN(sizes); k++)
		for (unsigned i = 0; i < sizes[k]; i++) {
			snprintf(line, sizeof line,
			    RCPT "%016x|%08x|u@slow%u-%u.flood.example\n", k, i,
			    k, i);
			say_text(line);
		}
	say_text(RCPT "victim|v|u@quick.example\n");
	(void)hear_bytes(SIZE_MAX, 2000);
	ROW(strstr(host.got, "filter-result|victim|v|proceed\n") != NULL,
	    "the victim does not pass");
	ROW(asked("slow") > 400 && asked("slow") < 530, "%u at the worker",
	    asked("slow"));
	finish("owner");
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
		start(bad[i][0], bad[i][1], false);
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
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_no_worker),
		cmocka_unit_test(test_filter_burst),
		cmocka_unit_test(test_filter_owner),
		cmocka_unit_test(test_filter_options),
	};

	if (argc != 2) {
		fputs("usage: t-opensmtpd-filter_mtasts PROGRAM\n", stderr);
		return 99;
	}
	program = argv[1];
	return cmocka_run_group_tests(tests, set_up, wipe_top);
}
