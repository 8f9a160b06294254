/* SPDX-License-Identifier: ISC */
/* The mail of a report, RFC 8460 5.3, and sendmails of all sorts. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "report_mail.h"
#include "row.h"
#include "sendmail.h"

#define LABEL "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"
#define LONG LABEL "." LABEL "." LABEL ".example"

static struct report
report(const char *domain, const char *submitter)
{
	return (struct report){ .domain = domain,
		.begin = 1795392000, /* 2026-11-23 */
		.end = 1795478399,
		.organization = "Example",
		.contact = "tls@sender.example",
		.submitter = submitter,
		.unique = "0123456789abcdef" };
}

/* The lines of the header that begin with name, and how long the longest. */
static unsigned
fields(const char *text, const char *name, size_t *longest)
{
	unsigned n = 0;
	size_t len;

	*longest = 0;
	for (; *text != '\n' && *text != '\0'; text += len + 1) {
		len = strcspn(text, "\n");
		n += strncmp(text, name, strlen(name)) == 0 &&
		    text[strlen(name)] == ':';
		if (len > *longest)
			*longest = len;
	}
	return n;
}

static void
test_text(void **state)
{
	static const char *const once[] = { "From", "To", "Date", "Message-ID",
		"Subject", "TLS-Report-Domain", "TLS-Report-Submitter",
		"TLS-Required", "Auto-Submitted", "MIME-Version",
		"Content-Type" };
	static const struct {
		const char *domain, *submitter;
		size_t body;
	} of[] = {
		{ "b.example", "sender.example", 0 },
		{ "b.example", "sender.example", 1 },
		{ "b.example", "sender.example", 56 },
		{ "b.example", "sender.example", 57 },
		{ "b.example", "sender.example", 58 },
		{ LONG, LONG, 100000 },
	};
	static const char last[] = "\n--tlsrpt.0123456789abcdef--\n";
	struct report r;
	size_t len, longest;
	char *text, *body, subject[2 * sizeof LONG + 80];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		r = report(of[i].domain, of[i].submitter);
		body = calloc(1, of[i].body + 1);
		assert_non_null(body);
		text = mail_text(&r, "tls@sender.example", "a@b.example",
		    guard_copy(body, of[i].body), of[i].body, 1795500000, &len);
		free(body);
		assert_non_null(text);
		for (size_t k = 0; k < ARRAY_LEN(once); k++)
			ROW(fields(text, once[k], &longest) == 1,
			    "5.3 %zu: %s once", i, once[k]);
		ROW(longest <= 998, "RFC 5322 2.1.1 %zu: %zu", i, longest);
		for (const char *p = text; p < text + len; p++)
			if (*p != '\n' && *p != '\t' && !is_print(*p))
				ROW(false, "%zu: byte %d", i, *p);
		snprintf(subject, sizeof subject,
		    "\nSubject: Report Domain: %s\n Submitter: %s\n "
		    "Report-ID: <",
		    of[i].domain, of[i].submitter);
		ROW(strstr(text, subject) != NULL, "5.3 %zu: Subject", i);
		ROW(len > sizeof last &&
			strncmp(text + len - (sizeof last - 1), last,
			    sizeof last - 1) == 0,
		    "RFC 2046 5.1.1 %zu: the last boundary", i);
		ROW(strstr(text, "\nDate: Tue, 24 Nov 2026 06:00:00 +0000\n") !=
			NULL,
		    "RFC 5322 3.3 %zu", i);
		free(text);
	}
	rows_done();
}

/* --- sendmail ------------------------------------------------------------ */

static char dir[] = "/tmp/mtasts-mail.XXXXXX";

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	char command[sizeof dir + 16];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

static const char *
path_of(const char *name)
{
	static char path[sizeof dir + 32];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void
script(const char *body)
{
	FILE *f = fopen(path_of("sendmail"), "w");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\ncd %s\n%s\n", dir, body);
	assert_int_equal(fchmod(fileno(f), 0755), 0);
	fclose(f);
}

static long
size_of(const char *name)
{
	struct stat st;

	return stat(path_of(name), &st) == -1 ? -1 : (long)st.st_size;
}

enum { TEXT = 300000 }; /* more than a pipe holds */

static const struct {
	const char *what, *body;
	unsigned limit;
	enum mail_fate fate;
	long took;    /* bytes, at least */
	int64_t most; /* ms */
} sendmails[] = {
	{ "takes it", "cat >took", 60000, MAIL_SENT, TEXT, 10000 },
	{ "reads nothing", "exit 0", 60000, MAIL_SENT, -1, 10000 },
	{ "refuses", "cat >took; exit 75", 60000, MAIL_REFUSED, TEXT, 10000 },
	{ "cannot be started", NULL, 60000, MAIL_REFUSED, -1, 10000 },
	{ "is killed, perhaps too late", "kill -9 $$", 60000, MAIL_UNKNOWN, -1,
	    10000 },
	{ "has it, and hangs", "cat >took; sleep 30", 500, MAIL_UNKNOWN, TEXT,
	    10000 },
	{ "tidies up when told to end",
	    "cat >took; trap 'rm took; : >tidy; exit 1' TERM; "
	    "while :; do sleep 0.1; done",
	    1000, MAIL_UNKNOWN, -1, 10000 },
	{ "does not want to end",
	    "cat >took; trap '' TERM; sleep 30 & wait; "
	    "sleep 30; : >late",
	    500, MAIL_UNKNOWN, TEXT, 15000 },
	{ "its helper holds on to everything", "cat >took; sleep 12 & exit 0",
	    60000, MAIL_SENT, TEXT, 10000 },
	{ "reads slowly: never half of it",
	    "dd bs=4096 count=2 of=half 2>/dev/null; sleep 30; cat >>half; "
	    "mv half took",
	    500, MAIL_UNKNOWN, -1, 10000 },
};

static void
test_sendmail(void **state)
{
	char *text = calloc(1, TEXT + 1);
	struct sts_err err;
	int64_t began;
	enum mail_fate fate;
	int file;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', TEXT);
	file = open(path_of("text"), O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(file, text, TEXT), TEXT);
	free(text);
	for (size_t i = 0; i < ARRAY_LEN(sendmails); i++) {
		(void)unlink(path_of("took"));
		script(sendmails[i].body == NULL ? "" : sendmails[i].body);
		if (sendmails[i].body == NULL) /* no program */
			assert_int_equal(truncate(path_of("sendmail"), 0), 0);
		err.text[0] = '\0';
		began = sts_now_ms();
		fate = mail_send(path_of("sendmail"), "s@sender.example",
		    "a@b.example", file, sendmails[i].limit, &err);
		ROW(fate == sendmails[i].fate, "%s: %d %s", sendmails[i].what,
		    fate, err.text);
		ROW(size_of("took") == sendmails[i].took, "%s: %ld bytes",
		    sendmails[i].what, size_of("took"));
		ROW((err.text[0] != '\0') == (fate != MAIL_SENT), "%s: %s",
		    sendmails[i].what, err.text);
		ROW(sts_now_ms() - began < sendmails[i].most, "%s: %lld ms",
		    sendmails[i].what, (long long)(sts_now_ms() - began));
	}
	ROW(size_of("tidy") == 0 && size_of("late") == -1, "SIGTERM first");
	ROW(mail_send("/nowhere/sendmail", "s@sender.example", "a@b.example",
		file, 1000, &err) == MAIL_REFUSED,
	    "is not there");
	/* Then the kernel waits for it, and tells nobody what came of it. */
	(void)signal(SIGCHLD, SIG_IGN);
	script("cat >took");
	ROW(mail_send(path_of("sendmail"), "s@sender.example", "a@b.example",
		file, 60000, &err) == MAIL_UNKNOWN,
	    "SIGCHLD is ignored: %s", err.text);
	(void)signal(SIGCHLD, SIG_DFL);
	close(file);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_sendmail),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
