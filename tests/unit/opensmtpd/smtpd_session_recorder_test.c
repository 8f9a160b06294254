/* SPDX-License-Identifier: ISC */
/* filter-mtasts on actions: whose the sessions with MX hosts are. */
#include "program.h"
#include <mtasts/mx.h>

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

/* What the command says, once it has want in it; for ten seconds at most. */
static bool
says(const char *command, const char *want)
{
	char text[4000], line[300];
	size_t n = 0;
	FILE *f;

	snprintf(line, sizeof line, "cd %s && %s 2>/dev/null", top, command);
	for (int i = 0; i < 200; i++) {
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
	snprintf(text, sizeof text, "%lld policy %s 10.9.0.11\n",
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
	start(o, in_top("conf"), false);
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

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter_waiters),
		cmocka_unit_test(test_filter_reports),
	};

	if (argc != 2) {
		fputs("usage: t-opensmtpd-smtpd_session_recorder PROGRAM\n",
		    stderr);
		return 99;
	}
	program = argv[1];
	return cmocka_run_group_tests(tests, set_up, wipe_top);
}
