/* SPDX-License-Identifier: ISC */
/* Reports on their way: states, hostile ones, retries.  RFC 8460 5.5. */
#include <stdlib.h>
#include <sys/resource.h>

#include "fixture.h"
#include "outbox.h"
#include "plant.h"
#include "row.h"
#include <mtasts/session.h>

#define HEAD REPORT_STATE_MAGIC "0123456789abcdef\n"
#define WAITS "waits 0 0 5 mailto:a@b.example\n"
#define NAME "2026-11-23~b.example"

/* --- The text of a state ------------------------------------------------- */

static const struct {
	const char *what;
	struct sts_str text;
	int n; /* destinations; -1: not a state */
} texts[] = {
	{ "no dest", LIT(HEAD), 0 },
	{ "one", LIT(HEAD WAITS), 1 },
	{ "all states",
	    LIT(HEAD WAITS "sending 1 2 3 x\nsent 1000 1 1 x\nunknown 1 1 1 x\n"
			   "given-up 1 1 1 ?\n"),
	    5 },
	{ "withheld",
	    LIT(HEAD "withheld-place 0 0 1 x\nwithheld-outside 0 0 1 x\n"
		     "withheld-owner 0 0 1 x\nwithheld-full 0 0 1 x\n"),
	    4 },
	{ "blanks in the URI", LIT(HEAD "sent 1 1 1 a b\n"), 1 },
	{ "eight", LIT(HEAD WAITS WAITS WAITS WAITS WAITS WAITS WAITS WAITS),
	    8 },
	{ "nine",
	    LIT(HEAD WAITS WAITS WAITS WAITS WAITS WAITS WAITS WAITS WAITS),
	    -1 },
	{ "nothing", LIT(""), -1 },
	{ "another version", LIT("mtasts-out2 0123456789abcdef\n"), -1 },
	{ "magic alone", LIT(REPORT_STATE_MAGIC), -1 },
	{ "a short id", LIT(REPORT_STATE_MAGIC "0123456789abcde\n"), -1 },
	{ "a long id", LIT(REPORT_STATE_MAGIC "0123456789abcdef0\n"), -1 },
	{ "an id that is a path", LIT(REPORT_STATE_MAGIC "../../../../etc/\n"),
	    -1 },
	{ "an id with an end of line for a mail",
	    LIT(REPORT_STATE_MAGIC "0123456789abcd\r:\n"), -1 },
	{ "an id with NUL", LIT(REPORT_STATE_MAGIC "0123456789abcd\0f\n"), -1 },
	{ "no line feed", LIT(REPORT_STATE_MAGIC "0123456789abcdef"), -1 },
	{ "the last dest torn", LIT(HEAD WAITS "waits 0 0 5 mailto:a@b.ex"),
	    -1 },
	{ "an unknown state", LIT(HEAD "lost 0 0 5 x\n"), -1 },
	{ "a state in capitals", LIT(HEAD "Waits 0 0 5 x\n"), -1 },
	{ "half a state", LIT(HEAD "wait 0 0 5 x\n"), -1 },
	{ "too many tries", LIT(HEAD "waits 1001 0 5 x\n"), -1 },
	{ "less than none", LIT(HEAD "waits -1 0 5 x\n"), -1 },
	{ "no number", LIT(HEAD "waits x 0 5 x\n"), -1 },
	{ "a time beyond 2^63", LIT(HEAD "waits 0 9223372036854775808 5 x\n"),
	    -1 },
	{ "a time beyond 2^64", LIT(HEAD "waits 0 0 99999999999999999999 x\n"),
	    -1 },
	{ "a field missing", LIT(HEAD "waits 0 0 x\n"), -1 },
	{ "no URI", LIT(HEAD "waits 0 0 5 \n"), -1 },
	{ "no blank before it", LIT(HEAD "waits 0 0 5\n"), -1 },
	{ "an empty line", LIT(HEAD "\n"), -1 },
	{ "NUL for a line feed", LIT(HEAD "waits 0 0 5 x\0"), -1 },
};

static void
test_texts(void **state)
{
	static char again[REPORT_STATE_TEXT_MAX];
	static struct report_state p;
	struct sts_str text;
	size_t len;
	bool good;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		text = texts[i].text;
		text.p = guard_copy(text.p, text.len);
		memset(&p, 0xa5, sizeof p);
		good = report_state_read(&p, text);
		ROW(good == (texts[i].n >= 0) &&
			(!good || p.n == (size_t)texts[i].n),
		    "%s: %d", texts[i].what, good);
		len = good ? report_state_write(again, &p) : 0;
		ROW(!good ||
			(len == text.len && memcmp(again, text.p, len) == 0),
		    "%s: written as it was read", texts[i].what);
	}
	rows_done();
}

/* The longest that there can be. */
static void
test_longest(void **state)
{
	static char text[REPORT_STATE_TEXT_MAX], again[REPORT_STATE_TEXT_MAX];
	static struct report_state p, q;
	size_t n;

	(void)state;
	memcpy(p.unique, "0123456789abcdef", sizeof p.unique);
	for (p.n = 0; p.n < STS_RUA_MAX; p.n++) {
		struct destination *g = &p.dest[p.n];

		memset(g->uri, 'x', sizeof g->uri - 1);
		g->state = DEST_GIVEN_UP;
		g->tries = 1000;
		g->first = g->next = INT64_MAX;
	}
	n = report_state_write(text, &p);
	ROW(n < sizeof text, "%zu bytes", n);
	ROW(report_state_read(&q, (struct sts_str){ guard_copy(text, n), n }) &&
		q.n == p.n && report_state_write(again, &q) == n &&
		memcmp(text, again, n) == 0,
	    "read back");
	/* A URI of one byte more than there is room for. */
	n = (size_t)snprintf(text, sizeof text, HEAD "sent 1 1 1 %s%s\n",
	    p.dest[0].uri, "x");
	ROW(!report_state_read(&q, (struct sts_str){ guard_copy(text, n), n }),
	    "too long a URI");
	rows_done();
}

/* --- 5.5: when again ----------------------------------------------------- */

static void
test_retries(void **state)
{
	static const int64_t pauses[] = { 900, 1800, 3600, 7200, 14400, 14400 };
	struct destination g = { .first = 1000 };
	int64_t now = 1000;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		g.tries++;
		ROW(destination_failed(&g, now) && g.state == DEST_WAITS &&
			g.next == now + pauses[i],
		    "attempt %zu: %lld s", i, (long long)(g.next - now));
		now = g.next;
	}
	g.tries = 1000;
	ROW(destination_failed(&g, 1000 + OUTBOX_GIVE_UP - 1) &&
		g.next == 1000 + OUTBOX_GIVE_UP - 1 + OUTBOX_RETRY_MAX,
	    "within the day");
	ROW(!destination_failed(&g, 1000 + OUTBOX_GIVE_UP) &&
		g.state == DEST_GIVEN_UP,
	    "a day after the first");
	rows_done();
}

/* --- The folder ---------------------------------------------------------- */

static struct outbox *box;

static int
set_up(void **state)
{
	struct sts_err err;
	int fd;

	if (make_top(state) != 0 ||
	    (fd = open(top, O_RDONLY | O_DIRECTORY)) == -1 ||
	    outbox_open(&box, fd, &err) != STS_OK)
		return -1;
	return close(fd);
}

static int
tear_down(void **state)
{
	outbox_close(box);
	return wipe_top(state);
}

static const char *
path_of(const char *name)
{
	static char path[sizeof top + 300];

	snprintf(path, sizeof path, "%s/out/%s", top, name);
	return path;
}

static void
write_file(const char *name, struct sts_str text)
{
	int fd = open(path_of(name), O_CREAT | O_TRUNC | O_WRONLY, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text.p, text.len), (long)text.len);
	close(fd);
}

static void
count(void *arg, struct report_state *p)
{
	unsigned *n = arg;

	*n += strcmp(p->domain, "b.example") == 0 ? 1 : 100;
}

static enum sts_rc each_rc; /* of the last each() */

static unsigned
each(void)
{
	unsigned n = 0;

	each_rc = outbox_each(box, count, &n, NULL);
	return n;
}

/* What is damaged is told once, and then a state that nothing is due in. */
static void
test_damaged(void **state)
{
	unsigned n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		write_file(NAME, texts[i].text);
		n = each();
		ROW(n == (texts[i].n >= 0 ? 1 : 0), "%s: %u", texts[i].what, n);
		n = each();
		ROW(n == 1 &&
			outbox_has(box, "2026-11-23", "b.example", NULL) ==
			    STS_OK,
		    "%s, once more", texts[i].what);
		outbox_forget(box, "2026-11-23");
		ROW(each() == 0, "%s goes", texts[i].what);
	}
	rows_done();
}

/* Names that are no state's, and files that are none. */
static void
test_planted(void **state)
{
	static plant_fn *const plants[] = { PLANTS };
	static const char *const names[] = { "2026-11-23", "2026-11-23~",
		"2026-11-23~b.example~gz", "2026-11-23~b_example~",
		"2026-11-23~B.example", "2026-11-23~b.example.", "~tmp", "x",
		"2026-11-23-b.example", "2026-11-23~[192.0.2.1]",
		"2026-11-23~b..example" };
	struct stat st;
	bool state_file;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		write_file(names[i], (struct sts_str)LIT(HEAD WAITS));
		ROW(each() == 0 && each_rc == STS_OK, "%s", names[i]);
		(void)unlink(path_of(names[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(plants); i++) {
		plants[i](path_of(NAME));
		assert_int_equal(lstat(path_of(NAME), &st), 0);
		state_file =
		    S_ISREG(st.st_mode) && st.st_size <= REPORT_STATE_TEXT_MAX;
		ROW(each() == 0 && each_rc == (state_file ? STS_OK : STS_LOCAL),
		    "plant %zu", i);
		(void)remove(path_of(NAME));
		(void)remove(path_of(NAME "~planted"));
	}
	rows_done();
}

/* "Nothing is to be sent" is not said of what cannot be read. */
static void
test_not_known(void **state)
{
	struct rlimit was, none;

	(void)state;
	write_file(NAME, (struct sts_str)LIT(HEAD WAITS));
	ROW(each() == 1 && each_rc == STS_OK, "one");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	ROW(each() == 0 && each_rc == STS_LOCAL, "the directory");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	outbox_forget(box, "2026-11-23");
	rows_done();
}

static void
test_way(void **state)
{
	static struct report_state p = { .day = "2026-11-23",
		.domain = "b.example",
		.unique = "0123456789abcdef",
		.dest = { { .uri = "mailto:a@b.example" } },
		.n = 1 };
	struct sts_err err;
	size_t len = 0;
	char *body;

	(void)state;
	ROW(outbox_has(box, p.day, p.domain, NULL) == STS_ABSENT, "not yet");
	ROW(outbox_put(box, &p, "gz\0x", 4, &err) == STS_OK, "put");
	ROW(outbox_has(box, p.day, p.domain, NULL) == STS_OK && each() == 1,
	    "there");
	body = outbox_body(box, &p, &len);
	ROW(body != NULL && len == 4 && memcmp(body, "gz\0x", 4) == 0,
	    "its bytes");
	free(body);
	outbox_served(box, &p);
	ROW(outbox_body(box, &p, &len) == NULL && each() == 1,
	    "served: the state stays");
	ROW(outbox_day_done(box, p.day, NULL) == STS_ABSENT &&
		outbox_end_day(box, p.day, &err) == STS_OK &&
		outbox_day_done(box, p.day, NULL) == STS_OK,
	    "the day");
	outbox_forget(box, p.day);
	ROW(outbox_day_done(box, p.day, NULL) == STS_ABSENT && each() == 0,
	    "forgotten");
	/* What cannot be looked for is not "not there": it would go out twice.
	 */
	memset(p.domain, 'a', 250);
	p.domain[250] = '\0';
	ROW(outbox_has(box, p.day, p.domain, &err) == STS_LOCAL,
	    "a name that is too long for the file system");
	memcpy(p.domain, "a.example", sizeof "a.example");
	/* A planted link in the way of a new state is not followed. */
	(void)!symlink("victim", path_of("~tmp"));
	ROW(outbox_update(box, &p, &err) == STS_OK &&
		access(path_of("victim"), F_OK) == -1,
	    "a link");
	outbox_forget(box, p.day);
	rows_done();
}

/* 7 */
static void
test_reaches(void **state)
{
	const struct destination dest[] = { { .uri = "mailto:a%2Cb@c.example" },
		{ .uri = "?" }, { .uri = "https://c.example/" } };

	(void)state;
	ROW(outbox_reaches(dest, 3, str_of("MAILTO:a%2cb@C.example?x=y")),
	    "the same mailbox");
	ROW(outbox_reaches(dest, 3, str_of("https://c.example/#x")),
	    "the same URL");
	ROW(!outbox_reaches(dest, 3, str_of("https://c.example/x")),
	    "another URL");
	ROW(!outbox_reaches(dest, 3, str_of("?")), "not known yet");
	ROW(!outbox_reaches(dest, 0, str_of("mailto:a@b.example")), "none");
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_planted),
		cmocka_unit_test(test_not_known),
		cmocka_unit_test(test_way),
		cmocka_unit_test(test_reaches),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
